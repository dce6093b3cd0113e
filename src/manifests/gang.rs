//! The gang of an application: what its pods request together, and how its scheduler knows it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::plan::Plan;
use super::properties;
use crate::diagnostic::Problem;
use crate::job::role::RoleSpec;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::kubernetes::requests::{self, Amounts};
use crate::scheduler::{Gang, Mark, Member};
use crate::spark::{Language, Role, containers, memory, resources};

/// The PodGroup of driver and executors, for schedulers that have PodGroups.
///
/// Its `minMember` is 1, because executors do not exist before their driver runs, and schedulers count pods that exist.
/// What keeps drivers from starting where their executors cannot is `minResources`: the queue admits the gang only when
/// there is room for all of it.
pub fn pod_group(plan: &Plan) -> Result<Option<Object>, Problem> {
    let Some(rules) = plan.scheduler.rules().filter(|rules| rules.group_mark().is_some()) else { return Ok(None) };
    if properties::has_own_group(plan.job) {
        return Ok(None);
    }
    let group = rules.pod_group(&gang(plan)?).map(|mut group| {
        group["metadata"] = serde_json::json!({
            "name": plan.names.pod_group,
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
        });
        Object(group)
    });
    Ok(group)
}

/// Sets the annotations and labels by which the driver's pod describes its gang.
pub fn mark_driver(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    let Some(rules) = plan.scheduler.rules().filter(|rules| rules.needs_gang()) else { return Ok(()) };
    for (mark, value) in rules.driver_marks(&gang(plan)?) {
        match mark {
            Mark::Annotation(key) => pod.metadata.set_at(&["annotations", key], value),
            Mark::Label(key) => pod.metadata.set_at(&["labels", key], value),
        }
    }
    Ok(())
}

fn gang<'a>(plan: &'a Plan) -> Result<Gang<'a>, Problem> {
    let options = &plan.job.spec.batch_scheduler_options;
    let mut members = vec![member(plan, Role::Driver, 1)?];
    if plan.allocation.initial > 0 {
        members.push(member(plan, Role::Executor, plan.allocation.initial)?);
    }
    Ok(Gang {
        queue: options.queue.as_deref(),
        priority_class: options.priority_class_name.as_deref(),
        resources: resources(plan)?,
        members,
    })
}

fn member(plan: &Plan, role: Role, count: u32) -> Result<Member, Problem> {
    let spec = plan.job.spec.role(role);
    Ok(Member {
        role,
        count,
        request: quantities(&of_pod(plan, role)?),
        node_selector: node_selector(plan, spec, role),
        tolerations: spec.tolerations.iter().map(|toleration| toleration.json.clone()).collect(),
        affinity: spec.affinity.as_ref().map(|affinity| affinity.json.clone()),
    })
}

fn node_selector(plan: &Plan, spec: &RoleSpec, role: Role) -> BTreeMap<String, String> {
    let by_settings = resources::node_selector(&plan.conf, role, plan.version).into_iter();
    let by_settings = by_settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    by_settings.chain(spec.node_selector.iter().map(|(key, value)| (key.clone(), value.clone()))).collect()
}

/// What the whole gang requests at its start, unless the job file gives it.
fn resources(plan: &Plan) -> Result<Map<String, Value>, Problem> {
    let given = &plan.job.spec.batch_scheduler_options.resources;
    if !given.is_empty() {
        return Ok(given.iter().map(|(name, quantity)| (name.clone(), quantity.0.as_str().into())).collect());
    }
    Ok(quantities(&of_application(plan)?))
}

/// What the driver and the executors of the start request: with dynamic allocation, the least number of them.
pub fn of_application(plan: &Plan) -> Result<Amounts, Problem> {
    Ok(of_pod(plan, Role::Driver)?.plus(&of_pod(plan, Role::Executor)?.times(plan.allocation.initial)))
}

/// What one pod of that role requests: the user's template, sidecars and init containers, with what Spark gives to its
/// own container.
pub fn of_pod(plan: &Plan, role: Role) -> Result<Amounts, Problem> {
    let spec = plan.job.spec.role(role);
    let template = match role {
        Role::Driver => plan.job.driver_template(),
        Role::Executor => plan.job.executor_template(),
    };
    let mut pod = Pod::of_template(template.as_ref(), containers::name(&plan.conf, role));
    plan.job.spec.overlay(role, plan.version, &mut pod);
    let container = pod.spark_container();
    for (resource, amount) in spark_requests(plan, spec, role)? {
        container.set_at(&["resources", "requests", &resource], amount);
    }
    Ok(requests::of_pod(&pod.into_template()["spec"]))
}

/// What Spark's container requests by settings and by the role's fields.
pub fn spark_requests(plan: &Plan, spec: &RoleSpec, role: Role) -> Result<Vec<(String, String)>, Problem> {
    let conf = &plan.conf;
    let language = plan.job.language();
    let python = language == Language::Python;
    let memory = memory::request(conf, role, plan.version, language.is_foreign(), python)
        .map_err(|error| plan.job.setting_error(error))?;
    let cpu = resources::cpu_request(conf, role).to_owned();
    let mut requests = vec![("cpu".to_owned(), cpu), ("memory".to_owned(), format!("{memory}Mi"))];
    requests.extend(resources::custom(conf, role).map_err(|error| plan.job.setting_error(error))?);
    let gpu = spec.gpu.as_ref().filter(|gpu| !gpu.name.is_empty());
    requests.extend(gpu.map(|gpu| (gpu.name.clone(), gpu.quantity.to_string())));
    Ok(requests)
}

/// Amounts as Kubernetes writes them: those that gangs wait for, which are CPU, memory, and extended resources. The
/// latter have a domain in their name.
pub fn quantities(amounts: &Amounts) -> Map<String, Value> {
    let (cpu, memory) = (limited(amounts.get("cpu")), limited(amounts.get("memory").div_ceil(1000 << 20)));
    let cpu = if cpu % 1000 == 0 { (cpu / 1000).to_string() } else { format!("{cpu}m") };
    let mut quantities = Map::new();
    quantities.insert("cpu".into(), cpu.into());
    quantities.insert("memory".into(), format!("{memory}Mi").into());
    let others = amounts.iter().filter(|(name, millis)| name.contains('/') && *millis > 0);
    quantities.extend(others.map(|(name, millis)| (name.to_owned(), limited(millis / 1000).to_string().into())));
    quantities
}

/// More than any cluster has is written as the greatest number of 64 bits.
fn limited(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::job::{self, Overrides, Variables};
    use crate::kubernetes::Object;
    use crate::manifests::{self, Submission};

    /// What a job with these lines in its `spec` becomes, the carrier first.
    fn objects(spec: &str) -> Vec<Object> {
        let main = match spec.contains("type: Python") {
            true => "  mainApplicationFile: local:///pi.py\n",
            false => "  type: Scala\n  mainClass: Pi\n  mainApplicationFile: local:///pi.jar\n",
        };
        let text = format!(
            "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata:\n  name: pi\nspec:\n  \
             sparkVersion: 4.1.4\n  image: spark:4.1.4\n{main}{spec}"
        );
        let (jobs, problems) = job::read(&text, &Variables::default());
        assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
        let job = jobs.into_iter().next().expect("a job").with(Overrides::default());
        let submission = Submission { id: "0".repeat(32), user: "jo".into(), key: None };
        let (manifests, _) = manifests::of(&job, "jobs", &submission).expect("manifests");
        std::iter::once(manifests.carrier).chain(manifests.owned).collect()
    }

    fn group(spec: &str) -> Value {
        let all = objects(spec);
        let group = all.iter().find(|object| object.kind() == "PodGroup");
        group.unwrap_or_else(|| panic!("no PodGroup among {all:?}")).0.clone()
    }

    /// The resources of the gang of a job for Volcano.
    fn least(spec: &str) -> Value {
        group(&format!("  batchScheduler: volcano\n{spec}"))["spec"]["minResources"].clone()
    }

    /// Whether the driver's settings or the executors' template contain this.
    fn is_for_executors(objects: &[Object], part: &str) -> bool {
        let texts = objects.iter().filter_map(|object| object.0["data"].as_object()).flat_map(|data| data.values());
        texts.filter_map(Value::as_str).any(|text| text.replace("\\:", ":").contains(part))
    }

    #[test]
    fn a_gang_needs_its_driver_and_all_executors_with_their_overheads() {
        let roles = "  driver: {cores: 1, memory: 512m}\n  executor: {instances: 3, cores: 2, memory: 4g}\n";
        assert_eq!(least(roles), json!({"cpu": "7", "memory": format!("{}Mi", 512 + 384 + 3 * (4096 + 409))}));
        let given = "  driver: {coreRequest: 100m, cores: 1, memory: 1g, memoryOverhead: 200m}\n  \
                     executor: {coreRequest: 250m, cores: 4, memory: 1g, memoryOverhead: 100m}\n";
        assert_eq!(least(given), json!({"cpu": "350m", "memory": format!("{}Mi", 1024 + 200 + 1024 + 100)}));
    }

    #[test]
    fn pythons_and_off_heap_memory_count_for_executors() {
        let jvm = "  driver: {memory: 4g}\n  executor: {memory: 4g}\n  sparkConf: {spark.memory.offHeap.enabled: \"true\", \
                   spark.memory.offHeap.size: 1g, spark.executor.pyspark.memory: 512m}\n";
        assert_eq!(least(jvm), json!({"cpu": "2", "memory": format!("{}Mi", 2 * (4096 + 409) + 1024)}));
        // Python and R have four tenths beside the heap, the JVM one tenth.
        let python = least(&format!("  type: Python\n{jvm}"));
        assert_eq!(python, json!({"cpu": "2", "memory": format!("{}Mi", 2 * (4096 + 1638) + 1024 + 512)}));
    }

    #[test]
    fn more_than_any_cluster_has_is_calculated_too() {
        let vast = "  driver: {memory: 512m}\n  executor: {instances: 2147483647, coreRequest: 9Ei, memory: 8191p, memoryOverhead: 0}\n";
        assert_eq!(least(vast)["memory"], format!("{}Mi", u64::MAX));
        assert_eq!(least(vast)["cpu"], format!("{}m", u64::MAX));
    }

    #[test]
    fn gpus_count_as_their_fields_or_settings_say() {
        let gpu = "  driver: {memory: 512m}\n  executor: {instances: 2, memory: 512m, gpu: {name: nvidia.com/gpu, quantity: 2}}\n";
        assert_eq!(least(gpu), json!({"cpu": "3", "memory": "2688Mi", "nvidia.com/gpu": "4"}));
        let setting = "  driver: {memory: 512m}\n  executor: {memory: 512m}\n  sparkConf: \
                       {spark.executor.resource.gpu.amount: \"1\", spark.executor.resource.gpu.vendor: amd.com}\n";
        assert_eq!(least(setting), json!({"cpu": "2", "memory": "1792Mi", "amd.com/gpu": "1"}));
    }

    #[test]
    fn dynamic_allocation_needs_what_it_begins_with() {
        let roles = "  driver: {memory: 512m}\n  executor: {memory: 512m}\n";
        let of =
            |dynamic: &str| least(&format!("{roles}  dynamicAllocation: {{enabled: true{dynamic}}}\n"))["cpu"].clone();
        assert_eq!(of(", minExecutors: 2, maxExecutors: 50"), "3");
        assert_eq!(of(", initialExecutors: 4, minExecutors: 2"), "5");
        assert_eq!(of(""), "1");
    }

    #[test]
    fn sidecars_count_and_init_containers_where_they_ask_for_more() {
        let sidecar = "{name: log, image: a, resources: {requests: {cpu: 500m, memory: 100Mi}}}";
        let native = "{name: proxy, image: a, restartPolicy: Always, resources: {limits: {cpu: 250m, memory: 28Mi}}}";
        let large = "{name: fetch, image: a, resources: {requests: {cpu: 3, memory: 64Mi}}}";
        let text = format!(
            "  driver: {{memory: 512m, sidecars: [{sidecar}], initContainers: [{native}]}}\n  \
             executor: {{instances: 2, memory: 512m, initContainers: [{large}]}}\n"
        );
        assert_eq!(least(&text), json!({"cpu": "7750m", "memory": format!("{}Mi", 896 + 128 + 2 * 896)}));
    }

    #[test]
    fn an_init_container_runs_beside_the_sidecars_that_were_started_before_it() {
        let native = "{name: proxy, image: a, restartPolicy: Always, resources: {requests: {cpu: 1}}}";
        let large = "{name: fetch, image: a, resources: {requests: {cpu: 3}}}";
        let text = format!("  driver: {{initContainers: [{native}, {large}]}}\n  executor: {{instances: 1}}\n");
        assert_eq!(least(&text)["cpu"], "5");
    }

    #[test]
    fn the_files_own_resources_win() {
        let options =
            "  driver: {}\n  executor: {}\n  batchSchedulerOptions: {resources: {cpu: \"9\", memory: 20Gi}}\n";
        assert_eq!(least(options), json!({"cpu": "9", "memory": "20Gi"}));
    }

    #[test]
    fn volcano_gets_queue_class_and_link_on_both_roles() {
        let all = objects(
            "  batchScheduler: volcano\n  batchSchedulerOptions: {queue: etl, priorityClassName: urgent}\n  driver: {}\n  executor: {}\n",
        );
        let (driver, group) = (&all[0].0, all.iter().find(|object| object.kind() == "PodGroup").unwrap());
        assert_eq!(
            (&group.0["spec"]["queue"], &group.0["spec"]["priorityClassName"]),
            (&json!("etl"), &json!("urgent"))
        );
        assert_eq!(group.0["spec"]["minMember"], 1);
        assert_eq!(driver["metadata"]["annotations"]["scheduling.k8s.io/group-name"], group.name());
        assert_eq!(
            (&driver["spec"]["schedulerName"], &driver["spec"]["priorityClassName"]),
            (&json!("volcano"), &json!("urgent"))
        );
        let link = format!("spark.kubernetes.executor.annotation.scheduling.k8s.io/group-name={}", group.name());
        let scheduler = "spark.kubernetes.executor.scheduler.name=volcano";
        for expected in [link.as_str(), scheduler, r#""priorityClassName": "urgent""#] {
            assert!(is_for_executors(&all, expected), "{expected} in {all:?}");
        }
    }

    #[test]
    fn a_kube_scheduler_of_ones_own_gets_the_coscheduling_plugins_group() {
        let spec = "  batchScheduler: gangs\n  driver: {memory: 512m}\n  executor: {memory: 512m}\n";
        let all = objects(spec);
        let group = group(spec);
        assert_eq!(group["apiVersion"], "scheduling.x-k8s.io/v1alpha1");
        assert_eq!(group["spec"], json!({"minMember": 1, "minResources": {"cpu": "2", "memory": "1792Mi"}}));
        assert_eq!(all[0].0["spec"]["schedulerName"], "gangs");
        assert_eq!(all[0].0["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"], group["metadata"]["name"]);
        assert!(is_for_executors(&all, "spark.kubernetes.executor.label.scheduling.x-k8s.io/pod-group=pi-"), "{all:?}");
    }

    #[test]
    fn kueue_knows_the_pods_of_both_roles_by_its_label_and_there_is_no_group() {
        let all =
            objects("  batchScheduler: kueue\n  batchSchedulerOptions: {queue: team}\n  driver: {}\n  executor: {}\n");
        assert!(all.iter().all(|object| object.kind() != "PodGroup"));
        assert_eq!(all[0].0["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "team");
        assert_eq!(all[0].0["spec"]["schedulerName"], Value::Null);
        assert!(is_for_executors(&all, "spark.kubernetes.executor.label.kueue.x-k8s.io/queue-name=team"), "{all:?}");
    }

    #[test]
    fn yunikorn_reserves_places_for_pods_like_the_real_ones() {
        let all = objects(
            "  batchScheduler: yunikorn\n  batchSchedulerOptions: {queue: root.etl}\n  nodeSelector: {disk: ssd}\n  \
             driver: {memory: 512m, nodeSelector: {type: driver}}\n  executor: {instances: 2, memory: 1g, \
             memoryOverhead: 1g, tolerations: [{key: spot, operator: Exists}]}\n",
        );
        let driver = &all[0].0;
        assert_eq!(driver["metadata"]["labels"]["queue"], "root.etl");
        let groups = driver["metadata"]["annotations"]["yunikorn.apache.org/task-groups"].as_str().unwrap();
        let expected = json!([
            {
                "name": "spark-driver", "minMember": 1, "minResource": {"cpu": "1", "memory": "896Mi"},
                "nodeSelector": {"disk": "ssd", "type": "driver"},
            },
            {
                "name": "spark-executor", "minMember": 2, "minResource": {"cpu": "1", "memory": "2048Mi"},
                "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "spot", "operator": "Exists"}],
            },
        ]);
        assert_eq!(serde_json::from_str::<Value>(groups).unwrap(), expected);
        let executor = "spark.kubernetes.executor.annotation.yunikorn.apache.org/task-group-name=spark-executor";
        assert!(is_for_executors(&all, executor), "{all:?}");
        assert!(!is_for_executors(&all, "yunikorn.apache.org/app-id"), "{all:?}");
    }

    #[test]
    fn yunikorn_knows_the_executors_of_each_attempt_for_the_drivers() {
        let all = objects(
            "  batchScheduler: yunikorn\n  restartPolicy: {type: OnFailure, onFailureRetries: 2}\n  driver: {}\n  executor: {}\n",
        );
        let driver = &all[0].0["spec"]["template"]["metadata"];
        let application = driver["annotations"]["yunikorn.apache.org/app-id"].as_str().unwrap();
        assert_eq!(driver["labels"]["spark-app-selector"], application);
        let executor = format!("spark.kubernetes.executor.annotation.yunikorn.apache.org/app-id={application}");
        assert!(is_for_executors(&all, &executor), "{all:?}");
    }
}
