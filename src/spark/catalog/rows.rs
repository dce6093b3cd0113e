//! The rows of the catalogue: where a setting comes from, and what sparkctl does with it.
//!
//! What Spark itself knows about a setting, such as its type and since when it exists, is in the registry.

/// A setting, or a family of settings that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `spark.executor.memory`; a family ends in `.*`.
    pub key: &'static str,
    /// The field of the job file that becomes the setting; a family's is a mapping.
    pub field: Option<&'static str>,
    /// Whether the field says the same as the setting and no more, so that one can be written for the other.
    pub is_whole_field: bool,
    /// The flag of sparkctl that sets it.
    pub flag: Option<&'static str>,
    /// The flag of spark-submit that sets it.
    pub submit_flag: Option<&'static str>,
    /// The environment variable from which spark-submit takes it where nothing else gives it.
    pub variable: Option<&'static str>,
    pub effect: Effect,
    /// What a value must be for a submission to accept it.
    pub accepts: Option<Accepts>,
    /// Whether the value is a list of files that are shipped with the application.
    pub is_file_list: bool,
    /// Whether Spark takes the value as it is written, without replacing `${…}` in it.
    pub is_literal: bool,
    /// Whether the value refers to a secret or to its file, though the key reads like a secret's.
    pub is_reference: bool,
    /// Keys that people write by mistake and mean this one.
    pub mistakes: &'static [&'static str],
}

/// What becomes of a setting in a submission by sparkctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is passed on to Spark, and the objects are created as spark-submit would create them.
    Applied,
    /// As `Applied`, and sparkctl sets it when it is not given, or always.
    Set(&'static str),
    /// It has no effect, for this reason.
    Nothing(&'static str),
}

/// What a value must be for a submission to accept it: anything else is an error before the submission, because it
/// would be one in Spark or in Kubernetes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// `true` or `false`, in any case.
    Boolean,
    /// One of these words, as they are written here.
    Words(&'static [&'static str]),
    /// A port of TCP.
    Port,
    /// An amount of memory in Spark's notation.
    Memory,
    /// A number of cores or executors.
    Count,
    /// A quantity of CPU in Kubernetes' notation.
    Cpu,
}

impl Row {
    const fn of(key: &'static str) -> Self {
        Self {
            key,
            field: None,
            is_whole_field: false,
            flag: None,
            submit_flag: None,
            variable: None,
            effect: Effect::Applied,
            accepts: None,
            is_file_list: false,
            is_literal: false,
            is_reference: false,
            mistakes: &[],
        }
    }

    /// A setting that says the same as a field.
    const fn field(self, path: &'static str) -> Self {
        Self { field: Some(path), is_whole_field: true, ..self }
    }

    /// A setting that a field becomes, among other effects.
    const fn part_of(self, path: &'static str) -> Self {
        Self { field: Some(path), ..self }
    }

    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    const fn submit_flag(self, flag: &'static str) -> Self {
        Self { submit_flag: Some(flag), ..self }
    }

    const fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    const fn set(self, how: &'static str) -> Self {
        Self { effect: Effect::Set(how), ..self }
    }

    const fn no_effect(self, reason: &'static str) -> Self {
        Self { effect: Effect::Nothing(reason), ..self }
    }

    const fn accepts(self, accepts: Accepts) -> Self {
        Self { accepts: Some(accepts), ..self }
    }

    const fn file_list(self) -> Self {
        Self { is_file_list: true, ..self }
    }

    const fn literal(self) -> Self {
        Self { is_literal: true, ..self }
    }

    const fn reference(self) -> Self {
        Self { is_reference: true, ..self }
    }

    const fn mistakes(self, keys: &'static [&'static str]) -> Self {
        Self { mistakes: keys, ..self }
    }

    /// The prefix of a family, with its last dot.
    pub fn prefix(&self) -> Option<&'static str> {
        self.key.strip_suffix('*')
    }

    /// The part of `key` behind the family's prefix; empty for the setting itself.
    pub fn tail<'a>(&self, key: &'a str) -> Option<&'a str> {
        tail(self.key, key)
    }

    /// The path in the job file of the setting `key` of this row.
    pub fn path(&self, key: &str) -> Option<String> {
        let (field, tail) = (self.field?, self.tail(key)?);
        Some(if tail.is_empty() { field.to_owned() } else { format!("{field}.{tail}") })
    }
}

/// The part of `key` that a family's `*` stands for; empty if the key is the setting itself.
pub(super) fn tail<'a>(pattern: &str, key: &'a str) -> Option<&'a str> {
    match pattern.strip_suffix('*') {
        Some(prefix) => key.strip_prefix(prefix).filter(|tail| !tail.is_empty()),
        None => (key == pattern).then_some(""),
    }
}

const KUBECONFIG: &str = "the connection to the cluster is the kubeconfig's: use --context and --kubeconfig";

/// The rows, the single settings by subject, the families last.
///
/// Source: `org.apache.spark.deploy.k8s.Config` of Spark 3.0 to 4.3; `SparkSubmit.prepareSubmitEnvironment` and its
/// `OptionAssigner`s for flags of spark-submit; `SparkSubmitArguments.loadEnvironmentArguments` for variables;
/// `KubernetesUtils.parsePrefixedKeyValuePairs` and `SparkSubmitArguments` for what Spark takes as it is written.
pub const ROWS: &[Row] = &[
    // The application.
    Row::of("spark.app.name").submit_flag("--name").set("by default the application's name"),
    Row::of("spark.app.id").no_effect("it is made at each submission; Spark overwrites it as well"),
    Row::of("spark.app.submitTime").set("the time of the submission, from Spark 3.3 on"),
    Row::of("spark.master")
        .submit_flag("--master")
        .variable("MASTER")
        .no_effect("the cluster is the kubeconfig's, and the driver finds the API server by itself"),
    Row::of("spark.submit.deployMode")
        .part_of("spec.mode")
        .submit_flag("--deploy-mode")
        .variable("DEPLOY_MODE")
        .no_effect("the driver always runs in the cluster"),
    Row::of("spark.kubernetes.namespace")
        .part_of("metadata.namespace")
        .set("the namespace of the submission")
        .mistakes(&["spark.kubernetes.driver.namespace", "spark.namespace"]),
    Row::of("spark.kubernetes.resource.type").set("the language of the application"),
    Row::of("spark.kubernetes.submitInDriver").set("true"),
    Row::of("spark.kubernetes.file.upload.path"),
    Row::of("spark.kubernetes.context").no_effect(KUBECONFIG),
    Row::of("spark.kubernetes.trust.certificates").no_effect(KUBECONFIG),
    Row::of("spark.kubernetes.submission.connectionTimeout").no_effect(KUBECONFIG),
    Row::of("spark.kubernetes.submission.requestTimeout").no_effect(KUBECONFIG),
    Row::of("spark.kubernetes.submission.waitAppCompletion")
        .no_effect("sparkctl waits unless --detach is given")
        .accepts(Accepts::Boolean),
    Row::of("spark.kubernetes.report.interval").no_effect("sparkctl watches, and reports changes as they happen"),
    Row::of("spark.kubernetes.appKillPodDeletionGracePeriod")
        .no_effect("the command `delete` leaves each pod its own grace period"),
    Row::of("spark.kubernetes.scheduler.volcano.podGroupTemplateFile")
        .no_effect("write `batchScheduler: volcano` and `batchSchedulerOptions`"),
    // The image.
    Row::of("spark.kubernetes.container.image").field("spec.image").flag("--image").mistakes(&[
        "spark.kubernetes.image",
        "spark.kubernetes.container.docker.image",
        "spark.kubernetes.docker.image",
    ]),
    Row::of("spark.kubernetes.container.image.pullPolicy")
        .field("spec.imagePullPolicy")
        .flag("--image-pull-policy")
        .accepts(Accepts::Words(&["Always", "IfNotPresent", "Never"]))
        .mistakes(&["spark.kubernetes.image.pullPolicy", "spark.kubernetes.container.imagePullPolicy"]),
    Row::of("spark.kubernetes.container.image.pullSecrets").field("spec.imagePullSecrets").mistakes(&[
        "spark.kubernetes.image.pullSecrets",
        "spark.kubernetes.imagePullSecrets",
        "spark.kubernetes.container.imagePullSecrets",
    ]),
    Row::of("spark.kubernetes.memoryOverheadFactor")
        .field("spec.memoryOverheadFactor")
        .set("0.1, and 0.4 for Python and R, when it is not given"),
    // What the application needs.
    Row::of("spark.jars").field("spec.deps.jars").flag("--jars").submit_flag("--jars").file_list(),
    Row::of("spark.files").field("spec.deps.files").flag("--files").submit_flag("--files").file_list(),
    Row::of("spark.submit.pyFiles")
        .field("spec.deps.pyFiles")
        .flag("--py-files")
        .submit_flag("--py-files")
        .file_list()
        .mistakes(&["spark.pyFiles", "spark.py.files", "spark.pyspark.pyFiles"]),
    Row::of("spark.archives").field("spec.deps.archives").flag("--archives").submit_flag("--archives").file_list(),
    Row::of("spark.jars.packages")
        .field("spec.deps.packages")
        .flag("--packages")
        .submit_flag("--packages")
        .mistakes(&["spark.packages"]),
    Row::of("spark.jars.excludes").field("spec.deps.excludePackages").submit_flag("--exclude-packages"),
    Row::of("spark.jars.repositories").field("spec.deps.repositories").submit_flag("--repositories"),
    // The driver.
    Row::of("spark.kubernetes.driver.container.image")
        .field("spec.driver.image")
        .flag("--image")
        .mistakes(&["spark.kubernetes.driver.image", "spark.kubernetes.driver.docker.image"]),
    Row::of("spark.driver.cores")
        .field("spec.driver.cores")
        .flag("--driver-cores")
        .submit_flag("--driver-cores")
        .accepts(Accepts::Count)
        .mistakes(&["spark.kubernetes.driver.cores", "spark.driver.core"]),
    Row::of("spark.kubernetes.driver.request.cores")
        .field("spec.driver.coreRequest")
        .accepts(Accepts::Cpu)
        .mistakes(&["spark.kubernetes.driver.cores.request", "spark.driver.request.cores"]),
    Row::of("spark.kubernetes.driver.limit.cores")
        .field("spec.driver.coreLimit")
        .flag("--driver-core-limit")
        .accepts(Accepts::Cpu)
        .mistakes(&["spark.kubernetes.driver.cores.limit", "spark.driver.limit.cores"]),
    Row::of("spark.driver.memory")
        .field("spec.driver.memory")
        .flag("--driver-memory")
        .submit_flag("--driver-memory")
        .variable("SPARK_DRIVER_MEMORY")
        .accepts(Accepts::Memory)
        .literal()
        .mistakes(&["spark.kubernetes.driver.memory"]),
    Row::of("spark.driver.memoryOverhead")
        .field("spec.driver.memoryOverhead")
        .flag("--driver-memory-overhead")
        .accepts(Accepts::Memory)
        .mistakes(&["spark.driver.memory.overhead", "spark.kubernetes.driver.memoryOverhead"]),
    Row::of("spark.driver.extraJavaOptions")
        .field("spec.driver.javaOptions")
        .submit_flag("--driver-java-options")
        .mistakes(&["spark.driver.javaOptions", "spark.driver.extraJavaOpts"]),
    Row::of("spark.driver.extraClassPath").submit_flag("--driver-class-path"),
    Row::of("spark.driver.extraLibraryPath").submit_flag("--driver-library-path"),
    Row::of("spark.kubernetes.authenticate.driver.serviceAccountName")
        .field("spec.driver.serviceAccount")
        .flag("--service-account")
        .mistakes(&[
            "spark.kubernetes.authenticate.serviceAccountName",
            "spark.kubernetes.authenticate.driver.serviceAccount",
            "spark.kubernetes.driver.serviceAccountName",
            "spark.kubernetes.driver.serviceAccount",
            "spark.kubernetes.serviceAccountName",
            "spark.kubernetes.serviceAccount",
        ]),
    Row::of("spark.kubernetes.driver.pod.name")
        .field("spec.driver.podName")
        .set("the name of the driver's pod")
        .mistakes(&["spark.kubernetes.driver.podName"]),
    Row::of("spark.kubernetes.driver.master").field("spec.driver.kubernetesMaster"),
    Row::of("spark.driver.host").no_effect("it is the driver's Service; Spark drops it as well"),
    Row::of("spark.driver.port").set("7078, when it is not given").accepts(Accepts::Port),
    Row::of("spark.driver.blockManager.port")
        .set("spark.blockManager.port or 7079, when it is not given")
        .accepts(Accepts::Port),
    Row::of("spark.blockManager.port").accepts(Accepts::Port),
    Row::of("spark.ui.port").accepts(Accepts::Port),
    Row::of("spark.kubernetes.driver.service.ipFamilyPolicy").accepts(Accepts::Words(&[
        "SingleStack",
        "PreferDualStack",
        "RequireDualStack",
    ])),
    Row::of("spark.kubernetes.driver.service.ipFamilies").accepts(Accepts::Words(&[
        "IPv4",
        "IPv6",
        "IPv4,IPv6",
        "IPv6,IPv4",
    ])),
    Row::of("spark.kubernetes.driver.service.publishNotReadyAddresses").accepts(Accepts::Boolean),
    Row::of("spark.kubernetes.driver.podTemplateFile")
        .part_of("spec.driver.template")
        .mistakes(&["spark.kubernetes.driver.podTemplate", "spark.kubernetes.driver.pod.template.file"]),
    Row::of("spark.kubernetes.driver.pod.featureSteps")
        .no_effect("its classes would run in the JVM of spark-submit, and there is none"),
    Row::of("spark.kubernetes.driver.resourceNamePrefix").no_effect("Spark ignores it as well"),
    Row::of("spark.kubernetes.driver.scheduler.name").part_of("spec.driver.schedulerName").flag("--scheduler"),
    // The executors.
    Row::of("spark.executor.instances")
        .field("spec.executor.instances")
        .flag("--executors")
        .submit_flag("--num-executors")
        .set("1, when it is not given and allocation is not dynamic")
        .accepts(Accepts::Count)
        .literal()
        .mistakes(&[
            "spark.executor.num",
            "spark.executor.number",
            "spark.executor.count",
            "spark.num.executors",
            "spark.executors.instances",
            "spark.kubernetes.executor.instances",
        ]),
    Row::of("spark.kubernetes.executor.container.image")
        .field("spec.executor.image")
        .flag("--image")
        .mistakes(&["spark.kubernetes.executor.image", "spark.kubernetes.executor.docker.image"]),
    Row::of("spark.executor.cores")
        .field("spec.executor.cores")
        .flag("--executor-cores")
        .submit_flag("--executor-cores")
        .variable("SPARK_EXECUTOR_CORES")
        .accepts(Accepts::Count)
        .literal()
        .mistakes(&["spark.kubernetes.executor.cores", "spark.executor.core"]),
    Row::of("spark.kubernetes.executor.request.cores")
        .field("spec.executor.coreRequest")
        .accepts(Accepts::Cpu)
        .mistakes(&["spark.kubernetes.executor.cores.request", "spark.executor.request.cores"]),
    Row::of("spark.kubernetes.executor.limit.cores")
        .field("spec.executor.coreLimit")
        .flag("--executor-core-limit")
        .accepts(Accepts::Cpu)
        .mistakes(&["spark.kubernetes.executor.cores.limit", "spark.executor.limit.cores"]),
    Row::of("spark.executor.memory")
        .field("spec.executor.memory")
        .flag("--executor-memory")
        .submit_flag("--executor-memory")
        .variable("SPARK_EXECUTOR_MEMORY")
        .accepts(Accepts::Memory)
        .literal()
        .mistakes(&["spark.kubernetes.executor.memory", "spark.executors.memory"]),
    Row::of("spark.executor.memoryOverhead")
        .field("spec.executor.memoryOverhead")
        .flag("--executor-memory-overhead")
        .accepts(Accepts::Memory)
        .mistakes(&["spark.executor.memory.overhead", "spark.kubernetes.executor.memoryOverhead"]),
    Row::of("spark.executor.pyspark.memory").accepts(Accepts::Memory),
    Row::of("spark.executor.extraJavaOptions")
        .field("spec.executor.javaOptions")
        .mistakes(&["spark.executor.javaOptions", "spark.executor.extraJavaOpts"]),
    Row::of("spark.kubernetes.executor.deleteOnTermination").field("spec.executor.deleteOnTermination"),
    Row::of("spark.kubernetes.authenticate.executor.serviceAccountName")
        .part_of("spec.executor.serviceAccount")
        .mistakes(&["spark.kubernetes.executor.serviceAccountName", "spark.kubernetes.executor.serviceAccount"]),
    Row::of("spark.kubernetes.executor.podNamePrefix").set("the application's name and the submission's id"),
    Row::of("spark.kubernetes.executor.podTemplateFile")
        .part_of("spec.executor.template")
        .set("the template with what executors get in no other way")
        .mistakes(&["spark.kubernetes.executor.podTemplate", "spark.kubernetes.executor.pod.template.file"]),
    Row::of("spark.kubernetes.executor.podTemplateContainerName").set("Spark's container in that template"),
    Row::of("spark.kubernetes.executor.scheduler.name").part_of("spec.executor.schedulerName").flag("--scheduler"),
    Row::of("spark.kubernetes.scheduler.name")
        .part_of("spec.batchScheduler")
        .flag("--scheduler")
        .mistakes(&["spark.kubernetes.schedulerName"]),
    Row::of("spark.kubernetes.executor.hadoopConfigMapName")
        .set("the ConfigMap of Hadoop's configuration, from 3.5 on"),
    Row::of("spark.kubernetes.executor.terminationGracePeriodSeconds")
        .part_of("spec.executor.terminationGracePeriodSeconds"),
    Row::of("spark.dynamicAllocation.enabled").part_of("spec.dynamicAllocation.enabled").accepts(Accepts::Boolean),
    Row::of("spark.dynamicAllocation.initialExecutors")
        .part_of("spec.dynamicAllocation.initialExecutors")
        .accepts(Accepts::Count),
    Row::of("spark.dynamicAllocation.minExecutors")
        .part_of("spec.dynamicAllocation.minExecutors")
        .accepts(Accepts::Count),
    Row::of("spark.dynamicAllocation.maxExecutors")
        .part_of("spec.dynamicAllocation.maxExecutors")
        .accepts(Accepts::Count),
    Row::of("spark.dynamicAllocation.shuffleTracking.enabled")
        .part_of("spec.dynamicAllocation.shuffleTrackingEnabled")
        .set("true, with `dynamicAllocation.enabled`")
        .accepts(Accepts::Boolean),
    Row::of("spark.dynamicAllocation.shuffleTracking.timeout").part_of("spec.dynamicAllocation.shuffleTrackingTimeout"),
    // Both roles.
    Row::of("spark.kubernetes.pyspark.pythonVersion").field("spec.pythonVersion"),
    Row::of("spark.kubernetes.local.dirs.tmpfs").accepts(Accepts::Boolean),
    Row::of("spark.kubernetes.securityContext.allowPrivilegeEscalation").accepts(Accepts::Boolean),
    Row::of("spark.kubernetes.driver.securityContext.allowPrivilegeEscalation").accepts(Accepts::Boolean),
    Row::of("spark.kerberos.principal").submit_flag("--principal"),
    Row::of("spark.kerberos.keytab").submit_flag("--keytab").set("its path in the driver, when it is shipped"),
    Row::of("spark.metrics.conf").part_of("spec.monitoring.metricsPropertiesFile"),
    Row::of("spark.authenticate.secret.file").reference(),
    Row::of("spark.authenticate.secret.driver.file").reference(),
    Row::of("spark.authenticate.secret.executor.file").reference(),
    // Families.
    Row::of("spark.kubernetes.authenticate.submission.*").no_effect(KUBECONFIG),
    Row::of("spark.kubernetes.driver.annotation.volcano.sh/preemptable").flag("--protect-driver"),
    Row::of("spark.hadoop.*").field("spec.hadoopConf"),
    Row::of("spark.kubernetes.node.selector.*")
        .field("spec.nodeSelector")
        .literal()
        .mistakes(&["spark.kubernetes.nodeSelector.*", "spark.kubernetes.node-selector.*"]),
    Row::of("spark.kubernetes.driver.node.selector.*")
        .part_of("spec.driver.nodeSelector")
        .literal()
        .mistakes(&["spark.kubernetes.driver.nodeSelector.*"]),
    Row::of("spark.kubernetes.executor.node.selector.*")
        .part_of("spec.executor.nodeSelector")
        .literal()
        .mistakes(&["spark.kubernetes.executor.nodeSelector.*"]),
    Row::of("spark.kubernetes.driver.label.*")
        .field("spec.driver.labels")
        .flag("--label")
        .literal()
        .mistakes(&["spark.kubernetes.driver.labels.*"]),
    Row::of("spark.kubernetes.driver.annotation.*")
        .field("spec.driver.annotations")
        .literal()
        .mistakes(&["spark.kubernetes.driver.annotations.*"]),
    Row::of("spark.kubernetes.driver.service.label.*").field("spec.driver.serviceLabels").literal(),
    Row::of("spark.kubernetes.driver.service.annotation.*")
        .field("spec.driver.serviceAnnotations")
        .literal()
        .mistakes(&["spark.kubernetes.driver.service.annotations.*"]),
    Row::of("spark.kubernetes.executor.label.*")
        .field("spec.executor.labels")
        .flag("--label")
        .literal()
        .mistakes(&["spark.kubernetes.executor.labels.*"]),
    Row::of("spark.kubernetes.executor.annotation.*")
        .field("spec.executor.annotations")
        .literal()
        .mistakes(&["spark.kubernetes.executor.annotations.*"]),
    Row::of("spark.kubernetes.driverEnv.*").part_of("spec.driver.envVars").flag("--env").literal().mistakes(&[
        "spark.driverEnv.*",
        "spark.driver.env.*",
        "spark.kubernetes.driver.env.*",
    ]),
    Row::of("spark.executorEnv.*").part_of("spec.executor.envVars").flag("--env").literal().mistakes(&[
        "spark.executor.env.*",
        "spark.kubernetes.executorEnv.*",
        "spark.kubernetes.executor.env.*",
    ]),
    Row::of("spark.kubernetes.driver.secretKeyRef.*")
        .part_of("spec.driver.envSecretKeyRefs")
        .reference()
        .flag("--env")
        .literal()
        .mistakes(&["spark.kubernetes.driver.secretKeyRefs.*"]),
    Row::of("spark.kubernetes.executor.secretKeyRef.*")
        .part_of("spec.executor.envSecretKeyRefs")
        .reference()
        .flag("--env")
        .literal()
        .mistakes(&["spark.kubernetes.executor.secretKeyRefs.*"]),
    Row::of("spark.kubernetes.driver.secrets.*").part_of("spec.driver.secrets").reference().literal(),
    Row::of("spark.kubernetes.executor.secrets.*").part_of("spec.executor.secrets").reference().literal(),
    Row::of("spark.kubernetes.driver.volumes.*").part_of("spec.driver.volumeMounts").literal(),
    Row::of("spark.kubernetes.executor.volumes.*").part_of("spec.executor.volumeMounts").literal(),
    Row::of("spark.driver.resource.*").literal(),
    Row::of("spark.executor.resource.*").literal(),
    Row::of("spark.task.resource.*").literal(),
];
