//! What is said on stderr beside the reports: warnings, hints, errors. Colours follow `NO_COLOR`,
//! `CLICOLOR_FORCE`, the terminal, and `--color` once `anstream::ColorChoice::write_global` was told.

use std::io::{Write, stderr};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};

use super::View;
use crate::report::clean;
use crate::report::style::{BAD, DOUBTFUL, FAINT};

/// Longer than a stop takes to reach every thread of the process.
const STOPPING: Duration = Duration::from_millis(50);

/// A view that is drawn on the terminal meanwhile.
static VIEW: Mutex<Option<View>> = Mutex::new(None);

/// Has all that is written from now on written above a view.
pub fn begin_view() {
    if let Ok(mut view) = VIEW.lock() {
        *view = Some(View::begin());
    }
}

/// Changes the view, if there is one. Whether there is.
pub fn with_view(change: impl FnOnce(&mut View)) -> bool {
    VIEW.lock().is_ok_and(|mut view| view.as_mut().map(change).is_some())
}

/// Takes the view away: what is written from then on remains.
pub fn end_view() {
    if let Ok(mut view) = VIEW.lock()
        && let Some(mut view) = view.take()
    {
        view.erase();
    }
}

/// Takes the view away if that is possible at once: the process ends, and must not wait for who writes now.
pub fn drop_view() {
    if let Ok(mut view) = VIEW.try_lock()
        && let Some(mut view) = view.take()
    {
        view.erase();
    }
}

/// Stops the process as Ctrl-Z does, with the view out of the way. It goes on from here.
pub fn stop() {
    // The system ignores Ctrl-Z where no shell is there to wake the process again: so must this.
    if getsid(None).is_ok_and(|session| session == getpgrp()) {
        return;
    }
    let view = VIEW.lock();
    let mut view = view.ok();
    let mut view = view.as_mut().and_then(|view| view.as_mut());
    if let Some(view) = &mut view {
        view.erase();
    }
    if kill_process(getpid(), Signal::STOP).is_ok() {
        std::thread::sleep(STOPPING);
    }
    if let Some(view) = view {
        view.draw();
    }
}

/// Writes to the terminal with the view out of the way.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let view = VIEW.lock();
    let mut view = view.ok();
    let Some(view) = view.as_mut().and_then(|view| view.as_mut()) else { return write() };
    view.erase();
    let written = write();
    view.draw();
    written
}

/// A line as it is. Where stderr takes no more, on a full disk, nothing is said: what is done goes on to its exit code.
pub fn line(text: &str) {
    let _ = aside(|| writeln!(anstream::stderr().lock(), "{text}"));
}

/// A line with all its escapes, wherever it goes: a command to a pipeline's page, which is no terminal.
pub fn command(text: &str) {
    let _ = aside(|| writeln!(stderr().lock(), "{text}"));
}

/// Something odd that stops nothing.
pub fn warn(text: &str) {
    line(&format!("{DOUBTFUL}warning:{DOUBTFUL:#} {}", clean(text)));
}

/// What to try.
pub fn hint(text: &str) {
    line(&format!("{FAINT}hint:{FAINT:#} {}", clean(text)));
}

/// What ended the command, in one line of causes.
pub fn error(text: &str) {
    line(&format!("{BAD}error:{BAD:#} {}", clean(text)));
}
