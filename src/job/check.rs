//! What is wrong with a job as a whole: what is missing, what contradicts, what has no effect.

use std::collections::BTreeSet;

use super::restart::{CarrierKind, Restart};
use super::role::RoleSpec;
use super::schedule::Concurrency;
use super::settings::{self, Known};
use super::spec::Mode;
use super::{Job, Name, local_files, placement};
use crate::diagnostic::{Problem, nearest};
use crate::kubernetes::{names, quantity};
use crate::redaction;
use crate::scheduler::{self, Rules, Scheduler};
use crate::spark::catalog::Accepts;
use crate::spark::{
    Change, Conf, EXECUTOR_PREFIX, Language, Role, Version, catalog, containers, labels, memory, resources,
};

impl Job {
    /// Checks the job as a whole, flags included. A problem that two checks find is reported once.
    pub fn check(&self, namespace: &str) -> Vec<Problem> {
        let of_application = application(self, namespace).into_iter().map(|problem| self.located(problem));
        let of_schedule = schedule(self).into_iter().map(|problem| self.placed(problem));
        let mut problems = Vec::new();
        for problem in of_application.chain(of_schedule) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }
}

/// All problems of the job. Paths begin with `spec`, wherever the document has it.
fn application(job: &Job, namespace: &str) -> Vec<Problem> {
    let conf = job.resolved(namespace);
    let mut problems = Vec::new();
    name(job, &mut problems);
    what_runs(job, &conf, &mut problems);
    version(job, &mut problems);
    without_effect(job, &mut problems);
    for (role, spec) in [(Role::Driver, &job.spec.driver.role), (Role::Executor, &job.spec.executor.role)] {
        pod(job, role, spec, &conf, &mut problems);
    }
    volumes(job, &mut problems);
    allocation(job, &mut problems);
    ports(job, &mut problems);
    scheduling(job, &mut problems);
    problems.extend(placement::problems(job));
    let written = job.settings(namespace);
    for (key, _) in written.iter().filter(|(key, _)| written.is_circular(key)) {
        let circle = Problem::error(format!("`{key}` refers to itself: Spark refuses circular references"));
        problems.push(job.setting_problem(key, circle));
    }
    for (key, value) in conf.iter() {
        if let Some(problem) = setting(job, key, value, namespace) {
            problems.push(job.setting_problem(key, problem));
        }
    }
    if let Err(error) = resources::custom(&conf, Role::Driver) {
        problems.push(job.setting_error(error));
    }
    combinations(job, &conf, &mut problems);
    dependencies(job, &mut problems);
    problems
}

/// Settings of which only one may be given.
///
/// Source: `KubernetesDriverConf` and `KerberosConfDriverFeatureStep` of Spark.
const EXCLUSIVE: [(&str, &str); 2] = [
    ("spark.kubernetes.kerberos.krb5.path", "spark.kubernetes.kerberos.krb5.configMapName"),
    ("spark.kubernetes.authenticate.submission.oauthToken", "spark.kubernetes.authenticate.submission.oauthTokenFile"),
];

/// Settings that say something only together.
const TOGETHER: [(&str, &str); 2] = [
    ("spark.kerberos.principal", "spark.kerberos.keytab"),
    ("spark.kubernetes.kerberos.tokenSecret.name", "spark.kubernetes.kerberos.tokenSecret.itemKey"),
];

fn combinations(job: &Job, conf: &Conf, problems: &mut Vec<Problem>) {
    for (one, other) in EXCLUSIVE {
        if conf.given(one).is_some() && conf.given(other).is_some() {
            let both = Problem::error(format!("`{one}` and `{other}` say the same thing: Spark takes one of them"));
            problems.push(job.setting_problem(one, both));
        }
    }
    for (one, other) in TOGETHER.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]) {
        if conf.given(one).is_some() && conf.given(other).is_none() {
            problems.push(job.setting_problem(one, Problem::error(format!("`{one}` needs `{other}`"))));
        }
    }
    if job.spec.proxy_user.is_some() && conf.given("spark.kerberos.principal").is_some() {
        let both = Problem::error("`proxyUser` and `spark.kerberos.principal`: Spark takes one of them");
        problems.push(both.at_field("spec.proxyUser"));
    }
    let key = "spark.kubernetes.hadoop.configMapName";
    if job.files.hadoop.is_some() && conf.given(key).is_some() {
        let both =
            Problem::error(format!("`{key}` and a directory of Hadoop's configuration: Spark takes one of them"));
        problems.push(job.setting_problem(key, both));
    }
}

fn name(job: &Job, problems: &mut Vec<Problem>) {
    match &job.name {
        Name::Given(name) if name.is_empty() => {
            problems.push(
                Problem::error("the application has no name")
                    .at_field("metadata.name")
                    .help("write `metadata.name`, or give --name"),
            );
        }
        Name::Given(name) => {
            problems.extend(names::check(name).err().map(|message| Problem::error(message).at_field("metadata.name")))
        }
        Name::Generated(beginning) => {
            let whole = format!("{beginning}x");
            problems.extend(
                names::check(&whole).err().map(|message| Problem::error(message).at_field("metadata.generateName")),
            );
        }
    }
    if let Some(namespace) = &job.namespace {
        let good = names::check(namespace).is_ok() && !namespace.contains('.') && namespace.len() <= names::LABEL;
        if !good {
            problems.push(
                Problem::error(format!("`{namespace}` is not the name of a namespace")).at_field("metadata.namespace"),
            );
        }
    }
    problems.extend(placement::labels("metadata.labels", &job.labels));
}

fn what_runs(job: &Job, conf: &Conf, problems: &mut Vec<Problem>) {
    let spec = &job.spec;
    for role in [Role::Driver, Role::Executor] {
        if containers::image_setting(conf, role).is_none() {
            problems.push(
                Problem::error(format!("no image is given for the {}", role.word()))
                    .at_field("spec.image")
                    .help("write `image`, or give --image"),
            );
            break;
        }
    }
    if spec.main_application_file.as_deref().is_none_or(str::is_empty) {
        problems.push(
            Problem::error("`mainApplicationFile` is missing: expected the jar or script that is run")
                .at_field("spec.mainApplicationFile")
                .help("write `mainApplicationFile`, or give --main-file; `local:///path` is a path inside the image"),
        );
    } else if !job.language().is_foreign() && job.main_class().is_empty() {
        problems.push(
            Problem::error("`mainClass` is missing: a jar needs to be told which of its classes is run")
                .at_field("spec.mainClass")
                .help("write `mainClass`, or give --class"),
        );
    }
    if let Some(kind) = spec.kind
        && kind != job.language()
        && (kind.is_foreign() || job.language().is_foreign())
    {
        problems.push(
            Problem::warning(format!("the main file is run as {}, for Spark goes by its name", job.language().word()))
                .at_field("spec.type")
                .help(format!("write `type: {}`", job.language().word())),
        );
    }
    if spec.mode == Some(Mode::Client) {
        problems.push(
            Problem::error("client mode would run the driver on this machine, where executors cannot reach it")
                .at_field("spec.mode")
                .help("write `mode: cluster`, or run it here with --local"),
        );
    }
    if spec.suspend == Some(true) {
        problems.push(
            Problem::error("a suspended application waits for a controller to resume it, and there is none")
                .at_field("spec.suspend")
                .help("remove `suspend` to run it"),
        );
    }
    for (index, argument) in spec.arguments.iter().enumerate().filter(|(_, argument)| argument.contains('\0')) {
        problems.push(
            Problem::error(format!("{argument:?} holds a NUL character")).at_field(format!("spec.arguments[{index}]")),
        );
    }
}

fn dependencies(job: &Job, problems: &mut Vec<Problem>) {
    let deps = &job.spec.deps;
    let unread = |uri: &str| local_files::is_local(uri) && !job.files.local.has(uri);
    for named in job.named_files().into_iter().filter(|named| unread(&named.uri)) {
        let problem = Problem::error(format!("`{}` is a file of this machine, and was not read", named.uri));
        problems.push(job.field_problem(&named.field, problem));
    }
    for (index, package) in deps.packages.iter().enumerate().filter(|(_, package)| package.split(':').count() < 3) {
        problems.push(
            Problem::error(format!("`{package}` is not a Maven coordinate, `group:artifact:version`"))
                .at_field(format!("spec.deps.packages[{index}]")),
        );
    }
}

fn version(job: &Job, problems: &mut Vec<Problem>) {
    let path = "spec.sparkVersion";
    match Version::parse(job.spark_version()) {
        Some(version) if version < Version::OLDEST => {
            problems.push(
                Problem::error(format!("Spark {version} is not supported: {} is the oldest", Version::OLDEST))
                    .at_field(path),
            );
        }
        Some(version) if version > Version::NEWEST => {
            problems.push(
                Problem::warning(format!("Spark {version} is newer than this program: treated as {}", Version::NEWEST))
                    .at_field(path),
            );
        }
        Some(_) if job.spec.spark_version.is_none() => problems.push(
            Problem::warning(format!(
                "`sparkVersion` is missing: taken to be {}, as the image's tag says",
                job.version()
            ))
            .at_field("spec"),
        ),
        Some(_) => {}
        None if job.spec.spark_version.is_none() => problems.push(
            Problem::error("`sparkVersion` is missing: expected the version of Spark in the image, such as 3.5.1")
                .at_field("spec")
                .help("write `sparkVersion`, or give --spark-version"),
        ),
        None => problems.push(
            Problem::warning(format!(
                "`{}` is not a version: treated as Spark {}",
                job.spark_version(),
                Version::ASSUMED
            ))
            .at_field(path),
        ),
    }
}

/// Fields that say something which does not happen.
fn without_effect(job: &Job, problems: &mut Vec<Problem>) {
    let spec = &job.spec;
    let mut warn = |given: bool, path: &str, message: &str| {
        if given {
            problems.push(Problem::warning(message).at_field(path));
        }
    };
    let dead = "no effect: the operator does not read it either; `restartPolicy` is what it was meant for";
    warn(spec.failure_retries.is_some(), "spec.failureRetries", dead);
    warn(spec.retry_interval.is_some(), "spec.retryInterval", dead);
    supervision(job, &mut warn);
    let allocation = &spec.dynamic_allocation;
    let unused = *allocation != Default::default() && allocation.enabled != Some(true);
    warn(unused, "spec.dynamicAllocation", "no effect without `enabled: true`");
    if let Some(monitoring) = &spec.monitoring {
        warn(
            monitoring.prometheus.is_none(),
            "spec.monitoring",
            "no effect without `prometheus`: the operator ignores it as well",
        );
    }
    if let Some(ui) = &spec.spark_ui_options {
        let ingress = !ui.ingress_annotations.is_empty() || !ui.ingress_tls.is_empty();
        warn(
            ingress,
            "spec.sparkUIOptions",
            "no Ingress is made: its address is a setting of the operator's installation; use `driverIngressOptions`",
        );
    }
    let options = &spec.batch_scheduler_options;
    let scheduler = job.scheduler();
    let queue = options.queue.is_some() || !options.resources.is_empty();
    let scheduled = scheduler.rules().is_some();
    warn(queue && !scheduled, "spec.batchSchedulerOptions", "no effect without `batchScheduler`");
    let has_queues = scheduler.rules().is_none_or(Rules::has_queues);
    warn(
        options.queue.is_some() && !has_queues,
        "spec.batchSchedulerOptions.queue",
        "no effect: this scheduler has no queues",
    );
    warn(
        !options.resources.is_empty() && scheduled && !scheduler.has_pod_groups(),
        "spec.batchSchedulerOptions.resources",
        "no effect: this scheduler sizes the gang from its pods",
    );
    warn(
        job.schedule.is_some() && job.spec.restart_policy.kind == Some(Restart::Always),
        "spec.restartPolicy.type",
        "the first run never ends, so that none follows it but by `concurrencyPolicy: Allow` or `Replace`",
    );
}

/// What is wrong with when a job is run. Paths are the schedule's, not its template's.
fn schedule(job: &Job) -> Vec<Problem> {
    let Some(schedule) = &job.schedule else {
        return Vec::new();
    };
    let overlap =
        job.scheduler().has_pod_groups() && matches!(schedule.concurrency_policy, Some(Concurrency::Allow) | None);
    let shared = overlap.then(|| {
        Problem::warning("overlapping runs share one PodGroup, which has room for one of them: use Forbid or Replace")
            .at_field("spec.concurrencyPolicy")
    });
    shared.into_iter().chain(schedule.when().err()).collect()
}

/// What of the file a Job cannot do.
fn supervision(job: &Job, warn: &mut impl FnMut(bool, &str, &str)) {
    let restart = &job.spec.restart_policy;
    let retried = restart.on_failure_retries.is_some_and(|retries| *retries > 0);
    let word = restart.kind.map_or("Never", |kind| kind.word());
    warn(
        retried && restart.kind != Some(Restart::OnFailure),
        "spec.restartPolicy.onFailureRetries",
        &format!("no effect with `type: {word}`: the operator does not count then either"),
    );
    warn(
        restart.kind == Some(Restart::OnFailure) && restart.on_failure_retries.is_none(),
        "spec.restartPolicy.type",
        "no effect without `onFailureRetries`: the operator does not run it again then either",
    );
    warn(
        restart.on_failure_retry_interval.is_some() && job.carrier() != CarrierKind::Pod,
        "spec.restartPolicy.onFailureRetryInterval",
        "the cluster's Job controller has its own: 10 s after the first failure, twice as long after each one more, 10 min at most",
    );
    warn(
        restart.kind == Some(Restart::Always),
        "spec.restartPolicy.type",
        "the driver's pod of each run is kept until it is deleted, or until the cluster clears away ended pods",
    );
    if job.carrier() != CarrierKind::Pod {
        let own = "no effect: each attempt's driver has a name of its own, after which its executors are called";
        warn(job.spec.driver.pod_name.is_some(), "spec.driver.podName", own);
        for key in ["spark.kubernetes.driver.pod.name", "spark.kubernetes.executor.podNamePrefix"] {
            warn(job.spec.spark_conf.contains_key(key), &format!("spec.sparkConf.{key}"), own);
        }
    }
}

fn pod(job: &Job, role: Role, spec: &RoleSpec, conf: &Conf, problems: &mut Vec<Problem>) {
    let path = |rest: &str| format!("spec.{}.{rest}", role.word());
    problems.extend(placement::labels(&path("labels"), &spec.labels));
    for reserved in labels::reserved(role, job.version()) {
        if spec.labels.contains_key(reserved) {
            problems.push(
                Problem::error("this label is Spark's own, and Spark refuses it")
                    .at_field(path(&format!("labels.{reserved}"))),
            );
        }
    }
    amounts(job, role, spec, conf, problems);
    let mut seen = BTreeSet::new();
    for (index, env) in spec.env.iter().enumerate() {
        let name = env.text("name");
        if name.is_empty() || name.contains('=') {
            problems.push(
                Problem::error(format!("`{name}` is not the name of an environment variable"))
                    .at_field(path(&format!("env[{index}].name"))),
            );
        }
        if !seen.insert(name) {
            problems.push(
                Problem::warning(format!("`{name}` is given twice: the last one counts"))
                    .at_field(path(&format!("env[{index}].name"))),
            );
        }
    }
    for (list, entries) in [
        ("configMaps", paths(&spec.config_maps, |map| (&map.name, &map.path))),
        ("secrets", paths(&spec.secrets, |secret| (&secret.name, &secret.path))),
    ] {
        for (index, (name, mount)) in entries.into_iter().enumerate() {
            if !mount.starts_with('/') {
                problems.push(
                    Problem::error(format!("`{mount}` is not an absolute path"))
                        .at_field(path(&format!("{list}[{index}].path"))),
                );
            }
            problems.extend(
                names::check(name)
                    .err()
                    .map(|message| Problem::error(message).at_field(path(&format!("{list}[{index}].name")))),
            );
        }
    }
    for (index, secret) in spec.secrets.iter().enumerate() {
        let kinds = ["GCPServiceAccount", "HadoopDelegationToken", "Generic"];
        if !kinds.contains(&secret.secret_type.as_str()) {
            let help = nearest(&secret.secret_type, kinds)
                .map_or_else(|| format!("known: {}", kinds.join(", ")), |word| format!("did you mean `{word}`?"));
            problems.push(
                Problem::warning(format!(
                    "`{}` is no known type: the secret is mounted, and no variable is set",
                    secret.secret_type
                ))
                .at_field(path(&format!("secrets[{index}].secretType")))
                .help(help),
            );
        }
    }
    for (index, port) in
        spec.ports.iter().enumerate().filter(|(_, port)| !["TCP", "UDP", "SCTP"].contains(&port.protocol.as_str()))
    {
        problems.push(
            Problem::error(format!("expected one of TCP, UDP, SCTP, found `{}`", port.protocol))
                .at_field(path(&format!("ports[{index}].protocol"))),
        );
    }
    if spec
        .template
        .as_ref()
        .is_some_and(|template| !template.json["spec"].is_object() && !template.json["metadata"].is_object())
    {
        problems.push(
            Problem::warning("the template says nothing: expected `metadata` or `spec` in it")
                .at_field(path("template")),
        );
    }
}

fn paths<T>(list: &[T], part: impl Fn(&T) -> (&String, &String)) -> Vec<(&str, &str)> {
    list.iter()
        .map(|item| {
            let (name, path) = part(item);
            (name.as_str(), path.as_str())
        })
        .collect()
}

fn amounts(job: &Job, role: Role, spec: &RoleSpec, conf: &Conf, problems: &mut Vec<Problem>) {
    let path = |rest: &str| format!("spec.{}.{rest}", role.word());
    let language = job.language();
    let request = memory::request(conf, role, job.version(), language.is_foreign(), language == Language::Python);
    let requested = match request {
        Ok(mebibytes) => Some(mebibytes),
        Err(error) => {
            problems.push(job.setting_error(error));
            None
        }
    };
    if let (Some(limit), Some(requested)) = (&spec.memory_limit, requested)
        && let Some(mebibytes) = quantity::mebibytes(&limit.quantity())
    {
        if role == Role::Executor && mebibytes != requested as f64 {
            problems.push(
                Problem::warning(format!(
                    "no effect: Spark writes an executor's limit itself, the same as its request of {requested}Mi"
                ))
                .at_field(path("memoryLimit"))
                .help("raise `memoryOverhead` to raise both"),
            );
        }
        if role == Role::Driver && mebibytes < requested as f64 {
            problems.push(
                Problem::error(format!(
                    "`{}` is less than the request of {requested}Mi (memory and overhead)",
                    limit.0
                ))
                .at_field(path("memoryLimit")),
            );
        }
    }
    let cpu = |key: &str| conf.given(key).and_then(quantity::value);
    let request = cpu(&format!("spark.kubernetes.{}.request.cores", role.word()))
        .or(cpu(&format!("spark.{}.cores", role.word())));
    let limit = format!("spark.kubernetes.{}.limit.cores", role.word());
    if let (request, Some(most)) = (request.unwrap_or(1.0), cpu(&limit))
        && most < request
    {
        problems.push(
            Problem::error(format!("the limit of {most} CPU is less than the request of {request}"))
                .at_field(path("coreLimit"))
                .help("raise `coreLimit`, or lower `coreRequest` (without it, `cores`)"),
        );
    }
    if let Some(gpu) = &spec.gpu
        && (gpu.name.is_empty() || *gpu.quantity < 1)
    {
        problems
            .push(Problem::warning("no effect: a GPU needs a name and a quantity of at least 1").at_field(path("gpu")));
    }
    if spec.java_options.as_deref().is_some_and(|options| options.contains("-Xmx")) {
        problems.push(heap_by_options().at_field(path("javaOptions")));
    }
}

fn volumes(job: &Job, problems: &mut Vec<Problem>) {
    let volumes = &job.spec.volumes;
    let mut seen = BTreeSet::new();
    for (index, volume) in volumes.0.iter().enumerate().filter(|(_, volume)| !seen.insert(volume.text("name"))) {
        problems.push(
            Problem::error(format!("two volumes are called `{}`", volume.text("name")))
                .at_field(format!("spec.volumes[{index}].name")),
        );
    }
    problems.extend(volumes.check(&job.spec.driver.role, Role::Driver));
    problems.extend(volumes.check(&job.spec.executor.role, Role::Executor));
    for (index, volume) in volumes.0.iter().enumerate() {
        if !volumes.is_mounted(volume.text("name"), [&job.spec.driver.role, &job.spec.executor.role]) {
            problems.push(
                Problem::warning(format!("no effect: no `volumeMounts` name `{}`", volume.text("name")))
                    .at_field(format!("spec.volumes[{index}]")),
            );
        }
    }
}

fn allocation(job: &Job, problems: &mut Vec<Problem>) {
    let allocation = &job.spec.dynamic_allocation;
    let (least, most) = (allocation.min_executors, allocation.max_executors);
    if let (Some(least), Some(most)) = (least, most)
        && *least > *most
    {
        problems.push(
            Problem::error(format!("at least {} executors are more than at most {}", *least, *most))
                .at_field("spec.dynamicAllocation.minExecutors"),
        );
    }
    if let Some(initial) = allocation.initial_executors
        && (most.is_some_and(|most| *initial > *most) || least.is_some_and(|least| *initial < *least))
    {
        problems.push(
            Problem::error(format!("{} executors at the start are not between the least and the most", *initial))
                .at_field("spec.dynamicAllocation.initialExecutors"),
        );
    }
}

fn ports(job: &Job, problems: &mut Vec<Problem>) {
    let (mut ports, mut urls) = (BTreeSet::new(), BTreeSet::new());
    for (index, options) in job.spec.driver_ingress_options.iter().enumerate() {
        let path = |rest: &str| format!("spec.driverIngressOptions[{index}].{rest}");
        if !ports.insert(*options.service_port) {
            problems.push(
                Problem::error(format!("port {} is given twice", *options.service_port)).at_field(path("servicePort")),
            );
        }
        if options.ingress_url_format.is_empty() || !urls.insert(&options.ingress_url_format) {
            problems.push(
                Problem::error("expected an address of its own for each port").at_field(path("ingressURLFormat")),
            );
        }
    }
}

/// The annotation by which a scheduler spares the driver, where another scheduler has it.
fn protection_without_effect(job: &Job, scheduler: &Scheduler, rules: &dyn Rules) -> Option<Problem> {
    let ((key, _), name) = (rules.driver_protection()?, rules.name()?);
    let driver = &job.spec.driver.role;
    let is_its = scheduler.is(name) || driver.scheduler_name.as_deref() == Some(name);
    (driver.annotations.contains_key(key) && !is_its).then(|| {
        Problem::warning(format!(
            "no effect: only {} knows this annotation, and the scheduler is another",
            rules.title()
        ))
        .at_field(format!("spec.driver.annotations.{key}"))
        .help(format!("--scheduler {name}, or leave --protect-driver out"))
    })
}

fn scheduling(job: &Job, problems: &mut Vec<Problem>) {
    let spec = &job.spec;
    if let Some(scheduler) = spec.batch_scheduler.as_deref() {
        if let Some(word) = nearest(scheduler, scheduler::names()).filter(|word| *word != scheduler) {
            problems.push(
                Problem::error(format!("unknown scheduler `{scheduler}`: it is used as a custom schedulerName"))
                    .at_field("spec.batchScheduler")
                    .help(format!("did you mean `{word}`?")),
            );
        }
        for role in [Role::Driver, Role::Executor] {
            let given = match role {
                Role::Driver => &spec.driver.role.scheduler_name,
                Role::Executor => &spec.executor.role.scheduler_name,
            };
            if given.as_deref().is_some_and(|name| name != scheduler) {
                problems.push(
                    Problem::warning(format!("no effect: `batchScheduler: {scheduler}` wins"))
                        .at_field(format!("spec.{}.schedulerName", role.word())),
                );
            }
        }
    }
    let scheduler = job.scheduler();
    if let Some((message, help)) = scheduler.rules().and_then(|rules| rules.missing_option(job.queue().is_some())) {
        problems.push(Problem::error(message).at_field("spec.batchScheduler").help(help));
    }
    problems.extend(scheduler::all().filter_map(|rules| protection_without_effect(job, &scheduler, rules)));
    for (path, class) in [
        ("spec.batchSchedulerOptions.priorityClassName", &spec.batch_scheduler_options.priority_class_name),
        ("spec.driver.priorityClassName", &spec.driver.role.priority_class_name),
        ("spec.executor.priorityClassName", &spec.executor.role.priority_class_name),
        ("spec.batchSchedulerOptions.queue", &spec.batch_scheduler_options.queue),
        ("spec.driver.serviceAccount", &spec.driver.role.service_account),
        ("spec.executor.serviceAccount", &spec.executor.role.service_account),
        ("spec.driver.podName", &spec.driver.pod_name),
    ] {
        problems.extend(
            class
                .as_deref()
                .and_then(|name| names::check(name).err())
                .map(|message| Problem::error(message).at_field(path)),
        );
    }
}

/// Checks one setting.
fn setting(job: &Job, key: &str, value: &str, namespace: &str) -> Option<Problem> {
    if !key.starts_with("spark.") {
        return Some(
            Problem::warning(format!("`{key}` is not a Spark setting: Spark ignores it"))
                .help("settings begin with `spark.`, those of Hadoop with `spark.hadoop.`"),
        );
    }
    let by_user = job.spec.spark_conf.contains_key(key) || job.conf.contains_key(key);
    refused(job, key, value, namespace, by_user)
        .or_else(|| by_user.then(|| idle(job, key, value).or_else(|| open_secret(key, value))).flatten())
}

/// Checks whether Spark or Kubernetes would refuse the value.
fn refused(job: &Job, key: &str, value: &str, namespace: &str, by_user: bool) -> Option<Problem> {
    let of_form = catalog::row(key).and_then(|row| unacceptable(row.accepts?, value, job.version()));
    of_form.or_else(|| match key {
        "spark.kubernetes.namespace" if value != namespace => Some(
            Problem::error(format!("the application runs in `{namespace}`, found `{value}`"))
                .help("write `metadata.namespace`, or give --namespace"),
        ),
        "spark.submit.deployMode" if value != "cluster" => {
            Some(Problem::error(format!("the driver always runs in the cluster, found `{value}`")))
        }
        "spark.kubernetes.pyspark.pythonVersion" if job.version().has(Change::OnlyPython3) && value != "3" => Some(
            Problem::error(format!("Spark {} runs Python 3 alone, found `{value}`", job.version()))
                .help("remove `pythonVersion`"),
        ),
        "spark.executor.cores" | "spark.executor.instances" if value.trim() == "0" => none_wanted(job, key, namespace),
        "spark.driver.extraJavaOptions" | "spark.executor.extraJavaOptions" if value.contains("-Xmx") && by_user => {
            Some(heap_by_options())
        }
        "spark.driver.bindAddress" => {
            Some(Problem::error("Spark refuses it here: the driver listens on its pod's address"))
        }
        "spark.kubernetes.executor.podNamePrefix" if job.version().has(Change::CheckedExecutorPrefix) => {
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
fn none_wanted(job: &Job, key: &str, namespace: &str) -> Option<Problem> {
    let allocates =
        key == "spark.executor.instances" && job.resolved(namespace).is_true("spark.dynamicAllocation.enabled");
    (!allocates).then(|| Problem::error("expected a positive integer, found `0`"))
}

fn heap_by_options() -> Problem {
    Problem::error("the heap size cannot be set by options: Spark refuses -Xmx").help("write it as `memory`")
}

fn executor_prefix(value: &str) -> Option<Problem> {
    let good = value.len() <= EXECUTOR_PREFIX && names::check(value).is_ok();
    (!good).then(|| {
        Problem::error(format!(
            "expected a prefix of pod names of at most {EXECUTOR_PREFIX} characters, found `{value}`"
        ))
    })
}

/// Checks whether the setting has an effect in this version and with this program.
fn idle(job: &Job, key: &str, value: &str) -> Option<Problem> {
    if key == "spark.kubernetes.driver.pod.excludedFeatureSteps" && job.version().has(Change::ExcludedFeatureSteps) {
        return kept_steps(value);
    }
    // What the driver's place must be is checked, and said, already.
    if key == "spark.submit.deployMode" {
        return None;
    }
    if let Some(reason) = catalog::without_effect(key) {
        return Some(Problem::warning(format!("no effect: {reason}")));
    }
    key.starts_with("spark.kubernetes.").then(|| unknown(job, key)).flatten()
}

fn kept_steps(value: &str) -> Option<Problem> {
    let step = value.split(',').map(str::trim).find(|step| !step.ends_with(".NetworkPolicyFeatureStep"))?;
    Some(Problem::warning(format!("only NetworkPolicyFeatureStep of Spark's steps can be excluded, not `{step}`")))
}

fn unknown(job: &Job, key: &str) -> Option<Problem> {
    match settings::known(key) {
        Known::Since(version) if version > job.version() => {
            Some(Problem::warning(format!("no effect: `{key}` exists since Spark {version}")))
        }
        Known::Since(_) => None,
        Known::No(near) => {
            let problem = Problem::warning(format!("unknown Spark setting `{key}`"));
            Some(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            })
        }
    }
}

fn open_secret(key: &str, value: &str) -> Option<Problem> {
    let is_open = redaction::is_secret_like(key)
        && !value.is_empty()
        && !key.contains(".secretKeyRef.")
        && !key.contains(".secrets.");
    is_open.then(|| {
        Problem::warning("looks like a secret, and settings are kept in a ConfigMap that others may read")
            .help("put it into a Secret: `env` with `valueFrom.secretKeyRef`, or `secrets`")
    })
}

/// What is wrong with a setting of a family.
fn family(job: &Job, key: &str, value: &str) -> Option<Problem> {
    for role in [Role::Driver, Role::Executor] {
        if let Some(rest) = key.strip_prefix("spark.kubernetes.").and_then(|rest| rest.strip_prefix(role.word())) {
            if rest.starts_with(".secretKeyRef.") && value.matches(':').count() != 1 {
                return Some(Problem::error(format!("expected NAME:KEY of a Secret, found `{value}`")));
            }
            if let Some(label) = rest.strip_prefix(".label.") {
                let by_user = job.spec.spark_conf.contains_key(key) || job.conf.contains_key(key);
                if labels::reserved(role, job.version()).contains(&label) && by_user {
                    return Some(Problem::error(format!("`{label}` is Spark's own label, and Spark refuses it")));
                }
            }
            if let Some(volume) = rest.strip_prefix(".volumes.") {
                return conf_volume(job, key, volume, value);
            }
        }
    }
    None
}

/// Source: `KubernetesVolumeUtils` of Spark.
fn conf_volume(job: &Job, key: &str, volume: &str, value: &str) -> Option<Problem> {
    let kinds = ["hostPath", "persistentVolumeClaim", "emptyDir", "nfs"];
    let (kind, rest) = volume.split_once('.').unwrap_or((volume, ""));
    if !kinds.contains(&kind) {
        let help = nearest(kind, kinds)
            .map_or_else(|| format!("known: {}", kinds.join(", ")), |word| format!("did you mean `{word}`?"));
        return Some(Problem::error(format!("Spark has no settings for volumes of type `{kind}`")).help(help));
    }
    if kind == "nfs" && !job.version().has(Change::NfsVolumes) {
        return Some(Problem::error(format!("Spark {} has no nfs volumes", job.version())));
    }
    let conf = &job.spec.spark_conf;
    let prefix = key.strip_suffix(volume)?;
    let name = rest.split('.').next()?;
    let option = |option: &str| {
        conf.get(&format!("{prefix}{kind}.{name}.{option}"))
            .or(job.conf.get(&format!("{prefix}{kind}.{name}.{option}")))
    };
    if rest.ends_with(".mount.path") && conf.contains_key(key) {
        let needed: &[&str] = match kind {
            "hostPath" => &["options.path"],
            "persistentVolumeClaim" => &["options.claimName"],
            "nfs" => &["options.path", "options.server"],
            _ => &[],
        };
        if let Some(missing) = needed.iter().find(|needed| option(needed).is_none()) {
            return Some(Problem::error(format!("it needs `{prefix}{kind}.{name}.{missing}`")));
        }
        let same = conf.iter().any(|(other, path)| {
            other != key && path == value && other.starts_with(prefix) && other.ends_with(".mount.path")
        });
        if same {
            return Some(Problem::error(format!("another volume is mounted at `{value}` too")));
        }
    }
    let mounted = option("mount.path").is_some();
    (!mounted && conf.contains_key(key)).then(|| Problem::error(format!("it needs `{prefix}{kind}.{name}.mount.path`")))
}

#[cfg(test)]
mod tests {
    use super::super::{Variables, read};

    /// The paths of labels that are refused as Spark's own.
    fn refused(version: &str, role: &str) -> Vec<String> {
        let names = ["spark-app-selector", "spark-role", "spark-exec-id", "spark-app-name", "spark-version", "team"];
        let labels = names.map(|name| format!("{name}: x")).join(", ");
        let text = format!(
            "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {{name: a}}\n\
             spec: {{sparkVersion: {version}, {role}: {{labels: {{{labels}}}}}}}\n"
        );
        let (jobs, _) = read(&text, &Variables::default());
        let problems = jobs[0].check("default").into_iter().filter(|problem| problem.message.contains("Spark's own"));
        problems.map(|problem| problem.path.rsplit('.').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn settings_that_refer_to_each_other_in_a_circle_are_refused() {
        let text = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\n\
                    spec:\n  sparkConf:\n    spark.x: ${spark.y}\n    spark.y: ${spark.x}\n    spark.z: ${spark.x}\n";
        let (jobs, _) = read(&text.replace('$', "$$"), &Variables::default());
        let problems = jobs[0].check("default").into_iter().filter(|problem| problem.message.contains("circular"));
        let lines: Vec<_> = problems.map(|problem| problem.place.map(|place| place.line)).collect();
        assert_eq!(lines, [Some(6), Some(7)]);
    }

    /// What is wrong with a value is checked where its form is known, and where memory is added up.
    #[test]
    fn one_mistake_has_one_message() {
        let head = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\n\
                    spec:\n  sparkVersion: 4.1.4\n  image: i\n  mainApplicationFile: local:///a.py\n";
        for (key, value) in [
            ("spark.executor.memory", "1.5g"),
            ("spark.executor.memoryOverhead", "1Gi"),
            ("spark.driver.memory", "lots"),
            ("spark.driver.memoryOverheadFactor", "much"),
            ("spark.kubernetes.memoryOverheadFactor", "much"),
            ("spark.executor.instances", "0"),
            ("spark.executor.cores", "two"),
            ("spark.driver.resource.gpu.amount", "two"),
            ("spark.kubernetes.driver.limit.cores", "two"),
        ] {
            let (jobs, _) = read(&format!("{head}  sparkConf:\n    {key}: \"{value}\"\n"), &Variables::default());
            let problems = jobs[0].check("default");
            let texts: Vec<String> = problems.iter().map(|problem| problem.text("f", "")).collect();
            assert_eq!(texts.len(), 1, "{texts:?}");
            assert_eq!(texts[0].matches(key).count(), 1, "{texts:?}");
            let mut job = read(head, &Variables::default()).0.remove(0);
            job.conf.insert(key.into(), value.into());
            let texts: Vec<String> = job.check("default").iter().map(|problem| problem.text("f", "")).collect();
            assert_eq!(texts.len(), 1, "{texts:?}");
            assert!(texts[0].starts_with(&format!("error: f: --conf {key}: ")), "{texts:?}");
        }
    }

    #[test]
    fn labels_are_refused_that_spark_puts_on_pods_of_that_role_and_version() {
        let driver = ["spark-app-selector", "spark-role", "spark-app-name", "spark-version"];
        assert_eq!(refused("4.1.4", "driver"), driver);
        assert_eq!(refused("3.2.4", "driver"), driver[..2]);
        assert_eq!(refused("3.2.4", "executor"), ["spark-app-selector", "spark-role", "spark-exec-id"]);
    }
}
