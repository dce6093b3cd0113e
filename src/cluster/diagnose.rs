//! Looks at what is around an application, to explain a wait or a failure: what may not be seen is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::find::encoded;
use super::request::Call;
use super::{Cluster, kinds, log_tail, suggest};
use crate::kubernetes::node_fit::taken_by;
use crate::kubernetes::requests::Amounts;
use crate::spark::{Conf, properties};
use crate::state::{self, Claims, DriverService, Lookup, LookupResult, Nodes, Reachability, Stopped};

/// An explanation that takes longer is not waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Objects of a page, and how many pages are worth reading.
const PAGE: usize = 500;
const PAGES: usize = 20;
/// How many of a log's last lines are read for Spark's word that it has stopped.
const LOG_TAIL: usize = 200;

/// Looks at all of it at once, one time. Without a driver's pod there is less to look at.
pub async fn evidence(
    cluster: &Cluster,
    namespace: &str,
    driver: Option<&Pod>,
    lookups: &BTreeSet<Lookup>,
) -> Vec<LookupResult> {
    let results = lookups.iter().map(|lookup| async move {
        // A lookup that takes too long is left out.
        tokio::time::timeout(PATIENCE, look_up(cluster, namespace, driver, lookup)).await.ok().flatten()
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
        Lookup::Reachability => way(cluster, driver?).await.map(LookupResult::Reachability),
        Lookup::Alternatives(of) => {
            Some(LookupResult::Alternatives(of.clone(), suggest::others(cluster, namespace, of).await))
        }
        Lookup::Log(_) => stopped(cluster, driver?).await.map(|stopped| LookupResult::Stopped(Some(stopped))),
    }
}

/// Hands each object of a list to `each`; nothing where it may not be read, or is too long.
pub(super) async fn pages(cluster: &Cluster, list: &Call, mut each: impl FnMut(Value)) -> Option<()> {
    let mut from = String::new();
    for _ in 0..PAGES {
        let page = Call { uri: format!("{}&limit={PAGE}{from}", list.uri), ..list.clone() };
        let mut list = cluster.send(&page).await.ok()?;
        if let Value::Array(items) = list["items"].take() {
            items.into_iter().for_each(&mut each);
        }
        match list["metadata"]["continue"].as_str() {
            None | Some("") => return Some(()),
            Some(next) => from = format!("&continue={}", encoded(next)),
        }
    }
    None
}

async fn nodes(cluster: &Cluster) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    let list = Call::get(format!("{}?", kinds::in_namespace("v1", "nodes", "")));
    pages(cluster, &list, |mut node| {
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

/// What the pods of all namespaces take, by node.
async fn taken(cluster: &Cluster) -> Option<BTreeMap<String, Amounts>> {
    let mut taken: BTreeMap<String, Amounts> = BTreeMap::new();
    let pods = kinds::in_namespace("v1", "pods", "");
    let there = encoded("spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed");
    let list = Call::get(format!("{pods}?fieldSelector={there}"));
    pages(cluster, &list, |pod| {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let of_node = taken.entry(node.to_owned()).or_default();
        *of_node = std::mem::take(of_node).plus(&taken_by(&pod["spec"]));
    })
    .await?;
    Some(taken)
}

/// Names of the secrets for registries in the driver's namespace; of the secrets themselves nothing is asked for.
async fn pull_secrets(cluster: &Cluster, driver: &Pod) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let secrets = kinds::in_namespace("v1", "secrets", driver.metadata.namespace.as_deref()?);
    let kind = encoded("type=kubernetes.io/dockerconfigjson");
    let list = Call::get(format!("{secrets}?fieldSelector={kind}")).names_only();
    pages(cluster, &list, |secret| names.extend(secret["metadata"]["name"].as_str().map(str::to_owned))).await?;
    Some(names)
}

async fn claims(cluster: &Cluster, driver: &Pod) -> Claims {
    let namespace = driver.metadata.namespace.as_deref().unwrap_or(&cluster.namespace);
    let collection = kinds::in_namespace("v1", "persistentvolumeclaims", namespace);
    let volumes = driver.spec.as_ref().and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
    let names = volumes.filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone()));
    let mut found = Claims::default();
    for name in names {
        match cluster.send(&Call::get(format!("{collection}/{}", encoded(&name)))).await {
            Ok(claim) => found.all.insert(name, Some(claim)),
            Err((failure, _)) if failure.code() == 404 => found.all.insert(name, None),
            Err(_) => None,
        };
    }
    let mut classes = Vec::new();
    let list = Call::get(format!("{}?", kinds::in_namespace("storage.k8s.io/v1", "storageclasses", "")));
    let read =
        pages(cluster, &list, |class| classes.extend(class["metadata"]["name"].as_str().map(str::to_owned))).await;
    found.classes = read.map(|()| classes);
    found
}

/// The settings that the driver reads from its ConfigMap.
async fn settings(cluster: &Cluster, driver: &Pod) -> Option<Conf> {
    let namespace = driver.metadata.namespace.as_deref()?;
    let volumes = driver.spec.as_ref()?.volumes.iter().flatten();
    let mut maps = volumes.filter(|volume| volume.name.starts_with("spark-conf-volume"));
    let name = maps.find_map(|volume| volume.config_map.as_ref()).map(|map| map.name.clone())?;
    let collection = kinds::in_namespace("v1", "configmaps", namespace);
    let map = cluster.send(&Call::get(format!("{collection}/{}", encoded(&name)))).await.ok()?;
    let text = map["data"]["spark.properties"].as_str()?;
    Some(Conf::from_iter(properties::parse(text)))
}

async fn way(cluster: &Cluster, driver: &Pod) -> Option<Reachability> {
    let namespace = driver.metadata.namespace.as_deref()?;
    let mut policies = Vec::new();
    let list = Call::get(format!("{}?", kinds::in_namespace("networking.k8s.io/v1", "networkpolicies", namespace)));
    let (door, are_read) =
        tokio::join!(door(cluster, driver, namespace), pages(cluster, &list, |policy| policies.push(policy)));
    Some(Reachability { door, policies: are_read.map(|()| policies) })
}

/// The driver's Service; nothing where executors go by the driver's address, or nobody says by what.
async fn door(cluster: &Cluster, driver: &Pod, namespace: &str) -> Option<DriverService> {
    let settings = settings(cluster, driver).await;
    let name = state::service_of(driver, settings.as_ref())?;
    let collection = kinds::in_namespace("v1", "services", namespace);
    match cluster.send(&Call::get(format!("{collection}/{}", encoded(&name)))).await {
        Ok(service) => {
            let endpoints = endpoints(cluster, driver, namespace, &name).await;
            Some(DriverService { name, service: Some(service), endpoints })
        }
        Err((failure, _)) if failure.code() == 404 => Some(DriverService { name, service: None, endpoints: None }),
        Err(_) => None,
    }
}

/// A Service's EndpointSlices, and the driver's pod as it is after they were read.
async fn endpoints(cluster: &Cluster, driver: &Pod, namespace: &str, service: &str) -> Option<(Vec<Value>, Box<Pod>)> {
    let mut slices = Vec::new();
    let collection = kinds::in_namespace("discovery.k8s.io/v1", "endpointslices", namespace);
    let of_service = encoded(&format!("kubernetes.io/service-name={service}"));
    let list = Call::get(format!("{collection}?labelSelector={of_service}"));
    pages(cluster, &list, |slice| slices.push(slice)).await?;
    let pods = kinds::in_namespace("v1", "pods", namespace);
    let name = encoded(driver.metadata.name.as_deref()?);
    let later = cluster.send(&Call::get(format!("{pods}/{name}"))).await.ok()?;
    let later: Pod = serde_json::from_value(later).ok()?;
    (later.metadata.uid == driver.metadata.uid).then(|| (slices, Box::new(later)))
}

/// Whether the last that the driver's log says of Spark is that it has stopped.
async fn stopped(cluster: &Cluster, driver: &Pod) -> Option<Stopped> {
    let log = log_tail(cluster, driver, LOG_TAIL).await.ok()?;
    let has_stopped = log.lines().rev().find_map(state::has_stopped)?;
    let driver = driver.metadata.uid.clone()?;
    // No executor has been there for longer than a process usually takes to its end.
    let at = cluster.now() - SignedDuration::from_secs(60);
    has_stopped.then_some(Stopped { driver, at })
}
