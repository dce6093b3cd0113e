//! Task groups: what YuniKorn schedules as a gang. They are annotations of the pods.

use serde_json::{Value, json};

use super::plan::Plan;
use super::pod_group::{of_pod, quantities};
use crate::diagnostic::Problem;
use crate::job::scheduling::Scheduler;
use crate::kubernetes::pod::Pod;
use crate::spark::{Role, resources};

const PREFIX: &str = "yunikorn.apache.org";
/// The annotation that says which application a pod is of, over Spark's label.
pub const APPLICATION: &str = "yunikorn.apache.org/app-id";

/// Source: "Gang scheduling" in YuniKorn's user guide: the first pod of an application names all
/// its task groups, each pod its own. The application is known by `spark-app-selector`, or by [`APPLICATION`].
pub fn annotate(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    if plan.scheduler != Scheduler::YuniKorn {
        return Ok(());
    }
    let mut groups = vec![task_group(plan, Role::Driver, 1)?];
    if plan.executors > 0 {
        groups.push(task_group(plan, Role::Executor, plan.executors)?);
    }
    pod.metadata.set_at(&["annotations", &format!("{PREFIX}/task-groups")], Value::from(groups).to_string());
    pod.metadata.set_at(&["annotations", &format!("{PREFIX}/task-group-name")], "spark-driver");
    if let Some(queue) = &plan.job.spec.batch_scheduler_options.queue {
        pod.metadata.set_at(&["labels", "queue"], queue.as_str());
    }
    Ok(())
}

/// The settings that put executors into their task group and queue.
pub fn settings(queue: Option<&String>) -> Vec<(String, String)> {
    let group = format!("spark.kubernetes.executor.annotation.{PREFIX}/task-group-name");
    let queue = queue.map(|queue| ("spark.kubernetes.executor.label.queue".to_owned(), queue.clone()));
    std::iter::once((group, "spark-executor".to_owned())).chain(queue).collect()
}

/// Placeholders must be like the pods that take their places, or YuniKorn reserves where those cannot run.
fn task_group(plan: &Plan, role: Role, members: u32) -> Result<Value, Problem> {
    let spec = plan.job.spec.role(role);
    let mut group = json!({
        "name": format!("spark-{}", role.word()),
        "minMember": members,
        "minResource": quantities(&of_pod(plan, role)?),
    });
    let mut selector = resources::node_selector(&plan.conf, role, plan.version);
    selector.extend(spec.node_selector.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    if !selector.is_empty() {
        group["nodeSelector"] = json!(selector);
    }
    if !spec.tolerations.is_empty() {
        group["tolerations"] = spec.tolerations.iter().map(|toleration| toleration.json.clone()).collect();
    }
    if let Some(affinity) = &spec.affinity {
        group["affinity"] = affinity.json.clone();
    }
    Ok(group)
}
