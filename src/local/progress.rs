//! Shows the progress of a download, and stops it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// Prints a message for the user; the caller decides where.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// A request to stop, which long loops check.
#[derive(Clone, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    /// The folder with unfinished work.
    staging: Arc<Mutex<PathBuf>>,
}

impl Stop {
    /// Requests the stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Sets the folder with unfinished work.
    pub fn set_staging(&self, staging: &Path) {
        staging.clone_into(&mut self.staging.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Removes the folder with unfinished work, if the worker does not stop.
    pub fn remove_staging(&self) {
        // A folder that cannot be removed only takes up space until the next download.
        let _ = std::fs::remove_dir_all(&*self.staging.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Checks whether to stop.
    ///
    /// # Errors
    /// The stop was requested.
    pub fn check(&self) -> Result<()> {
        if self.requested.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// Shows the progress of downloads: as a bar on a terminal, as one line of text elsewhere.
#[derive(Clone)]
pub struct Progress {
    pub terminal: bool,
    pub say: Say,
    pub stop: Stop,
}

impl Progress {
    /// Prints a message for the user.
    pub fn say(&self, line: &str) {
        (self.say)(line);
    }

    /// A progress bar for a download.
    pub fn download(&self, what: &str, bytes: Option<u64>, from: &str) -> ProgressBar {
        if !self.terminal {
            let size = bytes.map(|bytes| format!(" ({} MB)", bytes / 1_000_000)).unwrap_or_default();
            self.say(&format!("fetching {what}{size} from {from}"));
        }
        self.bar(format!("fetching {what}"), bytes)
    }

    /// A progress bar for unpacking an archive; nothing without a terminal.
    pub fn unpacking(&self, what: &str, bytes: u64) -> ProgressBar {
        self.bar(format!("unpacking {what}"), Some(bytes))
    }

    fn bar(&self, message: String, bytes: Option<u64>) -> ProgressBar {
        let target = if self.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = match bytes {
            Some(_) => "{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        // The bar is removed however the download ends.
        let bar = ProgressBar::with_draw_target(bytes, target).with_finish(ProgressFinish::AndClear);
        bar.with_style(style).with_message(message)
    }
}
