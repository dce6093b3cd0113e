//! Talking to the API server: connect, submit, observe, read logs, find and delete applications, and
//! its refusals in words.

mod apply;
mod around;
mod clock;
mod connect;
mod delete;
mod find;
mod forward;
mod kinds;
mod litter;
mod logs;
mod missing;
mod names;
mod namespace;
mod observe;
mod overlap;
mod refusal;
mod renew;
mod request;
mod schedules;
mod stages;
mod submit;
mod survey;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use apply::{apply, preempt};
pub use around::around;
use clock::Clock;
pub use connect::{Options, connect};
pub use delete::delete;
pub use find::{Found, find, glance, glance_and_events, list};
pub use forward::forward;
pub use litter::{Respite, litter};
pub use logs::{Heard, Line, Logs, Part, Source, log_tail, whole_log};
pub use names::names;
pub use namespace::namespace;
pub use observe::{Change, Sight, observe};
pub use overlap::{Turn, active};
pub use refusal::{Failure, Refusal};
pub use schedules::{Schedule, run_now, runs, schedule, schedules, suspend};
pub use stages::{Stage, stages};
pub use submit::{Submitted, dry_run, stopped, submit};
pub use survey::survey;

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
