//! Reads jobs from files and flags, and checks them.

use std::collections::{BTreeMap, HashSet};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::configuration_directories::{self, Directories};
use super::local_files::{self, Folders};
use crate::diagnostic::{Problem, Severity, place_in};
use crate::job::overrides::pair;
use crate::job::{self, Job, Name, Overrides, Variables};
use crate::local;
use crate::program::program;
use crate::report::style;
use crate::spark::stores;
use crate::terminal::messages;

/// The sources of jobs.
#[derive(Args, Clone, Debug)]
pub struct Sources {
    /// Job files; `-` is stdin. Without a file, flags describe the job
    #[arg(value_name = "FILE")]
    pub job_files: Vec<PathBuf>,
    /// Set the variable `${NAME}` of the job file
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Let the job file use an environment variable as `${NAME}`; SPARKCTL_VAR_NAME can always be used
    #[arg(long, value_name = "NAME")]
    pub set_env: Vec<String>,
    #[command(flatten)]
    pub directories: Directories,
    #[command(flatten)]
    pub overrides: Overrides,
    #[arg(
        long,
        value_name = "URL",
        env = "SPARKCTL_UPLOAD",
        hide_env_values = true,
        help_heading = "Local files",
        help = upload_help()
    )]
    pub upload: Option<String>,
    /// Let the pods read uploaded files by signed https URLs, valid for a day: for images without a client of the store or
    /// without the right to read it
    #[arg(long, help_heading = "Local files")]
    pub upload_signed: bool,
    /// Whether the jobs run on this machine, where local files need not be shipped
    #[arg(skip)]
    pub stay: bool,
}

fn upload_help() -> String {
    format!(
        "Store for local files that are too large for a ConfigMap (1 MiB in total): {}. file:// is a folder that the pods \
         mount at the same path. Each content is uploaded once",
        stores::upload_schemes()
    )
}

/// A job file, or the flags.
pub struct Source {
    /// Its name in messages.
    pub name: String,
    pub text: String,
    pub jobs: Vec<Job>,
    pub problems: Vec<Problem>,
}

/// Environment variables with this prefix are variables of job files.
const PREFIX: &str = "SPARKCTL_VAR_";

/// How many problems of a source are printed.
const MAX_PRINTED: usize = 50;

impl Sources {
    /// Reads all sources, applies the flags, and checks every job.
    ///
    /// # Errors
    /// A source cannot be read. Mistakes in it are among its problems.
    pub fn read(&self, namespace: Option<&str>) -> Result<Vec<Source>> {
        let variables = self.variables()?;
        let mut sources = Vec::new();
        for path in &self.job_files {
            sources.push(Source::read(path, &variables)?);
        }
        if sources.is_empty() {
            if self.overrides == Overrides::default() {
                bail!("no job: name a job file, or describe the job with flags (--name, --image, --main-file, …)");
            }
            sources.push(Source {
                name: "flags".into(),
                text: String::new(),
                jobs: vec![Job::default()],
                problems: Vec::new(),
            });
        }
        let paths = self.job_files.iter().map(|path| Some(path.as_path())).chain([None]);
        for (source, path) in sources.iter_mut().zip(paths) {
            let folders = Folders::of(path, &self.overrides);
            for job in std::mem::take(&mut source.jobs) {
                let job = source.completed(job.with(self.overrides.clone()), &folders, self);
                let namespace = namespace.or(job.namespace.as_deref()).unwrap_or("default");
                // A field with an error needs no further problem, which would only follow from it.
                let checked = source.without_consequences(job.check(namespace));
                source.problems.extend(checked);
                source.jobs.push(job);
            }
            source.problems.sort_by_key(|problem| problem.place);
            // A mistake that concerns both roles is reported once.
            source.problems.dedup();
        }
        check_repeated(&mut sources, namespace);
        Ok(sources)
    }

    fn variables(&self) -> Result<Variables> {
        let mut variables: BTreeMap<String, String> =
            std::env::vars().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_owned(), value))).collect();
        for name in &self.set_env {
            let value = std::env::var(name).with_context(|| format!("--set-env {name}"))?;
            variables.insert(name.clone(), value);
        }
        variables.extend(self.set.iter().cloned());
        Ok(Variables(variables))
    }
}

/// Adds a problem for each application whose name an earlier one has: only the first could be created.
fn check_repeated(sources: &mut [Source], namespace: Option<&str>) {
    let mut seen = HashSet::new();
    for source in sources {
        for job in &source.jobs {
            let Name::Given(name) = &job.name else { continue };
            let namespace = namespace.or(job.namespace.as_deref()).unwrap_or_default();
            let carrier = std::mem::discriminant(&job.carrier());
            if !name.is_empty() && !seen.insert((namespace.to_owned(), name.clone(), carrier)) {
                let twice = Problem::error(format!("an earlier application is also named `{name}`"));
                let help = "give each its own name, or use metadata.generateName";
                source.problems.push(job.located(twice.at_field("metadata.name").help(help)));
            }
        }
        source.problems.sort_by_key(|problem| problem.place);
    }
}

impl Source {
    fn read(path: &Path, variables: &Variables) -> Result<Self> {
        let (name, bytes) = match path.to_str() {
            Some("-") => ("stdin".to_owned(), from_stdin()?),
            _ => {
                let name = path.display().to_string();
                let bytes = std::fs::read(path).with_context(|| format!("reading job file {name}"))?;
                (name, bytes)
            }
        };
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                let problem = Problem::error("this is not valid UTF-8").at(place_in(&text, valid));
                let problem = problem.help(encoding(error.as_bytes(), valid));
                return Ok(Self { name, text, jobs: Vec::new(), problems: vec![problem] });
            }
        };
        let (jobs, problems) = job::read(&text, variables);
        Ok(Self { name, text, jobs, problems })
    }

    /// Adds the files on this machine that the job names.
    fn completed(&mut self, mut job: Job, folders: &Folders, sources: &Sources) -> Job {
        let (files, problems) = configuration_directories::read(&job, &sources.directories);
        self.problems.extend(problems);
        job.files = files;
        let (local, problems) = local_files::read(&job, folders);
        self.problems.extend(problems);
        job.files.local = local;
        if sources.stay {
            return job;
        }
        let of_spark = job.settings("default").given(local_files::UPLOAD_PATH).map(str::to_owned);
        if let Some(store) = sources.upload.clone().or(of_spark) {
            job.files.local.place_in_store(&store);
        }
        self.problems.extend(local_files::too_large(&job));
        job
    }

    /// The problems, without those of fields that already have an error.
    fn without_consequences(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let errors = self.problems.iter().filter(|problem| problem.is_error() && !problem.path.is_empty());
        let wrong: HashSet<&str> = errors.map(|problem| problem.path.as_str()).collect();
        problems.into_iter().filter(|problem| !wrong.contains(problem.path.as_str())).collect()
    }

    /// Removes the warnings about fields that have no effect on one machine.
    pub fn retain_local_problems(&mut self) {
        let matters = |problem: &Problem| self.jobs.iter().all(|job| local::has_effect(job, &problem.path));
        self.problems.retain(|problem| problem.is_error() || matters(problem));
    }

    /// Whether it cannot be submitted.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// Prints the problems, up to a limit: a file that is not a job file has thousands.
    pub fn print_problems(&self) {
        for problem in self.problems.iter().take(MAX_PRINTED) {
            let text = problem.text(&self.name, &self.text);
            let (style, word) = match problem.severity {
                Severity::Error => (style::BAD, "error:"),
                Severity::Warning => (style::DOUBTFUL, "warning:"),
            };
            messages::line(&format!("{style}{word}{style:#}{}", text.strip_prefix(word).unwrap_or(&text)));
        }
        if let Some(rest) = self.problems.len().checked_sub(MAX_PRINTED).filter(|rest| *rest > 0) {
            messages::line(&format!(
                "{}: {rest} more problems; `{} validate --output json` lists all",
                self.name,
                program()
            ));
        }
    }
}

/// Prints the problems of all sources, and returns their jobs.
///
/// # Errors
/// A source has an error.
pub fn jobs(sources: Vec<Source>) -> Result<Vec<Job>> {
    sources.iter().for_each(Source::print_problems);
    let bad: Vec<&str> =
        sources.iter().filter(|source| source.has_errors()).map(|source| source.name.as_str()).collect();
    if !bad.is_empty() {
        bail!("nothing was submitted: no valid job in {}", bad.join(", "));
    }
    Ok(sources.into_iter().flat_map(|source| source.jobs).collect())
}

/// The hint for text that is not UTF-8 after `valid` bytes: its likely encoding, and how to convert it.
fn encoding(bytes: &[u8], valid: usize) -> String {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "it is in UTF-16, as PowerShell's `>` writes it: iconv -f UTF-16 -t UTF-8".into()
        }
        _ => format!(
            "byte {:#04x}: if it is in Windows-1252 or Latin-1: iconv -f WINDOWS-1252 -t UTF-8",
            bytes.get(valid).copied().unwrap_or_default()
        ),
    }
}

fn from_stdin() -> Result<Vec<u8>> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        messages::hint("reading the job file from the terminal; end it with Ctrl-D");
    }
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).context("reading the job file from stdin")?;
    Ok(bytes)
}
