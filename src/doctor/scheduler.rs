//! The scheduler that a job names: whether it is there, and whether its queue lets the gang in.

use serde_json::Value;

use super::{Check, Query, Responses, Unread, references};
use crate::diagnostic::nearest;
use crate::job::scheduling::Scheduler;
use crate::manifests::Requirements;
use crate::program::program;
use crate::state::queue::{self, Lack};

const SCHEDULER: &str = "scheduler";
const QUEUE: &str = "queue";
const CONFIGURATION: &str = "configuration of Volcano";
const VOLCANO: &str = "scheduling.volcano.sh/v1beta1";
const COSCHEDULING: &str = "scheduling.x-k8s.io/v1alpha1";
const KUEUE: &str = "kueue.x-k8s.io/v1beta1";

/// Name of the queue that counts.
fn name(needs: &Requirements) -> &str {
    needs.queue.as_deref().unwrap_or("default")
}

pub(super) fn asks(needs: &Requirements) -> Vec<Query> {
    let api = |version: &str| Query::get(SCHEDULER, version, "", "", "");
    match &needs.scheduler {
        Scheduler::Volcano => vec![
            api(VOLCANO),
            Query::get(QUEUE, VOLCANO, "", "queues", name(needs)),
            Query::get(CONFIGURATION, "v1", "volcano-system", "configmaps", "volcano-scheduler-configmap"),
        ],
        Scheduler::Kueue => vec![api(KUEUE), Query::get(QUEUE, KUEUE, &needs.namespace, "localqueues", name(needs))],
        Scheduler::Coscheduling(_) => vec![api(COSCHEDULING)],
        Scheduler::Default | Scheduler::YuniKorn => Vec::new(),
    }
}

pub(super) fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    let installed = |called: &str| {
        let missing = || {
            Check::failed(
                SCHEDULER,
                format!("{called} is not installed: its API is not there"),
                "have it installed, or leave batchScheduler out",
            )
        };
        Check::of(
            SCHEDULER,
            facts.get(SCHEDULER),
            |_| Check::passed(SCHEDULER, format!("{called} is installed")),
            missing,
        )
    };
    match &needs.scheduler {
        Scheduler::Volcano => {
            let mut checks = vec![installed("Volcano")];
            if facts.get(SCHEDULER) != &Err(Unread::Missing) {
                checks.push(volcano_queue(needs, facts));
                checks.extend(preemption(needs, facts));
            }
            checks
        }
        Scheduler::Kueue => {
            let missing = || {
                let message = format!("there is no LocalQueue {} in {}", name(needs), needs.namespace);
                Check::failed(QUEUE, message, "see what there is with: kubectl get localqueues")
            };
            vec![installed("Kueue"), Check::of(QUEUE, facts.get(QUEUE), |_| Check::passed(QUEUE, name(needs)), missing)]
        }
        Scheduler::Coscheduling(_) => vec![installed("the coscheduling plugin")],
        Scheduler::YuniKorn => vec![unknown("yunikorn")],
        Scheduler::Default => by_name(needs),
    }
}

/// Schedulers by the pods' own `schedulerName`.
fn by_name(needs: &Requirements) -> Vec<Check> {
    let of = |pod: &Value| pod.pointer("/spec/schedulerName").and_then(Value::as_str).map(str::to_owned);
    let mut names: Vec<String> = [of(&needs.driver), of(&needs.executor)].into_iter().flatten().collect();
    names.dedup();
    let others = names.iter().filter(|name| *name != "default-scheduler");
    let judge = |name: &String| match nearest(name, ["volcano", "yunikorn", "default-scheduler"]) {
        Some(word) if word != name => Check::failed(
            SCHEDULER,
            format!("pods with schedulerName `{name}` wait for ever, unless a scheduler is called so"),
            format!("did you mean `{word}`?"),
        ),
        _ => unknown(name),
    };
    others.map(judge).collect()
}

fn unknown(name: &str) -> Check {
    Check::not_readable(SCHEDULER, format!("a cluster does not tell whether a scheduler `{name}` runs"))
}

fn volcano_queue(needs: &Requirements, facts: &Responses) -> Check {
    let name = name(needs);
    let missing = || {
        let setup = format!("{} setup --queue makes one", program());
        let remedy = format!("see what there is with: kubectl get queues.scheduling.volcano.sh; {setup}");
        Check::failed(QUEUE, format!("there is no queue {name}"), remedy)
    };
    let judge = |queue: &Value| {
        let state = queue.pointer("/status/state").and_then(Value::as_str).unwrap_or_default();
        match state {
            "Open" => {}
            "" => {
                let message = format!("queue {name} has no state, so that nothing is let in");
                return Check::failed(QUEUE, message, "Volcano's controllers do not run: tell its administrator");
            }
            state => {
                let message = format!("queue {name} is {}: it lets nothing in", state.to_lowercase());
                return Check::failed(QUEUE, message, "have it opened, or choose another with --queue");
            }
        }
        let lacks = references::group(needs).map(|group| queue::lacks(group, queue)).unwrap_or_default();
        match lacks.first() {
            Some(Lack { resource, needs, capability, .. }) if lacks[0].is_for_ever() => Check::failed(
                QUEUE,
                format!("queue {name} has {resource} {capability} in all, and the application needs {needs}"),
                "ask for fewer or smaller executors, choose another queue, or have its capability raised",
            ),
            // To wait for one's turn is what queues are for.
            Some(Lack { resource, capability, taken, .. }) => Check::passed(
                QUEUE,
                format!(
                    "queue {name} is open, and full now ({taken} of {resource} {capability} is taken): the application will wait for its turn"
                ),
            ),
            None => Check::passed(QUEUE, format!("queue {name} is open and has room")),
        }
    };
    Check::of(QUEUE, facts.get(QUEUE), judge, missing)
}

/// Whether Volcano takes room away for a class that is to have it.
fn preemption(needs: &Requirements, facts: &Responses) -> Option<Check> {
    let what = "preemption";
    let class = references::group(needs)?.pointer("/spec/priorityClassName")?.as_str()?;
    let found = facts.get(&format!("PriorityClass {class}")).as_ref().ok()?;
    if found["preemptionPolicy"] == "Never" {
        return None;
    }
    let judge = |map: &Value| {
        let texts = map["data"].as_object().into_iter().flatten().filter_map(|(_, text)| text.as_str());
        let lines = texts.flat_map(str::lines).filter(|line| line.trim_start().starts_with("actions:"));
        match lines.flat_map(|line| line.split(['"', ',', ' ', ':'])).any(|word| word == "preempt") {
            true => Check::passed(what, format!("Volcano preempts for class {class}")),
            false => Check::failed(
                what,
                format!("class {class} is to take room from others, and Volcano's `preempt` action is off"),
                format!("an administrator adds it: {} setup --apply --preempt", program()),
            ),
        }
    };
    let missing =
        || Check::not_readable(what, "Volcano's configuration is not in volcano-system/volcano-scheduler-configmap");
    Some(Check::of(what, facts.get(CONFIGURATION), judge, missing))
}
