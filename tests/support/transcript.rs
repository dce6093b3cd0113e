//! Transcripts: the blocks of the README and of `docs/` that show what the program prints on a cluster.
//!
//! A comment `<!-- transcript: NAME -->` stands before each. The commands of the block, its lines that begin with `$ `, are run one
//! after the other in a shell, and what they print is compared with the lines below them. Times, identifiers, node names and the like
//! may differ, exit codes may not. With `SPARKCTL_UPDATE_PAGES=1` in the environment, what was printed is written into the page.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use regex::Regex;

use super::{Namespace, copy_environment, root};

/// The name of the namespace in the pages.
const NAMESPACE: &str = "spark-jobs";

/// What differs from run to run, and its placeholder in a comparison.
const VARIABLE: &[(&str, &str)] = &[
    (r"(?m)^\d\d:\d\d:\d\d \+(\d+[dhms] ?)+ *", "TIME "),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIMESTAMP"),
    (r"\b(\d+[dhm] )*\d+(\.\d+)?s\b", "DURATION"),
    (r#""(queued|starting|ran)":\d+"#, "\"$1\":DURATION"),
    (r#"time="\d+\.\d+""#, "time=\"DURATION\""),
    (r"\b[0-9a-f]{32}\b", "ID"),
    (r"-[0-9a-f]{8}\b", "-HASH"),
    (r"-0-[a-z0-9]{5}\b", "-0-SUFFIX"),
    (r"\bnode-\d+\b", "NODE"),
    // Simulated nodes, which stay after tests of scheduling: they have a taint and a type of their own.
    (r"\d+ had untolerated taint\(s\); |; \d+ had untolerated taint\(s\)", ""),
    (r"no node without that taint has (.*), or add a toleration", "no node has $1"),
    (r"type=simulated \(\d+\), ", ""),
    (r"\bnode of \d+ fits: \d+", "node of N fits: N"),
    (r"\b\d+ of \d+ nodes\b", "N of N nodes"),
    (r"\bnone of \d+ nodes\b", "none of N nodes"),
    (r"\bv1\.\d+\.\d+\b", "VERSION"),
    (r" of \S+ \(DURATION\)", " of CLUSTER (DURATION)"),
    (r"Pi is roughly 3\.1\d+", "Pi is roughly PI"),
    (r" +", " "),
];

/// Lines that depend on the speed of a run and on the room on the nodes: states that are reported only if they last.
const FLEETING: &str = r"(?x) ^\d\d:\d\d:\d\d\ \S+(\ \d+\S)*\ +
    (driver\ +starting | driver\ +waiting\ +Retry:\ attempt\ 2\ of\ 2\  | driver\ +waiting\ +Unschedulable:.*Insufficient
    | executors\ .*\ pending | executors\ +[01]\ of\ \d+\ running($|,\ \d+\ failed) | executors\ .*\(for\ \d+s\)$)";

/// The beginning of a second line of a state.
const HINT: &str = "                   hint: ";

/// Lines about a submission, which only some pages show.
const SUBMISSION: &str = r"^(submitted |  (created|attach|logs|kill) )";

/// How long a command may take: Spark is slow on a busy machine.
const COMMAND: Duration = Duration::from_secs(900);

pub struct Transcript {
    name: &'static str,
    /// Names in the page, and the names in the test.
    names: Vec<(&'static str, String)>,
    folder: PathBuf,
    shows_submission: bool,
}

/// A command, its exit code, and what it prints on both streams.
struct Step {
    command: String,
    code: i32,
    printed: String,
}

/// One test at a time writes a page.
static PAGES: Mutex<()> = Mutex::new(());

impl Transcript {
    /// The transcript that a page has under this name, to be run in a namespace.
    pub fn new(name: &'static str, ns: &Namespace) -> Transcript {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&ns.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for shared in ["examples", "docs"] {
            let _ = std::os::unix::fs::symlink(root().join(shared), folder.join(shared));
        }
        Transcript { name, names: vec![(NAMESPACE, ns.name.clone())], folder, shows_submission: false }
    }

    /// Shows a name in the page in place of the test's own.
    pub fn with_name(mut self, shown: &'static str, real: &str) -> Self {
        self.names.push((shown, real.to_owned()));
        self
    }

    /// Adds a file to the folder that the commands are run in.
    pub fn with_file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.folder.join(name), content).expect("a file for a transcript");
        self
    }

    /// Keeps the lines about the submission, which are replaced by `…` elsewhere.
    pub fn with_submission(self) -> Self {
        Transcript { shows_submission: true, ..self }
    }

    /// Runs the commands, and compares what they print with the page.
    ///
    /// # Panics
    /// The page shows something else, or a command has another exit code than in the page.
    pub fn check(self, ns: &Namespace) {
        let (path, shown) = find(self.name);
        let mut is_same = true;
        let mut updated = String::new();
        for step in steps(&shown) {
            let (code, printed) = self.run(ns, &step.command);
            assert_eq!(code, step.code, "{}: exit code of `{}`, which printed:\n{printed}", self.name, step.command);
            is_same &= comparable(&printed) == comparable(&step.printed);
            updated += &Step { printed, ..step }.to_string();
        }
        if is_same {
            return;
        }
        if std::env::var_os("SPARKCTL_UPDATE_PAGES").is_none() {
            panic!("{}: transcript {} is out of date; printed was:\n{updated}", path.display(), self.name);
        }
        let _writing = PAGES.lock();
        let page = std::fs::read_to_string(&path).expect("the page");
        let (before, after) = page.split_once(&marker(self.name)).expect("the marker");
        let after = after.replacen(&shown, &updated, 1);
        std::fs::write(&path, format!("{before}{}{after}", marker(self.name))).expect("writing the page");
    }

    /// Runs a command. Returns its exit code, and what it prints, as the page shows it.
    fn run(&self, ns: &Namespace, command: &str) -> (i32, String) {
        let real = self.names.iter().fold(command.to_owned(), |text, (shown, real)| text.replace(shown, real));
        let sparkctl = ns.command();
        let programs = Path::new(sparkctl.get_program()).parent().expect("a folder");
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("set -o pipefail; exec 2>&1; {real}")]).current_dir(&self.folder).env("PATH", path);
        copy_environment(&sparkctl, &mut shell);
        let output = assert_cmd::Command::from_std(shell).timeout(COMMAND).output().expect("bash");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        // The last names first: they may be longer ones that begin with the namespace's.
        let named = self.names.iter().rev().fold(printed, |text, (shown, real)| text.replace(real.as_str(), shown));
        (output.status.code().unwrap_or(-1), self.shortened(&named))
    }

    /// Leaves out fleeting states, excerpts of logs, and the lines about the submission unless they are wanted.
    fn shortened(&self, printed: &str) -> String {
        let [fleeting, submission] = [FLEETING, SUBMISSION].map(|pattern| Regex::new(pattern).expect("a pattern"));
        let mut lines: Vec<&str> = Vec::new();
        let mut is_fleeting = false;
        for line in printed.lines() {
            is_fleeting = fleeting.is_match(line) || is_fleeting && line.starts_with(HINT);
            if is_fleeting {
                continue;
            }
            let line = match line {
                line if line.starts_with("  | ") => "  | …",
                line if submission.is_match(line) && !self.shows_submission => "…",
                line => line.trim_end(),
            };
            if !line.ends_with('…') || lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ {}", self.command)?;
        if self.code != 0 {
            writeln!(f, "? {}", self.code)?;
        }
        f.write_str(&self.printed)
    }
}

/// The steps of a block. An exit code other than 0 is the line `? CODE` after the command.
fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("? "), steps.last_mut()) {
            (Some(command), ..) => steps.push(Step { command: command.into(), code: 0, printed: String::new() }),
            (_, Some(code), Some(step)) => step.code = code.parse().expect("an exit code"),
            (.., Some(step)) => step.printed += &format!("{line}\n"),
            (.., None) => panic!("a transcript begins with a command, not with {line:?}"),
        }
    }
    steps
}

fn marker(name: &str) -> String {
    format!("<!-- transcript: {name} -->\n")
}

/// The page that has a transcript, and the content of its block.
fn find(name: &str) -> (PathBuf, String) {
    let pages = std::fs::read_dir(root().join("docs")).expect("the pages").map(|entry| entry.expect("a page").path());
    for path in pages.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let page = std::fs::read_to_string(&path).expect("the page");
        if let Some((_, after)) = page.split_once(&marker(name)) {
            let block =
                after.strip_prefix("\n").unwrap_or(after).strip_prefix("```text\n").expect("a block after the marker");
            return (path, block.split_once("```\n").expect("the end of the block").0.to_owned());
        }
    }
    panic!("no page has the transcript {name}");
}

fn comparable(text: &str) -> String {
    VARIABLE.iter().fold(text.to_owned(), |text, (pattern, stand_in)| {
        Regex::new(pattern).expect("a pattern").replace_all(&text, *stand_in).into_owned()
    })
}
