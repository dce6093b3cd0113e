use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;

use super::cluster_args::ClusterArgs;
use super::delete::OPERATOR;
use super::events;
use crate::cluster::{self, Cluster, connect, find, read_with_events};
use crate::exit_code::ExitCode;
use crate::follow::failure::failure_logs;
use crate::manifests::Application;
use crate::report::{self, FailureReport, clean};
use crate::state::{self, Ending, Executors, LINGERS, LINGERS_HINT, Limits, Observed, State, Status};
use crate::terminal::{messages, stdout};

/// How many of the latest events to show.
const EVENTS: usize = 12;

/// Show details of an application: its state, why it is waiting or failed, and its latest events
#[derive(Clone, Debug, clap::Args)]
pub struct Describe {
    /// Name of the application or its driver pod
    name: String,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Describe {
    pub async fn run(self) -> Result<ExitCode> {
        let cluster = connect(self.cluster_args.options()).await?;
        let application = find(&cluster, &self.name).await?.application;
        let (mut observed, events) = read_with_events(&cluster, &application).await?;
        let state = state_explained(&cluster, &mut observed).await;
        let mut lines = rows(&application, &observed, &state);
        if state.outcome().is_some_and(|outcome| outcome.ending != Ending::Succeeded) {
            let logs = failure_logs(&cluster, &observed, &state).await;
            lines.push(String::new());
            lines.extend(FailureReport::of(&application, &state, logs).lines());
        }
        match events {
            Ok(events) if events.is_empty() => {}
            Ok(events) => {
                lines.push(String::new());
                lines.extend(events::lines(&events[events.len().saturating_sub(EVENTS)..], cluster.now()));
            }
            Err(refusal) => messages::warn(&refusal.to_string()),
        }
        stdout::print(lines)?;
        Ok(ExitCode::Succeeded)
    }
}

/// The state of an application, after looking up what may explain it.
pub async fn state_explained(cluster: &Cluster, observed: &mut Observed) -> State {
    let limits = Limits::at(cluster.now());
    let state = State::of(observed, &limits);
    let looks = state::lookups(&state, observed, &limits);
    let Some(namespace) = observed.namespace().filter(|_| !looks.is_empty()) else { return state };
    for finding in cluster::evidence(cluster, namespace, observed.driver.as_ref(), &looks).await {
        observed.evidence.take(finding);
    }
    State::of(observed, &limits)
}

/// Who created the driver pod, according to its labels.
pub fn submitter(driver: &Pod) -> &'static str {
    let label = |key: &str| driver.metadata.labels.as_ref().and_then(|labels| labels.get(key));
    if label("app.kubernetes.io/managed-by").is_some_and(|by| by == "sparkctl") {
        "sparkctl"
    } else if label(OPERATOR).is_some() {
        "operator"
    } else {
        "spark-submit"
    }
}

fn rows(application: &Application, observed: &Observed, state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let mut row = |name: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("{:<12}{}", format!("{name}:"), clean(text)));
        }
    };
    row("name", &application.name);
    row("namespace", &application.namespace);
    row("id", &application.id);
    row("carrier", &application.carrier.describe());
    let driver = state::latest_driver(observed);
    row("driver", driver.and_then(|pod| pod.metadata.name.as_deref()).unwrap_or_default());
    row("by", observed.driver.as_ref().map_or("sparkctl", submitter));
    let changes = state::changed_by_admission(observed);
    if !changes.is_empty() {
        row("changed", &report::changed("the driver's pod", &changes));
    }
    row("pod group", application.pod_group.as_ref().map_or("", |group| group.name.as_str()));
    row("created", &observed.created().map(|time| time.to_string()).unwrap_or_default());
    row("node", state.node.as_deref().unwrap_or_default());
    row("state", state.status.word());
    if let Some(attempt) = &state.attempt {
        row("attempt", &attempt.place());
        report::earlier_drivers(state).iter().for_each(|(name, end)| row(name, end));
    }
    row("durations", &report::durations(&state.durations));
    let executors = &state.executors;
    let are_awaited = state.status == Status::Running && executors.missing() > 0;
    if executors.running + executors.pending + executors.failed > 0 || are_awaited {
        let Executors { pending, failed, .. } = executors;
        row("executors", &format!("{} running, {pending} pending, {failed} failed", report::of_wanted(state)));
    }
    row("blocked", executors.blocked.as_deref().unwrap_or_default());
    row("refused", executors.refused.as_deref().unwrap_or_default());
    if state.status == Status::Running {
        row("hint", executors.hint.as_deref().unwrap_or_default());
    }
    if state.lingers.is_some() {
        row("now", LINGERS);
        row("hint", LINGERS_HINT);
    }
    match &state.status {
        Status::Waiting(waiting) => {
            row("waits", &format!("{}: {}", waiting.reason.word(), waiting.message));
            row("hint", waiting.hint.as_deref().unwrap_or_default());
        }
        Status::Starting(what) | Status::Stopping(what) => row("now", what),
        Status::Unseen | Status::Held | Status::Running | Status::Ended(_) => {}
    }
    lines
}
