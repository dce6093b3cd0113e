//! Checks of what a role says about its pods.

use std::collections::BTreeSet;

use super::phrases;
use crate::diagnostic::Problem;
use crate::job::role::RoleSpec;
use crate::job::{Job, placement};
use crate::kubernetes::{names, quantity};
use crate::spark::{Conf, Language, Role, labels, memory};

pub(super) fn problems(job: &Job, role: Role, conf: &Conf) -> Vec<Problem> {
    let pod = Pod { job, role, spec: job.spec.role(role), conf };
    let mut problems = pod.labels();
    problems.extend(pod.memory());
    problems.extend(pod.cpu());
    problems.extend(pod.gpu());
    problems.extend(pod.java_options());
    problems.extend(pod.variables());
    problems.extend(pod.mounts());
    problems.extend(pod.secret_types());
    problems.extend(pod.ports());
    problems.extend(pod.template());
    problems
}

struct Pod<'a> {
    job: &'a Job,
    role: Role,
    spec: &'a RoleSpec,
    conf: &'a Conf,
}

impl Pod<'_> {
    fn path(&self, rest: &str) -> String {
        format!("spec.{}.{rest}", self.role.word())
    }

    fn labels(&self) -> Vec<Problem> {
        let reserved = labels::reserved(self.role, self.job.version()).into_iter();
        let reserved = reserved.filter(|label| self.spec.labels.contains_key(*label)).map(|label| {
            Problem::error("this label is Spark's own, and Spark refuses it")
                .at_field(self.path(&format!("labels.{label}")))
        });
        placement::labels(&self.path("labels"), &self.spec.labels).into_iter().chain(reserved).collect()
    }

    fn memory(&self) -> Option<Problem> {
        let language = self.job.language();
        let is_python = language == Language::Python;
        match memory::request(self.conf, self.role, self.job.version(), language.is_foreign(), is_python) {
            Ok(requested) => self.memory_limit(requested),
            Err(error) => Some(self.job.setting_error(error)),
        }
    }

    fn memory_limit(&self, requested: u64) -> Option<Problem> {
        let limit = self.spec.memory_limit.as_ref()?;
        let mebibytes = quantity::mebibytes(&limit.quantity())?;
        let problem = match self.role {
            Role::Executor if mebibytes != requested as f64 => Problem::warning(format!(
                "no effect: Spark writes an executor's limit itself, the same as its request of {requested}Mi"
            ))
            .help("raise `memoryOverhead` to raise both"),
            Role::Driver if mebibytes < requested as f64 => {
                Problem::error(format!("`{}` is less than the request of {requested}Mi (memory and overhead)", limit.0))
            }
            Role::Driver | Role::Executor => return None,
        };
        Some(problem.at_field(self.path("memoryLimit")))
    }

    fn cpu(&self) -> Option<Problem> {
        let role = self.role.word();
        let value = |key: &str| self.conf.given(key).and_then(quantity::value);
        let cores = || value(&format!("spark.{role}.cores"));
        let request = value(&format!("spark.kubernetes.{role}.request.cores")).or_else(cores).unwrap_or(1.0);
        let key = format!("spark.kubernetes.{role}.limit.cores");
        let limit = value(&key).filter(|limit| *limit < request)?;
        let problem = Problem::error(format!("the limit of {limit} CPU is less than the request of {request}"))
            .help("raise `coreLimit`, or lower `coreRequest` (without it, `cores`)");
        Some(self.job.setting_problem(&key, problem))
    }

    fn gpu(&self) -> Option<Problem> {
        let gpu = self.spec.gpu.as_ref().filter(|gpu| gpu.name.is_empty() || *gpu.quantity < 1);
        gpu.map(|_| {
            Problem::warning("no effect: a GPU needs a name and a quantity of at least 1").at_field(self.path("gpu"))
        })
    }

    fn java_options(&self) -> Option<Problem> {
        let sets_heap = self.spec.java_options.as_deref().is_some_and(|options| options.contains("-Xmx"));
        sets_heap.then(|| heap_by_options().at_field(self.path("javaOptions")))
    }

    fn variables(&self) -> Vec<Problem> {
        let mut seen = BTreeSet::new();
        let mut problems = Vec::new();
        for (index, env) in self.spec.env.iter().enumerate() {
            let (name, path) = (env.text("name"), self.path(&format!("env[{index}].name")));
            if name.is_empty() || name.contains('=') {
                let malformed = Problem::error(format!("`{name}` is not the name of an environment variable"));
                problems.push(malformed.at_field(path.clone()));
            }
            if !seen.insert(name) {
                let twice = Problem::warning(format!("`{name}` is given twice: the last one counts"));
                problems.push(twice.at_field(path));
            }
        }
        problems
    }

    /// ConfigMaps and Secrets that are mounted.
    fn mounts(&self) -> Vec<Problem> {
        let config_maps = self.spec.config_maps.iter().map(|map| (&map.name, &map.path));
        let secrets = self.spec.secrets.iter().map(|secret| (&secret.name, &secret.path));
        self.mounts_of("configMaps", config_maps).into_iter().chain(self.mounts_of("secrets", secrets)).collect()
    }

    fn mounts_of<'a>(&self, list: &str, mounts: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, (name, mount)) in mounts.enumerate() {
            let path = |field: &str| self.path(&format!("{list}[{index}].{field}"));
            if !mount.starts_with('/') {
                problems.push(Problem::error(format!("`{mount}` is not an absolute path")).at_field(path("path")));
            }
            if let Err(message) = names::check(name) {
                problems.push(Problem::error(message).at_field(path("name")));
            }
        }
        problems
    }

    fn secret_types(&self) -> impl Iterator<Item = Problem> {
        let kinds = ["GCPServiceAccount", "HadoopDelegationToken", "Generic"];
        let secrets = self.spec.secrets.iter().enumerate();
        secrets.filter(move |(_, secret)| !kinds.contains(&secret.secret_type.as_str())).map(move |(index, secret)| {
            let word = &secret.secret_type;
            Problem::warning(format!("unknown secretType `{word}`: the secret is mounted, and no variable is set"))
                .at_field(self.path(&format!("secrets[{index}].secretType")))
                .help(phrases::did_you_mean(word, &kinds))
        })
    }

    fn ports(&self) -> impl Iterator<Item = Problem> {
        let is_known = |protocol: &str| ["TCP", "UDP", "SCTP"].contains(&protocol);
        let ports = self.spec.ports.iter().enumerate().filter(move |(_, port)| !is_known(&port.protocol));
        ports.map(|(index, port)| {
            Problem::error(format!("expected one of TCP, UDP, SCTP, found `{}`", port.protocol))
                .at_field(self.path(&format!("ports[{index}].protocol")))
        })
    }

    fn template(&self) -> Option<Problem> {
        let template = &self.spec.template.as_ref()?.json;
        let is_blank = !template["spec"].is_object() && !template["metadata"].is_object();
        is_blank.then(|| {
            Problem::warning("the template is empty: expected `metadata` or `spec` in it")
                .at_field(self.path("template"))
        })
    }
}

pub(super) fn heap_by_options() -> Problem {
    Problem::error("the heap size cannot be set by options: Spark refuses -Xmx").help("write it as `memory`")
}
