//! `spec`: what is to be run.

use std::collections::BTreeMap;

use super::deps::Deps;
use super::driver::Driver;
use super::dynamic_allocation::DynamicAllocation;
use super::executor::Executor;
use super::monitoring::Monitoring;
use super::restart::RestartPolicy;
use super::scheduling::BatchSchedulerOptions;
use super::schema::{Count, Integer, Kind, Read, Reader, Texts, section, word};
use super::ui::{DriverIngress, SparkUi};
use super::volumes::Volumes;
use super::yaml::Node;
use crate::kubernetes::pod::Pod;
use crate::scheduler::{self, Rules};
use crate::spark::{Conf, Language, Role, Version};

section! {
    /// The specification of an application, `sparkoperator.k8s.io/v1beta2`.
    pub struct Spec {
        /// Language of the application.
        kind("type"): Option<Language> => "memory outside of the heap (0.4 of it for Python and R), and how the driver is started",
        /// Version of Spark in the image, such as `3.5.1`.
        spark_version: Option<String> => "decides what Spark of that version expects of its objects",
        /// `cluster`: the driver runs in a pod. `client` is not for a submitter from outside.
        mode: Option<Mode> => "spark.submit.deployMode",
        /// User that the driver impersonates.
        proxy_user: Option<String> => "driver arguments --proxy-user, SPARK_USER",
        /// Image of the driver and the executors.
        image: Option<String> => "spark.kubernetes.container.image",
        /// When the image is pulled: Always, IfNotPresent (the default) or Never.
        image_pull_policy: Option<PullPolicy> => "spark.kubernetes.container.image.pullPolicy",
        /// Secrets to pull the images with.
        image_pull_secrets: Vec<String> => "spark.kubernetes.container.image.pullSecrets",
        /// Main class of a Java or Scala application.
        main_class: Option<String> => "driver arguments --class",
        /// Jar or script that is run. `local:///path` is a path inside the image, `./path` one of this machine
        /// beside the job file, which travels along.
        main_application_file: Option<String> => "driver arguments, the resource",
        /// Arguments of the application.
        arguments: Vec<String> => "driver arguments, the last",
        /// Settings of Spark. Typed fields win over them, but for `image`, `imagePullPolicy`,
        /// `imagePullSecrets`, `pythonVersion` and `memoryOverheadFactor`.
        spark_conf: Texts => "spark.properties",
        /// Settings of Hadoop.
        hadoop_conf: Texts => "spark.hadoop.KEY",
        /// ConfigMap with files of Spark's configuration, such as log4j2.properties.
        spark_config_map: Option<String> => "volume spark-configmap-volume at /etc/spark/conf",
        /// ConfigMap with files of Hadoop's configuration, such as core-site.xml.
        hadoop_config_map: Option<String> => "volume hadoop-configmap-volume at /etc/hadoop/conf, HADOOP_CONF_DIR",
        /// Volumes, mounted by the `volumeMounts` of a role.
        volumes: Volumes => "pod volumes, where a role mounts them",
        /// Labels that the nodes of all pods must have.
        node_selector: Texts => "spark.kubernetes.node.selector.KEY",
        /// Memory outside of the heap as a part of the heap.
        memory_overhead_factor: Option<String> => "spark.kubernetes.memoryOverheadFactor",
        /// Version of Python, 2 or 3 (deprecated since Spark 3.1, where it is always 3).
        python_version: Option<String> => "spark.kubernetes.pyspark.pythonVersion",
        /// Jars, files, Python files, archives and packages that the application needs.
        deps: Deps => "spark.jars, spark.files, …",
        /// What happens after a failure.
        restart_policy: RestartPolicy => "a Job's retries",
        /// Dead: in the definition of the operator, read by nothing.
        failure_retries: Option<Count> => "a warning: the operator does not read it either",
        /// Dead: in the definition of the operator, read by nothing.
        retry_interval: Option<Integer> => "a warning: the operator does not read it either",
        /// Seconds after its end when the application is deleted.
        time_to_live_seconds: Option<Integer> => "a Job's ttlSecondsAfterFinished",
        /// Whether the application waits to be resumed.
        suspend: Option<bool> => "an error: a submission runs",
        /// Who schedules the application's pods as a gang: volcano, yunikorn, kueue, or the name of a kube-scheduler
        /// with the coscheduling plugin. A scheduler without gangs is named by the roles' `schedulerName`.
        batch_scheduler: Option<String> => "pods' schedulerName; a PodGroup, task groups, or Kueue's label",
        /// How the gang is scheduled.
        batch_scheduler_options: BatchSchedulerOptions => "the PodGroup",
        /// Executors that come and go with the work.
        dynamic_allocation: DynamicAllocation => "spark.dynamicAllocation.*",
        /// Metrics for Prometheus.
        monitoring: Option<Monitoring> => "a ConfigMap, spark.metrics.*, javaOptions, annotations",
        /// Service and Ingress of Spark's web interface.
        spark_ui_options("sparkUIOptions"): Option<SparkUi> => "a Service NAME-ui-svc",
        /// Services and Ingresses of other ports of the driver.
        driver_ingress_options: Vec<DriverIngress> => "a Service and an Ingress each",
        /// Whether a PodDisruptionBudget keeps the driver from voluntary evictions.
        driver_pod_disruption_budget: Option<bool> => "a PodDisruptionBudget",
        /// The driver.
        driver: Driver => "the driver pod",
        /// The executors.
        executor: Executor => "spark.executor.*, and the executors' pod template",
    }
}

impl Read for Language {
    fn kind() -> Kind {
        Kind::Word(Self::WORDS)
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        node.text().and_then(Self::of_word).unwrap_or_else(|| {
            reader.refuse_word(node, Self::WORDS);
            Self::default()
        })
    }
}

/// Where the driver runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Cluster,
    Client,
}

impl Read for Mode {
    fn kind() -> Kind {
        Kind::Word(&["cluster", "client"])
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        match node.text() {
            Some("cluster") => Self::Cluster,
            Some("client") => Self::Client,
            _ => {
                reader.refuse_word(node, &["cluster", "client"]);
                Self::Cluster
            }
        }
    }
}

word! {
    /// When an image is pulled.
    pub enum PullPolicy { IfNotPresent, Always, Never }
}

impl Spec {
    /// The settings of Spark that the fields amount to, in the operator's order: what comes
    /// later wins.
    pub fn settings(&self, namespace: &str, name: &str) -> Conf {
        let mut conf = Conf::default();
        conf.set_some("spark.kubernetes.container.image", self.image.as_ref());
        conf.set_some("spark.kubernetes.container.image.pullPolicy", self.image_pull_policy.map(PullPolicy::word));
        if !self.image_pull_secrets.is_empty() {
            conf.set("spark.kubernetes.container.image.pullSecrets", self.image_pull_secrets.join(","));
        }
        conf.set_some("spark.kubernetes.pyspark.pythonVersion", self.python_version.as_ref());
        conf.set_some("spark.kubernetes.memoryOverheadFactor", self.memory_overhead_factor.as_ref());
        self.deps.settings(&mut conf);
        conf.extend(self.spark_conf.clone());
        conf.set_all("spark.hadoop.", &self.hadoop_conf);
        for (role, image) in [(Role::Driver, &self.driver.role.image), (Role::Executor, &self.executor.role.image)] {
            conf.set_some(
                &format!("spark.kubernetes.{}.container.image", role.word()),
                image.as_ref().or(self.image.as_ref()),
            );
        }
        if let Some(monitoring) = &self.monitoring {
            monitoring.settings(namespace, name, &mut conf);
        }
        self.driver.settings(&mut conf);
        self.volumes.settings(&self.driver.role, Role::Driver, &mut conf);
        self.executor.settings(&mut conf);
        self.volumes.settings(&self.executor.role, Role::Executor, &mut conf);
        conf.set_all("spark.kubernetes.node.selector.", &self.node_selector);
        self.dynamic_allocation.settings(&mut conf);
        if let Some(monitoring) = &self.monitoring {
            monitoring.java_agent(&mut conf);
        }
        self.defaults(&mut conf);
        conf
    }

    /// Writes the fields for both roles, and those of this role over them, into a pod of the role.
    pub fn overlay(&self, role: Role, version: Version, pod: &mut Pod) {
        // Without the gang's priority class the pods would be preempted as if they had none. A role's own wins over it.
        pod.set_some("priorityClassName", self.batch_scheduler_options.priority_class_name.clone());
        if let Some(map) = &self.hadoop_config_map {
            pod.mount_named("hadoop-configmap-volume", map, "/etc/hadoop/conf");
            pod.env("HADOOP_CONF_DIR", "/etc/hadoop/conf");
        }
        if let Some(map) = &self.spark_config_map {
            pod.mount_named("spark-configmap-volume", map, "/etc/spark/conf");
            pod.env("SPARK_CONF_DIR", "/etc/spark/conf");
        }
        let spec = self.role(role);
        spec.overlay(role, version, pod);
        self.volumes.overlay(spec, pod);
    }

    pub fn role(&self, role: Role) -> &super::role::RoleSpec {
        match role {
            Role::Driver => &self.driver.role,
            Role::Executor => &self.executor.role,
        }
    }

    /// What the operator adds where nothing was said. Spark's own defaults are the same, but one
    /// executor instead of two.
    fn defaults(&self, conf: &mut Conf) {
        if !conf.is_true("spark.dynamicAllocation.enabled") {
            conf.set_default("spark.executor.instances", "1");
        }
    }

    /// Labels of the pods beside those of their role, `metadata.labels` of the file among them:
    /// Those of a queue stay with the object that it manages.
    pub fn propagated(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let own_labels = || scheduler::all().filter_map(Rules::own_labels);
        labels
            .iter()
            .filter(|(key, _)| !own_labels().any(|beginning| key.starts_with(beginning)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}
