//! The `spark-submit` of a local run: its settings are in a file, the rest on its command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::conf_dirs;
use super::container::{Container, ContainerSpec, Engine};
use super::files::{self, Located, locate, write_private};
use super::job::{LocalJob, R_COMMANDS};
use super::machine::Environment;
use super::progress::{Progress, Say};
use super::runtime::Runtime;
use super::versions::SparkVersion;
use crate::spark::memory::{LEAST_OVERHEAD, mebibytes};
use crate::spark::{Change, Conf, Language, Version, catalog, properties};

/// A `spark-submit` command.
#[derive(Debug)]
pub struct Submission {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Variables to add to the environment of this process; `None` removes one.
    pub env: Vec<(String, Option<OsString>)>,
    /// The container that it runs in, if any; removed on drop.
    pub container: Option<Container>,
    /// The folder with the settings; removed on drop.
    _folder: tempfile::TempDir,
}

/// Settings with the path of Python in the image: on this machine a variable has it.
const PYTHONS: [&str; 2] = ["spark.pyspark.python", "spark.pyspark.driver.python"];

/// Variables of a job that describe the image, and would be wrong on this machine.
const IMAGE_VARIABLES: [&str; 7] =
    ["SPARK_HOME", "SPARK_CONF_DIR", "JAVA_HOME", "PATH", "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "LD_LIBRARY_PATH"];

impl Submission {
    /// Runs the job on a Spark of this machine.
    ///
    /// # Errors
    /// A file of the job is not on this machine, or the settings cannot be written.
    pub fn of(job: &LocalJob, runtime: &Runtime, environment: &Environment, say: &Say) -> Result<Self> {
        let spark = &runtime.spark;
        let locate = |named: &str| -> Result<String> {
            let Located { uri, note } = locate(named, spark, &environment.directory)?;
            note.iter().for_each(|note| say(note));
            Ok(uri)
        };
        let main_file = locate(&job.main_file)?;
        let memory = super::machine::memory();
        heap(job, memory).and_then(|heap| heap.note).iter().for_each(|note| say(note));
        let mut settings = with_located_files(settings(job, memory, environment.terminal), locate)?;
        settings.retain(|key, _| !PYTHONS.contains(&key.as_str()) && !R_COMMANDS.contains(&key.as_str()));
        if let Some(r) = &runtime.r {
            settings.insert("spark.r.command".into(), r.program.display().to_string());
        }
        let folder = tempfile::Builder::new().prefix("sparkctl-").tempdir().context("creating a temporary folder")?;
        let properties = folder.path().join("spark.properties");
        let conf_dir = spark.home.join("conf");
        let defaults = defaults(job, environment.spark_conf_dir.as_deref().or(Some(&conf_dir)));
        write_private(&properties, &properties_text(&defaults, settings))?;
        let mut env = env(job, runtime);
        env.extend(conf_dirs::on_machine(job, folder.path())?);

        let arguments = arguments(job, &properties.display().to_string(), main_file);
        Ok(Self {
            program: spark.home.join("bin/spark-submit"),
            arguments: arguments.into_iter().map(OsString::from).collect(),
            env,
            container: None,
            _folder: folder,
        })
    }

    /// Runs the job in a container. Paths of the image stay as they are; files of this machine are mounted.
    ///
    /// # Errors
    /// A file of the job is not on this machine, or the engine cannot create the container.
    pub fn in_container(
        job: &LocalJob,
        engine: &Engine,
        image: &str,
        environment: &Environment,
        progress: &Progress,
    ) -> Result<Self> {
        let mut mounts: Vec<(PathBuf, String)> = Vec::new();
        let mut locate = |named: &str| files::locate_in_container(named, &environment.directory, &mut mounts);
        let main_file = locate(&job.main_file)?;
        let memory = super::machine::memory();
        let heap = heap(job, memory);
        heap.iter().filter_map(|heap| heap.note.as_ref()).for_each(|note| progress.say(note));
        let settings = with_located_files(settings(job, memory, environment.terminal), locate)?;
        let folder = tempfile::Builder::new().prefix("sparkctl-").tempdir().context("creating a temporary folder")?;
        let properties = folder.path().join("spark.properties");
        let defaults = defaults(job, environment.spark_conf_dir.as_deref());
        write_private(&properties, &properties_text(&defaults, settings))?;
        mounts.push((properties, PROPERTIES.into()));
        let conf_dirs = conf_dirs::in_container(job, environment, folder.path(), &mut mounts)?;
        let (lines, others) = env_in_container(job, conf_dirs);
        let env_file = folder.path().join("env");
        write_private(&env_file, &lines)?;
        let spec = ContainerSpec {
            image,
            mounts: &mounts,
            env: &others,
            env_file: &env_file,
            memory_mebibytes: memory_limit(heap.as_ref(), memory),
            cores: job.cores,
            arguments: &arguments(job, PROPERTIES, main_file),
        };
        let container = engine.create(&spec, progress)?;
        Ok(Self {
            program: container.program().to_owned(),
            arguments: container.start().map(OsString::from).into(),
            env: Vec::new(),
            container: Some(container),
            _folder: folder,
        })
    }
}

/// The path of the settings in a container.
const PROPERTIES: &str = "/mnt/sparkctl/spark.properties";

/// The command line of `spark-submit`.
fn arguments(job: &LocalJob, properties: &str, main_file: String) -> Vec<String> {
    let mut arguments =
        ["--master", &job.master(), "--name", &job.name, "--properties-file", properties].map(str::to_owned).to_vec();
    if let Some(class) = job.main_class.as_ref().filter(|_| matches!(job.language, Language::Java | Language::Scala)) {
        arguments.extend(["--class".into(), class.clone()]);
    }
    arguments.push(main_file);
    arguments.extend(job.arguments.iter().cloned());
    arguments
}

/// The memory limit of a container, in MiB: the heap, and the overhead that Spark gives to pods that run Python (40 %), but
/// not more than the machine has.
fn memory_limit(heap: Option<&Heap>, machine: Option<u64>) -> Option<u64> {
    let heap = heap.map_or(Some(1024), |heap| mebibytes(&heap.size))?;
    let limit = heap + (heap * 2 / 5).max(LEAST_OVERHEAD);
    Some(machine.map_or(limit, |bytes| limit.min(bytes >> 20)))
}

/// Variables of a container: lines of an env file, which keeps them out of the list of processes, and those whose values
/// have line breaks.
fn env_in_container(job: &LocalJob, conf_dirs: Vec<(String, String)>) -> (String, Vec<(String, String)>) {
    let given = |name: &str| job.env.iter().any(|(other, _)| other == name);
    let is_dir = |name: &str| conf_dirs.iter().any(|(dir, _)| dir == name);
    let mut env: Vec<_> = job.env.iter().filter(|(name, _)| !is_dir(name)).cloned().collect();
    env.extend(conf_dirs);
    if !given("SPARK_LOCAL_IP") {
        env.push(("SPARK_LOCAL_IP".into(), "127.0.0.1".into()));
    }
    // Spark 3.0 passes the major version of Python to the entry point of its images.
    let line = job.spark_version.as_deref().and_then(SparkVersion::parse).map(|version| version.line);
    let has_python_2 = line.is_some_and(|line| line >= Version::OLDEST && !line.has(Change::OnlyPython3));
    if job.language == Language::Python && has_python_2 && job.interpreter().is_none() {
        let major = job.conf.iter().rev().find(|(key, _)| key == "spark.kubernetes.pyspark.pythonVersion");
        env.push(("PYSPARK_PYTHON".into(), format!("python{}", major.map_or("3", |(_, major)| major))));
    }
    let (lines, others): (Vec<_>, Vec<_>) = env.into_iter().partition(|(_, value)| !value.contains(['\n', '\r']));
    (lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect(), others)
}

/// The job's settings on one machine.
fn settings(job: &LocalJob, memory: Option<u64>, draws: bool) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> =
        job.conf.iter().filter(|(key, _)| !catalog::is_cluster_only(key)).cloned().collect();
    if draws {
        // Spark's progress bar of the stages, on stderr.
        settings.entry("spark.ui.showConsoleProgress".into()).or_insert_with(|| "true".into());
    }
    if let Some(heap) = heap(job, memory) {
        settings.insert("spark.driver.memory".into(), heap.size);
    }
    let lists = [
        ("spark.jars", &job.jars),
        ("spark.submit.pyFiles", &job.py_files),
        ("spark.files", &job.files),
        ("spark.archives", &job.archives),
        ("spark.jars.packages", &job.packages),
        ("spark.jars.excludes", &job.exclude_packages),
        ("spark.jars.repositories", &job.repositories),
    ];
    for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        settings.insert(key.into(), list.join(","));
    }
    settings
}

/// The heap of the only process of a local run.
struct Heap {
    size: String,
    /// The message for the user if it is smaller than the job asks for.
    note: Option<String>,
}

/// The heap of the process that is driver and executor: the larger of their memories, but at most three quarters of the
/// machine's.
fn heap(job: &LocalJob, memory: Option<u64>) -> Option<Heap> {
    let of_conf = |key: &str| job.conf.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value);
    let driver = job.driver_memory.as_ref().or_else(|| of_conf("spark.driver.memory"));
    let executor = job.executor_memory.as_ref().or_else(|| of_conf("spark.executor.memory"));
    let largest = driver.into_iter().chain(executor).max_by_key(|text| mebibytes(text))?;
    let most = memory.map(|bytes| bytes / 4 * 3 / (1 << 20));
    match (mebibytes(largest), most) {
        (Some(asked), Some(most)) if asked > most => {
            let note = format!("{largest} of memory is more than this machine can spare: using {most}m");
            Some(Heap { size: format!("{most}m"), note: Some(note) })
        }
        _ => Some(Heap { size: largest.clone(), note: None }),
    }
}

/// Replaces the files that settings name by their paths for spark-submit.
fn with_located_files(
    mut settings: BTreeMap<String, String>,
    mut locate: impl FnMut(&str) -> Result<String>,
) -> Result<BTreeMap<String, String>> {
    for key in catalog::file_lists().map(|row| row.key) {
        if let Some(list) = settings.get_mut(key) {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            *list = names.map(&mut locate).collect::<Result<Vec<_>>>()?.join(",");
        }
    }
    Ok(settings)
}

/// The user's `spark-defaults.conf`, which Spark does not read if there is a `--properties-file`. The job's settings are
/// written after it, because the last value of a key counts. A configuration directory of the job replaces the user's, as
/// in a cluster.
fn defaults(job: &LocalJob, folder: Option<&Path>) -> String {
    let folder = folder.filter(|_| job.spark_conf.is_empty());
    let text = folder.and_then(|folder| fs::read_to_string(folder.join("spark-defaults.conf")).ok());
    text.filter(|text| !text.is_empty()).map(|text| text + "\n").unwrap_or_default()
}

/// The properties file: the user's defaults, then the job's settings.
fn properties_text(defaults: &str, settings: BTreeMap<String, String>) -> String {
    format!("{defaults}{}", properties::file(&Conf::from_iter(settings), "the job's settings"))
}

fn env(job: &LocalJob, runtime: &Runtime) -> Vec<(String, Option<OsString>)> {
    let of_image = |name: &str| IMAGE_VARIABLES.contains(&name);
    let of_job = job.env.iter().filter(|(name, _)| !of_image(name));
    let mut env: Vec<(String, Option<OsString>)> =
        of_job.map(|(name, value)| (name.clone(), Some(value.into()))).collect();
    env.push(("SPARK_HOME".into(), Some(runtime.spark.home.clone().into())));
    env.push(("JAVA_HOME".into(), Some(runtime.java.home.clone().into())));
    let python = runtime.python.as_ref().map(|python| OsString::from(&python.program));
    if python.is_some() {
        env.push(("PYSPARK_PYTHON".into(), python.clone()));
        env.push(("PYSPARK_DRIVER_PYTHON".into(), python));
    }
    // Notebooks leave these behind, and spark-submit would apply them to the job.
    env.push(("PYSPARK_SUBMIT_ARGS".into(), None));
    env.push(("MASTER".into(), None));
    // Spark's servers should not listen on the network, nor depend on a resolvable host name.
    if std::env::var_os("SPARK_LOCAL_IP").is_none() && !env.iter().any(|(name, _)| name == "SPARK_LOCAL_IP") {
        env.push(("SPARK_LOCAL_IP".into(), Some("127.0.0.1".into())));
    }
    env
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::super::machine::{Java, Python, Spark};
    use super::super::versions::{PythonVersion, SparkVersion};
    use super::*;

    fn job(conf: &[(&str, &str)]) -> LocalJob {
        let conf = conf.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let language = Language::Python;
        LocalJob { name: "pi".into(), language, main_file: "pi.py".into(), conf, ..LocalJob::default() }
    }

    #[test]
    fn omits_settings_of_a_cluster() {
        let job = job(&[
            ("spark.kubernetes.namespace", "x"),
            ("spark.master", "k8s://x"),
            ("spark.executor.instances", "2"),
            ("spark.dynamicAllocation.enabled", "true"),
            ("spark.driver.host", "x"),
            ("spark.sql.shuffle.partitions", "7"),
            ("spark.masterful", "kept"),
        ]);
        let kept = settings(&job, None, false);
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["spark.masterful", "spark.sql.shuffle.partitions"]);
    }

    #[test]
    fn limits_memory_to_the_machine() {
        let memory = |driver: &str, executor: &str, machine| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let job = LocalJob { driver_memory: some(driver), executor_memory: some(executor), ..job(&[]) };
            heap(&job, machine).map(|heap| (heap.size, heap.note.is_some()))
        };
        let heap_of = |size: &str, less| Some((size.to_owned(), less));
        assert_eq!(memory("512m", "", Some(8 << 30)), heap_of("512m", false));
        assert_eq!(memory("512m", "2g", Some(8 << 30)), heap_of("2g", false));
        assert_eq!(memory("512m", "64g", Some(8 << 30)), heap_of("6144m", true));
        assert_eq!(memory("512m", "64g", None), heap_of("64g", false));
        assert_eq!(memory("", "", Some(8 << 30)), None);
        let of_conf = settings(&job(&[("spark.driver.memory", "3g"), ("spark.executor.memory", "4g")]), None, false);
        assert_eq!(of_conf["spark.driver.memory"], "4g");
    }

    #[test]
    fn limits_a_container_to_the_heap_and_its_overhead() {
        let heap = |size: &str| Heap { size: size.into(), note: None };
        assert_eq!(memory_limit(Some(&heap("512m")), None), Some(896));
        assert_eq!(memory_limit(Some(&heap("10g")), None), Some(14336));
        assert_eq!(memory_limit(Some(&heap("6g")), Some(8 << 30)), Some(8192));
        assert_eq!(memory_limit(None, Some(64 << 30)), Some(1433));
    }

    #[test]
    fn writes_variables_of_a_container_to_a_file() {
        let env = [("A", "x=y z"), ("B", "two\nlines"), ("SPARK_LOCAL_IP", "10.0.0.1")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let (lines, others) = env_in_container(&LocalJob { env, ..job(&[]) }, Vec::new());
        assert_eq!(lines, "A=x=y z\nSPARK_LOCAL_IP=10.0.0.1\n");
        assert_eq!(others, [("B".to_owned(), "two\nlines".to_owned())]);
        let old =
            LocalJob { spark_version: Some("3.0.0".into()), ..job(&[("spark.kubernetes.pyspark.pythonVersion", "2")]) };
        assert_eq!(env_in_container(&old, Vec::new()).0, "SPARK_LOCAL_IP=127.0.0.1\nPYSPARK_PYTHON=python2\n");
    }

    #[test]
    fn passes_no_setting_on_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_path_buf();
        fs::write(home.join("pi.py"), "").unwrap();
        fs::write(home.join("lib.zip"), "").unwrap();
        fs::create_dir(home.join("conf")).unwrap();
        fs::write(home.join("conf/spark-defaults.conf"), "spark.ui.enabled false").unwrap();
        let runtime = Runtime {
            spark: Spark { home: home.clone(), version: SparkVersion::parse("3.5.7").unwrap() },
            java: Java { home: "/java".into(), version: 17 },
            python: Some(Python { program: "/bin/python3".into(), version: PythonVersion(3, 11), pyspark: None }),
            r: None,
        };
        let environment = Environment {
            directory: home.clone(),
            spark_conf_dir: None,
            ..Environment::of_this_process(false).unwrap()
        };
        let job = LocalJob {
            arguments: vec!["10".into()],
            py_files: vec!["lib.zip".into()],
            env: vec![("MODE".into(), "test".into()), ("JAVA_HOME".into(), "/image/java".into())],
            cores: Some(2),
            main_class: Some("ignored.For.Python".into()),
            ..job(&[("spark.password", "hunter2"), ("spark.pyspark.python", "/image/python3")])
        };
        let say: Say = Arc::new(|_| {});
        let submission = Submission::of(&job, &runtime, &environment, &say).unwrap();
        assert_eq!(submission.program, home.join("bin/spark-submit"));
        let arguments: Vec<String> =
            submission.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments[..5], ["--master", "local[2]", "--name", "pi", "--properties-file"]);
        assert_eq!(arguments[6..], [home.join("pi.py").display().to_string(), "10".into()]);
        let properties = Path::new(&arguments[5]);
        assert_eq!(fs::metadata(properties).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_to_string(properties).unwrap(),
            format!(
                "spark.ui.enabled false\n#the job's settings\nspark.password=hunter2\nspark.submit.pyFiles={}\n",
                home.join("lib.zip").display()
            )
        );
        let variable = |name: &str| {
            let mut named = submission.env.iter().filter(|(key, _)| key == name);
            (named.next().map(|(_, value)| value.clone()), named.next().is_none())
        };
        assert_eq!(variable("MODE"), (Some(Some("test".into())), true));
        assert_eq!(variable("JAVA_HOME"), (Some(Some("/java".into())), true));
        assert_eq!(variable("PYSPARK_PYTHON"), (Some(Some("/bin/python3".into())), true));
        let properties = properties.to_owned();
        drop(submission);
        assert!(!properties.exists());
    }
}
