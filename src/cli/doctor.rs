use anyhow::Result;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::cluster_args::ClusterArgs;
use super::output::Form;
use super::render::{Identity, namespace_of};
use crate::cluster::{self, Cluster};
use crate::doctor::{Check, Target, Verdict};
use crate::exit_code::ExitCode;
use crate::input::sources::{self, Sources};
use crate::job::{Job, Overrides};
use crate::manifests::Requirements;
use crate::report::{JsonLine, clean, style};
use crate::terminal::{messages, stdout};

/// Check whether a job can run, without creating anything
///
/// Checks everything that the job needs: the API server, your rights, the driver's service account, the scheduler and
/// its queue, classes, secrets, config maps, claims, nodes and quotas; and has the API server validate every object,
/// and an executor pod, in a dry run. A check passes, fails, or is not readable with your rights. Without a file, checks
/// what any job needs. Exits with code 3 if a check fails, and with 6 if the API server is unreachable.
#[derive(clap::Args, Clone, Debug)]
pub struct Doctor {
    #[command(flatten)]
    sources: Sources,
    /// Output format; `json` prints one object per check
    #[arg(long, short, value_enum, default_value = "text", help_heading = "Output")]
    output: Form,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Doctor {
    pub async fn run(self) -> Result<ExitCode> {
        let jobs = match self.sources.job_files.is_empty() && self.sources.overrides == Overrides::default() {
            true => Vec::new(),
            false => sources::jobs(self.sources.read(self.cluster_args.namespace.as_deref())?)?,
        };
        let cluster = cluster::connect(self.cluster_args.options()).await?;
        let mut code = ExitCode::Succeeded;
        if jobs.is_empty() {
            let subject = Target { namespace: &cluster.namespace, needs: None };
            code = self.print(&cluster.namespace, &examine(&cluster, &subject).await)?;
        }
        for job in &jobs {
            let needs = needs(job, &self.cluster_args, &Identity::default())?;
            let findings = examine(&cluster, &Target { namespace: &needs.namespace, needs: Some(&needs) }).await;
            code = worse(code, self.print(&needs.name, &findings)?);
        }
        Ok(code)
    }

    /// Prints what was found. Returns the exit code.
    fn print(&self, target: &str, findings: &Findings) -> Result<ExitCode> {
        match self.output {
            Form::Json => stdout::print(findings.json(target, Timestamp::now()))?,
            Form::Text => {
                stdout::print(findings.checks.iter().map(text))?;
                let (failed, unread) = (findings.count(Verdict::Failed), findings.count(Verdict::NotReadable));
                let checks = findings.checks.len();
                messages::line(&format!("{target}: {checks} checks, {failed} failed, {unread} not readable"));
            }
        }
        Ok(findings.code)
    }
}

/// Formats a check for people.
fn text(check: &Check) -> String {
    let Check { what, verdict, message, remedy } = check;
    let colour = match verdict {
        Verdict::Passed => style::GOOD,
        Verdict::Failed => style::BAD,
        Verdict::NotReadable => style::DOUBTFUL,
    };
    let line = format!("{colour}{:<12}{colour:#}  {what}: {}", verdict.word(), clean(message));
    match remedy {
        None => line,
        Some(remedy) => {
            format!("{line}\n              {}hint:{:#} {}", style::FAINT, style::FAINT, clean(remedy))
        }
    }
}

/// The results of the checks, and the exit code that follows from them.
struct Findings {
    checks: Vec<Check>,
    code: ExitCode,
}

impl Findings {
    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    /// One line for each check, then the result.
    fn json(&self, target: &str, now: Timestamp) -> Vec<JsonLine> {
        let check = |Check { what, verdict, message, remedy }: &Check| {
            let verdict = verdict.word();
            let body = json!({
                "subject": target, "check": what, "verdict": verdict, "message": message, "remedy": remedy,
            });
            JsonLine::new("check", body, now)
        };
        let result = json!({
            "subject": target, "checks": self.checks.len(), "failed": self.count(Verdict::Failed),
            "notReadable": self.count(Verdict::NotReadable), "exitCode": self.code.number(),
        });
        self.checks.iter().map(check).chain([JsonLine::new("result", result, now)]).collect()
    }
}

async fn examine(cluster: &Cluster, subject: &Target<'_>) -> Findings {
    let facts = cluster::query(cluster, &subject.asks()).await;
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

fn needs(job: &Job, cluster_args: &ClusterArgs, identity: &Identity) -> Result<Requirements> {
    Requirements::of(job, &namespace_of(job, cluster_args), &identity.submission(job))
        .map_err(|problem| anyhow::anyhow!(problem.message))
}

/// Checks the jobs and prints the checks that failed. Returns the exit code.
///
/// # Errors
/// A job has a setting that Spark would refuse.
pub async fn check(
    jobs: &[Job],
    cluster_args: &ClusterArgs,
    identity: &Identity,
    cluster: &Cluster,
) -> Result<ExitCode> {
    let mut code = ExitCode::Succeeded;
    for job in jobs {
        let needs = needs(job, cluster_args, identity)?;
        let findings = examine(cluster, &Target { namespace: &needs.namespace, needs: Some(&needs) }).await;
        code = worse(code, findings.code);
        for check in findings.checks.iter().filter(|check| check.verdict == Verdict::Failed) {
            messages::error(&format!("{}: {}: {}", needs.name, check.what, check.message));
            check.remedy.iter().for_each(|remedy| messages::hint(remedy));
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_a_line_for_each_check_and_a_result() {
        let check = Check { what: "server".into(), verdict: Verdict::Passed, message: "v1.33".into(), remedy: None };
        let findings = Findings { checks: vec![check], code: ExitCode::Succeeded };
        let lines: Vec<String> = findings.json("pi", Timestamp::UNIX_EPOCH).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                r#"{"v":1,"ts":"1970-01-01T00:00:00Z","kind":"check","subject":"pi","check":"server","verdict":"passed","message":"v1.33","remedy":null}"#,
                r#"{"v":1,"ts":"1970-01-01T00:00:00Z","kind":"result","subject":"pi","checks":1,"failed":0,"notReadable":0,"exitCode":0}"#,
            ]
        );
    }
}
