//! A sparkctl that runs beside the test, whose output is read line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::Signal;

use super::{PATIENCE, signal, with_default_signals};

/// A running command whose output is read as it comes, so that the command never waits for a reader.
pub struct Running {
    pub process: Child,
    stdout: Lines,
    stderr: Lines,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal killed it.
    pub code: Option<i32>,
    pub stdout: Vec<String>,
    pub stderr: String,
}

/// The lines of a stream that have been read, and those to come.
struct Lines {
    read: Vec<String>,
    coming: Receiver<String>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, coming) = channel();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        std::thread::spawn(move || lines.into_iter().try_for_each(|line| sender.send(line)));
        Self { read: Vec::new(), coming }
    }

    fn next(&mut self, what: &str) -> &str {
        let line = self.coming.recv_timeout(PATIENCE);
        self.read.push(line.unwrap_or_else(|error| panic!("no {what} ({error}) after:\n{}", self.read.join("\n"))));
        self.read.last().expect("the line that was pushed")
    }

    fn rest(mut self) -> Vec<String> {
        self.read.extend(self.coming.iter());
        self.read
    }
}

impl Running {
    /// Starts a command with nothing on stdin.
    pub fn start(command: &Command) -> Self {
        Self::start_with_input(command, "")
    }

    /// Starts a command with a text on stdin.
    pub fn start_with_input(command: &Command, input: &str) -> Self {
        let mut command = with_default_signals(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("sparkctl");
        let stdout = Lines::of(process.stdout.take().expect("stdout"));
        let stderr = Lines::of(process.stderr.take().expect("stderr"));
        process.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("writing to stdin");
        Self { process, stdout, stderr }
    }

    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().expect("its status").is_none()
    }

    /// Waits for some more lines on stdout.
    pub fn read_lines(&mut self, count: usize) {
        for _ in 0..count {
            self.stdout.next("line on stdout");
        }
    }

    /// Reads the lines that stdout has so far.
    pub fn read_available(&mut self) {
        self.stdout.read.extend(self.stdout.coming.try_iter());
    }

    /// Waits for a line on stderr with this text.
    pub fn wait_for_message(&mut self, text: &str) {
        while !self.stderr.next(&format!("message with {text:?}")).contains(text) {}
    }

    /// Interrupts it as Ctrl-C does, and waits for its end.
    ///
    /// # Panics
    /// It ends with another exit code than that of an interrupt.
    pub fn interrupt(self) -> Ended {
        signal(&self.process, Signal::INT);
        let ended = self.end();
        assert_eq!(ended.code, Some(130), "{ended:#?}");
        ended
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let (stdout, stderr) = (self.stdout.rest(), self.stderr.rest());
        let code = self.process.wait().expect("its end").code();
        Ended { code, stdout, stderr: stderr.iter().map(|line| format!("{line}\n")).collect() }
    }
}
