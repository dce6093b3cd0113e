use anyhow::Result;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::cluster_args::ClusterArgs;
use super::output::{Form, table};
use crate::cluster::{connect, find, read_with_events};
use crate::exit_code::ExitCode;
use crate::report::{JsonLine, clean, span};
use crate::state;
use crate::terminal::{messages, stdout};

/// List the events of an application's driver, executors and pod group, latest last
#[derive(Clone, Debug, clap::Args)]
pub struct Events {
    /// Name of the application or its driver pod
    name: String,
    /// Output format; with `json`, one event per line as the API server returns it
    #[arg(long, short, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Events {
    pub async fn run(self) -> Result<ExitCode> {
        let cluster = connect(self.cluster_args.options()).await?;
        let application = find(&cluster, &self.name).await?.application;
        let events = read_with_events(&cluster, &application).await?.1?;
        match self.output {
            Form::Json => {
                let now = Timestamp::now();
                let objects = events.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
                stdout::print(objects.into_iter().map(|event| JsonLine::new("Event", event, now)))?;
            }
            Form::Text if events.is_empty() => {
                messages::line(&format!(
                    "no events for {}: the API server usually keeps them for an hour",
                    application.name
                ));
            }
            Form::Text => stdout::print(lines(&events, cluster.now()))?,
        }
        Ok(ExitCode::Succeeded)
    }
}

/// Formats events as a table.
pub fn lines(events: &[Event], now: Timestamp) -> Vec<String> {
    let head = ["AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"].map(str::to_owned).to_vec();
    // In whole seconds, the precision of most events.
    let age = |at: Timestamp| span(SignedDuration::from_secs(now.as_second() - at.as_second()));
    let row = |event: &Event| {
        let count = event.count.filter(|count| *count > 1).map(|count| format!(" (x{count})")).unwrap_or_default();
        let object = &event.involved_object;
        vec![
            state::event_time(event).map(age).unwrap_or_default(),
            event.type_.clone().unwrap_or_default(),
            format!("{}{count}", event.reason.clone().unwrap_or_default()),
            format!(
                "{}/{}",
                object.kind.as_deref().unwrap_or_default().to_lowercase(),
                object.name.as_deref().unwrap_or_default()
            ),
            clean(event.message.as_deref().unwrap_or_default()),
        ]
    };
    table(&std::iter::once(head).chain(events.iter().map(row)).collect::<Vec<_>>())
}
