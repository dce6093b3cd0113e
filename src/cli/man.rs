use std::path::PathBuf;

use crate::exit_code::ExitCode;

use anyhow::{Context, Result};

/// Generate manual pages, one per command
#[derive(clap::Args, Clone, Debug)]
pub struct Man {
    /// Directory for the pages; created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub fn run(self, command: clap::Command) -> Result<ExitCode> {
        let writing = || format!("writing manual pages to {}", self.folder.display());
        std::fs::create_dir_all(&self.folder).with_context(writing)?;
        clap_mangen::generate_to(command, &self.folder).with_context(writing)?;
        Ok(ExitCode::Succeeded)
    }
}
