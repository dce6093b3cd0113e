//! What must hold whatever is put in: nothing panics, every problem is told at a place of the text, and what passes the
//! checks is translated, always to the same objects.
//!
//! Each function takes bytes of a fuzzer: `fuzz` has a target for each. `cargo test` tries some hundred random
//! ones; `SPARKCTL_FUZZ_RUNS` is how many, `SPARKCTL_FUZZ_SEED` with which one to begin.

mod mutations;

use arbitrary::{Result, Unstructured};
use serde_json::Value;

use crate::diagnostic::{self, Place, Problem};
use crate::job::from_spark_submit::{SubmitEnvironment, convert};
use crate::job::{self, Job, Variables, yaml};
use crate::manifests::{self, Submission};
use crate::spark::{CommandLine, Conf, properties};

/// More than any message that somebody reads.
const LONGEST_MESSAGE: usize = 20_000;

/// A text as a job file.
pub fn load(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        judge(text);
    }
}

/// A job file with mistakes in its text.
pub fn misprint(bytes: &[u8]) {
    if let Ok(text) = mutations::misprinted(&mut Unstructured::new(bytes)) {
        judge(&text);
    }
}

/// A job file with other values, in YAML without mistakes.
pub fn translate(bytes: &[u8]) {
    if let Ok(document) = mutations::altered(&mut Unstructured::new(bytes)) {
        judge(&yaml(&document));
    }
}

/// A command line of `spark-submit` with a file of settings.
pub fn command_line(bytes: &[u8]) {
    let _ = try_command_line(&mut Unstructured::new(bytes));
}

fn try_command_line(u: &mut Unstructured) -> Result<()> {
    let words = mutations::command_line(u)?;
    let file = mutations::properties(u)?;
    let pairs = properties::parse(&file);
    let conf: Conf = pairs.iter().cloned().collect();
    let written = properties::file(&conf, "heading");
    assert_eq!(properties::parse(&written).into_iter().collect::<Conf>(), conf, "{written}");
    let Ok(line) = CommandLine::parse(words) else { return Ok(()) };
    let (settings, _) = line.settings(pairs, &Default::default());
    let around = SubmitEnvironment { spark_version: mutations::version(u)?, ..SubmitEnvironment::default() };
    if let Ok(converted) = convert(&line, settings, &around) {
        let text = yaml(&converted.document);
        let read = yaml::documents(&text, &mut Vec::new()).expect("what convert writes is YAML");
        assert_eq!(read.iter().map(yaml::Node::json).collect::<Vec<_>>(), [converted.document], "{text}");
        judge(&text);
    }
    Ok(())
}

fn yaml(object: &Value) -> String {
    crate::cli::output::yaml(object).expect("JSON can be written as YAML")
}

/// Reads a text, checks and translates the jobs in it.
fn judge(text: &str) {
    let (jobs, mut problems) = job::read(text, &Variables::default());
    for job in jobs.iter().take(3) {
        let found = job.check("default");
        let is_good = problems.iter().chain(&found).all(|problem| !problem.is_error());
        problems.extend(found);
        translated(job, is_good, text);
    }
    for problem in &problems {
        told(problem, text);
    }
}

/// A problem is told where it is, in few words.
fn told(problem: &Problem, text: &str) {
    let said = problem.text("job.yaml", text);
    assert!(said.len() < LONGEST_MESSAGE, "{} bytes: {said}", said.len());
    assert_eq!(problem.json("job.yaml")["message"], problem.message);
    let Some(Place { line, column }) = problem.place else {
        // Of an input that is empty or too large.
        assert!(problem.path.is_empty() && !problem.message.contains('`'), "no place: {said}");
        return;
    };
    let characters =
        line.checked_sub(1).and_then(|line| diagnostic::lines(text).nth(line)).map(|line| line.chars().count());
    let inside = characters.is_some_and(|characters| (1..=characters + 1).contains(&column));
    assert!(inside, "{line}:{column} is not in the text: {said}");
}

/// The objects of a job: those of one that passed the checks can be made, are the same each time, and are read back from
/// YAML as they were.
fn translated(job: &Job, is_good: bool, text: &str) {
    let submission = Submission { id: "0123456789ab7def8123456789abcdef".into(), user: "u".into(), key: None };
    let first = manifests::of(job, "default", &submission);
    assert_eq!(first, manifests::of(job, "default", &submission));
    let manifests = match first {
        Ok((manifests, _)) => manifests,
        Err(problem) if is_good => panic!("it passed the checks: {problem:?}\n{text}"),
        Err(_) => return,
    };
    for object in std::iter::once(&manifests.carrier).chain(&manifests.owned) {
        let written = yaml(&object.0);
        let read: Value = serde_yaml::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(read, object.0, "{written}");
    }
}

#[cfg(test)]
mod tests {
    fn number(variable: &str) -> Option<u64> {
        std::env::var(variable).ok()?.parse().ok()
    }

    /// Tries random bytes, the same each time.
    fn try_all(target: fn(&[u8])) {
        let first = number("SPARKCTL_FUZZ_SEED").unwrap_or_default();
        for seed in first..first + number("SPARKCTL_FUZZ_RUNS").unwrap_or(400) {
            let mut random = fastrand::Rng::with_seed(seed);
            let length = random.usize(..400);
            let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
            let tried = std::panic::catch_unwind(|| target(&bytes));
            assert!(tried.is_ok(), "SPARKCTL_FUZZ_SEED={seed} SPARKCTL_FUZZ_RUNS=1");
        }
    }

    #[test]
    fn job_files_with_misprints() {
        try_all(super::misprint);
    }

    #[test]
    fn job_files_with_other_values() {
        try_all(super::translate);
    }

    #[test]
    fn command_lines_of_spark_submit() {
        try_all(super::command_line);
    }

    #[test]
    fn job_files_as_they_are() {
        super::mutations::SEEDS.iter().for_each(|seed| super::load(seed.as_bytes()));
    }
}
