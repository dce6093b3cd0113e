//! R on this machine: `Rscript` and the package SparkR.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::machine::Environment;

/// An R that can run Spark applications.
#[derive(Clone, Debug, PartialEq)]
pub struct R {
    /// `Rscript`.
    pub program: PathBuf,
    pub version: String,
}

/// Prints R's version, and the folder of its package SparkR or an empty line.
const ABOUT_R: &str = r#"cat(format(getRversion()), system.file(package = "SparkR"), "", sep = "\n")"#;

/// The alternative if something is missing.
const IN_CONTAINER: &str = "run in the job's image (`--local-in container`)";

impl R {
    /// The `Rscript` that the job names if it exists on this machine, else the one on `PATH`.
    ///
    /// SparkR is in R's own library or comes with a full distribution of Spark, which makes R find it.
    ///
    /// Source: `RRunner` of Spark.
    ///
    /// # Errors
    /// There is no R, it does not run, or it has no SparkR.
    pub fn of(environment: &Environment, named_by_job: Option<&str>) -> Result<Self> {
        let of_job = named_by_job.and_then(|name| environment.on_path(name));
        let program = of_job.or_else(|| environment.on_path("Rscript")).with_context(|| {
            format!("the job is an R application, and there is no Rscript on PATH: install R, or {IN_CONTAINER}")
        })?;
        let (version, has_package) = ask(&program)?;
        let in_spark = |home: &PathBuf| home.join("R/lib/SparkR").is_dir();
        ensure!(
            has_package || environment.spark_home.as_ref().is_some_and(in_spark),
            "the job is an R application, and R {version} has no SparkR, and neither has the Spark of PyPI: \
             set SPARK_HOME to a full distribution, or {IN_CONTAINER}"
        );
        Ok(Self { program, version })
    }
}

/// R's version, and whether SparkR is in its library.
fn ask(program: &Path) -> Result<(String, bool)> {
    let asking = || format!("asking {} for its version", program.display());
    let output = Command::new(program).args(["-e", ABOUT_R]).stdin(Stdio::null()).output().with_context(asking)?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let mut lines = answer.lines();
    match lines.next() {
        Some(version) if output.status.success() => {
            Ok((version.to_owned(), lines.next().is_some_and(|folder| !folder.is_empty())))
        }
        _ => bail!("{}: {}", asking(), String::from_utf8_lossy(&output.stderr).trim()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::machine::tests::{environment, program};
    use super::*;

    #[test]
    fn finds_an_r_with_sparkr_in_its_library_or_beside_spark() {
        let folder = tempfile::tempdir().unwrap();
        let here = environment(folder.path());
        let message = |environment: &Environment| format!("{:#}", R::of(environment, None).unwrap_err());
        assert!(message(&here).contains("there is no Rscript on PATH: install R, or run in"), "{}", message(&here));
        program(&folder.path().join("Rscript"), "echo 4.2.2; echo");
        assert!(message(&here).contains("R 4.2.2 has no SparkR"), "{}", message(&here));
        fs::create_dir_all(folder.path().join("spark/R/lib/SparkR")).unwrap();
        let with_spark = Environment { spark_home: Some(folder.path().join("spark")), ..here.clone() };
        assert_eq!(R::of(&with_spark, None).unwrap().version, "4.2.2");
        program(&folder.path().join("Rscript-4.4"), "echo 4.4.1; echo /usr/lib/R/site-library/SparkR");
        assert_eq!(R::of(&here, Some("Rscript-4.4")).unwrap().version, "4.4.1");
        program(&folder.path().join("Rscript"), "echo 'no R here' >&2; exit 1");
        assert!(message(&here).ends_with("Rscript for its version: no R here"), "{}", message(&here));
    }
}
