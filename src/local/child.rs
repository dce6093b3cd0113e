//! The driver as a child process: its output, and its end together with all processes that it started.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal as RawSignal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::event::{Event, Output};
use super::submission::Submission;
use crate::terminal::{Signal, Signals};
use crate::time::until;

/// How long a driver may take to exit after a signal.
const GRACE: Duration = Duration::from_secs(15);
/// How long to wait for the rest of its output.
const DRAIN: Duration = Duration::from_secs(5);

/// How a driver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Exited(u8),
    /// A signal from elsewhere killed it: 9 is often the kernel's, because of a lack of memory.
    Killed(i32),
    /// This process received this signal.
    Interrupted(Signal),
    /// The timeout was over.
    TimedOut,
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        let code = |code: i32| Self::Exited(u8::try_from(code).unwrap_or(u8::MAX));
        status.code().map_or_else(|| Self::Killed(status.signal().unwrap_or_default()), code)
    }
}

/// Runs a submission until it ends, a signal arrives, or the deadline is over.
///
/// # Errors
/// It cannot be started.
pub async fn run(
    submission: &Submission,
    signals: &mut Signals,
    deadline: Option<Instant>,
    events: &mpsc::Sender<Event>,
) -> Result<Ended> {
    let mut group = Group::of(submission)?;
    let output = [
        group.child.stdout.take().map(|pipe| copy(pipe, Output::Stdout, events.clone())),
        group.child.stderr.take().map(|pipe| copy(pipe, Output::Stderr, events.clone())),
    ];
    let ended = group.end(signals, deadline).await?;
    // Kills what outlived the driver, so that the pipes are closed.
    drop(group);
    for copying in output.into_iter().flatten() {
        // A process outside of the group may hold a pipe open.
        let _ = tokio::time::timeout(DRAIN, copying).await;
    }
    Ok(ended)
}

/// Sends what is read from a pipe, until it is closed.
fn copy(mut pipe: impl AsyncRead + Unpin + Send + 'static, which: Output, to: mpsc::Sender<Event>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut piece = vec![0; 16 << 10];
        while let Ok(read @ 1..) = pipe.read(&mut piece).await {
            if to.send(Event::Output(which, piece[..read].to_vec())).await.is_err() {
                return;
            }
        }
    })
}

/// The driver and the processes that it starts.
///
/// They are a process group: `spark-submit` is a JVM, which starts Python, which may start others, and a signal to only
/// one of them would leave the rest running.
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    fn of(submission: &Submission) -> Result<Self> {
        let mut command = Command::new(&submission.program);
        // A driver in a cluster has no stdin either, and a background process group must not read from the terminal.
        command.args(&submission.arguments).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
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

    /// Waits for the driver to exit, or ends it.
    async fn end(&mut self, signals: &mut Signals, deadline: Option<Instant>) -> Result<Ended> {
        let (ended, signal) = tokio::select! {
            status = self.child.wait() => return Ok(Ended::of(status.context("waiting for the driver")?)),
            signal = signals.next() => (Ended::Interrupted(signal), signal.as_raw()),
            () = until(deadline) => (Ended::TimedOut, RawSignal::TERM),
        };
        self.send(signal);
        // After a second signal or the grace period, dropping the group kills it.
        tokio::select! {
            _ = self.child.wait() => {}
            _ = signals.next() => {}
            () = tokio::time::sleep(GRACE) => {}
        }
        Ok(ended)
    }

    fn send(&self, signal: RawSignal) {
        // An error means that the group is gone.
        let _ = self.id.map(|id| kill_process_group(id, signal));
    }
}

impl Drop for Group {
    /// Kills what outlives the driver, as the end of a container would.
    fn drop(&mut self) {
        self.send(RawSignal::KILL);
    }
}
