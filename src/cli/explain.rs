use anyhow::{Result, bail};

use crate::exit_code::ExitCode;
use crate::job::explain::{self, Entry};
use crate::program::program;
use crate::terminal::stdout;

/// Say what a field of the job file means, and what it becomes
///
/// Without a field, all of them are listed.
#[derive(clap::Args, Clone, Debug)]
pub struct Explain {
    /// Path of the field, such as `spec.driver.memory`
    field: Option<String>,
    /// Print a table in Markdown
    #[arg(long)]
    markdown: bool,
}

impl Explain {
    pub fn run(self) -> Result<ExitCode> {
        let entries = match &self.field {
            None => explain::all_fields(),
            Some(path) => match explain::find(path) {
                Ok(entries) => entries,
                Err(Some(near)) => bail!("there is no field `{path}`; did you mean `{near}`?"),
                Err(None) => bail!("there is no field `{path}`; `{} explain` lists all", program()),
            },
        };
        let mut text = String::new();
        if self.markdown {
            text += "| field | what it expects | what it becomes |\n| --- | --- | --- |\n";
        }
        for (index, entry) in entries.iter().enumerate() {
            text += &match (self.markdown, self.field.is_some() && index == 0) {
                (true, _) => row(entry),
                (false, true) => whole(entry),
                (false, false) => format!("{:<52} {}\n", entry.path, entry.becomes()),
            };
        }
        stdout::write(&mut std::io::stdout().lock(), &text)?;
        Ok(ExitCode::Succeeded)
    }
}

fn row(entry: &Entry) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    format!("| `{}` | {} | {} |\n", entry.path, cell(&entry.field.kind.words()), cell(&entry.becomes()))
}

fn whole(entry: &Entry) -> String {
    let required = if entry.field.required { ", needed" } else { "" };
    let doc = entry.field.doc.replace("\n ", "\n  ");
    format!(
        "{}\n  {doc}\n\n  expects  {}{required}\n  becomes  {}\n",
        entry.path,
        entry.field.kind.words(),
        entry.becomes()
    )
}
