//! Whole runs: from the job file to the exit code.

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::Namespace;

#[test]
fn runs_python_pi_to_its_end() {
    let ns = Namespace::new("python-pi");
    let run = ns.sparkctl().args(["submit", "examples/python-pi.yaml", "--logs"]).assert();
    run.code(0).stdout(contains("Pi is roughly 3.1")).stderr(contains("python-pi succeeded"));
}

#[test]
fn a_failed_driver_is_exit_code_1_with_its_last_exception() {
    let ns = Namespace::new("failing");
    let run = ns.sparkctl().args(["submit", "examples/failing.yaml"]).assert();
    run.code(1).stdout("").stderr(
        contains("failing failed: the driver exited with code 1")
            .and(contains("ValueError: invalid literal for int() with base 10: 'ten'")),
    );
}
