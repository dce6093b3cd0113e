//! Installs what single tests need beyond Rust, a C compiler, Go and Python 3, the first time they need it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::root;

/// Prints a line to the terminal, where the test harness does not capture it: a long step must be seen while it runs.
pub fn announce(text: &str) {
    // Nothing depends on whether this can be written.
    let _ = writeln!(std::io::stderr().lock(), "tests: {text}");
}

/// Runs a command of the program in `tests/cluster`. Returns what it printed.
///
/// # Panics
/// It failed: its messages are on stderr.
pub fn cluster_program(arguments: &[&str]) -> String {
    let output = Command::new("go")
        .args(["run", "-C", "tests/cluster", "."])
        .args(arguments)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("the test cluster is a Go program: install Go, or set SPARKCTL_TEST_KUBECONFIG");
    assert!(output.status.success(), "the test cluster did not do `{}`: see above", arguments.join(" "));
    String::from_utf8(output.stdout).expect("text")
}

/// The `NAME=value` lines of an output.
pub fn variables(output: &str) -> BTreeMap<String, String> {
    let pairs = output.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Installs one of `aws`, `javac`, `npm`, `pip`, `podman` and `venv`, unless this machine has it.
/// Returns variables with its place if it is not in `PATH`.
///
/// # Panics
/// It cannot be installed: the message names the package.
pub fn package(name: &'static str) -> BTreeMap<String, String> {
    static INSTALLED: Mutex<BTreeMap<&str, BTreeMap<String, String>>> = Mutex::new(BTreeMap::new());
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let found = installed.entry(name).or_insert_with(|| variables(&cluster_program(&["packages", name])));
    found.clone()
}

/// A folder that is filled once. It exists only when it is complete.
pub fn once(name: &str, fill: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let whole = root.join(name);
    if !whole.exists() {
        announce(&format!("making {} (once)", whole.display()));
        let folder = tempfile::tempdir_in(root).expect("a folder");
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("opening it");
        fill(folder.path());
        // Another test process may have been faster.
        if std::fs::rename(folder.path(), &whole).is_ok() {
            let _ = folder.keep();
        }
    }
    whole
}
