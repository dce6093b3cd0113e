//! All requests and checks of a namespace, and of a job in it.

use serde_json::Value;

use super::check::{Check, Verdict};
use super::query::{Query, Responses, Unread, VERSION};
use super::{admission, nodes, quota, references, rights, scheduler};
use crate::manifests::Requirements;
use crate::program::program;

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
            asks.extend(admission::asks(needs));
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
        checks.extend(rights::own(self.namespace, self.needs, facts));
        if let Some(needs) = self.needs {
            checks.extend(rights::account(needs, facts));
            checks.extend(scheduler::checks(needs, facts));
            checks.extend(references::checks(needs, facts));
            checks.extend(nodes::checks(needs, facts));
            checks.extend(quota::checks(needs, facts));
            checks.extend(admission::checks(needs, facts));
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
