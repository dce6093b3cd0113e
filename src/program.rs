//! By which name this program was called, and so by which its user calls it again. It is the same for as long as
//! the process lives, and messages deep inside name commands, so it is asked for and not handed down.

/// `sparkctl`, or `kubectl spark` of a plugin of kubectl.
pub fn program() -> &'static str {
    if is_plugin() { "kubectl spark" } else { "sparkctl" }
}

/// kubectl runs a plugin by the name of its file.
pub fn is_plugin() -> bool {
    let program = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    program.file_stem().is_some_and(|name| name == "kubectl-spark")
}
