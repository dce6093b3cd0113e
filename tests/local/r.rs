//! Programs in R: in a container with a real R, and on this machine with a stand-in, since R may not be installed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::container::submit;
use crate::support::local::{MACHINE, first_run, text};
use crate::support::{cluster, sparkctl};

#[test]
fn runs_r_in_a_container() {
    let mut command = submit(&["--name", "sum", "--image", &cluster().image("4.1-r")]);
    command.args(["--spark-version", "4.1.4", "--main-file", "tests/it/sum.R"]);
    let run = command.args(["--driver-memory", "512m", "--", "1000"]).output().expect("running");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("the sum in R is 499500"), "{}", text(&run.stdout));
}

#[test]
fn explains_a_container_without_r() {
    let mut command = submit(&["--name", "sum", "--image", &cluster().spark_image(), "--output", "quiet"]);
    command.args(["--spark-version", "4.1.4", "--main-file", "tests/it/sum.R", "--driver-memory", "512m"]);
    let run = command.output().expect("running");
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    let stderr = text(&run.stderr);
    assert!(stderr.contains("program Rscript is missing: use an image that has it"), "{stderr}");
}

/// Makes an `Rscript` that prints its version and the place of SparkR, and then how it is started. Returns a `PATH`.
fn stand_in(folder: &Path, sparkr: &str) -> String {
    let script = format!(
        "#!/bin/sh\n[ \"$1\" != -e ] || {{ printf '4.2.2\\n%s\\n' '{sparkr}'; exit; }}\n\
         echo \"$(cat \"$1\") $2 of ${{EXISTING_SPARKR_BACKEND_PORT:+a backend}}\"\nexit 7\n"
    );
    let path = folder.join("Rscript");
    std::fs::write(&path, script).expect("writing a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("making it a program");
    format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"))
}

/// A run on the cached Spark of this machine with the stand-in for R.
fn here(folder: &Path, sparkr: &str, main: &Path) -> Command {
    let (cache, ..) = first_run();
    let mut command = sparkctl();
    command.env("SPARKCTL_CACHE_DIR", cache).env("PATH", stand_in(folder, sparkr)).args([
        "submit",
        "--local=2",
        MACHINE,
    ]);
    command.args(["--name", "sum", "--image", "spark", "--spark-version", "3.4.4", "--main-file"]).arg(main);
    command
}

#[test]
fn runs_the_machines_r() {
    let folder = tempfile::tempdir().expect("a folder");
    let main = folder.path().join("job.R");
    std::fs::write(&main, "called with").expect("writing a program");
    let mut command = here(folder.path(), "/usr/lib/R/library/SparkR", &main);
    command.args(["--conf", "spark.r.command=/opt/image/Rscript", "--", "ten"]);
    let run = command.output().expect("running");
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    assert_eq!(text(&run.stdout), "called with ten of a backend\n");
    let stderr = text(&run.stderr);
    assert!(stderr.contains(", R 4.2.2, local[2]"), "{stderr}");
    assert!(stderr.contains("the driver exited with code 7"), "{stderr}");
}

#[test]
fn explains_what_an_r_program_needs_on_the_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = here(folder.path(), "", Path::new("tests/it/sum.R")).output().expect("running");
    assert_eq!(run.status.code(), Some(4));
    let message = "sum could not start: the job is an R application, and R 4.2.2 has no SparkR, and neither has the Spark of \
                PyPI: set SPARK_HOME to a full distribution, or run in the job's image (`--local-in container`)\n";
    assert!(text(&run.stderr).contains(message), "{}", text(&run.stderr));
}
