//! Names of the cluster in the shell.

use crate::support::Namespace;

/// What bash is offered at the end of a line.
fn offered(ns: &Namespace, line: &[&str]) -> Vec<String> {
    let mut command = ns.sparkctl();
    command.env("SPARKCTL_COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9");
    command.env("_CLAP_COMPLETE_INDEX", (line.len() - 1).to_string()).env("_CLAP_COMPLETE_SPACE", "false");
    let run = command.arg("--").args(line).assert().code(0);
    String::from_utf8_lossy(&run.get_output().stdout).lines().map(str::to_owned).collect()
}

#[test]
fn completes_names_of_the_cluster() {
    let ns = Namespace::new("complete");
    assert!(offered(&ns, &["sparkctl", "status", "-n", "complete"]).contains(&ns.name));
    assert!(offered(&ns, &["sparkctl", "submit", "--priority-class", ""]).contains(&"routine".to_owned()));
    assert!(offered(&ns, &["sparkctl", "submit", "--queue", ""]).contains(&"default".to_owned()));
    assert_eq!(offered(&ns, &["sparkctl", "status", "pi"]), [""; 0]);
    let detached = ["submit", "examples/python-pi.yaml", "--name", "pi-to-complete", "--detach"];
    ns.sparkctl().args(detached).assert().code(0);
    assert_eq!(offered(&ns, &["sparkctl", "status", "pi"]), ["pi-to-complete"]);
}
