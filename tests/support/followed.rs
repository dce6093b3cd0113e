//! A sparkctl that follows an application while the test goes on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use super::{PATIENCE, hearing_signals};

/// A sparkctl that follows an application, and what it has said.
pub struct Followed {
    pub process: Child,
    pub lines: Receiver<String>,
    pub said: Vec<String>,
    talk: JoinHandle<String>,
}

impl Followed {
    pub fn begin(command: &Command) -> Followed {
        let mut command = hearing_signals(command);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sparkctl");
        let out = BufReader::new(process.stdout.take().expect("stdout"));
        let mut err = process.stderr.take().expect("stderr");
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let talk = std::thread::spawn(move || {
            let mut talk = String::new();
            err.read_to_string(&mut talk).expect("its talk");
            talk
        });
        Followed { process, lines, said: Vec::new(), talk }
    }

    /// Waits for some more lines of the log.
    pub fn hear(&mut self, lines: usize) {
        for _ in 0..lines {
            self.said.push(self.lines.recv_timeout(PATIENCE).expect("a line of the log"));
        }
    }

    /// Waits for its end. Returns its code, the log, and its talk.
    pub fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        self.said.extend(self.lines.iter());
        let code = self.process.wait().expect("its end").code();
        (code, self.said, self.talk.join().expect("its talk"))
    }
}
