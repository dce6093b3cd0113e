//! Locates the files of a job on this machine, and writes those of a run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::machine::Spark;
use crate::job::local_files::MOUNT;

/// `SPARK_HOME` in Spark's images.
const IMAGE_SPARK_HOME: &str = "/opt/spark";

/// A file of the job.
#[derive(Debug, PartialEq)]
pub struct Located {
    /// Its path or URL for spark-submit.
    pub uri: String,
    /// The message for the user if another file than the named one is used.
    pub note: Option<String>,
}

impl Located {
    fn as_named(uri: String) -> Self {
        Self { uri, note: None }
    }
}

/// Locates a file of the job. `local://` is a path in the job's image: a file below `/opt/spark` is taken from the Spark
/// that runs, any other from the same path of this machine. URLs of other schemes are left to Spark.
///
/// # Errors
/// The file is not on this machine.
pub fn locate(named: &str, spark: &Spark, directory: &Path) -> Result<Located> {
    let (address, fragment) = named.split_once('#').map_or((named, None), |(address, name)| (address, Some(name)));
    let with_fragment = |path: &Path| {
        let fragment = fragment.map(|name| format!("#{name}")).unwrap_or_default();
        format!("{}{fragment}", path.display())
    };
    match scheme(address) {
        Some(("local", path)) => {
            let (path, note) = in_image(named, path, spark)?;
            Ok(Located { uri: with_fragment(&path), note })
        }
        Some(("file", path)) => Ok(Located::as_named(with_fragment(&on_machine(named, Path::new(path))?))),
        Some(_) => Ok(Located::as_named(named.to_owned())),
        None => Ok(Located::as_named(with_fragment(&on_machine(named, &directory.join(address))?))),
    }
}

/// Checks that a file exists, or may exist in the Spark that runs, before Spark is fetched.
///
/// # Errors
/// The file is not on this machine, and not below `SPARK_HOME` of the image.
pub fn check(named: &str, directory: &Path) -> Result<()> {
    let address = named.split('#').next().unwrap_or_default();
    match scheme(address) {
        Some(("local", path)) if Path::new(path).starts_with(IMAGE_SPARK_HOME) || Path::new(path).exists() => Ok(()),
        Some(("local", path)) => bail!(missing_in_image(named, &format!("no {path}"), ELSEWHERE)),
        Some(("file", path)) => on_machine(named, Path::new(path)).map(drop),
        Some(_) => Ok(()),
        None => on_machine(named, &directory.join(address)).map(drop),
    }
}

/// Locates a file for a container of the job's image: a path in the image stays as it is, and a file of this machine is
/// mounted where the driver would have it in a cluster.
///
/// # Errors
/// The file is not on this machine.
pub fn locate_in_container(named: &str, directory: &Path, mounts: &mut Vec<(PathBuf, String)>) -> Result<String> {
    let (address, fragment) = named.split_once('#').map_or((named, None), |(address, name)| (address, Some(name)));
    let path = match scheme(address) {
        Some(("local", path)) => return Ok(fragment.map_or(path.to_owned(), |name| format!("{path}#{name}"))),
        Some(("file", path)) => on_machine(named, Path::new(path))?,
        Some(_) => return Ok(named.to_owned()),
        None => on_machine(named, &directory.join(address))?,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let there = mounts.iter().find(|(other, _)| *other == path).map(|(_, target)| target.clone());
    let target = there.unwrap_or_else(|| {
        let plain = format!("{MOUNT}/{name}");
        // A second file of the same name gets a folder of its own.
        let taken = mounts.iter().any(|(_, target)| *target == plain);
        let target = if taken { format!("{MOUNT}/{}/{name}", mounts.len()) } else { plain };
        mounts.push((path, target.clone()));
        target
    });
    Ok(fragment.map_or(target.clone(), |name| format!("{target}#{name}")))
}

/// What to do about a file of the image that is not on this machine.
const ELSEWHERE: &str = "put the file there, name a path of this machine, or run in the image (`--local-in container`)";

fn missing_in_image(named: &str, missing: &str, remedy: &str) -> String {
    format!("{named} is a path in the job's image, and this machine has {missing}: {remedy}")
}

/// Splits a URL such as `local:///opt/x`, `local:/opt/x` or `file://localhost/x` into scheme and path.
fn scheme(address: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = address.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let path = rest.strip_prefix("//").map_or(rest, |rest| rest.find('/').map_or("", |at| &rest[at..]));
    is_scheme.then_some((scheme, path))
}

fn on_machine(named: &str, path: &Path) -> Result<PathBuf> {
    match path.exists() {
        true => Ok(path.to_owned()),
        false => bail!("{named}: there is no {} on this machine", path.display()),
    }
}

fn in_image(named: &str, path: &str, spark: &Spark) -> Result<(PathBuf, Option<String>)> {
    let path = Path::new(path);
    let below = path.strip_prefix(IMAGE_SPARK_HOME).ok();
    let ours = below.and_then(|below| existing(&spark.home.join(below)).or_else(|| examples_jar(below, spark)));
    if let Some(ours) = ours {
        let note = format!("{named} is a path in the image: using {} of Spark {}", ours.display(), spark.version);
        return Ok((ours, Some(note)));
    }
    if path.exists() {
        let note = format!("{named} is a path in the image: using the same path of this machine");
        return Ok((path.to_owned(), Some(note)));
    }
    let missing = match below {
        Some(below) => format!("neither {} nor {}", spark.home.join(below).display(), path.display()),
        None => format!("no {}", path.display()),
    };
    let remedy = match below {
        Some(below) if below.starts_with("examples/jars") => {
            "the Spark of PyPI has no example jars: set SPARK_HOME to a full distribution"
        }
        _ => ELSEWHERE,
    };
    bail!(missing_in_image(named, &missing, remedy))
}

fn existing(path: &Path) -> Option<PathBuf> {
    path.exists().then(|| path.to_owned())
}

/// The jar with Spark's examples, whose name has a version in some images and job files, and none in others.
fn examples_jar(below: &Path, spark: &Spark) -> Option<PathBuf> {
    let asked = below.strip_prefix("examples/jars").ok()?.to_str()?;
    let is_examples = |name: &str| name.starts_with("spark-examples") && name.ends_with(".jar");
    let mut jars = fs::read_dir(spark.home.join("examples/jars")).ok()?.flatten();
    let jar = jars.find(|jar| is_examples(&jar.file_name().to_string_lossy()))?;
    is_examples(asked).then(|| jar.path())
}

/// Writes a file that only the user can read: settings may contain secrets.
///
/// # Errors
/// The file exists, or cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::versions::SparkVersion;
    use super::*;

    struct Machine {
        folder: tempfile::TempDir,
    }

    impl Machine {
        fn with(files: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for file in files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            Self { folder }
        }

        /// Locates a file, with the machine's folder written as `~`.
        fn locate(&self, named: &str) -> Result<(String, bool), String> {
            let root = self.folder.path();
            let spark = Spark { home: root.join("spark"), version: SparkVersion::parse("3.5.7").unwrap() };
            let tilde = |text: String| text.replace(&root.display().to_string(), "~");
            let named = named.replace('~', &root.display().to_string());
            match locate(&named, &spark, &root.join("work")) {
                Ok(located) => Ok((tilde(located.uri), located.note.is_some())),
                Err(error) => Err(tilde(format!("{error:#}"))),
            }
        }
    }

    #[test]
    fn locates_files_of_the_images_spark_in_the_spark_that_runs() {
        let machine = Machine::with(&["spark/examples/src/main/python/pi.py"]);
        let pi = Ok(("~/spark/examples/src/main/python/pi.py".to_owned(), true));
        assert_eq!(machine.locate("local:///opt/spark/examples/src/main/python/pi.py"), pi);
        assert_eq!(machine.locate("local:/opt/spark/examples/src/main/python/pi.py"), pi);
    }

    #[test]
    fn locates_the_examples_jar_of_any_version() {
        let machine = Machine::with(&["spark/examples/jars/spark-examples_2.12-3.5.7.jar"]);
        let jar = Ok(("~/spark/examples/jars/spark-examples_2.12-3.5.7.jar".to_owned(), true));
        assert_eq!(machine.locate("local:///opt/spark/examples/jars/spark-examples.jar"), jar);
        assert_eq!(machine.locate("local:///opt/spark/examples/jars/spark-examples_2.12-3.0.0.jar"), jar);
        assert!(machine.locate("local:///opt/spark/examples/jars/other.jar").is_err());
    }

    #[test]
    fn reports_that_the_spark_of_pypi_has_no_examples_jar() {
        let message = Machine::with(&[]).locate("local:///opt/spark/examples/jars/spark-examples.jar").unwrap_err();
        assert_eq!(
            message,
            "local:///opt/spark/examples/jars/spark-examples.jar is a path in the job's image, and this machine has \
             neither ~/spark/examples/jars/spark-examples.jar nor /opt/spark/examples/jars/spark-examples.jar: \
             the Spark of PyPI has no example jars: set SPARK_HOME to a full distribution"
        );
    }

    #[test]
    fn uses_another_path_of_the_image_only_if_this_machine_has_it() {
        let machine = Machine::with(&["app/job.py"]);
        assert_eq!(machine.locate("local://~/app/job.py"), Ok(("~/app/job.py".into(), true)));
        let message = machine.locate("local://~/app/other.py").unwrap_err();
        assert_eq!(
            message,
            "local://~/app/other.py is a path in the job's image, and this machine has no ~/app/other.py: \
             put the file there, name a path of this machine, or run in the image (`--local-in container`)"
        );
    }

    #[test]
    fn checks_files_before_spark_is_known() {
        let machine = Machine::with(&["job.py"]);
        let refused = |named: &str| check(named, machine.folder.path()).is_err();
        assert!(!refused("local:///opt/spark/examples/src/main/python/pi.py"));
        assert!(!refused("job.py#main.py"));
        assert!(!refused("s3a://bucket/job.py"));
        assert!(refused("local:///nowhere/job.py"));
        assert!(refused("file:///nowhere/job.py"));
        assert!(refused("other.py"));
    }

    #[test]
    fn locates_relative_paths_in_the_working_directory() {
        let machine = Machine::with(&["work/job.py", "data.csv"]);
        assert_eq!(machine.locate("job.py"), Ok(("~/work/job.py".into(), false)));
        assert_eq!(machine.locate("file://~/data.csv#rows.csv"), Ok(("~/data.csv#rows.csv".into(), false)));
        assert_eq!(machine.locate("other.py").unwrap_err(), "other.py: there is no ~/work/other.py on this machine");
        assert!(machine.locate("file:///nowhere/x.py").is_err());
    }

    #[test]
    fn mounts_files_of_this_machine_into_a_container() {
        let machine = Machine::with(&["work/job.py", "work/a/util.py", "work/b/util.py"]);
        let work = machine.folder.path().join("work");
        let mut mounts = Vec::new();
        let mut locate = |named: &str| locate_in_container(named, &work, &mut mounts).unwrap();
        assert_eq!(locate("job.py"), "/mnt/sparkctl/files/job.py");
        assert_eq!(locate("a/util.py"), "/mnt/sparkctl/files/util.py");
        assert_eq!(locate("b/util.py#u.py"), "/mnt/sparkctl/files/2/util.py#u.py");
        assert_eq!(locate("job.py#main"), "/mnt/sparkctl/files/job.py#main");
        assert_eq!(locate("local:///opt/x.jar#y"), "/opt/x.jar#y");
        assert_eq!(locate("s3a://b/x.jar"), "s3a://b/x.jar");
        assert_eq!(mounts.len(), 3);
        assert!(locate_in_container("other.py", &work, &mut Vec::new()).is_err());
    }

    #[test]
    fn leaves_urls_of_other_schemes_to_spark() {
        let machine = Machine::with(&[]);
        for address in ["https://h/job.py", "s3a://bucket/job.py", "hdfs://n:8020/x.jar#y"] {
            assert_eq!(machine.locate(address), Ok((address.to_owned(), false)));
        }
    }
}
