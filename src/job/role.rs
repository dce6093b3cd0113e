//! What can be said of the driver's pod and of the executors' alike.

use k8s_openapi::api::core::v1 as api;

use super::kubernetes_type::Embedded;
use super::quantities::{MemoryLimit, Quantity};
use super::schema::{Integer, Port, Positive, Texts, section};
use crate::kubernetes::pod::Pod;
use crate::spark::{Change, Conf, Version};
use crate::spark::{Memory, Role};

section! {
    /// The fields that `driver` and `executor` share.
    pub struct RoleSpec {
        /// A pod to start from. Spark's own settings replace what they must; the other fields of
        /// this section are applied last. Needs Spark 3.0 or later.
        template: Option<Embedded<api::PodTemplateSpec>> => "driver: the pod itself; executor: the ConfigMap of `spark.kubernetes.executor.podTemplateFile`",
        /// Cores that Spark uses, a whole number. Also the CPU request, unless `coreRequest` is given.
        cores: Option<Positive> => "spark.X.cores",
        /// CPU request in Kubernetes' notation, such as `500m`.
        core_request: Option<Quantity> => "spark.kubernetes.X.request.cores",
        /// CPU limit in Kubernetes' notation, such as `1200m`.
        core_limit: Option<Quantity> => "spark.kubernetes.X.limit.cores",
        /// Memory of the JVM's heap in Spark's notation: `512m` is 512 MiB.
        memory: Option<Memory> => "spark.X.memory",
        /// Memory beside the heap in Spark's notation. By default a tenth of `memory`, four
        /// tenths for Python and R, and at least 384 MiB.
        memory_overhead: Option<Memory> => "spark.X.memoryOverhead",
        /// Memory limit of the container where it is to differ from its request. Executors' cannot:
        /// Spark writes both itself.
        memory_limit: Option<MemoryLimit> => "driver: container limits.memory; executor: a warning",
        /// GPUs of the container. Spark learns of them by `spark.X.resource.gpu.*` in `sparkConf`.
        gpu: Option<Gpu> => "container limits[NAME]",
        /// Image of this role's container, instead of the application's.
        image: Option<String> => "spark.kubernetes.X.container.image",
        /// ConfigMaps to mount whole.
        config_maps: Vec<NamedPath> => "volume NAME-vol, mounted at the path",
        /// Secrets to mount whole.
        secrets: Vec<SecretInfo> => "spark.kubernetes.X.secrets.NAME, and an environment variable by type",
        /// Environment variables, with values or references.
        env: Vec<Embedded<api::EnvVar>> => "container env, appended",
        /// Environment variables with plain values (deprecated: `env`).
        env_vars: Texts => "driver: spark.kubernetes.driverEnv.NAME; executor: spark.executorEnv.NAME",
        /// ConfigMaps and Secrets whose keys become environment variables.
        env_from: Vec<Embedded<api::EnvFromSource>> => "container envFrom, appended",
        /// Environment variables from keys of Secrets (deprecated: `env`).
        env_secret_key_refs: std::collections::BTreeMap<String, NameKey> => "spark.kubernetes.X.secretKeyRef.NAME",
        /// Labels of the pod.
        labels: Texts => "spark.kubernetes.X.label.KEY",
        /// Annotations of the pod.
        annotations: Texts => "spark.kubernetes.X.annotation.KEY",
        /// Where the volumes of `spec.volumes` are mounted in Spark's container.
        volume_mounts: Vec<Embedded<api::VolumeMount>> => "container volumeMounts with their volumes; spark-local-dir-*: spark.kubernetes.X.volumes.*",
        /// Node affinity, pod affinity and anti-affinity.
        affinity: Option<Embedded<api::Affinity>> => "pod affinity, replaced",
        /// Taints of nodes that are tolerated.
        tolerations: Vec<Embedded<api::Toleration>> => "pod tolerations, appended",
        /// Security settings of the pod.
        pod_security_context: Option<Embedded<api::PodSecurityContext>> => "pod securityContext, replaced",
        /// Security settings of Spark's container.
        security_context: Option<Embedded<api::SecurityContext>> => "container securityContext, replaced",
        /// Name of the scheduler. `batchScheduler` wins over it.
        scheduler_name: Option<String> => "pod schedulerName",
        /// Containers beside Spark's.
        sidecars: Vec<Embedded<api::Container>> => "pod containers, appended unless name and image are there",
        /// Containers that run before Spark's.
        init_containers: Vec<Embedded<api::Container>> => "pod initContainers, appended unless name and image are there",
        /// Whether the pod uses its node's network.
        host_network: Option<bool> => "pod hostNetwork, and dnsPolicy ClusterFirstWithHostNet",
        /// Labels that the pod's node must have.
        node_selector: Texts => "pod nodeSelector, merged",
        /// DNS settings of the pod.
        dns_config: Option<Embedded<api::PodDNSConfig>> => "pod dnsConfig, replaced",
        /// Seconds between the request to stop and the kill.
        termination_grace_period_seconds: Option<Integer> => "pod terminationGracePeriodSeconds; executor: from Spark 4.1 on spark.kubernetes.executor.terminationGracePeriodSeconds",
        /// Name of the service account. The driver's needs the rights to create executors.
        service_account: Option<String> => "spark.kubernetes.authenticate.X.serviceAccountName",
        /// Lines for the pod's /etc/hosts.
        host_aliases: Vec<Embedded<api::HostAlias>> => "pod hostAliases, appended",
        /// Whether the pod's containers see each other's processes.
        share_process_namespace: Option<bool> => "pod shareProcessNamespace",
        /// Ports of Spark's container beside Spark's own.
        ports: Vec<ContainerPort> => "container ports, appended",
        /// Name of an existing PriorityClass for the pods of this role.
        priority_class_name: Option<String> => "pod priorityClassName",
        /// What happens after the container's start and before its stop.
        lifecycle: Option<Embedded<api::Lifecycle>> => "container lifecycle, replaced",
        /// Options of the JVM, without heap sizes. They replace the same setting of `sparkConf`.
        java_options: Option<String> => "spark.X.extraJavaOptions",
    }
}

section! {
    /// GPUs of a container.
    pub struct Gpu {
        /// Name of the resource, such as `nvidia.com/gpu`.
        name: String => "container limits",
        /// How many.
        quantity: Integer => "container limits",
    }
}

section! {
    /// A name, and where it is mounted.
    pub struct NamedPath {
        /// Name of an existing ConfigMap.
        name: String => "volume NAME-vol",
        /// Where it is mounted, read-only.
        path: String => "volumeMounts",
    }
}

section! {
    /// A Secret, where it is mounted, and what is in it.
    pub struct SecretInfo {
        /// Name of an existing Secret.
        name: String => "volume NAME-volume",
        /// Where it is mounted.
        path: String => "volumeMounts",
        /// `GCPServiceAccount` and `HadoopDelegationToken` set the environment variable that tells
        /// where the file is; any other is only mounted.
        secret_type: String => "GOOGLE_APPLICATION_CREDENTIALS or HADOOP_TOKEN_FILE_LOCATION",
    }
}

section! {
    /// A key of a Secret.
    pub struct NameKey {
        /// Name of an existing Secret.
        name: String => "env valueFrom secretKeyRef",
        /// One of its keys.
        key: String => "env valueFrom secretKeyRef",
    }
}

section! {
    /// A port of Spark's container.
    pub struct ContainerPort {
        /// Name of the port.
        name: String => "container ports",
        /// TCP, UDP or SCTP.
        protocol: String => "container ports",
        /// Its number.
        container_port: Port => "container ports",
    }
}

impl RoleSpec {
    /// What of it Spark is told by its settings.
    pub fn settings(&self, role: Role, conf: &mut Conf) {
        let (name, key) = (role.word(), |rest: &str| format!("spark.kubernetes.{}.{rest}", role.word()));
        conf.set_some(&format!("spark.{name}.cores"), self.cores.map(|cores| *cores));
        conf.set_some(&format!("spark.{name}.memory"), self.memory.as_ref().map(|memory| &memory.0));
        conf.set_some(&format!("spark.{name}.memoryOverhead"), self.memory_overhead.as_ref().map(|memory| &memory.0));
        conf.set_some(&format!("spark.{name}.extraJavaOptions"), self.java_options.as_ref());
        conf.set_some(&key("request.cores"), self.core_request.as_ref().map(|quantity| &quantity.0));
        conf.set_some(&key("limit.cores"), self.core_limit.as_ref().map(|quantity| &quantity.0));
        conf.set_some(&key("container.image"), self.image.as_ref());
        conf.set_some(
            &format!("spark.kubernetes.authenticate.{name}.serviceAccountName"),
            self.service_account.as_ref(),
        );
        conf.set_all(&key("label."), &self.labels);
        conf.set_all(&key("annotation."), &self.annotations);
        let env = match role {
            Role::Driver => "spark.kubernetes.driverEnv.",
            Role::Executor => "spark.executorEnv.",
        };
        conf.set_all(env, &self.env_vars);
        for secret in &self.secrets {
            conf.set(key(&format!("secrets.{}", secret.name)), secret.path.as_str());
            if let Some((variable, file)) = secret.variable() {
                conf.set(format!("{env}{variable}"), format!("{}/{file}", secret.path.trim_end_matches('/')));
            }
        }
        for (variable, NameKey { name, key: secret_key }) in &self.env_secret_key_refs {
            conf.set(key(&format!("secretKeyRef.{variable}")), format!("{name}:{secret_key}"));
        }
    }

    /// Writes the fields into the pod, over what the template and Spark have put there. The rules (replace, append,
    /// merge) and their order are those of the operator's webhook.
    pub fn overlay(&self, role: Role, version: Version, pod: &mut Pod) {
        let container = pod.spark_container();
        container.append("env", self.env.iter().map(|env| env.json.clone()));
        container.append("envFrom", self.env_from.iter().map(|source| source.json.clone()));
        for NamedPath { name, path } in &self.config_maps {
            pod.mount_config_map(name, path);
        }
        let container = pod.spark_container();
        container.append("ports", self.ports.iter().map(ContainerPort::json));
        if self.host_network == Some(true) {
            pod.set("hostNetwork", true);
            pod.set("dnsPolicy", "ClusterFirstWithHostNet");
        }
        pod.append("hostAliases", self.host_aliases.iter().map(|alias| alias.json.clone()));
        pod.append_containers("initContainers", self.init_containers.iter().map(|container| &container.json));
        pod.append_containers("containers", self.sidecars.iter().map(|container| &container.json));
        pod.set_some("dnsConfig", self.dns_config.as_ref().map(|dns| dns.json.clone()));
        if let Some(class) = &self.priority_class_name {
            pod.set("priorityClassName", class.as_str());
            pod.remove("priority");
            pod.remove("preemptionPolicy");
        }
        // Spark takes node selectors of one role from 3.3 on, an executor's scheduler and service account later
        // than it takes templates: the pod is the way that all versions understand.
        pod.merge("nodeSelector", &self.node_selector);
        pod.set_some("affinity", self.affinity.as_ref().map(|affinity| affinity.json.clone()));
        pod.append("tolerations", self.tolerations.iter().map(|toleration| toleration.json.clone()));
        let container = pod.spark_container();
        if role == Role::Driver
            && let Some(limit) = &self.memory_limit
        {
            container.set_at(&["resources", "limits", "memory"], limit.quantity());
        }
        if let Some(Gpu { name, quantity }) = self.gpu.as_ref().filter(|gpu| !gpu.name.is_empty() && *gpu.quantity > 0)
        {
            container.set_at(&["resources", "limits", name], quantity.to_string());
        }
        container.set_some("securityContext", self.security_context.as_ref().map(|context| context.json.clone()));
        container.set_some("lifecycle", self.lifecycle.as_ref().map(|lifecycle| lifecycle.json.clone()));
        pod.set_some("securityContext", self.pod_security_context.as_ref().map(|context| context.json.clone()));
        pod.set_some("terminationGracePeriodSeconds", self.termination_grace_period_seconds.map(|seconds| *seconds));
        if self.share_process_namespace == Some(true) {
            pod.set("shareProcessNamespace", true);
        }
        if role == Role::Executor && !version.has(Change::ExecutorServiceAccount) {
            pod.set_some("serviceAccountName", self.service_account.clone());
        }
    }
}

impl SecretInfo {
    /// The environment variable that tells where the secret's file is, and the file's name.
    fn variable(&self) -> Option<(&'static str, &'static str)> {
        match self.secret_type.as_str() {
            "GCPServiceAccount" => Some(("GOOGLE_APPLICATION_CREDENTIALS", "key.json")),
            "HadoopDelegationToken" => Some(("HADOOP_TOKEN_FILE_LOCATION", "hadoop.token")),
            _ => None,
        }
    }
}

impl ContainerPort {
    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name,
            "protocol": self.protocol,
            "containerPort": *self.container_port,
        })
    }
}
