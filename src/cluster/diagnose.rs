//! Evidence that explains a wait or a failure: nodes, claims, secrets, policies, logs. What may not be read is left out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::connect::Cluster;
use super::list::{Effort, list, name};
use super::logs::log_tail;
use super::paths::{self, encoded};
use super::request::Call;
use super::suggest::{self, LOOKUP_TIMEOUT};
use crate::kubernetes::node_fit::taken_by;
use crate::kubernetes::requests::Amounts;
use crate::spark::{Conf, properties};
use crate::state::{self, Claims, DriverService, Lookup, LookupResult, Nodes, Reachability, Stopped};

/// How many of a log's last lines are searched for Spark's message that it has stopped.
const LOG_TAIL: usize = 200;
/// How many of them are searched for the API server's refusal of an executor: Spark logs one a second, with its stack.
const REFUSALS_TAIL: usize = 400;

/// Makes all lookups at the same time, each once. Those that need a driver pod are left out without one.
pub async fn evidence(
    cluster: &Cluster,
    namespace: &str,
    driver: Option<&Pod>,
    lookups: &BTreeSet<Lookup>,
) -> Vec<LookupResult> {
    let results = lookups.iter().map(|lookup| async move {
        // A lookup that takes too long is left out.
        tokio::time::timeout(LOOKUP_TIMEOUT, look_up(cluster, namespace, driver, lookup)).await.ok().flatten()
    });
    join_all(results).await.into_iter().flatten().collect()
}

async fn look_up(cluster: &Cluster, namespace: &str, driver: Option<&Pod>, at: &Lookup) -> Option<LookupResult> {
    match at {
        Lookup::Nodes => {
            let (all, taken) = tokio::join!(nodes(cluster), taken(cluster));
            Some(LookupResult::Nodes(Nodes { all: all?, taken }))
        }
        Lookup::PullSecrets => pull_secrets(cluster, driver?).await.map(LookupResult::PullSecrets),
        Lookup::Claims => Some(LookupResult::Claims(claims(cluster, driver?).await)),
        Lookup::Settings => settings(cluster, driver?).await.map(LookupResult::Settings),
        Lookup::Reachability => reachability(cluster, driver?).await.map(LookupResult::Reachability),
        Lookup::Alternatives(of) => {
            Some(LookupResult::Alternatives(of.clone(), suggest::alternatives(cluster, namespace, of).await))
        }
        Lookup::Executors(_) => Some(LookupResult::Executors(executors_refused(cluster, driver?).await)),
        Lookup::Log(_) => stopped(cluster, driver?).await.map(|stopped| LookupResult::Stopped(Some(stopped))),
    }
}

/// Passes each object of a list to `each`; `None` if the list may not be read, or is too long.
async fn objects(cluster: &Cluster, call: &Call, each: impl FnMut(Value)) -> Option<()> {
    list(cluster, call, Effort::BestEffort, each).await.ok()
}

async fn nodes(cluster: &Cluster) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let all_nodes = Call::get(format!("{}?", paths::in_namespace("v1", "nodes", "")));
    objects(cluster, &all_nodes, |mut node| {
        let status = json!({
            "allocatable": node["status"]["allocatable"].take(),
            "conditions": node["status"]["conditions"].take(),
        });
        let metadata = json!({"name": node["metadata"]["name"].take(), "labels": node["metadata"]["labels"].take()});
        all.push(json!({"metadata": metadata, "spec": node["spec"].take(), "status": status}));
    })
    .await?;
    Some(all)
}

/// What the pods of all namespaces request, by node.
async fn taken(cluster: &Cluster) -> Option<BTreeMap<String, Amounts>> {
    let mut taken: BTreeMap<String, Amounts> = BTreeMap::new();
    let pods = paths::in_namespace("v1", "pods", "");
    let selector = encoded("spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed");
    let scheduled = Call::get(format!("{pods}?fieldSelector={selector}"));
    objects(cluster, &scheduled, |pod| {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let of_node = taken.entry(node.to_owned()).or_default();
        *of_node = std::mem::take(of_node).plus(&taken_by(&pod["spec"]));
    })
    .await?;
    Some(taken)
}

/// Names of the pull secrets in the driver's namespace. The secrets' contents are not requested.
async fn pull_secrets(cluster: &Cluster, driver: &Pod) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let secrets = paths::in_namespace("v1", "secrets", driver.metadata.namespace.as_deref()?);
    let kind = encoded("type=kubernetes.io/dockerconfigjson");
    let of_registries = Call::get(format!("{secrets}?fieldSelector={kind}")).metadata_only();
    objects(cluster, &of_registries, |secret| names.extend(name(&secret))).await?;
    Some(names)
}

async fn claims(cluster: &Cluster, driver: &Pod) -> Claims {
    let namespace = driver.metadata.namespace.as_deref().unwrap_or(&cluster.namespace);
    let collection = paths::in_namespace("v1", "persistentvolumeclaims", namespace);
    let volumes = driver.spec.as_ref().and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
    let names = volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()));
    let mut found = Claims::default();
    for claim_name in names {
        match cluster.send(&Call::get(format!("{collection}/{}", encoded(&claim_name)))).await {
            Ok(claim) => found.all.insert(claim_name, Some(claim)),
            Err((failure, _)) if failure.code() == 404 => found.all.insert(claim_name, None),
            Err(_) => None,
        };
    }
    let mut classes = Vec::new();
    let all_classes = Call::get(format!("{}?", paths::in_namespace("storage.k8s.io/v1", "storageclasses", "")));
    let listed = objects(cluster, &all_classes, |class| classes.extend(name(&class))).await;
    found.classes = listed.map(|()| classes);
    found
}

/// The settings that the driver reads from its ConfigMap.
async fn settings(cluster: &Cluster, driver: &Pod) -> Option<Conf> {
    let namespace = driver.metadata.namespace.as_deref()?;
    let volumes = driver.spec.as_ref()?.volumes.iter().flatten();
    let mut maps = volumes.filter(|volume| volume.name.starts_with("spark-conf-volume"));
    let name = maps.find_map(|volume| volume.config_map.as_ref()).map(|map| map.name.clone())?;
    let collection = paths::in_namespace("v1", "configmaps", namespace);
    let map = cluster.send(&Call::get(format!("{collection}/{}", encoded(&name)))).await.ok()?;
    let text = map["data"]["spark.properties"].as_str()?;
    Some(Conf::from_iter(properties::parse(text)))
}

async fn reachability(cluster: &Cluster, driver: &Pod) -> Option<Reachability> {
    let namespace = driver.metadata.namespace.as_deref()?;
    let mut policies = Vec::new();
    let collection = paths::in_namespace("networking.k8s.io/v1", "networkpolicies", namespace);
    let all_policies = Call::get(format!("{collection}?"));
    let (service, listed) = tokio::join!(
        driver_service(cluster, driver, namespace),
        objects(cluster, &all_policies, |policy| policies.push(policy))
    );
    Some(Reachability { service, policies: listed.map(|()| policies) })
}

/// The driver's Service; `None` if executors use the driver's address, or if it is not known what they use.
async fn driver_service(cluster: &Cluster, driver: &Pod, namespace: &str) -> Option<DriverService> {
    let settings = settings(cluster, driver).await;
    let name = state::service_of(driver, settings.as_ref())?;
    let collection = paths::in_namespace("v1", "services", namespace);
    match cluster.send(&Call::get(format!("{collection}/{}", encoded(&name)))).await {
        Ok(service) => {
            let endpoints = endpoints(cluster, driver, namespace, &name).await;
            Some(DriverService { name, service: Some(service), endpoints })
        }
        Err((failure, _)) if failure.code() == 404 => Some(DriverService { name, service: None, endpoints: None }),
        Err(_) => None,
    }
}

/// A Service's EndpointSlices, and the driver pod as it was after they were read.
async fn endpoints(cluster: &Cluster, driver: &Pod, namespace: &str, service: &str) -> Option<(Vec<Value>, Box<Pod>)> {
    let mut slices = Vec::new();
    let collection = paths::in_namespace("discovery.k8s.io/v1", "endpointslices", namespace);
    let of_service = encoded(&format!("kubernetes.io/service-name={service}"));
    let of_service = Call::get(format!("{collection}?labelSelector={of_service}"));
    objects(cluster, &of_service, |slice| slices.push(slice)).await?;
    let pods = paths::in_namespace("v1", "pods", namespace);
    let name = encoded(driver.metadata.name.as_deref()?);
    let later = cluster.send(&Call::get(format!("{pods}/{name}"))).await.ok()?;
    let later: Pod = serde_json::from_value(later).ok()?;
    (later.metadata.uid == driver.metadata.uid).then(|| (slices, Box::new(later)))
}

/// Whether Spark has stopped, by the driver's log: the last line about it counts.
async fn stopped(cluster: &Cluster, driver: &Pod) -> Option<Stopped> {
    let log = log_tail(cluster, driver, LOG_TAIL).await.ok()?;
    let has_stopped = log.lines().rev().find_map(state::has_stopped)?;
    let driver = driver.metadata.uid.clone()?;
    // Since a minute ago: that is longer than a process usually takes to exit.
    let at = cluster.now() - SignedDuration::from_secs(60);
    has_stopped.then_some(Stopped { driver, at })
}

/// Why the API server refuses the executors that a driver asks for: by the driver's log, or else by a quota on pods, for
/// those who may not read the log, and before the log says it.
async fn executors_refused(cluster: &Cluster, driver: &Pod) -> Option<String> {
    let (log, quota) = tokio::join!(log_tail(cluster, driver, REFUSALS_TAIL), full_quota(cluster, driver));
    log.ok().and_then(|log| state::refusal_in_log(&log)).or(quota)
}

/// A quota of the driver's namespace that allows no more pods, in the words of the API server.
async fn full_quota(cluster: &Cluster, driver: &Pod) -> Option<String> {
    let quotas = paths::in_namespace("v1", "resourcequotas", driver.metadata.namespace.as_deref()?);
    let mut full = None;
    objects(cluster, &Call::get(format!("{quotas}?")), |quota| full = full.take().or_else(|| pods_exceeded(&quota)))
        .await?;
    full
}

/// Quotas with a scope count only some pods, and admission alone knows which.
fn pods_exceeded(quota: &Value) -> Option<String> {
    let has_scope = ["scopes", "scopeSelector"].iter().any(|scope| !quota["spec"][*scope].is_null());
    let name = quota["metadata"]["name"].as_str().filter(|_| !has_scope)?;
    ["pods", "count/pods"].iter().find_map(|resource| {
        let amount = |part: &str| quota["status"][part][*resource].as_str();
        let (used, hard) = (amount("used")?, amount("hard")?);
        let is_full = used.parse::<u64>().ok()? >= hard.parse::<u64>().ok()?;
        is_full.then(|| {
            format!(
                "exceeded quota: {name}, requested: {resource}=1, used: {resource}={used}, limited: {resource}={hard}"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::pods_exceeded;

    #[test]
    fn a_full_quota_is_described_as_the_api_server_does() {
        let mut quota = json!({
            "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}},
            "status": {"hard": {"pods": "1"}, "used": {"pods": "1"}},
        });
        let text = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
        assert_eq!(pods_exceeded(&quota).as_deref(), Some(text));
        quota["spec"]["scopes"] = json!(["BestEffort"]);
        assert_eq!(pods_exceeded(&quota), None);
        quota["spec"]["scopes"].take();
        quota["status"]["used"]["pods"] = "0".into();
        assert_eq!(pods_exceeded(&quota), None);
    }
}
