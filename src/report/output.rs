//! The flags for the output of commands.

/// Output format of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// Only warnings and failures
    Quiet,
}

/// How a command that follows an application shows progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Progress {
    /// `live` if stderr is a terminal, `plain` otherwise
    #[default]
    #[value(alias = "text")]
    Auto,
    /// A view that is redrawn on the terminal
    Live,
    /// One line on stderr per change
    Plain,
    /// One JSON object on stdout per change; the last one is the result
    Json,
    /// Only warnings and failures
    Quiet,
}
