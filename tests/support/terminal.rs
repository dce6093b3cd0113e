//! A terminal with a shell: tests type into it, and read its screen.
//!
//! The emulator is Alacritty's, which rewraps lines when it is resized, as most terminals do.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use alacritty_terminal::event::{VoidListener, WindowSize};
use alacritty_terminal::event_loop::{EventLoop, EventLoopSender, Msg, State};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::sync::FairMutex;
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::term::test::TermSize;
use alacritty_terminal::term::{Config, Term, TermMode};
use alacritty_terminal::tty::{self, Options, Pty, Shell};

type Emulator = FairMutex<Term<VoidListener>>;
type Ended = (EventLoop<Pty, VoidListener>, State);

pub struct Terminal {
    emulator: Arc<Emulator>,
    channel: EventLoopSender,
    running: Option<JoinHandle<Ended>>,
}

impl Terminal {
    /// Starts a shell with job control, in the environment of a command.
    ///
    /// # Panics
    /// There is no bash, or no pseudo-terminal.
    pub fn begin(command: &Command, rows: u16, columns: u16) -> Terminal {
        let mut arguments = Vec::new();
        for (name, value) in command.get_envs() {
            let name = name.to_string_lossy();
            match value {
                Some(value) => arguments.push(format!("{name}={}", value.to_string_lossy())),
                None => arguments.splice(0..0, ["-u".to_owned(), name.into_owned()]).for_each(drop),
            }
        }
        let ours = ["TERM=xterm-256color", "PS1=$ ", "HISTFILE=/dev/null", "bash", "--norc", "--noprofile", "-i"];
        arguments.extend(ours.map(str::to_owned));
        let options = Options {
            shell: Some(Shell::new("env".into(), arguments)),
            working_directory: command.get_current_dir().map(Into::into),
            drain_on_exit: true,
            env: HashMap::new(),
        };
        let pty = tty::new(&options, window(rows, columns), 0).expect("a pseudo-terminal");
        let size = TermSize::new(columns.into(), rows.into());
        let emulator = Arc::new(FairMutex::new(Term::new(Config::default(), &size, VoidListener)));
        let running = EventLoop::new(emulator.clone(), VoidListener, pty, true, false).expect("a terminal");
        let channel = running.channel();
        Terminal { emulator, channel, running: Some(running.spawn()) }
    }

    pub fn types(&self, text: &str) {
        self.channel.send(Msg::Input(text.to_owned().into_bytes().into())).expect("a running terminal");
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        self.emulator.lock().resize(TermSize::new(columns.into(), rows.into()));
        self.channel.send(Msg::Resize(window(rows, columns))).expect("a running terminal");
    }

    /// Its lines, including those scrolled out of sight. A wrapped line counts as one.
    pub fn lines(&self) -> Vec<String> {
        let emulator = self.emulator.lock();
        let grid = emulator.grid();
        let mut lines = vec![String::new()];
        for row in grid.topmost_line().0..=grid.bottommost_line().0 {
            let cells = (0..grid.columns()).map(|column| &grid[Line(row)][Column(column)]);
            let is_wrapped = grid[Line(row)][grid.last_column()].flags.contains(Flags::WRAPLINE);
            let text: String = cells.map(|cell| cell.c).collect();
            lines.last_mut().expect("a line").push_str(&text);
            if !is_wrapped {
                lines.push(String::new());
            }
        }
        lines.iter_mut().for_each(|line| line.truncate(line.trim_end().len()));
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// How many of its lines contain a text.
    pub fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Whether the shell is waiting for a command.
    pub fn has_prompt(&self) -> bool {
        self.lines().last().is_some_and(|line| line == "$")
    }

    pub fn shows_cursor(&self) -> bool {
        self.emulator.lock().mode().contains(TermMode::SHOW_CURSOR)
    }
}

impl Drop for Terminal {
    /// Hangs up, which ends what runs in it.
    fn drop(&mut self) {
        let _ = self.channel.send(Msg::Shutdown);
        if std::thread::panicking() {
            eprintln!("the terminal's screen:\n{}", self.lines().join("\n"));
        }
        let _ = self.running.take().map(JoinHandle::join);
    }
}

fn window(num_lines: u16, num_cols: u16) -> WindowSize {
    WindowSize { num_lines, num_cols, cell_width: 8, cell_height: 16 }
}
