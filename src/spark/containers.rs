//! Spark's container in the pods of an application: its name and image.

use super::version::Change;
use super::{Conf, Role, Version};

/// The name that Spark gives its container, unless a pod template has another one.
///
/// Source: `Constants.DEFAULT_DRIVER_CONTAINER_NAME` and `DEFAULT_EXECUTOR_CONTAINER_NAME` of Spark.
pub fn default_name(role: Role) -> &'static str {
    match role {
        Role::Driver => "spark-kubernetes-driver",
        Role::Executor => "spark-kubernetes-executor",
    }
}

/// The name of Spark's container in pods of this role.
pub fn name(conf: &Conf, role: Role) -> &str {
    let key = match role {
        Role::Driver => "spark.kubernetes.driver.podTemplateContainerName",
        Role::Executor => "spark.kubernetes.executor.podTemplateContainerName",
    };
    conf.given(key).unwrap_or(default_name(role))
}

/// The image of pods of this role, as the settings name it: the role's own, else that of both.
///
/// Source: `Config.DRIVER_CONTAINER_IMAGE` and `EXECUTOR_CONTAINER_IMAGE` of Spark.
pub fn image_setting(conf: &Conf, role: Role) -> Option<&str> {
    let key = match role {
        Role::Driver => "spark.kubernetes.driver.container.image",
        Role::Executor => "spark.kubernetes.executor.container.image",
    };
    conf.given(key).or(conf.given("spark.kubernetes.container.image"))
}

/// The image of pods of this role, with the variable for Spark's version replaced where that version does so.
pub fn image(conf: &Conf, role: Role, version: Version, spark_version: &str) -> Option<String> {
    let image = image_setting(conf, role)?;
    Some(match version.has(Change::VersionInImage) {
        true => image.replace("{{SPARK_VERSION}}", spark_version),
        false => image.to_owned(),
    })
}
