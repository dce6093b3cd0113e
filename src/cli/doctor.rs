use anyhow::Result;
use serde_json::json;

use super::Form;
use super::cluster_args::ClusterArgs;
use super::render::{Identity, namespace_of};
use crate::cluster::{self, Cluster};
use crate::doctor::{Check, Target, Verdict};
use crate::exit_code::ExitCode;
use crate::input::sources::{self, Sources};
use crate::job::{Job, Overrides};
use crate::manifests::Requirements;
use crate::report::clean;
use crate::terminal::{messages, stdout};

/// Say what stands between a job and a running application, before anything is created
///
/// The cluster is asked for all that the job needs: the server, rights, the driver's service account, the scheduler
/// and its queue, classes, secrets, config maps and claims, nodes, quotas; and it judges every object, and an
/// executor, without storing them. Each check passed, failed, or is not readable for you. Without a file, what any
/// job needs is looked at. Exit code 3 if a check failed, 6 if no API server answers.
#[derive(clap::Args, Clone, Debug)]
pub struct Doctor {
    #[command(flatten)]
    sources: Sources,
    /// How to say it: `json` is one object per check on stdout
    #[arg(long, short, value_enum, default_value = "text", help_heading = "Output")]
    output: Form,
    #[command(flatten)]
    place: ClusterArgs,
}

impl Doctor {
    pub async fn run(self) -> Result<ExitCode> {
        let jobs = match self.sources.job_files.is_empty() && self.sources.overrides == Overrides::default() {
            true => Vec::new(),
            false => sources::jobs(self.sources.read(self.place.namespace.as_deref())?)?,
        };
        let cluster = cluster::connect(self.place.options()).await?;
        let mut code = ExitCode::Succeeded;
        if jobs.is_empty() {
            let subject = Target { namespace: &cluster.namespace, needs: None };
            code = self.tell(&cluster.namespace, &examine(&cluster, &subject).await)?;
        }
        for job in &jobs {
            let needs = needs(job, &self.place, &Identity::default())?;
            let findings = examine(&cluster, &Target { namespace: &needs.namespace, needs: Some(&needs) }).await;
            code = worse(code, self.tell(&needs.name, &findings)?);
        }
        Ok(code)
    }

    /// Returns the exit code.
    fn tell(&self, subject: &str, findings: &Findings) -> Result<ExitCode> {
        let Findings { checks, code } = findings;
        let mut out = anstream::stdout().lock();
        for check in checks {
            stdout::write(&mut out, &self.line(subject, check))?;
        }
        let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
        let (failed, unread) = (count(Verdict::Failed), count(Verdict::NotReadable));
        if self.output == Form::Json {
            let result = json!({
                "v": 1, "type": "result", "subject": subject, "checks": checks.len(), "failed": failed,
                "notReadable": unread, "exitCode": code.number(),
            });
            stdout::write(&mut out, &format!("{result}\n"))?;
        } else {
            messages::line(&format!("{subject}: {} checks, {failed} failed, {unread} not readable", checks.len()));
        }
        Ok(*code)
    }

    fn line(&self, subject: &str, check: &Check) -> String {
        let Check { what, verdict, message, remedy } = check;
        if self.output == Form::Json {
            let line = json!({
                "v": 1, "type": "check", "subject": subject, "check": what, "verdict": verdict.word(),
                "message": message, "remedy": remedy,
            });
            return format!("{line}\n");
        }
        let style = match verdict {
            Verdict::Passed => messages::GOOD,
            Verdict::Failed => messages::BAD,
            Verdict::NotReadable => messages::DOUBTFUL,
        };
        let mut line = format!("{style}{:<12}{style:#}  {what}: {}\n", verdict.word(), clean(message));
        if let Some(remedy) = remedy {
            line += &format!("              {}hint:{:#} {}\n", messages::FAINT, messages::FAINT, clean(remedy));
        }
        line
    }
}

/// What was found, and the exit code that it comes to.
struct Findings {
    checks: Vec<Check>,
    code: ExitCode,
}

async fn examine(cluster: &Cluster, subject: &Target<'_>) -> Findings {
    let facts = cluster::survey(cluster, &subject.asks()).await;
    let checks = subject.checks(&facts);
    let code = match checks.iter().any(|check| check.verdict == Verdict::Failed) {
        false => ExitCode::Succeeded,
        true if facts.is_answered() => ExitCode::Refused,
        true => ExitCode::Unknown,
    };
    Findings { checks, code }
}

/// An unreachable API server outweighs a failed check.
fn worse(one: ExitCode, other: ExitCode) -> ExitCode {
    if other.number() > one.number() { other } else { one }
}

fn needs(job: &Job, place: &ClusterArgs, identity: &Identity) -> Result<Requirements> {
    Requirements::of(job, &namespace_of(job, place), &identity.submission(job))
        .map_err(|problem| anyhow::anyhow!(problem.message))
}

/// Tells what stands in the way of any of the jobs. Returns the exit code, 0 when nothing does.
///
/// # Errors
/// A setting that Spark would refuse.
pub async fn check(jobs: &[Job], place: &ClusterArgs, identity: &Identity, cluster: &Cluster) -> Result<ExitCode> {
    let mut code = ExitCode::Succeeded;
    for job in jobs {
        let needs = needs(job, place, identity)?;
        let findings = examine(cluster, &Target { namespace: &needs.namespace, needs: Some(&needs) }).await;
        code = worse(code, findings.code);
        for check in findings.checks.iter().filter(|check| check.verdict == Verdict::Failed) {
            messages::error(&format!("{}: {}: {}", needs.name, check.what, check.message));
            check.remedy.iter().for_each(|remedy| messages::hint(remedy));
        }
    }
    Ok(code)
}
