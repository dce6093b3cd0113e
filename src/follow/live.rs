//! The live view of an application that is followed on a terminal.

use std::collections::VecDeque;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::cluster::Stage;
use crate::report::{clean, executor_words, words};
use crate::state::State;
use crate::terminal::{messages, remove_view_on_stop};

/// How often the clock and the spinner advance, and the view is fitted to the terminal.
const TICK: Duration = Duration::from_millis(250);
/// How many of the last log lines the view shows.
const LOG: usize = 3;
/// How many stages the view shows.
const STAGES: usize = 4;

/// The content of the view.
pub struct Live {
    name: String,
    head: String,
    state: Vec<String>,
    stages: Vec<String>,
    /// The last lines of the log, unless it is copied to stdout.
    log: VecDeque<String>,
    /// Dropping it stops the clock.
    _clock: Sender<()>,
}

impl Live {
    pub fn begin(name: &str) -> Live {
        remove_view_on_stop();
        messages::begin_view();
        let (clock, is_over) = channel();
        // A thread, because the clock also advances while the follower waits for the rest of a log.
        std::thread::spawn(move || {
            while is_over.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                messages::with_view(|view| view.tick());
            }
        });
        let mut live = Live::of(name);
        live._clock = clock;
        live
    }

    fn of(name: &str) -> Live {
        let (head, state, stages, log) = Default::default();
        Live { name: name.to_owned(), head, state, stages, log, _clock: channel().0 }
    }

    pub fn state(&mut self, state: &State) {
        let (what, hint) = words(state);
        self.head = clean(&format!("{}  {what}", self.name));
        let hints = [hint, state.executors.hint.clone()].into_iter().flatten();
        let hints = hints.map(|hint| clean(&format!("hint: {hint}")));
        let executors = executor_words(state).map(|words| format!("executors  {words}"));
        self.state = executors.into_iter().chain(hints).collect();
        self.draw();
    }

    pub fn stages(&mut self, stages: &[Stage]) {
        let row = |stage: &Stage| {
            let failed = match stage.num_failed_tasks {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            let Stage { stage_id, num_tasks, num_complete_tasks, name, .. } = stage;
            let done = bar_of(*num_complete_tasks, *num_tasks);
            clean(&format!("stage {stage_id:<4} {done} {num_complete_tasks}/{num_tasks} tasks{failed}  {name}"))
        };
        self.stages = stages.iter().take(STAGES).map(row).collect();
        self.draw();
    }

    /// Adds a line of a log that is not copied to stdout.
    pub fn log(&mut self, line: &str) {
        self.log.push_back(clean(&format!("| {line}")));
        if self.log.len() > LOG {
            self.log.pop_front();
        }
        self.draw();
    }

    fn rows(&self) -> Vec<String> {
        self.state.iter().chain(&self.stages).chain(&self.log).cloned().collect()
    }

    fn draw(&self) {
        messages::with_view(|view| view.set(self.head.clone(), self.rows()));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        messages::end_view();
    }
}

/// `[=====    ]`.
fn bar_of(done: u64, of: u64) -> String {
    const WIDTH: u64 = 20;
    let filled = (done * WIDTH).checked_div(of).unwrap_or_default().min(WIDTH);
    let filled = usize::try_from(filled).unwrap_or_default();
    let rest = usize::try_from(WIDTH).unwrap_or_default() - filled;
    format!("[{}{}]", "=".repeat(filled), " ".repeat(rest))
}

#[cfg(test)]
mod tests {
    use super::{Live, bar_of};
    use crate::cluster::Stage;

    #[test]
    fn shows_control_characters_without_obeying_them() {
        let mut live = Live::of("x");
        live.log("a\x1b[2Jb\rc\n");
        live.stages(&[Stage { name: "reduce\x07".into(), num_tasks: 1, ..Stage::default() }]);
        let rows = live.rows();
        assert_eq!(rows, ["stage 0    [                    ] 0/1 tasks  reduce\u{fffd}", "| a\u{fffd}[2Jb c"]);
    }

    #[test]
    fn a_bar_is_as_full_as_its_stage() {
        assert_eq!(bar_of(0, 8), "[                    ]");
        assert_eq!(bar_of(4, 8), "[==========          ]");
        assert_eq!(bar_of(9, 8), "[====================]");
        assert_eq!(bar_of(0, 0), "[                    ]");
    }
}
