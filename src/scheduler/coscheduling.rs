//! The coscheduling plugin of kube-scheduler: a second kube-scheduler of any name, with PodGroups of its own.

use serde_json::{Value, json};

use super::rules::{Gang, Mark, Rules};

const API: &str = "scheduling.x-k8s.io/v1alpha1";

/// Source: "Coscheduling" in the documentation of `kubernetes-sigs/scheduler-plugins`.
#[derive(Debug)]
pub(super) struct Coscheduling;

impl Rules for Coscheduling {
    fn name(&self) -> Option<&'static str> {
        None
    }

    fn title(&self) -> &'static str {
        "the coscheduling plugin"
    }

    fn api(&self) -> Option<&'static str> {
        Some(API)
    }

    fn has_queues(&self) -> bool {
        false
    }

    fn pod_group(&self, gang: &Gang) -> Option<Value> {
        let spec = json!({"minMember": 1, "minResources": gang.resources});
        Some(json!({"apiVersion": API, "kind": "PodGroup", "spec": spec}))
    }

    fn group_mark(&self) -> Option<Mark> {
        Some(Mark::Label("scheduling.x-k8s.io/pod-group"))
    }
}
