//! Checks whether a job can run, without creating anything: the requests to send, and what the answers mean.

mod admission;
mod check;
mod nodes;
mod query;
mod quota;
mod references;
mod rights;
mod scheduler;
mod target;
#[cfg(test)]
mod tests;

pub use check::{Check, Verdict};
pub use query::{Answer, Query, Responses, Unread};
pub use target::Target;
