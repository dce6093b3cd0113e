//! Reads the configuration files that a job names: templates, certificates, directories.

use std::path::{Path, PathBuf};

use crate::diagnostic::Problem;
use crate::job::yaml::{Node, documents};
use crate::job::{Files, Job, annotation};
use crate::spark::{Conf, conf_dir, credentials};

/// Directories whose files are submitted with the job.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Directories {
    /// Directory with files for the driver besides its settings, such as log4j2.properties; spark-defaults.conf is ignored
    #[arg(long, value_name = "DIR")]
    pub spark_conf_dir: Option<PathBuf>,
    /// Directory with Hadoop's configuration, such as core-site.xml
    #[arg(long, value_name = "DIR")]
    pub hadoop_conf_dir: Option<PathBuf>,
}

/// Reads the files. A file that cannot be read is a problem.
pub fn read(job: &Job, directories: &Directories) -> (Files, Vec<Problem>) {
    let mut reader = Reader { job, settings: job.settings("default"), problems: Vec::new() };
    let mut files = Files { environment: reader.environment(), ..Files::default() };
    reader.settings = reader.settings.all_resolved(&files.environment);
    reader.templates(&mut files);
    reader.krb5(&mut files);
    for key in credentials::file_settings() {
        if let Some(path) = reader.settings.given(&key).filter(|path| !path.starts_with("local:")).map(str::to_owned) {
            files.by_path.extend(reader.bytes(&key, &path).map(|bytes| (path, bytes)));
        }
    }
    reader.directories(directories, &mut files);
    files.pyspark_python = variable("PYSPARK_PYTHON");
    files.pyspark_driver_python = variable("PYSPARK_DRIVER_PYTHON");
    (files, reader.problems)
}

struct Reader<'a> {
    job: &'a Job,
    settings: Conf,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, key: &str, problem: Problem) {
        self.problems.push(self.job.setting_problem(key, problem));
    }

    /// The environment variables that settings refer to.
    fn environment(&self) -> std::collections::BTreeMap<String, String> {
        let references = self.settings.iter().flat_map(|(_, value)| value.split("${env:").skip(1));
        references
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
            .collect()
    }

    fn path(&self, key: &str) -> Option<String> {
        let uri = self.settings.given(key)?;
        Some(uri.strip_prefix("file://").or(uri.strip_prefix("file:")).unwrap_or(uri).to_owned())
    }

    fn bytes(&mut self, key: &str, path: &str) -> Option<Vec<u8>> {
        let path = path.strip_prefix("file://").unwrap_or(path);
        if let Some((scheme, _)) = path.split_once("://") {
            let template = "download it and name the copy, or write it in the job file as";
            let help = match key {
                "spark.kubernetes.driver.podTemplateFile" => format!("{template} `driver.template`"),
                "spark.kubernetes.executor.podTemplateFile" => format!("{template} `executor.template`"),
                _ => "download it and name the copy".to_owned(),
            };
            let remote = format!("`{path}` is not a local file, and nothing can be read by {scheme}");
            self.problem(key, Problem::error(remote).help(help));
            return None;
        }
        let read = std::fs::read(path).map_err(|error| Problem::error(format!("reading {path}: {error}")));
        read.map_err(|problem| self.problem(key, problem)).ok()
    }

    fn text(&mut self, key: &str, path: &str) -> Option<String> {
        let text = String::from_utf8(self.bytes(key, path)?);
        text.map_err(|_| self.problem(key, Problem::error(format!("{path} is not valid UTF-8")))).ok()
    }

    fn templates(&mut self, files: &mut Files) {
        let key = "spark.kubernetes.driver.podTemplateFile";
        if let Some(path) = self.path(key)
            && let Some(text) = self.text(key, &path)
        {
            match template(&text) {
                Ok(template) => files.driver_template = Some(template),
                Err(message) => self.problem(key, Problem::error(format!("{path}: {message}"))),
            }
        }
        let key = "spark.kubernetes.executor.podTemplateFile";
        if let Some(path) = self.path(key)
            && let Some(text) = self.text(key, &path)
        {
            if let Err(message) = template(&text) {
                self.problem(key, Problem::error(format!("{path}: {message}")));
            }
            files.executor_template = Some(text);
        }
    }

    fn krb5(&mut self, files: &mut Files) {
        let key = "spark.kubernetes.kerberos.krb5.path";
        if let Some(path) = self.path(key)
            && let Some(text) = self.text(key, &path)
        {
            let name = Path::new(&path).file_name().map_or("krb5.conf".into(), |name| name.to_string_lossy());
            files.krb5 = Some((name.into_owned(), text));
        }
    }

    fn directories(&mut self, given: &Directories, files: &mut Files) {
        if let Some(found) = self.directory(given.spark_conf_dir.as_deref(), annotation::SPARK_CONF_DIR) {
            let selection = conf_dir::selection(found, &self.settings, self.job.version());
            files.spark_conf = selection.files;
            self.skipped(annotation::SPARK_CONF_DIR, &selection.skipped);
        }
        if let Some(found) = self.directory(given.hadoop_conf_dir.as_deref(), annotation::HADOOP_CONF_DIR) {
            let selection = conf_dir::hadoop(found);
            files.hadoop = Some(selection.files);
            self.skipped(annotation::HADOOP_CONF_DIR, &selection.skipped);
        }
    }

    /// The files of a directory, if the flag or the job file names one.
    fn directory(&mut self, flag: Option<&Path>, annotation: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let path = flag.or(self.job.annotations.get(annotation).map(Path::new))?;
        let entries = std::fs::read_dir(path).map(|entries| {
            let files = entries.flatten().filter(|entry| entry.path().is_file());
            files
                .filter_map(|file| Some((file.file_name().into_string().ok()?, std::fs::read(file.path()).ok()?)))
                .collect()
        });
        // Spark also continues without the directory, with an empty ConfigMap for Hadoop.
        Some(entries.unwrap_or_else(|error| {
            let missing = Problem::warning(format!("the directory is ignored: reading {}: {error}", path.display()));
            self.problems.push(self.job.located(missing.at_field(format!("metadata.annotations.{annotation}"))));
            Vec::new()
        }))
    }

    fn skipped(&mut self, annotation: &str, reasons: &[String]) {
        for reason in reasons {
            let skipped = Problem::warning(format!("a file is ignored: {reason}"));
            self.problems.push(self.job.located(skipped.at_field(format!("metadata.annotations.{annotation}"))));
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Parses a pod template.
fn template(text: &str) -> Result<serde_json::Value, String> {
    let documents = documents(text, &mut Vec::new()).map_err(|problem| problem.message)?;
    let template = documents.first().map(Node::json).unwrap_or_default();
    match template.get("kind").and_then(serde_json::Value::as_str) {
        None | Some("Pod") if template.is_object() => Ok(template),
        Some(kind) if kind != "Pod" => Err(format!("expected a Pod, found a {kind}")),
        _ => Err("expected a Pod, found something else".into()),
    }
}
