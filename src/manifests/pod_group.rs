//! The PodGroup: what Volcano, or the coscheduling plugin of kube-scheduler, schedules as a gang.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::plan::{EXECUTOR_CONTAINER, Plan};
use crate::diagnostic::Problem;
use crate::job::role::RoleSpec;
use crate::job::scheduling::Scheduler;
use crate::kubernetes::pod::Pod;
use crate::kubernetes::{Object, quantity};
use crate::spark::{Role, memory, resources};

/// The PodGroup of driver and executors.
///
/// `minMember` is 1, for executors do not exist before their driver runs, and schedulers count
/// pods that exist. What keeps drivers from starting where their executors cannot is
/// `minResources`: the queue lets the gang in only when all of it has room.
pub fn gang(plan: &Plan) -> Result<Option<Object>, Problem> {
    if plan.has_own_group() {
        return Ok(None);
    }
    let options = &plan.job.spec.batch_scheduler_options;
    let mut spec = json!({"minMember": 1, "minResources": resources(plan)?});
    let version = match &plan.scheduler {
        Scheduler::Volcano => {
            if let Some(queue) = &options.queue {
                spec["queue"] = queue.as_str().into();
            }
            if let Some(class) = &options.priority_class_name {
                spec["priorityClassName"] = class.as_str().into();
            }
            "scheduling.volcano.sh/v1beta1"
        }
        Scheduler::Coscheduling(_) => "scheduling.x-k8s.io/v1alpha1",
        Scheduler::Default | Scheduler::YuniKorn | Scheduler::Kueue => return Ok(None),
    };
    Ok(Some(Object(json!({
        "apiVersion": version,
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
    Ok(Request::of_application(plan)?.quantities())
}

/// What pods ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub millicores: u64,
    pub mebibytes: u64,
    /// GPUs and their like.
    pub others: BTreeMap<String, u64>,
}

impl Request {
    /// The driver and the executors of the start: with dynamic allocation, the floor.
    pub fn of_application(plan: &Plan) -> Result<Self, Problem> {
        let executors = Self::of(plan, Role::Executor)?.times(u64::from(plan.executors()));
        Ok(Self::of(plan, Role::Driver)?.plus(executors))
    }

    /// One pod of that role: Spark's container, sidecars, and init containers where they ask for more.
    ///
    /// Source: "Resource sharing within containers" in Kubernetes' documentation of init containers.
    pub fn of(plan: &Plan, role: Role) -> Result<Self, Problem> {
        let spec = plan.job.spec.role(role);
        let template = match role {
            Role::Driver => plan.job.driver_template(),
            Role::Executor => plan.job.executor_template(),
        };
        let name = match role {
            Role::Driver => plan.driver_container(),
            Role::Executor => {
                let key = "spark.kubernetes.executor.podTemplateContainerName";
                plan.conf.given(key).unwrap_or(EXECUTOR_CONTAINER).to_owned()
            }
        };
        let mut pod = Pod::of_template(template.as_ref(), &name);
        spec.overlay(role, &plan.job.spec.volumes, plan.version, &mut pod);
        let spark = Self { others: Self::others(plan, spec, role, &mut pod)?, ..Self::of_spark(plan, role)? };
        let beside = pod.beside().map(Self::of_container).fold(spark, Self::plus);
        let native = |container: &&Value| container["restartPolicy"] == "Always";
        let running = pod.init_containers().filter(native).map(Self::of_container).fold(beside, Self::plus);
        let before = pod.init_containers().filter(|container| !native(container)).map(Self::of_container);
        Ok(before.fold(running, Self::most))
    }

    /// CPU and memory that Spark gives to its container.
    fn of_spark(plan: &Plan, role: Role) -> Result<Self, Problem> {
        let conf = &plan.conf;
        let language = plan.job.language();
        let python = language == crate::job::spec::Language::Python;
        let mebibytes = memory::request(conf, role, plan.version, language.is_foreign(), python)
            .map_err(|error| plan.job.setting_error(error))?;
        Ok(Self { millicores: millicores(resources::cpu_request(conf, role)), mebibytes, others: BTreeMap::new() })
    }

    /// GPUs and their like of Spark's container: by settings, by `gpu`, or by the template.
    fn others(plan: &Plan, spec: &RoleSpec, role: Role, pod: &mut Pod) -> Result<BTreeMap<String, u64>, Problem> {
        let mut others = Self::of_container(&Value::Object(pod.spark_container().0.clone())).others;
        let by_settings = resources::custom(&plan.conf, role).map_err(|error| plan.job.setting_error(error))?;
        others.extend(by_settings.into_iter().map(|(name, amount)| (name, amount.parse().unwrap_or_default())));
        if let Some(gpu) = spec.gpu.as_ref().filter(|gpu| !gpu.name.is_empty()) {
            others.insert(gpu.name.clone(), u64::try_from(*gpu.quantity).unwrap_or_default());
        }
        Ok(others)
    }

    /// A container of the user's. Where only a limit is stated, it is the request too.
    fn of_container(container: &Value) -> Self {
        let mut request = Self::default();
        for part in ["limits", "requests"] {
            for (name, amount) in container["resources"][part].as_object().into_iter().flatten() {
                let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
                let number = quantity::value(&text).unwrap_or_default();
                match name.as_str() {
                    "cpu" => request.millicores = millicores(&text),
                    "memory" => request.mebibytes = (number / f64::from(1 << 20)).ceil() as u64,
                    // Extended resources have a domain; ephemeral storage is not what gangs wait for.
                    name if name.contains('/') => {
                        request.others.insert(name.to_owned(), number as u64);
                    }
                    _ => {}
                }
            }
        }
        request
    }

    fn plus(mut self, other: Self) -> Self {
        self.millicores = self.millicores.saturating_add(other.millicores);
        self.mebibytes = self.mebibytes.saturating_add(other.mebibytes);
        for (name, amount) in other.others {
            let own = self.others.entry(name).or_default();
            *own = own.saturating_add(amount);
        }
        self
    }

    /// Of each resource the greater amount.
    fn most(mut self, other: Self) -> Self {
        self.millicores = self.millicores.max(other.millicores);
        self.mebibytes = self.mebibytes.max(other.mebibytes);
        for (name, amount) in other.others {
            let own = self.others.entry(name).or_default();
            *own = amount.max(*own);
        }
        self
    }

    fn times(mut self, count: u64) -> Self {
        self.millicores = self.millicores.saturating_mul(count);
        self.mebibytes = self.mebibytes.saturating_mul(count);
        self.others.values_mut().for_each(|amount| *amount = amount.saturating_mul(count));
        self
    }

    /// As Kubernetes writes it.
    pub fn quantities(&self) -> Map<String, Value> {
        let mut quantities = Map::new();
        quantities.insert("cpu".into(), cpu(self.millicores).into());
        quantities.insert("memory".into(), format!("{}Mi", self.mebibytes).into());
        let others = self.others.iter().filter(|(_, amount)| **amount > 0);
        quantities.extend(others.map(|(name, amount)| (name.clone(), amount.to_string().into())));
        quantities
    }
}

fn millicores(text: &str) -> u64 {
    (quantity::value(text).unwrap_or(1.0) * 1000.0).ceil() as u64
}

/// CPU in Kubernetes' shortest form: `3` or `2500m`.
fn cpu(millicores: u64) -> String {
    match millicores % 1000 {
        0 => (millicores / 1000).to_string(),
        _ => format!("{millicores}m"),
    }
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

    /// What Volcano is told that this needs.
    fn least(spec: &str) -> Value {
        group(&format!("  batchScheduler: volcano\n{spec}"))["spec"]["minResources"].clone()
    }

    /// Whether the driver's settings or the executors' template say this.
    fn said_to_executors(objects: &[Object], part: &str) -> bool {
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
        // Python and R keep four tenths beside the heap, the JVM one tenth.
        let python = least(&format!("  type: Python\n{jvm}"));
        assert_eq!(python, json!({"cpu": "2", "memory": format!("{}Mi", 2 * (4096 + 1638) + 1024 + 512)}));
    }

    #[test]
    fn more_than_any_cluster_has_is_reckoned_too() {
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
            assert!(said_to_executors(&all, expected), "{expected} in {all:?}");
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
        assert!(
            said_to_executors(&all, "spark.kubernetes.executor.label.scheduling.x-k8s.io/pod-group=pi-"),
            "{all:?}"
        );
    }

    #[test]
    fn kueue_knows_the_pods_of_both_roles_by_its_label_and_there_is_no_group() {
        let all =
            objects("  batchScheduler: kueue\n  batchSchedulerOptions: {queue: team}\n  driver: {}\n  executor: {}\n");
        assert!(all.iter().all(|object| object.kind() != "PodGroup"));
        assert_eq!(all[0].0["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "team");
        assert_eq!(all[0].0["spec"]["schedulerName"], Value::Null);
        assert!(said_to_executors(&all, "spark.kubernetes.executor.label.kueue.x-k8s.io/queue-name=team"), "{all:?}");
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
        assert!(said_to_executors(&all, executor), "{all:?}");
        assert!(!said_to_executors(&all, "yunikorn.apache.org/app-id"), "{all:?}");
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
        assert!(said_to_executors(&all, &executor), "{all:?}");
    }
}
