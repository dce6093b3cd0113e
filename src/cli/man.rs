use std::path::PathBuf;

use crate::exit_code::ExitCode;

use anyhow::{Context, Result};

/// Write manual pages, one for each command, into a folder
#[derive(clap::Args, Clone, Debug)]
pub struct Man {
    /// Folder for the pages; it is made if it is not there
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
