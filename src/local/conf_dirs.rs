//! The configuration directories of an application: Spark's, beside its properties, and Hadoop's.
//!
//! The directories of the job (`--spark-conf-dir`, `--hadoop-conf-dir`) are used as in a cluster. Without them, those of
//! this machine are, `SPARK_CONF_DIR` and `HADOOP_CONF_DIR`, as by spark-submit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::files::write_private;
use super::job::LocalJob;
use super::machine::Environment;
use crate::manifests::{CONF_DIR, HADOOP_DIR};

/// One of the two directories.
struct Directory<'a> {
    variable: &'static str,
    /// Its path in a driver pod.
    in_pod: &'static str,
    of_job: Option<&'a BTreeMap<String, String>>,
}

fn both(job: &LocalJob) -> [Directory<'_>; 2] {
    let spark = Some(&job.spark_conf).filter(|files| !files.is_empty());
    [
        Directory { variable: "SPARK_CONF_DIR", in_pod: CONF_DIR, of_job: spark },
        Directory { variable: "HADOOP_CONF_DIR", in_pod: HADOOP_DIR, of_job: job.hadoop_conf.as_ref() },
    ]
}

impl Directory<'_> {
    /// Writes the job's files below a folder, if it has any.
    fn written(&self, folder: &Path) -> Result<Option<PathBuf>> {
        let Some(files) = self.of_job else { return Ok(None) };
        let directory = folder.join(self.variable);
        fs::create_dir(&directory).with_context(|| format!("creating {}", directory.display()))?;
        for (name, text) in files {
            write_private(&directory.join(name), text)?;
        }
        Ok(Some(directory))
    }
}

/// Variables for a driver on this machine, which inherits the machine's own. The files are written below a folder.
///
/// # Errors
/// The files cannot be written.
pub fn on_machine(job: &LocalJob, folder: &Path) -> Result<Vec<(String, Option<OsString>)>> {
    let variable = |directory: Directory<'_>| {
        let written = directory.written(folder).transpose()?;
        Some(written.map(|path| (directory.variable.to_owned(), Some(path.into()))))
    };
    both(job).into_iter().filter_map(variable).collect()
}

/// Variables for a container. Each file is mounted separately, because links would be broken in the container.
///
/// # Errors
/// A directory cannot be read, or files cannot be written.
pub fn in_container(
    job: &LocalJob,
    environment: &Environment,
    folder: &Path,
    mounts: &mut Vec<(PathBuf, String)>,
) -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for directory in both(job) {
        let of_machine = match directory.variable {
            "SPARK_CONF_DIR" => &environment.spark_conf_dir,
            _ => &environment.hadoop_conf_dir,
        };
        // A variable of the job names a directory in the image.
        let of_image = job.env.iter().any(|(name, _)| name == directory.variable);
        let of_machine = of_machine.as_ref().filter(|_| !of_image).map(|path| environment.directory.join(path));
        let written = directory.written(folder)?;
        let is_of_machine = written.is_none();
        let Some(path) = written.or(of_machine) else { continue };
        let entries =
            fs::read_dir(&path).with_context(|| format!("{}: reading {}", directory.variable, path.display()));
        for entry in entries?.flatten().filter(|entry| entry.path().is_file()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            // It was written for the Java and the paths of this machine, which the image does not have.
            if !(is_of_machine && name == "spark-env.sh") {
                let real = fs::canonicalize(entry.path());
                let real = real.with_context(|| format!("looking for {}", entry.path().display()))?;
                mounts.push((real, format!("{}/{name}", directory.in_pod)));
            }
        }
        variables.push((directory.variable.to_owned(), directory.in_pod.to_owned()));
    }
    Ok(variables)
}
