//! The command line of `spark-submit`: what it says, and the settings that it amounts to.

use std::collections::BTreeMap;

use super::{Change, Conf, Version, catalog};
use crate::program::program;

/// A command line of `spark-submit`, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Settings given by flags of their own, which win over the same ones given by `--conf`.
    flags: BTreeMap<&'static str, String>,
    /// Settings given by `--conf`; the last of the same key counts.
    conf: BTreeMap<String, String>,
    pub main_class: Option<String>,
    pub proxy_user: Option<String>,
    pub properties_file: Option<String>,
    /// Whether `spark-defaults.conf` counts beside the properties file.
    pub load_defaults: bool,
    /// Jar or script.
    pub resource: Option<String>,
    pub arguments: Vec<String>,
    /// Flags that do nothing on Kubernetes.
    pub idle: Vec<String>,
}

const NAME: &str = "spark.app.name";

impl CommandLine {
    /// Reads what comes after `spark-submit`.
    ///
    /// Source: `SparkSubmitOptionParser` and `SparkSubmitArguments` of Spark. Its shell script
    /// takes carriage returns out of all arguments.
    ///
    /// # Errors
    /// What Spark would not take as a command line either, or is no submission.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut line = Self::default();
        let mut arguments = arguments.into_iter().map(|argument| argument.replace('\r', ""));
        while let Some(argument) = arguments.next() {
            if !argument.starts_with('-') {
                line.resource = Some(argument);
                line.arguments = arguments.collect();
                break;
            }
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") && !value.is_empty() => (flag, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            if value.is_none() && line.switch(flag)? {
                continue;
            }
            let value = |flag: &str| value.or_else(|| arguments.next()).ok_or(format!("{flag} needs a value"));
            line.option(flag, value)?;
        }
        Ok(line)
    }

    fn switch(&mut self, flag: &str) -> Result<bool, String> {
        match flag {
            "--load-spark-defaults" => self.load_defaults = true,
            "--supervise" => self.idle.push(flag.to_owned()),
            "--verbose" | "-v" => {}
            "--help" | "-h" | "--usage-error" | "--version" => {
                return Err(format!("{flag} asks spark-submit about itself: there is no application in it"));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn option(&mut self, flag: &str, value: impl FnOnce(&str) -> Result<String, String>) -> Result<(), String> {
        if let Some(key) = catalog::set_by_spark_submit(flag) {
            self.flags.insert(key, value(flag)?);
            return Ok(());
        }
        match flag {
            "--conf" | "-c" => {
                let setting = value(flag)?;
                let (key, value) =
                    setting.split_once('=').ok_or(format!("{flag} expects KEY=VALUE, found `{setting}`"))?;
                self.conf.insert(key.to_owned(), value.to_owned());
            }
            "--class" => self.main_class = Some(value(flag)?),
            "--proxy-user" => self.proxy_user = Some(value(flag)?),
            "--properties-file" => self.properties_file = Some(value(flag)?),
            "--queue" | "--total-executor-cores" => {
                value(flag)?;
                self.idle.push(flag.to_owned());
            }
            "--remote" => return Err("--remote speaks to a Spark Connect server: there is no application in it".into()),
            "--kill" => return Err(format!("--kill ends an application: `{} delete NAME` does that", program())),
            "--status" => {
                return Err(format!("--status asks for an application: `{} status NAME` does that", program()));
            }
            _ => {
                let known = catalog::spark_submit_flags().chain(OTHERS);
                let near = crate::diagnostic::nearest(flag, known);
                return Err(match near {
                    Some(near) => format!("`{flag}` is no flag of spark-submit; did you mean `{near}`?"),
                    None => format!("`{flag}` is no flag of spark-submit"),
                });
            }
        }
        Ok(())
    }

    /// Whether Spark of that version has the flags of this command line.
    ///
    /// # Errors
    /// It does not.
    pub fn check(&self, version: Version) -> Result<(), String> {
        match self.load_defaults && !version.has(Change::LoadSparkDefaults) {
            true => Err(format!("--load-spark-defaults is a flag of Spark 4.0 and later, and this is Spark {version}")),
            false => Ok(()),
        }
    }

    /// All settings: those of the command line, under them those of the properties file or of
    /// `spark-defaults.conf`, under them the environment's. Those that are not Spark's are left
    /// out, their keys second.
    ///
    /// Source: `SparkSubmitArguments` of Spark.
    pub fn settings(
        &self,
        files: impl IntoIterator<Item = (String, String)>,
        environment: &BTreeMap<String, String>,
    ) -> (Conf, Vec<String>) {
        let mut all = BTreeMap::new();
        all.extend(files);
        all.extend(self.conf.clone());
        let (mut settings, foreign): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(key, _)| key.starts_with("spark."));
        settings.extend(self.flags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        for (variable, key) in catalog::variables() {
            if let Some(value) = environment.get(variable) {
                settings.entry(key.to_owned()).or_insert_with(|| value.clone());
            }
        }
        if let Some(name) = self.main_class.as_deref().or(self.resource.as_deref().map(file_name)) {
            settings.entry(NAME.to_owned()).or_insert_with(|| name.to_owned());
        }
        (Conf::from_iter(settings), foreign.into_keys().collect())
    }
}

/// Flags that are no setting.
const OTHERS: [&str; 8] = [
    "--conf",
    "--class",
    "--proxy-user",
    "--properties-file",
    "--load-spark-defaults",
    "--queue",
    "--supervise",
    "--verbose",
];

/// The last part of a path or URI.
fn file_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// The variables that `spark-env.sh` sets by assignments that refer to nothing but other variables, and the lines of it
/// that are more than that: running a script to convert a command line would be a surprise.
pub fn assignments<'a>(
    script: &'a str,
    environment: &BTreeMap<String, String>,
) -> (Vec<(String, String)>, Vec<&'a str>) {
    let mut known = environment.clone();
    let (mut variables, mut others) = (Vec::new(), Vec::new());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let assignment = line.strip_prefix("export ").unwrap_or(line).trim().trim_end_matches(';');
        let pair = assignment.split_once('=').and_then(|(name, value)| Some((name, word(value, &known)?)));
        match pair {
            Some((name, value)) if is_name(name) => {
                known.insert(name.to_owned(), value.clone());
                variables.push((name.to_owned(), value));
            }
            _ => others.push(line),
        }
    }
    (variables, others)
}

/// A word of the shell, its variables put in, without its quotes. None if it is more than that.
fn word(word: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    if let Some(inner) = word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return (!inner.contains('\'')).then(|| inner.to_owned());
    }
    if let Some(inner) = word.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return (!inner.contains(['"', '`', '\\'])).then(|| expanded(inner, variables)).flatten();
    }
    let word = word.split_once(" #").map_or(word, |(word, _)| word).trim_end();
    let plain = !word.contains(|c: char| c.is_whitespace() || "`\\\"'&|;<>()*?~".contains(c));
    plain.then(|| expanded(word, variables)).flatten()
}

/// The text with `$NAME`, `${NAME}` and `${NAME:-default}` put in, where an unset variable is empty.
fn expanded(text: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('$') {
        whole += before;
        let (name, default, after) = match reference.strip_prefix('{') {
            Some(inner) => {
                let (inner, after) = inner.split_once('}')?;
                let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
                (name, default, after)
            }
            None => {
                let end = reference.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(reference.len());
                (&reference[..end], "", &reference[end..])
            }
        };
        if !is_name(name) || default.contains('$') {
            return None;
        }
        whole += variables.get(name).map(String::as_str).filter(|value| !value.is_empty()).unwrap_or(default);
        rest = after;
    }
    Some(whole + rest)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> CommandLine {
        CommandLine::parse(line.split(' ').map(str::to_owned)).unwrap()
    }

    fn refused(line: &str) -> String {
        CommandLine::parse(line.split(' ').map(str::to_owned)).unwrap_err()
    }

    fn settings(line: &str, files: &[(&str, &str)], environment: &[(&str, &str)]) -> Vec<String> {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect::<Vec<_>>()
        };
        let (conf, _) = parsed(line).settings(own(files), &own(environment).into_iter().collect());
        conf.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    #[test]
    fn stops_at_the_main_file() {
        let line = parsed("--class=a.B -c spark.x=1=2 -v app.jar --conf not=mine");
        assert_eq!(line.main_class.as_deref(), Some("a.B"));
        assert_eq!(line.resource.as_deref(), Some("app.jar"));
        assert_eq!(line.arguments, ["--conf", "not=mine"]);
        assert_eq!(line.conf["spark.x"], "1=2");
    }

    #[test]
    fn refuses_what_spark_refuses() {
        assert!(refused("--conf spark.foo a.jar").contains("KEY=VALUE"));
        assert!(refused("--driver-memry 1g a.jar").contains("did you mean `--driver-memory`"));
        assert!(refused("--name").contains("needs a value"));
        assert!(refused("--status ns:pod").contains("sparkctl status"));
        let line = parsed("--load-spark-defaults a.jar");
        assert!(line.check(Version(3, 5)).is_err() && line.check(Version(4, 0)).is_ok());
    }

    #[test]
    fn flags_win_over_conf_over_files_over_the_environment() {
        assert_eq!(
            settings(
                "--name flag --conf spark.app.name=conf --conf spark.b=conf x.py",
                &[("spark.b", "file"), ("spark.c", "file"), ("other", "x")],
                &[("SPARK_DRIVER_MEMORY", "3g")],
            ),
            ["spark.app.name=flag", "spark.b=conf", "spark.c=file", "spark.driver.memory=3g"]
        );
    }

    #[test]
    fn an_application_without_a_name_is_called_by_what_it_runs() {
        assert_eq!(settings("--class a.B x.jar", &[], &[]), ["spark.app.name=a.B"]);
        assert_eq!(settings("local:///opt/My_Main.py", &[], &[]), ["spark.app.name=My_Main.py"]);
    }

    #[test]
    fn reads_assignments_of_a_script() {
        let script = "# x\nexport A=1\nB='two $words'\nC=$(date)\nif true; then\nexport D=\"d\" \nE=e # note\n\
                      F=$A/${HOME}/conf\nG=\"${NONE:-some} $E\"\nH=${A%x}\nI=\"$(id)\"\nJ=$1\nK=$NONE\n";
        let environment = [("HOME".to_owned(), "/root".to_owned())].into();
        let (variables, others) = assignments(script, &environment);
        let names: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(names, ["A=1", "B=two $words", "D=d", "E=e", "F=1//root/conf", "G=some e", "K="]);
        assert_eq!(others, ["C=$(date)", "if true; then", "H=${A%x}", "I=\"$(id)\"", "J=$1"]);
    }
}
