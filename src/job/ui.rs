//! `sparkUIOptions` and `driverIngressOptions`: the driver's ports for people.

use k8s_openapi::api::networking::v1::IngressTLS;

use super::kubernetes_type::Embedded;
use super::schema::{Port, Texts, section, word};

section! {
    /// Service and Ingress of Spark's web interface.
    pub struct SparkUi {
        /// Port of the Service. By default 4040.
        service_port: Option<Port> => "Service NAME-ui-svc spec.ports",
        /// Name of the port. By default spark-driver-ui-port.
        service_port_name: Option<String> => "Service NAME-ui-svc spec.ports",
        /// Type of the Service. By default ClusterIP.
        service_type: Option<ServiceType> => "Service NAME-ui-svc spec.type",
        /// Annotations of the Service.
        service_annotations: Texts => "Service NAME-ui-svc metadata.annotations",
        /// Labels of the Service.
        service_labels: Texts => "Service NAME-ui-svc metadata.labels",
        /// Annotations of the Ingress.
        ingress_annotations: Texts => "a warning: no Ingress is made, its address is in the operator's installation",
        /// TLS of the Ingress.
        ingress_tls("ingressTLS"): Vec<Embedded<IngressTLS>> => "a warning: no Ingress is made, its address is in the operator's installation",
    }
}

section! {
    /// Service and Ingress of a port of the driver.
    pub struct DriverIngress {
        /// Port of the Service and of the driver.
        service_port: Port => "Service NAME-driver-PORT spec.ports",
        /// Name of the port.
        service_port_name: String => "Service NAME-driver-PORT spec.ports",
        /// Type of the Service. By default ClusterIP.
        service_type: Option<ServiceType> => "Service NAME-driver-PORT spec.type",
        /// Annotations of the Service.
        service_annotations: Texts => "Service NAME-driver-PORT metadata.annotations",
        /// Labels of the Service.
        service_labels: Texts => "Service NAME-driver-PORT metadata.labels",
        /// Address of the Ingress: `host/path`, in which `{{$appName}}`, `{{$appNamespace}}` and
        /// `{{$appId}}` are replaced.
        ingress_url_format("ingressURLFormat"): String => "Ingress NAME-ing-PORT spec.rules",
        /// Annotations of the Ingress.
        ingress_annotations: Texts => "Ingress NAME-ing-PORT metadata.annotations",
        /// TLS of the Ingress.
        ingress_tls("ingressTLS"): Vec<Embedded<IngressTLS>> => "Ingress NAME-ing-PORT spec.tls",
    }
}

word! {
    /// Type of a Service.
    pub enum ServiceType { ClusterIP, NodePort, LoadBalancer, ExternalName }
}
