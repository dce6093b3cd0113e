use anyhow::{Result, anyhow, bail};

use super::cluster_args::ClusterArgs;
use super::output;
use crate::cluster;
use crate::exit_code::ExitCode;
use crate::job::overrides::pair;
use crate::kubernetes::{names, quantity};
use crate::manifests::{self, Submitter};
use crate::terminal::{messages, stdout};

/// Print, or apply, the objects that prepare a namespace for Spark applications
///
/// For administrators: the namespace, the drivers' service account and its Role, the Role of submitters, four priority
/// classes, and optionally a Volcano queue. These are the objects in `k8s/`, with your names.
#[derive(clap::Args, Clone, Debug)]
pub struct Setup {
    /// Name of the drivers' service account
    #[arg(long, value_name = "NAME", default_value = "yippee-spark")]
    service_account: String,
    /// Allow this user, group or service account to submit
    #[arg(long = "submitter", value_name = "user:NAME|group:NAME|account:NAMESPACE:NAME", value_parser = submitter, default_value = "group:spark-submitters")]
    submitters: Vec<Submitter>,
    /// Create a Volcano queue for the namespace's applications
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Limit a resource of the queue [default: all of the cluster's]
    #[arg(long, value_name = "RESOURCE=AMOUNT", value_parser = amount, requires = "queue")]
    capability: Vec<(String, String)>,
    /// Apply the objects instead of printing them
    #[arg(long)]
    apply: bool,
    /// Add `preempt` to the actions of Volcano's scheduler; priority classes preempt nothing without it
    #[arg(long, requires = "apply")]
    preempt: bool,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

fn submitter(text: &str) -> Result<Submitter, String> {
    match text.split_once(':').map(|(kind, name)| (kind, name, name.split_once(':'))) {
        Some(("account", _, Some((namespace, name)))) if !name.is_empty() => {
            Ok(Submitter::Account(namespace.into(), name.into()))
        }
        Some(("user", name, _)) if !name.is_empty() => Ok(Submitter::User(name.into())),
        Some(("group", name, _)) if !name.is_empty() => Ok(Submitter::Group(name.into())),
        _ => Err("expected user:NAME, group:NAME or account:NAMESPACE:NAME".into()),
    }
}

fn amount(text: &str) -> Result<(String, String), String> {
    let (name, amount) = pair(text)?;
    quantity::check(&amount)?;
    Ok((name, amount))
}

impl Setup {
    pub async fn run(self) -> Result<ExitCode> {
        let namespace = cluster::namespace(&self.cluster_args.options());
        for name in [&namespace, &self.service_account].into_iter().chain(&self.queue) {
            names::check(name).map_err(|message| anyhow!(message))?;
        }
        let is_named = self.cluster_args.namespace.is_some();
        if self.apply && !is_named {
            bail!("--apply needs the namespace to set up: -n NAME");
        }
        let setup = manifests::Setup {
            namespace,
            account: self.service_account,
            submitters: self.submitters,
            queue: self.queue,
            capability: self.capability,
        };
        let objects = setup.objects().map_err(|error| anyhow!("reading the built-in objects: {error}"))?;
        if self.apply {
            let cluster = cluster::connect(self.cluster_args.options()).await?;
            // The namespace is the first of them.
            for object in &objects {
                messages::line(&format!("applied {}", cluster::apply(&cluster, object).await?));
            }
            if self.preempt {
                let was_missing = cluster::add_preempt_action(&cluster).await?;
                messages::line(if was_missing {
                    "added preempt to Volcano's actions"
                } else {
                    "Volcano's actions already include preempt"
                });
            }
            return Ok(ExitCode::Succeeded);
        }
        let mut out = std::io::stdout().lock();
        for object in &objects {
            stdout::write(&mut out, &format!("---\n{}", output::yaml(&object.0)?))?;
        }
        Ok(ExitCode::Succeeded)
    }
}
