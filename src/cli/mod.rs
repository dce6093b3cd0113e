//! The command line: one file per command.

mod attach;
mod cluster_args;
pub mod complete;
mod completions;
mod convert;
mod delete;
mod describe;
mod doctor;
mod events;
mod explain;
mod gc;
mod list;
mod logs;
mod man;
pub mod output;
mod render;
mod schedules;
mod schema;
mod setup;
mod status;
mod submit;
mod ui;
mod validate;
mod wait;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use self::output::report_error;
use crate::exit_code::{self, ExitCode};

/// Run Apache Spark applications on Kubernetes, with no JVM here and nothing installed in the cluster
#[derive(Parser, Debug)]
#[command(name = "sparkctl", version, propagate_version = true, max_term_width = 100, after_long_help = exit_code::help())]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value = "auto", help_heading = "Output")]
    color: Color,
    /// Log requests and responses (-vv for more detail)
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
}

#[derive(Subcommand, Debug)]
enum Command {
    Submit(Box<submit::Submit>),
    Render(Box<render::Render>),
    Validate(Box<validate::Validate>),
    Convert(convert::Convert),
    Doctor(Box<doctor::Doctor>),
    Setup(setup::Setup),
    Explain(explain::Explain),
    Schema(schema::Schema),
    Attach(attach::Attach),
    Status(status::Status),
    List(list::List),
    Wait(wait::Wait),
    Describe(describe::Describe),
    Events(events::Events),
    Logs(logs::Logs),
    Ui(ui::Ui),
    Delete(delete::Delete),
    Completions(completions::Completions),
    Man(man::Man),
    Schedules(schedules::Schedules),
    Suspend(schedules::Suspend),
    Resume(schedules::Resume),
    Run(Box<schedules::Run>),
    Gc(gc::Gc),
}

/// The value of `--color` for help and usage errors, which clap prints before it has parsed the flag.
fn asked_color(arguments: impl Iterator<Item = String>) -> clap::ColorChoice {
    let arguments: Vec<String> = arguments.take_while(|argument| argument != "--").collect();
    let pairs = arguments.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
    let asked = arguments.iter().filter_map(|argument| argument.strip_prefix("--color=")).chain(pairs).next_back();
    match asked {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Cli {
    /// The command under the name that it was started with: `sparkctl`, or `kubectl spark` as a plugin of kubectl.
    pub fn command_as_invoked() -> clap::Command {
        match crate::program::is_plugin() {
            true => Self::command().bin_name("kubectl spark").display_name("kubectl-spark"),
            false => Self::command(),
        }
    }

    /// Parses the command line. Exits on a usage error, and after --help and --version.
    pub fn of_arguments() -> Self {
        let matches = Self::command_as_invoked()
            .color(asked_color(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned())))
            .get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Runs the command.
    ///
    /// # Errors
    /// What ended the command, for [`report_error`].
    pub async fn run(self) -> Result<ExitCode> {
        let choice = match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        match self.command {
            Command::Submit(submit) => submit.run().await,
            Command::Render(render) => render.run(),
            Command::Validate(validate) => validate.run(),
            Command::Convert(convert) => convert.run(),
            Command::Doctor(doctor) => doctor.run().await,
            Command::Setup(setup) => setup.run().await,
            Command::Explain(explain) => explain.run(),
            Command::Schema(schema) => schema.run(),
            Command::Attach(attach) => attach.run().await,
            Command::Status(status) => status.run().await,
            Command::List(list) => list.run().await,
            Command::Wait(wait) => wait.run().await,
            Command::Describe(describe) => describe.run().await,
            Command::Events(events) => events.run().await,
            Command::Ui(ui) => ui.run().await,
            Command::Logs(logs) => logs.run().await,
            Command::Delete(delete) => delete.run().await,
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(Self::command_as_invoked()),
            Command::Schedules(schedules) => schedules.run().await,
            Command::Suspend(suspend) => suspend.run().await,
            Command::Resume(resume) => resume.run().await,
            Command::Run(run) => run.run().await,
            Command::Gc(gc) => gc.run().await,
        }
    }
}
