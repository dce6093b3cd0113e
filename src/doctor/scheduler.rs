//! Whether the scheduler that a job names is installed, and whether its queue admits the gang.

use serde_json::Value;

use super::check::Check;
use super::query::{Query, Responses, Unread};
use super::references;
use crate::diagnostic::nearest;
use crate::manifests::Requirements;
use crate::program::program;
use crate::scheduler::{self, Queues, Rules};

const SCHEDULER: &str = "scheduler";
const QUEUE: &str = "queue";
const PREEMPTION: &str = "preemption";

/// The name of the queue.
fn name(needs: &Requirements) -> &str {
    needs.queue.as_deref().unwrap_or("default")
}

/// The key of the question for a scheduler's configuration.
fn configuration(rules: &dyn Rules) -> String {
    format!("configuration of {}", rules.title())
}

pub(super) fn asks(needs: &Requirements) -> Vec<Query> {
    let Some(rules) = needs.scheduler.rules() else { return Vec::new() };
    let api = rules.api().map(|version| Query::get(SCHEDULER, version, "", "", ""));
    let queue = rules.queues().map(|Queues { version, plural, is_namespaced, .. }| {
        let namespace = if is_namespaced { &needs.namespace } else { "" };
        Query::get(QUEUE, version, namespace, plural, name(needs))
    });
    let map = rules
        .configuration()
        .map(|(namespace, map)| Query::get(configuration(rules), "v1", namespace, "configmaps", map));
    api.into_iter().chain(queue).chain(map).collect()
}

pub(super) fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    let Some(rules) = needs.scheduler.rules() else { return by_pods(needs) };
    if rules.api().is_none() {
        return vec![unknown(rules.name().unwrap_or_default())];
    }
    let mut checks = vec![installed(rules, facts)];
    // Without its API there are no queues either.
    if facts.get(SCHEDULER) != &Err(Unread::Missing) {
        checks.extend(rules.queues().map(|queues| queue(rules, queues, needs, facts)));
        checks.extend(preemption(rules, needs, facts));
    }
    checks
}

fn installed(rules: &dyn Rules, facts: &Responses) -> Check {
    let title = rules.title();
    let missing = || {
        let message = format!("{title} is not installed: the cluster does not have its API");
        Check::failed(SCHEDULER, message, "have it installed, or leave batchScheduler out")
    };
    let judge = |_: &Value| Check::passed(SCHEDULER, format!("{title} is installed"));
    Check::of(SCHEDULER, facts.get(SCHEDULER), judge, missing)
}

/// Schedulers by the pods' own `schedulerName`.
fn by_pods(needs: &Requirements) -> Vec<Check> {
    let of = |pod: &Value| pod.pointer("/spec/schedulerName").and_then(Value::as_str).map(str::to_owned);
    let mut names: Vec<String> = [of(&needs.driver), of(&needs.executor)].into_iter().flatten().collect();
    names.dedup();
    let others = names.iter().filter(|name| !scheduler::is_clusters_own(name));
    let judge = |name: &String| match nearest(name, scheduler::pods_names()) {
        Some(word) if word != name => Check::failed(
            SCHEDULER,
            format!("pods with schedulerName `{name}` wait forever, unless there is a scheduler of that name"),
            format!("did you mean `{word}`?"),
        ),
        _ => unknown(name),
    };
    others.map(judge).collect()
}

fn unknown(name: &str) -> Check {
    Check::not_readable(SCHEDULER, format!("the API server does not show whether a scheduler `{name}` runs"))
}

fn queue(rules: &dyn Rules, queues: Queues, needs: &Requirements, facts: &Responses) -> Check {
    let Queues { version, plural, noun, is_namespaced, setup } = queues;
    let name = name(needs);
    let missing = || {
        let place = if is_namespaced { format!(" in {}", needs.namespace) } else { String::new() };
        let group = version.rsplit_once('/').map_or("", |(group, _)| group);
        let setup = setup.map(|setup| format!("; {} {setup} creates one", program())).unwrap_or_default();
        let remedy = format!("list them with: kubectl get {plural}.{group}{setup}");
        Check::failed(QUEUE, format!("there is no {noun} {name}{place}"), remedy)
    };
    let judge = |queue: &Value| match rules.judge_queue(name, queue, references::group(needs)) {
        Ok(message) => Check::passed(QUEUE, message),
        Err((message, remedy)) => Check::failed(QUEUE, message, remedy),
    };
    Check::of(QUEUE, facts.get(QUEUE), judge, missing)
}

/// Whether the scheduler preempts others for a priority class that may.
fn preemption(rules: &dyn Rules, needs: &Requirements, facts: &Responses) -> Option<Check> {
    let (namespace, map) = rules.configuration()?;
    let class = references::group(needs)?.pointer("/spec/priorityClassName")?.as_str()?;
    let found = facts.get(&format!("PriorityClass {class}")).as_ref().ok()?;
    if found["preemptionPolicy"] == "Never" {
        return None;
    }
    let judge = |configuration: &Value| match rules.judge_preemption(class, configuration) {
        Ok(message) => Check::passed(PREEMPTION, message),
        Err((message, remedy)) => Check::failed(PREEMPTION, message, remedy),
    };
    let missing = || {
        let message = format!("there is no config map {namespace}/{map} with the configuration of {}", rules.title());
        Check::not_readable(PREEMPTION, message)
    };
    Some(Check::of(PREEMPTION, facts.get(&configuration(rules)), judge, missing))
}
