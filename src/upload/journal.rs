//! What is known of an upload that is under way, so that the next call goes on where a killed one was.
//!
//! A file of lines, written one by one: the upload's id and the size of its parts, then each part that the
//! store has taken. A line that was cut off counts for nothing. Who writes it has it locked; a second
//! process that uploads the same content meanwhile makes an upload of its own, and the same object.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::kubernetes::names;

/// Stores keep the parts of a torn upload for days rather than weeks, if they are told to forget them.
const STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The parts that a store has of a file.
#[derive(Debug, Default, PartialEq)]
pub struct Torn {
    pub id: String,
    pub part: u64,
    /// The store's names of the parts, by their numbers.
    pub parts: BTreeMap<u64, String>,
}

/// The journal of one upload.
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// The journal of an upload to a place; none, where another process is at it, or nothing can be kept.
    pub fn of(folder: &Path, place: &str) -> Option<Self> {
        fs::create_dir_all(folder).ok()?;
        forget_stale(folder);
        let path = folder.join(names::hash(place, 32));
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, file })
    }

    /// What an earlier call left.
    pub fn torn(&mut self) -> Option<Torn> {
        let mut text = String::new();
        self.file.rewind().and_then(|()| self.file.read_to_string(&mut text)).ok()?;
        parse(&text)
    }

    /// Begins anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&mut self, id: &str, part: u64) -> Result<()> {
        self.file.set_len(0).context("emptying the journal of the upload")?;
        self.write(&format!("{part} {id}\n"))
    }

    /// Notes a part that the store has taken.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&mut self, index: u64, id: &str) -> Result<()> {
        self.write(&format!("{index} {id}\n"))
    }

    /// The upload is whole.
    pub fn end(self) {
        // What stays is taken for a torn upload, which the store then refuses.
        let _ = fs::remove_file(&self.path);
    }

    fn write(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).with_context(|| format!("writing {}", self.path.display()))
    }
}

fn parse(text: &str) -> Option<Torn> {
    let whole = &text[..=text.rfind('\n')?];
    let mut lines = whole.lines().map(|line| line.split_once(' '));
    let (part, id) = lines.next()??;
    let parts = lines.map(|line| line.and_then(|(index, id)| Some((index.parse().ok()?, id.to_owned()))));
    Some(Torn { id: id.to_owned(), part: part.parse().ok()?, parts: parts.collect::<Option<_>>()? })
}

fn forget_stale(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > STALE) {
            // It costs a little space, nothing else.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_noted_before_a_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::of(folder.path(), "s3://a/b").unwrap();
        assert_eq!(journal.torn(), None);
        journal.begin("an id", 8).unwrap();
        journal.note(2, "\"etag\"").unwrap();
        journal.write("3 \"et").unwrap();
        drop(journal);
        let torn = Journal::of(folder.path(), "s3://a/b").unwrap().torn().unwrap();
        assert_eq!(torn, Torn { id: "an id".into(), part: 8, parts: [(2, "\"etag\"".to_owned())].into() });
    }

    #[test]
    fn is_one_process_s_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::of(folder.path(), "s3://a/b").unwrap();
        assert!(Journal::of(folder.path(), "s3://a/b").is_none());
        assert!(Journal::of(folder.path(), "s3://a/c").is_some());
        journal.end();
        assert_eq!(Journal::of(folder.path(), "s3://a/b").unwrap().torn(), None);
    }

    #[test]
    fn takes_a_journal_that_is_none_for_nothing() {
        for text in ["", "8 id", "x id\n", "8 id\nnonsense\n"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
