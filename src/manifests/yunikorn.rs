//! Task groups: what YuniKorn schedules as a gang. They are annotations of the pods.

use serde_json::{Value, json};

use super::plan::Plan;
use super::pod::Pod;
use super::pod_group::Request;
use crate::job::role::RoleSpec;
use crate::job::scheduling::Scheduler;
use crate::spark::memory::Role;

const PREFIX: &str = "yunikorn.apache.org";

/// Source: "Gang scheduling" in YuniKorn's user guide: the first pod of an application names all
/// its task groups, each pod its own. The application is known by `spark-app-selector`.
pub fn annotate(plan: &Plan, pod: &mut Pod) {
    if plan.scheduler != Scheduler::YuniKorn {
        return;
    }
    let mut groups = vec![task_group(plan, Role::Driver, 1)];
    if plan.executors() > 0 {
        groups.push(task_group(plan, Role::Executor, plan.executors()));
    }
    let groups: Vec<Value> = groups.into_iter().flatten().collect();
    pod.metadata.set_at(&["annotations", &format!("{PREFIX}/task-groups")], Value::from(groups).to_string());
    pod.metadata.set_at(&["annotations", &format!("{PREFIX}/task-group-name")], "spark-driver");
    if let Some(queue) = &plan.job.spec.batch_scheduler_options.queue {
        pod.metadata.set_at(&["labels", "queue"], queue.as_str());
    }
}

/// What executors carry of it.
pub fn settings(queue: Option<&str>, conf: &mut crate::spark::Conf) {
    conf.set(format!("spark.kubernetes.executor.annotation.{PREFIX}/task-group-name"), "spark-executor");
    conf.set_some("spark.kubernetes.executor.label.queue", queue);
}

fn task_group(plan: &Plan, role: Role, members: u32) -> Option<Value> {
    let request = Request::of(plan, role).ok()?;
    let spec: &RoleSpec = match role {
        Role::Driver => &plan.job.spec.driver.role,
        Role::Executor => &plan.job.spec.executor.role,
    };
    let mut resource = json!({"cpu": format!("{}m", request.millicores), "memory": format!("{}Mi", request.mebibytes)});
    for (name, amount) in request.others {
        resource[name] = amount.to_string().into();
    }
    let mut group = json!({"name": format!("spark-{}", role.word()), "minMember": members, "minResource": resource});
    let mut selector = plan.job.spec.node_selector.clone();
    selector.extend(spec.node_selector.clone());
    if !selector.is_empty() {
        group["nodeSelector"] = json!(selector);
    }
    if !spec.tolerations.is_empty() {
        group["tolerations"] = spec.tolerations.iter().map(|toleration| toleration.json.clone()).collect();
    }
    if let Some(affinity) = &spec.affinity {
        group["affinity"] = affinity.json.clone();
    }
    Some(group)
}
