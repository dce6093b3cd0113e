//! `monitoring`: metrics, and the JMX exporter of Prometheus.

use super::schema::{Whole, section};
use crate::kubernetes::names;
use crate::kubernetes::pod::Pod;
use crate::spark::Conf;
use crate::spark::Role;

section! {
    /// Metrics. Nothing of it is done without `prometheus`.
    pub struct Monitoring {
        /// Whether the driver's metrics are exposed.
        expose_driver_metrics: bool => "spark.driver.extraJavaOptions, annotations prometheus.io/*",
        /// Whether the executors' metrics are exposed.
        expose_executor_metrics: bool => "spark.executor.extraJavaOptions, annotations prometheus.io/*",
        /// Content of metrics.properties.
        metrics_properties: Option<String> => "ConfigMap NAME-prom-conf",
        /// Path of a metrics.properties in the image.
        metrics_properties_file: Option<String> => "spark.metrics.conf",
        /// The JMX exporter.
        prometheus: Option<Prometheus> => "the exporter's options, port and configuration",
    }
}

section! {
    /// The JMX exporter of Prometheus, a Java agent.
    pub struct Prometheus {
        /// Path of the exporter's jar in the image.
        jmx_exporter_jar: String => "-javaagent of javaOptions",
        /// Port of the exporter. By default 8090.
        port: Option<Whole<1024, 49151>> => "-javaagent, container ports, annotation prometheus.io/port",
        /// Name of the port. By default jmx-exporter.
        port_name: Option<String> => "container ports",
        /// Path of the exporter's configuration in the image.
        config_file: Option<String> => "-javaagent",
        /// Content of the exporter's configuration.
        configuration: Option<String> => "ConfigMap NAME-prom-conf",
    }
}

/// Where the ConfigMap is mounted.
const DIRECTORY: &str = "/etc/metrics/conf";

/// Spark's metrics as they are without a word of the user: all by JMX, the JVM's among them.
const METRICS_PROPERTIES: &str = "*.sink.jmx.class=org.apache.spark.metrics.sink.JmxSink
driver.source.jvm.class=org.apache.spark.metrics.source.JvmSource
executor.source.jvm.class=org.apache.spark.metrics.source.JvmSource
";

/// How the exporter names Spark's metrics without a word of the user: `spark_driver_…` and
/// `spark_executor_…`, with the application and the executor as labels.
const EXPORTER: &str = r#"lowercaseOutputName: true
attrNameSnakeCase: true
rules:
- pattern: metrics<name=(\S+?)\.(\S+?)\.driver\.([^.]+)\.(\S+)><>(Value|Count|Mean|Max|Min|50thPercentile|95thPercentile|99thPercentile)
  name: spark_driver_$3_$4_$5
  type: GAUGE
  labels: {app_namespace: "$1", app_id: "$2"}
- pattern: metrics<name=(\S+?)\.(\S+?)\.(\d+)\.([^.]+)\.(\S+)><>(Value|Count|Mean|Max|Min|50thPercentile|95thPercentile|99thPercentile)
  name: spark_executor_$4_$5_$6
  type: GAUGE
  labels: {app_namespace: "$1", app_id: "$2", executor_id: "$3"}
"#;

impl Monitoring {
    fn exposes(&self, role: Role) -> bool {
        match role {
            Role::Driver => self.expose_driver_metrics,
            Role::Executor => self.expose_executor_metrics,
        }
    }

    /// Settings, put before those of the roles, which may say otherwise.
    pub fn settings(&self, namespace: &str, name: &str, conf: &mut Conf) {
        let Some(prometheus) = &self.prometheus else { return };
        let file = self.metrics_properties_file.clone();
        conf.set("spark.metrics.conf", file.unwrap_or_else(|| format!("{DIRECTORY}/metrics.properties")));
        conf.set("spark.metrics.namespace", format!("{namespace}.{name}"));
        for role in [Role::Driver, Role::Executor].into_iter().filter(|role| self.exposes(*role)) {
            let annotation = |key: &str| format!("spark.kubernetes.{}.annotation.prometheus.io/{key}", role.word());
            conf.set(annotation("scrape"), "true");
            conf.set(annotation("port"), prometheus.port().to_string());
            conf.set(annotation("path"), "/metrics");
        }
    }

    /// Puts the exporter behind the options of the JVM, whoever gave them.
    pub fn java_agent(&self, conf: &mut Conf) {
        let Some(prometheus) = &self.prometheus else { return };
        for role in [Role::Driver, Role::Executor].into_iter().filter(|role| self.exposes(*role)) {
            let key = format!("spark.{}.extraJavaOptions", role.word());
            let configuration =
                prometheus.config_file.clone().unwrap_or_else(|| format!("{DIRECTORY}/prometheus.yaml"));
            let agent = format!("-javaagent:{}={}:{configuration}", prometheus.jmx_exporter_jar, prometheus.port());
            let options = conf.given(&key).map_or_else(|| agent.clone(), |options| format!("{options} {agent}"));
            conf.set(key, options);
        }
    }

    /// The volume with the configuration, and the port.
    pub fn overlay(&self, role: Role, name: &str, pod: &mut Pod) {
        let Some(prometheus) = self.prometheus.as_ref().filter(|_| self.exposes(role)) else { return };
        if self.files().is_some() {
            let map = config_map_name(name);
            pod.mount_named(&names::cut(&map, "-vol", names::LABEL), &map, DIRECTORY);
        }
        let port = serde_json::json!({
            "name": prometheus.port_name.as_deref().unwrap_or("jmx-exporter"),
            "protocol": "TCP",
            "containerPort": prometheus.port(),
        });
        pod.spark_container().append("ports", [port]);
    }

    /// The files that the ConfigMap holds; none when both are in the image.
    pub fn files(&self) -> Option<serde_json::Value> {
        let prometheus = self.prometheus.as_ref()?;
        let mut files = serde_json::Map::new();
        if self.metrics_properties_file.is_none() {
            let content = self.metrics_properties.as_deref().unwrap_or(METRICS_PROPERTIES);
            files.insert("metrics.properties".into(), content.into());
        }
        if prometheus.config_file.is_none() {
            let content = prometheus.configuration.as_deref().unwrap_or(EXPORTER);
            files.insert("prometheus.yaml".into(), content.into());
        }
        (!files.is_empty()).then_some(files.into())
    }
}

impl Prometheus {
    fn port(&self) -> i64 {
        self.port.map_or(8090, |port| *port)
    }
}

/// The name of the ConfigMap, the operator's.
pub fn config_map_name(name: &str) -> String {
    names::cut(name, "-prom-conf", names::SUBDOMAIN)
}
