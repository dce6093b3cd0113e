//! Checks whether a job can run, without creating anything: the requests to send, and what the answers mean.

mod nodes;
mod quota;
mod references;
mod rights;
mod scheduler;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kubernetes::{Object, difference};
use crate::manifests::{RUN_KEY, Requirements};
use crate::program::program;

/// The result of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The name of the check.
    pub what: String,
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// The caller may not read it, so it is unknown.
    NotReadable,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::NotReadable => "not readable",
        }
    }
}

impl Check {
    fn passed(what: &str, message: impl Into<String>) -> Check {
        Check { what: what.into(), verdict: Verdict::Passed, message: message.into(), remedy: None }
    }

    fn failed(what: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
        let remedy = Some(remedy.into());
        Check { what: what.into(), verdict: Verdict::Failed, message: message.into(), remedy }
    }

    fn not_readable(what: &str, message: impl Into<String>) -> Check {
        Check { what: what.into(), verdict: Verdict::NotReadable, message: message.into(), remedy: None }
    }

    /// Checks an object that must exist.
    fn of(what: &str, answer: &Answer, judge: impl FnOnce(&Value) -> Check, missing: impl FnOnce() -> Check) -> Check {
        match answer {
            Ok(object) => judge(object),
            Err(Unread::Missing) => missing(),
            Err(unread) => unread.check(what),
        }
    }
}

/// A request to the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The key of its answer.
    pub key: String,
    /// `v1`, `apps/v1`; empty for a path of the server itself, which is then in `plural`.
    pub version: String,
    pub plural: String,
    pub namespace: String,
    pub name: String,
    /// The body of a POST: a review, or an object for a dry run.
    pub body: Option<Value>,
}

impl Query {
    fn get(key: impl Into<String>, version: &str, namespace: &str, plural: &str, name: &str) -> Query {
        Query {
            key: key.into(),
            version: version.into(),
            plural: plural.into(),
            namespace: namespace.into(),
            name: name.into(),
            body: None,
        }
    }

    fn post(key: impl Into<String>, version: &str, namespace: &str, plural: &str, body: Value) -> Query {
        Query { body: Some(body), ..Query::get(key, version, namespace, plural, "") }
    }
}

/// An object, or why it could not be read.
pub type Answer = Result<Value, Unread>;

#[derive(Clone, Debug, PartialEq)]
pub enum Unread {
    Missing,
    /// The caller lacks the permission.
    Forbidden(String),
    /// The server refused the request: its message, and what to do about it.
    Refused {
        message: String,
        remedy: Option<String>,
    },
    /// No answer came.
    Unreached(String),
    NotAsked,
}

impl Unread {
    fn check(&self, what: &str) -> Check {
        match self {
            Unread::Missing => Check::not_readable(what, "there is none"),
            Unread::Forbidden(why) | Unread::Unreached(why) => Check::not_readable(what, why),
            Unread::Refused { message, .. } => Check::not_readable(what, message),
            Unread::NotAsked => Check::not_readable(what, "it was not checked"),
        }
    }
}

/// The answers by the keys of their requests.
#[derive(Clone, Debug, Default)]
pub struct Responses(pub BTreeMap<String, Answer>);

impl Responses {
    /// Whether the API server answered.
    pub fn is_answered(&self) -> bool {
        !matches!(self.get(VERSION), Err(Unread::Unreached(_) | Unread::Missing | Unread::NotAsked))
    }

    fn get(&self, key: &str) -> &Answer {
        self.0.get(key).unwrap_or(&Err(Unread::NotAsked))
    }
}

const VERSION: &str = "version";
const NAMESPACE: &str = "namespace";

/// What is checked: a namespace, and the requirements of a job if there is one.
pub struct Target<'a> {
    pub namespace: &'a str,
    pub needs: Option<&'a Requirements>,
}

impl Target<'_> {
    /// All requests. None depends on another's answer, so they can be sent concurrently.
    pub fn asks(&self) -> Vec<Query> {
        let mut asks = vec![
            Query::get(VERSION, "", "", "version", ""),
            Query::get(NAMESPACE, "v1", "", "namespaces", self.namespace),
        ];
        asks.extend(rights::own_asks(self.namespace));
        if let Some(needs) = self.needs {
            asks.extend(rights::account_asks(needs));
            asks.extend(judged(needs));
            asks.extend(nodes::asks());
            asks.extend(scheduler::asks(needs));
            asks.extend(references::asks(needs));
            asks.extend(quota::asks(needs));
        }
        asks
    }

    /// Judges the answers.
    pub fn checks(&self, facts: &Responses) -> Vec<Check> {
        let server = server(facts);
        let is_reached = server.verdict == Verdict::Passed;
        let mut checks = vec![server];
        if !is_reached {
            return checks;
        }
        let namespace = self.namespace(facts);
        let is_there = namespace.verdict != Verdict::Failed;
        checks.push(namespace);
        // In a namespace that is not there everything else is missing too.
        if !is_there {
            return checks;
        }
        checks.extend(rights::own(self, facts));
        if let Some(needs) = self.needs {
            checks.extend(rights::account(needs, facts));
            checks.extend(scheduler::checks(needs, facts));
            checks.extend(references::checks(needs, facts));
            checks.extend(nodes::checks(needs, facts));
            checks.extend(quota::checks(needs, facts));
            checks.extend(admission(needs, facts));
        }
        checks
    }

    fn namespace(&self, facts: &Responses) -> Check {
        let name = self.namespace;
        let remedy = format!("choose another with -n, or have it made: {} setup -n {name}", program());
        let judge = |namespace: &Value| match namespace.pointer("/status/phase").and_then(Value::as_str) {
            Some("Terminating") => Check::failed(NAMESPACE, format!("{name} is being deleted"), remedy.clone()),
            _ => Check::passed(NAMESPACE, name),
        };
        let missing = || Check::failed(NAMESPACE, format!("there is no namespace {name}"), remedy.clone());
        Check::of(NAMESPACE, facts.get(NAMESPACE), judge, missing)
    }
}

/// The oldest minor version whose pods can be held by a scheduling gate without a switch.
const OLDEST: u64 = 27;

fn server(facts: &Responses) -> Check {
    let what = "API server";
    match facts.get(VERSION) {
        Ok(version) => {
            let text = |key: &str| version[key].as_str().unwrap_or_default();
            let minor = text("minor").trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u64>();
            match minor {
                Ok(minor) if text("major") == "1" && minor < OLDEST => Check::failed(
                    what,
                    format!(
                        "Kubernetes {} has no scheduling gates, which hold a driver until all else exists",
                        text("gitVersion")
                    ),
                    format!("Kubernetes 1.{OLDEST} or later is needed"),
                ),
                _ => Check::passed(what, format!("Kubernetes {}", text("gitVersion"))),
            }
        }
        Err(Unread::Refused { message, remedy }) => {
            Check::failed(what, message, remedy.clone().unwrap_or_else(|| "look at the kubeconfig".into()))
        }
        Err(Unread::Unreached(why) | Unread::Forbidden(why)) => {
            Check::failed(what, why, "is this the right cluster, and can it be reached from here?")
        }
        Err(Unread::Missing | Unread::NotAsked) => {
            Check::failed(what, "this is not a Kubernetes API server", "look at the kubeconfig's server")
        }
    }
}

/// Dry runs of every object, and of an executor as its driver would create it.
fn judged(needs: &Requirements) -> Vec<Query> {
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

fn admission(needs: &Requirements, facts: &Responses) -> Vec<Check> {
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

/// A review of whether somebody may do something.
fn attributes(namespace: &str, verb: &str, group: &str, resource: &str) -> Value {
    json!({"namespace": namespace, "verb": verb, "group": group, "resource": resource})
}
