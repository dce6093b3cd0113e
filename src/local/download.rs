//! Downloads pages and files over HTTP, and verifies them.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use indicatif::ProgressBar;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use ureq::http::{HeaderValue, Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider};

use super::progress::{Progress, Stop};
use crate::time::Backoff;

/// A URL. User and password of a private index are never displayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    url: String,
    /// `user:password`, decoded.
    credentials: Option<String>,
}

impl Link {
    /// Splits the credentials from a URL.
    pub fn new(text: &str) -> Self {
        let plain = || Self { url: text.to_owned(), credentials: None };
        let Some((scheme, rest)) = text.split_once("://") else {
            return plain();
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let Some((user, host)) = authority.rsplit_once('@') else {
            return plain();
        };
        let url = format!("{scheme}://{host}{}", &rest[authority.len()..]);
        let credentials = percent_decode_str(user).decode_utf8_lossy().into_owned();
        Self { url, credentials: Some(credentials) }
    }

    /// Resolves a reference in the page at this URL. Only links to the same host keep the credentials.
    pub fn join(&self, reference: &str) -> Self {
        if reference.contains("://") {
            let link = Self::new(reference);
            let credentials = link.credentials.clone();
            let ours = self.credentials.clone().filter(|_| link.origin() == self.origin());
            return Self { credentials: credentials.or(ours), ..link };
        }
        let origin = self.origin();
        let folder = match reference.strip_prefix('/') {
            Some(_) => "",
            None => self.url[origin.len()..].rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        let mut steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
        for step in reference.split('/') {
            match step {
                "" | "." => {}
                ".." => drop(steps.pop()),
                step => steps.push(step),
            }
        }
        Self { url: format!("{origin}/{}", steps.join("/")), credentials: self.credentials.clone() }
    }

    /// Scheme, host and port.
    fn origin(&self) -> &str {
        let start = self.url.find("://").map_or(0, |at| at + 3);
        self.url[start..].find('/').map_or(&self.url, |end| &self.url[..start + end])
    }

    fn authorization(&self) -> Option<String> {
        let credentials = self.credentials.as_ref()?;
        Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials)))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// A page of text.
pub struct Page {
    pub content_type: String,
    pub text: String,
}

/// A client that uses the machine's proxies and trusted certificates.
pub struct Http {
    agent: ureq::Agent,
}

/// Pauses before a broken download is resumed; after the last one it fails. A mirror that drops connections serves the
/// next one within seconds, and somebody is waiting for the job to start.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// A server that is silent for longer than this has failed.
const SILENCE: Duration = Duration::from_secs(30);

impl Http {
    /// A client that trusts the certificates in a PEM file (pip's `PIP_CERT`) instead of the machine's.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(certificates: Option<&Path>) -> Result<Self> {
        // Set explicitly, because the first request panics if other crates enable several providers.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(certificates.map_or(Ok(RootCerts::PlatformVerifier), trusted)?)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("sparkctl/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.into() })
    }

    /// Reads a page.
    ///
    /// # Errors
    /// The server cannot be reached, or does not have the page.
    pub fn page(&self, link: &Link, accept: &str) -> Result<Page> {
        let mut answer = self.get(link, &[("accept", accept)])?;
        let content_type = answer.headers().get(header::CONTENT_TYPE).map(text).unwrap_or_default();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string()?;
        Ok(Page { content_type, text })
    }

    /// Downloads into a new file, and resumes after a broken connection.
    ///
    /// # Errors
    /// The download fails, or its sha256 is another one.
    pub fn download(&self, what: &str, link: &Link, sha256: &str, to: &Path, progress: &Progress) -> Result<()> {
        let fetched = || -> Result<()> {
            let file = File::create(to).with_context(|| format!("creating {}", to.display()))?;
            let mut sink = Sink { file, hash: Sha256::new(), written: 0 };
            let mut bar = None;
            let mut shown =
                |bytes| bar.get_or_insert_with(|| progress.download(what, bytes, &link.to_string())).clone();
            let mut backoff = Backoff::new(&PAUSES);
            while let Err(error) = self.resume(link, &mut sink, &mut shown, &progress.stop) {
                progress.stop.check()?;
                match backoff.next_pause().filter(|_| error.is::<Broken>()) {
                    Some(pause) => std::thread::sleep(pause),
                    None => return Err(error),
                }
            }
            bar.inspect(ProgressBar::finish_and_clear);
            verify(&hex(&sink.hash.finalize()), sha256)
        };
        fetched().with_context(|| format!("fetching {what} from {link}"))
    }

    /// Downloads what is missing in the sink, with a progress bar over the length that the server reports.
    fn resume(
        &self,
        link: &Link,
        sink: &mut Sink,
        shown: &mut impl FnMut(Option<u64>) -> ProgressBar,
        stop: &Stop,
    ) -> Result<()> {
        let range = format!("bytes={}-", sink.written);
        let mut headers = vec![("accept-encoding", "identity")];
        if sink.written > 0 {
            headers.push(("range", &range));
        }
        let mut answer = self.get(link, &headers)?;
        if sink.written > 0 && answer.status() != StatusCode::PARTIAL_CONTENT {
            sink.restart()?;
        }
        let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|length| text(length).parse().ok());
        let bar = shown(length);
        let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
        let mut chunk = vec![0; 128 << 10];
        loop {
            stop.check()?;
            let count = body.read(&mut chunk).map_err(|error| Broken(error.to_string()))?;
            if count == 0 {
                return Ok(());
            }
            sink.take(&chunk[..count])?;
            bar.set_position(sink.written);
        }
    }

    fn get(&self, link: &Link, headers: &[(&str, &str)]) -> Result<Response<ureq::Body>> {
        let mut request = self.agent.get(&link.url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(value) = link.authorization() {
            request = request.header(header::AUTHORIZATION, value);
        }
        request.call().map_err(|error| match error {
            ureq::Error::StatusCode(code) => {
                anyhow::anyhow!("the server answered {}", status(code))
            }
            error => Broken(error.to_string()).into(),
        })
    }
}

/// A connection that failed; a retry may succeed.
#[derive(Debug)]
struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// A file that is being downloaded.
struct Sink {
    file: File,
    hash: Sha256,
    written: u64,
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).context("writing to the cache")?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<()> {
        use std::io::Seek;
        self.file.set_len(0).and_then(|()| self.file.rewind()).context("truncating an incomplete file")?;
        self.hash = Sha256::new();
        self.written = 0;
        Ok(())
    }
}

fn verify(found: &str, expected: &str) -> Result<()> {
    if !found.eq_ignore_ascii_case(expected) {
        bail!("the download has the sha256 {found}, but the index says {expected}");
    }
    Ok(())
}

fn trusted(file: &Path) -> Result<RootCerts> {
    let pem = std::fs::read(file).with_context(|| format!("reading certificates {} (PIP_CERT)", file.display()))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let certificates: Vec<_> = ureq::tls::parse_pem(&pem).filter_map(certificate).collect();
    ensure!(!certificates.is_empty(), "{} (PIP_CERT) contains no certificate", file.display());
    Ok(RootCerts::from(certificates))
}

fn status(code: u16) -> String {
    StatusCode::from_u16(code).map_or_else(|_| code.to_string(), |status| status.to_string())
}

fn text(value: &HeaderValue) -> String {
    value.to_str().unwrap_or_default().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

    /// sha256 of `hello world`.
    const HELLO: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

    fn quiet() -> Progress {
        Progress { terminal: false, say: Arc::new(|_| {}), stop: Default::default() }
    }

    /// A server that sends the answers one after another, and returns the requests.
    fn server(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                requests.push(lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        (address, server)
    }

    const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello world";
    const BROKEN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello";
    const REST: &str = "HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\nConnection: close\r\n\r\n world";
    const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    fn fetch(answers: &'static [&'static str], sha256: &str) -> (Result<()>, String, Vec<String>) {
        let (address, server) = server(answers);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("file");
        let link = Link::new(&format!("{}/file", address.replace("//", "//jo:se%40cret@")));
        let outcome = Http::new(None).unwrap().download("a file", &link, sha256, &to, &quiet());
        let content = std::fs::read_to_string(&to).unwrap_or_default();
        (outcome, content, server.join().unwrap())
    }

    #[test]
    fn downloads_a_file_with_the_credentials_of_its_url() {
        let (outcome, content, requests) = fetch(&[WHOLE], HELLO);
        outcome.unwrap();
        assert_eq!(content, "hello world");
        assert!(requests[0].contains("Basic am86c2VAY3JldA=="), "{requests:?}");
    }

    #[test]
    fn resumes_a_broken_download() {
        let (outcome, content, requests) = fetch(&[BROKEN, REST], HELLO);
        outcome.unwrap();
        assert_eq!(content, "hello world");
        assert!(requests[1].contains("bytes=5-"), "{requests:?}");
    }

    #[test]
    fn refuses_a_file_with_another_hash() {
        let (outcome, ..) = fetch(&[WHOLE], "00ff");
        let message = format!("{:#}", outcome.unwrap_err());
        assert!(message.contains("the sha256 b94d27") && message.contains("the index says 00ff"), "{message}");
    }

    #[test]
    fn shows_the_url_of_a_download_without_the_password() {
        let (outcome, ..) = fetch(&[GONE], HELLO);
        let message = format!("{:#}", outcome.unwrap_err());
        assert!(message.starts_with("fetching a file from http://127.0.0.1:"), "{message}");
        assert!(message.ends_with("the server answered 404 Not Found"), "{message}");
        assert!(!message.contains("jo") && !message.contains("cret"), "{message}");
    }

    #[test]
    fn stops_a_download_when_asked() {
        let progress = quiet();
        progress.stop.request();
        let (address, _) = server(&[WHOLE]);
        let folder = tempfile::tempdir().unwrap();
        let http = Http::new(None).unwrap();
        let outcome = http.download("a file", &Link::new(&address), HELLO, &folder.path().join("file"), &progress);
        assert!(format!("{:#}", outcome.unwrap_err()).ends_with("interrupted"));
    }

    #[test]
    fn resolves_references_as_a_browser_does() {
        let page = Link::new("https://h:8443/root/simple/p/");
        assert_eq!(page.join("f.whl").to_string(), "https://h:8443/root/simple/p/f.whl");
        assert_eq!(page.join("../../f/f.whl").to_string(), "https://h:8443/root/f/f.whl");
        assert_eq!(page.join("/f.whl").to_string(), "https://h:8443/f.whl");
        assert_eq!(page.join("https://other/f.whl").to_string(), "https://other/f.whl");
    }

    #[test]
    fn sends_credentials_to_the_same_host_only() {
        let page = Link::new("https://jo:secret@h/simple/p/");
        assert_eq!(page.to_string(), "https://h/simple/p/");
        assert!(page.join("https://h/f.whl").authorization().is_some());
        assert!(page.join("f.whl").authorization().is_some());
        assert_eq!(page.join("https://other/f.whl").authorization(), None);
    }
}
