//! The clients of stores, and uploads by them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::Method;
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutPayload, RetryConfig,
    WriteMultipart,
};
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::aws;
use super::error::explain;
use super::journal::{Interrupted, Journal};
use super::web;
use crate::job::local_files::{LocalFile, LocalFiles};
use crate::spark::stores;

/// How long a signed URL is valid: an application may be queued for long, and start executors late.
const SIGNED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The size of an upload's parts. S3 requires 5 MiB.
const PART: u64 = 8 << 20;
/// The number of parts that S3 allows.
const MAX_PARTS: u64 = 10_000;

/// A store that has not answered after this is reported as slow: its client retries for a minute.
const SLOW: Duration = Duration::from_secs(5);

/// Parts that are uploaded at the same time.
const PARALLEL: usize = 4;

/// Files that are looked up at the same time.
const LOOKUPS: usize = 8;

pub async fn upload(files: &mut LocalFiles, signed: bool, draws: bool, say: impl Fn(&str)) -> Result<()> {
    // An error only means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let placed: Vec<(String, LocalFile, String)> =
        files.uploaded().map(|(uri, file, place)| (uri.to_owned(), file.clone(), place.to_owned())).collect();
    // All files have the same store.
    let Some((_, first, place)) = placed.first() else { return Ok(()) };
    let store = Store::of(place).await.map_err(|error| refusal(first, place, error))?;
    let lookups = placed.iter().map(|(_, file, place)| async {
        let answer = store.has(file, place).await;
        answer.map_err(|error| refusal(file, place, error))
    });
    let answers = stream::iter(lookups).buffered(LOOKUPS).try_collect::<Vec<bool>>();
    let answers =
        report_if_slow(answers, || say(&format!("no answer yet from the store of {place}, retrying"))).await?;
    for ((uri, file, place), exists) in placed.iter().zip(answers) {
        let size = BinaryBytes(file.size);
        if exists {
            say(&format!("{} ({size}) is already at {place}", file.name()));
        } else {
            store.put(file, place, draws, &say).await.map_err(|error| refusal(file, place, error))?;
            say(&format!("uploaded {} ({size}) to {place}", file.name()));
        }
        if signed {
            let address = store.signed(place).await.map_err(|error| refusal(file, place, error))?;
            files.read_by(uri, address);
        }
    }
    Ok(())
}

fn refusal(file: &LocalFile, place: &str, error: anyhow::Error) -> anyhow::Error {
    explain(format!("uploading {} to {place}", file.name()), place, error)
}

/// Waits for an answer, and reports once that it is slow.
async fn report_if_slow<T>(answer: impl Future<Output = T>, say: impl FnOnce()) -> T {
    let mut answer = pin!(answer);
    match tokio::time::timeout(SLOW, &mut answer).await {
        Ok(answer) => answer,
        Err(_) => {
            say();
            answer.await
        }
    }
}

/// A client of a store, and what it can do.
struct Store {
    client: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    /// For stores that keep the parts of an interrupted upload.
    multipart: Option<Arc<dyn MultipartStore>>,
    /// Whether files are uploaded in parts: WebDAV servers accept a file only as a whole.
    takes_parts: bool,
}

impl Store {
    /// The store of a URL. Its settings are in the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`) and the AWS CLI's profile.
    async fn of(place: &str) -> Result<Self> {
        let url = Url::parse(place).context("parsing the URL")?;
        let (scheme, _) = ObjectStoreScheme::parse(&url)?;
        let mut signer: Option<Arc<dyn Signer>> = None;
        let mut multipart: Option<Arc<dyn MultipartStore>> = None;
        let client: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let client = Arc::new(amazon().await?.with_url(place).build()?);
                signer = Some(client.clone());
                multipart = Some(client.clone());
                client
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let client = Arc::new(GoogleCloudStorageBuilder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                multipart = Some(client.clone());
                client
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let client = Arc::new(MicrosoftAzureBuilder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                multipart = Some(client.clone());
                client
            }
            ObjectStoreScheme::Http => {
                let mut base = url.clone();
                base.set_path("");
                let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
                Arc::new(
                    HttpBuilder::new().with_url(base).with_client_options(options).with_retry(few_retries()).build()?,
                )
            }
            ObjectStoreScheme::Local => Arc::new(LocalFileSystem::new()),
            _ => bail!("expected {}", stores::upload_schemes()),
        };
        let takes_parts = !matches!(scheme, ObjectStoreScheme::Http);
        Ok(Self { client, signer, multipart, takes_parts })
    }

    /// Whether the store has the file, whose URL depends on its content.
    async fn has(&self, file: &LocalFile, place: &str) -> Result<bool> {
        match self.client.head(&path(place)?).await {
            Ok(found) => Ok(found.size == file.size),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            // Without the right to list, a missing object is answered with 403.
            Err(object_store::Error::PermissionDenied { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, file: &LocalFile, place: &str, draws: bool, say: &impl Fn(&str)) -> Result<()> {
        let (path, bar) = (&path(place)?, bar(file, draws));
        if let Some(multipart) = self.multipart.as_ref().filter(|_| file.size > PART) {
            let journal = crate::local::cache().and_then(|cache| Journal::open(&cache.join("uploads"), place));
            return Parts { multipart: multipart.as_ref(), path, file, bar: &bar }.put(journal, say).await;
        }
        let reading = || format!("reading {}", file.path.display());
        // A file of one part needs only one request.
        if file.size <= PART {
            let content = tokio::fs::read(&file.path).await.with_context(reading)?;
            self.client.put(path, content.into()).await?;
            return Ok(());
        }
        if !self.takes_parts {
            // Creates the parent folders.
            self.client.put(path, PutPayload::default()).await?;
            return web::put(file, place, &bar).await;
        }
        let mut source = tokio::fs::File::open(&file.path).await.with_context(reading)?;
        let mut parts = WriteMultipart::new_with_chunk_size(self.client.put_multipart(path).await?, PART as usize);
        let mut piece = vec![0; 1 << 20];
        loop {
            let read = source.read(&mut piece).await.with_context(reading)?;
            if read == 0 {
                break;
            }
            parts.wait_for_capacity(PARALLEL).await?;
            parts.write(&piece[..read]);
            bar.inc(read as u64);
        }
        parts.finish().await?;
        Ok(())
    }

    async fn signed(&self, place: &str) -> Result<String> {
        let Some(signer) = &self.signer else { bail!("this store has no signed URLs: leave out --upload-signed") };
        Ok(signer.signed_url(Method::GET, &path(place)?, SIGNED_FOR).await?.to_string())
    }
}

/// An upload in parts, which can be resumed.
struct Parts<'a> {
    multipart: &'a dyn MultipartStore,
    path: &'a Path,
    file: &'a LocalFile,
    bar: &'a ProgressBar,
}

impl Parts<'_> {
    async fn put(&self, mut journal: Option<Journal>, say: &impl Fn(&str)) -> Result<()> {
        if let Some(interrupted) = journal.as_mut().and_then(Journal::interrupted) {
            let (have, all) = (interrupted.parts.len(), self.file.size.div_ceil(interrupted.part.max(1)));
            match self.complete(interrupted, &mut journal).await {
                Ok(()) => {
                    say(&format!(
                        "resumed an interrupted upload of {}: {have} of {all} parts were there",
                        self.file.name()
                    ));
                    journal.into_iter().for_each(Journal::end);
                    return Ok(());
                }
                // The upload has expired, or somebody else completed it.
                Err(error) if is_refused(&error) => self.bar.set_position(0),
                Err(error) => return Err(error),
            }
        }
        let part = PART.max(self.file.size.div_ceil(MAX_PARTS));
        let id = self.multipart.create_multipart(self.path).await?;
        if let Some(journal) = &mut journal {
            journal.begin(&id, part)?;
        }
        self.complete(Interrupted { id, part, ..Interrupted::default() }, &mut journal).await?;
        journal.into_iter().for_each(Journal::end);
        Ok(())
    }

    /// Uploads the missing parts, and completes the upload.
    async fn complete(&self, upload: Interrupted, journal: &mut Option<Journal>) -> Result<()> {
        let Interrupted { id, part, mut parts } = upload;
        let missing: Vec<u64> = (0..self.file.size.div_ceil(part)).filter(|index| !parts.contains_key(index)).collect();
        let length = |index: u64| part.min(self.file.size - index * part);
        self.bar.inc(parts.keys().map(|index| length(*index)).sum());
        let send = |index: u64| {
            let id = &id;
            async move {
                let piece = self.piece(index * part, length(index)).await?;
                let sent = self.multipart.put_part(self.path, id, usize::try_from(index)?, piece.into()).await?;
                self.bar.inc(length(index));
                anyhow::Ok((index, sent.content_id))
            }
        };
        let mut sent = stream::iter(missing).map(send).buffer_unordered(PARALLEL);
        while let Some((index, name)) = sent.try_next().await? {
            if let Some(journal) = journal {
                journal.record(index, &name)?;
            }
            parts.insert(index, name);
        }
        drop(sent);
        let parts = parts.into_values().map(|content_id| PartId { content_id }).collect();
        self.multipart.complete_multipart(self.path, &id, parts).await?;
        Ok(())
    }

    async fn piece(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let reading = || format!("reading {}", self.file.path.display());
        let mut source = tokio::fs::File::open(&self.file.path).await.with_context(reading)?;
        source.seek(std::io::SeekFrom::Start(offset)).await.with_context(reading)?;
        let mut piece = vec![0; usize::try_from(length)?];
        source.read_exact(&mut piece).await.with_context(reading)?;
        Ok(piece)
    }
}

/// Whether the store does not know the upload, or its parts, any more.
fn is_refused(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<object_store::Error>() {
        Some(object_store::Error::NotFound { .. }) => true,
        Some(error) => error.to_string().contains("InvalidPart") || error.to_string().contains("InvalidBlockList"),
        None => false,
    }
}

/// Fewer retries than the client's ten: a server that does not support PUT answers with a server error.
fn few_retries() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(500), ..BackoffConfig::default() };
    RetryConfig { max_retries: 3, backoff, ..RetryConfig::default() }
}

/// The path of a URL in its store.
fn path(place: &str) -> Result<Path> {
    Ok(ObjectStoreScheme::parse(&Url::parse(place).context("parsing the URL")?)?.1)
}

/// Amazon's S3, or that of `AWS_ENDPOINT_URL`, which may use plain HTTP.
async fn amazon() -> Result<AmazonS3Builder> {
    let builder = aws::with_profile(AmazonS3Builder::from_env()).await?;
    let endpoints = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint];
    let endpoint = endpoints.iter().find_map(|key| builder.get_config_value(key)).unwrap_or_default();
    Ok(if endpoint.starts_with("http://") { builder.with_allow_http(true) } else { builder })
}

fn bar(file: &LocalFile, draws: bool) -> ProgressBar {
    let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::with_draw_target(Some(file.size), target).with_finish(ProgressFinish::AndClear);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(format!("uploading {}", file.name()))
}
