//! Data on stdout.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Writes data to stdout. A closed pipe is not an error.
pub fn write(out: &mut impl Write, text: &str) -> Result<()> {
    pass(out, text.as_bytes()).map(|_| ())
}

/// Writes a part of the data to stdout. Returns whether the pipe is still open.
pub fn pass(out: &mut impl Write, part: &[u8]) -> Result<bool> {
    match out.write_all(part).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true).context("writing to stdout"),
    }
}

/// Prints lines of data to stdout, without colors unless it is a terminal.
pub fn print(lines: impl IntoIterator<Item = impl Display>) -> Result<()> {
    let text: String = lines.into_iter().map(|line| format!("{line}\n")).collect();
    write(&mut anstream::stdout().lock(), &text)
}
