//! What Spark's settings request for a pod beside memory: CPU, GPUs and the like, and certain nodes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Conf, Role, SettingError, Version};

/// The CPU request of a pod of this role, as it is written in the settings.
///
/// Source: `BasicDriverFeatureStep` and `BasicExecutorFeatureStep` of Spark.
pub fn cpu_request(conf: &Conf, role: Role) -> &str {
    let (of_kubernetes, of_spark) = match role {
        Role::Driver => ("spark.kubernetes.driver.request.cores", "spark.driver.cores"),
        Role::Executor => ("spark.kubernetes.executor.request.cores", "spark.executor.cores"),
    };
    conf.given(of_kubernetes).or(conf.given(of_spark)).unwrap_or("1")
}

/// Custom resources of a pod of this role, such as GPUs: `vendor/name` and how many.
///
/// Source: `KubernetesUtils.buildResourcesQuantities` of Spark.
///
/// # Errors
/// An amount is missing or not a number, or a vendor is missing.
pub fn custom(conf: &Conf, role: Role) -> Result<Vec<(String, String)>, SettingError> {
    let prefix = format!("spark.{}.resource.", role.word());
    let names: BTreeSet<&str> =
        conf.with_prefix(&prefix).filter_map(|(key, _)| key.rsplit_once('.')).map(|(name, _)| name).collect();
    names.into_iter().map(|name| custom_resource(conf, &prefix, name)).collect()
}

fn custom_resource(conf: &Conf, prefix: &str, name: &str) -> Result<(String, String), SettingError> {
    let key = |part: &str| format!("{prefix}{name}.{part}");
    let needs =
        |part: &str, needed: &str, why: &str| SettingError::new(key(part), format!("needs {}: {why}", key(needed)));
    let Some(amount) = conf.given(&key("amount")) else {
        let given = if conf.given(&key("vendor")).is_some() { "vendor" } else { "discoveryScript" };
        return Err(needs(given, "amount", "the number of these resources"));
    };
    let invalid = |_| SettingError::new(key("amount"), format!("expected a whole number, found `{amount}`"));
    let amount = amount.trim().parse::<u64>().map_err(invalid)?;
    let full_name = format!("Kubernetes names a resource VENDOR/{name}");
    let vendor = conf.given(&key("vendor")).ok_or_else(|| needs("amount", "vendor", &full_name))?;
    Ok((format!("{vendor}/{name}"), amount.to_string()))
}

/// The labels that the settings require of the nodes of this role's pods.
///
/// Source: `BasicDriverFeatureStep` and `BasicExecutorFeatureStep` of Spark.
pub fn node_selector(conf: &Conf, role: Role, version: Version) -> BTreeMap<&str, &str> {
    let of_role = match role {
        Role::Driver => "spark.kubernetes.driver.node.selector.",
        Role::Executor => "spark.kubernetes.executor.node.selector.",
    };
    let of_role = conf.with_prefix(of_role).filter(|_| version.has(Change::NodeSelectorOfRole));
    conf.with_prefix("spark.kubernetes.node.selector.").chain(of_role).collect()
}
