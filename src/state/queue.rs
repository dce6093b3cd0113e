//! What a queue of Volcano has room for, and what a gang still needs of it.

use serde_json::Value;

use crate::kubernetes::quantity;

/// A resource of which a queue has too little.
#[derive(Clone, Debug, PartialEq)]
pub struct Lack {
    pub resource: String,
    pub needs: String,
    /// What the queue has in all.
    pub capability: String,
    /// What others have of it.
    pub taken: String,
}

impl Lack {
    /// Whether the gang would not fit if the queue were empty.
    pub fn is_for_ever(&self) -> bool {
        number(&self.needs) > number(&self.capability)
    }
}

/// The resources that keep a gang out of its queue, those of which there is never enough first.
pub fn lacks(group: &Value, queue: &Value) -> Vec<Lack> {
    let amount = |pointer: String| queue.pointer(&pointer).map(said);
    let needs = group.pointer("/spec/minResources").and_then(Value::as_object);
    let lacks = needs.into_iter().flatten().filter_map(|(resource, needs)| {
        let key = resource.replace('~', "~0").replace('/', "~1");
        let lack = Lack {
            resource: resource.clone(),
            needs: said(needs),
            capability: amount(format!("/spec/capability/{key}"))?,
            taken: amount(format!("/status/allocated/{key}")).unwrap_or_else(|| "0".into()),
        };
        (number(&lack.needs).saturating_add(number(&lack.taken)) > number(&lack.capability)).then_some(lack)
    });
    let mut lacks: Vec<Lack> = lacks.collect();
    lacks.sort_by_key(|lack| !lack.is_for_ever());
    lacks
}

/// The state of a queue: `Open`, or why nothing is let in.
pub fn state(queue: &Value) -> &str {
    queue.pointer("/status/state").and_then(Value::as_str).unwrap_or("Open")
}

/// Why a gang is not let into its queue, in one line, and what to do. `event` is what Volcano said of it last.
pub(super) fn not_let_in(name: &str, group: &Value, queue: Option<&Value>, event: Option<&str>) -> (String, String) {
    if let Some(state) = queue.map(state).filter(|state| *state != "Open") {
        let message = format!("queue {name} is {}: it lets nothing in", state.to_lowercase());
        return (message, "have it opened, or choose another with --queue".into());
    }
    let lacks = queue.map(|queue| lacks(group, queue)).unwrap_or_default();
    if let Some(lack) = lacks.first() {
        let Lack { resource, needs, capability, taken } = lack;
        return match lack.is_for_ever() {
            true => (
                format!(
                    "queue {name} has {resource} {capability} in all, and the application needs {needs}: it will never be let in"
                ),
                "ask for fewer or smaller executors, choose another queue, or have its capability raised".into(),
            ),
            false => (
                format!(
                    "queue {name} is full: {taken} of its {resource} {capability} is taken, and the application needs {needs}"
                ),
                format!("it is let in when others end; {}", who_has_the_room(name)),
            ),
        };
    }
    let event = event.unwrap_or_default();
    let what = event.rsplit_once(": ").map_or(event, |(_, what)| what);
    let message = if event.contains("in cluster is overused") {
        format!("the cluster has no room for the whole application ({})", what.replace("overused", "too little"))
    } else if event.contains("quota insufficient") {
        format!("queue {name} has no room for the whole application ({})", what.replace("insufficient", "too little"))
    } else {
        super::waiting::joined(&format!("queue {name} has not let the application in"), event)
    };
    let needs = group.pointer("/spec/minResources").and_then(Value::as_object);
    let needs =
        needs.into_iter().flatten().map(|(name, amount)| format!("{name} {}", said(amount))).collect::<Vec<_>>();
    (message, format!("it needs {} at its start; {}", needs.join(", "), who_has_the_room(name)))
}

pub(super) fn who_has_the_room(queue: &str) -> String {
    format!("see who has the room with: kubectl get podgroups; kubectl describe queue {queue}")
}

fn said(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

fn number(text: &str) -> u128 {
    quantity::milli(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::not_let_in;

    fn queue(state: &str, taken: &str) -> Value {
        json!({"spec": {"capability": {"cpu": "4"}}, "status": {"state": state, "allocated": {"cpu": taken}}})
    }

    fn why(needs: &str, queue: Option<Value>, event: Option<&str>) -> String {
        let group = json!({"spec": {"minResources": {"cpu": needs, "memory": "1Gi"}}});
        not_let_in("etl", &group, queue.as_ref(), event).0
    }

    #[test]
    fn says_what_the_queue_lacks() {
        let more = "queue etl has cpu 4 in all, and the application needs 4500m: it will never be let in";
        assert_eq!(why("4500m", Some(queue("Open", "0")), None), more);
        let full = "queue etl is full: 3 of its cpu 4 is taken, and the application needs 2";
        assert_eq!(why("2", Some(queue("Open", "3")), None), full);
        assert_eq!(why("1", Some(queue("Closed", "0")), None), "queue etl is closed: it lets nothing in");
    }

    #[test]
    fn goes_by_volcanos_word_where_the_queue_cannot_be_read() {
        let overused = "resource in cluster is overused: overused cpu";
        assert_eq!(
            why("9", None, Some(overused)),
            "the cluster has no room for the whole application (too little cpu)"
        );
        let quota = "queue resource quota insufficient: insufficient cpu";
        assert_eq!(why("9", None, Some(quota)), "queue etl has no room for the whole application (too little cpu)");
        assert_eq!(why("9", None, None), "queue etl has not let the application in");
    }
}
