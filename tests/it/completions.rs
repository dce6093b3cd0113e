//! Shell completion of names in the cluster.

use crate::support::Namespace;

/// The completions of the last word of a line in bash.
fn completions_of(ns: &Namespace, line: &[&str]) -> Vec<String> {
    let mut command = ns.sparkctl();
    command.env("SPARKCTL_COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9");
    command.env("_CLAP_COMPLETE_INDEX", (line.len() - 1).to_string()).env("_CLAP_COMPLETE_SPACE", "false");
    let run = command.arg("--").args(line).assert().code(0);
    String::from_utf8_lossy(&run.get_output().stdout).lines().map(str::to_owned).collect()
}

#[test]
fn completes_names_of_the_cluster() {
    let ns = Namespace::new("complete");
    assert!(completions_of(&ns, &["sparkctl", "status", "-n", "complete"]).contains(&ns.name));
    assert!(completions_of(&ns, &["sparkctl", "submit", "--priority-class", ""]).contains(&"routine".to_owned()));
    assert!(completions_of(&ns, &["sparkctl", "submit", "--queue", ""]).contains(&"default".to_owned()));
    assert_eq!(completions_of(&ns, &["sparkctl", "status", "pi"]), [""; 0]);
    let detached = ["submit", "examples/python-pi.yaml", "--name", "pi-to-complete", "--detach"];
    ns.sparkctl().args(detached).assert().code(0);
    assert_eq!(completions_of(&ns, &["sparkctl", "status", "pi"]), ["pi-to-complete"]);
}
