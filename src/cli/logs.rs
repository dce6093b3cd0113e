use anyhow::{Result, bail};

use super::follow::{FollowOptions, follow};
use super::interrupt::Interrupt;
use super::place::Place;
use crate::cluster::{connect, find, whole_log};

/// Copy an application's driver log to stdout
#[derive(Clone, Debug, clap::Args)]
pub struct Logs {
    /// Name of the application, or of its driver's pod
    name: String,
    /// Go on until the driver ends, through reconnections, and end with the application's exit code
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    place: Place,
}

impl Logs {
    pub async fn run(self) -> Result<u8> {
        let cluster = connect(self.place.options()).await?;
        let found = find(&cluster, &self.name).await?;
        if self.follow {
            let interrupt = Interrupt::listen()?;
            return follow(&cluster, &found.application, &FollowOptions::log_only(), &interrupt).await;
        }
        let Some(driver) = &found.driver else {
            bail!("{} has no driver's pod yet, and no log", found.application.name);
        };
        whole_log(&cluster, driver, &mut std::io::stdout().lock()).await?;
        Ok(0)
    }
}
