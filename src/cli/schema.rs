use anyhow::Result;

use crate::exit_code::ExitCode;
use crate::job::explain;
use crate::terminal::stdout;

/// Print the JSON Schema of the job file, for editors
#[derive(clap::Args, Clone, Debug)]
pub struct Schema {}

impl Schema {
    pub fn run(self) -> Result<ExitCode> {
        stdout::write(&mut std::io::stdout().lock(), &format!("{:#}\n", explain::schema()))?;
        Ok(ExitCode::Succeeded)
    }
}
