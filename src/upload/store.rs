use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt, ObjectStoreScheme, WriteMultipart};
use reqwest::Url;
use tokio::io::AsyncReadExt;

use crate::job::local_files::{LocalFile, LocalFiles};

/// How long a signed address is good: an application may wait for its place and start executors late.
const SIGNED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Parts of an upload: 5 MiB at least in S3, 10,000 of them at most.
const PART: usize = 16 << 20;

/// Parts that are under way at the same time.
const PARALLEL: usize = 4;

pub async fn upload(files: &mut LocalFiles, signed: bool, draws: bool, say: impl Fn(&str)) -> Result<()> {
    // Err only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let placed: Vec<(String, LocalFile, String)> =
        files.uploaded().map(|(uri, file, place)| (uri.to_owned(), file.clone(), place.to_owned())).collect();
    for (uri, file, place) in placed {
        let uploading = || format!("uploading {} to {place}", file.name());
        let store = Store::of(&place).with_context(uploading)?;
        let size = BinaryBytes(file.size);
        match store.has(&file).await.with_context(uploading)? {
            true => say(&format!("{} ({size}) is at {place} already", file.name())),
            false => {
                store.put(&file, draws).await.with_context(uploading)?;
                say(&format!("uploaded {} ({size}) to {place}", file.name()));
            }
        }
        if signed {
            let address = store.signed().await.with_context(uploading)?;
            files.read_by(&uri, address);
        }
    }
    Ok(())
}

/// An object's place in a store.
struct Store {
    client: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Signer>>,
    path: Path,
    /// WebDAV and its like take a file whole.
    takes_parts: bool,
}

impl Store {
    /// The store of an address. Credentials and the rest are those of the environment: `AWS_…`,
    /// `GOOGLE_…`, `AZURE_…`.
    fn of(place: &str) -> Result<Self> {
        let url = Url::parse(place).context("reading the address")?;
        let (scheme, path) = ObjectStoreScheme::parse(&url)?;
        let mut signer: Option<Arc<dyn Signer>> = None;
        let client: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let client = Arc::new(AmazonS3Builder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                client
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let client = Arc::new(GoogleCloudStorageBuilder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                client
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let client = Arc::new(MicrosoftAzureBuilder::from_env().with_url(place).build()?);
                signer = Some(client.clone());
                client
            }
            ObjectStoreScheme::Http => {
                let mut base = url.clone();
                base.set_path("");
                let options = ClientOptions::new().with_allow_http(url.scheme() == "http");
                Arc::new(HttpBuilder::new().with_url(base).with_client_options(options).build()?)
            }
            ObjectStoreScheme::Local => Arc::new(LocalFileSystem::new()),
            _ => bail!("expected s3://, gs://, abfss://, https:// or file://"),
        };
        let takes_parts = !matches!(scheme, ObjectStoreScheme::Http);
        Ok(Self { client, signer, path, takes_parts })
    }

    /// Whether the file is there: its address is made of its content.
    async fn has(&self, file: &LocalFile) -> Result<bool> {
        match self.client.head(&self.path).await {
            Ok(found) => Ok(found.size == file.size),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, file: &LocalFile, draws: bool) -> Result<()> {
        let bar = bar(file, draws);
        let reading = || format!("reading {}", file.path.display());
        if !self.takes_parts {
            let content = tokio::fs::read(&file.path).await.with_context(reading)?;
            self.client.put(&self.path, content.into()).await?;
            return Ok(());
        }
        let mut source = tokio::fs::File::open(&file.path).await.with_context(reading)?;
        let mut parts = WriteMultipart::new_with_chunk_size(self.client.put_multipart(&self.path).await?, PART);
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

    async fn signed(&self) -> Result<String> {
        let Some(signer) = &self.signer else { bail!("this store signs no addresses: leave out --upload-signed") };
        Ok(signer.signed_url(Method::GET, &self.path, SIGNED_FOR).await?.to_string())
    }
}

fn bar(file: &LocalFile, draws: bool) -> ProgressBar {
    let target = if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template("{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    let bar = ProgressBar::with_draw_target(Some(file.size), target).with_finish(ProgressFinish::AndClear);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(format!("uploading {}", file.name()))
}
