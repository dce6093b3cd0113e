//! Runs a job in a container of its image, with podman or docker.
//!
//! The container has what the driver pod would have, as far as one machine can provide it: the image, the submitter's
//! files below the same mount, and the variables. It runs as the user of this process, who can read those files, in group
//! 0, to which Spark's images give write access. `Identity` has the options for that, which differ between engines.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Gid, Uid, getgid, getuid};
use uuid::Uuid;

use super::job::RunIn;
use super::machine::Environment;
use super::progress::Progress;

/// A container engine that works.
pub struct Engine {
    program: PathBuf,
    name: &'static str,
    version: String,
    identity: Identity,
}

/// `podman 4.3.1`.
impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The user that a container runs as.
#[derive(Debug, Default, PartialEq)]
struct Identity {
    options: Vec<String>,
    /// The user id, if the image may have no name for it.
    unnamed: Option<u32>,
}

/// A container, which is killed and removed on drop.
#[derive(Debug)]
pub struct Container {
    program: PathBuf,
    id: String,
}

/// What to create a container from.
pub struct ContainerSpec<'a> {
    pub image: &'a str,
    /// Files of this machine, with their paths in the container.
    pub mounts: &'a [(PathBuf, String)],
    pub env: &'a [(String, String)],
    /// A file with lines `NAME=value`, which only the engine reads.
    pub env_file: &'a Path,
    pub memory_mebibytes: Option<u64>,
    pub cores: Option<u32>,
    pub arguments: &'a [String],
}

/// Starts the image's `spark-submit`, without the entry point of Spark's images, which writes to the output.
const START: &str = r#"
[ -w "$HOME" ] || export HOME=/tmp
exec "${SPARK_HOME:-/opt/spark}/bin/spark-submit" "$@"
"#;

/// How often to check whether a command of the engine has ended: a multiple of what the check costs.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl Engine {
    /// Finds the wanted engine, or the first one on `PATH`; `None` if it is not installed.
    ///
    /// # Errors
    /// It does not work: docker's client may be installed without its server.
    pub fn find(environment: &Environment, wanted: Option<RunIn>, progress: &Progress) -> Result<Option<Self>> {
        let names: &[&'static str] = match wanted {
            Some(RunIn::Podman) => &["podman"],
            Some(RunIn::Docker) => &["docker"],
            _ => &["podman", "docker"],
        };
        let found = names.iter().find_map(|name| Some((*name, environment.on_path(name)?)));
        let Some((name, program)) = found else { return Ok(None) };
        let mut engine = Self { program, name, version: String::new(), identity: Identity::default() };
        engine.version = engine.run(&["version", "--format", "{{.Client.Version}}"], progress)?.trim().to_owned();
        let is_podman = name == "podman" || engine.run(&["--version"], progress)?.starts_with("podman");
        let security = match is_podman {
            true => String::new(),
            false => engine.run(&["info", "--format", "{{json .SecurityOptions}}"], progress)?,
        };
        engine.identity = Identity::of(is_podman, &security, getuid(), getgid());
        Ok(Some(engine))
    }

    /// The engine's name of an image, which is pulled if necessary.
    ///
    /// # Errors
    /// The image cannot be pulled.
    pub fn image(&self, image: &str, pull: Option<&str>, progress: &Progress) -> Result<String> {
        let full = full_name(image);
        if pull != Some("Always") {
            // An image that was built on this machine has a short name.
            let existing =
                [image, &full].into_iter().find(|name| self.run(&["image", "inspect", name], progress).is_ok());
            if let Some(existing) = existing {
                return Ok(existing.to_owned());
            }
        }
        ensure!(pull != Some("Never"), "{} has no image {image}, and imagePullPolicy is Never", self.name);
        progress.stop.check()?;
        progress.say(&format!("{} is pulling image {full}", self.name));
        self.run(&["pull", "--quiet", &full], progress)?;
        Ok(full)
    }

    /// Creates a container, without starting it.
    ///
    /// # Errors
    /// The engine fails.
    pub fn create(&self, spec: &ContainerSpec<'_>, progress: &Progress) -> Result<Container> {
        // Named before it is created, so that it is removed if the creation is interrupted.
        let container =
            Container { program: self.program.clone(), id: format!("sparkctl-{}", Uuid::now_v7().simple()) };
        let arguments = self.arguments(&container.id, spec)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments, progress)?;
        if let Some(user) = self.identity.unnamed {
            self.add_user(user, &container.id, progress)
                .with_context(|| format!("adding user {user} to the container"))?;
        }
        Ok(container)
    }

    /// Adds the user to `/etc/passwd`: Hadoop needs a name, and not every image lets its user add one.
    fn add_user(&self, user: u32, id: &str, progress: &Progress) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (here, there) = (folder.path().join("passwd"), format!("{id}:/etc/passwd"));
        let path = here.display().to_string();
        self.run(&["cp", &there, &path], progress)?;
        let users = fs::read_to_string(&here)?;
        let number = user.to_string();
        if users.lines().any(|line| line.split(':').nth(2) == Some(&number)) {
            return Ok(());
        }
        fs::write(&here, format!("{}\n{user}:x:{user}:0:spark:/tmp:/bin/false\n", users.trim_end()))?;
        self.run(&["cp", &path, &there], progress).map(drop)
    }

    fn arguments(&self, id: &str, spec: &ContainerSpec<'_>) -> Result<Vec<String>> {
        let mut arguments: Vec<String> = ["create", "--name", id, "--network", "host", "--entrypoint", "/bin/sh"]
            .into_iter()
            .chain(["--security-opt", "label=disable"])
            .map(str::to_owned)
            .chain(self.identity.options.iter().cloned())
            .collect();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if let Some(memory) = spec.memory_mebibytes {
            option("--memory", format!("{memory}m"));
        }
        if let Some(cores) = spec.cores {
            option("--cpus", cores.to_string());
        }
        option("--env-file", spec.env_file.display().to_string());
        for (name, value) in spec.env {
            option("--env", format!("{name}={value}"));
        }
        for (source, target) in spec.mounts {
            let source = source.display().to_string();
            ensure!(
                !source.contains([',', '"']),
                "{source}: {} cannot mount a path with a comma or a quote",
                self.name
            );
            option("--mount", format!("type=bind,source={source},target={target},readonly"));
        }
        arguments.extend([spec.image.to_owned(), "-c".into(), START.into(), "spark-submit".into()]);
        arguments.extend(spec.arguments.iter().cloned());
        Ok(arguments)
    }

    /// Runs a command of the engine, and returns its output.
    fn run(&self, arguments: &[&str], progress: &Progress) -> Result<String> {
        run(&self.program, arguments, || progress.stop.check())
            .with_context(|| format!("{} {}", self.name, arguments[0]))
    }
}

impl Container {
    /// The engine's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The arguments of the command that runs the container and prints its output.
    pub fn start(&self) -> [&str; 3] {
        ["start", "--attach", &self.id]
    }

    /// Checks that an exit code is the container's, and not the engine's own (docker's 1, podman's 125 to 127).
    ///
    /// # Errors
    /// The container was never started.
    pub fn refuse_unstarted(&self, code: u8) -> Result<()> {
        let format = "{{.State.Status}}";
        let status = run(&self.program, &["inspect", "--format", format, &self.id], || Ok(()));
        let status = status.unwrap_or_default();
        match status.trim() {
            "created" | "configured" | "initialized" => {
                bail!("{} could not start the container (code {code}): see above", self.program.display())
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // podman's `rm --force` would wait for the container to exit, for which there was time before.
        for arguments in [&["kill", self.id.as_str()][..], &["rm", "--force", &self.id]] {
            let _ = run(&self.program, arguments, || Ok(()));
        }
    }
}

impl Identity {
    /// The identity of a user of this machine.
    ///
    /// Rootless podman maps user ids unless `keep-id` is set, which also gives the user a name. In rootless docker the
    /// user is root. Docker with `userns-remap` maps user ids unless `host` is set. `security` is docker's own description.
    fn of(is_podman: bool, security: &str, user: Uid, group: Gid) -> Self {
        let is_root = user.is_root() || security.contains("name=rootless");
        let user = if is_root { 0 } else { user.as_raw() };
        let mapping = match is_podman {
            true => (!is_root).then_some("keep-id"),
            false => security.contains("name=userns").then_some("host"),
        };
        let user_option = ["--user".to_owned(), format!("{user}:0")];
        let group = Some(group.as_raw()).filter(|group| !is_root && *group != 0);
        let options = user_option
            .into_iter()
            .chain(group.into_iter().flat_map(|group| ["--group-add".to_owned(), group.to_string()]))
            .chain(mapping.into_iter().flat_map(|mapping| ["--userns".to_owned(), mapping.to_owned()]));
        Self { options: options.collect(), unnamed: Some(user).filter(|_| !is_root && !is_podman) }
    }
}

/// Runs a program, and returns its output. `check_stop` ends it early.
fn run(program: &Path, arguments: &[&str], check_stop: impl Fn() -> Result<()>) -> Result<String> {
    let file = || tempfile::tempfile().context("creating a temporary file");
    let (mut stdout, mut stderr) = (file()?, file()?);
    let clone = |file: &File| file.try_clone().context("opening a temporary file");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(clone(&stdout)?).stderr(clone(&stderr)?);
    let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
    let status = loop {
        if let Some(status) = child.try_wait().context("waiting for the engine")? {
            break status;
        }
        if let Err(stopped) = check_stop() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(stopped);
        }
        std::thread::sleep(POLL_INTERVAL);
    };
    match status.success() {
        true => content(&mut stdout),
        false => bail!("{}", content(&mut stderr)?.trim()),
    }
}

fn content(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).context("reading a temporary file")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The full name of an image, with the registry that Kubernetes adds if there is none.
fn full_name(image: &str) -> String {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_image_names_as_kubernetes_does() {
        let names = ["spark:4.1.4", "apache/spark", "gcr.io/a/b:1", "localhost:5000/x", "localhost/x"].map(full_name);
        assert_eq!(
            names,
            [
                "docker.io/library/spark:4.1.4",
                "docker.io/apache/spark",
                "gcr.io/a/b:1",
                "localhost:5000/x",
                "localhost/x"
            ]
        );
    }

    #[test]
    fn runs_as_the_user_of_this_process_in_every_engine() {
        let options = |is_podman, security, user| {
            let identity = Identity::of(is_podman, security, Uid::from_raw(user), Gid::from_raw(user));
            (identity.options.join(" "), identity.unnamed)
        };
        let of_user = "--user 1000:0 --group-add 1000";
        let plain = r#"["name=seccomp,profile=default"]"#;
        assert_eq!(options(true, "", 0), ("--user 0:0".into(), None));
        assert_eq!(options(true, "", 1000), (format!("{of_user} --userns keep-id"), None));
        assert_eq!(options(false, plain, 0), ("--user 0:0".into(), None));
        assert_eq!(options(false, plain, 1000), (of_user.into(), Some(1000)));
        assert_eq!(options(false, r#"["name=rootless"]"#, 1000), ("--user 0:0".into(), None));
        assert_eq!(options(false, r#"["name=userns"]"#, 1000), (format!("{of_user} --userns host"), Some(1000)));
    }

    #[test]
    fn refuses_paths_that_the_engine_would_misread() {
        let engine =
            Engine { program: "podman".into(), name: "podman", version: "5".into(), identity: Identity::default() };
        let mounts = [(PathBuf::from("/data/a,b.csv"), "/mnt/a".to_owned())];
        let spec = ContainerSpec {
            image: "spark",
            mounts: &mounts,
            env: &[],
            env_file: Path::new("/env"),
            memory_mebibytes: None,
            cores: Some(2),
            arguments: &[],
        };
        let message = engine.arguments("id", &spec).unwrap_err().to_string();
        assert_eq!(message, "/data/a,b.csv: podman cannot mount a path with a comma or a quote");
        let arguments = engine.arguments("id", &ContainerSpec { mounts: &[], ..spec }).unwrap();
        assert!(arguments.windows(2).any(|pair| pair == ["--cpus", "2"]), "{arguments:?}");
    }
}
