//! `sparkctl submit job.yaml`: runs an Apache Spark application on Kubernetes.
//!
//! ```text
//! job file ──┐
//!            ├─► Job ──► Manifests ──► submit ──► observe ──► State ──► report ──► exit code
//! flags ─────┘   (typed)  (pure)       (cluster)  (watches)   (pure)    (text, live, JSON)
//! ```

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

/// The program.
pub fn main() -> process::ExitCode {
    program::set_name(std::env::args_os().next().as_deref());
    cli::complete::answer(cli::Cli::called);
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

/// What is said of the inner workings, on stderr. The kube libraries repeat what is told anyway, so
/// they are silent until they are asked for.
fn log(verbose: u8) {
    let filter = match verbose {
        0 => "warn,kube_client=off,kube_runtime=off",
        1 => "info,sparkctl=debug,kube_client=off,kube_runtime=off",
        _ => "debug,hyper_util=info,rustls=info,h2=info",
    };
    let filter = EnvFilter::try_from_env("SPARKCTL_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Its own errors it would tell on the stderr that it could not write to, and panic.
    lines.log_internal_errors(false).init();
}
