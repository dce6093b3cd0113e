use anyhow::Result;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::cluster_args::ClusterArgs;
use super::output;
use crate::cluster::{self, Cluster, Schedule, connect};
use crate::exit_code::{self, ExitCode};
use crate::follow::follow;
use crate::follow::options::FollowOptions;
use crate::manifests::Application;
use crate::program::program;
use crate::report::{self, JsonLine, Output, span};
use crate::state::{Limits, Observed, State};
use crate::terminal::{Interrupt, messages, stdout};

/// List the schedules of a namespace
#[derive(Clone, Debug, clap::Args)]
pub struct Schedules {
    /// List all namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Output format
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

/// Suspend a schedule: start no further runs, and leave active ones alone
#[derive(Clone, Debug, clap::Args)]
pub struct Suspend {
    /// Name of the schedule
    name: String,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

/// Resume a suspended schedule
#[derive(Clone, Debug, clap::Args)]
pub struct Resume {
    /// Name of the schedule
    name: String,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

/// Run a schedule's application now, follow it to its end, and exit with its outcome
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = exit_code::help())]
pub struct Run {
    /// Name of the schedule
    name: String,
    /// Run the application of the schedule that is in the cluster
    #[arg(long, required = true)]
    from_schedule: bool,
    /// Return as soon as the run is created
    #[arg(long, conflicts_with = "logs")]
    detach: bool,
    #[command(flatten)]
    follow: FollowOptions,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Schedules {
    pub async fn run(self) -> Result<ExitCode> {
        let mut cluster = connect(self.cluster_args.options()).await?;
        if self.all_namespaces {
            cluster.namespace.clear();
        }
        let all = cluster::schedules(&cluster).await?;
        match self.output {
            Output::Json => stdout::print(all.iter().map(|schedule| record(schedule, Timestamp::now())))?,
            Output::Quiet => stdout::print(all.iter().map(|schedule| &schedule.application.name))?,
            Output::Text if all.is_empty() => messages::line(&format!("no schedules in {}", cluster.place())),
            Output::Text => stdout::print(table(&all, cluster.now(), self.all_namespaces))?,
        }
        Ok(ExitCode::Succeeded)
    }
}

/// Formats schedules as a table, with their namespaces if there may be several.
pub fn table(all: &[Schedule], now: Timestamp, namespaces: bool) -> Vec<String> {
    let head = ["NAMESPACE", "NAME", "STATE", "ACTIVE", "LAST RUN", "SCHEDULE"].map(str::to_owned).to_vec();
    let mut rows: Vec<Vec<String>> =
        std::iter::once(head).chain(all.iter().map(|schedule| cells(schedule, now))).collect();
    if !namespaces {
        rows.iter_mut().for_each(|row| drop(row.remove(0)));
    }
    output::table(&rows)
}

impl Suspend {
    pub async fn run(self) -> Result<ExitCode> {
        set(&self.name, self.cluster_args, true).await
    }
}

impl Resume {
    pub async fn run(self) -> Result<ExitCode> {
        set(&self.name, self.cluster_args, false).await
    }
}

async fn set(name: &str, cluster_args: ClusterArgs, suspended: bool) -> Result<ExitCode> {
    let cluster = connect(cluster_args.options()).await?;
    let schedule = cluster::find_schedule(&cluster, name).await?;
    let changed = cluster::suspend(&cluster, &schedule, suspended).await?;
    let already = if changed { "" } else { "already " };
    let what = match suspended {
        true => format!("suspended: no run starts until `{} resume`", program()),
        false => "active: runs start by its schedule".to_owned(),
    };
    messages::line(&format!("{name} is {already}{what}"));
    Ok(ExitCode::Succeeded)
}

impl Run {
    pub async fn run(self) -> Result<ExitCode> {
        self.follow.result_files.prepare()?;
        self.follow.record_error(self.begin().await)
    }

    async fn begin(&self) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let cluster = connect(self.cluster_args.options()).await?;
        let schedule = cluster::find_schedule(&cluster, &self.name).await?;
        // The last digits of such an ID are random.
        let id = Uuid::now_v7().simple().to_string();
        let application = cluster::run_now(&cluster, &schedule, &id[id.len() - 8..]).await?;
        messages::line(&format!("started a run of {}: {}", self.name, application.carrier.describe()));
        if self.detach {
            self.follow.report_submitted(&application, application.carrier.name());
            return Ok(ExitCode::Succeeded);
        }
        follow(&cluster, &application, &self.follow, &interrupt).await
    }
}

/// Prints a schedule and its runs that are still in the cluster.
pub async fn print_status(cluster: &Cluster, schedule: &Schedule, output: Output) -> Result<()> {
    let runs = cluster::runs(cluster, schedule).await?;
    let limits = Limits::at(cluster.now());
    match output {
        Output::Quiet => {}
        Output::Json => {
            let now = Timestamp::now();
            let runs = runs.iter().map(|run| run_record(run, &limits, now));
            stdout::print(std::iter::once(record(schedule, now)).chain(runs))?;
        }
        Output::Text => {
            let last =
                schedule.last_run().map(|last| format!(", last run {} ago", span(limits.now.duration_since(last))));
            let name = &schedule.application.name;
            let first = format!("{name} {}: {}{}", state(schedule), schedule.describe(), last.unwrap_or_default());
            let head = ["  RUN", "STATE", "AGE", "RAN", "REASON"].map(str::to_owned).to_vec();
            let rows = runs.iter().map(|run| run_cells(run, &limits));
            let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
            let table = if rows.len() > 1 { output::table(&rows) } else { Vec::new() };
            stdout::print(std::iter::once(first).chain(table))?;
        }
    }
    Ok(())
}

/// Commands for a schedule that has just been submitted.
pub fn next_steps(application: &Application) -> Vec<String> {
    let Application { name, namespace, .. } = application;
    let program = program();
    vec![
        format!("  runs    {program} status {name} -n {namespace}"),
        format!("  now     {program} run {name} --from-schedule -n {namespace}"),
        format!("  pause   {program} suspend {name} -n {namespace}"),
        format!("  end     {program} delete {name} -n {namespace}"),
    ]
}

fn state(schedule: &Schedule) -> &'static str {
    match (schedule.is_held(), schedule.is_suspended()) {
        (true, _) => "Held",
        (false, true) => "Suspended",
        (false, false) => "Scheduled",
    }
}

fn cells(schedule: &Schedule, now: Timestamp) -> Vec<String> {
    let last = schedule.last_run().map(|last| format!("{} ago", span(now.duration_since(last))));
    vec![
        schedule.application.namespace.clone(),
        schedule.application.name.clone(),
        state(schedule).to_owned(),
        schedule.active().to_string(),
        last.unwrap_or_else(|| "-".to_owned()),
        schedule.describe(),
    ]
}

fn record(schedule: &Schedule, now: Timestamp) -> JsonLine {
    let spec = &schedule.cron_job.spec;
    let body = json!({
        "app": schedule.application.name,
        "namespace": schedule.application.namespace,
        "state": state(schedule),
        "schedule": spec.schedule,
        "timeZone": spec.time_zone,
        "concurrencyPolicy": spec.concurrency_policy,
        "active": schedule.active(),
        "lastRun": schedule.last_run().map(|last| last.to_string()),
    });
    JsonLine::new("schedule", body, now)
}

fn run_cells((application, observed): &(Application, Observed), limits: &Limits) -> Vec<String> {
    let state = State::of(observed, limits);
    vec![
        format!("  {}", application.carrier.name()),
        state.status.word().to_owned(),
        observed.created().map(|created| span(limits.now.duration_since(created))).unwrap_or_default(),
        state.durations.ran.map(span).unwrap_or_default(),
        report::reason(&state).unwrap_or_default(),
    ]
}

fn run_record((application, observed): &(Application, Observed), limits: &Limits, now: Timestamp) -> JsonLine {
    let state = State::of(observed, limits);
    let body = json!({
        "app": application.name,
        "namespace": application.namespace,
        "job": application.carrier.name(),
        "state": state.status.word(),
        "created": observed.created().map(|created| created.to_string()),
        "exitCode": state.outcome().map(|outcome| outcome.ending.exit_code().number()),
    });
    JsonLine::new("run", body, now)
}
