//! Files of the submitter that are too large for a ConfigMap: into a store, once.

#[cfg(feature = "upload")]
mod aws;
#[cfg(feature = "upload")]
mod journal;
#[cfg(feature = "upload")]
mod refused;
#[cfg(feature = "upload")]
mod store;
#[cfg(feature = "upload")]
mod web;

use anyhow::Result;

use crate::job::local_files::LocalFiles;

/// Uploads what belongs into a store and is not there yet; with `signed`, has the driver read it by
/// signed addresses. What happens is told to `say`.
///
/// # Errors
/// The store cannot be reached, or refuses.
#[cfg(feature = "upload")]
pub async fn upload(files: &mut LocalFiles, signed: bool, draws: bool, say: impl Fn(&str)) -> Result<()> {
    store::upload(files, signed, draws, say).await
}

/// Refuses what belongs into a store: this program was built without the clients of stores.
///
/// # Errors
/// There is something to upload.
#[cfg(not(feature = "upload"))]
pub async fn upload(files: &mut LocalFiles, _: bool, _: bool, _: impl Fn(&str)) -> Result<()> {
    match files.uploaded().next() {
        Some((uri, ..)) => anyhow::bail!("uploading {uri}: this sparkctl was built without the feature `upload`"),
        None => Ok(()),
    }
}
