//! Hints on missing objects.

use super::recorded::recorded;
use super::*;
use crate::state::{Alternatives, Lookup, LookupResult, Missing, lookups};

/// The hint of a recorded wait for a missing object, after looking up the existing ones.
fn hint(recording: &str, names: &[&str], namespaces: &[&str]) -> String {
    let (mut observed, now) = recorded(recording);
    let limits = Limits::at(now);
    let of = |observed: &Observed| match State::of(observed, &limits) {
        state @ State { status: Status::Waiting(_), .. } => state,
        other => panic!("not waiting: {other:?}"),
    };
    let lookups_before = lookups(&of(&observed), &observed, &limits);
    let mut missing = lookups_before.into_iter().filter_map(|lookup| match lookup {
        Lookup::Alternatives(missing) => Some(missing),
        _ => None,
    });
    let missing = missing.next().unwrap_or_else(|| panic!("no lookup of alternatives in {recording}"));
    let all = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
    let others = Alternatives { names: all(names), are_all: true, namespaces: all(namespaces) };
    observed.evidence.take(LookupResult::Alternatives(missing, others));
    let state = of(&observed);
    assert!(!lookups(&state, &observed, &limits).iter().any(|lookup| matches!(lookup, Lookup::Alternatives(_))));
    match state.status {
        Status::Waiting(waiting) => waiting.hint.unwrap(),
        _ => String::new(),
    }
}

#[test]
fn a_missing_service_account_has_a_hint_with_the_existing_ones() {
    assert!(hint("account", &["default", "etl"], &[]).ends_with("; available: default, etl"));
    assert!(hint("account", &[], &[]).ends_with("sparkctl setup"));
    let many: Vec<String> = (0..12).map(|number| format!("account-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(hint("account", &many, &[]).ends_with("account-8, account-9 and 2 more"));
    assert!(
        hint("account", &["default", "noboby"], &[]).ends_with("; available: default, noboby; did you mean `noboby`?")
    );
}

#[test]
fn a_missing_object_has_hints_on_similar_names_and_other_namespaces() {
    let other = ["team-b"];
    assert!(
        hint("nosecret", &["db-cred", "hub"], &other)
            .ends_with("correct the name; one with this name exists in namespace team-b; did you mean `db-cred`?")
    );
    assert!(hint("nosecret", &["hub"], &[]).ends_with("correct the name"));
    assert!(hint("novolume", &["not-here"], &[]).ends_with("namespace; did you mean `not-here`?"));
    assert!(
        hint("noclaim", &["date"], &other)
            .ends_with("one with this name exists in namespace team-b; did you mean `date`?")
    );
}

#[test]
fn a_missing_object_is_still_explained_after_the_outcome() {
    let (observed, now) = recorded("nosecret");
    let limits = Limits::at(now + SignedDuration::from_secs(200));
    let state = State::of(&observed, &limits);
    assert_eq!(state.outcome().unwrap().ending, Ending::CouldNotStart);
    let missing = Missing::of("secret \"db-creds\" not found").unwrap();
    assert!(lookups(&state, &observed, &limits).contains(&Lookup::Alternatives(missing)));
    assert_eq!(Missing::of("couldn't find key p in Secret jobs/db-creds"), None);
}

#[test]
fn a_missing_volume_source_is_reported_at_once_if_it_is_known_to_be_missing() {
    let (mut observed, now) = recorded("novolume");
    let placed = super::super::scheduling::scheduled_at(observed.driver.as_ref().unwrap()).unwrap();
    let limits = Limits::at((placed + SignedDuration::from_secs(2)).min(now));
    let state = State::of(&observed, &limits);
    assert!(matches!(state.status, Status::Starting(_)), "{state:?}");
    let lookups = lookups(&state, &observed, &limits);
    let [Lookup::Alternatives(missing)] = lookups.iter().collect::<Vec<_>>()[..] else { panic!("{lookups:?}") };
    let alternatives = |are_all| Alternatives { names: vec!["other".into()], are_all, namespaces: Vec::new() };
    observed.evidence.take(LookupResult::Alternatives(missing.clone(), alternatives(false)));
    assert!(matches!(State::of(&observed, &limits).status, Status::Starting(_)));
    observed.evidence.take(LookupResult::Alternatives(missing.clone(), alternatives(true)));
    let Status::Waiting(waiting) = State::of(&observed, &limits).status else { panic!("it waits") };
    assert_eq!(waiting.reason, Reason::Volume);
}

#[test]
fn a_missing_priority_class_has_a_hint_on_similar_names() {
    let refusal = "pods \"pi-driver\" is forbidden: no PriorityClass with name routin was found";
    let missing = Missing::of(refusal).unwrap();
    let alternatives = Alternatives { names: vec!["routine".into(), "rush".into()], ..Alternatives::default() };
    assert_eq!(alternatives.describe(&missing).as_deref(), Some("did you mean `routine`?"));
}
