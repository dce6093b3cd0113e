//! The state does not depend on the order in which objects are seen, or on skewed clocks.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::recorded::{objects, recorded, take};
use super::*;

const RECORDINGS: [&str; 23] = [
    "account",
    "affinity",
    "crashes",
    "deadline",
    "disk",
    "door",
    "evicted",
    "exit1",
    "gated",
    "linger",
    "noclaim",
    "nocommand",
    "noimage",
    "noscheduler",
    "nosecret",
    "novolume",
    "oom",
    "queue",
    "quota",
    "root",
    "sidecar",
    "starved",
    "unschedulable",
];

/// The same cases each time: a failure that cannot be repeated is hard to explain.
fn config() -> Config {
    Config { cases: 400, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..Config::default() }
}

fn limits(now: Timestamp) -> Limits {
    Limits::at(now)
}

/// A Job with two attempts, the second of them successful, and executors of each.
fn attempts() -> (Vec<Value>, Timestamp) {
    let (mut all, now) = objects("quota");
    all.retain(|object| object["kind"] == "Job");
    all[0]["status"]["conditions"] = json!([{"type": "Complete", "status": "True"}]);
    for (number, recording) in [(1, "exit1"), (2, "sidecar")] {
        let driver = objects(recording).0.into_iter().find(|object| object["kind"] == "Pod");
        let mut driver = driver.unwrap();
        driver["metadata"]["name"] = format!("quota-{number}").into();
        // Created in the same second.
        driver["metadata"]["creationTimestamp"] = "2026-11-25T01:49:30Z".into();
        let uid = driver["metadata"]["uid"].clone();
        let executors =
            objects("crashes").0.into_iter().filter(|object| object["metadata"]["labels"]["spark-role"] == "executor");
        for mut executor in executors.take(2) {
            executor["metadata"]["name"] =
                format!("quota-{number}-{}", executor["metadata"]["name"].as_str().unwrap()).into();
            executor["metadata"]["ownerReferences"][0]["uid"] = uid.clone();
            all.push(executor);
        }
        all.push(driver);
    }
    (all, now)
}

fn run(index: usize) -> (Vec<Value>, Timestamp) {
    RECORDINGS.get(index).map_or_else(attempts, |name| objects(name))
}

/// Whether the objects themselves show that the driver succeeded: by its container, or by its Job.
fn is_success(objects: &[Value]) -> bool {
    objects.iter().any(|object| {
        let containers = object["status"]["containerStatuses"].as_array().into_iter().flatten();
        let mut own = containers.filter(|container| container["name"] == "spark-kubernetes-driver");
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let mut complete =
            conditions.filter(|condition| condition["type"] == "Complete" && condition["status"] == "True");
        own.any(|container| container["state"]["terminated"]["exitCode"] == 0)
            || (object["kind"] == "Job" && complete.next().is_some())
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_order_and_repetition_of_objects_gives_the_same_state(
        index in 0..=RECORDINGS.len(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        last in any::<u64>(),
    ) {
        let (all, now) = run(index);
        let mut in_order = Observed::default();
        all.iter().for_each(|object| take(&mut in_order, object));
        let mut mixed = Observed::default();
        order.iter().for_each(|index| take(&mut mixed, index.get(&all)));
        // Then each object once, from an arbitrary start, and backwards in half of the cases.
        let mut rest: Vec<&Value> = all.iter().collect();
        rest.rotate_left(usize::try_from(last % all.len() as u64).unwrap());
        if last % 2 == 0 {
            rest.reverse();
        }
        rest.into_iter().for_each(|object| take(&mut mixed, object));
        prop_assert_eq!(State::of(&in_order, &limits(now)), State::of(&mixed, &limits(now)));
    }

    #[test]
    fn missing_objects_never_turn_a_failure_into_a_success(
        index in 0..=RECORDINGS.len(),
        kept in prop::collection::vec(any::<bool>(), 40),
        deleted in prop::collection::vec(any::<bool>(), 40),
        relisted in any::<bool>(),
        seconds in -100_000i64..100_000,
    ) {
        let (all, now) = run(index);
        let some: Vec<Value> = all.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(object, _)| object).collect();
        let mut observed = Observed::default();
        for (object, deleted) in some.iter().zip(&deleted) {
            take(&mut observed, object);
            if *deleted && object["kind"] == "Pod" {
                observed.delete_pod(serde_json::from_value(object.clone()).unwrap());
            }
        }
        if relisted {
            observed.relist_pods(Vec::new());
        }
        let state = State::of(&observed, &limits(now + SignedDuration::from_secs(seconds)));
        let succeeded = state.outcome().is_some_and(|outcome| outcome.ending == Ending::Succeeded);
        prop_assert!(!succeeded || is_success(&some), "{:?}", state.status);
    }

    #[test]
    fn skewed_clocks_neither_end_a_wait_nor_distort_durations(
        index in 0..RECORDINGS.len(),
        ahead in -90_000i64..90_000,
    ) {
        let (mut all, now) = objects(RECORDINGS[index]);
        let (observed, _) = recorded(RECORDINGS[index]);
        // The node's clock differs from the API server's.
        for object in &mut all {
            skew_node_times(object, SignedDuration::from_secs(ahead));
        }
        let mut skewed = Observed::default();
        all.iter().for_each(|object| take(&mut skewed, object));
        let (right, other) = (State::of(&observed, &limits(now)), State::of(&skewed, &limits(now)));
        prop_assert_eq!(right.status.word(), other.status.word());
        prop_assert_eq!(right.outcome().map(|outcome| outcome.ending), other.outcome().map(|outcome| outcome.ending));
        let lasted = observed.created().map_or(SignedDuration::MAX, |created| now.duration_since(created));
        let Durations { queued, starting, ran } = other.durations;
        for duration in [queued, starting, ran].into_iter().flatten() {
            prop_assert!(duration >= SignedDuration::ZERO && duration <= lasted, "{}", duration);
        }
        // No problem is tolerated for longer, however wrong the clock is.
        let later = limits(now + SignedDuration::try_from(PATIENCE).unwrap() + SignedDuration::from_secs(60));
        prop_assert_eq!(State::of(&observed, &later).status.word(), State::of(&skewed, &later).status.word());
    }
}

/// Shifts the times that a kubelet records.
fn skew_node_times(object: &mut Value, ahead: SignedDuration) {
    let moved = |time: &mut Value| {
        if let Some(text) = time.as_str() {
            let at: Timestamp = text.parse().unwrap();
            *time = (at + ahead).to_string().into();
        }
    };
    for container in object["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        for state in ["running", "terminated"] {
            for time in ["startedAt", "finishedAt"] {
                if let Some(time) = container.pointer_mut(&format!("/state/{state}/{time}")) {
                    moved(time);
                }
            }
        }
    }
    let by_the_node = ["FailedMount", "Failed", "BackOff", "Evicted"];
    if object["reason"].as_str().is_some_and(|reason| by_the_node.contains(&reason)) {
        for time in ["firstTimestamp", "lastTimestamp"] {
            if let Some(time) = object.get_mut(time) {
                moved(time);
            }
        }
    }
}
