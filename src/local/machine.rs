//! What is installed on this machine: Spark, Java and Python.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::versions::{PythonVersion, SparkVersion};

/// The environment of a local run, read once so that the rest can be tested.
#[derive(Clone, Debug)]
pub struct Environment {
    pub spark_home: Option<PathBuf>,
    /// `SPARK_CONF_DIR`, with `spark-defaults.conf` and log4j2.properties.
    pub spark_conf_dir: Option<PathBuf>,
    /// `HADOOP_CONF_DIR`, with core-site.xml.
    pub hadoop_conf_dir: Option<PathBuf>,
    pub java_home: Option<PathBuf>,
    pub pyspark_python: Option<OsString>,
    pub path: OsString,
    pub index_url: Option<String>,
    pub certificates: Option<PathBuf>,
    pub cache: PathBuf,
    pub directory: PathBuf,
    /// Whether progress may be drawn.
    pub terminal: bool,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// There is neither a home directory nor `SPARKCTL_CACHE_DIR`.
    pub fn of_this_process(terminal: bool) -> Result<Self> {
        let directory = env::current_dir().context("finding the working directory")?;
        let cache =
            cache().context("finding a cache for Spark and Java: neither SPARKCTL_CACHE_DIR nor HOME is set")?;
        Ok(Self {
            spark_home: set("SPARK_HOME").map(PathBuf::from),
            spark_conf_dir: set("SPARK_CONF_DIR").map(PathBuf::from),
            hadoop_conf_dir: set("HADOOP_CONF_DIR").map(PathBuf::from),
            java_home: set("JAVA_HOME").map(PathBuf::from),
            pyspark_python: set("PYSPARK_PYTHON"),
            path: set("PATH").unwrap_or_default(),
            index_url: env::var("PIP_INDEX_URL").ok().filter(|url| !url.is_empty()),
            certificates: set("PIP_CERT").map(PathBuf::from),
            cache: directory.join(cache),
            directory,
            terminal,
        })
    }

    pub fn on_path(&self, program: impl AsRef<std::ffi::OsStr>) -> Option<PathBuf> {
        which::which_in(program, Some(&self.path), &self.directory).ok()
    }
}

/// The cache folder: `SPARKCTL_CACHE_DIR`, or `sparkctl` in the user's cache folder.
pub fn cache() -> Option<PathBuf> {
    set("SPARKCTL_CACHE_DIR").map(PathBuf::from).or_else(|| {
        // Relative paths are ignored. Source: XDG Base Directory Specification.
        let xdg = set("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || set("HOME").map(|home| PathBuf::from(home).join(".cache"));
        Some(xdg.or_else(home)?.join("sparkctl"))
    })
}

fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// A Spark distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Spark {
    pub home: PathBuf,
    pub version: SparkVersion,
}

impl Spark {
    /// The Spark in a folder, which may be an installed `pyspark` package.
    ///
    /// # Errors
    /// There is none in it.
    pub fn at(home: &Path) -> Result<Self> {
        ensure!(home.join("bin/spark-submit").is_file(), "{} has no bin/spark-submit", home.display());
        let jars = home.join("jars");
        let entries = fs::read_dir(&jars).with_context(|| format!("reading {}", jars.display()))?;
        let mut names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let version = names.find_map(|name| version_of_core(&name));
        let version = version.with_context(|| format!("{} has no spark-core jar", jars.display()))?;
        Ok(Self { home: home.to_owned(), version })
    }
}

/// `spark-core_2.12-3.5.7.jar` is Spark 3.5.7.
fn version_of_core(jar: &str) -> Option<SparkVersion> {
    let (_scala, version) = jar.strip_prefix("spark-core_")?.strip_suffix(".jar")?.split_once('-')?;
    SparkVersion::parse(version)
}

/// A Java runtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Java {
    pub home: PathBuf,
    /// The feature release: 8, 11, 17, …
    pub version: u32,
}

impl Java {
    /// The Java in a folder.
    ///
    /// # Errors
    /// There is none in it, or it does not run.
    pub fn at(home: &Path) -> Result<Self> {
        let program = home.join("bin/java");
        ensure!(program.is_file(), "{} has no bin/java", home.display());
        let recorded = fs::read_to_string(home.join("release")).ok().and_then(|release| version_of_release(&release));
        let version = recorded.map_or_else(|| ask_version(&program), Ok)?;
        Ok(Self { home: home.to_owned(), version })
    }

    /// Checks that the Java in a folder runs.
    ///
    /// # Errors
    /// It does not run on this machine.
    pub fn check(home: &Path) -> Result<()> {
        ask_version(&home.join("bin/java")).map(drop)
    }

    /// The Java of `JAVA_HOME`.
    ///
    /// # Errors
    /// `JAVA_HOME` is set to something else.
    pub fn of_java_home(environment: &Environment) -> Result<Option<Self>> {
        let home = environment.java_home.as_deref();
        home.map(Self::at).transpose().context("using JAVA_HOME (unset it to have a Java found or fetched)")
    }

    /// The Java on `PATH`; `None` if it does not run, such as the stub of macOS.
    pub fn on_path(environment: &Environment) -> Option<Self> {
        let program = environment.on_path("java")?;
        let real = fs::canonicalize(&program).ok()?;
        Self::at(real.parent()?.parent()?).ok()
    }
}

/// The `release` file of a Java home has a line `JAVA_VERSION="17.0.15"`, of Java 8 `"1.8.0_402"`.
fn version_of_release(release: &str) -> Option<u32> {
    let line = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    feature_release(line.trim_matches('"'))
}

fn ask_version(program: &Path) -> Result<u32> {
    let asking = || format!("asking {} for its version", program.display());
    let output = Command::new(program).arg("-version").stdin(Stdio::null()).output().with_context(asking)?;
    let answer = String::from_utf8_lossy(&output.stderr);
    // `openjdk version "17.0.15" 2025-04-15`
    let version = answer.split('"').nth(1).and_then(feature_release);
    version.with_context(|| format!("it printed: {}", answer.trim())).with_context(asking)
}

fn feature_release(version: &str) -> Option<u32> {
    let mut numbers = version.split(['.', '_', '-', '+']).map(|part| part.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        feature => Some(feature),
    }
}

/// A Python interpreter.
#[derive(Clone, Debug, PartialEq)]
pub struct Python {
    pub program: PathBuf,
    pub version: PythonVersion,
    /// The folder of its `pyspark` package, if it has one.
    pub pyspark: Option<PathBuf>,
}

/// Prints the interpreter behind shims and links, its version, and the folder of its pyspark. The working directory is
/// not searched for packages, because it often has a folder `pyspark`.
const ABOUT_PYTHON: &str = r#"
import sys
sys.path = [p for p in sys.path if p]
print(sys.executable)
print("%d.%d" % sys.version_info[:2])
try:
    import importlib.util
    print(importlib.util.find_spec("pyspark").submodule_search_locations[0])
except Exception:
    print("")
"#;

impl Python {
    /// The interpreter of `PYSPARK_PYTHON`, else the one that the job names if it exists on this machine, else `python3`:
    /// Spark's choice, except that an interpreter which exists only in the image is skipped.
    ///
    /// # Errors
    /// There is none, or it does not run.
    pub fn of(environment: &Environment, named_by_job: Option<&str>) -> Result<Self> {
        if let Some(name) = &environment.pyspark_python {
            let program = environment.on_path(name);
            let program = program.with_context(|| format!("PYSPARK_PYTHON: there is no {}", name.to_string_lossy()))?;
            return Self::ask(&program);
        }
        let of_job = named_by_job.and_then(|name| environment.on_path(name));
        let program = of_job.or_else(|| environment.on_path("python3")).ok_or_else(|| {
            anyhow!("the job is a Python application, and there is no python3 on PATH: install Python 3 or set PYSPARK_PYTHON")
        })?;
        Self::ask(&program)
    }

    fn ask(program: &Path) -> Result<Self> {
        let asking = || format!("asking {} for its version", program.display());
        let mut command = Command::new(program);
        let output = command.args(["-c", ABOUT_PYTHON]).stdin(Stdio::null()).output().with_context(asking)?;
        let (answer, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let mut lines = answer.lines();
        let (Some(executable), Some(version)) = (lines.next(), lines.next().and_then(PythonVersion::parse)) else {
            bail!("{}: {}", asking(), error.trim());
        };
        let pyspark = lines.next().filter(|path| !path.is_empty()).map(PathBuf::from);
        // `sys.executable` is empty if Python does not know it.
        let program = if executable.is_empty() { program.to_owned() } else { PathBuf::from(executable) };
        Ok(Self { program, version, pyspark })
    }
}

/// The memory that this process may use, in bytes: the machine's, or its container's limit. `None` if it is not known.
pub fn memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = limits.iter().filter_map(|path| read(path)?.trim().parse::<u64>().ok());
    let machine = || -> Option<u64> {
        let table = read("/proc/meminfo")?;
        let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    limits.chain(machine()).min()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn environment(path: &Path) -> Environment {
        Environment {
            spark_home: None,
            spark_conf_dir: None,
            hadoop_conf_dir: None,
            java_home: None,
            pyspark_python: None,
            path: path.into(),
            index_url: None,
            certificates: None,
            cache: path.join("cache"),
            directory: path.into(),
            terminal: false,
        }
    }

    pub fn program(path: &Path, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn parses_the_feature_release_of_java() {
        assert_eq!(version_of_release("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.15\"\n"), Some(17));
        assert_eq!(version_of_release("JAVA_VERSION=\"1.8.0_402\"\n"), Some(8));
        assert_eq!(feature_release("21-ea"), Some(21));
        assert_eq!(feature_release("what"), None);
    }

    #[test]
    fn asks_a_java_that_has_no_release_file() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("bin/java"), "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2");
        assert_eq!(Java::at(folder.path()).unwrap().version, 11);
    }

    #[test]
    fn refuses_a_java_home_without_java() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment { java_home: Some("/nowhere".into()), ..environment(folder.path()) };
        let message = format!("{:#}", Java::of_java_home(&environment).unwrap_err());
        assert!(message.ends_with("/nowhere has no bin/java"), "{message}");
    }

    #[test]
    fn reads_the_version_of_a_spark_from_its_jars() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Spark::at(folder.path()).unwrap_err().to_string().ends_with("has no bin/spark-submit"));
        program(&folder.path().join("bin/spark-submit"), "");
        fs::create_dir(folder.path().join("jars")).unwrap();
        fs::write(folder.path().join("jars/spark-core_2.12-3.5.7.jar"), "").unwrap();
        assert_eq!(Spark::at(folder.path()).unwrap().version.to_string(), "3.5.7");
        assert_eq!(version_of_core("spark-core_2.13-4.2.0-SNAPSHOT.jar").unwrap().to_string(), "4.2.0");
    }

    #[test]
    fn finds_the_python_behind_a_shim() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("python3"), "echo /opt/python/bin/python3.11; echo 3.11; echo");
        program(&folder.path().join("python3.9"), "echo /usr/bin/python3.9; echo 3.9; echo /lib/pyspark");
        let here = environment(folder.path());
        let python = Python::of(&here, Some("/image/bin/python3")).unwrap();
        assert_eq!(python.program, PathBuf::from("/opt/python/bin/python3.11"));
        assert_eq!(python.version, PythonVersion(3, 11));
        assert_eq!(python.pyspark, None);
        let chosen = Environment { pyspark_python: Some("python3.9".into()), ..here };
        let python = Python::of(&chosen, None).unwrap();
        assert_eq!((python.version, python.pyspark), (PythonVersion(3, 9), Some("/lib/pyspark".into())));
    }

    #[test]
    fn reports_a_missing_or_broken_python() {
        let folder = tempfile::tempdir().unwrap();
        let message = Python::of(&environment(folder.path()), None).unwrap_err().to_string();
        assert!(message.contains("there is no python3 on PATH"), "{message}");
        program(&folder.path().join("python3"), "echo 'pyenv: no such version' >&2; exit 127");
        let message = Python::of(&environment(folder.path()), None).unwrap_err().to_string();
        assert!(message.ends_with("python3 for its version: pyenv: no such version"), "{message}");
    }
}
