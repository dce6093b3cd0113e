//! Sends signals to a local run whose Spark is a shell script.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than any of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A driver that creates the file `started`, and ends when there is a file `go`.
const DRIVER: &str = "#!/bin/sh\ncd \"$FOLDER\" && touch started\nuntil [ -e go ]; do sleep 0.1; done\n";

/// Makes the files of a Spark, a Java and an application that sparkctl looks at.
fn install(folder: &Path) {
    for (path, text) in [
        ("spark/bin/spark-submit", DRIVER),
        ("spark/jars/spark-core_2.12-3.5.7.jar", ""),
        ("java/bin/java", ""),
        ("java/release", "JAVA_VERSION=\"17.0.15\"\n"),
        ("app.jar", ""),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
    }
}

/// Starts a local run with these signals ignored, and waits for its driver.
fn start(folder: &Path, ignored: &str) -> Child {
    install(folder);
    // A background job of a shell script, such as `cargo test &`, inherits ignored signals.
    let mut command = Command::new("env");
    command.args([
        "--default-signal=HUP,INT,TERM",
        "sh",
        "-c",
        &format!("trap '' {ignored}; exec \"$@\""),
        "sh",
        env!("CARGO_BIN_EXE_sparkctl"),
    ]);
    command.args(["submit", "--local=1", "--local-in=machine", "--name", "here", "--image", "spark:3.5.7"]);
    command.args(["--spark-version", "3.5.7", "--class", "App", "--main-file"]).arg(folder.join("app.jar"));
    command.env("SPARK_HOME", folder.join("spark")).env("JAVA_HOME", folder.join("java")).env("FOLDER", folder);
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("sparkctl");
    let start = Instant::now();
    while !folder.join("started").exists() {
        let has_ended = run.try_wait().expect("its state").is_some();
        assert!(!has_ended && start.elapsed() < PATIENCE, "the driver did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    run
}

fn send(run: &Child, signal: &str) {
    let pid = run.id().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().expect("kill").success());
}

#[test]
fn a_local_run_ignores_the_signals_that_its_parent_ignores() {
    for signal in ["HUP", "INT"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = start(folder.path(), signal);
        send(&run, signal);
        // The driver looks for the file later than a signal takes to arrive.
        fs::write(folder.path().join("go"), "").expect("a file");
        assert_eq!(run.wait().expect("its end").code(), Some(0), "SIG{signal} ended a run that ignores it");
    }
}

#[test]
fn a_signal_ends_a_local_run_with_its_exit_code() {
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = start(folder.path(), "USR1");
        send(&run, signal);
        assert_eq!(run.wait().expect("its end").code(), Some(code), "SIG{signal}");
    }
}
