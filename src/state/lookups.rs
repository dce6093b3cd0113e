//! Chooses the lookups that would explain a state better.

use std::collections::BTreeSet;

use super::container::{self, Role};
use super::evidence::is_about_claims;
use super::limits::has_passed;
use super::{Ending, Limits, Lookup, Missing, Observed, State, Status, executor_shortage, lingering, waiting};

/// A wait shorter than this needs no explanation.
const MOMENT: std::time::Duration = std::time::Duration::from_secs(2);
/// The exit code of an executor that could not start, for example because it cannot reach its driver.
const NOT_STARTED: i32 = 1;

/// The lookups that would explain this state better; none while nothing is wrong.
pub fn lookups(state: &State, observed: &Observed, limits: &Limits) -> BTreeSet<Lookup> {
    let mut lookups = BTreeSet::new();
    match &state.status {
        Status::Waiting(waiting) => {
            let created = observed.driver.as_ref().and_then(|pod| pod.metadata.creation_timestamp.as_ref());
            let lasts = created.is_some_and(|at| has_passed(at.0, MOMENT, limits));
            match waiting.reason {
                waiting::Reason::Unschedulable if lasts && is_about_claims(&waiting.message) => {
                    lookups.insert(Lookup::Claims);
                }
                waiting::Reason::Unschedulable if lasts => {
                    lookups.insert(Lookup::Nodes);
                }
                waiting::Reason::Image => {
                    lookups.insert(Lookup::PullSecrets);
                }
                _ => {}
            }
            lookups.extend(Missing::of(&waiting.message).map(Lookup::Alternatives));
        }
        // The kubelet's first failure may be a cache's fault; whether the object exists is known at once.
        Status::Starting(_) => lookups.extend(waiting::missing_for_volume(observed).map(Lookup::Alternatives)),
        Status::Ended(outcome) if outcome.ending == Ending::CouldNotStart => {
            lookups.extend(Missing::of(&outcome.message).map(Lookup::Alternatives));
        }
        Status::Running if state.executors.starved => {
            lookups.insert(Lookup::Nodes);
        }
        Status::Running if state.lingers.is_none() => {
            lookups.extend(lingering::look(observed, &state.executors, limits).map(Lookup::Log));
        }
        _ => {}
    }
    if state.status == Status::Running {
        match state.executors.short_since {
            Some(since) => lookups.extend(executor_shortage::look(since, limits).map(Lookup::Executors)),
            // Others than sparkctl write it into the settings alone.
            None if state.executors.wanted.is_none() => drop(lookups.insert(Lookup::Settings)),
            None => {}
        }
    }
    let last = state.executors.last_failure.as_ref();
    if last.is_some_and(|last| last.exit_code == Some(NOT_STARTED)) {
        lookups.insert(Lookup::Reachability);
    }
    if state.executors.main_failure.as_ref().is_some_and(|failure| failure.lacks_memory)
        || observed.driver.as_ref().is_some_and(|pod| container::lacks_memory(pod, Role::Driver))
    {
        lookups.insert(Lookup::Settings);
    }
    lookups.retain(|lookup| !observed.evidence.has(lookup));
    lookups
}
