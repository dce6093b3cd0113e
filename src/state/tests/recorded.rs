//! Objects recorded from a real cluster (Kubernetes 1.34 with Volcano), without the fields that do not matter here.

use std::path::Path;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::*;

/// All lines of a recording: first the time, then one object per line.
fn lines(name: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state/tests/recorded");
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn objects(name: &str) -> (Vec<Value>, Timestamp) {
    let mut lines = lines(name);
    let now = lines.remove(0).as_str().unwrap().parse().unwrap();
    (lines, now)
}

/// Records an object as if a watch had sent it.
pub fn take(observed: &mut Observed, object: &Value) {
    let name = || object["metadata"]["name"].as_str().unwrap().to_owned();
    match object["kind"].as_str().unwrap() {
        "Pod" => observed.apply_pod(serde_json::from_value(object.clone()).unwrap()),
        "Event" => drop(observed.events.insert(name(), serde_json::from_value(object.clone()).unwrap())),
        "Job" => {
            observed.of_job = true;
            observed.job = Some(serde_json::from_value(object.clone()).unwrap());
        }
        "PodGroup" => observed.pod_group = Some(object.clone()),
        "Queue" => observed.queue = Some(object.clone()),
        other => panic!("unexpected kind {other}"),
    }
}

/// The recorded objects, and the time of the recording.
pub fn recorded(name: &str) -> (Observed, Timestamp) {
    let (objects, now) = objects(name);
    let mut observed = Observed::default();
    objects.iter().for_each(|object| take(&mut observed, object));
    (observed, now)
}

pub fn state_at(name: &str, now: Timestamp) -> State {
    State::of(&recorded(name).0, &Limits::at(now))
}

pub fn state(name: &str) -> State {
    state_at(name, recorded(name).1)
}

pub fn nodes() -> Vec<Value> {
    lines("nodes")
}
