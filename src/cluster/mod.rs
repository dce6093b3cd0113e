//! Talking to the API server: connect, submit, observe, read logs, find and delete applications, and
//! its refusals in words.

mod apply;
mod clock;
mod connect;
mod credentials;
mod delete;
mod diagnose;
mod error;
mod find;
mod forward;
mod garbage;
mod kinds;
mod lease;
mod logs;
mod names;
mod namespace;
mod observe;
mod preflight;
mod request;
mod schedules;
mod stages;
mod submit;
mod suggest;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use apply::{apply, preempt};
use clock::Clock;
pub use connect::{Options, connect};
pub use delete::delete;
pub use diagnose::evidence;
pub use error::{Failure, Refusal, exit_code};
pub use find::{Found, find, glance, glance_and_events, list};
pub use forward::forward;
pub use garbage::{Retention, litter};
pub use lease::{Lease, active};
pub use logs::{Line, LogEvent, Logs, Part, Source, log_tail, whole_log};
pub use names::names;
pub use namespace::namespace;
pub use observe::{Change, Observer, observe};
pub use preflight::survey;
pub use schedules::{Schedule, run_now, runs, schedule, schedules, suspend};
pub use stages::{Stage, stages};
pub use submit::{Submitted, dry_run, stopped, submit};

/// A cluster and a namespace in it, as one user sees them.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// Name of the kubeconfig's context; `in-cluster` for a pod's own service account.
    pub context: String,
    pub namespace: String,
    /// How long a watch may be silent before it is taken up anew.
    watch_timeout: Duration,
    clock: Arc<Clock>,
}

impl Cluster {
    /// Where it is looked, as it is spoken of; no namespace stands for all of them.
    pub fn place(&self) -> String {
        match self.namespace.as_str() {
            "" => "any namespace".into(),
            namespace => format!("namespace {namespace}"),
        }
    }
}
