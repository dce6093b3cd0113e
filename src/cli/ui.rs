use std::io::IsTerminal;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use tokio::net::{TcpListener, TcpStream};

use super::cluster_args::ClusterArgs;
use crate::cluster::{self, Cluster, connect, find, forward};
use crate::exit_code::ExitCode;
use crate::follow::JUDGE;
use crate::state::{self, Limits, State, Status};
use crate::terminal::{Interrupt, messages, stdout};

/// Forward a local port to an application's Spark UI, until Ctrl-C or the application's end
#[derive(Clone, Debug, clap::Args)]
pub struct Ui {
    /// Name of the application or its driver pod
    name: String,
    /// Local port; 0 picks a free one
    #[arg(long, short, default_value_t = 4040)]
    port: u16,
    /// Print the address without opening a browser
    #[arg(long)]
    no_open: bool,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Ui {
    pub async fn run(self) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let cluster = connect(self.cluster_args.options()).await?;
        let application = find(&cluster, &self.name).await?.application;
        let mut observer = cluster::observe(&cluster, &application);
        let state = loop {
            let limits = Limits::at(cluster.now());
            match State::of(observer.observed(), &limits) {
                State { status: Status::Unseen, .. } => observer
                    .changed()
                    .await
                    .map_err(|failure| cluster::Refusal::of(format!("looking at {}", application.name), failure))?,
                state => break state,
            };
        };
        if state.status != Status::Running {
            bail!(
                "{} is {}: only a running driver has a Spark UI; the history server shows ended applications that log events",
                application.name,
                state.status.word()
            );
        }
        let Some(driver) = observer.observed().driver.clone() else {
            bail!("{} has no driver pod", application.name);
        };
        let listener = match TcpListener::bind(("127.0.0.1", self.port)).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                messages::warn(&format!("local port {} is in use", self.port));
                TcpListener::bind(("127.0.0.1", 0)).await
            }
            bound => bound,
        };
        let listener = listener.context("listening on this machine")?;
        let address = format!("http://{}", listener.local_addr()?);
        stdout::write(&mut std::io::stdout().lock(), &format!("{address}\n"))?;
        if std::io::stdout().is_terminal() && !self.no_open {
            open(&address);
        }
        messages::line(&format!(
            "forwarding to the Spark UI of {}; Ctrl-C stops forwarding, not the application",
            application.name
        ));
        let target = Arc::new((cluster.clone(), driver));
        let mut judge = tokio::time::interval(JUDGE);
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (socket, _) = accepted.context("listening on this machine")?;
                    tokio::spawn(serve(socket, target.clone()));
                }
                change = observer.changed() => {
                    change.map_err(|failure| cluster::Refusal::of(format!("looking at {}", application.name), failure))?;
                }
                _ = interrupt.received() => return Ok(ExitCode::Succeeded),
                _ = judge.tick() => {
                    let limits = Limits::at(cluster.now());
                    if State::of(observer.observed(), &limits).outcome().is_some() {
                        messages::line(&format!("{} has ended", application.name));
                        return Ok(ExitCode::Succeeded);
                    }
                }
            }
        }
    }
}

async fn serve(mut socket: TcpStream, target: Arc<(Cluster, Pod)>) {
    let (cluster, driver) = &*target;
    if let Err(refusal) = forward(cluster, driver, state::ui_port(driver), &mut socket).await {
        messages::warn(&refusal.to_string());
    }
}

/// Opens the browser, if there is one.
fn open(address: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let opened = Command::new(program).arg(address).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        messages::hint("could not start a browser: open the address yourself");
    }
}
