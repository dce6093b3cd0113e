//! Apache YuniKorn: its task groups are annotations of the pods.

use serde_json::{Value, json};

use super::rules::{Gang, Mark, Member, Rules};

/// The annotation that names a pod's task group.
const TASK_GROUP: Mark = Mark::Annotation("yunikorn.apache.org/task-group-name");
/// The label that names a pod's queue.
const QUEUE: &str = "queue";

/// Source: "Gang scheduling" in YuniKorn's user guide: the first pod of an application describes all task groups, and
/// each pod names its own. An application is known by its pods' `spark-app-selector`, or by an annotation.
#[derive(Debug)]
pub(super) struct YuniKorn;

impl Rules for YuniKorn {
    fn name(&self) -> Option<&'static str> {
        Some("yunikorn")
    }

    fn title(&self) -> &'static str {
        "YuniKorn"
    }

    fn needs_gang(&self) -> bool {
        true
    }

    fn driver_marks(&self, gang: &Gang) -> Vec<(Mark, String)> {
        let groups: Vec<Value> = gang.members.iter().map(task_group).collect();
        let mut marks = vec![
            (Mark::Annotation("yunikorn.apache.org/task-groups"), Value::from(groups).to_string()),
            (TASK_GROUP, "spark-driver".to_owned()),
        ];
        marks.extend(gang.queue.map(|queue| (Mark::Label(QUEUE), queue.to_owned())));
        marks
    }

    fn executor_marks(&self, queue: Option<&str>) -> Vec<(Mark, String)> {
        let queue = queue.map(|queue| (Mark::Label(QUEUE), queue.to_owned()));
        std::iter::once((TASK_GROUP, "spark-executor".to_owned())).chain(queue).collect()
    }

    fn queue_label(&self) -> Option<&'static str> {
        Some(QUEUE)
    }

    fn application_annotation(&self) -> Option<&'static str> {
        Some("yunikorn.apache.org/app-id")
    }
}

/// A task group. Its placeholders must be like the pods that replace them, or YuniKorn reserves room where those cannot
/// run.
fn task_group(member: &Member) -> Value {
    let mut group = json!({
        "name": format!("spark-{}", member.role.word()),
        "minMember": member.count,
        "minResource": member.request,
    });
    if !member.node_selector.is_empty() {
        group["nodeSelector"] = json!(member.node_selector);
    }
    if !member.tolerations.is_empty() {
        group["tolerations"] = member.tolerations.clone().into();
    }
    if let Some(affinity) = &member.affinity {
        group["affinity"] = affinity.clone();
    }
    group
}
