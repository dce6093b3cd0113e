//! The job file: its sections, what flags change in it, what is wrong with it.

pub mod annotation;
mod check;
mod deps;
mod driver;
mod dynamic_allocation;
#[cfg(test)]
mod every_field;
mod executor;
pub mod explain;
#[cfg(test)]
mod flags_win;
pub mod from_spark_submit;
pub mod kubernetes_type;
pub mod local_files;
pub mod monitoring;
pub mod named_files;
pub mod overrides;
mod placement;
mod quantities;
pub mod restart;
pub mod role;
pub mod schedule;
pub mod scheduling;
pub mod schema;
pub mod spec;
mod submission;
pub mod ui;
mod variables;
pub mod volumes;
pub mod yaml;

use std::collections::BTreeMap;

use local_files::LocalFiles;
pub use overrides::Overrides;
use schedule::Schedule;
use schema::{Reader, Texts};
use serde_json::Value;
use spec::Spec;
pub use submission::Submission;
pub use variables::Variables;
use yaml::Node;

use crate::diagnostic::Problem;
use crate::kubernetes::names;
use crate::program::program;
use crate::scheduler::{self, Scheduler};
use crate::spark::{Conf, Language, SettingError, Version, catalog};

/// What a user asks for: an application, and how it is to run.
#[derive(Clone, Debug, Default)]
pub struct Job {
    pub name: Name,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    pub labels: Texts,
    pub annotations: Texts,
    pub spec: Spec,
    /// Of a `ScheduledSparkApplication`, whose `template` is in `spec`.
    pub schedule: Option<Schedule>,
    /// Settings given by flags, which win over all of the file.
    pub conf: BTreeMap<String, String>,
    /// Labels of nodes over which executors are spread, given by flags: the operator's file has no field for it.
    pub spread: Vec<String>,
    /// Files of this machine that the job speaks of.
    pub files: Files,
    /// The document, to say where a problem is.
    document: Option<Node>,
    /// Where the specification is in the document.
    root: &'static str,
}

/// What the application is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// By `metadata.name`.
    Given(String),
    /// By `metadata.generateName`: this, and a few characters of the submission's id.
    Generated(String),
}

impl Default for Name {
    fn default() -> Self {
        Self::Given(String::new())
    }
}

/// Contents of local files, read before the job is translated.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// The main file and dependencies that are on the submitter's machine.
    pub local: LocalFiles,
    /// Files for the driver's configuration directory beside `spark.properties`.
    pub spark_conf: BTreeMap<String, String>,
    /// Files of a Hadoop configuration directory.
    pub hadoop: Option<BTreeMap<String, String>>,
    /// Name and content of a krb5.conf.
    pub krb5: Option<(String, String)>,
    /// The driver's pod template of `spark.kubernetes.driver.podTemplateFile`.
    pub driver_template: Option<Value>,
    /// The text of the executors' template of `spark.kubernetes.executor.podTemplateFile`.
    pub executor_template: Option<String>,
    /// Certificates and keys by their paths.
    pub by_path: BTreeMap<String, Vec<u8>>,
    /// `PYSPARK_PYTHON` of the submitter's environment.
    pub pyspark_python: Option<String>,
    /// `PYSPARK_DRIVER_PYTHON` of the submitter's environment.
    pub pyspark_driver_python: Option<String>,
    /// Variables of the submitter's environment that settings refer to as `${env:NAME}`.
    pub environment: BTreeMap<String, String>,
}

/// The jobs of a source, and all that is wrong with them.
pub fn read(text: &str, variables: &Variables) -> (Vec<Job>, Vec<Problem>) {
    let mut problems = Vec::new();
    let documents = match yaml::documents(text, &mut problems) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.push(problem);
            return (Vec::new(), problems);
        }
    };
    if documents.is_empty() && problems.is_empty() {
        let help = format!("`{} explain` shows what a job file says", program());
        problems.push(Problem::error("there is no job in it").help(help));
    }
    let jobs = documents.into_iter().filter_map(|mut document| {
        problems.extend(variables.replace(&mut document));
        Job::of(document, &mut problems)
    });
    let jobs = jobs.collect();
    (jobs, problems)
}

/// How the path of a problem begins that is about a setting given by a flag.
const FLAG: &str = "--conf ";

const KINDS: [&str; 2] = ["SparkApplication", "ScheduledSparkApplication"];
const API_VERSION: &str = "sparkoperator.k8s.io/v1beta2";

schema::section! {
    /// `metadata`.
    struct Metadata {
        /// Name of the application: its driver is NAME-driver.
        name: Option<String> => "names of all objects",
        /// Beginning of a name that is made unique at each submission.
        generate_name: Option<String> => "names of all objects",
        /// Namespace that it runs in. By default the kubeconfig's.
        namespace: Option<String> => "namespace of all objects",
        /// Labels, also of the pods.
        labels: Texts => "labels of driver and executors",
        /// Annotations of the document itself. `sparkctl.dev/spark-conf-dir` and `sparkctl.dev/hadoop-conf-dir` name
        /// directories as --spark-conf-dir and --hadoop-conf-dir do.
        annotations: Texts => "nothing: they are the document's",
    }
}

impl Job {
    fn of(document: Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if !matches!(document.value, yaml::Value::Map(_)) {
            problems.push(
                Problem::error(format!("expected a SparkApplication, found {}", document.found())).at(document.place),
            );
            return None;
        }
        let mut reader = Reader::default();
        let kind: Option<String> = reader.field(&document, "kind");
        let api_version: Option<String> = reader.field(&document, "apiVersion");
        check_kind(&document, kind.as_deref(), api_version.as_deref(), &mut reader);
        if is_anothers(kind.as_deref(), api_version.as_deref()) {
            problems.append(&mut reader.problems);
            return None;
        }
        let metadata: Metadata = reader.field(&document, "metadata");
        let scheduled = kind.as_deref() == Some("ScheduledSparkApplication");
        let (spec, schedule, root) = match scheduled {
            true => {
                let schedule: Schedule = reader.field(&document, "spec");
                (schedule.template.clone(), Some(schedule), "spec.template")
            }
            false => (reader.field(&document, "spec"), None, "spec"),
        };
        for entry in document.entries() {
            if !["apiVersion", "kind", "metadata", "spec", "status"].contains(&entry.key.as_str()) {
                let mut unknown = Problem::error(format!("unknown field `{}`", entry.key))
                    .at(entry.place)
                    .at_field(entry.key.clone());
                if let Some(word) = crate::diagnostic::nearest(&entry.key, ["apiVersion", "kind", "metadata", "spec"]) {
                    unknown = unknown.help(format!("did you mean `{word}`?"));
                }
                reader.problems.push(unknown);
            }
        }
        problems.append(&mut reader.problems);
        Some(Self {
            name: match (metadata.name, metadata.generate_name) {
                (Some(name), _) => Name::Given(name),
                (None, Some(beginning)) => Name::Generated(beginning),
                (None, None) => Name::default(),
            },
            namespace: metadata.namespace,
            labels: metadata.labels,
            annotations: metadata.annotations,
            spec,
            schedule,
            conf: BTreeMap::new(),
            spread: Vec::new(),
            files: Files::default(),
            document: Some(document),
            root,
        })
    }

    /// The name of the application.
    pub fn name(&self, submission: &Submission) -> String {
        match &self.name {
            Name::Given(name) => name.clone(),
            Name::Generated(beginning) => {
                names::cut(beginning.trim_end_matches('-'), &format!("-{}", &submission.short()[3..]), names::SUBDOMAIN)
            }
        }
    }

    /// The name as far as it is known before a submission.
    pub fn title(&self) -> &str {
        match &self.name {
            Name::Given(name) | Name::Generated(name) => name,
        }
    }

    /// All settings of the user: those of the file in the operator's order, then the flags'.
    pub fn settings(&self, namespace: &str) -> Conf {
        let mut conf = self.spec.settings(namespace, self.title());
        conf.extend(self.conf.clone());
        conf
    }

    /// All settings as Spark reads them: what they refer to is put in.
    pub fn resolved(&self, namespace: &str) -> Conf {
        self.settings(namespace).all_resolved(&self.files.environment)
    }

    /// Whether the file's `sparkConf` or a flag gives the setting.
    pub fn sets(&self, key: &str) -> bool {
        self.spec.spark_conf.contains_key(key) || self.conf.contains_key(key)
    }

    /// The version of Spark as it was written, or as the image's tag says it.
    pub fn spark_version(&self) -> &str {
        let of_image = || {
            self.spec
                .image
                .as_deref()
                .and_then(|image| image.rsplit_once(':'))
                .map(|(_, tag)| tag.trim_start_matches('v'))
        };
        self.spec.spark_version.as_deref().or_else(of_image).unwrap_or_default()
    }

    pub fn version(&self) -> Version {
        Version::parse(self.spark_version()).unwrap_or(Version::ASSUMED)
    }

    /// The language of the application. The main file's name decides, as in Spark; `type` counts where the name says
    /// nothing.
    pub fn language(&self) -> Language {
        let file = self.spec.main_application_file.as_deref().unwrap_or_default();
        let kind = self.spec.kind.filter(|kind| !kind.is_foreign() || !file.ends_with(".jar"));
        Language::of_main_file(file).or(kind).unwrap_or_default()
    }

    /// The scheduler of the application's pods: by `batchScheduler`, else by a label of the document.
    pub fn scheduler(&self) -> Scheduler {
        Scheduler::of(self.spec.batch_scheduler.as_deref(), &self.labels)
    }

    /// The name of the queue, by the options or by a label of the document.
    pub fn queue(&self) -> Option<&String> {
        self.spec.batch_scheduler_options.queue.as_ref().or_else(|| scheduler::labelled_queue(&self.labels))
    }

    /// What carries the driver's pod.
    pub fn carrier(&self) -> restart::CarrierKind {
        let time_to_live = self.spec.time_to_live_seconds.as_deref().copied();
        restart::CarrierKind::of(&self.spec.restart_policy, time_to_live, self.schedule.is_some())
    }

    /// The class that the driver starts.
    pub fn main_class(&self) -> &str {
        self.language().runner_class().or(self.spec.main_class.as_deref()).unwrap_or_default()
    }

    /// The driver's pod template, of the file's section or of a setting.
    pub fn driver_template(&self) -> Option<Value> {
        let section = self.spec.driver.role.template.as_ref().map(|template| template.json.clone());
        section.or_else(|| self.files.driver_template.clone())
    }

    /// The executors' pod template.
    pub fn executor_template(&self) -> Option<Value> {
        let section = self.spec.executor.role.template.as_ref().map(|template| template.json.clone());
        section.or_else(|| {
            let documents = yaml::documents(self.files.executor_template.as_deref()?, &mut Vec::new()).ok()?;
            documents.first().map(Node::json)
        })
    }

    /// Where the specification's field `path` was written, and its whole path.
    pub fn located(&self, problem: Problem) -> Problem {
        let path = match problem.path.strip_prefix("spec") {
            // Flags have no document for the specification to be in.
            Some(rest) if self.root.is_empty() => rest.trim_start_matches('.').to_owned(),
            Some(rest) => format!("{}{rest}", self.root),
            None => problem.path.clone(),
        };
        self.placed(Problem { path, ..problem })
    }

    /// Adds the place in the file of the field that the problem names by its whole path. A flag has none.
    fn placed(&self, problem: Problem) -> Problem {
        let document = self.document.as_ref().filter(|_| !problem.path.starts_with(FLAG));
        let place = problem.place.or_else(|| document.map(|document| document.place_of(&problem.path)));
        Problem { place, ..problem }
    }

    /// A problem of the setting `key`, at the flag or at the place in the file that sets it. Where no field is known for
    /// it, the message names the key.
    pub fn setting_problem(&self, key: &str, mut problem: Problem) -> Problem {
        let path = match key.strip_prefix("spark.hadoop.") {
            _ if self.conf.contains_key(key) => format!("{FLAG}{key}"),
            _ if self.spec.spark_conf.contains_key(key) => format!("spec.sparkConf.{key}"),
            Some(hadoop) if self.spec.hadoop_conf.contains_key(hadoop) => format!("spec.hadoopConf.{hadoop}"),
            _ => catalog::field_of(key).unwrap_or_default(),
        };
        if path.is_empty() {
            problem.message = format!("`{key}`: {}", problem.message);
        }
        self.located(problem.at_field(path))
    }

    /// A setting that Spark would refuse, as a problem at the place where it was set.
    pub fn setting_error(&self, error: SettingError) -> Problem {
        self.setting_problem(&error.key, error.problem())
    }
}

/// Whether a document is an object of another kind, of which it would only confuse to say what a job has and it has not.
fn is_anothers(kind: Option<&str>, api_version: Option<&str>) -> bool {
    let is_misspelt = |kind: &str| crate::diagnostic::nearest(kind, KINDS).is_some();
    let group = |version: &'_ str| version.split('/').next().map(str::to_owned);
    kind.is_some_and(|kind| !KINDS.contains(&kind) && !is_misspelt(kind))
        || api_version.is_some_and(|version| version.contains('/') && group(version) != group(API_VERSION))
}

fn check_kind(document: &Node, kind: Option<&str>, api_version: Option<&str>, reader: &mut Reader) {
    let of = |key: &str| document.get(key).unwrap_or(document).place;
    match kind {
        Some(kind) if KINDS.contains(&kind) => {}
        Some("SparkConnect") => reader.problems.push(
            Problem::error("a SparkConnect server is not an application that ends")
                .at_field("kind")
                .at(of("kind"))
                .help("sparkctl runs SparkApplication and ScheduledSparkApplication"),
        ),
        Some(kind) => {
            let mut problem = Problem::error(format!("expected one of {}, found `{kind}`", KINDS.join(", ")))
                .at_field("kind")
                .at(of("kind"));
            problem = problem.help(match crate::diagnostic::nearest(kind, KINDS) {
                Some(word) => format!("did you mean `{word}`?"),
                None => "objects of other kinds are for kubectl apply, in a file of their own".into(),
            });
            reader.problems.push(problem);
        }
        None => reader.problems.push(Problem::error("`kind` is missing: expected SparkApplication").at(document.place)),
    }
    match api_version {
        Some(API_VERSION) => {}
        Some(version) => reader.problems.push(
            Problem::error(format!("expected {API_VERSION}, found `{version}`"))
                .at_field("apiVersion")
                .at(of("apiVersion")),
        ),
        None => reader
            .problems
            .push(Problem::error(format!("`apiVersion` is missing: expected {API_VERSION}")).at(document.place)),
    }
}
