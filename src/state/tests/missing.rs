//! What is missing, beside what there is.

use super::recorded::recorded;
use super::*;
use crate::state::{Alternatives, Lookup, LookupResult, Missing, lookups};

/// The hint of a recorded wait for something that is missing, after a look at what there is.
fn hint(recording: &str, names: &[&str], namespaces: &[&str]) -> String {
    let (mut observed, now) = recorded(recording);
    let limits = Limits::at(now);
    let of = |observed: &Observed| match State::of(observed, &limits) {
        state @ State { status: Status::Waiting(_), .. } => state,
        other => panic!("it does not wait: {other:?}"),
    };
    let looks = lookups(&of(&observed), &observed, &limits);
    let mut missing = looks.into_iter().filter_map(|look| match look {
        Lookup::Alternatives(missing) => Some(missing),
        _ => None,
    });
    let missing = missing.next().unwrap_or_else(|| panic!("nobody looks for what there is instead in {recording}"));
    let all = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
    let others = Alternatives { names: all(names), namespaces: all(namespaces) };
    observed.evidence.take(LookupResult::Alternatives(missing, others));
    let state = of(&observed);
    assert!(!lookups(&state, &observed, &limits).iter().any(|look| matches!(look, Lookup::Alternatives(_))));
    match state.status {
        Status::Waiting(waiting) => waiting.hint.unwrap(),
        _ => String::new(),
    }
}

#[test]
fn a_missing_service_account_is_told_beside_those_there_are() {
    assert!(hint("account", &["default", "etl"], &[]).ends_with("; there is: default, etl"));
    assert!(hint("account", &[], &[]).ends_with("sparkctl setup"));
    let many: Vec<String> = (0..12).map(|number| format!("account-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(hint("account", &many, &[]).ends_with("account-8, account-9 and 2 more"));
    assert!(
        hint("account", &["default", "noboby"], &[]).ends_with("; there is: default, noboby; did you mean `noboby`?")
    );
}

#[test]
fn what_is_missing_is_told_beside_what_is_near_and_elsewhere() {
    let other = ["team-b"];
    assert!(
        hint("nosecret", &["db-cred", "hub"], &other)
            .ends_with("correct the name; one of that name is in namespace team-b; did you mean `db-cred`?")
    );
    assert!(hint("nosecret", &["hub"], &[]).ends_with("correct the name"));
    assert!(hint("novolume", &["not-here"], &[]).ends_with("namespace; did you mean `not-here`?"));
    assert!(
        hint("noclaim", &["date"], &other).ends_with("one of that name is in namespace team-b; did you mean `date`?")
    );
}

#[test]
fn an_end_for_what_is_missing_is_explained_to_those_who_come_later() {
    let (observed, now) = recorded("nosecret");
    let limits = Limits::at(now + SignedDuration::from_secs(200));
    let state = State::of(&observed, &limits);
    assert_eq!(state.outcome().unwrap().ending, Ending::CouldNotStart);
    let missing = Missing::of("secret \"db-creds\" not found").unwrap();
    assert!(lookups(&state, &observed, &limits).contains(&Lookup::Alternatives(missing)));
    assert_eq!(Missing::of("couldn't find key p in Secret jobs/db-creds"), None);
}
