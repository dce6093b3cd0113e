//! Runs in a container of the job's image with a real podman, or with Docker if `SPARKCTL_TEST_ENGINE` is `docker`. The
//! image is that of the test cluster, from its registry.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::needs::package;
use super::{cluster, sparkctl};

/// The container engine: `podman`, or that of `SPARKCTL_TEST_ENGINE`.
pub fn engine() -> String {
    std::env::var("SPARKCTL_TEST_ENGINE").unwrap_or_else(|_| "podman".into())
}

/// The environment that points podman to its configuration for these tests.
///
/// # Panics
/// There is no engine: tests that need it are not skipped.
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
        // Podman's default limits fail where root may not raise limits, and crun fails with mixed cgroups.
        let engine = "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n[engine]\nruntime = \"runc\"\n";
        let registry = cluster().variable("REGISTRY");
        let registries = format!("[[registry]]\nprefix = \"docker.io\"\nlocation = \"{registry}\"\ninsecure = true\n");
        [("CONTAINERS_CONF", write("containers.conf", engine)), ("CONTAINERS_REGISTRIES_CONF", write("registries.conf", &registries))]
    })
}

/// A submission that runs in a container. Settings for runs on the machine must not matter.
pub fn submit(arguments: &[&str]) -> Command {
    let mut command = sparkctl();
    command.envs(settings().iter().map(|(name, value)| (name, value)));
    command.env("SPARK_HOME", "/nowhere").env("SPARKCTL_CACHE_DIR", "/nowhere");
    command.args(["submit", "--local=1", "--local-in", &engine()]).args(arguments);
    command
}

/// A run of a script in a container.
pub fn run_of(folder: &Path, script: &str, arguments: &[&str]) -> Command {
    let path = folder.join("job.py");
    std::fs::write(&path, script).expect("writing the script");
    let mut command = submit(&["--name", "boxed", "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.args(["--driver-memory", "512m", "--executor-memory", "512m", "--main-file"]).arg(path).args(arguments);
    command
}
