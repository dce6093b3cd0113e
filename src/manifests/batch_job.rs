//! The Job: attempts at an application, made one after another by the cluster's own controller.

use serde_json::{Value, json};

use super::driver;
use super::labels::{HOLD, NAME_ANNOTATION};
use super::plan::Plan;
use crate::diagnostic::Problem;
use crate::job::restart::{Again, Supervision};
use crate::kubernetes::Object;

/// How many failures, and how many losses, the Job controller has counted before a pod of a Job with an index.
pub const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
pub const IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";

/// What a JVM ends with that was told to stop: its pod was deleted.
pub const TERMINATED: i32 = 143;

/// How many drivers may be lost, one after another, before the Job is failed. Kubernetes knows no such limit, and cannot
/// tell a driver that was deleted from one that always ends itself with 143: that one would be run for ever.
pub const LOSSES: u32 = 20;

/// The init container that refuses one driver more, and the exit code by which the Job is failed then.
pub const LOSS_LIMIT: &str = "sparkctl-loss-limit";
const TOO_MANY: i32 = 78;

/// The Job, held until its companions exist.
pub fn job(plan: &Plan, supervision: Supervision) -> Result<Object, Problem> {
    let mut spec = spec(plan, supervision)?;
    spec["suspend"] = true.into();
    Ok(Object(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": plan.names.carrier,
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
            "annotations": {NAME_ANNOTATION: plan.name, HOLD: "true"},
        },
        "spec": spec,
    })))
}

/// A driver that was preempted, evicted, lost with its node or deleted has not failed, and is replaced
/// without being counted, up to a limit, but for an application that is to run once: that one ends. Its successor
/// waits until it has ended, so that two drivers never overlap.
pub fn spec(plan: &Plan, supervision: Supervision) -> Result<Value, Problem> {
    // There is no Job without an end: two thousand million attempts are as good.
    let (completions, retries) = match supervision.again {
        Again::Always => (i32::MAX, i32::MAX),
        Again::AfterFailures(retries) => (1, retries),
    };
    let mut spec = json!({
        "completions": completions,
        "parallelism": 1,
        "backoffLimit": retries,
        "podReplacementPolicy": "Failed",
        "template": driver::template(plan)?.into_template(),
    });
    if supervision.counts_losses() {
        // Only to a pod with an index the Job controller says how many before it were not counted.
        spec["completionMode"] = "Indexed".into();
        spec["backoffLimitPerIndex"] = retries.into();
        let limit = loss_limit(plan, &spec["template"]["spec"]);
        let init = &mut spec["template"]["spec"]["initContainers"];
        match init.as_array_mut() {
            Some(containers) => containers.insert(0, limit),
            None => *init = json!([limit]),
        }
    }
    if retries > 0 {
        let too_many = json!({"action": "FailJob", "onExitCodes": {
            "containerName": LOSS_LIMIT, "operator": "In", "values": [TOO_MANY],
        }});
        let disrupted =
            json!({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]});
        let terminated = json!({"action": "Ignore", "onExitCodes": {
            "containerName": plan.driver_container, "operator": "In", "values": [TERMINATED],
        }});
        let rules = supervision.counts_losses().then_some(too_many).into_iter().chain([disrupted, terminated]);
        spec["podFailurePolicy"] = json!({"rules": rules.collect::<Vec<_>>()});
    }
    if let Some(seconds) = supervision.time_to_live {
        spec["ttlSecondsAfterFinished"] = seconds.into();
    }
    Ok(spec)
}

/// In the driver's image, which is there already, and with its resources, which are free until it starts.
fn loss_limit(plan: &Plan, pod: &Value) -> Value {
    let mut containers = pod["containers"].as_array().into_iter().flatten();
    let driver = containers.find(|container| container["name"] == plan.driver_container.as_str());
    let driver = driver.unwrap_or(&Value::Null);
    let amounts = |of: &str| {
        let given = |name: &str| Some((name.to_owned(), driver["resources"][of].get(name)?.clone()));
        ["cpu", "memory", "ephemeral-storage"].into_iter().filter_map(given).collect::<serde_json::Map<_, _>>()
    };
    let losses = format!("metadata.annotations['{IGNORED_FAILURES}']");
    let mut container = json!({
        "name": LOSS_LIMIT,
        "image": driver["image"],
        "imagePullPolicy": driver["imagePullPolicy"],
        "command": ["/bin/sh", "-c", format!("[ \"${{LOSSES:-0}}\" -lt {LOSSES} ] || exit {TOO_MANY}")],
        "env": [{"name": "LOSSES", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": losses}}}],
        "resources": {"requests": amounts("requests"), "limits": amounts("limits")},
    });
    if let Some(context) = driver.get("securityContext") {
        container["securityContext"] = context.clone();
    }
    container
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::LOSS_LIMIT;
    use crate::job::{self, Overrides, Variables};
    use crate::manifests::{self, Manifests, Submission};

    /// What a job with these lines in its `spec` becomes.
    fn manifests(kind: &str, spec: &str) -> Manifests {
        let text = format!(
            "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: {kind}\nmetadata: {{name: pi.{}}}\nspec:\n{spec}",
            "x".repeat(50)
        );
        let (jobs, problems) = job::read(&text, &Variables::default());
        assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
        let job = jobs.into_iter().next().expect("a job").with(Overrides::default());
        let submission = Submission { id: "0".repeat(32), user: "jo".into(), key: None };
        manifests::of(&job, "jobs", &submission).expect("manifests").0
    }

    const PI: &str = "{type: Python, sparkVersion: 4.1.4, image: spark:4.1.4, mainApplicationFile: local:///pi.py";

    fn of_policy(policy: &str) -> Manifests {
        manifests("SparkApplication", &format!("  {PI}, {policy}}}\n"))
    }

    fn scheduled() -> Manifests {
        manifests("ScheduledSparkApplication", &format!("  schedule: '@daily'\n  template: {PI}}}\n"))
    }

    #[test]
    fn a_failure_is_counted_and_a_loss_is_not() {
        let job = of_policy("restartPolicy: {type: OnFailure, onFailureRetries: 3}, timeToLiveSeconds: 60").carrier.0;
        assert_eq!(job["spec"]["backoffLimit"], 3);
        assert_eq!(job["spec"]["completions"], 1);
        assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 60);
        let rules = job["spec"]["podFailurePolicy"]["rules"].as_array().expect("rules");
        assert_eq!(rules[1]["onPodConditions"][0]["type"], "DisruptionTarget");
        assert!(rules[1..].iter().all(|rule| rule["action"] == "Ignore"));
    }

    #[test]
    fn losses_have_a_limit_unless_it_runs_again_for_ever() {
        let job = of_policy("restartPolicy: {type: OnFailure, onFailureRetries: 3}").carrier.0;
        let pod = &job["spec"]["template"]["spec"];
        let limit = &pod["initContainers"][0];
        assert_eq!(limit["name"], LOSS_LIMIT);
        assert_eq!(limit["image"], pod["containers"][0]["image"]);
        assert_eq!(limit["resources"]["requests"], pod["containers"][0]["resources"]["requests"]);
        let first = &job["spec"]["podFailurePolicy"]["rules"][0];
        assert_eq!((&first["action"], &first["onExitCodes"]["containerName"]), (&json!("FailJob"), &json!(LOSS_LIMIT)));
        assert_eq!(
            (&job["spec"]["completionMode"], &job["spec"]["backoffLimitPerIndex"]),
            (&json!("Indexed"), &json!(3))
        );
        for unlimited in ["restartPolicy: {type: Always}", "timeToLiveSeconds: 60"] {
            let job = of_policy(unlimited).carrier.0;
            assert_eq!(job["spec"]["template"]["spec"]["initContainers"], Value::Null);
            assert_eq!(job["spec"]["completionMode"], Value::Null);
        }
    }

    #[test]
    fn what_is_to_run_once_is_not_replaced_for_its_time_to_live() {
        let job = of_policy("timeToLiveSeconds: 0").carrier.0;
        assert_eq!(job["spec"]["backoffLimit"], 0);
        assert_eq!(job["spec"]["podFailurePolicy"], Value::Null);
    }

    #[test]
    fn always_is_a_job_that_is_never_complete() {
        let job = of_policy("restartPolicy: {type: Always}").carrier.0;
        assert_eq!(job["spec"]["completions"], i32::MAX);
    }

    #[test]
    fn names_leave_room_for_those_of_runs_pods_and_executors() {
        let name = |manifests: Manifests| manifests.carrier.name().len();
        assert_eq!(name(of_policy("timeToLiveSeconds: 60")), 47 - "-x7k2p".len());
        assert_eq!(name(scheduled()), 47 - "-29399999-x7k2p".len());
        let retried = of_policy("restartPolicy: {type: OnFailure, onFailureRetries: 3}");
        assert_eq!(name(retried), 47 - "-0-x7k2p".len());
    }

    #[test]
    fn the_names_of_an_attempt_are_arguments_and_not_in_the_file() {
        let manifests = of_policy("timeToLiveSeconds: 60");
        let container = &manifests.carrier.0["spec"]["template"]["spec"]["containers"][0];
        let arguments = container["args"].to_string();
        for setting in
            ["spark.app.id=spark-$(SPARKCTL_POD_UID)", "spark.kubernetes.driver.pod.name=$(SPARKCTL_POD_NAME)"]
        {
            assert!(arguments.contains(setting), "{arguments}");
        }
        let config_map = manifests.owned.iter().find(|object| object.kind() == "ConfigMap").expect("properties");
        let properties = config_map.0["data"]["spark.properties"].as_str().expect("properties");
        assert!(!properties.contains("spark.app.id") && !properties.contains("spark.driver.host"), "{properties}");
    }

    #[test]
    fn a_limit_is_a_deadline_of_each_carrier() {
        let limited = |mut manifests: Manifests| {
            manifests.limit(Duration::from_secs(80));
            manifests.carrier.0
        };
        let deadline = "activeDeadlineSeconds";
        assert_eq!(limited(of_policy("mode: cluster"))["spec"][deadline], 80);
        assert_eq!(limited(of_policy("timeToLiveSeconds: 60"))["spec"][deadline], 80);
        assert_eq!(limited(scheduled())["spec"]["jobTemplate"]["spec"][deadline], 80);
        assert_eq!(limited(scheduled())["spec"]["schedule"], json!("@daily"));
    }
}
