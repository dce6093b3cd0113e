//! Messages on stderr: warnings, hints, errors and lines of reports, above the live view if there is one. Colors follow
//! `NO_COLOR`, `CLICOLOR_FORCE`, the terminal, and `--color`, which sets anstream's global choice.

use std::io::{Write, stderr};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};

use super::View;
use crate::report::clean;
use crate::report::style::{BAD, DOUBTFUL, FAINT};

/// Longer than a stop signal takes to reach every thread of the process.
const STOPPING: Duration = Duration::from_millis(50);

/// The live view, while there is one.
static VIEW: Mutex<Option<View>> = Mutex::new(None);

/// Starts the live view: from now on, messages appear above it.
pub fn begin_view() {
    if let Ok(mut view) = VIEW.lock() {
        *view = Some(View::begin());
    }
}

/// Changes the view, if there is one. Returns whether there is.
pub fn with_view(change: impl FnOnce(&mut View)) -> bool {
    VIEW.lock().is_ok_and(|mut view| view.as_mut().map(change).is_some())
}

/// Removes the view: later messages remain on the terminal.
pub fn end_view() {
    if let Ok(mut view) = VIEW.lock()
        && let Some(mut view) = view.take()
    {
        view.erase();
    }
}

/// Removes the view unless another thread is writing: the process is exiting and must not wait.
pub fn drop_view() {
    if let Ok(mut view) = VIEW.try_lock()
        && let Some(mut view) = view.take()
    {
        view.erase();
    }
}

/// Stops the process as Ctrl-Z does, with the view removed, and draws the view again when it continues.
pub fn stop() {
    // The system ignores Ctrl-Z if there is no shell to continue the process: so must this.
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

/// Writes to the terminal with the view removed meanwhile.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let view = VIEW.lock();
    let mut view = view.ok();
    let Some(view) = view.as_mut().and_then(|view| view.as_mut()) else { return write() };
    view.erase();
    let written = write();
    view.draw();
    written
}

/// Prints a line as it is. If stderr cannot be written to, such as on a full disk, the line is dropped: the exit code
/// does not depend on it.
pub fn line(text: &str) {
    let _ = aside(|| writeln!(anstream::stderr().lock(), "{text}"));
}

/// Prints a command to a CI system, with its escapes although that is no terminal.
pub fn command(text: &str) {
    let _ = aside(|| writeln!(stderr().lock(), "{text}"));
}

/// Prints a warning.
pub fn warn(text: &str) {
    line(&format!("{DOUBTFUL}warning:{DOUBTFUL:#} {}", clean(text)));
}

/// Prints a hint on what to try.
pub fn hint(text: &str) {
    line(&format!("{FAINT}hint:{FAINT:#} {}", clean(text)));
}

/// Prints the error that ended the command, with its causes, on one line.
pub fn error(text: &str) {
    line(&format!("{BAD}error:{BAD:#} {}", clean(text)));
}
