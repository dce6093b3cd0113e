//! Executors that the driver asks for and that are not created.

use super::*;
use crate::manifests::{EXECUTORS, MIN_EXECUTORS};
use crate::spark::Conf;
use crate::state::{Lookup, LookupResult, Stopped, lookups};

/// A driver that runs since 5 s after its creation, and asks for that many executors.
fn running(annotations: &[(&str, &str)]) -> Observed {
    let mut driver = placed(json!({"running": {"startedAt": "2026-11-24T04:00:05Z"}}));
    let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    driver.metadata.annotations = Some(annotations.collect());
    seen(driver)
}

fn executor(number: u32, created: &str) -> Pod {
    let mut executor = pod("executor", json!({}), json!({"phase": "Pending"}));
    executor.metadata.name = Some(format!("pi-exec-{number}"));
    executor.metadata.creation_timestamp = serde_json::from_value(json!(created)).unwrap();
    executor
}

/// The second at which the reason is looked for last, if it is.
fn looks_at(observed: &Observed, now: i64) -> Option<i64> {
    let limits = after(now);
    let state = State::of(observed, &limits);
    let created: Timestamp = CREATED.parse().unwrap();
    lookups(&state, observed, &limits).into_iter().find_map(|lookup| match lookup {
        Lookup::Executors(at) => Some(at.duration_since(created).as_secs()),
        _ => None,
    })
}

#[test]
fn the_number_wanted_is_known_from_the_drivers_start() {
    let executors = State::of(&running(&[(EXECUTORS, "2")]), &after(6)).executors;
    assert_eq!((executors.wanted, executors.missing()), (Some(2), 2));
    // A driver that another submitted has it in its settings alone.
    let mut observed = running(&[]);
    let state = State::of(&observed, &after(6));
    assert_eq!(state.executors.wanted, None);
    assert!(lookups(&state, &observed, &after(6)).contains(&Lookup::Settings));
    let settings = [("spark.executor.instances".to_owned(), "3".to_owned())];
    observed.evidence.take(LookupResult::Settings(Conf::from_iter(settings)));
    assert_eq!(State::of(&observed, &after(6)).executors.wanted, Some(3));
}

#[test]
fn dynamic_allocation_wants_its_minimum_once_executors_were_there() {
    let mut observed = running(&[(EXECUTORS, "4"), (MIN_EXECUTORS, "1")]);
    assert_eq!(State::of(&observed, &after(6)).executors.wanted, Some(4));
    observed.apply_pod(executor(1, "2026-11-24T04:00:10Z"));
    assert_eq!(State::of(&observed, &after(12)).executors.wanted, Some(1));
}

#[test]
fn a_shortage_that_lasts_is_looked_into_ever_more_rarely() {
    let mut observed = running(&[(EXECUTORS, "2")]);
    let looks: Vec<Option<i64>> = [14, 15, 19, 20, 300].map(|now| looks_at(&observed, now)).into();
    assert_eq!(looks, [None, Some(15), Some(15), Some(20), Some(125)]);
    // One of two is too few as well, for as long after it came.
    observed.apply_pod(executor(1, "2026-11-24T04:01:00Z"));
    assert_eq!((looks_at(&observed, 69), looks_at(&observed, 70)), (None, Some(70)));
    observed.apply_pod(executor(2, "2026-11-24T04:01:00Z"));
    assert_eq!(looks_at(&observed, 100), None);
}

#[test]
fn spark_that_has_stopped_wants_no_executors() {
    let mut observed = running(&[(EXECUTORS, "2")]);
    let stopped = Stopped { driver: "driver".into(), at: "2026-11-24T04:01:00Z".parse().unwrap() };
    observed.evidence.take(LookupResult::Stopped(Some(stopped)));
    assert_eq!(State::of(&observed, &after(300)).executors.short_since, None);
}

#[test]
fn a_refusal_comes_with_a_remedy_and_goes_with_the_shortage() {
    let mut observed = running(&[(EXECUTORS, "1")]);
    let refusal = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
    observed.evidence.take(LookupResult::Executors(Some(refusal.into())));
    let executors = State::of(&observed, &after(20)).executors;
    assert_eq!(executors.refused.as_deref(), Some(refusal));
    assert!(executors.hint.is_some_and(|hint| hint.starts_with("quota few has no room for the executors")));
    observed.apply_pod(executor(1, "2026-11-24T04:00:30Z"));
    let executors = State::of(&observed, &after(60)).executors;
    assert_eq!((executors.refused, executors.hint), (None, None));
}

#[test]
fn ports_that_no_node_has_free_are_explained_as_such() {
    let mut observed = running(&[(EXECUTORS, "2")]);
    let message = "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
    let mut waiting = pod("executor", json!({}), json!({"phase": "Pending", "conditions": [condition]}));
    waiting.metadata.name = Some("pi-exec-1".into());
    observed.apply_pod(waiting);
    for second in [10, 60] {
        let hint = State::of(&observed, &after(second)).executors.hint.unwrap_or_default();
        assert!(hint.contains("hostNetwork") && !hint.contains("smaller"), "{hint}");
    }
}
