//! Flags that change a job, or describe one without a file.
//!
//! A flag of its own wins over the same setting given by `--conf`, `--conf` over the file's fields, and those over the
//! file's `sparkConf`.

use clap::Args;
use serde_json::{Value, json};

use super::kubernetes_type::Embedded;
use super::quantities::Quantity;
use super::role::RoleSpec;
use super::schema::Whole;
use super::spec::PullPolicy;
use super::{Job, Name};
use crate::diagnostic::Problem;
use crate::kubernetes::{names, quantity};
use crate::scheduler::{self, Rules};
use crate::spark::Language;
use crate::spark::{Memory, catalog, memory};

/// Flags that win over the job file. Without a file they describe the whole job.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Job (flags win over the file)")]
pub struct Overrides {
    /// Name of the application
    #[arg(long, value_parser = name)]
    pub name: Option<String>,
    /// Image of the driver and the executors
    #[arg(long)]
    pub image: Option<String>,
    /// When to pull the image
    #[arg(long, value_name = "POLICY", value_parser = clap::builder::PossibleValuesParser::new(PullPolicy::WORDS))]
    pub image_pull_policy: Option<String>,
    /// Spark version in the image
    #[arg(long, value_name = "VERSION")]
    pub spark_version: Option<String>,
    /// Language of the application [default: by the main file's suffix]
    #[arg(long = "type", value_name = "LANGUAGE", value_parser = clap::builder::PossibleValuesParser::new(Language::WORDS))]
    pub kind: Option<String>,
    /// Jar or script to run (`local:///path` is a path in the image)
    #[arg(long, value_name = "URI")]
    pub main_file: Option<String>,
    /// Main class of the jar
    #[arg(long = "class", value_name = "CLASS")]
    pub main_class: Option<String>,
    /// Set a Spark setting; wins over the file, but a flag of its own wins over it. Can be repeated
    #[arg(short, long = "conf", value_name = "KEY=VALUE", value_parser = pair)]
    pub conf: Vec<(String, String)>,
    /// Number of executors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub executors: Option<u32>,
    /// Cores of the driver
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub driver_cores: Option<u32>,
    /// Heap size of the driver, in Spark's notation
    #[arg(long, value_name = "512m", value_parser = amount)]
    pub driver_memory: Option<String>,
    /// Memory of the driver outside the heap
    #[arg(long, value_name = "384m", value_parser = amount)]
    pub driver_memory_overhead: Option<String>,
    /// CPU limit of the driver, in Kubernetes' notation
    #[arg(long, value_name = "1200m", value_parser = cpu)]
    pub driver_core_limit: Option<String>,
    /// Cores of each executor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub executor_cores: Option<u32>,
    /// Heap size of each executor, in Spark's notation
    #[arg(long, value_name = "4g", value_parser = amount)]
    pub executor_memory: Option<String>,
    /// Memory of each executor outside the heap
    #[arg(long, value_name = "1g", value_parser = amount)]
    pub executor_memory_overhead: Option<String>,
    /// CPU limit of each executor, in Kubernetes' notation
    #[arg(long, value_name = "2", value_parser = cpu)]
    pub executor_core_limit: Option<String>,
    /// Service account of the driver
    #[arg(long, value_name = "NAME")]
    pub service_account: Option<String>,
    /// Scheduler of the gang: volcano, yunikorn, kueue, or the name of a kube-scheduler with the coscheduling plugin;
    /// `default` for the cluster's own scheduler
    #[arg(long, value_name = "NAME")]
    pub scheduler: Option<String>,
    /// Queue of the gang
    #[arg(long)]
    pub queue: Option<String>,
    /// Priority class of the gang and its pods
    #[arg(long, value_name = "NAME")]
    pub priority_class: Option<String>,
    /// Keep Volcano from preempting the running driver (executors may still be preempted)
    #[arg(long)]
    pub protect_driver: bool,
    /// Run all pods on nodes with this label; separate alternative values by commas
    #[arg(long = "node", visible_alias = "node-affinity", value_name = "KEY=VALUE[,VALUE]", value_parser = node_labels)]
    pub node_affinity: Vec<(String, String)>,
    /// Run the driver on nodes with this label
    #[arg(long = "driver-node", visible_alias = "driver-node-affinity", value_name = "KEY=VALUE[,VALUE]", value_parser = node_labels)]
    pub driver_node_affinity: Vec<(String, String)>,
    /// Run the executors on nodes with this label
    #[arg(long = "executor-node", visible_alias = "executor-node-affinity", value_name = "KEY=VALUE[,VALUE]", value_parser = node_labels)]
    pub executor_node_affinity: Vec<(String, String)>,
    /// Spread executors evenly over the values of this node label, such as `topology.kubernetes.io/zone`
    #[arg(long, value_name = "KEY", value_parser = label_key)]
    pub spread: Vec<String>,
    /// Let all pods tolerate this taint
    #[arg(long = "toleration", value_name = "KEY[=VALUE][:EFFECT]", value_parser = toleration)]
    pub tolerations: Vec<Value>,
    /// Add a label to all pods
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// Set an environment variable in all pods
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
    /// Maven packages to download, beside those of `deps.packages`; wins over `spark.jars.packages`
    #[arg(long, value_name = "G:A:V", value_delimiter = ',')]
    pub packages: Vec<String>,
    /// Jars to add, beside those of `deps.jars`; wins over `spark.jars`
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub jars: Vec<String>,
    /// Files to place in the executors' working directories, beside those of `deps.files`; wins over `spark.files`
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub files: Vec<String>,
    /// Python files, zips and eggs to add, beside those of `deps.pyFiles` (a directory is sent as a zip); wins over
    /// `spark.submit.pyFiles`
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub py_files: Vec<String>,
    /// Archives to unpack for the executors, beside those of `deps.archives`; wins over `spark.archives`
    #[arg(long, value_name = "URI", value_delimiter = ',')]
    pub archives: Vec<String>,
    /// Arguments of the application, replacing those in the file
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<String>,
}

impl Job {
    /// Applies the flags to the job.
    pub fn with(mut self, overrides: Overrides) -> Self {
        // Destructured without `..`, so that the compiler asks for each flag.
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
        for (flag, given) in [
            ("--image", image.is_some()),
            ("--image-pull-policy", image_pull_policy.is_some()),
            ("--executors", executors.is_some()),
            ("--driver-cores", driver_cores.is_some()),
            ("--driver-memory", driver_memory.is_some()),
            ("--driver-memory-overhead", driver_memory_overhead.is_some()),
            ("--driver-core-limit", driver_core_limit.is_some()),
            ("--executor-cores", executor_cores.is_some()),
            ("--executor-memory", executor_memory.is_some()),
            ("--executor-memory-overhead", executor_memory_overhead.is_some()),
            ("--executor-core-limit", executor_core_limit.is_some()),
            ("--service-account", service_account.is_some()),
            ("--scheduler", scheduler.is_some()),
            ("--protect-driver", protect_driver),
            ("--packages", !packages.is_empty()),
            ("--jars", !jars.is_empty()),
            ("--files", !files.is_empty()),
            ("--py-files", !py_files.is_empty()),
            ("--archives", !archives.is_empty()),
        ] {
            if given {
                self.displace(flag, "");
            }
        }
        for (flag, pairs) in [("--label", &labels), ("--env", &env)] {
            pairs.iter().for_each(|(name, _)| self.displace(flag, name));
        }
        let spec = &mut self.spec;

        if let Some(name) = name {
            self.name = Name::Given(name);
        }
        if image.is_some() {
            (spec.driver.role.image, spec.executor.role.image) = (None, None);
        }
        replace(&mut spec.image, image);
        if let Some(policy) = image_pull_policy {
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
        let has_queue = queue.is_some();
        replace(&mut spec.batch_scheduler_options.queue, queue);
        if priority_class.is_some() {
            (spec.driver.role.priority_class_name, spec.executor.role.priority_class_name) = (None, None);
        }
        replace(&mut spec.batch_scheduler_options.priority_class_name, priority_class);
        self.spread.extend(spread);
        let (driver, executor) = (&mut spec.driver.role, &mut spec.executor.role);
        if protect_driver {
            let protections = scheduler::all().filter_map(Rules::driver_protection);
            driver.annotations.extend(protections.map(|(key, value)| (key.to_owned(), value.to_owned())));
        }
        require_nodes(driver, node_affinity.iter().chain(&driver_node_affinity));
        require_nodes(executor, node_affinity.iter().chain(&executor_node_affinity));
        for role in [driver, executor] {
            role.tolerations.extend(tolerations.iter().cloned().map(Embedded::new));
            role.labels.extend(labels.iter().cloned());
            for (name, value) in &env {
                role.env.retain(|other| other.text("name") != name);
                role.env_vars.remove(name);
                role.env_secret_key_refs.remove(name);
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
        if has_queue {
            self.displace_queue_label();
        }
        self
    }

    /// Removes the settings behind a flag from `sparkConf` and from what `--conf` gave, because the flag wins. `name`
    /// is the last part of a setting that belongs to a family, such as the key of a label.
    fn displace(&mut self, flag: &str, name: &str) {
        for row in catalog::set_by(flag) {
            let key = row.key.replace('*', name);
            self.conf.remove(&key);
            self.spec.spark_conf.remove(&key);
        }
    }

    /// Removes the label that names the queue to the scheduler, because `--queue` wins over it.
    fn displace_queue_label(&mut self) {
        if let Some(label) = self.scheduler().rules().and_then(Rules::queue_label) {
            self.displace("--label", label);
            self.spec.driver.role.labels.remove(label);
            self.spec.executor.role.labels.remove(label);
        }
    }
}

fn replace<T>(field: &mut Option<T>, flag: Option<T>) {
    if flag.is_some() {
        *field = flag;
    }
}

/// Adds requirements to the node affinity. Its terms are alternatives, so each of them gets all requirements.
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

/// A node label's key, and its alternative values, separated by commas.
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
        return Err(format!("expected NoSchedule, PreferNoSchedule or NoExecute after the colon, found `{effect}`"));
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
