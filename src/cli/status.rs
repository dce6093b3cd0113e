use anyhow::Result;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::tz::TimeZone;

use super::cluster_args::ClusterArgs;
use super::describe::state_explained;
use super::schedules;
use crate::cluster::{connect, find, read, schedule};
use crate::exit_code::ExitCode;
use crate::follow::failure::failure_logs;
use crate::report::{self, FailureReport, Json, Output, Plain};
use crate::terminal::stdout;

/// Show an application's state, and why it is waiting or how it ended
#[derive(Clone, Debug, clap::Args)]
pub struct Status {
    /// Name of the application or its driver pod
    name: String,
    /// Output format
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Status {
    pub async fn run(self) -> Result<ExitCode> {
        let cluster = connect(self.cluster_args.options()).await?;
        if let Some(schedule) = schedule(&cluster, &self.name).await? {
            schedules::print_status(&cluster, &schedule, self.output).await?;
            return Ok(ExitCode::Succeeded);
        }
        let application = find(&cluster, &self.name).await?.application;
        let mut observed = read(&cluster, &application).await?;
        let state = state_explained(&cluster, &mut observed).await;
        let now = Timestamp::now();
        match self.output {
            Output::Json => stdout::print(Json::new(&application).state(&state, now))?,
            Output::Quiet => {}
            Output::Text => {
                let age = observed.created().map(|created| cluster.now().duration_since(created)).unwrap_or_default();
                let mut plain = Plain::new(now - age, TimeZone::system());
                let mut lines = plain.lines(&state, now);
                if state.outcome().is_some() {
                    let logs = failure_logs(&cluster, &observed, &state).await;
                    lines.extend(FailureReport::of(&application, &state, logs).lines());
                }
                lines.extend(report::earlier_attempts(&state));
                if state.outcome().is_some() {
                    lines.push(report::summary(&application, &state));
                }
                stdout::print(lines)?;
            }
        }
        Ok(ExitCode::Succeeded)
    }
}
