use std::num::NonZeroUsize;

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Pod;

use super::cluster_args::ClusterArgs;
use crate::cluster::{
    self, Change, Cluster, Failure, Found, LogEvent, Logs as Streams, Part, Refusal, connect, copy_log, find, read,
};
use crate::exit_code::ExitCode;
use crate::follow::follow;
use crate::follow::options::FollowOptions;
use crate::manifests::Application;
use crate::state::{self, Observed};
use crate::terminal::{Interrupt, messages, stdout};

/// Print the log of an application's driver or of an executor
#[derive(Clone, Debug, clap::Args)]
pub struct Logs {
    /// Name of the application or its driver pod
    name: String,
    /// Follow the log until the container ends; for the driver, exit with the application's exit code
    #[arg(long, short)]
    follow: bool,
    /// Print the log of the executor with this ID or pod name instead of the driver's
    #[arg(long, short, value_name = "ID")]
    executor: Option<String>,
    /// Print the log of the driver of this attempt, counted from 1
    #[arg(long, value_name = "N", conflicts_with_all = ["follow", "executor"])]
    attempt: Option<NonZeroUsize>,
    /// Print the log of the container's previous run
    #[arg(long, short, conflicts_with = "follow")]
    previous: bool,
    /// Print only this many of the last lines
    #[arg(long, value_name = "LINES", conflicts_with = "follow")]
    tail: Option<u32>,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Logs {
    pub async fn run(self) -> Result<ExitCode> {
        let cluster = connect(self.cluster_args.options()).await?;
        let Found { application, driver, .. } = find(&cluster, &self.name).await?;
        if let Some(number) = self.attempt {
            let observed = read(&cluster, &application).await?;
            self.copy(&cluster, find_attempt(&observed, number.get(), &application)?).await?;
            return Ok(ExitCode::Succeeded);
        }
        let Some(executor) = &self.executor else {
            if self.follow {
                let interrupt = Interrupt::listen()?;
                return follow(&cluster, &application, &FollowOptions::log_only(), &interrupt).await;
            }
            let Some(driver) = &driver else { bail!("{} has no driver pod yet, and no log", application.name) };
            if driver.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
                bail!("the driver of {} is not on a node yet, and has no log", application.name);
            }
            self.copy(&cluster, driver).await?;
            return Ok(ExitCode::Succeeded);
        };
        let observed = read(&cluster, &application).await?;
        let pod = find_executor(&observed, executor, &application)?;
        if self.follow {
            return follow_executor(&cluster, &application, &pod).await;
        }
        self.copy(&cluster, &pod).await?;
        Ok(ExitCode::Succeeded)
    }

    async fn copy(&self, cluster: &Cluster, pod: &Pod) -> Result<()> {
        if let Some(name) = state::failed_init(pod) {
            messages::line(&format!("init container {name} failed before Spark's container started: this is its log"));
        }
        let part = Part { tail: self.tail.map(i64::from), previous: self.previous };
        let mut out = std::io::stdout().lock();
        copy_log(cluster, pod, part, |piece| stdout::pass(&mut out, piece)).await
    }
}

/// The driver pod of an attempt.
fn find_attempt<'a>(observed: &'a Observed, number: usize, application: &Application) -> Result<&'a Pod, Refusal> {
    state::driver_of_attempt(observed, number).ok_or_else(|| {
        let failure = Failure::Missing("it has no driver pod, or the pod is gone".into());
        Refusal::of(format!("looking for attempt {number} of {}", application.name), failure)
    })
}

/// Finds an executor by its ID or pod name.
fn find_executor(observed: &Observed, wanted: &str, application: &Application) -> Result<Pod, Refusal> {
    let id = |pod: &Pod| state::executor_id(pod).map(str::to_owned);
    let is_wanted = |(name, pod): &(&String, &Pod)| *name == wanted || id(pod).as_deref() == Some(wanted);
    if let Some((_, pod)) = observed.executors.iter().find(is_wanted) {
        return Ok(pod.clone());
    }
    let there: Vec<String> = observed.executors.values().filter_map(id).collect();
    let there = if there.is_empty() {
        "there are no executors".into()
    } else {
        format!("there are executors {}", there.join(", "))
    };
    Err(Refusal {
        doing: format!("looking for executor {wanted} of {}", application.name),
        failure: Failure::Missing(there),
        hint: Some(
            "Spark deletes executors that have ended, unless spark.kubernetes.executor.deleteOnTermination is false"
                .into(),
        ),
        undone: Vec::new(),
    })
}

/// Copies an executor's log until its container ends or its pod is deleted.
async fn follow_executor(cluster: &Cluster, application: &Application, pod: &Pod) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let mut logs = Streams::of(cluster);
    logs.follow(name, pod);
    let mut observer = cluster::observe(cluster, application);
    let mut is_seen = false;
    let mut out = std::io::stdout().lock();
    loop {
        tokio::select! {
            heard = logs.next_remaining() => match heard {
                Some((_, LogEvent::Line(line))) if stdout::pass(&mut out, &line.text)? => {}
                Some((_, LogEvent::Line(_))) => return Ok(ExitCode::Succeeded),
                Some((_, LogEvent::Trouble(what))) => messages::warn(&what),
                Some((_, LogEvent::End)) => {}
                None => return Ok(ExitCode::Succeeded),
            },
            change = observer.changed() => match change {
                Ok(Change::Objects) => {
                    let pod = observer.observed().executors.get(name);
                    is_seen |= pod.is_some();
                    let has_ended = pod.map_or(is_seen, state::executor_has_ended);
                    if has_ended {
                        logs.all_ended();
                    }
                }
                Ok(Change::Trouble(why)) => messages::warn(&why),
                Err(failure) => return Err(Refusal::of("following the executor", failure).into()),
            },
            signal = interrupt.received() => return Ok(signal.exit_code()),
        }
    }
}
