//! The lookups that would explain a state better.

use std::collections::BTreeSet;

use super::container::{self, Role};
use super::evidence::is_about_claims;
use super::limits::has_passed;
use super::{Ending, Limits, Lookup, Missing, Observed, State, Status, executor_shortage, lingering, waiting};

/// A wait that is over in a moment needs no explanation.
const MOMENT: std::time::Duration = std::time::Duration::from_secs(2);
/// What an executor ends with that could not begin, as when it does not reach its driver.
const NOT_STARTED: i32 = 1;

/// The lookups that would explain this state better; none while nothing is wrong.
pub fn lookups(state: &State, observed: &Observed, limits: &Limits) -> BTreeSet<Lookup> {
    let mut looks = BTreeSet::new();
    match &state.status {
        Status::Waiting(waiting) => {
            let created = observed.driver.as_ref().and_then(|pod| pod.metadata.creation_timestamp.as_ref());
            let lasts = created.is_some_and(|at| has_passed(at.0, MOMENT, limits));
            match waiting.reason {
                waiting::Reason::Unschedulable if lasts && is_about_claims(&waiting.message) => {
                    looks.insert(Lookup::Claims);
                }
                waiting::Reason::Unschedulable if lasts => {
                    looks.insert(Lookup::Nodes);
                }
                waiting::Reason::Image => {
                    looks.insert(Lookup::PullSecrets);
                }
                _ => {}
            }
            looks.extend(Missing::of(&waiting.message).map(Lookup::Alternatives));
        }
        Status::Ended(outcome) if outcome.ending == Ending::CouldNotStart => {
            looks.extend(Missing::of(&outcome.message).map(Lookup::Alternatives));
        }
        Status::Running if state.executors.starved => {
            looks.insert(Lookup::Nodes);
        }
        Status::Running if state.lingers.is_none() => {
            looks.extend(lingering::look(observed, &state.executors, limits).map(Lookup::Log));
        }
        _ => {}
    }
    if state.status == Status::Running {
        match state.executors.short_since {
            Some(since) => looks.extend(executor_shortage::look(since, limits).map(Lookup::Executors)),
            // Others than sparkctl write it into the settings alone.
            None if state.executors.wanted.is_none() => drop(looks.insert(Lookup::Settings)),
            None => {}
        }
    }
    let last = state.executors.last_failure.as_ref();
    if last.is_some_and(|last| last.exit_code == Some(NOT_STARTED)) {
        looks.insert(Lookup::Reachability);
    }
    if state.executors.main_failure.as_ref().is_some_and(|failure| failure.lacks_memory)
        || observed.driver.as_ref().is_some_and(|pod| container::lacks_memory(pod, Role::Driver))
    {
        looks.insert(Lookup::Settings);
    }
    looks.retain(|look| !observed.evidence.has(look));
    looks
}
