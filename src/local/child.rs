//! The driver as a child of this process: it ends whole when this process is told to end.
//! Its output comes in pieces, as it is written.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal as RawSignal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::submission::Submission;
use super::{Event, until};
use crate::terminal::{Signal, Signals};

/// How long a driver may take to end after a signal.
const GRACE: Duration = Duration::from_secs(15);
/// How long its last output may take to come.
const DRAIN: Duration = Duration::from_secs(5);

/// How a driver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal that did not come from here: 9 is often the kernel, short of memory.
    Killed(i32),
    /// Because this process received this signal.
    Interrupted(Signal),
    /// Because its time was over.
    TimedOut,
}

/// Where the driver wrote something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        let code = |code: i32| Self::Exited(u8::try_from(code).unwrap_or(u8::MAX));
        status.code().map_or_else(|| Self::Killed(status.signal().unwrap_or_default()), code)
    }
}

/// Runs a submission to its end, or until the deadline.
///
/// # Errors
/// When it cannot be started.
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
    // What outlived the driver ends here, so that the pipes end too.
    drop(group);
    for copying in output.into_iter().flatten() {
        // A pipe that a stranger holds open is not waited for.
        let _ = tokio::time::timeout(DRAIN, copying).await;
    }
    Ok(ended)
}

/// Sends what comes through a pipe until it ends.
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

    /// Waits for the driver's end, or brings it about.
    async fn end(&mut self, signals: &mut Signals, deadline: Option<Instant>) -> Result<Ended> {
        let (ended, signal) = tokio::select! {
            status = self.child.wait() => return Ok(Ended::of(status.context("waiting for the driver")?)),
            signal = signals.next() => (Ended::Interrupted(signal), signal.as_raw()),
            () = until(deadline) => (Ended::TimedOut, RawSignal::TERM),
        };
        self.send(signal);
        // A second signal, or too long a wait, ends it at once: that is what dropping the group does.
        let patience = sleep_until(Instant::now() + GRACE);
        tokio::select! {
            _ = self.child.wait() => {}
            _ = signals.next() => {}
            () = patience => {}
        }
        Ok(ended)
    }

    fn send(&self, signal: RawSignal) {
        // It fails only when the group is gone, which is what was wanted.
        let _ = self.id.map(|id| kill_process_group(id, signal));
    }
}

impl Drop for Group {
    /// What outlives the driver ends with it, as it would in a container.
    fn drop(&mut self) {
        self.send(RawSignal::KILL);
    }
}
