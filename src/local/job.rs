//! A job as a local run needs it, and what has no effect on one machine.

use std::collections::BTreeMap;

use crate::job::Job;
use crate::job::restart::Restart;
pub use crate::spark::Language;
use crate::spark::{Role, containers};

/// Where to run a job, as `--local-in` says.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunIn {
    /// `SPARK_HOME`, an installed pyspark, or a downloaded Spark
    Machine,
    /// A container of the job's image, with podman or docker, whichever is installed
    Container,
    Podman,
    Docker,
}

/// A job as a local run needs it.
#[derive(Clone, Debug, Default)]
pub struct LocalJob {
    pub name: String,
    /// The job file's `sparkVersion`, which may be text that is not a version.
    pub spark_version: Option<String>,
    pub language: Language,
    pub main_class: Option<String>,
    /// `local:///…` (a path in the image), a path of this machine, or a URL that Spark can read.
    pub main_file: String,
    pub arguments: Vec<String>,
    /// Spark's settings, including those that are for a cluster only.
    pub conf: Vec<(String, String)>,
    /// The driver's image.
    pub image: Option<String>,
    /// Its `imagePullPolicy`.
    pub pull: Option<String>,
    /// Variables with plain values, including those that describe the image (`PATH`, `JAVA_HOME`, …).
    pub env: Vec<(String, String)>,
    pub jars: Vec<String>,
    pub py_files: Vec<String>,
    pub files: Vec<String>,
    pub archives: Vec<String>,
    /// Files of the job's configuration directory, by name.
    pub spark_conf: BTreeMap<String, String>,
    /// Files of the job's Hadoop configuration directory, by name.
    pub hadoop_conf: Option<BTreeMap<String, String>>,
    pub packages: Vec<String>,
    pub exclude_packages: Vec<String>,
    pub repositories: Vec<String>,
    pub driver_memory: Option<String>,
    /// The driver does the executors' work, so that it gets the larger of the two memories.
    pub executor_memory: Option<String>,
    /// Cores to use; `None` for all.
    pub cores: Option<u32>,
    /// Where to run it; `None` to choose by what is available.
    pub run_in: Option<RunIn>,
    /// Fields of the job that have no effect on one machine.
    pub without_effect: Vec<String>,
}

/// Settings with the path of `Rscript`, in the order of precedence in client mode.
///
/// Source: `RRunner` of Spark.
pub const R_COMMANDS: [&str; 3] = ["spark.r.driver.command", "spark.r.command", "spark.sparkr.r.command"];

impl LocalJob {
    /// The job for this machine, on that many of its cores.
    pub fn of(job: &Job, cores: Option<u32>, run_in: Option<RunIn>) -> Self {
        let conf = job.settings("default");
        let list = |key: &str| conf.list(key).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let files = |key: &str| {
            let meant = conf.list(key).into_iter().flat_map(|uri| job.files.local.meant_by(uri));
            meant.map(|uri| job.files.local.uri_here(uri)).collect()
        };
        let of_settings = conf.with_prefix("spark.kubernetes.driverEnv.");
        let of_settings = of_settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let plain = job.spec.driver.role.env.iter();
        let plain =
            plain.filter_map(|env| Some((env.text("name").to_owned(), env.json.get("value")?.as_str()?.to_owned())));
        Self {
            name: job.title().to_owned(),
            spark_version: Some(job.spark_version().to_owned()),
            language: job.language(),
            main_class: job.spec.main_class.clone(),
            main_file: job.files.local.uri_here(job.spec.main_application_file.as_deref().unwrap_or_default()),
            arguments: job.spec.arguments.clone(),
            conf: conf.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            image: containers::image(&conf, Role::Driver, job.version(), job.spark_version()),
            pull: conf.given("spark.kubernetes.container.image.pullPolicy").map(str::to_owned),
            env: of_settings.chain(plain).collect(),
            jars: files("spark.jars"),
            py_files: files("spark.submit.pyFiles"),
            files: files("spark.files"),
            archives: files("spark.archives"),
            spark_conf: job.files.spark_conf.clone(),
            hadoop_conf: job.files.hadoop.clone(),
            packages: list("spark.jars.packages"),
            exclude_packages: list("spark.jars.excludes"),
            repositories: list("spark.jars.repositories"),
            driver_memory: conf.given("spark.driver.memory").map(str::to_owned),
            executor_memory: conf.given("spark.executor.memory").map(str::to_owned),
            cores,
            run_in,
            without_effect: without_effect(job),
        }
    }

    /// The local master with the job's cores.
    pub fn master(&self) -> String {
        self.cores.map_or_else(|| "local[*]".into(), |cores| format!("local[{cores}]"))
    }

    /// The interpreter that the job names, in Spark's order of precedence.
    pub fn interpreter(&self) -> Option<&str> {
        let named = |list: &[(String, String)], key: &str| list.iter().rposition(|(name, _)| name == key);
        let of_conf = |key| named(&self.conf, key).map(|at| self.conf[at].1.as_str());
        let of_env = |key| named(&self.env, key).map(|at| self.env[at].1.as_str());
        if self.language == Language::R {
            return R_COMMANDS.into_iter().find_map(of_conf);
        }
        of_conf("spark.pyspark.driver.python")
            .or_else(|| of_conf("spark.pyspark.python"))
            .or_else(|| of_env("PYSPARK_DRIVER_PYTHON"))
            .or_else(|| of_env("PYSPARK_PYTHON"))
    }
}

/// Whether a field, given by its path, has an effect on this machine.
pub fn has_effect(job: &Job, path: &str) -> bool {
    let unused = without_effect(job);
    !path.split('.').any(|field| unused.iter().any(|name| name == field))
}

/// The fields of the job that have no effect on one machine, as far as an application may notice.
fn without_effect(job: &Job) -> Vec<String> {
    let spec = &job.spec;
    let roles = [&spec.driver.role, &spec.executor.role];
    let any = |of: fn(&crate::job::role::RoleSpec) -> bool| roles.into_iter().any(of);
    let reference = |env: &&crate::job::kubernetes_type::Embedded<_>| env.json.get("valueFrom").is_some();
    let references = roles.iter().flat_map(|role| role.env.iter().filter(reference).map(|env| env.text("name")));
    let keys = roles.iter().flat_map(|role| role.env_secret_key_refs.keys().map(String::as_str));
    let mut variables: Vec<&str> = references.chain(keys).collect();
    variables.sort_unstable();
    variables.dedup();
    let scheduled = spec.batch_scheduler.as_deref().is_some_and(|scheduler| !scheduler.is_empty());
    let retried = spec.restart_policy.kind.is_some_and(|kind| kind != Restart::Never);
    let fields = [
        ("schedule", job.schedule.is_some()),
        ("batchScheduler", scheduled),
        ("priority classes", any(|role| role.priority_class_name.is_some())),
        ("affinity", any(|role| role.affinity.is_some())),
        ("nodeSelector", !spec.node_selector.is_empty() || any(|role| !role.node_selector.is_empty())),
        ("tolerations", any(|role| !role.tolerations.is_empty())),
        ("pod templates", any(|role| role.template.is_some())),
        ("volumes", !spec.volumes.0.is_empty()),
        ("configMaps", any(|role| !role.config_maps.is_empty())),
        ("secrets", any(|role| !role.secrets.is_empty())),
        ("envFrom", any(|role| !role.env_from.is_empty())),
        ("sidecars", any(|role| !role.sidecars.is_empty())),
        ("initContainers", any(|role| !role.init_containers.is_empty())),
        ("gpu", any(|role| role.gpu.is_some())),
        ("sparkConfigMap", spec.spark_config_map.is_some()),
        ("hadoopConfigMap", spec.hadoop_config_map.is_some()),
        ("proxyUser", spec.proxy_user.is_some()),
        ("dynamicAllocation", spec.dynamic_allocation.enabled == Some(true)),
        ("monitoring", spec.monitoring.is_some()),
        ("restartPolicy", retried),
        ("timeToLiveSeconds", spec.time_to_live_seconds.is_some()),
    ];
    let named = fields.into_iter().filter(|(_, given)| *given).map(|(name, _)| name.to_owned());
    let of_cluster = (!variables.is_empty()).then(|| format!("env {} (of the cluster)", variables.join(", ")));
    named.chain(of_cluster).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Variables, read};

    fn job(spec: &str) -> Job {
        let head = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: pi}\nspec:\n";
        let (jobs, problems) = read(&format!("{head}{spec}"), &Variables::default());
        assert_eq!(problems, []);
        jobs.into_iter().next().unwrap()
    }

    fn local(spec: &str) -> LocalJob {
        LocalJob::of(&job(spec), None, None)
    }

    #[test]
    fn has_the_drivers_variables() {
        let job = local(
            "  sparkConf: {spark.kubernetes.driverEnv.A: conf}\n  driver: {envVars: {B: old}, env: [{name: C, value: new}]}\n",
        );
        let env: Vec<_> = job.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(env, ["A=conf", "B=old", "C=new"]);
        assert_eq!(job.without_effect, [""; 0]);
    }

    #[test]
    fn recognizes_a_field_without_effect_by_its_path() {
        let job = job("  restartPolicy: {type: OnFailure}\n");
        assert!(!has_effect(&job, "spec.restartPolicy.onFailureRetryInterval"));
        assert!(has_effect(&job, "spec.driver.memory"));
    }

    #[test]
    fn names_the_fields_without_effect() {
        let job = local(concat!(
            "  batchScheduler: volcano\n",
            "  restartPolicy: {type: OnFailure}\n",
            "  volumes: [{name: data, emptyDir: {}}]\n",
            "  driver:\n",
            "    affinity: {}\n",
            "    env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n",
        ));
        let expected = ["batchScheduler", "affinity", "volumes", "restartPolicy", "env TOKEN (of the cluster)"];
        assert_eq!(job.without_effect, expected);
    }
}
