use anyhow::{Result, bail};

use crate::exit_code::ExitCode;
use crate::job::explain::{self, Entry};
use crate::program::program;
use crate::spark::catalog::description;
use crate::spark::{Version, catalog};
use crate::terminal::stdout;

/// Describe a field of the job file or a Spark setting
///
/// Without one, list all fields.
#[derive(clap::Args, Clone, Debug)]
pub struct Explain {
    /// Path of the field, such as `spec.driver.memory`, or a Spark setting, such as `spark.sql.shuffle.partitions`
    #[arg(value_name = "FIELD|SETTING")]
    field: Option<String>,
    /// Print a table in Markdown
    #[arg(long)]
    markdown: bool,
}

impl Explain {
    pub fn run(self) -> Result<ExitCode> {
        let setting = self.field.as_deref().and_then(setting_key);
        let text = match setting {
            Some(key) => setting_text(key)?,
            None => self.fields()?,
        };
        stdout::write(&mut std::io::stdout().lock(), &text)?;
        Ok(ExitCode::Succeeded)
    }

    fn fields(&self) -> Result<String> {
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
        Ok(text)
    }
}

/// The key of a Spark setting, if the path is one: as it is, or as an entry of `sparkConf`.
fn setting_key(path: &str) -> Option<&str> {
    let key = ["spec.sparkConf.", "sparkConf."].iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
    key.starts_with("spark.").then_some(key)
}

fn setting_text(key: &str) -> Result<String> {
    let Some(lines) = description::of(key) else {
        match catalog::meant(key, Version::NEWEST) {
            Some(near) => bail!("unknown Spark setting `{key}`; did you mean `{near}`?"),
            None => bail!("unknown Spark setting `{key}`: it may be a library's or a vendor's"),
        }
    };
    let lines: String = lines.iter().map(|(heading, text)| format!("  {heading:<10} {text}\n")).collect();
    Ok(format!("{key}\n{lines}"))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::spark::catalog::{Effect, registry};

    /// All long flags of all commands.
    fn flags() -> BTreeSet<String> {
        let mut commands = vec![crate::cli::Cli::command()];
        let mut flags = BTreeSet::new();
        while let Some(command) = commands.pop() {
            flags.extend(command.get_arguments().filter_map(|flag| Some(format!("--{}", flag.get_long()?))));
            commands.extend(command.get_subcommands().cloned());
        }
        flags
    }

    /// What `explain` says about fields and settings. Arguments of the driver are flags of spark-submit.
    fn texts() -> Vec<String> {
        let fields = explain::all_fields().into_iter().flat_map(|entry| [entry.becomes(), entry.field.doc.clone()]);
        let settings = catalog::rows().filter_map(|row| match row.effect {
            Effect::Applied => None,
            Effect::Set(text) | Effect::Nothing(text) => Some(text.to_owned()),
        });
        fields.chain(settings).filter(|text| !text.starts_with("driver arguments")).collect()
    }

    /// The words of a text that begin like this, without the punctuation around them.
    fn words<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let words = text.split(|c: char| c.is_whitespace() || "`,;()=".contains(c));
        words.map(|word| word.trim_end_matches([':', '.'])).filter(move |word| word.starts_with(prefix))
    }

    #[test]
    fn every_flag_that_explain_names_exists() {
        let flags = flags();
        let texts = texts();
        let missing: Vec<&str> =
            texts.iter().flat_map(|text| words(text, "--")).filter(|flag| !flags.contains(*flag)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn every_setting_that_explain_names_exists() {
        let is_real = |setting: &str| {
            let known = |key: &str| registry::setting(key).is_some() || registry::family_of(key).is_some();
            match setting.strip_suffix('*') {
                Some(prefix) => {
                    let prefix = prefix.replace(".X.", ".driver.");
                    registry::all().any(|setting| setting.key.starts_with(&prefix)) || known(&format!("{prefix}KEY"))
                }
                None => known(&setting.replace(".X.", ".driver.")),
            }
        };
        let texts = texts();
        let settings = texts.iter().flat_map(|text| words(text, "spark."));
        // A file of Spark's configuration is named like a setting.
        let missing: Vec<&str> = settings.filter(|word| *word != "spark.properties" && !is_real(word)).collect();
        assert_eq!(missing, [""; 0]);
    }
}
