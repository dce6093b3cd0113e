//! Uploads with HTTP PUT, to servers that accept a file only as a whole. The file is streamed, so that its size is no
//! matter.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use indicatif::ProgressBar;
use object_store::Error;
use reqwest::{Body, Client, Response};
use tokio::io::AsyncReadExt;

use super::error::{self, ANSWERED};
use crate::job::local_files::LocalFile;
use crate::time::Backoff;

/// Pauses before a file is sent again; after the last one the upload fails. The whole file is sent each time, so that
/// there are few of them.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// Uploads a file, with retries.
///
/// # Errors
/// The file cannot be read, the server refuses it, or no retry was answered.
pub async fn put(file: &LocalFile, place: &str, bar: &ProgressBar) -> Result<()> {
    let client = Client::new();
    let mut backoff = Backoff::new(&PAUSES);
    loop {
        let source = tokio::fs::File::open(&file.path).await;
        let source = source.with_context(|| format!("reading {}", file.path.display()))?;
        let request = client.put(place).header(CONTENT_LENGTH, file.size).body(body(source, bar.clone()));
        let sent = request.send().await;
        match backoff.next_pause().filter(|_| may_pass(&sent)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Ok(result(sent).await?),
        }
        bar.reset();
    }
}

fn body(source: tokio::fs::File, bar: ProgressBar) -> Body {
    Body::wrap_stream(stream::try_unfold((source, bar), async |(mut source, bar)| {
        let mut piece = vec![0; 1 << 20];
        let read = source.read(&mut piece).await?;
        piece.truncate(read);
        bar.inc(read as u64);
        std::io::Result::Ok((read > 0).then_some((piece, (source, bar))))
    }))
}

fn may_pass(sent: &reqwest::Result<Response>) -> bool {
    match sent {
        Ok(answer) => error::may_pass(answer.status()),
        Err(_) => true,
    }
}

/// Converts the answer to a result of the clients of stores.
async fn result(sent: reqwest::Result<Response>) -> object_store::Result<()> {
    let source: Box<dyn std::error::Error + Send + Sync> = match sent {
        Ok(answer) if answer.status().is_success() => return Ok(()),
        Ok(answer) => {
            let status = answer.status();
            let body = answer.text().await.unwrap_or_default();
            format!("{ANSWERED}{status}: {body}").into()
        }
        Err(error) => error.without_url().into(),
    };
    Err(Error::Generic { store: "HTTP", source })
}
