//! Facts that explain a wait or a failure. They are looked up only once, because each takes requests of its own, and not
//! every user is allowed to send them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::container::Role;
use super::missing::{Alternatives, Missing};
use super::{Reachability, Stopped};
use crate::kubernetes::node_fit::Fit;
use crate::kubernetes::requests::{self, Amounts};
use crate::spark::Conf;

/// The results of lookups; `None` if something was not looked up, or may not be read.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub nodes: Option<Nodes>,
    /// Names of the namespace's registry secrets.
    pub pull_secrets: Option<Vec<String>>,
    /// The claims that the driver's pod refers to, and the cluster's storage classes.
    pub claims: Option<Claims>,
    /// The application's settings, from the driver's ConfigMap.
    pub settings: Option<Conf>,
    /// How executors find and reach the driver.
    pub reachability: Option<Reachability>,
    /// Existing objects that may have been meant instead of missing ones.
    pub others: BTreeMap<Missing, Alternatives>,
    /// The end of Spark, as the driver's log reports it.
    pub stopped: Option<Stopped>,
    /// Why the API server refuses the executors that the driver asks for.
    pub executors_refused: Option<String>,
    /// Whether the driver's log is being followed, which makes looking into it unnecessary.
    pub follows_log: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Nodes {
    pub all: Vec<Value>,
    /// What pods request, by node; `None` if listing all pods is not allowed.
    pub taken: Option<BTreeMap<String, Amounts>>,
}

#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// The claims by name; `None` for a claim that does not exist.
    pub all: BTreeMap<String, Option<Value>>,
    pub classes: Option<Vec<String>>,
}

/// A lookup that may explain a state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lookup {
    Nodes,
    PullSecrets,
    Claims,
    Settings,
    Reachability,
    /// Existing objects that may have been meant instead of a missing one.
    Alternatives(Missing),
    /// The driver's log, due at that time.
    Log(Timestamp),
    /// Why the API server refuses the executors that the driver asks for, at that time.
    Executors(Timestamp),
}

/// The result of a lookup.
#[derive(Clone, Debug)]
pub enum LookupResult {
    Nodes(Nodes),
    PullSecrets(Vec<String>),
    Claims(Claims),
    Settings(Conf),
    Reachability(Reachability),
    Alternatives(Missing, Alternatives),
    /// The end of Spark, if the driver's log reports it.
    Stopped(Option<Stopped>),
    /// Why executors are refused; nothing if no reason was found.
    Executors(Option<String>),
}

impl Evidence {
    /// Whether an object was looked up and is missing.
    pub(super) fn confirms(&self, missing: &Missing) -> bool {
        self.others.get(missing).is_some_and(|alternatives| alternatives.confirm(missing))
    }

    pub(super) fn has(&self, lookup: &Lookup) -> bool {
        match lookup {
            Lookup::Nodes => self.nodes.is_some(),
            Lookup::PullSecrets => self.pull_secrets.is_some(),
            Lookup::Claims => self.claims.is_some(),
            Lookup::Settings => self.settings.is_some(),
            Lookup::Reachability => self.reachability.is_some(),
            Lookup::Alternatives(missing) => self.others.contains_key(missing),
            Lookup::Log(_) => self.follows_log,
            Lookup::Executors(_) => false,
        }
    }

    pub fn take(&mut self, result: LookupResult) {
        match result {
            LookupResult::Nodes(nodes) => self.nodes = Some(nodes),
            LookupResult::PullSecrets(names) => self.pull_secrets = Some(names),
            LookupResult::Claims(claims) => self.claims = Some(claims),
            LookupResult::Settings(settings) => self.settings = Some(settings),
            LookupResult::Reachability(reachability) => self.reachability = Some(reachability),
            LookupResult::Alternatives(missing, others) => drop(self.others.insert(missing, others)),
            LookupResult::Stopped(stopped) => self.stopped = stopped,
            LookupResult::Executors(refused) => self.executors_refused = refused,
        }
    }
}

pub(super) fn is_about_claims(message: &str) -> bool {
    message.to_lowercase().contains("persistentvolumeclaim")
}

/// Why no node fits the pod of a `role`, and what to do, from the nodes that were looked up.
pub(super) fn no_node(pod: &Pod, role: Role, evidence: &Evidence) -> Option<String> {
    let nodes = evidence.nodes.as_ref()?;
    let spec = serde_json::to_value(pod.spec.as_ref()?).ok()?;
    let amounts = requests::of_pod(&spec);
    let fit = Fit::of(&spec, &amounts, &nodes.all, nodes.taken.as_ref());
    let (message, remedy) = fit.problem(role.word(), &amounts.to_string())?;
    Some(match fit {
        // The scheduler's own message says as much.
        Fit::NoNode => return None,
        // The message already lists the labels that nodes have.
        Fit::NoLabels { .. } => message,
        _ => format!("{message}: {remedy}"),
    })
}

/// What is wrong with the claims of a pod.
pub(super) fn claims(evidence: &Evidence) -> Option<String> {
    let claims = evidence.claims.as_ref()?;
    claims.all.iter().find_map(|(name, claim)| {
        let Some(claim) = claim else {
            return Some(format!(
                "there is no PersistentVolumeClaim {name} in its namespace: create it, or correct the name"
            ));
        };
        let classes = claims.classes.as_ref()?;
        let existing =
            if classes.is_empty() { "there are none".into() } else { format!("available: {}", classes.join(", ")) };
        let is_pending = claim.pointer("/status/phase").and_then(Value::as_str) == Some("Pending");
        match claim.pointer("/spec/storageClassName").and_then(Value::as_str).filter(|_| is_pending) {
            Some(class) if !class.is_empty() && !classes.iter().any(|known| known == class) => Some(format!(
                "PersistentVolumeClaim {name} waits for StorageClass {class}, which does not exist; {existing}"
            )),
            _ => None,
        }
    })
}

/// Adds to a hint the objects that may have been meant instead of the one that `message` reports as missing.
pub(super) fn hint_with_alternatives(hint: Option<&str>, message: &str, evidence: &Evidence) -> Option<String> {
    let instead = Missing::of(message).and_then(|missing| evidence.others.get(&missing)?.describe(&missing));
    let parts: Vec<&str> = hint.into_iter().chain(instead.as_deref()).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
