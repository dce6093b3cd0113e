//! Labels that Spark puts on the pods of an application.

use super::version::Change;
use super::{Role, Version};

/// The application id.
pub const APPLICATION: &str = "spark-app-selector";
/// The role: `driver` or `executor`.
pub const ROLE: &str = "spark-role";
/// The number of an executor.
pub const EXECUTOR: &str = "spark-exec-id";
/// The resource profile of an executor.
pub const RESOURCE_PROFILE: &str = "spark-exec-resourceprofile-id";
/// The application's name.
pub const NAME: &str = "spark-app-name";
/// The version of Spark.
pub const VERSION: &str = "spark-version";

/// The labels that Spark sets on pods of this role itself, and therefore refuses in settings.
///
/// Source: `KubernetesDriverConf.labels` and `KubernetesExecutorConf.labels` of Spark.
pub fn reserved(role: Role, version: Version) -> Vec<&'static str> {
    let mut labels = vec![APPLICATION, ROLE];
    if role == Role::Executor {
        labels.extend([EXECUTOR, RESOURCE_PROFILE]);
    }
    if version.has(Change::NameAndVersionLabels) {
        labels.extend([NAME, VERSION]);
    }
    labels
}
