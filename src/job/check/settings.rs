//! Checks of Spark's settings: whether Spark knows them, would refuse their values, or has no use for them.

use std::collections::HashSet;

use super::phrases;
use super::pod::heap_by_options;
use crate::diagnostic::Problem;
use crate::job::Job;
use crate::kubernetes::{names, quantity};
use crate::spark::catalog::{Accepts, registry};
use crate::spark::{Change, Conf, EXECUTOR_PREFIX, Role, Version, catalog, labels, memory, resources};

pub(super) fn problems(job: &Job, namespace: &str, conf: &Conf) -> Vec<Problem> {
    let mut problems = circles(job, namespace);
    let strangers = conf.iter().map(|(key, _)| key).filter(|key| job.sets(key) && !catalog::is_known(key));
    let compared: HashSet<&String> = strangers.take(MOST_COMPARED).collect();
    for (key, value) in conf.iter() {
        let problem = setting(job, key, value, conf, namespace);
        let misspelt = || compared.contains(key).then(|| unknown(key, job.version())).flatten();
        let open = || job.sets(key).then(|| open_secret(key, value)).flatten();
        if let Some(problem) = problem.or_else(misspelt).or_else(open) {
            problems.push(job.setting_problem(key, problem));
        }
    }
    problems.extend(resources::custom(conf, Role::Driver).err().map(|error| job.setting_error(error)));
    problems.extend(exclusive(job, conf));
    problems.extend(incomplete(job, conf));
    problems.extend(contradictions(job, conf));
    problems
}

/// How many keys that Spark does not know are compared with all that it knows. A file with more of them was not written
/// by hand, and comparing them takes its time.
const MOST_COMPARED: usize = 100;

/// Settings that refer to themselves in the end.
fn circles(job: &Job, namespace: &str) -> Vec<Problem> {
    let written = job.settings(namespace);
    let circular = written.iter().map(|(key, _)| key).filter(|key| written.is_circular(key));
    circular
        .map(|key| {
            let circle = Problem::error("it refers to itself: Spark refuses circular references");
            job.setting_problem(key, circle)
        })
        .collect()
}

/// Settings of which only one may be given.
///
/// Source: `KubernetesDriverConf` and `KerberosConfDriverFeatureStep` of Spark.
const EXCLUSIVE: [(&str, &str); 2] = [
    ("spark.kubernetes.kerberos.krb5.path", "spark.kubernetes.kerberos.krb5.configMapName"),
    ("spark.kubernetes.authenticate.submission.oauthToken", "spark.kubernetes.authenticate.submission.oauthTokenFile"),
];

fn exclusive(job: &Job, conf: &Conf) -> impl Iterator<Item = Problem> {
    EXCLUSIVE.into_iter().filter(|(one, other)| conf.given(one).is_some() && conf.given(other).is_some()).map(
        |(one, other)| {
            job.setting_problem(one, Problem::error(format!("Spark takes either it or `{other}`, not both")))
        },
    )
}

/// Settings that have a meaning only together.
const TOGETHER: [(&str, &str); 2] = [
    ("spark.kerberos.principal", "spark.kerberos.keytab"),
    ("spark.kubernetes.kerberos.tokenSecret.name", "spark.kubernetes.kerberos.tokenSecret.itemKey"),
];

fn incomplete(job: &Job, conf: &Conf) -> impl Iterator<Item = Problem> {
    TOGETHER
        .into_iter()
        .flat_map(|(one, other)| [(one, other), (other, one)])
        .filter(|(one, other)| conf.given(one).is_some() && conf.given(other).is_none())
        .map(|(one, other)| job.setting_problem(one, Problem::error(format!("it needs `{other}`"))))
}

/// Settings that contradict a field or a flag.
fn contradictions(job: &Job, conf: &Conf) -> Vec<Problem> {
    let mut problems = Vec::new();
    if job.spec.proxy_user.is_some() && conf.given("spark.kerberos.principal").is_some() {
        let both = Problem::error("Spark takes either `proxyUser` or `spark.kerberos.principal`, not both");
        problems.push(both.at_field("spec.proxyUser"));
    }
    let key = "spark.kubernetes.hadoop.configMapName";
    if job.files.hadoop.is_some() && conf.given(key).is_some() {
        let both = Problem::error("Spark takes either it or a directory of Hadoop's configuration, not both");
        problems.push(job.setting_problem(key, both));
    }
    problems
}

/// Checks a setting, apart from its name. Its value is the one that Spark reads, with references replaced.
fn setting(job: &Job, key: &str, value: &str, conf: &Conf, namespace: &str) -> Option<Problem> {
    if !key.starts_with("spark.") {
        return Some(
            Problem::warning(format!("`{key}` is not a Spark setting: Spark ignores it"))
                .help("settings begin with `spark.`, those of Hadoop with `spark.hadoop.`"),
        );
    }
    let problem = refused(job, key, value, conf, namespace);
    if problem.is_some() || !job.sets(key) || !catalog::is_known(key) {
        return problem;
    }
    idle(key, value, job.version())
        .or_else(|| outdated(key, job.version()))
        .or_else(|| malformed(key, value, job.version()))
}

/// Checks whether Spark or Kubernetes would refuse the value.
fn refused(job: &Job, key: &str, value: &str, conf: &Conf, namespace: &str) -> Option<Problem> {
    let version = job.version();
    let unacceptable = catalog::row(key).and_then(|row| unacceptable(row.accepts?, value, version));
    unacceptable.or_else(|| match key {
        "spark.kubernetes.namespace" if value != namespace => Some(
            Problem::error(format!("the application runs in `{namespace}`, found `{value}`"))
                .help("write `metadata.namespace`, or give --namespace"),
        ),
        "spark.submit.deployMode" if value != "cluster" => {
            Some(Problem::error(format!("the driver always runs in the cluster, found `{value}`")))
        }
        "spark.kubernetes.pyspark.pythonVersion" if version.has(Change::OnlyPython3) && value != "3" => Some(
            Problem::error(format!("Spark {version} runs Python 3 alone, found `{value}`"))
                .help("remove `pythonVersion`"),
        ),
        "spark.executor.cores" => no_executor(value, false),
        "spark.executor.instances" => no_executor(value, conf.is_true("spark.dynamicAllocation.enabled")),
        "spark.driver.extraJavaOptions" | "spark.executor.extraJavaOptions" => {
            (value.contains("-Xmx") && job.sets(key)).then(heap_by_options)
        }
        "spark.driver.bindAddress" => {
            Some(Problem::error("Spark refuses it here: the driver listens on its pod's address"))
        }
        "spark.kubernetes.executor.podNamePrefix" if version.has(Change::CheckedExecutorPrefix) => {
            executor_prefix(value)
        }
        _ => family(job, key, value),
    })
}

/// Checks a value against what the catalogue says is accepted.
fn unacceptable(accepts: Accepts, value: &str, version: Version) -> Option<Problem> {
    let text = value.trim();
    let expected = |what: &str| Some(Problem::error(format!("expected {what}, found `{value}`")));
    match accepts {
        Accepts::Boolean if ["true", "false"].contains(&text.to_lowercase().as_str()) => None,
        Accepts::Boolean => expected("one of true, false"),
        Accepts::Words(words) if words.contains(&value) => None,
        Accepts::Words(words) => expected(&format!("one of {}", words.join(", "))),
        Accepts::Port if text.parse::<u16>().is_ok() => None,
        Accepts::Port => expected("a port number"),
        Accepts::Count if text.parse::<u32>().is_ok() => None,
        Accepts::Count => expected("an integer"),
        Accepts::Cpu => quantity::check(value).err().map(Problem::error),
        Accepts::Memory => memory::check(value).err().or_else(|| {
            let is_new = !version.has(Change::BinaryUnits) && text.to_lowercase().ends_with("ib");
            is_new.then(|| Problem::error(format!("the unit of `{value}` exists since Spark 4.2")))
        }),
    }
}

/// Dynamic allocation may begin with no executor; nothing else works without one.
fn no_executor(value: &str, is_allowed: bool) -> Option<Problem> {
    (value.trim() == "0" && !is_allowed)
        .then(|| Problem::error(format!("expected a positive integer, found `{value}`")))
}

fn executor_prefix(value: &str) -> Option<Problem> {
    let good = value.len() <= EXECUTOR_PREFIX && names::check(value).is_ok();
    (!good).then(|| {
        Problem::error(format!(
            "`{value}` is not a prefix for executors: at most {EXECUTOR_PREFIX} characters of a name"
        ))
    })
}

/// Checks whether sparkctl makes nothing of the setting.
fn idle(key: &str, value: &str, version: Version) -> Option<Problem> {
    if key == "spark.kubernetes.driver.pod.excludedFeatureSteps" && version.has(Change::ExcludedFeatureSteps) {
        return kept_steps(value);
    }
    // The only mode that is accepted is the one in which it has no effect.
    let reason = catalog::without_effect(key).filter(|_| key != "spark.submit.deployMode")?;
    Some(Problem::warning(format!("no effect: {reason}")))
}

fn kept_steps(value: &str) -> Option<Problem> {
    let step = value.split(',').map(str::trim).find(|step| !step.ends_with(".NetworkPolicyFeatureStep"))?;
    Some(Problem::warning(format!("only NetworkPolicyFeatureStep of Spark's steps can be excluded, not `{step}`")))
}

/// Checks whether this version of Spark does not have the setting yet, or no longer has it.
fn outdated(key: &str, version: Version) -> Option<Problem> {
    // Spark sets some of Hadoop's settings itself; whether they exist is for Hadoop's version to say.
    let setting = registry::setting(key).filter(|_| !key.starts_with("spark.hadoop."));
    let since = setting.map(|setting| setting.since).or(registry::family_of(key).map(|family| family.since))?;
    if version < since {
        return Some(Problem::warning(format!("no effect: `{key}` exists since Spark {since}")));
    }
    let setting = setting.filter(|setting| !setting.exists_in(version))?;
    let last = setting.until.unwrap_or(version);
    let problem = Problem::warning(format!("no effect: Spark {last} was the last version with `{key}`"));
    Some(match setting.replaced_by {
        Some(other) => problem.help(format!("use `{other}`")),
        None => problem,
    })
}

/// Checks for a key that looks like a misspelt one. Others that Spark does not know may be a library's or a vendor's,
/// except those of Kubernetes.
fn unknown(key: &str, version: Version) -> Option<Problem> {
    let problem = Problem::warning(format!("unknown Spark setting `{key}`"));
    match catalog::meant(key, version) {
        Some(meant) => Some(problem.help(format!("did you mean `{meant}`?"))),
        None => is_kubernetes(key).then_some(problem),
    }
}

/// Whether a key is one of Spark on Kubernetes, and not of Apache's operator for it.
fn is_kubernetes(key: &str) -> bool {
    key.starts_with("spark.kubernetes.") && !key.starts_with("spark.kubernetes.operator.")
}

/// Checks the form of a value that Spark reads when the application runs.
fn malformed(key: &str, value: &str, version: Version) -> Option<Problem> {
    let is_left_to_spark = value.is_empty() || value.contains("${") || value.contains("{{");
    let setting = registry::setting(key).filter(|_| !is_left_to_spark)?;
    let expected = setting.form.check(value, version).err()?;
    Some(Problem::warning(format!("{expected}, found `{value}`")))
}

fn open_secret(key: &str, value: &str) -> Option<Problem> {
    (catalog::is_secret(key) && !value.is_empty()).then(|| {
        Problem::warning("looks like a secret, and settings are kept in a ConfigMap that others may read")
            .help("put it into a Secret: `env` with `valueFrom.secretKeyRef`, or `secrets`")
    })
}

/// Checks a setting of a family.
fn family(job: &Job, key: &str, value: &str) -> Option<Problem> {
    for role in [Role::Driver, Role::Executor] {
        let Some(rest) = key.strip_prefix("spark.kubernetes.").and_then(|rest| rest.strip_prefix(role.word())) else {
            continue;
        };
        if rest.starts_with(".secretKeyRef.") && value.matches(':').count() != 1 {
            return Some(Problem::error(format!("expected NAME:KEY of a Secret, found `{value}`")));
        }
        if let Some(label) = rest.strip_prefix(".label.") {
            return if job.sets(key) { problem_of_label(job, role, label, value) } else { None };
        }
        if let Some(volume) = rest.strip_prefix(".volumes.") {
            return Volume::of(job, key, volume)?.problem(value);
        }
    }
    None
}

/// Checks a label of the pods of a role.
fn problem_of_label(job: &Job, role: Role, label: &str, value: &str) -> Option<Problem> {
    if labels::reserved(role, job.version()).contains(&label) {
        return Some(Problem::error(format!("`{label}` is Spark's own label, and Spark refuses it")));
    }
    // Spark replaces its variables by what a label may have.
    let value = value.replace("{{APP_ID}}", "id").replace("{{EXECUTOR_ID}}", "1");
    names::check_label_value(&value).err().map(Problem::error)
}

/// A setting of a volume, `KIND.NAME.REST` behind the prefix of its role.
struct Volume<'a> {
    job: &'a Job,
    key: &'a str,
    prefix: &'a str,
    kind: &'a str,
    name: &'a str,
    is_mount: bool,
}

/// Types of volumes that Spark has settings for, and the options that each needs.
///
/// Source: `KubernetesVolumeUtils` of Spark.
const VOLUMES: [(&str, &[&str]); 4] = [
    ("hostPath", &["options.path"]),
    ("persistentVolumeClaim", &["options.claimName"]),
    ("emptyDir", &[]),
    ("nfs", &["options.path", "options.server"]),
];

impl<'a> Volume<'a> {
    fn of(job: &'a Job, key: &'a str, volume: &'a str) -> Option<Self> {
        let (kind, rest) = volume.split_once('.').unwrap_or((volume, ""));
        let (prefix, name) = (key.strip_suffix(volume)?, rest.split('.').next()?);
        Some(Self { job, key, prefix, kind, name, is_mount: rest.ends_with(".mount.path") })
    }

    fn problem(&self, value: &str) -> Option<Problem> {
        let Some((kind, needed)) = VOLUMES.into_iter().find(|(kind, _)| *kind == self.kind) else {
            let unknown = Problem::error(format!("Spark has no settings for volumes of type `{}`", self.kind));
            return Some(unknown.help(phrases::did_you_mean(self.kind, &VOLUMES.map(|(kind, _)| kind))));
        };
        if kind == "nfs" && !self.job.version().has(Change::NfsVolumes) {
            return Some(Problem::error(format!("Spark {} has no nfs volumes", self.job.version())));
        }
        if !self.job.spec.spark_conf.contains_key(self.key) {
            return None;
        }
        let needed: &[&str] = if self.is_mount { needed } else { &["mount.path"] };
        let missing = needed.iter().map(|option| self.option(option)).find(|option| !self.job.sets(option));
        missing.map(|missing| Problem::error(format!("it needs `{missing}`"))).or_else(|| {
            (self.is_mount && self.is_taken(value))
                .then(|| Problem::error(format!("two volumes are mounted at `{value}`")))
        })
    }

    /// The key of another setting of this volume.
    fn option(&self, option: &str) -> String {
        format!("{}{}.{}.{option}", self.prefix, self.kind, self.name)
    }

    /// Whether another volume is mounted at this path.
    fn is_taken(&self, path: &str) -> bool {
        self.job.spec.spark_conf.iter().any(|(other, mounted)| {
            other != self.key && mounted == path && other.starts_with(self.prefix) && other.ends_with(".mount.path")
        })
    }
}
