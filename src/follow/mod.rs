//! Follows an application in the cluster to an exit code: reports its changes, and returns at its end, on a signal, or
//! when `--timeout` expires.

mod executors_timeout;
pub mod failure;
mod following;
pub mod heartbeat;
mod live;
pub mod local_run;
pub mod options;
pub mod reporter;
pub mod result_files;

pub use following::{JUDGE, follow};
