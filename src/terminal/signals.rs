//! The signals that this process handles: those that ask it to exit, and Ctrl-Z. All handlers are here, because a
//! handler must not be installed for a signal that the parent process wants ignored.

use std::sync::Once;

use anyhow::{Context, Result};
use rustix::process;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::exit_code::ExitCode;
use crate::terminal::messages;

/// A signal that asks sparkctl to exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    Terminate,
    /// The terminal was closed.
    Hangup,
}

impl Signal {
    const ALL: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];

    pub fn exit_code(self) -> ExitCode {
        match self {
            Signal::Hangup => ExitCode::HungUp,
            Signal::Interrupt => ExitCode::Interrupted,
            Signal::Terminate => ExitCode::Terminated,
        }
    }

    /// The signal itself, to pass on to another process.
    pub fn as_raw(self) -> process::Signal {
        match self {
            Signal::Hangup => process::Signal::HUP,
            Signal::Interrupt => process::Signal::INT,
            Signal::Terminate => process::Signal::TERM,
        }
    }
}

/// The signals that ask sparkctl to exit, one after another. Signals that the process was started to ignore are not
/// among them.
pub struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// Installs the handlers. Needs the async runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> Result<Signals> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for which in Signal::ALL {
            let kind = SignalKind::from_raw(which.as_raw().as_raw());
            if is_ignored(kind) {
                continue;
            }
            let mut signals = signal(kind).context("listening for signals")?;
            let sender = sender.clone();
            tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(which).is_ok() {} });
        }
        Ok(Signals(receiver))
    }

    /// Waits for the next signal; forever, if all are ignored.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// The first signal, for everyone who waits for it. The second one ends the process at once.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<Option<Signal>>);

impl Interrupt {
    /// Installs the handlers. Needs the async runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn listen() -> Result<Interrupt> {
        let (sender, receiver) = watch::channel(None);
        let mut signals = Signals::listen()?;
        tokio::spawn(async move {
            loop {
                let signal = signals.next().await;
                if sender.send_replace(Some(signal)).is_some() {
                    messages::drop_view();
                    std::process::exit(i32::from(signal.exit_code().number()));
                }
            }
        });
        Ok(Interrupt(receiver))
    }

    /// Waits for the first signal; returns at once if it has arrived.
    pub async fn received(&self) -> Signal {
        let mut receiver = self.0.clone();
        match receiver.wait_for(Option::is_some).await.ok().and_then(|signal| *signal) {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// From now on, Ctrl-Z removes the live view before it stops the process. Needs the async runtime.
pub fn remove_view_on_stop() {
    static ONCE: Once = Once::new();
    let kind = SignalKind::from_raw(process::Signal::TSTP.as_raw());
    ONCE.call_once(|| {
        // Without a handler the process stops all the same, and leaves the view on the terminal.
        if let (false, Ok(mut stops)) = (is_ignored(kind), signal(kind)) {
            tokio::spawn(async move {
                while stops.recv().await.is_some() {
                    messages::stop();
                }
            });
        }
    });
}

/// Whether the parent process wants the signal ignored, as `nohup` and a shell's background jobs do. A handler would
/// undo that.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
