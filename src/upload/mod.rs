//! Uploads the submitter's files that are too large for a ConfigMap to a store, each content once.

#[cfg(feature = "upload")]
mod aws;
#[cfg(feature = "upload")]
mod error;
#[cfg(feature = "upload")]
mod journal;
#[cfg(feature = "upload")]
mod store;
#[cfg(feature = "upload")]
mod web;

use anyhow::Result;

use crate::job::local_files::LocalFiles;

/// Uploads the files that the store does not have yet. With `signed`, the driver reads them by signed URLs. Messages go to
/// `say`; with `draws`, progress bars are drawn.
///
/// # Errors
/// The store cannot be reached, or refuses the upload.
#[cfg(feature = "upload")]
pub async fn upload(files: &mut LocalFiles, signed: bool, draws: bool, say: impl Fn(&str)) -> Result<()> {
    store::upload(files, signed, draws, say).await
}

/// Refuses to upload: this program was built without the clients of stores.
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
