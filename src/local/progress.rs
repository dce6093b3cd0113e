//! How a long fetch is shown, and how it is stopped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

/// Says a line to the user; the caller decides where.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// A wish to end, which long loops look at.
#[derive(Clone, Default)]
pub struct Stop {
    wished: Arc<AtomicBool>,
    /// The folder of what is half done.
    staging: Arc<Mutex<PathBuf>>,
}

impl Stop {
    pub fn wish(&self) {
        self.wished.store(true, Ordering::Relaxed);
    }

    /// Names the folder that is of no use when the work in it is not ended.
    pub fn takes_along(&self, staging: &Path) {
        staging.clone_into(&mut self.staging.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Removes that folder, for a worker that hears nothing.
    pub fn clean_up(&self) {
        // It costs space, nothing else.
        let _ = std::fs::remove_dir_all(&*self.staging.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// # Errors
    /// When the end is wished for.
    pub fn check(&self) -> Result<()> {
        if self.wished.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// Where fetching tells how far it is: a bar on a terminal, one plain line elsewhere.
#[derive(Clone)]
pub struct Progress {
    pub terminal: bool,
    pub say: Say,
    pub stop: Stop,
}

impl Progress {
    pub fn say(&self, line: &str) {
        (self.say)(line);
    }

    /// A bar over the bytes of a download.
    pub fn download(&self, what: &str, bytes: Option<u64>, from: &str) -> ProgressBar {
        if !self.terminal {
            let size = bytes.map(|bytes| format!(" ({} MB)", bytes / 1_000_000)).unwrap_or_default();
            self.say(&format!("fetching {what}{size} from {from}"));
        }
        self.bar(format!("fetching {what}"), bytes)
    }

    /// A bar over the bytes of an archive; not worth a plain line of its own.
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
        // However a fetch ends, its bar goes.
        let bar = ProgressBar::with_draw_target(bytes, target).with_finish(ProgressFinish::AndClear);
        bar.with_style(style).with_message(message)
    }
}
