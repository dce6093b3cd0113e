//! The driver's Spark UI and its REST API, through the API server.

use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::paths::in_namespace;
use super::request::{ANSWER_TIMEOUT, Call, in_time};
use crate::state;

/// A stage of a Spark job that has running tasks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    pub stage_id: i64,
    pub name: String,
    pub num_tasks: u64,
    pub num_complete_tasks: u64,
    pub num_failed_tasks: u64,
}

/// An application in Spark's REST API.
#[derive(Deserialize)]
struct RestApplication {
    id: String,
}

/// Connects a socket of this machine with a port of the driver pod, until one side closes the connection.
///
/// # Errors
/// The request is refused, or the API server cannot be reached.
pub async fn forward(cluster: &Cluster, driver: &Pod, port: u16, socket: &mut TcpStream) -> Result<(), Refusal> {
    let (pods, pod) = cluster.api_of(driver);
    let refusal = |failure| Refusal::new(format!("forwarding port {port} of {pod}"), failure, &cluster.namespace);
    let ports = [port];
    let mut forwarding = in_time(ANSWER_TIMEOUT, pods.portforward(&pod, &ports)).await.map_err(refusal)?;
    let stream = forwarding.take_stream(port);
    let mut stream = stream.ok_or_else(|| refusal(Failure::NoAnswer("no stream was opened".into())))?;
    // A browser or a driver that closes the connection is the usual end.
    let _ = copy_bidirectional(socket, &mut stream).await;
    drop(stream);
    forwarding.abort();
    Ok(())
}

/// The active stages of a running driver.
///
/// Source: `GET /api/v1/applications/[app-id]/stages` of Spark's REST API, through the pod's `proxy` subresource.
///
/// # Errors
/// The right to `get` `pods/proxy` is missing, or the driver does not serve a UI (yet).
pub async fn stages(cluster: &Cluster, driver: &Pod) -> Result<Vec<Stage>, Failure> {
    let namespace = driver.metadata.namespace.as_deref().unwrap_or(&cluster.namespace);
    let pod = driver.metadata.name.as_deref().unwrap_or_default();
    let port = state::ui_port(driver);
    let base = format!("{}/{pod}:{port}/proxy/api/v1/applications", in_namespace("v1", "pods", namespace));
    let applications: Vec<RestApplication> = get(cluster, base.clone()).await?;
    let Some(RestApplication { id }) = applications.into_iter().next() else { return Ok(Vec::new()) };
    get(cluster, format!("{base}/{id}/stages?status=active")).await
}

async fn get<T: DeserializeOwned>(cluster: &Cluster, path: String) -> Result<T, Failure> {
    let answer = cluster.send(&Call::get(path)).await.map_err(|(failure, _)| failure)?;
    serde_json::from_value(answer).map_err(|error| Failure::NoAnswer(format!("not an answer of Spark's: {error}")))
}
