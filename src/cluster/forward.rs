use k8s_openapi::api::core::v1::Pod;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::logs::place;
use super::request::{ANSWER_TIMEOUT, in_time};
use super::{Cluster, Failure, Refusal};

/// Joins a connection of this machine with a port of the driver's pod, until one side closes it.
///
/// # Errors
/// It is refused, or the API server cannot be reached.
pub async fn forward(cluster: &Cluster, driver: &Pod, port: u16, socket: &mut TcpStream) -> Result<(), Refusal> {
    let (pods, pod) = place(cluster, driver);
    let refusal = |failure| Refusal::new(format!("forwarding port {port} of {pod}"), failure, &cluster.namespace);
    let ports = [port];
    let mut forwarding = in_time(ANSWER_TIMEOUT, pods.portforward(&pod, &ports)).await.map_err(refusal)?;
    let stream = forwarding.take_stream(port);
    let mut stream = stream.ok_or_else(|| refusal(Failure::NoAnswer("no stream came".into())))?;
    // A browser or a driver that hangs up is the usual end.
    let _ = copy_bidirectional(socket, &mut stream).await;
    drop(stream);
    forwarding.abort();
    Ok(())
}
