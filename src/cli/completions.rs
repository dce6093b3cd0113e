use anyhow::Result;

use super::complete;
use crate::exit_code::ExitCode;
use crate::terminal::stdout;

/// Print what makes a shell complete sparkctl's command lines
///
/// Names of applications, namespaces, queues and priority classes are the cluster's own, asked for when they are
/// wanted. For bash: `source <(sparkctl completions bash)` in ~/.bashrc; zsh likewise; for fish:
/// `sparkctl completions fish | source` in ~/.config/fish/config.fish.
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
