//! A job in a container of its own image, by the container engine of this machine: podman or docker.
//!
//! The container sees what the driver's pod would, as far as one machine has it: the image, the files of the
//! submitter below the same mount, the variables. It runs as the user of this process, who may read
//! those files, in group 0, to whom the images of Spark give what they write to.
//!
//! Such a user is another outside of some containers, each engine in its own way: see `Identity`.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Gid, Uid, getgid, getuid};
use uuid::Uuid;

use super::machine::Environment;
use super::place::Place;
use super::progress::Progress;

/// A container engine that answers.
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

/// As whom a container runs.
#[derive(Debug, Default, PartialEq)]
struct Identity {
    options: Vec<String>,
    /// Whom the image may have no name for.
    unnamed: Option<u32>,
}

/// A container; it goes, running or not, when this does.
#[derive(Debug)]
pub struct Container {
    program: PathBuf,
    id: String,
}

/// What a container is made of.
pub struct Wish<'a> {
    pub image: &'a str,
    /// Files of this machine, and where the container has them.
    pub mounts: &'a [(PathBuf, String)],
    pub env: &'a [(String, String)],
    /// Lines `NAME=value`, for the engine alone to read.
    pub env_file: &'a Path,
    pub memory_mebibytes: Option<u64>,
    pub cores: Option<u32>,
    pub arguments: &'a [String],
}

/// Starts `spark-submit` of the image. The entry point of Spark's images would write into the output.
const START: &str = r#"
[ -w "$HOME" ] || export HOME=/tmp
exec "${SPARK_HOME:-/opt/spark}/bin/spark-submit" "$@"
"#;

/// How often a command of the engine is looked at.
const LOOK: Duration = Duration::from_millis(20);

impl Engine {
    /// The engine of a name, or the first that is on `PATH`; none, when there is none.
    ///
    /// # Errors
    /// It does not answer: the client of docker may be there without its server.
    pub fn of(environment: &Environment, wanted: Option<Place>, progress: &Progress) -> Result<Option<Self>> {
        let names: &[&'static str] = match wanted {
            Some(Place::Podman) => &["podman"],
            Some(Place::Docker) => &["docker"],
            _ => &["podman", "docker"],
        };
        let found = names.iter().find_map(|name| Some((*name, environment.on_path(name)?)));
        let Some((name, program)) = found else { return Ok(None) };
        let mut engine = Self { program, name, version: String::new(), identity: Identity::default() };
        engine.version = engine.ask(&["version", "--format", "{{.Client.Version}}"], progress)?.trim().to_owned();
        let is_podman = name == "podman" || engine.ask(&["--version"], progress)?.starts_with("podman");
        let security = match is_podman {
            true => String::new(),
            false => engine.ask(&["info", "--format", "{{json .SecurityOptions}}"], progress)?,
        };
        engine.identity = Identity::of(is_podman, &security, getuid(), getgid());
        Ok(Some(engine))
    }

    /// The name by which the engine has an image, fetched if it must be.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn image(&self, image: &str, pull: Option<&str>, progress: &Progress) -> Result<String> {
        let whole = whole_name(image);
        if pull != Some("Always") {
            // One that was built here goes by its short name.
            let have = [image, &whole].into_iter().find(|name| self.ask(&["image", "inspect", name], progress).is_ok());
            if let Some(have) = have {
                return Ok(have.to_owned());
            }
        }
        ensure!(pull != Some("Never"), "{} has no image {image}, and imagePullPolicy is Never", self.name);
        progress.stop.check()?;
        progress.say(&format!("{} fetches image {whole}", self.name));
        self.ask(&["pull", "--quiet", &whole], progress)?;
        Ok(whole)
    }

    /// A container that waits to be started.
    ///
    /// # Errors
    /// The engine refuses it.
    pub fn create(&self, wish: &Wish<'_>, progress: &Progress) -> Result<Container> {
        // Known before it is made, so that it is removed whatever happens meanwhile.
        let container =
            Container { program: self.program.clone(), id: format!("sparkctl-{}", Uuid::now_v7().simple()) };
        let arguments = self.arguments(&container.id, wish)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.ask(&arguments, progress)?;
        if let Some(user) = self.identity.unnamed {
            self.name(user, &container.id, progress)
                .with_context(|| format!("giving user {user} a name in the image"))?;
        }
        Ok(container)
    }

    /// Makes up a name, without which Hadoop runs for nobody. Not every image lets its user do that.
    fn name(&self, user: u32, id: &str, progress: &Progress) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (here, there) = (folder.path().join("passwd"), format!("{id}:/etc/passwd"));
        let path = here.display().to_string();
        self.ask(&["cp", &there, &path], progress)?;
        let users = fs::read_to_string(&here)?;
        let number = user.to_string();
        if users.lines().any(|line| line.split(':').nth(2) == Some(&number)) {
            return Ok(());
        }
        fs::write(&here, format!("{}\n{user}:x:{user}:0:spark:/tmp:/bin/false\n", users.trim_end()))?;
        self.ask(&["cp", &path, &there], progress).map(drop)
    }

    fn arguments(&self, id: &str, wish: &Wish<'_>) -> Result<Vec<String>> {
        let mut arguments: Vec<String> = ["create", "--name", id, "--network", "host", "--entrypoint", "/bin/sh"]
            .into_iter()
            .chain(["--security-opt", "label=disable"])
            .map(str::to_owned)
            .chain(self.identity.options.iter().cloned())
            .collect();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if let Some(memory) = wish.memory_mebibytes {
            option("--memory", format!("{memory}m"));
        }
        if let Some(cores) = wish.cores {
            option("--cpus", cores.to_string());
        }
        option("--env-file", wish.env_file.display().to_string());
        for (name, value) in wish.env {
            option("--env", format!("{name}={value}"));
        }
        for (source, target) in wish.mounts {
            let source = source.display().to_string();
            ensure!(!source.contains([',', '"']), "{source}: {} mounts no path with a comma or a quote", self.name);
            option("--mount", format!("type=bind,source={source},target={target},readonly"));
        }
        arguments.extend([wish.image.to_owned(), "-c".into(), START.into(), "spark-submit".into()]);
        arguments.extend(wish.arguments.iter().cloned());
        Ok(arguments)
    }

    fn ask(&self, arguments: &[&str], progress: &Progress) -> Result<String> {
        ask(&self.program, arguments, || progress.stop.check())
            .with_context(|| format!("{} {}", self.name, arguments[0]))
    }
}

impl Container {
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What the engine is asked, so that the container runs and its output comes.
    pub fn start(&self) -> [&str; 3] {
        ["start", "--attach", &self.id]
    }

    /// Refuses an exit code of the engine's own (1 of docker, 125 to 127 of podman): the container never ran.
    ///
    /// # Errors
    /// It did not run.
    pub fn refuse_unstarted(&self, code: u8) -> Result<()> {
        let format = "{{.State.Status}}";
        let status = ask(&self.program, &["inspect", "--format", format, &self.id], || Ok(()));
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
        // `rm --force` of podman waits for an orderly end; there was time for that.
        for arguments in [&["kill", self.id.as_str()][..], &["rm", "--force", &self.id]] {
            let _ = ask(&self.program, arguments, || Ok(()));
        }
    }
}

impl Identity {
    /// That of a user of this machine.
    ///
    /// Podman maps the users of a container if a user starts it, unless it is told to keep them, and names them.
    /// In a docker that a user runs, that user is 0. A docker that maps users (`userns-remap`) can be told to leave it.
    /// `security` is what docker says of itself.
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

/// What a command of the engine prints.
fn ask(program: &Path, arguments: &[&str], go_on: impl Fn() -> Result<()>) -> Result<String> {
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
        if let Err(stopped) = go_on() {
            let _ = child.kill();
            let _ = child.wait();
            return Err(stopped);
        }
        std::thread::sleep(LOOK);
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

/// An image's name with its registry, which Kubernetes adds where it is left out.
fn whole_name(image: &str) -> String {
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
    fn names_an_image_as_a_cluster_would() {
        let names = ["spark:4.1.4", "apache/spark", "gcr.io/a/b:1", "localhost:5000/x", "localhost/x"].map(whole_name);
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
    fn refuses_to_mount_what_the_engine_would_misread() {
        let engine =
            Engine { program: "podman".into(), name: "podman", version: "5".into(), identity: Identity::default() };
        let mounts = [(PathBuf::from("/data/a,b.csv"), "/mnt/a".to_owned())];
        let wish = Wish {
            image: "spark",
            mounts: &mounts,
            env: &[],
            env_file: Path::new("/env"),
            memory_mebibytes: None,
            cores: Some(2),
            arguments: &[],
        };
        let said = engine.arguments("id", &wish).unwrap_err().to_string();
        assert_eq!(said, "/data/a,b.csv: podman mounts no path with a comma or a quote");
        let arguments = engine.arguments("id", &Wish { mounts: &[], ..wish }).unwrap();
        assert!(arguments.windows(2).any(|pair| pair == ["--cpus", "2"]), "{arguments:?}");
    }
}
