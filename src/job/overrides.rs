//! What flags change in a job, or say where there is no file.

use clap::Args;
use serde_json::{Value, json};

use super::kubernetes_type::Embedded;
use super::quantities::Quantity;
use super::role::RoleSpec;
use super::schema::Whole;
use super::spec::{Language, PullPolicy};
use super::{Job, Name};
use crate::diagnostic::Problem;
use crate::kubernetes::{names, quantity};
use crate::spark::{Memory, memory};

/// Flags that win over the job file. Without a file they describe the job by themselves.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "The job, over what the file says")]
pub struct Overrides {
    /// Name of the application
    #[arg(long, value_parser = name)]
    pub name: Option<String>,
    /// Image of driver and executors
    #[arg(long)]
    pub image: Option<String>,
    /// When the image is pulled
    #[arg(long, value_name = "POLICY", value_parser = clap::builder::PossibleValuesParser::new(PullPolicy::WORDS))]
    pub image_pull_policy: Option<String>,
    /// Version of Spark in the image
    #[arg(long, value_name = "VERSION")]
    pub spark_version: Option<String>,
    /// Language of the application; by default seen by the main file's name
    #[arg(long = "type", value_name = "LANGUAGE", value_parser = clap::builder::PossibleValuesParser::new(Language::WORDS))]
    pub kind: Option<String>,
    /// Jar or script to run (`local:///path` is in the image)
    #[arg(long, value_name = "URI")]
    pub main_file: Option<String>,
    /// Main class of a jar
    #[arg(long = "class", value_name = "CLASS")]
    pub main_class: Option<String>,
    /// A setting of Spark; the last of the same key counts
    #[arg(short, long = "conf", value_name = "KEY=VALUE", value_parser = pair)]
    pub conf: Vec<(String, String)>,
    /// Number of executors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub executors: Option<u32>,
    /// Cores of the driver
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub driver_cores: Option<u32>,
    /// Memory of the driver's heap, in Spark's notation
    #[arg(long, value_name = "512m", value_parser = amount)]
    pub driver_memory: Option<String>,
    /// Memory of the driver beside its heap
    #[arg(long, value_name = "384m", value_parser = amount)]
    pub driver_memory_overhead: Option<String>,
    /// CPU limit of the driver, in Kubernetes' notation
    #[arg(long, value_name = "1200m", value_parser = cpu)]
    pub driver_core_limit: Option<String>,
    /// Cores of each executor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub executor_cores: Option<u32>,
    /// Memory of each executor's heap, in Spark's notation
    #[arg(long, value_name = "4g", value_parser = amount)]
    pub executor_memory: Option<String>,
    /// Memory of each executor beside its heap
    #[arg(long, value_name = "1g", value_parser = amount)]
    pub executor_memory_overhead: Option<String>,
    /// CPU limit of each executor, in Kubernetes' notation
    #[arg(long, value_name = "2", value_parser = cpu)]
    pub executor_core_limit: Option<String>,
    /// Service account of the driver
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,
    /// Scheduler of the gang: volcano, yunikorn, kueue, or a kube-scheduler with the coscheduling plugin; `default`
    /// for the cluster's own
    #[arg(long, value_name = "NAME")]
    pub scheduler: Option<String>,
    /// Queue of the gang
    #[arg(long)]
    pub queue: Option<String>,
    /// Priority class of the gang and its pods
    #[arg(long, value_name = "NAME")]
    pub priority_class: Option<String>,
    /// Volcano takes no running driver away for another application; executors it may
    #[arg(long)]
    pub protect_driver: bool,
    /// Nodes for all pods must have this label; commas part alternatives
    #[arg(long = "node", visible_alias = "node-affinity", value_name = "KEY=VALUE[,VALUE]", value_parser = node_labels)]
    pub node_affinity: Vec<(String, String)>,
    /// Nodes for the driver must have this label
    #[arg(long = "driver-node", visible_alias = "driver-node-affinity", value_name = "KEY=VALUE[,VALUE]", value_parser = node_labels)]
    pub driver_node_affinity: Vec<(String, String)>,
    /// Nodes for the executors must have this label
    #[arg(long = "executor-node", visible_alias = "executor-node-affinity", value_name = "KEY=VALUE[,VALUE]", value_parser = node_labels)]
    pub executor_node_affinity: Vec<(String, String)>,
    /// Executors are spread evenly over the values of this node label, such as `topology.kubernetes.io/zone`
    #[arg(long, value_name = "KEY", value_parser = label_key)]
    pub spread: Vec<String>,
    /// A taint that all pods tolerate
    #[arg(long = "toleration", value_name = "KEY[=VALUE][:EFFECT]", value_parser = toleration)]
    pub tolerations: Vec<Value>,
    /// A label of all pods
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// An environment variable of all pods
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    /// Maven coordinates that the driver fetches
    #[arg(long, value_name = "G:A:V", value_delimiter = ',')]
    pub packages: Vec<String>,
    /// Jars beside the main one
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub jars: Vec<String>,
    /// Files for the executors' working directories
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub files: Vec<String>,
    /// Python files, zips and eggs; a folder travels as a zip
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub py_files: Vec<String>,
    /// Archives, unpacked for the executors
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub archives: Vec<String>,
    /// Arguments of the application, instead of the file's
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<String>,
}

/// What Volcano asks of a pod before it takes it away; no annotation means that it may.
pub const PREEMPTABLE: &str = "volcano.sh/preemptable";

impl Job {
    /// The job with what the flags say.
    pub fn with(mut self, overrides: Overrides) -> Self {
        // Destructured whole, so that the compiler asks for each flag.
        let Overrides {
            name,
            image,
            image_pull_policy,
            spark_version,
            kind,
            main_file,
            main_class,
            conf,
            executors,
            driver_cores,
            driver_memory,
            driver_memory_overhead,
            driver_core_limit,
            executor_cores,
            executor_memory,
            executor_memory_overhead,
            executor_core_limit,
            service_account,
            scheduler,
            queue,
            priority_class,
            protect_driver,
            node_affinity,
            driver_node_affinity,
            executor_node_affinity,
            spread,
            tolerations,
            labels,
            env,
            packages,
            jars,
            files,
            py_files,
            archives,
            arguments,
        } = overrides;
        self.conf.extend(conf);
        let settings = &mut self.conf;
        let spec = &mut self.spec;
        // A flag of its own beats the same setting given by --conf.
        let mut own = |given: bool, key: &str| {
            if given {
                settings.remove(key);
            }
        };
        for key in [
            "spark.kubernetes.container.image",
            "spark.kubernetes.driver.container.image",
            "spark.kubernetes.executor.container.image",
        ] {
            own(image.is_some(), key);
        }
        own(image_pull_policy.is_some(), "spark.kubernetes.container.image.pullPolicy");
        own(executors.is_some(), "spark.executor.instances");
        own(driver_cores.is_some(), "spark.driver.cores");
        own(driver_memory.is_some(), "spark.driver.memory");
        own(driver_memory_overhead.is_some(), "spark.driver.memoryOverhead");
        own(driver_core_limit.is_some(), "spark.kubernetes.driver.limit.cores");
        own(executor_cores.is_some(), "spark.executor.cores");
        own(executor_memory.is_some(), "spark.executor.memory");
        own(executor_memory_overhead.is_some(), "spark.executor.memoryOverhead");
        own(executor_core_limit.is_some(), "spark.kubernetes.executor.limit.cores");
        own(service_account.is_some(), "spark.kubernetes.authenticate.driver.serviceAccountName");
        own(!packages.is_empty(), "spark.jars.packages");

        if let Some(name) = name {
            self.name = Name::Given(name);
        }
        if image.is_some() {
            (spec.driver.role.image, spec.executor.role.image) = (None, None);
            spec.spark_conf.remove("spark.kubernetes.container.image");
        }
        replace(&mut spec.image, image);
        if let Some(policy) = image_pull_policy {
            spec.spark_conf.remove("spark.kubernetes.container.image.pullPolicy");
            spec.image_pull_policy = [PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::Never]
                .into_iter()
                .find(|word| word.word() == policy);
        }
        replace(&mut spec.spark_version, spark_version);
        if let Some(kind) = kind {
            spec.kind = [Language::Java, Language::Scala, Language::Python, Language::R]
                .into_iter()
                .find(|word| word.word() == kind);
        }
        replace(&mut spec.main_application_file, main_file);
        replace(&mut spec.main_class, main_class);
        replace(&mut spec.executor.instances, executors.map(|n| Whole(n.into())));
        replace(&mut spec.driver.role.cores, driver_cores.map(|n| Whole(n.into())));
        replace(&mut spec.driver.role.memory, driver_memory.map(Memory));
        replace(&mut spec.driver.role.memory_overhead, driver_memory_overhead.map(Memory));
        replace(&mut spec.driver.role.core_limit, driver_core_limit.map(Quantity));
        replace(&mut spec.executor.role.cores, executor_cores.map(|n| Whole(n.into())));
        replace(&mut spec.executor.role.memory, executor_memory.map(Memory));
        replace(&mut spec.executor.role.memory_overhead, executor_memory_overhead.map(Memory));
        replace(&mut spec.executor.role.core_limit, executor_core_limit.map(Quantity));
        replace(&mut spec.driver.role.service_account, service_account);
        if let Some(scheduler) = scheduler {
            (spec.driver.role.scheduler_name, spec.executor.role.scheduler_name) = (None, None);
            spec.batch_scheduler = (scheduler != "default").then_some(scheduler);
        }
        replace(&mut spec.batch_scheduler_options.queue, queue);
        if priority_class.is_some() {
            (spec.driver.role.priority_class_name, spec.executor.role.priority_class_name) = (None, None);
        }
        replace(&mut spec.batch_scheduler_options.priority_class_name, priority_class);
        self.spread.extend(spread);
        let (driver, executor) = (&mut spec.driver.role, &mut spec.executor.role);
        if protect_driver {
            driver.annotations.insert(PREEMPTABLE.into(), "false".into());
        }
        require_nodes(driver, node_affinity.iter().chain(&driver_node_affinity));
        require_nodes(executor, node_affinity.iter().chain(&executor_node_affinity));
        for role in [driver, executor] {
            role.tolerations.extend(tolerations.iter().cloned().map(Embedded::new));
            role.labels.extend(labels.iter().cloned());
            for (name, value) in &env {
                role.env.retain(|other| other.text("name") != name);
                role.env.push(Embedded::new(json!({"name": name, "value": value})));
            }
        }
        let deps = &mut spec.deps;
        for (list, more) in [
            (&mut deps.packages, packages),
            (&mut deps.jars, jars),
            (&mut deps.files, files),
            (&mut deps.py_files, py_files),
            (&mut deps.archives, archives),
        ] {
            list.extend(more);
        }
        if !arguments.is_empty() {
            spec.arguments = arguments;
        }
        self
    }
}

fn replace<T>(field: &mut Option<T>, flag: Option<T>) {
    if flag.is_some() {
        *field = flag;
    }
}

/// Adds requirements to the node affinity. Terms are alternatives, so each of them gets all.
fn require_nodes<'a>(role: &mut RoleSpec, labels: impl Iterator<Item = &'a (String, String)>) {
    let required: Vec<Value> = labels
        .map(|(key, values)| json!({"key": key, "operator": "In", "values": values.split(',').collect::<Vec<_>>()}))
        .collect();
    if required.is_empty() {
        return;
    }
    let affinity = role.affinity.get_or_insert_with(|| Embedded::new(json!({})));
    let terms =
        &mut affinity.json["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"];
    if !terms.is_array() {
        *terms = json!([{}]);
    }
    for term in terms.as_array_mut().into_iter().flatten() {
        match term["matchExpressions"].as_array_mut() {
            Some(expressions) => expressions.extend(required.iter().cloned()),
            None => term["matchExpressions"] = required.clone().into(),
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    names::check(text).map(|()| text.to_owned())
}

/// `KEY=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = pair(text)?;
    names::check_label_key(&key)?;
    names::check_label_value(&value)?;
    Ok((key, value))
}

/// A node label's key, and values that part alternatives with commas.
fn node_labels(text: &str) -> Result<(String, String), String> {
    let (key, values) = pair(text)?;
    names::check_label_key(&key)?;
    values.split(',').try_for_each(names::check_label_value)?;
    Ok((key, values))
}

fn label_key(text: &str) -> Result<String, String> {
    names::check_label_key(text).map(|()| text.to_owned())
}

fn amount(text: &str) -> Result<String, String> {
    let words = |Problem { message, help, .. }: Problem| match help {
        Some(help) => format!("{message}; {help}"),
        None => message,
    };
    memory::check(text).map(|()| text.to_owned()).map_err(words)
}

fn cpu(text: &str) -> Result<String, String> {
    quantity::check(text).map(|()| text.to_owned())
}

/// `KEY[=VALUE][:EFFECT]`, as kubectl writes taints.
fn toleration(text: &str) -> Result<Value, String> {
    let (taint, effect) = match text.rsplit_once(':') {
        Some((taint, effect)) => (taint, Some(effect)),
        None => (text, None),
    };
    if let Some(effect) = effect.filter(|effect| !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect)) {
        return Err(format!("expected NoSchedule, PreferNoSchedule or NoExecute behind the colon, found `{effect}`"));
    }
    let key = taint.split_once('=').map_or(taint, |(key, _)| key);
    names::check_label_key(key)?;
    let mut toleration = match taint.split_once('=') {
        Some((key, value)) => json!({"key": key, "operator": "Equal", "value": value}),
        None => json!({"key": taint, "operator": "Exists"}),
    };
    if let Some(effect) = effect {
        toleration["effect"] = effect.into();
    }
    Ok(toleration)
}
