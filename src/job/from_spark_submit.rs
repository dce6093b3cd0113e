//! From a command line of `spark-submit` to the job file that means the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::quantities::QUANTITY;
use super::schema::Kind;
use super::yaml::Node;
use super::{API_VERSION, annotation, explain, variables};
use crate::kubernetes::quantity;
use crate::spark::{CommandLine, Conf, Language, Version, catalog, memory, resource_name_prefix};

/// What a command line means only together with where it is given.
#[derive(Clone, Debug, Default)]
pub struct SubmitEnvironment {
    pub environment: BTreeMap<String, String>,
    /// Version of Spark in the image.
    pub spark_version: String,
    /// Directory with files of Spark's configuration.
    pub spark_conf_dir: Option<String>,
    /// Directory with files of Hadoop's configuration.
    pub hadoop_conf_dir: Option<String>,
    /// The user that a configuration file names.
    pub user: Option<String>,
    /// The PodGroup of `spark.kubernetes.scheduler.volcano.podGroupTemplateFile`.
    pub pod_group: Option<Node>,
}

/// A job file, and what of the command line is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Converted {
    pub document: Value,
    pub notes: Vec<String>,
}

pub const POD_GROUP_TEMPLATE: &str = "spark.kubernetes.scheduler.volcano.podGroupTemplateFile";
const NAMESPACE: &str = "spark.kubernetes.namespace";

/// The job file of a command line with its `settings`.
///
/// # Errors
/// What is no application for Kubernetes.
pub fn convert(line: &CommandLine, settings: Conf, around: &SubmitEnvironment) -> Result<Converted, String> {
    let mut conversion = Conversion { settings, notes: Vec::new() };
    conversion.place()?;
    let resource = line.resource.as_deref().ok_or("the jar or script to run is missing")?;
    if ["spark-shell", "pyspark-shell", "sparkr-shell", "spark-internal"].contains(&resource) {
        return Err(format!("`{resource}` is a shell, which needs its user at the driver"));
    }
    if let Some(version) = Version::parse(&around.spark_version) {
        line.check(version)?;
    }
    let language = Language::of_main_file(resource).unwrap_or(Language::Java);
    let namespace = conversion.namespace(&around.environment);
    let metadata = conversion.metadata(&namespace, around);
    let mut spec = Map::new();
    spec.insert("type".into(), language.word().into());
    spec.insert("sparkVersion".into(), around.spark_version.as_str().into());
    spec.insert("mode".into(), "cluster".into());
    set_some(&mut spec, "proxyUser", line.proxy_user.as_deref());
    set_some(&mut spec, "image", conversion.settings.given("spark.kubernetes.container.image"));
    match &line.main_class {
        Some(class) if !language.is_foreign() => set_some(&mut spec, "mainClass", Some(class)),
        Some(_) => conversion.note("--class", &format!("no effect for {}", language.word())),
        None => {}
    }
    set_some(&mut spec, "mainApplicationFile", Some(resource));
    if !line.arguments.is_empty() {
        spec.insert("arguments".into(), line.arguments.clone().into());
    }
    conversion.volcano(around.pod_group.as_ref(), &mut spec);
    conversion.local_dirs(&around.environment);
    conversion.executors();
    conversion.fields(&mut spec);
    for flag in &line.idle {
        conversion.note(flag, "no effect on Kubernetes");
    }
    conversion.without_effect();
    let rest: Map<String, Value> =
        conversion.settings.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    if !rest.is_empty() {
        spec.insert("sparkConf".into(), rest.into());
    }
    let mut document =
        json!({"apiVersion": API_VERSION, "kind": "SparkApplication", "metadata": metadata, "spec": ordered(spec)});
    escape(&mut document);
    Ok(Converted { document, notes: conversion.notes })
}

struct Conversion {
    /// Settings that have no place in the document yet.
    settings: Conf,
    notes: Vec<String>,
}

impl Conversion {
    fn note(&mut self, what: &str, why: &str) {
        self.notes.push(format!("{what}: {why}"));
    }

    /// Sees to it that the application is for a cluster.
    ///
    /// Source: `Utils.checkAndGetK8sMasterUrl` and `SparkSubmit.prepareSubmitEnvironment` of Spark.
    fn place(&mut self) -> Result<(), String> {
        let master = self.settings.given("spark.master").unwrap_or("local[*]").to_owned();
        let Some(server) = master.strip_prefix("k8s://") else {
            return Err(format!("the master is `{master}`: expected a Kubernetes cluster, --master k8s://…"));
        };
        let server = match server.split_once("://") {
            None => format!("https://{server}"),
            Some(("http" | "https", _)) => server.to_owned(),
            Some((scheme, _)) => {
                return Err(format!("the master `{master}` is reached by http or https, not {scheme}"));
            }
        };
        match self.settings.given("spark.submit.deployMode").unwrap_or("client") {
            "cluster" => {}
            mode => {
                return Err(format!(
                    "the deploy mode is {mode}: a job file is for --deploy-mode cluster, where the driver is a pod"
                ));
            }
        }
        self.settings.set("spark.master", format!("k8s://{server}"));
        self.settings.remove("spark.submit.deployMode");
        Ok(())
    }

    /// The namespace, which is not the kubeconfig's.
    fn namespace(&mut self, environment: &BTreeMap<String, String>) -> String {
        let namespace = self.settings.resolved(NAMESPACE, environment);
        self.settings.remove(NAMESPACE);
        namespace.filter(|namespace| !namespace.is_empty()).unwrap_or_else(|| "default".into())
    }

    /// Each submission has a name of its own, as Spark's have.
    fn metadata(&self, namespace: &str, around: &SubmitEnvironment) -> Value {
        let mut name = resource_name_prefix(self.settings.get("spark.app.name").unwrap_or_default());
        name.truncate(40);
        let mut metadata = json!({"generateName": format!("{}-", name.trim_end_matches('-')), "namespace": namespace});
        let annotations: Map<String, Value> = [
            (annotation::SPARK_CONF_DIR, &around.spark_conf_dir),
            (annotation::HADOOP_CONF_DIR, &around.hadoop_conf_dir),
            (annotation::USER, &around.user),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.as_deref()?.into())))
        .collect();
        if !annotations.is_empty() {
            metadata["annotations"] = annotations.into();
        }
        metadata
    }

    /// Spark's step for Volcano is the job file's `batchScheduler`.
    fn volcano(&mut self, pod_group: Option<&Node>, spec: &mut Map<String, Value>) {
        const STEPS: [&str; 2] =
            ["spark.kubernetes.driver.pod.featureSteps", "spark.kubernetes.executor.pod.featureSteps"];
        let is_volcano = |step: &&str| step.ends_with(".VolcanoFeatureStep");
        if !self.settings.list(STEPS[0]).iter().any(is_volcano) {
            return;
        }
        for key in STEPS {
            let others: Vec<&str> = self.settings.list(key).into_iter().filter(|step| !is_volcano(step)).collect();
            match others.join(",") {
                none if none.is_empty() => self.settings.remove(key),
                others => self.settings.set(key, others),
            }
        }
        for key in [
            "spark.kubernetes.scheduler.name",
            "spark.kubernetes.driver.scheduler.name",
            "spark.kubernetes.executor.scheduler.name",
        ] {
            self.settings.remove(key);
        }
        self.settings.remove(POD_GROUP_TEMPLATE);
        spec.insert("batchScheduler".into(), "volcano".into());
        let group = pod_group.map(|group| group.json()["spec"].take()).unwrap_or_default();
        let mut options = Map::new();
        for (key, value) in group.as_object().into_iter().flatten() {
            match key.as_str() {
                "queue" | "priorityClassName" => options.insert(key.clone(), value.clone()),
                "minResources" => options.insert("resources".into(), texts(value)),
                key => {
                    self.note(&format!("{key} of the PodGroup"), "sparkctl reckons it");
                    None
                }
            };
        }
        if !options.is_empty() {
            spec.insert("batchSchedulerOptions".into(), options.into());
        }
    }

    /// Source: `LocalDirsFeatureStep` of Spark: the submitter's variable wins over the setting.
    fn local_dirs(&mut self, environment: &BTreeMap<String, String>) {
        if let Some(directories) = environment.get("SPARK_LOCAL_DIRS").filter(|directories| !directories.is_empty()) {
            self.settings.set("spark.local.dir", directories.as_str());
        }
    }

    /// Spark has two executors where nothing is said, the operator has one.
    fn executors(&mut self) {
        if !self.settings.is_true("spark.dynamicAllocation.enabled") {
            self.settings.set_default("spark.executor.instances", "2");
        }
    }

    /// Moves settings into the fields that say the same.
    fn fields(&mut self, spec: &mut Map<String, Value>) {
        let fields = explain::fields();
        for row in catalog::rows().filter(|row| row.is_whole_field) {
            let Some(field) = fields.iter().find(|entry| Some(entry.path.as_str()) == row.field) else { continue };
            let path: Vec<&str> = field.path.split('.').skip(1).collect();
            match row.prefix() {
                None => self.move_setting(row.key, &path, &field.field.kind, spec),
                Some(prefix) => self.move_family(prefix, &path, spec),
            }
        }
    }

    fn move_setting(&mut self, key: &str, path: &[&str], kind: &Kind, spec: &mut Map<String, Value>) {
        if let Some(value) = self.settings.get(key).and_then(|text| field_value(kind, text)) {
            set_at(spec, path, value);
            self.settings.remove(key);
        }
    }

    fn move_family(&mut self, prefix: &str, path: &[&str], spec: &mut Map<String, Value>) {
        let family: Vec<(String, String)> =
            self.settings.with_prefix(prefix).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        for (key, value) in family.into_iter().filter(|(key, _)| !key.is_empty()) {
            self.settings.remove(&format!("{prefix}{key}"));
            let inner: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            set_at(spec, &inner, value.into());
        }
    }

    /// Notes settings that stay in the file without effect.
    fn without_effect(&mut self) {
        let reasons: Vec<(String, &str)> =
            self.settings.iter().filter_map(|(key, _)| Some((key.clone(), catalog::without_effect(key)?))).collect();
        reasons.into_iter().for_each(|(key, reason)| self.note(&key, reason));
    }
}

/// The value of a field of this kind, if it says the same as the setting's text.
fn field_value(kind: &Kind, text: &str) -> Option<Value> {
    if text.is_empty() || text != text.trim() {
        return None;
    }
    match kind {
        Kind::Text => Some(text.into()),
        Kind::Integer(least, most) => {
            let number = text.parse::<i64>().ok().filter(|number| (least..=most).contains(&number))?;
            (number.to_string() == text).then(|| number.into())
        }
        Kind::List(_) => {
            let parts: Vec<&str> = text.split(',').collect();
            parts.iter().all(|part| !part.is_empty() && *part == part.trim()).then(|| parts.into())
        }
        Kind::Form(memory::FORM) => memory::mebibytes(text).map(|_| text.into()),
        Kind::Form(QUANTITY) => quantity::check(text).is_ok().then(|| text.into()),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        Kind::Word(words) => words.contains(&text).then(|| text.into()),
        Kind::Form(_) | Kind::Map(_) | Kind::Section(_) | Kind::Kubernetes(_) => None,
    }
}

fn set_some(spec: &mut Map<String, Value>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        spec.insert(key.to_owned(), value.into());
    }
}

fn set_at(section: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [key] => {
            section.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => {
            if let Value::Object(inner) = section.entry(*key).or_insert_with(|| json!({})) {
                set_at(inner, rest, value);
            }
        }
    }
}

/// Quantities as text, however they were written.
fn texts(value: &Value) -> Value {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect::<BTreeMap<_, _>>()
        .into_iter()
        .collect()
}

/// The fields in the order in which people read them: the settings without a field behind all others.
fn ordered(mut spec: Map<String, Value>) -> Value {
    for key in ["deps", "driver", "executor", "hadoopConf", "sparkConf"] {
        if let Some(section) = spec.shift_remove(key) {
            spec.insert(key.into(), section);
        }
    }
    spec.into()
}

/// Keeps texts from being taken for variables of the job file.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = variables::escaped(text),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(entries) => entries.iter_mut().for_each(|(_, value)| escape(value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "--master k8s://h:6443 --deploy-mode cluster";

    fn converted(rest: &str) -> Result<Converted, String> {
        let line = CommandLine::parse(format!("{PLACE} {rest}").split(' ').map(str::to_owned))?;
        let around = SubmitEnvironment {
            spark_version: "3.5.1".into(),
            environment: [("NS".to_owned(), "team".to_owned())].into(),
            ..SubmitEnvironment::default()
        };
        let (settings, _) = line.settings([], &around.environment);
        convert(&line, settings, &around)
    }

    #[test]
    fn settings_go_to_their_fields() {
        let Converted { document, notes } = converted(
            "--name My_App --class a.B --driver-memory 2g --num-executors 3 --jars a:/x,a:/y --queue q \
             --conf spark.kubernetes.namespace=${env:NS} --conf spark.sql.x=1 --conf spark.hadoop.fs.x=y \
             --conf spark.executor.cores=${spark.c} local:///a.jar ${HOME} $",
        )
        .unwrap();
        assert_eq!(
            document,
            json!({
                "apiVersion": "sparkoperator.k8s.io/v1beta2",
                "kind": "SparkApplication",
                "metadata": {"generateName": "my-app-", "namespace": "team"},
                "spec": {
                    "type": "Java",
                    "sparkVersion": "3.5.1",
                    "mode": "cluster",
                    "mainClass": "a.B",
                    "mainApplicationFile": "local:///a.jar",
                    "arguments": ["$${HOME}", "$"],
                    "deps": {"jars": ["a:/x", "a:/y"]},
                    "driver": {"memory": "2g"},
                    "executor": {"instances": 3},
                    "hadoopConf": {"fs.x": "y"},
                    "sparkConf": {
                        "spark.app.name": "My_App",
                        "spark.executor.cores": "${spark.c}",
                        "spark.master": "k8s://https://h:6443",
                        "spark.sql.x": "1",
                    },
                },
            })
        );
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].starts_with("--queue: no effect"), "{notes:?}");
    }

    #[test]
    fn what_is_not_for_kubernetes_is_refused() {
        for (rest, words) in [
            ("--master yarn a.py", "expected a Kubernetes cluster"),
            ("--master k8s://ftp://h a.py", "http or https"),
            ("--deploy-mode client a.py", "deploy mode is client"),
            ("--load-spark-defaults a.py", "Spark 4.0"),
            ("--name x", "missing"),
            ("pyspark-shell", "shell"),
        ] {
            let refusal = converted(rest).unwrap_err();
            assert!(refusal.contains(words), "{refusal}");
        }
    }

    /// Spark tells languages by the end of the name alone, and so does a job file.
    #[test]
    fn the_language_is_the_one_that_the_job_file_will_be_run_as() {
        for (main_file, language) in [
            ("local:///a.py", "Python"),
            ("local:///a.R", "R"),
            ("local:///a.r", "R"),
            ("local:///a.jar", "Java"),
            ("local:///a.zip", "Java"),
            ("local:///a.PY", "Java"),
            ("local:///py", "Java"),
        ] {
            let converted = converted(&format!("--class a.B --conf spark.kubernetes.container.image=i {main_file}"));
            let document = converted.unwrap().document;
            assert_eq!(document["spec"]["type"], language, "{main_file}");
            let (jobs, _) = crate::job::read(&document.to_string(), &crate::job::Variables::default());
            assert_eq!(jobs[0].language().word(), language, "{main_file}");
            let of_language = |problem: &crate::diagnostic::Problem| problem.path == "spec.type";
            assert!(!jobs[0].check("default").iter().any(of_language), "{main_file}");
        }
    }

    #[test]
    fn volcanos_step_is_the_batch_scheduler() {
        let steps = "org.apache.spark.deploy.k8s.features.VolcanoFeatureStep";
        let Converted { document, .. } = converted(&format!(
            "--conf spark.kubernetes.driver.pod.featureSteps={steps},a.Other --conf spark.kubernetes.executor.pod.featureSteps={steps} \
             --conf spark.kubernetes.scheduler.name=volcano a.py"
        ))
        .unwrap();
        assert_eq!(document["spec"]["batchScheduler"], "volcano");
        assert_eq!(document["spec"]["sparkConf"]["spark.kubernetes.driver.pod.featureSteps"], "a.Other");
        assert_eq!(document["spec"]["sparkConf"]["spark.kubernetes.executor.pod.featureSteps"], Value::Null);
    }
}
