//! Whether the API server admits what would be sent.

use super::check::Check;
use super::query::{Query, Responses, Unread};
use crate::kubernetes::{Object, difference};
use crate::manifests::{RUN_KEY, Requirements};

/// Dry runs of every object, and of an executor as its driver would create it.
pub(super) fn asks(needs: &Requirements) -> Vec<Query> {
    let pods = [Object(needs.driver.clone()), Object(needs.executor.clone())];
    // A driver's pod that is the carrier is judged as that.
    let is_other = |object: &&Object| **object != needs.manifests.carrier;
    let all =
        std::iter::once(&needs.manifests.carrier).chain(&needs.manifests.owned).chain(pods.iter().filter(is_other));
    let ask = |object: &Object| {
        let (version, plural) = object.place()?;
        Some(Query::post(
            admitted(object),
            version,
            &needs.namespace,
            &format!("{plural}?dryRun=All"),
            object.0.clone(),
        ))
    };
    all.filter_map(ask).collect()
}

fn admitted(object: &Object) -> String {
    format!("admission of {} {}", object.kind(), object.name())
}

pub(super) fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    let (driver, executor) = (Object(needs.driver.clone()), Object(needs.executor.clone()));
    let carrier = &needs.manifests.carrier;
    let mut checks = Vec::new();
    for (what, objects) in [
        ("driver's admission", vec![carrier, &driver]),
        ("executors' admission", vec![&executor]),
        ("companions' admission", needs.manifests.owned.iter().collect::<Vec<_>>()),
    ] {
        let refused = objects.iter().find_map(|object| match facts.get(&admitted(object)) {
            Err(unread) => Some((object, unread)),
            Ok(_) => None,
        });
        checks.push(match refused {
            None => Check::passed(what, taken(&objects, facts)),
            Some((object, Unread::Refused { message, .. }))
                if message.contains("already exists") && object.0["metadata"]["annotations"].get(RUN_KEY).is_some() =>
            {
                Check::passed(what, "the run of this key is there already, and is joined if it is the same")
            }
            Some((object, Unread::Refused { message, remedy })) => Check::failed(
                what,
                format!("{} {}: {message}", object.kind(), object.name()),
                remedy.clone().unwrap_or_else(|| "it is a rule of this cluster: ask its administrators".into()),
            ),
            Some((object, Unread::Missing)) => Check::failed(
                what,
                format!(
                    "the cluster does not know objects of kind {} {}",
                    object.0["apiVersion"].as_str().unwrap_or_default(),
                    object.kind()
                ),
                "is the scheduler that the job names installed?",
            ),
            Some((_, unread)) => unread.check(what),
        });
    }
    checks
}

/// The message for objects that admission accepts, with what webhooks change in them.
fn taken(objects: &[&Object], facts: &Responses) -> String {
    let changed = objects.iter().filter_map(|object| {
        let there = facts.get(&admitted(object)).as_ref().ok()?;
        Some(difference::between(there, &object.0, "and would be sent as"))
    });
    let changed: Vec<String> = changed.flatten().collect();
    match changed.is_empty() {
        true => "the API server takes what would be sent".to_owned(),
        false => format!("the API server takes what would be sent, but changes it: {}", changed.join("; ")),
    }
}
