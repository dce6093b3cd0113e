use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;

use super::request::Call;
use super::{Cluster, Failure, kinds};
use crate::state;

/// A stage of a Spark job that has tasks running, as Spark's own REST interface tells it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    pub stage_id: i64,
    pub name: String,
    pub num_tasks: u64,
    pub num_complete_tasks: u64,
    pub num_failed_tasks: u64,
}

#[derive(Deserialize)]
struct OfSpark {
    id: String,
}

/// The active stages of a driver that runs, asked of its Spark UI through the API server.
///
/// # Errors
/// The right to it is missing (`get` on `pods/proxy`), or the driver has no UI, or not yet.
pub async fn stages(cluster: &Cluster, driver: &Pod) -> Result<Vec<Stage>, Failure> {
    let namespace = driver.metadata.namespace.as_deref().unwrap_or(&cluster.namespace);
    let pod = driver.metadata.name.as_deref().unwrap_or_default();
    let port = state::ui_port(driver);
    let base = format!("{}/{pod}:{port}/proxy/api/v1/applications", kinds::in_namespace("v1", "pods", namespace));
    let applications: Vec<OfSpark> = asked(cluster, base.clone()).await?;
    let Some(OfSpark { id }) = applications.into_iter().next() else { return Ok(Vec::new()) };
    asked(cluster, format!("{base}/{id}/stages?status=active")).await
}

async fn asked<T: serde::de::DeserializeOwned>(cluster: &Cluster, path: String) -> Result<T, Failure> {
    let answer = cluster.send(&Call::get(path)).await.map_err(|(failure, _)| failure)?;
    serde_json::from_value(answer).map_err(|error| Failure::NoAnswer(format!("not what Spark answers: {error}")))
}
