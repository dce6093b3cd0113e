use anyhow::Result;

use super::complete;
use crate::exit_code::ExitCode;
use crate::terminal::stdout;

/// Generate a shell completion script
///
/// Names of applications, namespaces, queues and priority classes are completed from the cluster. For bash, add
/// `source <(sparkctl completions bash)` to ~/.bashrc, and likewise for zsh; for fish, add
/// `sparkctl completions fish | source` to ~/.config/fish/config.fish.
#[derive(clap::Args, Clone, Debug)]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_name = "SHELL", value_parser = complete::registration)]
    script: String,
}

impl Completions {
    pub fn run(self) -> Result<ExitCode> {
        stdout::write(&mut std::io::stdout().lock(), &self.script)?;
        Ok(ExitCode::Succeeded)
    }
}
