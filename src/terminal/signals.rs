//! Ctrl-C and its kin: the first is heard by whoever waits for it, the second ends the process.

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit_code::ExitCode;
use crate::terminal::messages;

/// The signals that ask sparkctl to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
    Hangup,
}

impl Signal {
    pub fn exit_code(self) -> ExitCode {
        match self {
            Signal::Hangup => ExitCode::HungUp,
            Signal::Interrupt => ExitCode::Interrupted,
            Signal::Terminate => ExitCode::Terminated,
        }
    }
}

/// Hears the first signal, for as many as wait for it.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<Option<Signal>>);

impl Interrupt {
    /// Listens from now on. Needs the async runtime.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub fn listen() -> Result<Interrupt> {
        let (sender, receiver) = watch::channel(None);
        let kinds = [
            (Signal::Interrupt, SignalKind::interrupt()),
            (Signal::Terminate, SignalKind::terminate()),
            (Signal::Hangup, SignalKind::hangup()),
        ];
        for (which, kind) in kinds.into_iter().filter(|(_, kind)| !is_ignored(*kind)) {
            let mut signals = signal(kind).context("listening for signals")?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    if sender.send_replace(Some(which)).is_some() {
                        messages::drop_view();
                        std::process::exit(i32::from(which.exit_code().number()));
                    }
                }
            });
        }
        Ok(Interrupt(receiver))
    }

    /// Waits for the first signal; at once, if it has come.
    pub async fn heard(&self) -> Signal {
        let mut receiver = self.0.clone();
        match receiver.wait_for(Option::is_some).await.ok().and_then(|signal| *signal) {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}

/// Whether whoever started us wants the signal ignored (`nohup`, a shell's background job): a handler
/// would undo that.
pub fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
