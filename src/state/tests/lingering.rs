//! A driver whose process keeps running after Spark has stopped, as Python's threads can make it do.

use super::recorded::{objects, recorded};
use super::*;
use crate::state::{Lookup, LookupResult, Stopped, has_stopped, lookups};

const LOG: &str = include_str!("recorded/linger.log");

fn limits(now: Timestamp) -> Limits {
    Limits::at(now)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The driver, after its log reported at that time that Spark has stopped.
fn stopped(time: &str) -> Observed {
    let mut observed = recorded("linger").0;
    let driver = observed.driver.as_ref().and_then(|driver| driver.metadata.uid.clone()).unwrap();
    observed.evidence.take(LookupResult::Stopped(Some(Stopped { driver, at: at(time) })));
    observed
}

fn lingers(observed: &Observed, now: &str) -> bool {
    State::of(observed, &limits(at(now))).lingers.is_some()
}

#[test]
fn the_log_shows_when_spark_started_and_stopped() {
    let reported: Vec<bool> = LOG.lines().filter_map(has_stopped).collect();
    assert_eq!(reported, [false, true]);
    let json = r#"{"ts":"2026-11-25T04:48:01Z","level":"INFO","msg":"Successfully stopped SparkContext (Uptime: 1 ms)","logger":"SparkContext"}"#;
    assert_eq!(has_stopped(json), Some(true));
}

#[test]
fn a_driver_that_keeps_running_after_spark_stopped_is_reported_after_a_while() {
    let observed = stopped("2026-11-25T04:48:01Z");
    assert!(!lingers(&observed, "2026-11-25T04:48:30Z") && lingers(&observed, "2026-11-25T04:48:31Z"));
    assert!(!lingers(&recorded("linger").0, "2026-11-25T04:48:31Z"));
}

#[test]
fn a_driver_that_starts_spark_again_does_not_linger() {
    let now = "2026-11-25T04:50:00Z";
    let mut observed = stopped("2026-11-25T04:48:01Z");
    let mut executor = pod("executor", json!({}), json!({"phase": "Pending"}));
    executor.metadata.name = Some("linger-exec-2".into());
    observed.apply_pod(executor.clone());
    assert!(!lingers(&observed, now));
    observed.delete_pod(executor);
    assert!(lingers(&observed, now));
    observed.evidence.take(LookupResult::Stopped(None));
    assert!(!lingers(&observed, now));
    // Neither does the driver of another attempt, or one that has ended.
    let mut observed = stopped("2026-11-25T04:48:01Z");
    observed.driver.as_mut().unwrap().metadata.uid = Some("another".into());
    assert!(!lingers(&observed, now));
    let mut observed = stopped("2026-11-25T04:48:01Z");
    let uid = observed.driver.as_ref().unwrap().metadata.uid.clone();
    let mut over = ended(0, "Completed");
    over.metadata.uid = uid;
    observed.driver = Some(over);
    assert!(!lingers(&observed, now));
}

/// The times at which a driver's log is looked up, if it runs until `until`.
fn log_lookups(observed: &Observed, until: &str) -> Vec<String> {
    let started = at("2026-11-25T04:47:11Z");
    let seconds = at(until).duration_since(started).as_secs();
    let due = (0..=seconds).filter_map(|second| {
        let limits = limits(started + SignedDuration::from_secs(second));
        lookups(&State::of(observed, &limits), observed, &limits).into_iter().find_map(|lookup| match lookup {
            Lookup::Log(at) => Some(at.to_string()),
            _ => None,
        })
    });
    let mut due: Vec<String> = due.collect();
    due.dedup();
    due
}

#[test]
fn a_log_that_is_not_followed_is_read_rarely_and_only_without_executors() {
    let mut observed = recorded("linger").0;
    let seen = ["2026-11-25T04:48:11Z", "2026-11-25T04:52:11Z", "2026-11-25T05:17:11Z"];
    assert_eq!(log_lookups(&observed, "2026-11-25T08:00:00Z"), seen);
    let (executor, _) = objects("crashes");
    let mut executor: Pod = executor
        .into_iter()
        .find(|pod| pod["metadata"]["labels"]["spark-role"] == "executor")
        .map(|pod| serde_json::from_value(pod).unwrap())
        .unwrap();
    executor.metadata.owner_references = None;
    let status = &mut executor.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0];
    let state = status.state.as_mut().unwrap();
    state.terminated.as_mut().unwrap().finished_at.as_mut().unwrap().0 = at("2026-11-25T06:00:00Z");
    let over = executor.clone();
    let running = serde_json::from_value(json!({"running": {}})).unwrap();
    executor.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].state = Some(running);
    observed.apply_pod(executor);
    assert!(log_lookups(&observed, "2026-11-25T08:00:00Z").is_empty());
    observed.delete_pod(over);
    assert_eq!(log_lookups(&observed, "2026-11-25T06:10:00Z"), ["2026-11-25T06:01:00Z", "2026-11-25T06:05:00Z"]);
    observed.evidence.follows_log = true;
    assert!(log_lookups(&observed, "2026-11-25T08:00:00Z").is_empty());
}
