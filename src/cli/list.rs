use anyhow::Result;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::place::Place;
use crate::cluster::{connect, list};
use crate::manifests::Application;
use crate::report::{Output, clean, span};
use crate::state::{Observed, PATIENCE, State, Terms, What};

/// List the applications of a namespace, whoever submitted them, the latest first
#[derive(Clone, Debug, clap::Args)]
#[command(visible_alias = "ls")]
pub struct List {
    /// Those of all namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// Text is a table, json one object per line
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    #[command(flatten)]
    place: Place,
}

impl List {
    pub async fn run(self) -> Result<u8> {
        let mut cluster = connect(self.place.options()).await?;
        if self.all_namespaces {
            cluster.namespace.clear();
        }
        let all = list(&cluster).await?;
        let terms = Terms { now: cluster.now(), patience: PATIENCE, start_timeout: None };
        let rows: Vec<Row> = all.iter().map(|(application, observed)| Row::of(application, observed, &terms)).collect();
        match self.output {
            Output::Json => rows.iter().for_each(|row| anstream::println!("{}", row.json())),
            Output::Text if rows.is_empty() => {
                anstream::eprintln!("no applications in namespace {}", cluster.namespace)
            }
            Output::Text => table(&rows, self.all_namespaces).iter().for_each(|line| anstream::println!("{line}")),
            Output::Quiet => rows.iter().for_each(|row| anstream::println!("{}", row.application.name)),
        }
        Ok(0)
    }
}

struct Row<'a> {
    application: &'a Application,
    driver: Option<String>,
    state: State,
    created: Option<Timestamp>,
    age: String,
}

impl<'a> Row<'a> {
    fn of(application: &'a Application, observed: &Observed, terms: &Terms) -> Row<'a> {
        let created = observed.created();
        let age = created.map(|created| span(terms.now.duration_since(created))).unwrap_or_default();
        let driver = observed.driver.as_ref().and_then(|pod| pod.metadata.name.clone());
        Row { application, driver, state: State::of(observed, terms), created, age }
    }

    fn cells(&self) -> Vec<String> {
        let reason = match &self.state.what {
            What::Waiting(waiting) => format!("{}: {}", waiting.reason.word(), waiting.message),
            What::Ended(outcome) if outcome.ending.exit_code() != 0 => outcome.message.clone(),
            _ => String::new(),
        };
        vec![
            self.application.namespace.clone(),
            self.application.name.clone(),
            self.state.what.word().to_owned(),
            self.state.executors.running.to_string(),
            self.age.clone(),
            clean(&reason),
        ]
    }

    fn json(&self) -> serde_json::Value {
        let executors = &self.state.executors;
        json!({
            "v": 1,
            "kind": "application",
            "app": self.application.name,
            "namespace": self.application.namespace,
            "id": self.application.id,
            "driver": self.driver,
            "state": self.state.what.word(),
            "attempt": self.state.attempt.as_ref().map(|attempt| attempt.number),
            "created": self.created.map(|created| created.to_string()),
            "executors": { "running": executors.running, "pending": executors.pending, "failed": executors.failed },
        })
    }
}

/// Columns as wide as their widest cell; the last as long as it is.
fn table(rows: &[Row], namespaces: bool) -> Vec<String> {
    let head = ["NAMESPACE", "NAME", "STATE", "EXECUTORS", "AGE", "REASON"].map(str::to_owned).to_vec();
    let cells: Vec<Vec<String>> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let widths: Vec<usize> = (0..cells[0].len())
        .map(|column| cells.iter().map(|row| row[column].width()).max().unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).skip(usize::from(!namespaces));
        let padded = cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}
