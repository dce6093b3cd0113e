//! Reads the local files that are submitted with an application.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::python_zip::{self, Packed};
use super::size::bytes;
use crate::diagnostic::Problem;
use crate::job::local_files::{self, CONFIG_MAP_LIMIT, LocalFile, LocalFiles, PY_FILES};
use crate::job::named_files::{Field, Named};
use crate::job::{Job, Overrides};
use crate::spark::stores;

/// Spark's setting for `--upload`.
pub const UPLOAD_PATH: &str = "spark.kubernetes.file.upload.path";

/// The folders that relative paths are resolved in.
pub struct Folders {
    /// The job file's folder, for paths in the file.
    of_file: PathBuf,
    /// The paths in flags, which are resolved in the working directory.
    of_flags: BTreeSet<String>,
}

impl Folders {
    pub fn of(job_file: Option<&Path>, overrides: &Overrides) -> Self {
        let of_file = job_file.and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let flags = Job::default().with(overrides.clone());
        Self { of_file, of_flags: flags.named_files().into_iter().map(|named| named.uri).collect() }
    }

    fn path(&self, uri: &str) -> PathBuf {
        let path = local_files::path(uri);
        if self.of_flags.contains(uri) { PathBuf::from(path) } else { self.of_file.join(path) }
    }
}

/// Reads the local files of a job. A file that cannot be read is a problem of its field.
pub fn read(job: &Job, folders: &Folders) -> (LocalFiles, Vec<Problem>) {
    let (mut files, mut problems) = (LocalFiles::default(), Vec::new());
    for named in job.named_files().into_iter().filter(|named| local_files::is_local(&named.uri)) {
        let matched = matching(&folders.path(&named.uri));
        if !matched.is_empty() {
            let matched = matched.iter().map(|path| Ok((path.display().to_string(), file(path)?)));
            match matched.collect() {
                Ok(matched) => files.insert_pattern(&named.uri, matched),
                Err(problem) => problems.push(job.field_problem(&named.field, problem)),
            }
            continue;
        }
        let path = folders.path(&named.uri);
        let mut found = Vec::new();
        let read = match path.is_dir() {
            true => folder(&path, &named, &files, &mut found),
            false => file(&path),
        };
        match read {
            Ok(file) => files.insert(&named.uri, file),
            Err(problem) => found.push(problem),
        }
        problems.extend(found.into_iter().map(|problem| job.field_problem(&named.field, problem)));
    }
    (files, problems)
}

/// Packs a folder of Python modules. Only `pyFiles` may be folders.
fn folder(path: &Path, named: &Named, others: &LocalFiles, problems: &mut Vec<Problem>) -> Result<LocalFile, Problem> {
    if named.list != Some(PY_FILES) {
        return Err(Problem::error(format!("{} is a folder, and Spark needs a file", path.display()))
            .help(instead_of_folder(path, named)));
    }
    let name = python_zip::name(path);
    // Spark accepts only one file of each name.
    let names = [format!("{name}.zip")].into_iter().chain((2..).map(|n| format!("{name}-{n}.zip")));
    let free = names.into_iter().find(|name| !others.has_name(name)).unwrap_or_default();
    let Packed { folder, zip, compiled } = python_zip::pack(path, &free)?;
    if let Some(compiled) = compiled {
        let message = format!("{}: Python cannot import a compiled module from a zip", compiled.display());
        problems.push(Problem::warning(message).help("ship such packages in `archives`, or put them into the image"));
    }
    Ok(LocalFile { _packed: Some(Arc::new(folder)), ..file(&zip)? })
}

/// What to name instead of a folder.
fn instead_of_folder(path: &Path, named: &Named) -> String {
    let (uri, name) = (named.uri.trim_end_matches('/'), python_zip::name(path));
    match named.list {
        None => "name the file in it to run".into(),
        Some("spark.jars") => format!("name the jars in it: {uri}/*.jar"),
        Some(_) => format!(
            "pack it, `tar -C {} -czf {name}.tar.gz .`, and name `{name}.tar.gz#{name}` in `archives`: it is unpacked as {name}",
            path.display()
        ),
    }
}

/// The files that match a pattern, sorted; empty for the name of a file.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let pattern = pattern.to_string_lossy();
    if !pattern.contains(['*', '?', '[']) || Path::new(pattern.as_ref()).exists() {
        return Vec::new();
    }
    // An invalid pattern is the name of a missing file.
    let found = glob::glob(&pattern).into_iter().flatten().flatten();
    found.filter(|path| path.is_file()).collect()
}

/// Reads and hashes a file.
fn file(path: &Path) -> Result<LocalFile, Problem> {
    let refused = |error: std::io::Error| {
        Problem::error(format!("reading {}: {error}", path.display()))
            .help("a path without `local://` is on this machine; `local:///path` is in the image")
    };
    let path = &std::path::absolute(path).map_err(refused)?;
    let size = fs::metadata(path).map_err(refused)?;
    let mut opened = File::open(path).map_err(refused)?;
    let mut file = LocalFile { path: path.clone(), size: size.len(), ..LocalFile::default() };
    let mut hash = Sha256::new();
    if file.size <= CONFIG_MAP_LIMIT {
        // The file may be growing.
        opened.take(CONFIG_MAP_LIMIT + 1).read_to_end(&mut file.content).map_err(refused)?;
        file.size = file.content.len() as u64;
        hash.update(&file.content);
    } else {
        let mut piece = vec![0; 1 << 20];
        while let read @ 1.. = opened.read(&mut piece).map_err(refused)? {
            hash.update(&piece[..read]);
        }
    }
    file.sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(file)
}

/// The problem, at the field of the largest file, if the files are too large for a ConfigMap.
pub fn too_large(job: &Job) -> Option<Problem> {
    let files = &job.files.local;
    let carried: u64 = files.carried().iter().map(|carried| carried.file.size).sum();
    if carried <= CONFIG_MAP_LIMIT {
        return None;
    }
    let named = job.named_files().into_iter().filter(|named| files.has(&named.uri));
    let largest = named.max_by_key(|named| files.size_of(&named.uri));
    let largest_size = largest.as_ref().map_or(0, |named| files.size_of(&named.uri));
    let message = format!(
        "the local files are {} in total, and a ConfigMap holds {}; this one is {}",
        bytes(files.size()),
        bytes(CONFIG_MAP_LIMIT),
        bytes(largest_size)
    );
    let problem = Problem::error(message)
        .help(format!("give --upload URL ({}), or put it into the image (local:///path)", stores::upload_schemes()));
    Some(job.field_problem(&largest.map_or(Field::Path(String::new()), |named| named.field), problem))
}

/// Describes the files in the ConfigMap: `job.py (1.2 KiB), util.py (300 B)`.
pub fn carried(files: &LocalFiles) -> Option<String> {
    let carried = files.carried();
    let words = carried.iter().map(|carried| format!("{} ({})", carried.file.name(), bytes(carried.file.size)));
    (!carried.is_empty()).then(|| words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Variables, read as read_jobs};

    fn job(spec: &str) -> Job {
        let head = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: pi}\nspec:\n";
        let (mut jobs, problems) = read_jobs(&format!("{head}{spec}"), &Variables::default());
        assert_eq!(problems, []);
        jobs.remove(0)
    }

    #[test]
    fn resolves_paths_in_the_job_files_folder_and_those_of_flags_in_the_working_directory() {
        let overrides = Overrides { jars: vec!["a.jar".into()], ..Overrides::default() };
        let folders = Folders::of(Some(Path::new("jobs/pi.yaml")), &overrides);
        let path = |uri: &str| folders.path(uri).display().to_string();
        assert_eq!(path("./job.py"), "jobs/./job.py");
        assert_eq!(path("file:///srv/job.py"), "/srv/job.py");
        assert_eq!(path("a.jar"), "a.jar");
        assert_eq!(Folders::of(None, &overrides).path("b.jar"), PathBuf::from("b.jar"));
    }

    #[test]
    fn reads_files_and_reports_missing_ones_at_their_field() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("job.py"), "print()").unwrap();
        let job = job("  mainApplicationFile: ./job.py\n  deps:\n    files: [missing.csv, \"local:///x\"]\n");
        let folders = Folders::of(Some(&folder.path().join("pi.yaml")), &Overrides::default());
        let (files, problems) = read(&job, &folders);
        assert_eq!(files.get("./job.py").map(|file| file.content.as_slice()), Some(&b"print()"[..]));
        assert_eq!(files.size(), 7);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path, "spec.deps.files[0]");
        assert!(problems[0].place.is_some());
    }

    #[test]
    fn reads_all_files_that_match_a_pattern() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jar", "b.jar", "c.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let job = job("  deps:\n    jars: [\"*.jar\", \"*.zip\"]\n");
        let folders = Folders::of(Some(&folder.path().join("pi.yaml")), &Overrides::default());
        let (files, problems) = read(&job, &folders);
        let names: Vec<_> = files.meant_by("*.jar").iter().map(|uri| files.uri_in_driver(uri)).collect();
        assert_eq!(names, ["file:///mnt/sparkctl/files/a.jar", "file:///mnt/sparkctl/files/b.jar"]);
        assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), ["spec.deps.jars[1]"]);
    }

    #[test]
    fn packs_folders_of_python_modules_and_has_a_hint_for_others() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/lib/one.py", "b/lib/two.py", "b/lib/fast.so"] {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), "").unwrap();
        }
        let job = job(concat!(
            "  mainApplicationFile: a\n",
            "  deps: {pyFiles: [a/lib, ./b/lib/], jars: [a/], files: [b/lib]}\n",
        ));
        let folders = Folders::of(Some(&folder.path().join("pi.yaml")), &Overrides::default());
        let (files, problems) = read(&job, &folders);
        assert_eq!(files.uri_in_driver("a/lib"), "file:///mnt/sparkctl/files/lib.zip");
        assert_eq!(files.uri_in_driver("./b/lib/"), "file:///mnt/sparkctl/files/lib-2.zip");
        let zip = files.uri_here("a/lib");
        assert_eq!(fs::read(&zip).unwrap(), files.get("a/lib").unwrap().content);
        let hints: Vec<_> = problems.iter().map(|problem| (&*problem.path, problem.help.as_deref().unwrap())).collect();
        let tar = format!(
            "pack it, `tar -C {}/b/lib -czf lib.tar.gz .`, and name `lib.tar.gz#lib` in `archives`: it is unpacked as lib",
            folder.path().display()
        );
        let expected = [
            ("spec.mainApplicationFile", "name the file in it to run"),
            ("spec.deps.jars[0]", "name the jars in it: a/*.jar"),
            ("spec.deps.files[0]", &tar),
            ("spec.deps.pyFiles[1]", "ship such packages in `archives`, or put them into the image"),
        ];
        assert_eq!(hints, expected);
        assert_eq!(problems.iter().filter(|problem| problem.is_error()).count(), 3);
        drop(files);
        assert!(!Path::new(&zip).exists());
    }

    #[test]
    fn refuses_files_that_are_too_large_for_a_config_map() {
        let mut job = job("  mainApplicationFile: job.py\n  deps:\n    jars: [big.jar]\n");
        let sized = |name: &str, size| LocalFile { path: name.into(), size, ..LocalFile::default() };
        job.files.local.insert("job.py", sized("job.py", 1000));
        assert_eq!(too_large(&job), None);
        job.files.local.insert("big.jar", sized("big.jar", 5 << 20));
        let problem = too_large(&job).unwrap();
        assert_eq!(problem.path, "spec.deps.jars[0]");
        assert_eq!(
            problem.message,
            "the local files are 5.00 MiB in total, and a ConfigMap holds 1.00 MiB; this one is 5.00 MiB"
        );
    }
}
