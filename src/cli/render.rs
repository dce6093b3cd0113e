use anyhow::{Result, bail};
use serde_json::Value;
use uuid::Uuid;

use super::cluster_args::ClusterArgs;
use super::output;
use crate::cluster;
use crate::exit_code::ExitCode;
use crate::input::sources::{self, Sources};
use crate::job::Job;
use crate::manifests::{self, Application, HOLD, Manifests, Submission};
use crate::terminal::stdout;

/// Print the objects that `submit` sends, without a cluster
///
/// The output is byte for byte what `submit` sends with the same --id, except for owner references, which need the UID
/// of the driver pod. A scheduling gate holds the driver pod until all other objects exist; --no-hold leaves the gate
/// out, for `kubectl create`.
#[derive(clap::Args, Clone, Debug)]
pub struct Render {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    identity: Identity,
    /// Output format
    #[arg(long, short, value_enum, default_value = "yaml", help_heading = "Output")]
    output: Form,
    /// Leave out the scheduling gate that holds the driver pod until `submit` releases it
    #[arg(long, help_heading = "Output")]
    no_hold: bool,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    Yaml,
    Json,
}

/// The identity of a submission.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Submission")]
pub struct Identity {
    /// ID of the submission, 32 hexadecimal digits; Spark's application ID is `spark-ID`
    #[arg(long, value_name = "ID", value_parser = id)]
    pub id: Option<String>,
    /// Key of this run, such as a date or a pipeline number. Submitting again with the same key joins the run, or
    /// reports how it ended; another key starts another run beside it
    #[arg(long, value_name = "KEY", value_parser = key, conflicts_with = "id")]
    pub run_key: Option<String>,
}

fn key(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a name for the run, such as a date".into()),
        key => Ok(key.to_owned()),
    }
}

fn id(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("spark-").unwrap_or(text).replace('-', "").to_ascii_lowercase();
    match id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(id),
        false => Err("expected 32 hexadecimal digits, such as a UUID".into()),
    }
}

impl Identity {
    /// A new identity, unless one is given or derived from the run key.
    pub fn submission(&self, job: &Job) -> Submission {
        let id = self.id.clone().or_else(|| self.of_key(job));
        let id = id.unwrap_or_else(|| Uuid::now_v7().simple().to_string());
        Submission { id, user: user(), key: self.run_key.clone() }
    }

    /// The ID derived from application and run key, the same wherever it is submitted.
    fn of_key(&self, job: &Job) -> Option<String> {
        let key = self.run_key.as_ref()?;
        Some(of_hash(&format!("{}\n{key}", job.title())))
    }

    /// The given identity, or one that is derived from the job, so that the same job has the same one.
    fn of_content(&self, job: &Job) -> Submission {
        let id = self.id.clone().or_else(|| self.of_key(job)).unwrap_or_else(|| of_hash(&format!("{job:?}")));
        Submission { id, user: user(), key: self.run_key.clone() }
    }
}

/// An ID derived from a text, as a UUID of version 8.
///
/// Source: RFC 9562, section 5.8.
fn of_hash(text: &str) -> String {
    let hash = crate::kubernetes::names::hash(text, 32);
    format!("{}8{}", &hash[..12], &hash[13..])
}

/// The user name that Spark would use.
///
/// Source: `Utils.getCurrentUserName` of Spark, and Hadoop's `UserGroupInformation`.
fn user() -> String {
    let names = ["SPARK_USER", "HADOOP_USER_NAME", "USER", "LOGNAME"];
    names
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .or_else(account)
        .unwrap_or_else(|| "spark".into())
}

/// The namespace of a job: from the flag, the file, or the kubeconfig.
pub fn namespace_of(job: &Job, cluster_args: &ClusterArgs) -> String {
    let given = cluster_args.namespace.clone().or_else(|| job.namespace.clone());
    given.unwrap_or_else(|| cluster::namespace(&cluster_args.options()))
}

/// The name of this process's account.
fn account() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&uid)).then(|| name.to_owned())
    })
}

/// The objects of a job in its namespace.
///
/// # Errors
/// The job has a setting that Spark would refuse.
pub fn manifests_of(
    job: &Job,
    cluster_args: &ClusterArgs,
    submission: &Submission,
) -> Result<(Manifests, Application)> {
    manifests::of(job, &namespace_of(job, cluster_args), submission).map_err(|problem| anyhow::anyhow!(problem.message))
}

impl Render {
    pub fn run(self) -> Result<ExitCode> {
        let sources = self.sources.read(self.cluster_args.namespace.as_deref())?;
        let jobs = sources::jobs(sources)?;
        if self.identity.id.is_some() && jobs.len() > 1 {
            bail!("--id identifies one submission, not {} jobs", jobs.len());
        }
        let mut objects = Vec::new();
        for job in &jobs {
            let (manifests, _) = manifests_of(job, &self.cluster_args, &self.identity.of_content(job))?;
            objects.push(manifests.carrier);
            objects.extend(manifests.owned);
        }
        if self.no_hold {
            objects.iter_mut().for_each(|object| release(&mut object.0));
        }
        let mut out = std::io::stdout().lock();
        stdout::write(&mut out, &self.text(&objects)?)?;
        Ok(ExitCode::Succeeded)
    }

    fn text(&self, objects: &[crate::kubernetes::Object]) -> Result<String> {
        let mut text = String::new();
        for object in objects {
            match self.output {
                Form::Json => text += &format!("{}\n", object.0),
                Form::Yaml => text += &format!("---\n{}", output::yaml(&object.0)?),
            }
        }
        Ok(text)
    }
}

/// Removes the hold from a carrier: the gate of a pod, or the suspension of a Job.
fn release(object: &mut Value) {
    if object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
        .and_then(|all| all.remove(HOLD))
        .is_some()
    {
        object["spec"]["suspend"] = false.into();
    }
    if let Some(gates) = object.pointer_mut("/spec/schedulingGates").and_then(Value::as_array_mut) {
        gates.retain(|gate| gate["name"] != HOLD);
        if gates.is_empty()
            && let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut)
        {
            spec.remove("schedulingGates");
        }
    }
}
