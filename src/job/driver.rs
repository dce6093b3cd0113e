//! `driver`.

use super::role::RoleSpec;
use super::schema::{Texts, section};
use crate::spark::Conf;
use crate::spark::Role;

section! {
    /// The driver.
    pub struct Driver {
        ..role: RoleSpec,
        /// Name of the driver's pod. By default NAME-driver.
        pod_name: Option<String> => "spark.kubernetes.driver.pod.name",
        /// Address of the API server as the driver reaches it.
        kubernetes_master: Option<String> => "spark.kubernetes.driver.master",
        /// Annotations of the driver's headless Service.
        service_annotations: Texts => "spark.kubernetes.driver.service.annotation.KEY",
        /// Labels of the driver's headless Service.
        service_labels: Texts => "spark.kubernetes.driver.service.label.KEY",
    }
}

impl Driver {
    pub fn settings(&self, conf: &mut Conf) {
        conf.set_some("spark.kubernetes.driver.pod.name", self.pod_name.as_ref());
        conf.set_some("spark.kubernetes.driver.master", self.kubernetes_master.as_ref());
        conf.set_all("spark.kubernetes.driver.service.annotation.", &self.service_annotations);
        conf.set_all("spark.kubernetes.driver.service.label.", &self.service_labels);
        self.role.settings(Role::Driver, conf);
    }
}
