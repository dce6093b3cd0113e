use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::cluster_args::ClusterArgs;
use super::describe::{state_explained, submitter};
use super::output::table;
use super::schedules::table as schedule_table;
use crate::cluster::{self, Cluster, Schedule, connect, list};
use crate::exit_code::ExitCode;
use crate::manifests::Application;
use crate::report::{self, JsonLine, span};
use crate::state::{Ending, Limits, Observed, State, Status};
use crate::terminal::{messages, stdout};
use crate::time::duration;

/// How many of the latest applications with too few executors are looked into: each takes requests of its own.
const LOOKED_INTO: usize = 20;

/// List the applications and schedules of a namespace, whoever submitted them, latest first
///
/// Schedules are in a second table, unless applications are filtered. With -o name and -o json, only applications are
/// listed; use `schedules` for schedules.
#[derive(Clone, Debug, clap::Args)]
#[command(visible_alias = "ls")]
pub struct List {
    /// List all namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Only applications in these states
    #[arg(long, short, value_enum, value_name = "STATE", value_delimiter = ',')]
    state: Vec<Wanted>,
    /// Only applications whose driver matches this label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only applications created within this time
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Output format
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

/// A filter on states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    /// The driver has not started
    Pending,
    Running,
    /// Ended, with or without success
    Ended,
    Succeeded,
    /// Ended without success
    Failed,
}

impl Wanted {
    fn is_in(self, state: &State) -> bool {
        let ending = state.outcome().map(|outcome| outcome.ending);
        match self {
            Wanted::Running => matches!(state.status, Status::Running | Status::Stopping(_)),
            Wanted::Ended => ending.is_some(),
            Wanted::Succeeded => ending == Some(Ending::Succeeded),
            Wanted::Failed => ending.is_some_and(|ending| ending != Ending::Succeeded),
            Wanted::Pending => ending.is_none() && !Wanted::Running.is_in(state),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    #[value(alias = "text")]
    Table,
    /// A table with the driver, its node, the submitter and the application ID as well
    Wide,
    /// One JSON object per line
    Json,
    /// Only names
    #[value(alias = "quiet")]
    Name,
}

impl List {
    pub async fn run(self) -> Result<ExitCode> {
        let mut cluster = connect(self.cluster_args.options()).await?;
        if self.all_namespaces {
            cluster.namespace.clear();
        }
        let (all, schedules) =
            futures_util::future::join(list(&cluster, self.selector.as_deref()), self.schedules(&cluster)).await;
        let (mut all, schedules) = (all?, schedules?);
        if self.output != Form::Name {
            explain_shortages(&cluster, &mut all).await;
        }
        let limits = Limits::at(cluster.now());
        let is_wanted = |row: &Row| {
            let young = self.since.is_none_or(|since| {
                row.created.is_some_and(|at| limits.now.duration_since(at).unsigned_abs() <= since)
            });
            young && (self.state.is_empty() || self.state.iter().any(|wanted| wanted.is_in(&row.state)))
        };
        let rows = all.iter().map(|(application, observed)| Row::of(application, observed, &limits));
        let rows: Vec<Row> = rows.filter(is_wanted).collect();
        match self.output {
            Form::Json => stdout::print(rows.iter().map(|row| row.json(Timestamp::now())))?,
            Form::Name => stdout::print(rows.iter().map(|row| &row.application.name))?,
            Form::Table | Form::Wide if rows.is_empty() => {
                let such = if self.is_choosy() { "matching " } else { "" };
                messages::line(&format!("no {such}applications in {}", cluster.place()));
            }
            Form::Table | Form::Wide => {
                let wide = self.output == Form::Wide;
                let head = Row::head(self.all_namespaces, wide);
                let cells = rows.iter().map(|row| row.cells(self.all_namespaces, wide));
                stdout::print(table(&std::iter::once(head).chain(cells).collect::<Vec<_>>()))?;
            }
        }
        if !schedules.is_empty() {
            // An empty line separates them from applications.
            let apart = if rows.is_empty() { None } else { Some(String::new()) };
            let lines = schedule_table(&schedules, cluster.now(), self.all_namespaces);
            stdout::print(apart.into_iter().chain(lines))?;
        }
        Ok(ExitCode::Succeeded)
    }

    /// Whether applications are filtered.
    fn is_choosy(&self) -> bool {
        !self.state.is_empty() || self.selector.is_some() || self.since.is_some()
    }

    /// The schedules for a table without filters; none if they may not be listed.
    async fn schedules(&self, cluster: &Cluster) -> Result<Vec<Schedule>> {
        let is_table = matches!(self.output, Form::Table | Form::Wide);
        if !is_table || self.is_choosy() {
            return Ok(Vec::new());
        }
        match cluster::schedules(cluster).await {
            Err(refusal) if matches!(refusal.failure.code(), 403 | 404) => Ok(Vec::new()),
            all => Ok(all?),
        }
    }
}

/// Looks up why applications have fewer executors than they ask for.
async fn explain_shortages(cluster: &Cluster, all: &mut [(Application, Observed)]) {
    let limits = Limits::at(cluster.now());
    let is_short = |observed: &&mut Observed| State::of(observed, &limits).executors.short_since.is_some();
    let short = all.iter_mut().map(|(_, observed)| observed).filter(is_short).take(LOOKED_INTO);
    futures_util::future::join_all(short.map(|observed| state_explained(cluster, observed))).await;
}

struct Row<'a> {
    application: &'a Application,
    driver: Option<&'a Pod>,
    state: State,
    created: Option<Timestamp>,
    age: String,
}

impl<'a> Row<'a> {
    fn of(application: &'a Application, observed: &'a Observed, limits: &Limits) -> Row<'a> {
        let created = observed.created();
        let age = created.map(|created| span(limits.now.duration_since(created))).unwrap_or_default();
        Row { application, driver: observed.driver.as_ref(), state: State::of(observed, limits), created, age }
    }

    fn head(namespaces: bool, wide: bool) -> Vec<String> {
        let namespace = namespaces.then_some("NAMESPACE");
        let more = ["DRIVER", "NODE", "BY", "ID"].into_iter().filter(|_| wide);
        let head = namespace.into_iter().chain(["NAME", "STATE", "EXECUTORS", "AGE"]).chain(more).chain(["REASON"]);
        head.map(str::to_owned).collect()
    }

    fn cells(&self, namespaces: bool, wide: bool) -> Vec<String> {
        let reason = report::reason(&self.state).unwrap_or_default();
        let Application { name, namespace, id, .. } = self.application;
        let namespace = namespaces.then(|| namespace.clone());
        let usual =
            [name.clone(), self.state.status.word().to_owned(), report::of_wanted(&self.state), self.age.clone()];
        let more = [
            self.driver_name().to_owned(),
            self.state.node.clone().unwrap_or_default(),
            self.driver.map_or("sparkctl", submitter).to_owned(),
            id.clone(),
        ];
        let more = more.into_iter().filter(|_| wide);
        namespace.into_iter().chain(usual).chain(more).chain([reason]).collect()
    }

    fn driver_name(&self) -> &str {
        self.driver.and_then(|pod| pod.metadata.name.as_deref()).unwrap_or_default()
    }

    fn json(&self, now: Timestamp) -> JsonLine {
        let executors = &self.state.executors;
        let body = json!({
            "app": self.application.name,
            "namespace": self.application.namespace,
            "id": self.application.id,
            "driver": self.driver_name(),
            "state": self.state.status.word(),
            "reason": report::reason(&self.state),
            "exitCode": self.state.outcome().map(|outcome| outcome.ending.exit_code().number()),
            "attempt": self.state.attempt.as_ref().map(|attempt| attempt.number),
            "created": self.created.map(|created| created.to_string()),
            "executors": {
                "wanted": executors.wanted, "running": executors.running, "pending": executors.pending,
                "failed": executors.failed,
            },
        });
        JsonLine::new("application", body, now)
    }
}
