//! What is wrong with a job file, where, and what to do about it.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::json;

/// A line and a column of the source, both counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The job cannot be run as it stands.
    Error,
    /// The job runs, though not in all as it was written.
    Warning,
}

/// One thing that is wrong with a job file.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub severity: Severity,
    /// Where in the file; unknown for what came from a flag or is missing as a whole.
    pub place: Option<Place>,
    /// The field: `spec.driver.memory`. Empty for the file as a whole.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: None, path: String::new(), message: message.into(), help: None }
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Of the field at `path`.
    pub fn at_field(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// `error: job.yaml:5:3: spec.driver.core: …`, the line of the file, and the help.
    pub fn text(&self, file: &str, source: &str) -> String {
        let mut text = match self.severity {
            Severity::Error => "error: ".to_owned(),
            Severity::Warning => "warning: ".to_owned(),
        };
        text += file;
        if let Some(Place { line, column }) = self.place {
            let _ = write!(text, ":{line}:{column}");
        }
        text += ": ";
        if !self.path.is_empty() {
            let _ = write!(text, "{}: ", shortened(&self.path));
        }
        text += &shortened(&self.message);
        if let Some(place) = self.place
            && let Some(excerpt) = excerpt(source, place)
        {
            text += &excerpt;
        }
        if let Some(help) = &self.help {
            let _ = write!(text, "\n   = {help}");
        }
        text
    }

    /// For editors and pipelines.
    pub fn json(&self, file: &str) -> serde_json::Value {
        json!({
            "file": file,
            "line": self.place.map(|place| place.line),
            "column": self.place.map(|place| place.column),
            "severity": match self.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "path": self.path,
            "message": self.message,
            "help": self.help,
        })
    }
}

/// The beginning of a text that is longer than anybody reads.
fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 1000;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The source line, as `rustc` shows it. A line that may hold a secret is not repeated.
fn excerpt(source: &str, place: Place) -> Option<String> {
    let line = lines(source).nth(place.line.checked_sub(1)?)?.trim_end();
    if line.is_empty() || crate::redaction::is_secret_like(line) {
        return None;
    }
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = line.chars().take(120).map(printable).collect();
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let caret =
        if place.column <= 120 { format!("\n {margin} | {}^", " ".repeat(place.column - 1)) } else { String::new() };
    Some(format!("\n {number} | {shown}{caret}"))
}

/// The lines as YAML counts them: a carriage return alone ends one too.
pub fn lines(source: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(source);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.find(['\n', '\r']);
        rest = end.and_then(|end| text[end..].strip_prefix("\r\n").or(text.get(end + 1..)));
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// The place of a byte offset.
pub fn place_in(source: &str, at: usize) -> Place {
    let last = lines(&source[..at]).last().unwrap_or_default();
    Place { line: lines(&source[..at]).count(), column: last.chars().count() + 1 }
}

/// The word of `known` that `word` was probably meant to be: the nearest, or else the shortest that begins with it.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is longer than any word was not meant to be one.
    if word.len() > 100 {
        return None;
    }
    let lower = word.to_lowercase();
    let known: Vec<(String, &str)> = known.into_iter().map(|candidate| (candidate.to_lowercase(), candidate)).collect();
    let near = known
        .iter()
        .map(|(candidate, known)| (strsim::damerau_levenshtein(&lower, candidate), *known))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .min_by_key(|(distance, _)| *distance);
    let begun = || {
        let beginning = |(candidate, _): &&(String, &str)| lower.len() > 2 && candidate.starts_with(&lower);
        known.iter().filter(beginning).min_by_key(|(candidate, _)| candidate.len())
    };
    near.map(|(_, known)| known).or_else(|| begun().map(|(_, known)| *known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_line_and_a_way_out() {
        let problem = Problem::error("unknown field `coress`")
            .at_field("spec.driver.coress")
            .at(Place { line: 2, column: 3 })
            .help("did you mean `cores`?");
        assert_eq!(
            problem.text("job.yaml", "driver:\n  coress: 2\n"),
            "error: job.yaml:2:3: spec.driver.coress: unknown field `coress`\n 2 |   coress: 2\n   |   ^\n   = did you mean `cores`?"
        );
    }

    #[test]
    fn does_not_repeat_a_line_with_a_secret() {
        let problem = Problem::error("no").at(Place { line: 1, column: 1 });
        assert!(!problem.text("f", "fs.s3a.secret.key: hunter2").contains("hunter2"));
    }

    #[test]
    fn finds_the_nearest_word() {
        let known = ["cores", "coreLimit", "coreRequest", "memory"];
        assert_eq!(nearest("coress", known), Some("cores"));
        assert_eq!(nearest("memmory", known), Some("memory"));
        assert_eq!(nearest("corelimit", known), Some("coreLimit"));
        assert_eq!(nearest("coreReq", known), Some("coreRequest"));
        assert_eq!(nearest("priorityClas", ["priorityClassName", "ports"]), Some("priorityClassName"));
        assert_eq!(nearest("banana", known), None);
    }
}
