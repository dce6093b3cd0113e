//! The events of a local run, which the caller prints.

/// Something that happens during a run.
#[derive(Debug)]
pub enum Event {
    /// A message for the user.
    Note(String),
    /// The driver starts with this runtime: `Spark 3.5.7, Java 17, Python 3.11, local[*]`.
    Running(String),
    /// Output of the driver.
    Output(Output, Vec<u8>),
}

/// The stream that the driver wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
}
