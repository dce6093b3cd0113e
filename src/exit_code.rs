//! sparkctl's exit codes, the contract with scripts and pipelines: each with its number, the word that results use,
//! its line of help, and whether a retry makes sense.

/// How sparkctl exits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitCode {
    #[default]
    Succeeded,
    Failed,
    Invalid,
    Refused,
    CouldNotStart,
    Lost,
    Unknown,
    Skipped,
    TimedOut,
    HungUp,
    Interrupted,
    Terminated,
    /// A failed driver's own exit code, with `--exit-code-from driver`.
    Driver(u8),
}

/// Whether to run the same command again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// There is nothing to retry, or it is up to whoever interrupted the run.
    NotApplicable,
    Yes,
    No,
    Maybe,
    /// Once the cause is fixed.
    OnceFixed,
    /// The application may still be running: a second one might run beside it.
    CheckFirst,
}

impl ExitCode {
    /// The codes that have a line in the help; a driver's own code can be any.
    pub const ALL: [ExitCode; 12] = [
        ExitCode::Succeeded,
        ExitCode::Failed,
        ExitCode::Invalid,
        ExitCode::Refused,
        ExitCode::CouldNotStart,
        ExitCode::Lost,
        ExitCode::Unknown,
        ExitCode::Skipped,
        ExitCode::TimedOut,
        ExitCode::HungUp,
        ExitCode::Interrupted,
        ExitCode::Terminated,
    ];

    /// The exit code of a failed driver as sparkctl's own.
    pub fn of_driver(code: i32) -> ExitCode {
        u8::try_from(code).map_or(ExitCode::Failed, ExitCode::Driver)
    }

    /// The number that the process exits with. A signal's is 128 more than the signal's, as shells report it.
    pub fn number(self) -> u8 {
        match self {
            ExitCode::Succeeded => 0,
            ExitCode::Failed => 1,
            ExitCode::Invalid => 2,
            ExitCode::Refused => 3,
            ExitCode::CouldNotStart => 4,
            ExitCode::Lost => 5,
            ExitCode::Unknown => 6,
            ExitCode::Skipped => 9,
            ExitCode::TimedOut => 124,
            ExitCode::HungUp => 129,
            ExitCode::Interrupted => 130,
            ExitCode::Terminated => 143,
            ExitCode::Driver(code) => code,
        }
    }

    /// The `outcome` of a result that ends with this code.
    pub fn word(self) -> &'static str {
        match self {
            ExitCode::Succeeded => "Succeeded",
            ExitCode::Failed | ExitCode::Driver(_) => "Failed",
            ExitCode::Invalid => "Invalid",
            ExitCode::Refused => "Refused",
            ExitCode::CouldNotStart => "CouldNotStart",
            ExitCode::Lost => "Lost",
            ExitCode::Unknown => "Unknown",
            ExitCode::Skipped => "Skipped",
            ExitCode::TimedOut => "TimedOut",
            ExitCode::HungUp | ExitCode::Interrupted | ExitCode::Terminated => "Interrupted",
        }
    }

    /// One line for `--help` and the README.
    pub fn help(self) -> &'static str {
        match self {
            ExitCode::Succeeded => "the application succeeded (or was submitted, with --detach)",
            ExitCode::Failed => "the application failed; with --exit-code-from driver, the driver's own code instead",
            ExitCode::Invalid => "invalid command line or job file; nothing was created",
            ExitCode::Refused => {
                "refused by the cluster (credentials, rights, quota, admission, name taken) or the store"
            }
            ExitCode::CouldNotStart => {
                "it could not start: image, secret, volume, or past --start-timeout or --executors-timeout"
            }
            ExitCode::Lost => "it was lost: evicted, preempted, deleted by someone, or its node is gone",
            ExitCode::Unknown => {
                "the cluster (or the store) is unreachable, or the outcome is unknown: it may still be running"
            }
            ExitCode::Skipped => "skipped: an earlier run is still active (--overlap forbid or queue)",
            ExitCode::TimedOut => "--timeout expired",
            ExitCode::HungUp => "the terminal hung up (SIGHUP); the message says whether the application keeps running",
            ExitCode::Interrupted => "interrupted by Ctrl-C (SIGINT); the message says the same",
            ExitCode::Terminated => "terminated (SIGTERM); the message says the same",
            ExitCode::Driver(_) => "the failed driver's own exit code",
        }
    }

    /// Whether to run the same command again.
    pub fn retry(self) -> Retry {
        match self {
            ExitCode::Lost => Retry::Yes,
            ExitCode::Invalid => Retry::No,
            ExitCode::Failed | ExitCode::Driver(_) | ExitCode::TimedOut => Retry::Maybe,
            ExitCode::Refused | ExitCode::CouldNotStart => Retry::OnceFixed,
            ExitCode::Unknown => Retry::CheckFirst,
            ExitCode::Succeeded
            | ExitCode::Skipped
            | ExitCode::HungUp
            | ExitCode::Interrupted
            | ExitCode::Terminated => Retry::NotApplicable,
        }
    }

    /// Whether the same submission is likely to succeed next time with nothing changed, for the `retryable` of a result.
    pub fn is_retryable(self) -> bool {
        self.retry() == Retry::Yes
    }

    /// Whether sparkctl exited while the application may still be running.
    pub fn may_still_run(self) -> bool {
        matches!(
            self,
            ExitCode::Unknown | ExitCode::TimedOut | ExitCode::HungUp | ExitCode::Interrupted | ExitCode::Terminated
        )
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}

/// The exit codes, as a section of `--help`.
pub fn help() -> String {
    let rows = ExitCode::ALL.map(|code| format!("\n  {:<4} {}", code.number(), code.help()));
    format!("Exit codes:{}", rows.concat())
}

#[cfg(test)]
mod tests {
    use super::{ExitCode, Retry};

    /// The table's last column.
    fn advice(retry: Retry) -> &'static str {
        match retry {
            Retry::NotApplicable => "",
            Retry::Yes => "yes",
            Retry::No => "no",
            Retry::Maybe => "maybe",
            Retry::OnceFixed => "once fixed",
            Retry::CheckFirst => "check first",
        }
    }

    /// The rows of the table of exit codes in a page, without the marks of code.
    fn table(page: &str) -> Option<Vec<String>> {
        let page = page.split_once("| exit code | meaning | retry? |\n| --- | --- | --- |\n")?.1;
        let rows = page.lines().take_while(|line| line.starts_with('|'));
        Some(rows.map(|row| row.replace('`', "")).collect())
    }

    #[test]
    fn the_readme_has_the_table_of_exit_codes() {
        let row = |code: ExitCode| format!("| {} | {} | {} |", code.number(), code.help(), advice(code.retry()));
        let rows = ExitCode::ALL.map(row).map(|row| row.replace("  |", " |"));
        assert_eq!(table(include_str!("../README.md")).as_deref(), Some(&rows[..]));
    }

    #[test]
    fn each_code_fits_into_a_line_of_help() {
        let longest = super::help().lines().map(|line| line.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest <= 100), "{longest:?}");
    }

    #[test]
    fn numbers_ascend_and_words_are_those_of_results() {
        assert!(ExitCode::ALL.is_sorted_by_key(|code| code.number()));
        assert_eq!((ExitCode::Driver(7).number(), ExitCode::Driver(7).word()), (7, "Failed"));
        assert_eq!(ExitCode::ALL.into_iter().filter(|code| code.is_retryable()).collect::<Vec<_>>(), [ExitCode::Lost]);
    }
}
