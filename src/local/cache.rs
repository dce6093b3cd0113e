//! What was fetched once: whole releases of Spark and Java, each in a folder of its own.
//!
//! A release is made in a staging folder and renamed into place, so what has its final name is
//! whole, whatever was interrupted and however many processes were at it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::progress::Progress;

pub struct Cache {
    folder: PathBuf,
}

const STAGING: &str = "staging-";

/// What a killed process left behind of another release is removed when it is this old.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

impl Cache {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The releases of a kind (`spark`, `java`): their versions and folders.
    pub fn releases(&self, kind: &str) -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let release = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(kind)?.strip_prefix('-')?;
            entry.path().is_dir().then(|| (version.to_owned(), entry.path()))
        };
        entries.filter_map(release).collect()
    }

    /// The folder of a release, made by `make` if it is not there: `make` gets a staging folder for
    /// what it downloads and the folder to fill.
    ///
    /// # Errors
    /// When the cache cannot be written, or `make` fails.
    pub fn release(
        &self,
        kind: &str,
        version: &str,
        progress: &Progress,
        make: impl FnOnce(&Path, &Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = self.folder.join(format!("{kind}-{version}"));
        if place.is_dir() {
            return Ok(place);
        }
        fs::create_dir_all(&self.folder).with_context(|| {
            format!("creating the cache {} (SPARKCTL_CACHE_DIR names another)", self.folder.display())
        })?;
        let alone = self.alone(kind, version, progress)?;
        if place.is_dir() {
            return Ok(place);
        }
        let prefix = format!("{STAGING}{kind}-{version}_");
        // Who has the lock knows that nobody is at work in these.
        self.remove_stale(alone.is_some().then_some(&prefix));
        let staging = tempfile::Builder::new().prefix(&prefix).tempdir_in(&self.folder);
        let staging = staging.with_context(|| format!("creating a folder in the cache {}", self.folder.display()))?;
        progress.stop.takes_along(staging.path());
        let filled = staging.path().join("whole");
        make(staging.path(), &filled).map_err(|error| match is_full(&error) {
            true => anyhow!(
                "there is no room for {kind} {version} in {}: make some (1 GB will do), or name another place by SPARKCTL_CACHE_DIR",
                self.folder.display()
            ),
            false => error,
        })?;
        match fs::rename(&filled, &place) {
            // Where files cannot be locked, another process may have been quicker: its work is as good.
            Err(_) if place.is_dir() => {}
            renamed => renamed.with_context(|| format!("moving into the cache as {}", place.display()))?,
        }
        Ok(place)
    }

    /// A lock that keeps two processes from fetching the same release at once.
    fn alone(&self, kind: &str, version: &str, progress: &Progress) -> Result<Option<File>> {
        let path = self.folder.join(format!(".{kind}-{version}.lock"));
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                // Some network file systems cannot lock. Renaming keeps it right, if not economical.
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                progress.say(&format!("waiting for another sparkctl that fetches {kind} {version}"));
                told = true;
            }
            progress.stop.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Removes what killed processes left: what begins so, and what is old.
    fn remove_stale(&self, abandoned: Option<&String>) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(STAGING)) {
            let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
            let is_abandoned = abandoned.is_some_and(|prefix| entry.file_name().to_string_lossy().starts_with(prefix));
            if is_abandoned || age.is_some_and(|age| age > STALE) {
                // Best effort: it costs space, nothing else.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Whether a disk or its owner's share of it is used up.
fn is_full(error: &anyhow::Error) -> bool {
    let of_io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    of_io.is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use anyhow::bail;

    use super::*;

    fn quiet() -> Progress {
        Progress { terminal: false, say: Arc::new(|_| {}), stop: Default::default() }
    }

    fn fill(to: &Path) -> Result<()> {
        fs::create_dir(to)?;
        Ok(fs::write(to.join("file"), "whole")?)
    }

    fn content(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    #[test]
    fn makes_a_release_once_and_lists_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        assert!(cache.releases("spark").is_empty());
        let made = cache.release("spark", "3.5.7", &quiet(), |_, to| fill(to)).unwrap();
        assert_eq!(fs::read_to_string(made.join("file")).unwrap(), "whole");
        let again = cache.release("spark", "3.5.7", &quiet(), |_, _| bail!("made twice")).unwrap();
        assert_eq!(made, again);
        assert_eq!(cache.releases("spark"), [("3.5.7".to_owned(), made)]);
        assert!(cache.releases("java").is_empty());
    }

    #[test]
    fn takes_an_interrupted_release_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().into());
        let half = |_: &Path, to: &Path| {
            fill(to)?;
            bail!("interrupted")
        };
        cache.release("spark", "3.5.7", &quiet(), half).unwrap_err();
        assert!(cache.releases("spark").is_empty());
        assert!(content(folder.path()).is_empty());
        cache.release("spark", "3.5.7", &quiet(), |_, to| fill(to)).unwrap();
    }

    #[test]
    fn says_what_helps_when_the_disk_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().into());
        let full = |_: &Path, _: &Path| Err(io::Error::from(io::ErrorKind::StorageFull)).context("unpacking it");
        let said = format!("{:#}", cache.release("spark", "3.5.7", &quiet(), full).unwrap_err());
        assert!(said.starts_with("there is no room for spark 3.5.7 in /"), "{said}");
        assert!(content(folder.path()).is_empty());
    }

    #[test]
    fn takes_the_folder_of_a_killed_process_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("staging-java-17_killed");
        for name in ["staging-java-17_killed", "staging-spark-3.5.7_killed", "staging-spark-3.5.1_at-work"] {
            fill(&folder.path().join(name)).unwrap();
        }
        let day = std::time::SystemTime::now() - 2 * STALE;
        File::open(&left).unwrap().set_modified(day).unwrap();
        let cache = Cache::new(folder.path().into());
        assert!(cache.releases("spark").is_empty());
        cache.release("spark", "3.5.7", &quiet(), |_, to| fill(to)).unwrap();
        assert_eq!(content(folder.path()), ["spark-3.5.7", "staging-spark-3.5.1_at-work"]);
    }

    #[test]
    fn makes_a_release_once_though_two_ask_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = AtomicUsize::new(0);
        let make = || {
            Cache::new(folder.path().into()).release("spark", "3.5.7", &quiet(), |_, to| {
                made.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(200));
                fill(to)
            })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(make);
            assert_eq!(make().unwrap(), other.join().unwrap().unwrap());
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
