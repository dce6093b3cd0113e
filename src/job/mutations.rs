//! Job files with random mistakes in them: whatever they say, they are read, checked and translated without a panic.
//! `SPARKCTL_MUTATIONS` is how many are tried, `SPARKCTL_SEED` with which one to begin.

use super::{Variables, read};
use crate::manifests::{self, Submission};
use crate::spark::command_line::CommandLine;

const SEEDS: [&str; 4] = [
    include_str!("../../examples/pyspark-pi.yaml"),
    include_str!("../../examples/jvm-pi.yaml"),
    include_str!("../../tests/it/translation/most.yaml"),
    include_str!("../../tests/it/translation/shapes.yaml"),
];

/// What is put in somewhere: what readers of YAML, of quantities, of names and of variables stumble over.
const BITS: [&str; 40] = [
    "0",
    "-1",
    "99999999999999999999",
    "1e999",
    "0.5",
    ".inf",
    "~",
    "''",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "|",
    ">",
    "!!str ",
    "%",
    "\t",
    "\n",
    "\r\n",
    "#",
    "é",
    "😀",
    "\u{feff}",
    "\u{85}",
    "${",
    "${X:-",
    "}",
    "$$",
    "{{APP_ID}}",
    "OnDemand",
    "spark-local-dir-1",
    ",",
    "local:///",
];

/// Numbers that are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides.max(1) as u64).unwrap_or_default()
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn no_job_file_makes_it_panic() {
    let first = number("SPARKCTL_SEED").unwrap_or_default();
    for seed in first..first + number("SPARKCTL_MUTATIONS").unwrap_or(2000) {
        let text = mutated(seed);
        let tried = std::panic::catch_unwind(|| translate(&text));
        assert!(tried.is_ok(), "SPARKCTL_SEED={seed} SPARKCTL_MUTATIONS=1:\n{text}");
    }
}

fn mutated(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut text = SEEDS[dice.roll(SEEDS.len())].to_owned();
    for _ in 0..=dice.roll(6) {
        let lines: Vec<&str> = text.lines().collect();
        let line = dice.roll(lines.len());
        let value = lines.get(line).and_then(|line| line.find(": ")).map(|at| at + 2);
        let start: usize = lines[..line.min(lines.len())].iter().map(|line| line.len() + 1).sum();
        let length = lines.get(line).map_or(0, |line| line.len());
        let (from, to) = match dice.roll(5) {
            // A value, a part of a line, a whole line, or nothing is replaced.
            0 | 1 => (start + value.unwrap_or(length), start + length),
            2 => (start + dice.roll(length), start + length),
            3 => (start, start + length + 1),
            _ => (start + dice.roll(length + 1), start + length),
        };
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (from, to) = (boundary(from), boundary(to));
        let bit = match dice.roll(4) {
            0 => lines[dice.roll(lines.len()).min(lines.len().saturating_sub(1))].to_owned(),
            1 => BITS[dice.roll(BITS.len())].repeat(dice.roll(300)),
            _ => BITS[dice.roll(BITS.len())].to_owned(),
        };
        text.replace_range(from..to.max(from), &bit);
    }
    text
}

fn translate(text: &str) {
    let (jobs, mut problems) = read(text, &Variables::default());
    let submission = Submission { id: "0123456789ab7def8123456789abcdef".into(), user: "u".into(), key: None };
    for job in jobs.iter().take(3) {
        problems.extend(job.check("default"));
        let _ = manifests::of(job, "default", &submission);
    }
    for problem in &problems {
        problem.text("f", text);
    }
}

#[test]
fn no_command_line_makes_it_panic() {
    let place = ["--master", "k8s://h", "--deploy-mode", "cluster"];
    let words = ["--conf", "--name", "-c", "--jars", "spark.a=${spark.a}", "spark.app.name=", "=", "--x=", "a.py", "-"];
    for seed in 0..2000 {
        let mut dice = Dice(seed);
        let mut word = || match dice.roll(2) {
            0 => BITS[dice.roll(BITS.len())].to_owned(),
            _ => words[dice.roll(words.len())].to_owned(),
        };
        let line: Vec<String> = place.into_iter().map(str::to_owned).chain((0..6).map(|_| word())).collect();
        if let Ok(line) = CommandLine::parse(line) {
            let (settings, _) = line.settings([], &Default::default());
            let _ = super::convert::convert(&line, settings, &Default::default());
        }
    }
}
