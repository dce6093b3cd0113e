//! Runs in a container of the job's image, by a real podman, or the docker that `SPARKCTL_TEST_ENGINE=docker` says is
//! here. The image is that of the test cluster, from its registry.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::needs::package;
use super::{cluster, sparkctl};

/// `podman`, or what `SPARKCTL_TEST_ENGINE` names.
pub fn engine() -> String {
    std::env::var("SPARKCTL_TEST_ENGINE").unwrap_or_else(|_| "podman".into())
}

/// Podman's settings for these tests: which files it reads.
///
/// # Panics
/// There is no engine: these tests are not skipped.
pub fn settings() -> &'static [(&'static str, String); 2] {
    static SETTINGS: OnceLock<[(&str, String); 2]> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        if engine() == "podman" {
            package("podman");
        }
        let found = Command::new(engine()).arg("version").output();
        assert!(found.is_ok_and(|found| found.status.success()), "{} does not answer", engine());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let write = |name: &str, content: &str| {
            let path = folder.join(name);
            std::fs::write(&path, content).expect("writing podman's settings");
            path.display().to_string()
        };
        // Where root may not raise limits, podman's own defaults are refused; crun refuses mixed cgroups.
        let engine = "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n[engine]\nruntime = \"runc\"\n";
        let registry = cluster().variable("REGISTRY");
        let registries = format!("[[registry]]\nprefix = \"docker.io\"\nlocation = \"{registry}\"\ninsecure = true\n");
        [("CONTAINERS_CONF", write("containers.conf", engine)), ("CONTAINERS_REGISTRIES_CONF", write("registries.conf", &registries))]
    })
}

/// A run in a container; what it would be on the machine must not matter.
pub fn submit(arguments: &[&str]) -> Command {
    let mut command = sparkctl();
    command.envs(settings().iter().map(|(name, value)| (name, value)));
    command.env("SPARK_HOME", "/nowhere").env("SPARKCTL_CACHE_DIR", "/nowhere");
    command.args(["submit", "--local=1", "--local-in", &engine()]).args(arguments);
    command
}

/// A script of a folder of its own.
pub fn run_of(folder: &Path, script: &str, arguments: &[&str]) -> Command {
    let path = folder.join("job.py");
    std::fs::write(&path, script).expect("writing the script");
    let mut command = submit(&["--name", "boxed", "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.args(["--driver-memory", "512m", "--executor-memory", "512m", "--main-file"]).arg(path).args(arguments);
    command
}
