//! The journal of an upload, so that the next call resumes an interrupted one.
//!
//! It is a file to which lines are appended: the upload's id and the size of its parts, then each part that the store has
//! received. An incomplete line is ignored. The writer locks the file; another process that uploads the same content at
//! the same time makes an upload of its own, which results in the same object.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::kubernetes::names;

/// A journal that is this old is useless: stores that expire the parts of incomplete uploads do so within days.
const STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An interrupted upload.
#[derive(Debug, Default, PartialEq)]
pub struct Interrupted {
    pub id: String,
    /// The size of a part.
    pub part: u64,
    /// The store's ids of the parts that it has, by number.
    pub parts: BTreeMap<u64, String>,
}

/// The journal of one upload.
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal of an upload to a URL; `None` if another process has it, or the folder cannot be written.
    pub fn open(folder: &Path, place: &str) -> Option<Self> {
        fs::create_dir_all(folder).ok()?;
        remove_stale(folder);
        let path = folder.join(names::hash(place, 32));
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, file })
    }

    /// The upload that an earlier call left incomplete.
    pub fn interrupted(&mut self) -> Option<Interrupted> {
        let mut text = String::new();
        self.file.rewind().and_then(|()| self.file.read_to_string(&mut text)).ok()?;
        parse(&text)
    }

    /// Starts a new upload.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn begin(&mut self, id: &str, part: u64) -> Result<()> {
        self.file.set_len(0).context("truncating the journal of the upload")?;
        self.write(&format!("{part} {id}\n"))
    }

    /// Records a part that the store has received.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn record(&mut self, index: u64, id: &str) -> Result<()> {
        self.write(&format!("{index} {id}\n"))
    }

    /// Removes the journal of a complete upload.
    pub fn end(self) {
        // A journal that stays looks like an interrupted upload, which the store then refuses to resume.
        let _ = fs::remove_file(&self.path);
    }

    fn write(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).with_context(|| format!("writing {}", self.path.display()))
    }
}

fn parse(text: &str) -> Option<Interrupted> {
    let complete = &text[..=text.rfind('\n')?];
    let mut lines = complete.lines().map(|line| line.split_once(' '));
    let (part, id) = lines.next()??;
    let parts = lines.map(|line| line.and_then(|(index, id)| Some((index.parse().ok()?, id.to_owned()))));
    Some(Interrupted { id: id.to_owned(), part: part.parse().ok()?, parts: parts.collect::<Option<_>>()? })
}

fn remove_stale(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > STALE) {
            // Best effort: a journal that stays only takes up space.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parts_before_an_incomplete_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), "s3://a/b").unwrap();
        assert_eq!(journal.interrupted(), None);
        journal.begin("an id", 8).unwrap();
        journal.record(2, "\"etag\"").unwrap();
        journal.write("3 \"et").unwrap();
        drop(journal);
        let interrupted = Journal::open(folder.path(), "s3://a/b").unwrap().interrupted().unwrap();
        assert_eq!(
            interrupted,
            Interrupted { id: "an id".into(), part: 8, parts: [(2, "\"etag\"".to_owned())].into() }
        );
    }

    #[test]
    fn is_open_in_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "s3://a/b").unwrap();
        assert!(Journal::open(folder.path(), "s3://a/b").is_none());
        assert!(Journal::open(folder.path(), "s3://a/c").is_some());
        journal.end();
        assert_eq!(Journal::open(folder.path(), "s3://a/b").unwrap().interrupted(), None);
    }

    #[test]
    fn ignores_a_file_that_is_not_a_journal() {
        for text in ["", "8 id", "x id\n", "8 id\nnonsense\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
