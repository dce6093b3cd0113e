//! Builds the wheel, installs it with pip, and uses it in a Python program on the test cluster.

#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use support::needs::{announce, package};
use support::{Namespace, cluster, root};

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}\n{stderr}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_wheel_submits_streams_and_returns_the_result() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheel");
    let (build, python) = (folder.join("build"), folder.join("venv/bin/python"));
    let pip = |more: &[&str]| {
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(more));
    };
    package("venv");
    announce("building the wheel");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")));
    pip(&["maturin>=1.7,<2"]);
    let _ = std::fs::remove_dir_all(&build);
    // With the profile of the tests, nothing is compiled again. The wheel stays on this machine.
    let how =
        ["-m", "maturin", "build", "--profile", "dev", "--auditwheel", "skip", "--compatibility", "linux", "--out"];
    let cargo = Path::new(env!("CARGO")).parent().expect("cargo's folder");
    let path = format!("{}:{}", cargo.display(), std::env::var("PATH").unwrap_or_default());
    run(Command::new(&python).args(how).arg(&build).current_dir(root()).env("PATH", path));
    let wheels: Vec<String> = std::fs::read_dir(&build)
        .expect("the wheel's folder")
        .map(|entry| entry.expect("an entry").path().display().to_string())
        .collect();
    let [wheel] = &wheels[..] else { panic!("one wheel, not {wheels:?}") };
    assert!(wheel.contains("/sparkctl_k8s-"), "{wheel}");
    pip(&["--no-index", wheel]);

    let ns = Namespace::new("python");
    let mut program = Command::new(&python);
    program.arg(root().join("tests/wheel/use.py")).args([cluster().spark_image().as_str(), "4.1.4"]);
    program.current_dir(&folder).env("KUBECONFIG", &cluster().kubeconfig).env("SPARKCTL_NAMESPACE", &ns.name);
    assert_eq!(run(&mut program).trim(), "done");
}
