//! Output for CI systems, in the format of each.

use predicates::prelude::*;
use predicates::str::{contains, is_match};

use crate::support::Namespace;
use crate::support::jobs::{file, job};

/// Matches a whole text with a regular expression.
fn whole(expression: &str) -> impl Predicate<str> + use<> {
    is_match(format!("^(?s:{expression})$")).expect("a regular expression")
}

#[test]
fn gitlab_gets_a_collapsed_log_and_a_junit_report() {
    let ns = Namespace::new("gitlab");
    let junit = file(&ns, "junit.xml");
    let job = job(&ns, "gitlab", "echo one; echo two");
    let mut submit = ns.sparkctl();
    let run = submit.env("GITLAB_CI", "true").args(["submit", "--logs"]).arg(job).arg("--junit").arg(&junit).assert();
    let start = "\x1b\\[0Ksection_start:[0-9]+:spark_log\\[collapsed=true\\]\r\x1b\\[0KSpark's log\n";
    let end = "\x1b\\[0Ksection_end:[0-9]+:spark_log\r\x1b\\[0K\n";
    let expected =
        whole(&format!("submitted .*{start}.*{end}gitlab succeeded: queued [0-9]+s, starting [0-9]+s, ran [0-9]+s\n"));
    run.code(0).stdout("one\ntwo\n").stderr(expected);
    let report = std::fs::read_to_string(junit).expect("a report");
    let case = |name: &str| format!("  <testcase classname=\"gitlab\" name=\"{name}\" time=\"[0-9]+.000\"/>\n");
    let cases = ["submit", "schedule", "start", "run"].map(case).concat();
    let suite = format!(
        "<testsuite name=\"gitlab\" tests=\"4\" failures=\"0\" errors=\"0\" time=\"[0-9]+.000\">\n{cases}</testsuite>\n"
    );
    let shape = format!("<\\?xml version=\"1.0\" encoding=\"UTF-8\"\\?>\n<testsuites>\n{suite}</testsuites>\n");
    assert!(whole(&shape).eval(&report), "{report}");
}

#[test]
fn github_gets_a_grouped_log_a_summary_and_outputs() {
    let ns = Namespace::new("github");
    let [summary, outputs] = ["summary.md", "outputs"].map(|name| file(&ns, name));
    let job = job(&ns, "github", "echo one; echo '::warning::two'");
    let mut submit = ns.sparkctl();
    submit.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &outputs);
    let run = submit.args(["submit", "--logs"]).arg(job).assert();
    let expected = whole("submitted .*::group::Spark's log\n.*::endgroup::\ngithub succeeded: [^\n]*\n");
    run.code(0).stdout("one\n| ::warning::two\n").stderr(expected.and(contains("::error").not()));
    let summary = std::fs::read_to_string(summary).expect("a summary");
    let rows =
        format!("\\| namespace \\| {} \\|\n\\| exit code \\| 0 \\|\n\\| durations \\| queued [^\n]* \\|\n\n", ns.name);
    let shape = format!("### ✅ Spark application github: Succeeded\n\n\\| \\| \\|\n\\| --- \\| --- \\|\n{rows}");
    assert!(whole(&shape).eval(&summary), "{summary}");
    let outputs = std::fs::read_to_string(outputs).expect("outputs");
    let shape = format!("app=github\nnamespace={}\noutcome=Succeeded\nexit-code=0\nmessage=[^\n]*\n", ns.name);
    assert!(whole(&shape).eval(&outputs), "{outputs}");
}
