//! The API server: connections, requests and their refusals, and what commands do with a cluster's objects.
//!
//! [`connect::Cluster`] and [`error::Failure`] are at the bottom; `request`, `list` and `watch` send; all else is built
//! on those.

mod apply;
mod clock;
mod connect;
mod credentials;
mod delete;
mod diagnose;
mod error;
mod executor_check;
mod find;
mod garbage;
mod kubeconfig;
mod lease;
mod list;
mod logs;
mod observe;
mod paths;
mod preflight;
mod request;
mod schedules;
mod spark_ui;
mod submit;
mod suggest;
mod watch;

pub use apply::{add_preempt_action, apply};
pub use connect::{Cluster, connect};
pub use delete::delete;
pub use diagnose::evidence;
pub use error::{Failure, Refusal, exit_code};
pub use find::{Found, find, list, read, read_with_events};
pub use garbage::{Retention, find_garbage};
pub use kubeconfig::{Options, namespace};
pub use lease::{Lease, active};
pub use list::names;
pub use logs::{Line, LogEvent, Logs, Part, Source, copy_log, log_tail};
pub use observe::{Change, Observer, observe};
pub use preflight::query;
pub use schedules::{Schedule, find_schedule, run_now, runs, schedule, schedules, suspend};
pub use spark_ui::{Stage, forward, stages};
pub use submit::{Submitted, dry_run, interrupted, submit};
