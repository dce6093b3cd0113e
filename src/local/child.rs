//! The driver as a child of this process: it ends whole when this process is told to end.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::submission::Submission;

/// How long a driver may take to end after a signal.
const GRACE: Duration = Duration::from_secs(15);

/// The signals that end a run: Ctrl-C, `kill`, and a terminal that closes.
pub struct Signals {
    interrupt: Stream,
    terminate: Stream,
    hangup: Stream,
}

impl Signals {
    /// # Errors
    /// When the process may not listen to signals.
    pub fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("listening to signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }
}

/// How a driver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal that did not come from here: 9 is often the kernel, short of memory.
    Killed(i32),
    /// Because this process got this signal: 2 (Ctrl-C), 15, or 1 (the terminal closed).
    Interrupted(i32),
}

impl Ended {
    /// The driver's own code, or 128 and the signal, as a shell has it.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) | Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }

    fn of(status: ExitStatus) -> Self {
        let code = |code: i32| Self::Exited(u8::try_from(code).unwrap_or(u8::MAX));
        status.code().map_or_else(|| Self::Killed(status.signal().unwrap_or_default()), code)
    }
}

/// Runs a submission to its end. Its output is this process's output.
///
/// # Errors
/// When it cannot be started.
pub async fn run(submission: &Submission, signals: &mut Signals) -> Result<Ended> {
    let mut group = Group::of(submission)?;
    let signal = tokio::select! {
        status = group.child.wait() => return Ok(Ended::of(status.context("waiting for the driver")?)),
        signal = signals.next() => signal,
    };
    group.send(signal);
    // A second signal, or too long a wait, ends it at once: that is what dropping the group does.
    let patience = sleep_until(Instant::now() + GRACE);
    tokio::select! {
        _ = group.child.wait() => {}
        _ = signals.next() => {}
        () = patience => {}
    }
    Ok(Ended::Interrupted(signal.as_raw()))
}

/// The driver and all that it starts.
///
/// Its own process group: `spark-submit` is a JVM, which starts Python, which may start more, and a
/// signal for one of them would leave the others.
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    fn of(submission: &Submission) -> Result<Self> {
        let mut command = Command::new(&submission.program);
        // A driver in a cluster has no standard input; a background group must not ask a terminal for it.
        command.args(&submission.arguments).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        for (name, value) in &submission.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let child = command.spawn().with_context(|| format!("starting {}", submission.program.display()))?;
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { child, id })
    }

    fn send(&self, signal: Signal) {
        // It fails only when the group is gone, which is what was wanted.
        let _ = self.id.map(|id| kill_process_group(id, signal));
    }
}

impl Drop for Group {
    /// What outlives the driver ends with it, as it would in a container.
    fn drop(&mut self) {
        self.send(Signal::KILL);
    }
}
