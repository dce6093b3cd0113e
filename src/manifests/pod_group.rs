//! The PodGroup: what Volcano schedules as a gang.

use serde_json::{Map, Value, json};

use super::Object;
use super::driver::{custom_resources, driver_cpu};
use super::plan::Plan;
use crate::job::problem::Problem;
use crate::job::role::RoleSpec;
use crate::job::scheduling::Scheduler;
use crate::spark::memory::{self, Role};
use crate::spark::quantity;

/// The PodGroup of driver and executors.
///
/// `minMember` is 1, for executors do not exist before their driver runs, and Volcano counts
/// pods that exist. What keeps drivers from starting where their executors cannot is
/// `minResources`: the queue lets the gang in only when all of it has room.
pub fn gang(plan: &Plan) -> Result<Option<Object>, Problem> {
    if plan.scheduler != Scheduler::Volcano || plan.has_own_group() {
        return Ok(None);
    }
    let options = &plan.job.spec.batch_scheduler_options;
    let mut spec = json!({"minMember": 1, "minResources": resources(plan)?});
    if let Some(queue) = &options.queue {
        spec["queue"] = queue.as_str().into();
    }
    if let Some(class) = &options.priority_class_name {
        spec["priorityClassName"] = class.as_str().into();
    }
    Ok(Some(Object(json!({
        "apiVersion": "scheduling.volcano.sh/v1beta1",
        "kind": "PodGroup",
        "metadata": {
            "name": plan.names.pod_group,
            "namespace": plan.names.namespace,
            "labels": plan.object_labels(),
        },
        "spec": spec,
    }))))
}

/// What the whole gang asks for at its start, unless the job file says it.
fn resources(plan: &Plan) -> Result<Map<String, Value>, Problem> {
    let given = &plan.job.spec.batch_scheduler_options.resources;
    if !given.is_empty() {
        return Ok(given.iter().map(|(name, quantity)| (name.clone(), quantity.0.as_str().into())).collect());
    }
    let driver = Request::of(plan, Role::Driver)?;
    let executor = Request::of(plan, Role::Executor)?;
    let executors = u64::from(plan.executors());
    let mut resources = Map::new();
    resources.insert("cpu".into(), cpu(driver.millicores + executors * executor.millicores).into());
    resources.insert("memory".into(), format!("{}Mi", driver.mebibytes + executors * executor.mebibytes).into());
    let mut others: std::collections::BTreeMap<String, u64> = driver.others.into_iter().collect();
    for (name, amount) in executor.others {
        *others.entry(name).or_default() += executors * amount;
    }
    resources.extend(
        others.into_iter().filter(|(_, amount)| *amount > 0).map(|(name, amount)| (name, amount.to_string().into())),
    );
    Ok(resources)
}

/// What one pod asks for.
pub struct Request {
    pub millicores: u64,
    pub mebibytes: u64,
    /// GPUs and their like.
    pub others: Vec<(String, u64)>,
}

impl Request {
    pub fn of(plan: &Plan, role: Role) -> Result<Self, Problem> {
        let conf = &plan.conf;
        let language = plan.job.language();
        let python = language == crate::job::spec::Language::Python;
        let spec: &RoleSpec = match role {
            Role::Driver => &plan.job.spec.driver.role,
            Role::Executor => &plan.job.spec.executor.role,
        };
        let cores = match role {
            Role::Driver => driver_cpu(conf),
            Role::Executor => {
                let cores =
                    conf.given("spark.kubernetes.executor.request.cores").or(conf.given("spark.executor.cores"));
                cores.unwrap_or("1")
            }
        };
        let mut others: Vec<(String, u64)> = custom_resources(conf, role)?
            .into_iter()
            .map(|(name, amount)| (name, amount.parse().unwrap_or_default()))
            .collect();
        if let Some(gpu) =
            spec.gpu.as_ref().filter(|gpu| !gpu.name.is_empty() && others.iter().all(|(name, _)| *name != gpu.name))
        {
            others.push((gpu.name.clone(), u64::try_from(*gpu.quantity).unwrap_or_default()));
        }
        Ok(Self {
            millicores: (quantity::value(cores).unwrap_or(1.0) * 1000.0).ceil() as u64,
            mebibytes: memory::request(conf, role, plan.version, language.is_foreign(), python)?,
            others,
        })
    }
}

/// CPU in Kubernetes' shortest form: `3` or `2500m`.
fn cpu(millicores: u64) -> String {
    match millicores % 1000 {
        0 => (millicores / 1000).to_string(),
        _ => format!("{millicores}m"),
    }
}
