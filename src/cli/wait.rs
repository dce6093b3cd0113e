use std::time::{Duration, Instant};

use anyhow::Result;

use super::cluster_args::ClusterArgs;
use crate::cluster::{self, Change, connect, find};
use crate::exit_code::{self, ExitCode};
use crate::follow::JUDGE;
use crate::report::{self, FailureLogs, FailureReport};
use crate::state::{Ending, Limits, State, Status};
use crate::terminal::{Interrupt, messages};
use crate::time::{duration, until};

/// Wait for an application to start, to succeed, or to finish
///
/// Exits with code 0 once the application is in the state waited for, else with the application's exit code.
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = exit_code::help())]
pub struct Wait {
    /// Name of the application or its driver pod
    name: String,
    /// State to wait for
    #[arg(long = "for", value_enum, value_name = "STATE", default_value = "finished")]
    goal: Goal,
    /// How long to wait before exit code 124 [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Goal {
    /// The driver is running, or has already succeeded
    Running,
    /// The application has succeeded
    Succeeded,
    /// The application has ended, with or without success
    Finished,
}

impl Goal {
    /// The exit code, once there is nothing more to wait for.
    fn reached(self, state: &State) -> Option<ExitCode> {
        match (self, &state.status) {
            (Goal::Running, Status::Running) => Some(ExitCode::Succeeded),
            // An unknown outcome may not be an end.
            (Goal::Finished, Status::Ended(outcome)) if outcome.ending != Ending::Unknown => Some(ExitCode::Succeeded),
            (_, Status::Ended(outcome)) => Some(outcome.ending.exit_code()),
            _ => None,
        }
    }
}

impl Wait {
    pub async fn run(self) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let cluster = connect(self.cluster_args.options()).await?;
        let application = find(&cluster, &self.name).await?.application;
        let mut observer = cluster::observe(&cluster, &application);
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut judge = tokio::time::interval(JUDGE);
        loop {
            let limits = Limits::at(cluster.now());
            let state = State::of(observer.observed(), &limits);
            if let Some(code) = self.goal.reached(&state) {
                if state.outcome().is_some() {
                    let report = FailureReport::of(&application, &state, FailureLogs::default());
                    report.lines().iter().for_each(|line| messages::line(line));
                }
                messages::line(&report::summary(&application, &state));
                return Ok(code);
            }
            tokio::select! {
                change = observer.changed() => match change {
                    Ok(Change::Objects) => {}
                    Ok(Change::Trouble(why)) => messages::warn(&why),
                    Err(failure) => {
                        messages::error(&format!("waiting for {}: {failure}", application.name));
                        return Ok(Ending::Unknown.exit_code());
                    }
                },
                signal = interrupt.received() => {
                    messages::line(&format!("interrupted: {}: {}", application.name, report::words(&state).0));
                    return Ok(signal.exit_code());
                }
                () = until(deadline) => {
                    messages::line(&format!("timed out: {}: {}", application.name, report::words(&state).0));
                    return Ok(ExitCode::TimedOut);
                }
                _ = judge.tick() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Goal;
    use crate::exit_code::ExitCode;
    use crate::state::{Durations, Executors, Outcome, State, Status};

    fn state(status: Status) -> State {
        State {
            status,
            executors: Executors::default(),
            durations: Durations::default(),
            attempt: None,
            node: None,
            lingers: None,
        }
    }

    #[test]
    fn an_unknown_outcome_is_not_an_end() {
        let unknown = state(Status::Ended(Outcome::lost_track("x")));
        assert_eq!(Goal::Finished.reached(&unknown), Some(ExitCode::Unknown));
        assert_eq!(Goal::Running.reached(&unknown), Some(ExitCode::Unknown));
    }

    #[test]
    fn running_is_not_finished() {
        assert_eq!(Goal::Running.reached(&state(Status::Running)), Some(ExitCode::Succeeded));
        assert_eq!(Goal::Finished.reached(&state(Status::Running)), None);
    }
}
