//! Checks the README and the pages of `docs/`, without a cluster.

mod environment;
mod exit_codes;
mod json;
mod links;
mod signals;
mod transcripts;

/// Runs every `$ sparkctl …` of a page, and compares the output.
#[test]
fn pages_show_the_real_output() {
    trycmd::TestCases::new().case("docs/*.md").case("README.md").env("KUBECONFIG", "/nonexistent");
}

/// Even with a full disk, following must return the application's exit code.
#[test]
fn a_full_stderr_does_not_change_the_exit_code() {
    for (arguments, code) in [(["validate", "examples/jvm-pi.yaml"], 0), (["submit", "no-such-file.yaml"], 2)] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sparkctl"));
        let run = command.env("KUBECONFIG", "/nonexistent").args(arguments).stderr(full).status().unwrap();
        assert_eq!(run.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn every_example_renders() {
    let examples = std::fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path());
    let mut rendered = 0;
    for path in examples.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sparkctl"));
        command.env("KUBECONFIG", "/nonexistent").arg("render").arg(&path);
        let out = command.assert().code(0).get_output().stdout.clone();
        assert!(String::from_utf8_lossy(&out).contains("kind: Pod"), "{} has no driver", path.display());
        rendered += 1;
    }
    assert!(rendered >= 4, "the examples are not where they were");
}

#[test]
fn writes_a_manual_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sparkctl"));
    command.arg("man").arg(folder.path().join("man1")).assert().code(0).stdout("");
    let page = std::fs::read_to_string(folder.path().join("man1/sparkctl-submit.1")).unwrap();
    assert!(page.contains("\\-\\-local"), "{page}");
    assert!(folder.path().join("man1/sparkctl.1").is_file());
}

#[test]
fn names_itself_as_a_kubectl_plugin_when_run_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-spark");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sparkctl"), &plugin).unwrap();
    let run = assert_cmd::Command::new(&plugin).args(["submit", "--help"]).assert().code(0);
    let help = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(help.contains("Usage: kubectl spark submit [OPTIONS] [FILE]..."), "{help}");
    let stderr_of = |arguments: &[&str]| {
        let run = assert_cmd::Command::new(&plugin).args(arguments).write_stdin("").assert().failure();
        String::from_utf8_lossy(&run.get_output().stderr).into_owned()
    };
    for (arguments, named) in [
        (&["render", "-"][..], "`kubectl spark explain` shows"),
        (&["explain", "spec.colour.depth"], "`kubectl spark explain` lists"),
        (&["convert", "--", "spark-submit", "--kill", "x"], "`kubectl spark delete NAME`"),
    ] {
        let stderr = stderr_of(arguments);
        assert!(stderr.contains(named) && !stderr.contains("sparkctl "), "{stderr}");
    }
}
