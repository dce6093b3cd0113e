//! Volcano: PodGroups and queues that it admits them to.

use serde_json::{Value, json};

use super::rules::{Gang, Mark, Queues, Rules};
use crate::kubernetes::{quantity, text};
use crate::program::program;

const API: &str = "scheduling.volcano.sh/v1beta1";
/// The namespace and the config map in which an installation keeps the scheduler's configuration.
pub const CONFIGURATION: (&str, &str) = ("volcano-system", "volcano-scheduler-configmap");
/// What Volcano 1.11 and older say of a pod that is created before its PodGroup.
pub const NO_POD_GROUP: &str = "failed to get PodGroup for pod";

const ASK_FOR_LESS: &str = "request fewer or smaller executors, choose another queue, or have its capability raised";
const HAVE_IT_OPENED: &str = "have it opened, or choose another with --queue";

/// Source: the documentation of Volcano on PodGroups and queues, and its `gang`, `proportion` and `capacity` plugins.
#[derive(Debug)]
pub(super) struct Volcano;

impl Rules for Volcano {
    fn name(&self) -> Option<&'static str> {
        Some("volcano")
    }

    fn title(&self) -> &'static str {
        "Volcano"
    }

    fn api(&self) -> Option<&'static str> {
        Some(API)
    }

    /// Without the annotation it may preempt any pod.
    fn driver_protection(&self) -> Option<(&'static str, &'static str)> {
        Some(("volcano.sh/preemptable", "false"))
    }

    fn pod_group(&self, gang: &Gang) -> Option<Value> {
        let mut spec = json!({"minMember": 1, "minResources": gang.resources});
        if let Some(queue) = gang.queue {
            spec["queue"] = queue.into();
        }
        if let Some(class) = gang.priority_class {
            spec["priorityClassName"] = class.into();
        }
        Some(json!({"apiVersion": API, "kind": "PodGroup", "spec": spec}))
    }

    fn group_mark(&self) -> Option<Mark> {
        Some(Mark::Annotation("scheduling.k8s.io/group-name"))
    }

    fn explains_waits(&self) -> bool {
        true
    }

    fn wait(&self, group: &Value, queue: Option<&Value>, event: Option<&str>) -> Option<(String, String)> {
        let text = |pointer: &str| group.pointer(pointer).and_then(Value::as_str);
        let name = text("/spec/queue").unwrap_or("default");
        match text("/status/phase").unwrap_or("Pending") {
            "Pending" => Some(not_admitted(name, group, queue, event)),
            "Inqueue" => {
                let conditions = group.pointer("/status/conditions").and_then(Value::as_array)?;
                let is_unschedulable =
                    |condition: &&Value| condition["type"] == "Unschedulable" && condition["status"] == "True";
                let condition = conditions.iter().rev().find(is_unschedulable)?;
                let why = condition["message"].as_str().unwrap_or_default();
                Some((joined("Volcano cannot place the whole application", why), who_uses(name)))
            }
            _ => None,
        }
    }

    fn is_about_gang(&self, message: &str) -> bool {
        message.contains("pod group is not ready")
    }

    fn refusal_hint(&self, message: &str) -> Option<&'static str> {
        let words = ["can only submit PodGroup to queue", "unable to find queue", "failed to get queue"];
        let is_about_queue = words.iter().any(|words| message.contains(words));
        is_about_queue.then_some("see the queues and their state with: kubectl get queues.scheduling.volcano.sh")
    }

    fn may_pass(&self, message: &str) -> bool {
        message.contains("can only submit PodGroup to queue")
    }

    fn queues(&self) -> Option<Queues> {
        let setup = Some("setup --queue");
        Some(Queues { version: API, plural: "queues", noun: "queue", is_namespaced: false, setup })
    }

    fn judge_queue(&self, name: &str, queue: &Value, group: Option<&Value>) -> Result<String, (String, String)> {
        if state(queue).is_none() {
            let message = format!("queue {name} has no state, so it admits nothing");
            return Err((message, "Volcano's controllers do not run: ask its administrator".into()));
        }
        match Admission::of(group.unwrap_or(&Value::Null), queue) {
            Admission::Closed(_) | Admission::Never(_) => {
                let (message, remedy) = not_admitted(name, group.unwrap_or(&Value::Null), Some(queue), None);
                Err((message, remedy))
            }
            // Queues are there to wait in.
            Admission::Full(Lack { resource, capability, taken, .. }) => Ok(format!(
                "queue {name} is open, and full now ({taken} of {resource} {capability} is in use): the application will wait"
            )),
            Admission::Open => Ok(format!("queue {name} is open and has room")),
        }
    }

    fn configuration(&self) -> Option<(&'static str, &'static str)> {
        Some(CONFIGURATION)
    }

    fn judge_preemption(&self, class: &str, configuration: &Value) -> Result<String, (String, String)> {
        let texts = configuration["data"].as_object().into_iter().flatten().filter_map(|(_, text)| text.as_str());
        let lines = texts.flat_map(str::lines).filter(|line| line.trim_start().starts_with("actions:"));
        match lines.flat_map(|line| line.split(['"', ',', ' ', ':'])).any(|word| word == "preempt") {
            true => Ok(format!("Volcano preempts for class {class}")),
            false => Err((
                format!("class {class} may preempt others, but Volcano's `preempt` action is off"),
                format!("an administrator turns it on: {} setup --apply --preempt", program()),
            )),
        }
    }
}

/// A resource of which a queue has too little for a gang.
struct Lack {
    resource: String,
    needs: String,
    /// What the queue has in total.
    capability: String,
    /// What others use of it.
    taken: String,
}

/// Whether a queue admits a gang.
enum Admission {
    /// Nothing is admitted, in that state of the queue.
    Closed(String),
    /// The gang does not fit into the empty queue.
    Never(Lack),
    /// The gang does not fit now.
    Full(Lack),
    Open,
}

impl Admission {
    fn of(group: &Value, queue: &Value) -> Self {
        if let Some(state) = state(queue).filter(|state| *state != "Open") {
            return Admission::Closed(state.to_lowercase());
        }
        let needs = group.pointer("/spec/minResources").and_then(Value::as_object).into_iter().flatten();
        let lacks: Vec<Lack> = needs.filter_map(|(resource, needs)| lack(resource, &text(needs), queue)).collect();
        let is_never = |lack: &Lack| number(&lack.needs) > number(&lack.capability);
        let never = lacks.iter().position(is_never);
        match lacks.into_iter().nth(never.unwrap_or(0)) {
            None => Admission::Open,
            Some(lack) if never.is_some() => Admission::Never(lack),
            Some(lack) => Admission::Full(lack),
        }
    }
}

fn lack(resource: &str, needs: &str, queue: &Value) -> Option<Lack> {
    let capability = text(queue["spec"]["capability"].get(resource)?);
    let taken = queue["status"]["allocated"].get(resource).map_or_else(|| "0".into(), text);
    let is_lacking = number(needs).saturating_add(number(&taken)) > number(&capability);
    is_lacking.then(|| Lack { resource: resource.to_owned(), needs: needs.to_owned(), capability, taken })
}

/// The state of a queue, such as `Open`.
fn state(queue: &Value) -> Option<&str> {
    queue.pointer("/status/state").and_then(Value::as_str).filter(|state| !state.is_empty())
}

/// Why a gang is not admitted to its queue, and what to do, by the queue where it may be read, else by Volcano's latest
/// event about the PodGroup.
fn not_admitted(name: &str, group: &Value, queue: Option<&Value>, event: Option<&str>) -> (String, String) {
    match queue.map(|queue| Admission::of(group, queue)) {
        Some(Admission::Closed(state)) => {
            (format!("queue {name} is {state}: it admits nothing"), HAVE_IT_OPENED.into())
        }
        Some(Admission::Never(Lack { resource, needs, capability, .. })) => (
            format!(
                "queue {name} has {resource} {capability} in total, and the application needs {needs}: it will never be admitted"
            ),
            ASK_FOR_LESS.into(),
        ),
        Some(Admission::Full(Lack { resource, needs, capability, taken })) => (
            format!(
                "queue {name} is full: {taken} of {resource} {capability} is in use, and the application needs {needs}"
            ),
            format!("it is admitted when others end; {}", who_uses(name)),
        ),
        Some(Admission::Open) | None => by_event(name, group, event.unwrap_or_default()),
    }
}

fn by_event(name: &str, group: &Value, event: &str) -> (String, String) {
    let what = event.rsplit_once(": ").map_or(event, |(_, what)| what);
    let message = if event.contains("in cluster is overused") {
        format!("the cluster has no room for the whole application ({})", what.replace("overused", "too little"))
    } else if event.contains("quota insufficient") {
        format!("queue {name} has no room for the whole application ({})", what.replace("insufficient", "too little"))
    } else {
        joined(&format!("queue {name} has not admitted the application"), event)
    };
    let needs = group.pointer("/spec/minResources").and_then(Value::as_object);
    let needs: Vec<String> =
        needs.into_iter().flatten().map(|(name, amount)| format!("{name} {}", text(amount))).collect();
    (message, format!("it needs {} at its start; {}", needs.join(", "), who_uses(name)))
}

fn who_uses(queue: &str) -> String {
    format!("see what uses the queue with: kubectl get podgroups; kubectl describe queue {queue}")
}

fn joined(text: &str, detail: &str) -> String {
    if detail.is_empty() { text.to_owned() } else { format!("{text}: {detail}") }
}

fn number(amount: &str) -> u128 {
    quantity::milli(amount).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::not_admitted;

    fn queue(state: &str, taken: &str) -> Value {
        json!({"spec": {"capability": {"cpu": "4"}}, "status": {"state": state, "allocated": {"cpu": taken}}})
    }

    fn why(needs: &str, queue: Option<Value>, event: Option<&str>) -> String {
        let group = json!({"spec": {"minResources": {"cpu": needs, "memory": "1Gi"}}});
        not_admitted("etl", &group, queue.as_ref(), event).0
    }

    #[test]
    fn shows_what_the_queue_lacks() {
        let more = "queue etl has cpu 4 in total, and the application needs 4500m: it will never be admitted";
        assert_eq!(why("4500m", Some(queue("Open", "0")), None), more);
        let full = "queue etl is full: 3 of cpu 4 is in use, and the application needs 2";
        assert_eq!(why("2", Some(queue("Open", "3")), None), full);
        assert_eq!(why("1", Some(queue("Closed", "0")), None), "queue etl is closed: it admits nothing");
    }

    #[test]
    fn uses_volcanos_event_where_the_queue_cannot_be_read() {
        let overused = "resource in cluster is overused: overused cpu";
        assert_eq!(
            why("9", None, Some(overused)),
            "the cluster has no room for the whole application (too little cpu)"
        );
        let quota = "queue resource quota insufficient: insufficient cpu";
        assert_eq!(why("9", None, Some(quota)), "queue etl has no room for the whole application (too little cpu)");
        assert_eq!(why("9", None, None), "queue etl has not admitted the application");
    }
}
