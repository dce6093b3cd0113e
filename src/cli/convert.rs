use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::output;
use crate::exit_code::ExitCode;
use crate::job::from_spark_submit::{POD_GROUP_TEMPLATE, SubmitEnvironment, convert};
use crate::job::yaml;
use crate::spark::command_line::assignments;
use crate::spark::{CommandLine, Conf, Version, catalog, properties};
use crate::terminal::{messages, stdout};

/// Turn a command line of spark-submit into a job file
///
/// The command line is one for a cluster, `--master k8s://… --deploy-mode cluster`. It is read as spark-submit reads it:
/// with its properties file or spark-defaults.conf, and with the environment. The job file goes to stdout, and what
/// cannot be carried over is named on stderr. The command `render -`, behind a pipe, prints what that command line would create.
#[derive(clap::Args, Clone, Debug)]
pub struct Convert {
    /// Version of Spark in the image [default: as the image's tag says, or $SPARK_HOME]
    #[arg(long, value_name = "VERSION")]
    spark_version: Option<String>,
    /// The command line, with or without `spark-submit` itself
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Spark's configuration on this machine.
struct Installation {
    home: Option<PathBuf>,
    /// Directory with the configuration, if there is one.
    conf_dir: Option<PathBuf>,
    /// The environment, with what `spark-env.sh` sets in it.
    environment: BTreeMap<String, String>,
    /// The user that `spark-env.sh` sets.
    user: Option<String>,
}

impl Convert {
    pub fn run(self) -> Result<ExitCode> {
        let mut words = self.command.iter().cloned().peekable();
        let program = words.next_if(|word| !word.starts_with('-') && file_name(word).starts_with("spark-submit"));
        let line = CommandLine::parse(words).map_err(|message| anyhow!("reading the command line: {message}"))?;
        let installation = Installation::find(program.as_deref())?;
        let (mut settings, foreign) = line.settings(installation.files(&line)?, &installation.environment);
        expand(&mut settings)?;
        for key in foreign {
            messages::warn(&format!("{key}: it is not a setting of Spark, which ignores it"));
        }
        let version = self.version(&settings, &installation);
        let around = SubmitEnvironment {
            spark_version: version.clone().unwrap_or_else(|| Version::ASSUMED.to_string()),
            spark_conf_dir: installation
                .conf_dir
                .as_deref()
                .filter(|directory| directory.is_dir())
                .map(absolute)
                .transpose()?,
            hadoop_conf_dir: match installation.variable("HADOOP_CONF_DIR") {
                Some(directory) => Some(absolute(Path::new(directory))?),
                None => None,
            },
            user: installation.user.clone(),
            pod_group: settings.given(POD_GROUP_TEMPLATE).map(pod_group).transpose()?,
            environment: installation.environment,
        };
        let converted = convert(&line, settings, &around).map_err(|message| anyhow!("converting: {message}"))?;
        if version.is_none() {
            messages::warn(&format!(
                "neither the image's tag nor SPARK_HOME says the version of Spark: taken to be {}; --spark-version says it",
                Version::ASSUMED
            ));
        }
        converted.notes.iter().for_each(|note| messages::warn(note));
        stdout::write(&mut std::io::stdout().lock(), &output::yaml(&converted.document)?)?;
        Ok(ExitCode::Succeeded)
    }

    /// The version of Spark, if anything says it.
    fn version(&self, settings: &Conf, installation: &Installation) -> Option<String> {
        let image = settings
            .given("spark.kubernetes.container.image")
            .or(settings.given("spark.kubernetes.driver.container.image"));
        let tag = image.and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag);
        let tag =
            tag.filter(|tag| Version::parse(tag).is_some()).map(|tag| tag.trim_start_matches(['v', 'V']).to_owned());
        self.spark_version.clone().or(tag).or_else(|| installation.version())
    }
}

impl Installation {
    /// Source: `find-spark-home` and `load-spark-env.sh` of Spark.
    fn find(program: Option<&str>) -> Result<Self> {
        let mut environment: BTreeMap<String, String> =
            std::env::vars().filter(|(_, value)| !value.is_empty()).collect();
        let beside = program.map(Path::new).and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
        let home =
            environment.get("SPARK_HOME").map(PathBuf::from).or(beside.filter(|home| home.join("jars").is_dir()));
        let conf_dir = environment
            .get("SPARK_CONF_DIR")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join("conf")));
        let mut user = None;
        if let Some(script) =
            conf_dir.as_ref().map(|directory| directory.join("spark-env.sh")).filter(|path| path.is_file())
        {
            let text = std::fs::read_to_string(&script).with_context(|| format!("reading {}", script.display()))?;
            let (variables, others) = assignments(&text, &environment);
            user = variables.iter().rfind(|(name, _)| name == "SPARK_USER").map(|(_, user)| user.clone());
            environment.extend(variables);
            for line in others {
                messages::warn(&format!("{}: `{line}` is not run", script.display()));
            }
        }
        Ok(Self { home, conf_dir, environment, user })
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The settings of the files that count, the weaker first.
    fn files(&self, line: &CommandLine) -> Result<Vec<(String, String)>> {
        let defaults = self.conf_dir.as_ref().map(|directory| directory.join("spark-defaults.conf"));
        let defaults = defaults.filter(|path| path.is_file() && (line.properties_file.is_none() || line.load_defaults));
        let mut settings = Vec::new();
        for path in defaults.into_iter().chain(line.properties_file.as_ref().map(PathBuf::from)) {
            let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            settings.extend(properties::parse(&String::from_utf8_lossy(&bytes)));
        }
        Ok(settings)
    }

    /// The version, as its own jar is called.
    fn version(&self) -> Option<String> {
        let jars = std::fs::read_dir(self.home.as_ref()?.join("jars")).ok()?;
        jars.flatten().find_map(|jar| {
            let name = jar.file_name().into_string().ok()?;
            let version = name.strip_prefix("spark-core_")?.strip_suffix(".jar")?.split_once('-')?.1.to_owned();
            Version::parse(&version).map(|_| version)
        })
    }
}

/// Puts the files of this machine in the place of the patterns that they match.
///
/// Source: `DependencyUtils.resolveGlobPaths` of Spark.
fn expand(settings: &mut Conf) -> Result<()> {
    for key in catalog::file_lists().map(|row| row.key) {
        let Some(list) = settings.given(key).filter(|list| list.contains(['*', '?', '['])) else { continue };
        let mut paths = Vec::new();
        for part in list.split(',') {
            let pattern = part.strip_prefix("file://").or(part.strip_prefix("file:")).unwrap_or(part);
            let matches = match pattern.contains("://") || !pattern.contains(['*', '?', '[']) {
                true => Vec::new(),
                false => glob::glob(pattern).with_context(|| format!("{key}: looking for {part}"))?.flatten().collect(),
            };
            match matches.is_empty() {
                true => paths.push(part.to_owned()),
                false => paths.extend(matches.iter().map(|path| path.display().to_string())),
            }
        }
        let list = paths.join(",");
        settings.set(key, list);
    }
    Ok(())
}

/// The PodGroup of a file.
fn pod_group(path: &str) -> Result<yaml::Node> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let documents =
        yaml::documents(&text, &mut Vec::new()).map_err(|problem| anyhow!("reading {path}: {}", problem.message))?;
    documents.into_iter().next().with_context(|| format!("reading {path}: there is nothing in it"))
}

fn absolute(path: &Path) -> Result<String> {
    let path = std::path::absolute(path).with_context(|| format!("looking for {}", path.display()))?;
    Ok(path.display().to_string())
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
