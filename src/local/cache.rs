//! The cache of fetched releases of Spark and Java, each in a folder of its own.
//!
//! A release is prepared in a staging folder and then renamed, so that a folder with its final name is complete, whatever
//! was interrupted and however many processes prepare it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::progress::Progress;

/// A cache in a folder.
pub struct Cache {
    folder: PathBuf,
}

/// Prefix of staging folders.
const STAGING: &str = "staging-";

/// A staging folder of another release that is this old was left behind by a killed process, and is removed.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

impl Cache {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The cached releases of a kind (`spark` or `java`): their versions and folders.
    pub fn releases(&self, kind: &str) -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let release = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(kind)?.strip_prefix('-')?;
            entry.path().is_dir().then(|| (version.to_owned(), entry.path()))
        };
        entries.filter_map(release).collect()
    }

    /// The folder of a release, filled by `make` if it is not cached. `make` gets a staging folder for downloads, and the
    /// folder to create.
    ///
    /// # Errors
    /// The cache cannot be written, or `make` fails.
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
            format!("creating the cache {} (set SPARKCTL_CACHE_DIR for another)", self.folder.display())
        })?;
        let lock = self.lock(kind, version, progress)?;
        if place.is_dir() {
            return Ok(place);
        }
        let prefix = format!("{STAGING}{kind}-{version}_");
        // While the lock is held, no other process uses folders of this release.
        self.remove_stale(lock.is_some().then_some(&prefix));
        let staging = tempfile::Builder::new().prefix(&prefix).tempdir_in(&self.folder);
        let staging = staging.with_context(|| format!("creating a folder in the cache {}", self.folder.display()))?;
        progress.stop.set_staging(staging.path());
        let filled = staging.path().join("complete");
        make(staging.path(), &filled).map_err(|error| match is_full(&error) {
            true => anyhow!(
                "no space left for {kind} {version} in {}: free 1 GB, or set SPARKCTL_CACHE_DIR to another folder",
                self.folder.display()
            ),
            false => error,
        })?;
        match fs::rename(&filled, &place) {
            // Without a lock, another process may have been faster; its result is the same.
            Err(_) if place.is_dir() => {}
            renamed => renamed.with_context(|| format!("moving into the cache as {}", place.display()))?,
        }
        Ok(place)
    }

    /// Locks a release, so that two processes do not fetch it at the same time; `None` if the file system has no locks.
    fn lock(&self, kind: &str, version: &str, progress: &Progress) -> Result<Option<File>> {
        let path = self.folder.join(format!(".{kind}-{version}.lock"));
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let mut is_reported = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                // Some network file systems have no locks. The rename keeps the cache correct without them.
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
            }
            if !is_reported {
                progress.say(&format!("waiting for another sparkctl that is fetching {kind} {version}"));
                is_reported = true;
            }
            progress.stop.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Removes staging folders of killed processes: those with the prefix, and old ones.
    fn remove_stale(&self, abandoned: Option<&String>) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(STAGING)) {
            let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
            let is_abandoned = abandoned.is_some_and(|prefix| entry.file_name().to_string_lossy().starts_with(prefix));
            if is_abandoned || age.is_some_and(|age| age > STALE) {
                // Best effort: a folder that stays only takes up space.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Whether the disk or the user's quota is full.
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
    fn prepares_a_release_once_and_lists_it() {
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
    fn ignores_an_interrupted_release() {
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
    fn reports_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().into());
        let full = |_: &Path, _: &Path| Err(io::Error::from(io::ErrorKind::StorageFull)).context("unpacking it");
        let message = format!("{:#}", cache.release("spark", "3.5.7", &quiet(), full).unwrap_err());
        assert!(message.starts_with("no space left for spark 3.5.7 in /"), "{message}");
        assert!(content(folder.path()).is_empty());
    }

    #[test]
    fn ignores_and_removes_folders_of_killed_processes() {
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
    fn prepares_a_release_once_for_two_processes() {
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
