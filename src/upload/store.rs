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
use super::journal::{Journal, Torn};
use super::refused;
use super::web;
use crate::job::local_files::{LocalFile, LocalFiles};
use crate::spark::stores;

/// How long a signed address is good: an application may wait for its place and start executors late.
const SIGNED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Parts of an upload: 5 MiB at least in S3, 10,000 of them at most.
const PART: u64 = 8 << 20;
const MOST_PARTS: u64 = 10_000;

/// How long a store's first answer may take with nothing said.
const SLOW: Duration = Duration::from_secs(5);

/// Parts that are under way at the same time.
const PARALLEL: usize = 4;

/// Files that a store is asked for at the same time.
const QUESTIONS: usize = 8;

pub async fn upload(files: &mut LocalFiles, signed: bool, draws: bool, say: impl Fn(&str)) -> Result<()> {
    // Err only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let placed: Vec<(String, LocalFile, String)> =
        files.uploaded().map(|(uri, file, place)| (uri.to_owned(), file.clone(), place.to_owned())).collect();
    // They all go below one address.
    let Some((_, first, place)) = placed.first() else { return Ok(()) };
    let store = Store::of(place).await.map_err(|error| refused(first, place, error))?;
    let questions = placed.iter().map(|(_, file, place)| async {
        let answer = store.has(file, place).await;
        answer.map_err(|error| refused(file, place, error))
    });
    let answers = stream::iter(questions).buffered(QUESTIONS).try_collect::<Vec<bool>>();
    let answers = patiently(answers, || say(&format!("the store of {place} has not answered yet; trying on"))).await?;
    for ((uri, file, place), is_there) in placed.iter().zip(answers) {
        let size = BinaryBytes(file.size);
        if is_there {
            say(&format!("{} ({size}) is at {place} already", file.name()));
        } else {
            store.put(file, place, draws, &say).await.map_err(|error| refused(file, place, error))?;
            say(&format!("uploaded {} ({size}) to {place}", file.name()));
        }
        if signed {
            let address = store.signed(place).await.map_err(|error| refused(file, place, error))?;
            files.read_by(uri, address);
        }
    }
    Ok(())
}

fn refused(file: &LocalFile, place: &str, error: anyhow::Error) -> anyhow::Error {
    refused::told(format!("uploading {} to {place}", file.name()), place, error)
}

/// Waits, and says so once: a client tries again for a minute before it gives up.
async fn patiently<T>(answer: impl Future<Output = T>, say: impl FnOnce()) -> T {
    let mut answer = pin!(answer);
    match tokio::time::timeout(SLOW, &mut answer).await {
        Ok(answer) => answer,
        Err(_) => {
            say();
            answer.await
        }
    }
}

/// A store, and what it can do.
struct Store {
    client: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    /// Of those that keep the parts of an upload that was torn.
    keeper: Option<Arc<dyn MultipartStore>>,
    /// WebDAV and its like take a file whole.
    takes_parts: bool,
}

impl Store {
    /// The store of an address. Credentials and the rest are those of the environment (`AWS_…`, `GOOGLE_…`,
    /// `AZURE_…`), and of the AWS CLI's profile.
    async fn of(place: &str) -> Result<Self> {
        let url = Url::parse(place).context("reading the address")?;
        let (scheme, _) = ObjectStoreScheme::parse(&url)?;
        let mut signer: Option<Arc<dyn Signer>> = None;
        let mut keeper: Option<Arc<dyn MultipartStore>> = None;
        let client: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let client = Arc::new(amazon().await?.with_url(place).build()?);
                signer = Some(client.clone());
                keeper = Some(client.clone());
                client
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let client = Arc::new(GoogleCloudStorageBuilder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                keeper = Some(client.clone());
                client
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let client = Arc::new(MicrosoftAzureBuilder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                keeper = Some(client.clone());
                client
            }
            ObjectStoreScheme::Http => {
                let mut base = url.clone();
                base.set_path("");
                let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
                Arc::new(HttpBuilder::new().with_url(base).with_client_options(options).with_retry(soon()).build()?)
            }
            ObjectStoreScheme::Local => Arc::new(LocalFileSystem::new()),
            _ => bail!("expected {}", stores::upload_schemes()),
        };
        let takes_parts = !matches!(scheme, ObjectStoreScheme::Http);
        Ok(Self { client, signer, keeper, takes_parts })
    }

    /// Whether the file is there: its address is made of its content.
    async fn has(&self, file: &LocalFile, place: &str) -> Result<bool> {
        match self.client.head(&path(place)?).await {
            Ok(found) => Ok(found.size == file.size),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            // Who may write and not list is told nothing else of what is not there.
            Err(object_store::Error::PermissionDenied { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, file: &LocalFile, place: &str, draws: bool, say: &impl Fn(&str)) -> Result<()> {
        let (path, bar) = (&path(place)?, bar(file, draws));
        if let Some(keeper) = self.keeper.as_ref().filter(|_| file.size > PART) {
            let journal = crate::local::cache().and_then(|cache| Journal::of(&cache.join("uploads"), place));
            return Parts { keeper: keeper.as_ref(), path, file, bar: &bar }.put(journal, say).await;
        }
        let reading = || format!("reading {}", file.path.display());
        // One request is all that one part is worth.
        if file.size <= PART {
            let content = tokio::fs::read(&file.path).await.with_context(reading)?;
            self.client.put(path, content.into()).await?;
            return Ok(());
        }
        if !self.takes_parts {
            // Makes the folders above it.
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
        let Some(signer) = &self.signer else { bail!("this store signs no addresses: leave out --upload-signed") };
        Ok(signer.signed_url(Method::GET, &path(place)?, SIGNED_FOR).await?.to_string())
    }
}

/// An upload by parts, which goes on after it was torn.
struct Parts<'a> {
    keeper: &'a dyn MultipartStore,
    path: &'a Path,
    file: &'a LocalFile,
    bar: &'a ProgressBar,
}

impl Parts<'_> {
    async fn put(&self, mut journal: Option<Journal>, say: &impl Fn(&str)) -> Result<()> {
        if let Some(torn) = journal.as_mut().and_then(Journal::torn) {
            let (have, all) = (torn.parts.len(), self.file.size.div_ceil(torn.part.max(1)));
            match self.rest(torn, &mut journal).await {
                Ok(()) => {
                    say(&format!(
                        "went on with an upload of {} that was torn: {have} of {all} parts were there",
                        self.file.name()
                    ));
                    journal.into_iter().for_each(Journal::end);
                    return Ok(());
                }
                // It was forgotten, or ended by somebody else.
                Err(error) if is_refused(&error) => self.bar.set_position(0),
                Err(error) => return Err(error),
            }
        }
        let part = PART.max(self.file.size.div_ceil(MOST_PARTS));
        let id = self.keeper.create_multipart(self.path).await?;
        if let Some(journal) = &mut journal {
            journal.begin(&id, part)?;
        }
        self.rest(Torn { id, part, ..Torn::default() }, &mut journal).await?;
        journal.into_iter().for_each(Journal::end);
        Ok(())
    }

    /// Sends the parts that are missing, and has the store put all together.
    async fn rest(&self, torn: Torn, journal: &mut Option<Journal>) -> Result<()> {
        let Torn { id, part, mut parts } = torn;
        let missing: Vec<u64> = (0..self.file.size.div_ceil(part)).filter(|index| !parts.contains_key(index)).collect();
        let length = |index: u64| part.min(self.file.size - index * part);
        self.bar.inc(parts.keys().map(|index| length(*index)).sum());
        let send = |index: u64| {
            let id = &id;
            async move {
                let piece = self.piece(index * part, length(index)).await?;
                let sent = self.keeper.put_part(self.path, id, usize::try_from(index)?, piece.into()).await?;
                self.bar.inc(length(index));
                anyhow::Ok((index, sent.content_id))
            }
        };
        let mut sent = stream::iter(missing).map(send).buffer_unordered(PARALLEL);
        while let Some((index, name)) = sent.try_next().await? {
            if let Some(journal) = journal {
                journal.note(index, &name)?;
            }
            parts.insert(index, name);
        }
        drop(sent);
        let parts = parts.into_values().map(|content_id| PartId { content_id }).collect();
        self.keeper.complete_multipart(self.path, &id, parts).await?;
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

/// Whether the store knows nothing of an upload (any more), or not of its parts.
fn is_refused(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<object_store::Error>() {
        Some(object_store::Error::NotFound { .. }) => true,
        Some(error) => error.to_string().contains("InvalidPart") || error.to_string().contains("InvalidBlockList"),
        None => false,
    }
}

/// A server that knows nothing of PUT says so as if it were out of order, and is not asked ten times.
fn soon() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(500), ..BackoffConfig::default() };
    RetryConfig { max_retries: 3, backoff, ..RetryConfig::default() }
}

/// Where in its store an address leads to.
fn path(place: &str) -> Result<Path> {
    Ok(ObjectStoreScheme::parse(&Url::parse(place).context("reading the address")?)?.1)
}

/// Amazon's S3, or another where `AWS_ENDPOINT_URL` says so: then by http too.
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
