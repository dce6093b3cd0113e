//! Shell completion, with names from the cluster.

use std::time::Duration;

use clap::Command;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::cluster_args::ClusterArgs;
use crate::cluster::{self, Cluster};
use crate::scheduler::{self, Rules};

/// The environment variable with which a shell asks for completions.
const ASKED: &str = "SPARKCTL_COMPLETE";

/// How long to ask the cluster for names; then there are none.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers a shell that asks for completions, and exits; otherwise does nothing. Must be called before there is an async
/// runtime, because it starts one of its own.
pub fn answer(command: fn() -> Command) {
    CompleteEnv::with_factory(move || with_names(command())).var(ASKED).complete();
}

/// The script that registers the completions with a shell.
pub fn registration(shell: &str) -> Result<String, String> {
    let shells = Shells::builtins();
    let known = || shells.names().collect::<Vec<_>>().join(", ");
    let completer = shells.completer(shell).ok_or_else(|| format!("expected one of {}", known()))?;
    let mut script = Vec::new();
    let written = completer.write_registration(ASKED, "sparkctl", "sparkctl", "sparkctl", &mut script);
    written.map_err(|error| error.to_string())?;
    String::from_utf8(script).map_err(|error| error.to_string())
}

/// The queues that are the whole cluster's.
fn queues() -> Vec<CompletionCandidate> {
    let queues = scheduler::all().filter_map(Rules::queues).filter(|queues| !queues.is_namespaced);
    queues.flat_map(|queues| asked(&format!("/apis/{}/{}", queues.version, queues.plural))).collect()
}

/// Adds completers to the arguments that name something in the cluster.
fn with_names(command: Command) -> Command {
    let named = |id: &str, of_application: bool| {
        let names: fn() -> Vec<CompletionCandidate> = match id {
            "namespace" => || asked("/api/v1/namespaces"),
            "queue" => queues,
            "priority_class" => || asked("/apis/scheduling.k8s.io/v1/priorityclasses"),
            "name" | "names" if of_application => applications,
            _ => return None,
        };
        Some(ArgValueCandidates::new(names))
    };
    command.mut_subcommands(|subcommand| {
        let of_application =
            ["attach", "status", "wait", "describe", "events", "logs", "ui", "delete"].contains(&subcommand.get_name());
        subcommand.mut_args(|argument| match named(argument.get_id().as_str(), of_application) {
            Some(names) => argument.add(names),
            None => argument,
        })
    })
}

fn asked(path: &str) -> Vec<CompletionCandidate> {
    candidates(async move |cluster| cluster::names(&cluster, path).await.unwrap_or_default())
}

fn applications() -> Vec<CompletionCandidate> {
    candidates(async |cluster| {
        let found = cluster::list(&cluster, None).await.unwrap_or_default();
        found.into_iter().map(|(application, _)| application.name).collect()
    })
}

/// The names as candidates; none if the cluster is unreachable.
fn candidates(names: impl AsyncFnOnce(Cluster) -> Vec<String>) -> Vec<CompletionCandidate> {
    let cluster_args = cluster_args(std::env::args());
    let ask = async {
        let cluster = cluster::connect(cluster_args.options()).await.ok()?;
        Some(names(cluster).await)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let names = runtime
        .ok()
        .and_then(|runtime| runtime.block_on(async { tokio::time::timeout(PATIENCE, ask).await.ok().flatten() }));
    let mut names = names.unwrap_or_default();
    names.sort();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The cluster and namespace that the unfinished command line names.
fn cluster_args(words: impl Iterator<Item = String>) -> ClusterArgs {
    let mut words = words.peekable();
    let mut cluster_args = ClusterArgs {
        namespace: std::env::var("SPARKCTL_NAMESPACE").ok(),
        context: std::env::var("SPARKCTL_CONTEXT").ok(),
        ..ClusterArgs::default()
    };
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), words.peek().cloned()),
        };
        match flag {
            "-n" | "--namespace" => {
                cluster_args.namespace = value.filter(|value| !value.is_empty()).or(cluster_args.namespace)
            }
            "--context" => cluster_args.context = value.or(cluster_args.context),
            "--kubeconfig" => cluster_args.kubeconfig = value.map(Into::into).or(cluster_args.kubeconfig),
            _ => {}
        }
    }
    cluster_args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_cluster_from_an_unfinished_line() {
        let words = "sparkctl -- sparkctl status -n data --context=prod --kubeconfig k.yaml ";
        let cluster_args = cluster_args(words.split(' ').map(str::to_owned));
        assert_eq!(cluster_args.namespace.as_deref(), Some("data"));
        assert_eq!(cluster_args.context.as_deref(), Some("prod"));
        assert_eq!(cluster_args.kubeconfig, Some("k.yaml".into()));
    }

    #[test]
    fn registers_with_the_usual_shells_and_no_other() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = registration(shell).unwrap();
            assert!(script.contains(ASKED), "{script}");
        }
        assert!(registration("tcsh").unwrap_err().starts_with("expected one of bash"));
    }
}
