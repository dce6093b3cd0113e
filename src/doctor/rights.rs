//! Permissions of the caller, and of the driver's service account.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::Check;
use super::query::{Answer, Query, Responses, Unread};
use crate::manifests::Requirements;
use crate::program::program;

const OWN: &str = "own rights";
const ACCOUNT: &str = "service account";

/// The permissions that every driver needs in its namespace.
const OF_DRIVER: [(&str, &str); 7] = [
    ("get", "pods"),
    ("list", "pods"),
    ("watch", "pods"),
    ("create", "pods"),
    ("delete", "pods"),
    ("create", "configmaps"),
    ("list", "configmaps"),
];

/// The permissions that this job's driver needs: it creates claims for volumes that are made on demand.
fn of_driver(needs: &Requirements) -> Vec<(&'static str, &'static str)> {
    let claims = needs.makes_claims.then_some(("create", "persistentvolumeclaims"));
    OF_DRIVER.into_iter().chain(claims).collect()
}

pub(super) fn own_asks(namespace: &str) -> Vec<Query> {
    let version = "authorization.k8s.io/v1";
    let review = json!({"apiVersion": version, "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}});
    vec![Query::post(OWN, version, "", "selfsubjectrulesreviews", review)]
}

/// A permission: verb, group, resource.
type Right = (&'static str, String, String);

/// The permissions that it takes to submit and follow an application.
fn needed(needs: Option<&Requirements>) -> BTreeSet<Right> {
    let core = |verb, resource: &str| (verb, String::new(), resource.to_owned());
    let mut needed: BTreeSet<Right> = ["get", "list", "watch"].map(|verb| core(verb, "pods")).into();
    let Some(needs) = needs else {
        needed.extend(["pods", "services", "configmaps"].map(|resource| core("create", resource)));
        return needed;
    };
    let carrier = &needs.manifests.carrier;
    for object in std::iter::once(carrier).chain(&needs.manifests.owned) {
        if let Some((version, plural)) = object.place() {
            let group = version.rsplit_once('/').map_or("", |(group, _)| group).to_owned();
            let verbs: &[&'static str] =
                if object == carrier { &["create", "get", "patch", "delete"] } else { &["create"] };
            needed.extend(verbs.iter().map(|verb| (*verb, group.clone(), plural.to_owned())));
        }
    }
    needed
}

pub(super) fn own(namespace: &str, needs: Option<&Requirements>, facts: &Responses) -> Vec<Check> {
    let review = match facts.get(OWN) {
        Ok(review) => review,
        Err(unread) => return vec![unread.check(OWN)],
    };
    let missing: Vec<String> = needed(needs)
        .iter()
        .filter(|(verb, group, resource)| !allows(review, verb, group, resource))
        .map(|(verb, _, resource)| format!("{verb} {resource}"))
        .collect();
    // Some clusters' authorizers cannot list what they allow.
    let is_incomplete = review["status"]["incomplete"] == true;
    vec![if missing.is_empty() {
        Check::passed(OWN, format!("all that is needed in {namespace}"))
    } else if is_incomplete {
        Check::not_readable(
            OWN,
            format!("this cluster does not list all permissions; not listed: {}", missing.join(", ")),
        )
    } else {
        Check::failed(
            OWN,
            format!("you may not {} in {namespace}", missing.join(", ")),
            format!("an administrator grants them: {} setup prints the Role `spark-submitter`", program()),
        )
    }]
}

fn allows(review: &Value, verb: &str, group: &str, resource: &str) -> bool {
    let rules = review.pointer("/status/resourceRules").and_then(Value::as_array);
    rules.into_iter().flatten().any(|rule| {
        let has = |list: &str, wanted: &str| {
            rule[list].as_array().is_some_and(|items| items.iter().any(|item| item == wanted || item == "*"))
        };
        has("verbs", verb)
            && has("apiGroups", group)
            && has("resources", resource)
            && rule["resourceNames"].as_array().is_none_or(Vec::is_empty)
    })
}

/// Name of the driver's service account.
fn account_name(needs: &Requirements) -> &str {
    needs.driver.pointer("/spec/serviceAccountName").and_then(Value::as_str).unwrap_or("default")
}

/// A review of whether somebody may do something.
fn attributes(namespace: &str, verb: &str, group: &str, resource: &str) -> Value {
    json!({"namespace": namespace, "verb": verb, "group": group, "resource": resource})
}

fn right_key(verb: &str, resource: &str) -> String {
    format!("account may {verb} {resource}")
}

pub(super) fn account_asks(needs: &Requirements) -> Vec<Query> {
    let (namespace, name) = (&needs.namespace, account_name(needs));
    let version = "authorization.k8s.io/v1";
    let review = |(verb, resource): (&str, &str)| {
        let body = json!({
            "apiVersion": version,
            "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace},
            "spec": {
                "user": format!("system:serviceaccount:{namespace}:{name}"),
                "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
                "resourceAttributes": attributes(namespace, verb, "", resource),
            },
        });
        Query::post(right_key(verb, resource), version, namespace, "localsubjectaccessreviews", body)
    };
    let mut asks = vec![Query::get(ACCOUNT, "v1", namespace, "serviceaccounts", name)];
    asks.extend(of_driver(needs).into_iter().map(review));
    asks
}

pub(super) fn account(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    let (namespace, name) = (&needs.namespace, account_name(needs));
    let missing = || {
        Check::failed(
            ACCOUNT,
            format!("there is no service account {name} in {namespace}"),
            format!("name another in driver.serviceAccount, or have it made: {} setup -n {namespace}", program()),
        )
    };
    let account = Check::of(ACCOUNT, facts.get(ACCOUNT), |_| Check::passed(ACCOUNT, name), missing);
    if facts.get(ACCOUNT) == &Err(Unread::Missing) {
        return vec![account];
    }
    let what = "driver's rights";
    let answer = |(verb, resource)| (verb, resource, facts.get(&right_key(verb, resource)));
    let answers: Vec<(&str, &str, &Answer)> = of_driver(needs).into_iter().map(answer).collect();
    let unread = answers.iter().find_map(|(_, _, answer)| answer.as_ref().err());
    let denied =
        answers.iter().filter(|(_, _, answer)| answer.as_ref().is_ok_and(|review| review["status"]["allowed"] != true));
    let denied: Vec<String> = denied.map(|(verb, resource, _)| format!("{verb} {resource}")).collect();
    let rights = match (denied.is_empty(), unread) {
        (false, _) => Check::failed(
            what,
            format!("service account {name} may not {}", denied.join(", ")),
            format!("bind it to the Role `spark-driver`: {} setup -n {namespace}", program()),
        ),
        (true, Some(unread)) => unread.check(what),
        (true, None) => Check::passed(what, format!("{name} may make executors")),
    };
    vec![account, rights]
}
