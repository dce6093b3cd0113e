//! The logs that explain a failure, as the cluster still has them.

use k8s_openapi::api::core::v1::Pod;

use crate::cluster::{Cluster, log_tail};
use crate::report::FailureLogs;
use crate::state::{self, Ending, Observed, State};

/// How many of the last lines of a log to read to explain a failure.
pub(super) const LOG_TAIL: usize = 500;

/// Reads the logs that explain how an application ended; none if it has not ended, or has succeeded. A log that cannot
/// be read is left out.
pub async fn failure_logs(cluster: &Cluster, observed: &Observed, state: &State) -> FailureLogs {
    if state.outcome().is_none_or(|outcome| outcome.ending == Ending::Succeeded) {
        return FailureLogs::default();
    }
    let driver = state::latest_driver(observed).filter(|_| is_explained_by_log(state, observed));
    let executor =
        state.executors.main_failure.as_ref().and_then(|failure| observed.executors.get_key_value(&failure.name));
    let executor = executor.filter(|(_, pod)| state::executor_has_log(pod));
    let executor_log = tail(cluster, executor.map(|(_, pod)| pod)).await;
    FailureLogs {
        driver: tail(cluster, driver).await,
        driver_is_shown: false,
        failed_init: failed_init(observed),
        executor: executor.and_then(|(name, _)| Some((name.clone(), executor_log?))),
    }
}

/// Whether the log of the driver's pod tells more about its end: one that could not start has a log only if an init
/// container failed.
pub fn is_explained_by_log(state: &State, observed: &Observed) -> bool {
    state.outcome().is_some_and(|outcome| match outcome.ending {
        Ending::Failed | Ending::Lost | Ending::Unknown => true,
        Ending::CouldNotStart => failed_init(observed).is_some(),
        Ending::Succeeded => false,
    })
}

/// The init container that failed, so that the driver's own was never started.
pub fn failed_init(observed: &Observed) -> Option<String> {
    state::latest_driver(observed).and_then(state::failed_init).map(str::to_owned)
}

async fn tail(cluster: &Cluster, pod: Option<&Pod>) -> Option<String> {
    log_tail(cluster, pod?, LOG_TAIL).await.ok().filter(|log| !log.is_empty())
}
