//! sparkctl runs Apache Spark applications on Kubernetes: `sparkctl submit job.yaml`.
//!
//! ```text
//! job file ──┐
//!            ├─► Job ──► Manifests ──► submit ──► observe ──► State ──► report ──► exit code
//! flags ─────┘   (typed)  (pure)       (cluster)  (watches)   (pure)    (text, live, JSON)
//! ```
//!
//! | module | what it owns |
//! | --- | --- |
//! | `spark`, `kubernetes` | the rules of Spark and of Kubernetes |
//! | `job` | the job file: its fields, what is wrong with it, and the flags that win over it |
//! | `manifests` | the Kubernetes objects of a job |
//! | `state` | what an application is doing, why it waits, and how it ended |
//! | `doctor` | whether a job can run, from what the cluster has |
//! | `report` | states and failures in words: text, JSON, and the formats of CI systems |
//! | `terminal` | messages, the live view, stdout, and signals |
//! | `input`, `upload` | where a job and its files come from, and where large files go |
//! | `cluster` | requests to the API server, and watches |
//! | `local` | the same job on this machine |
//! | `follow` | from a submitted application to an exit code |
//! | `cli` | one file per command |
//! | `exit_code` | the exit codes |
//! | `diagnostic`, `redaction`, `program`, `time` | problems of a file, secrets, sparkctl's own name, durations |
//!
//! The modules from `spark` to `report` take values and return values: files, clocks, random names and the cluster are
//! their arguments. `docs/architecture.md` describes the modules and how to change them.

mod cli;
mod cluster;
mod diagnostic;
mod doctor;
mod exit_code;
mod follow;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod input;
mod job;
mod kubernetes;
mod local;
mod manifests;
mod program;
mod redaction;
mod report;
mod scheduler;
mod spark;
mod state;
mod terminal;
mod time;
mod upload;

use std::process;

use tracing_subscriber::EnvFilter;

/// Runs sparkctl with the arguments of this process.
pub fn main() -> process::ExitCode {
    program::set_name(std::env::args_os().next().as_deref());
    cli::complete::answer(cli::Cli::command_as_invoked);
    run()
}

#[tokio::main]
async fn run() -> process::ExitCode {
    let cli = cli::Cli::of_arguments();
    log(cli.verbose);
    match cli.run().await {
        Ok(code) => code.into(),
        Err(error) => cli::report_error(&error).into(),
    }
}

/// Sends log lines to stderr. The kube libraries log what messages say anyway, so they are off unless asked for.
fn log(verbose: u8) {
    let filter = match verbose {
        0 => "warn,kube_client=off,kube_runtime=off",
        1 => "info,sparkctl=debug,kube_client=off,kube_runtime=off",
        _ => "debug,hyper_util=info,rustls=info,h2=info",
    };
    let filter = EnvFilter::try_from_env("SPARKCTL_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It would report its own errors on the stderr that it cannot write to, and panic.
    lines.log_internal_errors(false).init();
}
