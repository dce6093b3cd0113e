//! What the objects of one submission have in common: settings, names, labels.

use std::collections::BTreeMap;

use crate::job::restart::{CarrierKind, Supervision};
use crate::job::scheduling::{KUEUE_QUEUE, Scheduler};
use crate::job::{Files, Job, Submission};
use crate::kubernetes::names;
use crate::spark::{Conf, EXECUTOR_PREFIX, Version, app_name_label, resource_name_prefix};

/// A job, ready to become objects.
pub struct Plan<'a> {
    pub job: &'a Job,
    pub submission: &'a Submission,
    /// All settings as they are written into `spark.properties`, Spark's own among them.
    pub properties: Conf,
    /// The same as Spark reads them: what they refer to is put in.
    pub conf: Conf,
    pub version: Version,
    pub scheduler: Scheduler,
    pub carrier: CarrierKind,
    pub names: Names,
    /// Scratch directories of the driver: their mounts.
    pub local_dirs: Vec<LocalDir>,
}

/// Names of the objects. Those of companions are unique to the submission, so that what is left
/// of an earlier run never stands in the way.
pub struct Names {
    pub namespace: String,
    /// Of the carrier: the driver's pod, or what makes it.
    pub carrier: String,
    pub service: String,
    pub conf: String,
    pub template: String,
    /// Of the ConfigMap with the submitter's files.
    pub files: String,
    pub hadoop: String,
    pub krb5: String,
    pub keytab: String,
    pub credentials: String,
    pub policy: String,
    pub pod_group: String,
    /// Prefix of executors' pods, where the driver has no say in it.
    pub executors: String,
}

/// A directory for Spark's scratch files.
pub struct LocalDir {
    pub path: String,
    /// Name of the volume that has to be made for it.
    pub volume: Option<String>,
}

pub const CONF_DIR: &str = "/opt/spark/conf";
pub const TEMPLATE_DIR: &str = "/opt/spark/pod-template";
pub const TEMPLATE_FILE: &str = "pod-spec-template.yml";
/// Longest name of a Job: its pods' names have six characters more, and begin their executors' names.
const JOB: usize = EXECUTOR_PREFIX - 6;
/// A CronJob's Jobs have their minute behind its name.
const RUN: usize = "-29399999".len();
/// Volcano's annotation for a pod's PodGroup.
pub const GROUP_NAME: &str = "scheduling.k8s.io/group-name";
/// The coscheduling plugin's label for the same.
pub const COSCHEDULING_GROUP: &str = "scheduling.x-k8s.io/pod-group";

/// What an index adds to the names of a Job's pods.
fn index(supervision: Supervision) -> usize {
    if supervision.counts_losses() { super::batch_job::INDEX } else { 0 }
}

impl Names {
    fn of(job: &Job, namespace: &str, conf: &Conf, submission: &Submission, carrier: CarrierKind) -> Self {
        let name = job.name(submission);
        let stem = format!("{}-{}", resource_name_prefix(&name), submission.short());
        // Runs with keys of their own stand side by side.
        let own = submission.key.as_ref().map(|_| format!("-{}", submission.short())).unwrap_or_default();
        let named = |suffix: &str| unique(&resource_name_prefix(&name), submission.short(), suffix, names::LABEL);
        Self {
            namespace: namespace.to_owned(),
            carrier: match (carrier, conf.given("spark.kubernetes.driver.pod.name")) {
                (CarrierKind::Pod, Some(given)) => given.to_owned(),
                (CarrierKind::Pod, None) => names::cut(&name, &format!("{own}-driver"), names::LABEL),
                (CarrierKind::Job(of), _) => names::cut(&name.replace('.', "-"), &own, JOB - index(of)),
                (CarrierKind::CronJob(of), _) => names::cut(&name.replace('.', "-"), &own, JOB - RUN - index(of)),
            },
            service: named("-driver-svc"),
            conf: named("-driver-conf"),
            template: named("-executor-template"),
            files: named("-files"),
            hadoop: named("-hadoop-conf"),
            krb5: named("-krb5"),
            keytab: named("-keytab"),
            credentials: named("-credentials"),
            policy: named("-policy"),
            pod_group: named("-pg"),
            executors: match conf.given("spark.kubernetes.executor.podNamePrefix") {
                Some(prefix) => prefix.to_owned(),
                None if stem.len() <= EXECUTOR_PREFIX => stem,
                None => unique(&resource_name_prefix(&name), submission.short(), "", EXECUTOR_PREFIX),
            },
        }
    }
}

/// `NAME-ID` with a suffix, of which the name is cut.
fn unique(name: &str, id: &str, suffix: &str, limit: usize) -> String {
    let suffix = format!("-{id}{suffix}");
    let room = limit.saturating_sub(suffix.len()).min(name.len());
    format!("{}{suffix}", name[..room].trim_end_matches('-'))
}

impl<'a> Plan<'a> {
    pub fn of(job: &'a Job, namespace: &str, submission: &'a Submission) -> Self {
        let mut properties = job.settings(namespace);
        let version = job.version();
        let scheduler = Scheduler::of(job);
        let carrier = job.carrier();
        let names = Names::of(job, namespace, &job.resolved(namespace), submission, carrier);
        let mut plan = Self {
            job,
            submission,
            properties: Conf::default(),
            conf: Conf::default(),
            version,
            scheduler,
            carrier,
            names,
            local_dirs: Vec::new(),
        };
        plan.complete(&mut properties);
        plan.conf = properties.all_resolved(&job.files.environment);
        plan.properties = properties;
        plan.local_dirs = plan.scratch();
        plan
    }

    pub fn files(&self) -> &Files {
        &self.job.files
    }

    pub fn name(&self) -> String {
        self.job.name(self.submission)
    }

    /// What a submission of Spark adds to the settings of the user, and what it takes away.
    ///
    /// Source: `KubernetesClientApplication`, `BasicDriverFeatureStep`, `DriverServiceFeatureStep`,
    /// `PodTemplateConfigMapStep` and `SparkSubmit` of Spark.
    fn complete(&self, conf: &mut Conf) {
        let job = self.job;
        // A PodGroup that the user named is the user's; otherwise both roles are in ours.
        if let Some(link) = self.link().filter(|_| !self.has_own_group()) {
            for role in ["driver", "executor"] {
                conf.set(format!("spark.kubernetes.{role}.{link}"), self.names.pod_group.as_str());
            }
        }
        if let Some(name) = self.scheduler.name() {
            conf.set("spark.kubernetes.driver.scheduler.name", name);
            conf.set("spark.kubernetes.executor.scheduler.name", name);
        }
        if self.scheduler == Scheduler::YuniKorn {
            for (key, value) in super::yunikorn::settings(job.spec.batch_scheduler_options.queue.as_ref()) {
                if !job.conf.contains_key(&key) {
                    conf.set(key, value);
                }
            }
        }
        // Attempts have ids of their own in Spark's label, by which YuniKorn would take executors for another application.
        if self.scheduler == Scheduler::YuniKorn && self.carrier != CarrierKind::Pod {
            for role in ["driver", "executor"] {
                let key = format!("spark.kubernetes.{role}.annotation.{}", super::yunikorn::APPLICATION);
                conf.set_default(&key, self.submission.application());
            }
        }
        for role in ["driver", "executor"] {
            let label = |key: &str| format!("spark.kubernetes.{role}.label.{key}");
            let mut labels = crate::job::spec::Spec::propagated(&job.labels);
            labels.extend(self.kueue_label());
            labels.extend(self.own_labels());
            for (key, value) in labels {
                conf.set_default(&label(&key), value);
            }
        }
        conf.set_default("spark.app.name", self.name());
        conf.set_some("spark.app.submitTime", self.submission.milliseconds().filter(|_| self.version >= Version(3, 3)));
        conf.set_default("spark.master", "k8s://https://kubernetes.default.svc");
        conf.set("spark.submit.deployMode", "cluster");
        conf.set("spark.kubernetes.namespace", self.names.namespace.as_str());
        if self.carrier == CarrierKind::Pod {
            conf.set("spark.app.id", self.submission.application());
            conf.set("spark.driver.host", format!("{}.{}.svc", self.names.service, self.names.namespace));
            conf.set("spark.kubernetes.driver.pod.name", self.names.carrier.as_str());
            conf.set("spark.kubernetes.executor.podNamePrefix", self.names.executors.as_str());
        }
        // From 4.1 on Spark writes this into executors' pods whatever their template says.
        if self.version >= Version(4, 1)
            && let Some(seconds) = &job.spec.executor.role.termination_grace_period_seconds
        {
            conf.set("spark.kubernetes.executor.terminationGracePeriodSeconds", format!("{}s", **seconds));
        }
        conf.set("spark.kubernetes.submitInDriver", "true");
        conf.set("spark.kubernetes.resource.type", job.language().resource_type());
        let read = conf.all_resolved(&job.files.environment);
        let ports = Ports::of(&read);
        conf.set("spark.driver.port", ports.rpc.to_string());
        conf.set("spark.driver.blockManager.port", ports.service_block_manager.to_string());
        if let Ok(factor) = crate::spark::memory::overhead_factor(&read, job.language().is_foreign()) {
            conf.set("spark.kubernetes.memoryOverheadFactor", java_double(factor));
        }
        conf.set_default("spark.submit.pyFiles", "");
        if !job.language().is_foreign()
            && let Some(main) = job.spec.main_application_file.as_deref().filter(|main| !main.is_empty())
        {
            let jars = conf.given("spark.jars").map_or_else(|| main.to_owned(), |jars| format!("{jars},{main}"));
            conf.set("spark.jars", jars);
        }
        super::files::locate(self, conf);
        if self.needs_template() {
            conf.set("spark.kubernetes.executor.podTemplateFile", format!("{TEMPLATE_DIR}/{TEMPLATE_FILE}"));
            conf.set_some(
                "spark.kubernetes.executor.podTemplateContainerName",
                super::executor_template::container(self),
            );
        }
        if self.version >= Version(3, 5) {
            let hadoop = conf.get("spark.kubernetes.hadoop.configMapName").map(str::to_owned);
            let hadoop = hadoop.or_else(|| self.files().hadoop.is_some().then(|| self.names.hadoop.clone()));
            conf.set_some("spark.kubernetes.executor.hadoopConfigMapName", hadoop);
        }
        if let Some((name, _)) = super::hadoop::shipped_keytab(self.files(), conf) {
            conf.set(super::hadoop::KEYTAB, format!("{}/{name}", super::hadoop::KEYTAB_DIR));
        }
        super::credentials::redact(conf);
    }

    /// Whether there is anything that executors get by their template alone.
    pub fn needs_template(&self) -> bool {
        !super::executor_template::template(self.job, self.version, &self.scheduler, &self.name()).is_blank()
            || self.files().executor_template.is_some()
    }

    /// What links a pod to its PodGroup, as Spark's settings have it behind the role.
    fn link(&self) -> Option<String> {
        match self.scheduler {
            Scheduler::Volcano => Some(format!("annotation.{GROUP_NAME}")),
            Scheduler::Coscheduling(_) => Some(format!("label.{COSCHEDULING_GROUP}")),
            Scheduler::Default | Scheduler::YuniKorn | Scheduler::Kueue => None,
        }
    }

    /// Whether the user put the driver into a PodGroup of the user's own.
    pub fn has_own_group(&self) -> bool {
        let driver = &self.job.spec.driver.role;
        let setting = self.link().map(|link| format!("spark.kubernetes.driver.{link}"));
        let by_setting =
            setting.is_some_and(|key| self.job.spec.spark_conf.contains_key(&key) || self.job.conf.contains_key(&key));
        by_setting
            || match self.scheduler {
                Scheduler::Volcano => driver.annotations.contains_key(GROUP_NAME),
                Scheduler::Coscheduling(_) => driver.labels.contains_key(COSCHEDULING_GROUP),
                Scheduler::Default | Scheduler::YuniKorn | Scheduler::Kueue => false,
            }
    }

    /// Kueue lets pods in one by one, so each has the label of the queue.
    fn kueue_label(&self) -> Option<(String, String)> {
        let queue = self.queue().filter(|_| self.scheduler == Scheduler::Kueue);
        queue.map(|queue| (KUEUE_QUEUE.to_owned(), queue.clone()))
    }

    /// The queue that was named.
    pub fn queue(&self) -> Option<&String> {
        let options = &self.job.spec.batch_scheduler_options;
        options.queue.as_ref().or(self.job.labels.get(KUEUE_QUEUE))
    }

    /// Labels by which the application is found, on all of its pods and objects.
    pub fn own_labels(&self) -> BTreeMap<String, String> {
        [
            ("app.kubernetes.io/managed-by", "sparkctl".to_owned()),
            ("sparkoperator.k8s.io/app-name", names::cut(&self.name(), "", names::LABEL)),
            (SUBMISSION, self.submission.uuid()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// The label that driver and executors share: attempts have application ids of their own.
    pub fn common_label(&self) -> (&'static str, String) {
        match self.carrier {
            CarrierKind::Pod => ("spark-app-selector", self.submission.application()),
            CarrierKind::Job(_) | CarrierKind::CronJob(_) => (SUBMISSION, self.submission.uuid()),
        }
    }

    /// Labels of the objects that are not pods.
    pub fn object_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.own_labels();
        labels.insert("spark-app-selector".into(), self.submission.application());
        labels
    }

    /// Labels of the driver's pod.
    ///
    /// Source: `KubernetesDriverConf.labels` of Spark; name and version are Spark 3.3's.
    pub fn driver_labels(&self) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = self
            .conf
            .with_prefix("spark.kubernetes.driver.label.")
            .map(|(key, value)| (key.to_owned(), self.substituted(value, Version(4, 0))))
            .collect();
        labels.insert("spark-app-selector".into(), self.submission.application());
        labels.insert("spark-role".into(), "driver".into());
        if self.version >= Version(3, 3) {
            labels.insert("spark-app-name".into(), app_name_label(self.conf.get("spark.app.name").unwrap_or_default()));
            if names::check_label_value(self.job.spark_version()).is_ok() {
                labels.insert("spark-version".into(), self.job.spark_version().to_owned());
            }
        }
        labels
    }

    /// Annotations of the driver's pod.
    pub fn driver_annotations(&self) -> BTreeMap<String, String> {
        let annotations = self.conf.with_prefix("spark.kubernetes.driver.annotation.");
        let mut annotations: BTreeMap<String, String> =
            annotations.map(|(key, value)| (key.to_owned(), self.substituted(value, Version(3, 3)))).collect();
        annotations.insert(NAME_ANNOTATION.into(), self.name());
        annotations
    }

    /// A label's or an annotation's value with Spark's variables replaced, where the version
    /// does so.
    fn substituted(&self, value: &str, since: Version) -> String {
        match self.version >= since {
            true => value.replace("{{APP_ID}}", &self.submission.application()).replace("{{EXECUTOR_ID}}", ""),
            false => value.to_owned(),
        }
    }

    /// The image of the driver.
    pub fn driver_image(&self) -> Option<String> {
        let image = self
            .conf
            .given("spark.kubernetes.driver.container.image")
            .or(self.conf.given("spark.kubernetes.container.image"));
        image.map(|image| match self.version >= Version(4, 1) {
            true => image.replace("{{SPARK_VERSION}}", self.job.spark_version()),
            false => image.to_owned(),
        })
    }

    /// Where the driver keeps scratch files: volumes meant for it, else `spark.local.dir`, else one
    /// directory of its own.
    ///
    /// Source: `LocalDirsFeatureStep` of Spark. Its order of several is random; ours is as given.
    fn scratch(&self) -> Vec<LocalDir> {
        let mut mounted: Vec<LocalDir> = super::driver::conf_volumes(&self.conf)
            .filter(|volume| volume.name.starts_with(crate::job::volumes::LOCAL_DIR))
            .map(|volume| LocalDir { path: volume.path, volume: None })
            .collect();
        let template = self.job.driver_template();
        let mounts = template
            .as_ref()
            .map(|template| crate::kubernetes::pod::Pod::of_template(Some(template), &self.driver_container()));
        for mount in mounts.iter().flat_map(|pod| pod.mounts()) {
            if mount["name"].as_str().is_some_and(|name| name.starts_with(crate::job::volumes::LOCAL_DIR)) {
                mounted
                    .push(LocalDir { path: mount["mountPath"].as_str().unwrap_or_default().to_owned(), volume: None });
            }
        }
        if !mounted.is_empty() {
            return mounted;
        }
        let paths = match self.conf.list("spark.local.dir") {
            paths if paths.is_empty() => vec![format!("/var/data/spark-{}", self.submission.uuid())],
            paths => paths.into_iter().map(str::to_owned).collect(),
        };
        let volume = |index: usize| Some(format!("spark-local-dir-{}", index + 1));
        paths.into_iter().enumerate().map(|(index, path)| LocalDir { path, volume: volume(index) }).collect()
    }

    /// The name of Spark's container in the driver's pod.
    pub fn driver_container(&self) -> String {
        self.conf.given("spark.kubernetes.driver.podTemplateContainerName").unwrap_or(DRIVER_CONTAINER).to_owned()
    }

    /// How many executors there are to be at the start.
    ///
    /// Source: `SchedulerBackendUtils.getInitialTargetExecutorNumber` and
    /// `Utils.getDynamicAllocationInitialExecutors` of Spark.
    pub fn executors(&self) -> u32 {
        let number = |key: &str| self.conf.get(key).and_then(|text| text.trim().parse::<u32>().ok());
        let instances = number("spark.executor.instances");
        match self.conf.is_true("spark.dynamicAllocation.enabled") {
            true => {
                let least = number("spark.dynamicAllocation.minExecutors").unwrap_or(0);
                let initial = number("spark.dynamicAllocation.initialExecutors").unwrap_or(least);
                least.max(initial).max(instances.unwrap_or(0))
            }
            false => instances.unwrap_or(1),
        }
    }
}

pub const DRIVER_CONTAINER: &str = "spark-kubernetes-driver";
pub const EXECUTOR_CONTAINER: &str = "spark-kubernetes-executor";

/// The whole name of an application whose labels and objects may have a shorter one.
pub const NAME_ANNOTATION: &str = "sparkctl.dev/name";

/// The label with the submission's id.
pub const SUBMISSION: &str = "sparkoperator.k8s.io/submission-id";

/// What the user calls a run.
pub const RUN_KEY: &str = "sparkctl.dev/run-key";
/// A hash of all that a run with a key consists of.
pub const SPECIFICATION: &str = "sparkctl.dev/specification";

/// Ports of the driver.
///
/// Source: `DriverServiceFeatureStep` and `BasicDriverFeatureStep` of Spark. The Service does not
/// honour `spark.blockManager.port`, which the container does.
pub struct Ports {
    pub rpc: i64,
    pub block_manager: i64,
    pub service_block_manager: i64,
    pub ui: i64,
    pub connect: i64,
}

impl Ports {
    pub fn of(conf: &Conf) -> Self {
        let port = |key: &str| conf.get(key).and_then(|text| text.trim().parse::<i64>().ok());
        let service_block_manager = port("spark.driver.blockManager.port");
        Self {
            rpc: port("spark.driver.port").unwrap_or(7078),
            block_manager: service_block_manager.or(port("spark.blockManager.port")).unwrap_or(7079),
            service_block_manager: service_block_manager.unwrap_or(7079),
            ui: port("spark.ui.port").unwrap_or(4040),
            connect: port("spark.connect.grpc.binding.port").unwrap_or(15002),
        }
    }
}

/// A number as Java prints a double: `0.1`, `1.0`, and below a thousandth or from ten million on `1.0E-4`.
///
/// Source: `Double.toString` of Java 19 and later.
fn java_double(number: f64) -> String {
    let (text, exponent) = match number {
        0.0 | 1e-3..1e7 => (number.to_string(), String::new()),
        _ => match format!("{number:E}").split_once('E') {
            Some((digits, exponent)) => (digits.to_owned(), format!("E{exponent}")),
            None => (number.to_string(), String::new()),
        },
    };
    let point = if text.contains('.') { "" } else { ".0" };
    format!("{text}{point}{exponent}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (0.1, "0.1"),
            (2.0, "2.0"),
            (0.0001, "1.0E-4"),
            (0.00025, "2.5E-4"),
            (1e7, "1.0E7"),
            (1234567.5, "1234567.5"),
        ] {
            assert_eq!(super::java_double(number), text);
        }
    }
}
