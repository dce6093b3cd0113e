//! Output that commands share: tables, YAML, and the error that ends a command.

use anyhow::{Context, Result};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::cluster::{self, Refusal};
use crate::exit_code::ExitCode;
use crate::terminal::messages;

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    Text,
    Json,
}

/// Prints the error that ended a command, with its causes, what was undone, and what to try. Returns its exit code.
pub fn report_error(error: &anyhow::Error) -> ExitCode {
    messages::error(&format!("{error:#}"));
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        refusal.undone.iter().for_each(|undone| messages::line(&format!("       {undone}")));
        refusal.hint.iter().for_each(|hint| messages::hint(hint));
    }
    cluster::exit_code(error)
}

/// Formats an object as YAML that YAML 1.1 parsers read as well, without folding long texts.
pub fn yaml(object: &Value) -> Result<String> {
    let options = serde_yaml::ser_options! { folded_wrap_chars: 1_000_000, min_fold_chars: 1_000_000 };
    serde_yaml::to_string_with_options(object, options).context("writing an object as YAML")
}

/// Formats cells in columns, each as wide as its widest cell.
pub fn table(cells: &[Vec<String>]) -> Vec<String> {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(|row| row[column].width()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}
