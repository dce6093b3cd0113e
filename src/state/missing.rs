//! Something that an application names and that is not there, and what there is instead.

use crate::diagnostic::nearest;

/// How many names are listed at most.
const MOST: usize = 10;

/// What is missing, by what the cluster says of it.
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
}

/// What there is of its kind: names alone, and nothing where they may not be listed.
#[derive(Clone, Debug, Default)]
pub struct Alternatives {
    /// In its own namespace.
    pub names: Vec<String>,
    /// The other namespaces that have one of that name.
    pub namespaces: Vec<String>,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Secret, Kind::ConfigMap, Kind::Claim, Kind::ServiceAccount];

    /// As the API server, the scheduler and the kubelet say that it is not found.
    fn word(self) -> &'static str {
        match self {
            Kind::Secret => "secret",
            Kind::ConfigMap => "configmap",
            Kind::Claim => "persistentvolumeclaim",
            Kind::ServiceAccount => "serviceaccount",
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            Kind::Secret => "secrets",
            Kind::ConfigMap => "configmaps",
            Kind::Claim => "persistentvolumeclaims",
            Kind::ServiceAccount => "serviceaccounts",
        }
    }

    /// Whether one in another namespace may be the one that was meant.
    pub fn is_told_elsewhere(self) -> bool {
        self != Kind::ServiceAccount
    }
}

impl Missing {
    /// `secret "db-creds" not found`.
    pub fn of(message: &str) -> Option<Missing> {
        Kind::ALL.into_iter().find_map(|kind| {
            let (_, rest) = message.split_once(&format!("{} \"", kind.word()))?;
            let (name, rest) = rest.split_once('"')?;
            rest.starts_with(" not found").then(|| Missing { kind, name: name.to_owned() })
        })
    }
}

impl Alternatives {
    /// What may have been meant by the name that is missing.
    pub fn told(&self, missing: &Missing) -> Option<String> {
        let Missing { kind, name } = missing;
        let mut told = Vec::new();
        if *kind == Kind::ServiceAccount && !self.names.is_empty() {
            let left_out = self.names.len().saturating_sub(MOST);
            let more = if left_out > 0 { format!(" and {left_out} more") } else { String::new() };
            told.push(format!("there is: {}{more}", self.names[..self.names.len() - left_out].join(", ")));
        }
        if !self.namespaces.is_empty() {
            let namespaces = &self.namespaces[..self.namespaces.len().min(MOST)];
            told.push(format!("one of that name is in namespace {}", namespaces.join(", ")));
        }
        if let Some(near) = nearest(name, self.names.iter().map(String::as_str)) {
            told.push(format!("did you mean `{near}`?"));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}
