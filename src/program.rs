//! The name of this program in messages: that by which its user calls it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

/// Whether kubectl called the program as a plugin. `main` decides it once, before anything else runs, so that code
/// that knows nothing of the process can name commands.
static IS_PLUGIN: OnceLock<bool> = OnceLock::new();

/// The program's name: `sparkctl`, or `kubectl spark` for the plugin of kubectl.
pub fn program() -> &'static str {
    if is_plugin() { "kubectl spark" } else { "sparkctl" }
}

/// Whether kubectl called the program as its plugin.
pub fn is_plugin() -> bool {
    IS_PLUGIN.get().copied().unwrap_or_default()
}

/// Sets the program's name from the path by which it was called: kubectl runs a plugin by the name of its file.
pub fn set_name(called_as: Option<&OsStr>) {
    let plugin = called_as.and_then(|path| Path::new(path).file_stem()).is_some_and(|name| name == "kubectl-spark");
    // Called a second time it changes nothing: the first call decides.
    let _ = IS_PLUGIN.set(plugin);
}
