//! Files of the submitter's machine that travel with the application.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;

use crate::spark::stores::in_hadoop;

/// What Python finds its modules in.
pub const PY_FILES: &str = "spark.submit.pyFiles";

/// Where the driver finds what came in a ConfigMap. Executors get it from the driver, as they get
/// what spark-submit has uploaded: by Spark's own file server, into their working directories.
pub const MOUNT: &str = "/mnt/sparkctl/files";

/// What a ConfigMap holds at most, in bytes.
///
/// Source: `MaxSecretSize` of the API server's validation.
pub const CONFIG_MAP_LIMIT: u64 = 1 << 20;

/// The local files of a job.
#[derive(Clone, Debug, Default)]
pub struct LocalFiles {
    /// By their addresses as they were written, without fragments.
    files: BTreeMap<String, LocalFile>,
    /// The addresses of the files that a pattern stands for.
    patterns: BTreeMap<String, Vec<String>>,
    /// Where in a store those are that are too large, by the same addresses.
    uploaded: BTreeMap<String, String>,
}

/// A file of this machine.
#[derive(Clone, Default)]
pub struct LocalFile {
    pub path: PathBuf,
    pub size: u64,
    pub sha256: String,
    /// Its bytes, unless it is too large for a ConfigMap.
    pub content: Vec<u8>,
    /// Where it is until nobody needs it any more, if it was made of a folder.
    pub _packed: Option<Arc<TempDir>>,
}

/// Where a file is does not change what is submitted; what is in it does.
impl fmt::Debug for LocalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path: _, size, sha256, content: _, _packed: _ } = self;
        let mut text = f.debug_struct("LocalFile");
        text.field("name", &self.name()).field("size", size).field("sha256", sha256).finish()
    }
}

impl LocalFile {
    /// The last part of its path.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A file in the ConfigMap.
#[derive(Debug)]
pub struct Carried<'a> {
    pub key: String,
    /// Below the mount.
    pub path: String,
    pub file: &'a LocalFile,
}

/// Whether an address is a path of the submitter's machine: as for spark-submit, one without a
/// scheme, or with `file:`.
pub fn is_local(uri: &str) -> bool {
    let scheme = uri.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme =
        |scheme: &&str| scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    matches!(scheme.filter(is_scheme), None | Some("file"))
}

/// The path in a local address.
pub fn path(uri: &str) -> &str {
    let address = uri.split('#').next().unwrap_or_default();
    let path = address.strip_prefix("file:").unwrap_or(address);
    match path.strip_prefix("//") {
        // The host of `file://host/path` is this machine's, if any.
        Some(rest) if address.starts_with("file:") => rest.find('/').map_or(rest, |at| &rest[at..]),
        _ => path,
    }
}

impl LocalFiles {
    pub fn insert(&mut self, uri: &str, file: LocalFile) {
        self.files.insert(address(uri).to_owned(), file);
    }

    /// Says that files are in a store, as far as it needs be: the largest first, until a ConfigMap
    /// takes the rest. An address there is that of the content, so that it is uploaded once.
    pub fn place_in_store(&mut self, store: &str) {
        let mut by_size: Vec<(u64, String)> = self.files.iter().map(|(uri, file)| (file.size, uri.clone())).collect();
        by_size.sort();
        let mut rest = self.size();
        while rest > CONFIG_MAP_LIMIT
            && let Some((size, uri)) = by_size.pop()
        {
            rest -= size;
            let file = &self.files[&uri];
            let name = utf8_percent_encode(&file.name(), ESCAPED).to_string();
            let place = format!("{}/{}/{name}", store.trim_end_matches('/'), &file.sha256[..32.min(file.sha256.len())]);
            self.uploaded.insert(uri, place);
        }
    }

    /// The files of the store, and where they are in it.
    pub fn uploaded(&self) -> impl Iterator<Item = (&str, &LocalFile, &str)> {
        self.uploaded.iter().filter_map(|(uri, place)| Some((uri.as_str(), self.files.get(uri)?, place.as_str())))
    }

    /// Says by which address the driver reads a file of the store.
    #[cfg(feature = "upload")]
    pub fn read_by(&mut self, uri: &str, address: String) {
        self.uploaded.insert(uri.to_owned(), address);
    }

    /// Whether a file of this name is among them.
    pub fn has_name(&self, name: &str) -> bool {
        self.files.values().any(|file| file.name() == name)
    }

    pub fn get(&self, uri: &str) -> Option<&LocalFile> {
        self.files.get(address(uri))
    }

    /// Says which files a pattern such as `lib/*.jar` stands for, each with an address.
    pub fn insert_pattern(&mut self, pattern: &str, files: Vec<(String, LocalFile)>) {
        self.patterns.insert(pattern.to_owned(), files.iter().map(|(uri, _)| uri.clone()).collect());
        self.files.extend(files);
    }

    /// The addresses of the files that are meant: of a pattern all of them, else the address itself.
    pub fn meant_by<'a>(&'a self, uri: &'a str) -> Vec<&'a str> {
        self.patterns.get(uri).map_or_else(|| vec![uri], |uris| uris.iter().map(String::as_str).collect())
    }

    /// Whether a local address was read.
    pub fn has(&self, uri: &str) -> bool {
        self.patterns.contains_key(uri) || self.get(uri).is_some()
    }

    /// Bytes of the files that are meant.
    pub fn size_of(&self, uri: &str) -> u64 {
        self.meant_by(uri).into_iter().filter_map(|uri| self.get(uri)).map(|file| file.size).sum()
    }

    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// The files as they are in the ConfigMap. Each keeps its name; the second of a name has a
    /// folder of its own, as each file of spark-submit has.
    pub fn carried(&self) -> Vec<Carried<'_>> {
        self.placed().map(|(_, carried)| carried).collect()
    }

    fn placed(&self) -> impl Iterator<Item = (&str, Carried<'_>)> {
        let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
        let carried = self.files.iter().filter(|(uri, _)| !self.uploaded.contains_key(*uri));
        carried.enumerate().map(move |(index, (uri, file))| {
            let name = file.name();
            let key: String = name.chars().map(|c| if is_of_key(c) { c } else { '-' }).collect();
            let key = match keys.insert(key.clone()) && key.len() <= KEY_LIMIT {
                true => key,
                false => format!("{index}-{}", &key[..key.len().min(KEY_LIMIT - 8)]),
            };
            let path = if names.insert(name.clone()) { name } else { format!("{index}/{name}") };
            (uri.as_str(), Carried { key, path, file })
        })
    }

    /// Where the driver finds a file: in the store or the mount if it is one of these, else as it is
    /// written.
    pub fn uri_in_driver(&self, uri: &str) -> String {
        let wanted = address(uri);
        if let Some(place) = self.uploaded.get(wanted) {
            return format!("{}{}", in_hadoop(place), &uri[wanted.len()..]);
        }
        match self.placed().find(|(of, _)| *of == wanted) {
            Some((_, carried)) => {
                let path = utf8_percent_encode(&carried.path, ESCAPED);
                format!("file://{MOUNT}/{path}{}", &uri[wanted.len()..])
            }
            None => uri.to_owned(),
        }
    }

    /// Where the driver finds the main file. Spark tells its language by how the address ends, so that a
    /// signed one has the file's name for a fragment, which no server is asked for.
    ///
    /// Source: `SparkSubmit.isPython` and `isR` of Spark.
    pub fn main_in_driver(&self, uri: &str) -> String {
        let found = self.uri_in_driver(uri);
        match self.get(uri).filter(|_| found.contains('?')) {
            Some(file) => format!("{found}#{}", utf8_percent_encode(&file.name(), ESCAPED)),
            None => found,
        }
    }

    /// Where this machine has a file: its path if it is one of these, else as it is written.
    pub fn uri_here(&self, uri: &str) -> String {
        match self.get(uri) {
            Some(file) => format!("{}{}", file.path.display(), &uri[address(uri).len()..]),
            None => uri.to_owned(),
        }
    }
}

/// What an address has before the name that it is to be given.
fn address(uri: &str) -> &str {
    uri.split('#').next().unwrap_or_default()
}

/// What a key of a ConfigMap is made of, and how long it may be.
const KEY_LIMIT: usize = 253;

fn is_of_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// What Spark would take for something else in an address; a comma would end it.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'+');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::names;

    fn files(paths: &[&str]) -> LocalFiles {
        let mut files = LocalFiles::default();
        for path in paths {
            files.insert(path, LocalFile { path: path.into(), size: 1, ..LocalFile::default() });
        }
        files
    }

    #[test]
    fn tells_the_submitters_files_from_the_images() {
        for uri in ["job.py", "./job.py", "/home/jo/job.py", "file:///home/jo/job.py", "lib/a.zip#b", "odd name:x.py"] {
            assert!(is_local(uri), "{uri}");
        }
        for uri in ["local:///opt/job.py", "s3a://b/job.py", "https://h/job.py", "hdfs:/job.py", "abfss://c@a.b/x"] {
            assert!(!is_local(uri), "{uri}");
        }
    }

    #[test]
    fn finds_the_path_in_an_address() {
        let paths = ["a/b.py", "file:/a/b.py", "file:///a/b.py#c", "file://localhost/a/b.py"].map(path);
        assert_eq!(paths, ["a/b.py", "/a/b.py", "/a/b.py", "/a/b.py"]);
    }

    #[test]
    fn places_files_under_their_names() {
        let files = files(&["./job.py", "lib/util.py", "other/util.py", "data, old.csv"]);
        let at = |uri: &str| files.uri_in_driver(uri);
        assert_eq!(at("./job.py"), "file:///mnt/sparkctl/files/job.py");
        assert_eq!(at("lib/util.py"), "file:///mnt/sparkctl/files/util.py");
        assert_eq!(at("other/util.py"), "file:///mnt/sparkctl/files/3/util.py");
        assert_eq!(at("data, old.csv#data.csv"), "file:///mnt/sparkctl/files/data%2C%20old.csv#data.csv");
        assert_eq!(at("local:///opt/job.py"), "local:///opt/job.py");
        let keys: Vec<_> = files.carried().into_iter().map(|carried| carried.key).collect();
        assert_eq!(keys, ["job.py", "data--old.csv", "util.py", "3-util.py"]);
    }
    #[test]
    fn puts_the_largest_files_into_the_store_until_the_rest_is_carried() {
        let mut files = LocalFiles::default();
        for (uri, size) in [("job.py", 1000), ("big.jar", 5 << 20), ("half.jar", 700 << 10), ("other.jar", 600 << 10)] {
            let sha256 = names::hash(uri, 64);
            files.insert(uri, LocalFile { path: uri.into(), size, sha256, ..LocalFile::default() });
        }
        files.place_in_store("s3://bucket/jobs/");
        let uploaded: Vec<_> = files.uploaded().map(|(uri, ..)| uri.to_owned()).collect();
        assert_eq!(uploaded, ["big.jar", "half.jar"]);
        let hash = names::hash("big.jar", 32);
        assert_eq!(files.uri_in_driver("big.jar"), format!("s3a://bucket/jobs/{hash}/big.jar"));
        let carried: Vec<_> = files.carried().into_iter().map(|carried| carried.key).collect();
        assert_eq!(carried, ["job.py", "other.jar"]);
    }

    #[cfg(feature = "upload")]
    #[test]
    fn reads_a_file_of_the_store_by_another_address_when_told_so() {
        let mut files = files(&["big.jar"]);
        files.read_by("big.jar", "https://h/big.jar?signature=x".into());
        assert_eq!(files.uri_in_driver("big.jar"), "https://h/big.jar?signature=x");
        assert_eq!(files.main_in_driver("big.jar"), "https://h/big.jar?signature=x#big.jar");
    }
}
