//! Objects that an application refers to and that do not exist, and the ones that do.

use crate::diagnostic::nearest;

/// A longer list of names would hide the rest of the hint.
const MOST: usize = 10;

/// A missing object, as the cluster's message names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    pub kind: Kind,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Secret,
    ConfigMap,
    Claim,
    ServiceAccount,
    PriorityClass,
}

/// The existing objects of the missing one's kind, by name; empty if listing them is not allowed.
#[derive(Clone, Debug, Default)]
pub struct Alternatives {
    /// Names in the application's own namespace.
    pub names: Vec<String>,
    /// Whether all of them could be listed.
    pub are_all: bool,
    /// Other namespaces with an object of the missing name.
    pub namespaces: Vec<String>,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Secret, Kind::ConfigMap, Kind::Claim, Kind::ServiceAccount, Kind::PriorityClass];

    /// The kind as the "not found" messages of the API server, the scheduler and the kubelet write it.
    fn word(self) -> &'static str {
        match self {
            Kind::Secret => "secret",
            Kind::ConfigMap => "configmap",
            Kind::Claim => "persistentvolumeclaim",
            Kind::ServiceAccount => "serviceaccount",
            Kind::PriorityClass => "priorityclass",
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            Kind::Secret => "secrets",
            Kind::ConfigMap => "configmaps",
            Kind::Claim => "persistentvolumeclaims",
            Kind::ServiceAccount => "serviceaccounts",
            Kind::PriorityClass => "priorityclasses",
        }
    }

    /// Group and version of its API.
    pub fn version(self) -> &'static str {
        match self {
            Kind::PriorityClass => "scheduling.k8s.io/v1",
            Kind::Secret | Kind::ConfigMap | Kind::Claim | Kind::ServiceAccount => "v1",
        }
    }

    /// Whether its objects are in namespaces.
    pub fn is_namespaced(self) -> bool {
        self != Kind::PriorityClass
    }

    /// Whether an object of the same name in another namespace may be the one that was meant. Every namespace has a
    /// `default` service account.
    pub fn may_be_elsewhere(self) -> bool {
        self.is_namespaced() && self != Kind::ServiceAccount
    }
}

impl Missing {
    /// Parses a message such as `secret "db-creds" not found`.
    pub fn of(message: &str) -> Option<Missing> {
        let class =
            message.split_once("no PriorityClass with name ").and_then(|(_, rest)| rest.split_once(" was found"));
        if let Some((name, _)) = class {
            return Some(Missing { kind: Kind::PriorityClass, name: name.to_owned() });
        }
        Kind::ALL.into_iter().find_map(|kind| {
            let (_, rest) = message.split_once(&format!("{} \"", kind.word()))?;
            let (name, rest) = rest.split_once('"')?;
            rest.starts_with(" not found").then(|| Missing { kind, name: name.to_owned() })
        })
    }
}

impl Alternatives {
    /// Whether the object is really missing, and not only unknown to a node so far.
    pub(super) fn confirm(&self, missing: &Missing) -> bool {
        self.are_all && !self.names.contains(&missing.name)
    }

    /// What may have been meant by the missing name.
    pub fn describe(&self, missing: &Missing) -> Option<String> {
        let Missing { kind, name } = missing;
        let mut parts = Vec::new();
        if *kind == Kind::ServiceAccount && !self.names.is_empty() {
            let left_out = self.names.len().saturating_sub(MOST);
            let more = if left_out > 0 { format!(" and {left_out} more") } else { String::new() };
            parts.push(format!("available: {}{more}", self.names[..self.names.len() - left_out].join(", ")));
        }
        if !self.namespaces.is_empty() {
            let namespaces = &self.namespaces[..self.namespaces.len().min(MOST)];
            parts.push(format!("one with this name exists in namespace {}", namespaces.join(", ")));
        }
        if let Some(near) = nearest(name, self.names.iter().map(String::as_str)) {
            parts.push(format!("did you mean `{near}`?"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
