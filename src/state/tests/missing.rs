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
    let others = Alternatives { names: all(names), namespaces: all(namespaces) };
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
