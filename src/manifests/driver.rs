//! The driver's pod: the template, then what Spark puts into it, then the fields of the job file.

use serde_json::{Value, json};

use super::attempt;
use super::executor_template::{self, TEMPLATE_DIR, TEMPLATE_FILE};
use super::labels::HOLD;
use super::plan::{CONF_DIR, Plan};
use crate::diagnostic::Problem;
use crate::job::annotation;
use crate::job::role::RoleSpec;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::spark::volumes::{self, ConfVolume, SecretMount};
use crate::spark::{Change, Conf, Language, Ports, Role, Version, containers, memory, resources};

/// The driver's pod, held until its companions exist.
pub fn pod(plan: &Plan) -> Result<Object, Problem> {
    let mut pod = template(plan)?;
    pod.metadata.set("name", plan.names.carrier.as_str());
    pod.metadata.set("namespace", plan.names.namespace.as_str());
    pod.append("schedulingGates", [json!({"name": HOLD})]);
    let mut pod = pod.into_template();
    let mut object = json!({"apiVersion": "v1", "kind": "Pod"});
    object["metadata"] = pod["metadata"].take();
    object["spec"] = pod["spec"].take();
    Ok(Object(object))
}

/// The driver's pod as whatever carries it makes it.
pub fn template(plan: &Plan) -> Result<Pod, Problem> {
    let template = plan.job.driver_template();
    let mut pod = Pod::of_template(template.as_ref(), &plan.driver_container);
    spark(plan, &mut pod)?;
    scheduling(plan, &mut pod)?;
    let spec = &plan.job.spec;
    spec.overlay(Role::Driver, plan.version, &mut pod);
    if let Some(monitoring) = &spec.monitoring {
        monitoring.overlay(Role::Driver, &plan.name, &mut pod);
    }
    Ok(pod)
}

/// What Spark puts into a driver's pod.
///
/// Source: the feature steps of `KubernetesDriverBuilder` of Spark 3.0 to 4.3, in their order.
fn spark(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    let conf = &plan.conf;
    pod.metadata.merge("labels", plan.labels.driver.clone());
    pod.metadata.merge("annotations", plan.labels.driver_annotations.clone());
    pod.set("restartPolicy", "Never");
    pod.spec.merge("nodeSelector", resources::node_selector(conf, Role::Driver, plan.version));
    pod.append(
        "imagePullSecrets",
        conf.list("spark.kubernetes.container.image.pullSecrets").into_iter().map(|name| json!({"name": name})),
    );
    let scheduler =
        conf.given("spark.kubernetes.driver.scheduler.name").or(conf.given("spark.kubernetes.scheduler.name"));
    let scheduler = scheduler.filter(|_| plan.version.has(Change::SchedulerName));
    pod.set_some("schedulerName", plan.scheduler.pods_name.as_deref().or(scheduler));
    if let Some(account) = conf.given("spark.kubernetes.authenticate.driver.serviceAccountName") {
        pod.set("serviceAccountName", account);
        pod.set("serviceAccount", account);
    }
    // Thousands of Services in a namespace must not become thousands of variables of each pod.
    if !pod.spec.0.contains_key("enableServiceLinks") {
        pod.set("enableServiceLinks", false);
    }

    let container = pod.spark_container();
    container.set_some("image", containers::image(conf, Role::Driver, plan.version, plan.job.spark_version()));
    container
        .set("imagePullPolicy", conf.given("spark.kubernetes.container.image.pullPolicy").unwrap_or("IfNotPresent"));
    container.append("args", arguments(plan));
    container.append("ports", container_ports(plan));
    resources(plan, pod)?;
    environment(plan, pod);
    mounts(plan, pod)
}

/// What is put after the image's entry point.
fn arguments(plan: &Plan) -> Vec<Value> {
    let job = plan.job;
    let mut arguments = vec!["driver".to_owned()];
    if let Some(user) = job.spec.proxy_user.as_ref().filter(|_| plan.version.has(Change::ProxyUser)) {
        arguments.extend(["--proxy-user".to_owned(), user.clone()]);
    }
    arguments.extend(["--properties-file".to_owned(), format!("{CONF_DIR}/spark.properties")]);
    for (key, value) in attempt::settings(plan) {
        arguments.extend(["--conf".to_owned(), format!("{key}={value}")]);
    }
    arguments.extend(["--class".to_owned(), job.main_class().to_owned()]);
    arguments.push(
        job.spec
            .main_application_file
            .clone()
            .filter(|file| !file.is_empty())
            .map_or_else(|| "spark-internal".into(), |file| plan.files().local.main_in_driver(&file)),
    );
    arguments.extend(job.spec.arguments.iter().cloned());
    arguments.into_iter().map(Value::from).collect()
}

fn container_ports(plan: &Plan) -> Vec<Value> {
    let ports = Ports::of(&plan.conf);
    let port = |name: &str, number: i64| json!({"name": name, "containerPort": number, "protocol": "TCP"});
    let rpc = plan.conf.get("spark.driver.port").and_then(|text| text.parse().ok()).unwrap_or(ports.rpc);
    let mut list = vec![
        port("driver-rpc-port", rpc),
        port("blockmanager", container_block_manager(plan)),
        port("spark-ui", ports.ui),
    ];
    if plan.version.has(Change::ConnectPort) {
        list.push(port("spark-connect", ports.connect));
    }
    list
}

/// The block manager's port as the container has it: by the settings before Spark completed them.
fn container_block_manager(plan: &Plan) -> i64 {
    Ports::of(&plan.job.resolved(&plan.names.namespace)).block_manager
}

fn resources(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    let conf = &plan.conf;
    let language = plan.job.language();
    let memory = memory::request(conf, Role::Driver, plan.version, language.is_foreign(), language.is_foreign())
        .map_err(|error| plan.job.setting_error(error))?;
    let container = pod.spark_container();
    container.set_at(&["resources", "requests", "cpu"], resources::cpu_request(conf, Role::Driver));
    container.set_at(&["resources", "requests", "memory"], format!("{memory}Mi"));
    container.set_at(&["resources", "limits", "memory"], format!("{memory}Mi"));
    if let Some(limit) = conf.given("spark.kubernetes.driver.limit.cores") {
        container.set_at(&["resources", "limits", "cpu"], limit);
    }
    let custom = resources::custom(conf, Role::Driver).map_err(|error| plan.job.setting_error(error))?;
    for (name, amount) in custom {
        container.set_at(&["resources", "limits", &name], amount);
    }
    if plan.version.has(Change::PrivilegeEscalation) {
        let key = "securityContext.allowPrivilegeEscalation";
        let allowed =
            conf.given(&format!("spark.kubernetes.driver.{key}")).or(conf.given(&format!("spark.kubernetes.{key}")));
        container.set_at(
            &["securityContext", "allowPrivilegeEscalation"],
            allowed.is_some_and(|text| text.eq_ignore_ascii_case("true")),
        );
    }
    Ok(())
}

fn environment(plan: &Plan, pod: &mut Pod) {
    let conf = &plan.conf;
    let user = plan.job.annotations.get(annotation::USER).unwrap_or(&plan.submission.user);
    let user = plan.job.spec.proxy_user.as_ref().unwrap_or(user);
    pod.env("SPARK_USER", user);
    pod.spark_container().append("env", attempt::environment(plan));
    pod.env("SPARK_APPLICATION_ID", &attempt::application_id(plan));
    for (name, value) in conf.with_prefix("spark.kubernetes.driverEnv.") {
        pod.env(name, value);
    }
    let container = pod.spark_container();
    let bind_address = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}});
    container.append("env", [json!({"name": "SPARK_DRIVER_BIND_ADDRESS", "valueFrom": bind_address})]);
    for (name, reference) in conf.with_prefix("spark.kubernetes.driver.secretKeyRef.") {
        let (secret, key) = reference.split_once(':').unwrap_or((reference, ""));
        container.append("env", [json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})]);
    }
    if plan.job.language() == Language::Python {
        let python = conf.given("spark.pyspark.python").or(plan.files().pyspark_python.as_deref());
        let driver = conf.given("spark.pyspark.driver.python").or(conf.given("spark.pyspark.python"));
        let driver =
            driver.or(plan.files().pyspark_driver_python.as_deref()).or(plan.files().pyspark_python.as_deref());
        for (name, value) in [("PYSPARK_PYTHON", python), ("PYSPARK_DRIVER_PYTHON", driver)] {
            if let Some(value) = value {
                pod.env(name, value);
            }
        }
    }
    // Until 3.0 the choice between Python 2 and 3 is made by the image's entry point.
    if !plan.version.has(Change::OnlyPython3)
        && plan.job.language() == Language::Python
        && let Some(version) = conf.given("spark.kubernetes.pyspark.pythonVersion")
    {
        pod.env("PYSPARK_MAJOR_PYTHON_VERSION", version);
    }
}

fn mounts(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    let conf = &plan.conf;
    super::credentials::mount(plan, pod);
    mount_secrets(conf, Role::Driver, pod);
    for volume in volumes::of_driver(conf) {
        mount(&volume, plan.version, &super::claims::name(plan, &volume), pod);
    }
    super::hadoop::mount(plan, pod);
    super::files::mount(plan, pod);
    if plan.template.is_needed() {
        let items = json!([{"key": executor_template::KEY, "path": TEMPLATE_FILE}]);
        let volume = json!({"name": "pod-template-volume", "configMap": {"name": plan.names.template, "items": items}});
        pod.mount(volume, json!({"name": "pod-template-volume", "mountPath": TEMPLATE_DIR}));
    }
    let tmpfs = conf.is_true("spark.kubernetes.local.dirs.tmpfs");
    for dir in &plan.local_dirs {
        if let Some(name) = &dir.volume {
            let source = if tmpfs { json!({"medium": "Memory"}) } else { json!({}) };
            pod.mount(json!({"name": name, "emptyDir": source}), json!({"name": name, "mountPath": dir.path}));
        }
    }
    let paths: Vec<&str> = plan.local_dirs.iter().map(|dir| dir.path.as_str()).collect();
    pod.env("SPARK_LOCAL_DIRS", &paths.join(","));
    let items: Vec<Value> =
        super::config_map::file_names(plan).map(|file| json!({"key": file, "mode": 0o644, "path": file})).collect();
    let volume = json!({"name": "spark-conf-volume-driver", "configMap": {"name": plan.names.conf, "items": items}});
    pod.mount(volume, json!({"name": "spark-conf-volume-driver", "mountPath": CONF_DIR}));
    pod.env("SPARK_CONF_DIR", CONF_DIR);
    Ok(())
}

/// The gang's marks on the pod beside those that Spark's settings make.
fn scheduling(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    if plan.scheduler.pods_name.is_none() {
        pod.set_some("schedulerName", role(plan).scheduler_name.clone());
    }
    super::gang::mark_driver(plan, pod)
}

fn role<'a>(plan: &'a Plan) -> &'a RoleSpec {
    &plan.job.spec.driver.role
}

/// Mounts the Secrets that the settings name.
///
/// Source: `MountSecretsFeatureStep` of Spark.
pub fn mount_secrets(conf: &Conf, role: Role, pod: &mut Pod) {
    for SecretMount { secret, volume, path } in volumes::secrets(conf, role) {
        pod.mount(
            json!({"name": volume, "secret": {"secretName": secret}}),
            json!({"name": volume, "mountPath": path}),
        );
    }
}

/// Source: `MountVolumesFeatureStep` of Spark.
fn mount(volume: &ConfVolume, version: Version, claim: &str, pod: &mut Pod) {
    let mut mount = json!({
        "name": volume.name,
        "mountPath": volume.path,
        "readOnly": volume.is_read_only(),
        "subPath": volume.mount("subPath").unwrap_or_default(),
    });
    if version.has(Change::SubPathExpr) {
        mount["subPathExpr"] = volume.mount("subPathExpr").unwrap_or_default().into();
    }
    pod.mount(json!({"name": volume.name, volume.kind.as_str(): source(volume, version, claim)}), mount);
}

/// The source of a volume, by its kind.
fn source(volume: &ConfVolume, version: Version, claim: &str) -> Value {
    let option = |name: &str| volume.option(name).unwrap_or_default();
    match volume.kind.as_str() {
        "hostPath" => {
            let kind = if version.has(Change::HostPathType) { option("type") } else { "" };
            json!({"path": option("path"), "type": kind})
        }
        "persistentVolumeClaim" => json!({"claimName": claim, "readOnly": volume.is_read_only()}),
        "nfs" => json!({"path": option("path"), "server": option("server")}),
        _ => {
            let mut source = json!({"medium": option("medium")});
            if let Some(limit) = volume.option("sizeLimit") {
                source["sizeLimit"] = limit.into();
            }
            source
        }
    }
}
