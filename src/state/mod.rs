//! An application's state, and why it is waiting or how it ended, derived from its latest objects.
//!
//! [`State::of`] is a total function of its arguments, so that a missed, repeated or reordered event does no harm, and a
//! second `sparkctl` shows the same as the first.

mod admission;
mod application_state;
mod attempts;
mod container;
mod durations;
mod evidence;
mod exception;
mod executor_failure;
mod executor_shortage;
mod executors;
mod exit_code_meaning;
mod hint;
mod limits;
mod lingering;
mod log_excerpt;
mod lookups;
mod missing;
mod observed;
mod outcome;
mod pod_status;
mod pods;
mod pull_secrets;
mod reachability;
mod scheduling;
mod status;
mod stopped;
mod waiting;

pub use admission::changed_by_admission;
pub use application_state::State;
pub use attempts::{Attempt, Count, PastAttempt, driver_of_attempt, latest_driver};
pub use durations::Durations;
pub use evidence::{Claims, Evidence, Lookup, LookupResult, Nodes};
pub use exception::last_exception;
pub use executor_failure::ExecutorFailure;
pub use executor_shortage::{driver_runs_since, refusal_in_log};
pub use executors::{Executors, executor_has_ended, executor_has_log, executor_id, executor_short_name};
pub use exit_code_meaning::exit_code_meaning;
pub use hint::refusal::refusal_hint;
pub use limits::{Limits, PATIENCE};
pub use lingering::{LINGERS, LINGERS_HINT};
pub use log_excerpt::excerpt;
pub use lookups::lookups;
pub use missing::{Alternatives, Missing};
pub use observed::{Gone, Observed};
pub use outcome::{Ending, Outcome};
pub use pods::{failed_init, spark_container, ui_port};
pub use reachability::{DriverService, Reachability, service_of};
pub use status::Status;
pub use stopped::{Stopped, has_stopped};
#[cfg(test)]
pub use waiting::Reason;
pub use waiting::{Waiting, event_time};

#[cfg(test)]
mod tests;
