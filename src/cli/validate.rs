use anyhow::Result;
use k8s_openapi::jiff::Timestamp;

use super::cluster_args::ClusterArgs;
use super::output::Form;
use crate::exit_code::ExitCode;
use crate::input::sources::Sources;
use crate::report::JsonLine;
use crate::terminal::{messages, stdout};

/// Say what is wrong with job files, all at once, without a cluster
#[derive(clap::Args, Clone, Debug)]
pub struct Validate {
    #[command(flatten)]
    sources: Sources,
    /// How to say it: `json` is one object per problem on stdout
    #[arg(long, short, value_enum, default_value = "text", help_heading = "Output")]
    output: Form,
    /// Whether a warning is an error
    #[arg(long, help_heading = "Output")]
    strict: bool,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Validate {
    pub fn run(self) -> Result<ExitCode> {
        let sources = self.sources.read(self.cluster_args.namespace.as_deref())?;
        let mut bad = false;
        for source in &sources {
            bad |= source.has_errors() || (self.strict && !source.problems.is_empty());
            match self.output {
                Form::Json => {
                    let now = Timestamp::now();
                    let problems = source.problems.iter().map(|problem| problem.json(&source.name));
                    stdout::print(problems.map(|problem| JsonLine::new("problem", problem, now)))?;
                }
                Form::Text => {
                    source.print_problems();
                    if !source.has_errors() {
                        let jobs = match source.jobs.len() {
                            1 => "a valid job".to_owned(),
                            several => format!("{several} valid jobs"),
                        };
                        messages::line(&format!("{}: {jobs}", source.name));
                    }
                }
            }
        }
        Ok(if bad { ExitCode::Invalid } else { ExitCode::Succeeded })
    }
}
