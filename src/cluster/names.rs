use super::request::Call;
use super::{Cluster, Failure};

/// Names of the objects of a collection, by its path.
///
/// # Errors
/// They cannot be listed.
pub async fn names(cluster: &Cluster, path: &str) -> Result<Vec<String>, Failure> {
    let list = cluster.send(&Call::get(path.to_owned())).await.map_err(|(failure, _)| failure)?;
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(items.iter().filter_map(|item| item["metadata"]["name"].as_str()).map(str::to_owned).collect())
}
