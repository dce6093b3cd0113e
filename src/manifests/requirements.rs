//! What an application will ask of a cluster: its objects, and the executors that its driver will make.

use serde_json::{Map, Value, json};

use super::application::Manifests;
use super::gang::{of_application, of_pod, quantities};
use super::plan::Plan;
use super::{executor, objects, planning};
use crate::diagnostic::Problem;
use crate::job::{Job, Submission};
use crate::kubernetes::{Object, names};
use crate::scheduler::Scheduler;
use crate::spark::Role;

/// What has to be there for an application to run.
#[derive(Clone, Debug)]
pub struct Requirements {
    pub name: String,
    pub namespace: String,
    pub manifests: Manifests,
    pub scheduler: Scheduler,
    pub queue: Option<String>,
    pub executors: u32,
    /// The driver's pod, whoever makes it.
    pub driver: Value,
    /// An executor's pod, as its driver's Spark will make it.
    pub executor: Value,
    /// What the driver, one executor, and all of the start ask for.
    pub of_driver: Map<String, Value>,
    pub of_executor: Map<String, Value>,
    pub of_all: Map<String, Value>,
    /// Storage classes of claims that are made on demand.
    pub storage_classes: Vec<String>,
    /// Whether the driver makes claims for its executors.
    pub makes_claims: bool,
}

impl Requirements {
    /// # Errors
    /// Settings that Spark would refuse.
    pub fn of(job: &Job, namespace: &str, submission: &Submission) -> Result<Self, Problem> {
        let (manifests, application) = objects::of(job, namespace, submission)?;
        let plan = planning::plan(job, namespace, submission);
        let of_executor = quantities(&of_pod(&plan, Role::Executor)?);
        let claims = plan.conf.with_prefix("spark.kubernetes.").filter(|(key, _)| {
            key.contains(".volumes.persistentVolumeClaim.") && key.ends_with(".options.storageClass")
        });
        let mut storage_classes: Vec<String> = claims.map(|(_, class)| class.to_owned()).collect();
        storage_classes.sort();
        storage_classes.dedup();
        Ok(Self {
            name: application.name,
            namespace: namespace.to_owned(),
            scheduler: plan.scheduler.clone(),
            queue: job.queue().cloned(),
            executors: plan.allocation.initial,
            driver: driver(&manifests.carrier),
            executor: executor::pod(&plan)?.0,
            of_driver: quantities(&of_pod(&plan, Role::Driver)?),
            of_executor,
            of_all: quantities(&of_application(&plan)?),
            storage_classes,
            makes_claims: makes_claims(&plan),
            manifests,
        })
    }
}

/// Source: `MountVolumesFeatureStep` of Spark.
fn makes_claims(plan: &Plan) -> bool {
    let volumes = plan.conf.with_prefix("spark.kubernetes.executor.volumes.persistentVolumeClaim.");
    volumes.into_iter().any(|(key, value)| key.ends_with(".options.claimName") && value == "OnDemand")
}

/// The driver's pod, as a Job or a CronJob makes it where it is not the carrier itself.
fn driver(carrier: &Object) -> Value {
    let templates = ["/spec/template", "/spec/jobTemplate/spec/template"];
    match templates.iter().find_map(|template| carrier.0.pointer(template)) {
        None => carrier.0.clone(),
        Some(template) => {
            let mut metadata = template["metadata"].clone();
            metadata["name"] = names::cut(carrier.name(), "-driver", names::LABEL).into();
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        }
    }
}
