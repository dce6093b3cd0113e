//! Packs a folder of Python modules as a zip, which Spark can ship.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

use super::size::bytes;
use crate::diagnostic::Problem;

/// The limits of a folder. A larger one is most likely a mistake: a virtual environment, data, a checkout.
const MAX_BYTES: u64 = 256 << 20;
const MAX_FILES: usize = 10_000;

/// A zip in a temporary folder.
pub struct Packed {
    /// Removed on drop, with the zip.
    pub folder: TempDir,
    pub zip: PathBuf,
    /// A module in it that Python cannot import from a zip.
    pub compiled: Option<PathBuf>,
}

/// Packs a folder: a package (with an `__init__.py`) under its own name, otherwise the content of the folder. The same
/// content always results in the same zip, so that it is uploaded once.
///
/// # Errors
/// The folder has no module, is too large, cannot be read, or has a link that leads out of it.
pub fn pack(folder: &Path, file_name: &str) -> Result<Packed, Problem> {
    let root = fs::canonicalize(folder).map_err(|error| failure("reading", folder, &error))?;
    let mut content = Content { root: root.clone(), entries: Vec::new(), files: 0, bytes: 0 };
    let inside = match root.join("__init__.py").is_file() {
        true => format!("{}/", name(folder)),
        false => String::new(),
    };
    content.add(folder, &inside, &mut vec![root])?;
    if !content.entries.iter().any(|(name, _)| name.ends_with(".py")) {
        return Err(Problem::error(format!("{} contains no Python module", folder.display())));
    }
    let compiled = content.entries.iter().find(|(name, _)| name.ends_with(".so") || name.ends_with(".pyd"));
    let compiled = compiled.map(|(_, path)| path.clone());
    let failed = |error: io::Error| Problem::error(format!("packing {}: {error}", folder.display()));
    let packed = tempfile::Builder::new().prefix("sparkctl-").tempdir().map_err(failed)?;
    let zip = packed.path().join(file_name);
    write(&content.entries, &zip).map_err(failed)?;
    Ok(Packed { folder: packed, zip, compiled })
}

/// The name under which a package is imported.
pub fn name(folder: &Path) -> String {
    let resolved = || fs::canonicalize(folder).ok()?.file_name().map(ToOwned::to_owned);
    let name = folder.file_name().map(ToOwned::to_owned).or_else(resolved);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// The content of the zip.
struct Content {
    root: PathBuf,
    /// Names in the zip, with the paths of their files. Names of folders end with a slash: Python only recognizes a namespace
    /// package that has an entry of its own.
    entries: Vec<(String, PathBuf)>,
    files: usize,
    bytes: u64,
}

impl Content {
    /// Adds the content of a folder under the name `inside`. `above` are the real paths of the folder and its parents.
    fn add(&mut self, folder: &Path, inside: &str, above: &mut Vec<PathBuf>) -> Result<(), Problem> {
        let unread = |error| failure("reading", folder, &error);
        let at = self.entries.len();
        if !inside.is_empty() {
            self.entries.push((inside.to_owned(), folder.to_owned()));
        }
        let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unread)?;
        let mut paths: Vec<PathBuf> = listed.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_str().ok_or_else(|| refusal(&path, "has a name that is not in UTF-8"))?;
            if is_ignored(name) {
                continue;
            }
            let real = fs::canonicalize(&path).map_err(|error| failure("reading", &path, &error))?;
            if !real.starts_with(&self.root) {
                return Err(refusal(&path, "is a link that leads out of the folder"));
            }
            let about = fs::metadata(&real).map_err(|error| failure("reading", &path, &error))?;
            let inside = format!("{inside}{name}");
            if about.is_dir() {
                if real.join("pyvenv.cfg").exists() {
                    continue;
                }
                if above.contains(&real) {
                    return Err(refusal(&path, "is a link to a folder that it is in"));
                }
                above.push(real);
                self.add(&path, &format!("{inside}/"), above)?;
                above.pop();
            } else if about.is_file() {
                self.add_file(inside, path, about.len())?;
            } else {
                return Err(refusal(&path, "is neither a file nor a folder"));
            }
        }
        if self.entries.len() == at + 1 && !inside.is_empty() {
            // The folder is empty.
            self.entries.pop();
        }
        Ok(())
    }

    fn add_file(&mut self, inside: String, path: PathBuf, size: u64) -> Result<(), Problem> {
        self.entries.push((inside, path));
        self.files += 1;
        self.bytes += size;
        let limit = match () {
            () if self.bytes > MAX_BYTES => bytes(MAX_BYTES),
            () if self.files > MAX_FILES => format!("{MAX_FILES} files"),
            () => return Ok(()),
        };
        Err(refusal(&self.root, &format!("contains more than {limit}"))
            .help("name a folder with only the modules, or a zip"))
    }
}

/// Whether a file is ignored: Python's caches, and hidden files such as `.git`, `.venv` and `.env`.
fn is_ignored(name: &str) -> bool {
    name.starts_with('.') || name == "__pycache__" || name.ends_with(".pyc")
}

fn write(entries: &[(String, PathBuf)], zip: &Path) -> io::Result<()> {
    let options = SimpleFileOptions::default().last_modified_time(DateTime::DEFAULT).unix_permissions(0o644);
    let mut zip = ZipWriter::new(File::create_new(zip)?);
    for (name, path) in entries {
        if name.ends_with('/') {
            zip.add_directory(name.as_str(), options.unix_permissions(0o755))?;
        } else {
            zip.start_file(name.as_str(), options)?;
            io::copy(&mut File::open(path)?, &mut zip)?;
        }
    }
    zip.finish()?;
    Ok(())
}

fn refusal(path: &Path, what: &str) -> Problem {
    Problem::error(format!("{} {what}", path.display()))
}

fn failure(doing: &str, path: &Path, error: &io::Error) -> Problem {
    Problem::error(format!("{doing} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder `lib` with files that have their own names for content.
    fn lib(files: &[&str]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let lib = folder.path().join("lib");
        fs::create_dir(&lib).unwrap();
        for file in files {
            fs::create_dir_all(lib.join(file).parent().unwrap()).unwrap();
            fs::write(lib.join(file), file).unwrap();
        }
        (folder, lib)
    }

    fn names(folder: &Path) -> Vec<String> {
        let packed = pack(folder, "lib.zip").unwrap();
        let zip = zip::ZipArchive::new(File::open(packed.zip).unwrap()).unwrap();
        zip.file_names().map(|name| name.unwrap().into_owned()).collect()
    }

    fn refused(folder: &Path) -> String {
        let message = pack(folder, "lib.zip").err().expect("a refusal").message;
        message.replace(&fs::canonicalize(folder).unwrap().display().to_string(), "lib")
    }

    #[test]
    fn packs_a_package_under_its_name_and_the_content_of_other_folders() {
        let (_folder, package) = lib(&["__init__.py", "b.py", "a/data.csv"]);
        assert_eq!(names(&package), ["lib/", "lib/__init__.py", "lib/a/", "lib/a/data.csv", "lib/b.py"]);
        let (_folder, modules) = lib(&["b.py", "a/__init__.py"]);
        assert_eq!(names(&modules), ["a/", "a/__init__.py", "b.py"]);
    }

    #[test]
    fn ignores_caches_and_hidden_files() {
        let junk = ["a.pyc", "__pycache__/a.pyc", ".git/hook.py", ".env", "venv/pyvenv.cfg", "venv/lib/b.py"];
        let (_folder, lib) = lib(&[&junk[..], &["a.py"]].concat());
        fs::create_dir(lib.join("empty")).unwrap();
        assert_eq!(names(&lib), ["a.py"]);
    }

    #[test]
    fn packs_the_same_content_into_the_same_zip() {
        let (_one, one) = lib(&["a.py", "b/c.py"]);
        let (_other, other) = lib(&["b/c.py", "a.py"]);
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().write(true).open(other.join("a.py")).unwrap().set_modified(old).unwrap();
        let bytes = |folder: &Path| fs::read(pack(folder, "lib.zip").unwrap().zip).unwrap();
        assert_eq!(bytes(&one), bytes(&other));
        fs::write(other.join("a.py"), "else").unwrap();
        assert_ne!(bytes(&one), bytes(&other));
    }

    #[test]
    fn follows_links_within_the_folder_only() {
        let (folder, lib) = lib(&["a.py", "b/c.py"]);
        symlink("a.py", lib.join("same.py")).unwrap();
        symlink("b", lib.join("d")).unwrap();
        assert_eq!(names(&lib), ["a.py", "b/", "b/c.py", "d/", "d/c.py", "same.py"]);
        let packed = pack(&lib, "lib.zip").unwrap();
        let mut zip = zip::ZipArchive::new(File::open(packed.zip).unwrap()).unwrap();
        let mut text = String::new();
        zip.by_name("same.py").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "a.py");
        symlink("..", lib.join("b/up")).unwrap();
        assert_eq!(refused(&lib), "lib/b/up is a link to a folder that it is in");
        fs::remove_file(lib.join("b/up")).unwrap();
        fs::write(folder.path().join("secret.py"), "").unwrap();
        symlink("../secret.py", lib.join("secret.py")).unwrap();
        assert_eq!(refused(&lib), "lib/secret.py is a link that leads out of the folder");
    }

    #[test]
    fn refuses_folders_without_modules_and_large_ones() {
        assert_eq!(refused(&lib(&[]).1), "lib contains no Python module");
        let (_folder, data) = lib(&["data.csv"]);
        assert_eq!(refused(&data), "lib contains no Python module");
        let (_folder, large) = lib(&["a.py", "data.bin"]);
        File::create(large.join("data.bin")).unwrap().set_len(MAX_BYTES).unwrap();
        assert_eq!(refused(&large), "lib contains more than 256.00 MiB");
    }

    #[test]
    fn finds_a_compiled_module() {
        let (_folder, lib) = lib(&["a.py", "b/fast.cpython-311-x86_64-linux-gnu.so"]);
        let compiled = pack(&lib, "lib.zip").unwrap().compiled;
        assert_eq!(compiled, Some(lib.join("b/fast.cpython-311-x86_64-linux-gnu.so")));
    }
}
