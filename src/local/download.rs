//! Getting a page or a file over HTTP, and making sure that it is the right one.

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

/// An address. User and password of a private index stay out of everything shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    url: String,
    /// `user:password`, decoded.
    credentials: Option<String>,
}

impl Link {
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

    /// The address that a page at this address means by a reference.
    ///
    /// Credentials follow to the same host only.
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

/// A client that keeps to the machine's proxies and trusted certificates.
pub struct Http {
    agent: ureq::Agent,
}

/// Pauses before a broken download is resumed; after the last one it fails. A mirror that drops connections serves the
/// next one within seconds, and somebody is waiting for the job to start.
const PAUSES: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Longest a server may stay silent.
const SILENCE: Duration = Duration::from_secs(30);

impl Http {
    /// `certificates`: a PEM file to trust instead of the machine's own (pip's `PIP_CERT`).
    ///
    /// # Errors
    /// When that file cannot be read.
    pub fn new(certificates: Option<&Path>) -> Result<Self> {
        // Named here, so that no other crate's choice of provider can make the first request panic.
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

    /// # Errors
    /// When the server cannot be reached or does not have the page.
    pub fn page(&self, link: &Link, accept: &str) -> Result<Page> {
        let mut answer = self.get(link, &[("accept", accept)])?;
        let content_type = answer.headers().get(header::CONTENT_TYPE).map(text).unwrap_or_default();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string()?;
        Ok(Page { content_type, text })
    }

    /// Downloads into a new file, and takes up where it was when the connection breaks.
    ///
    /// # Errors
    /// When it cannot be had, or is not what its sha256 says.
    pub fn download(&self, what: &str, link: &Link, sha256: &str, to: &Path, progress: &Progress) -> Result<()> {
        let fetched = || -> Result<()> {
            let file = File::create(to).with_context(|| format!("creating {}", to.display()))?;
            let mut sink = Sink { file, hash: Sha256::new(), written: 0 };
            let mut bar = None;
            let mut shown =
                |bytes| bar.get_or_insert_with(|| progress.download(what, bytes, &link.to_string())).clone();
            let mut backoff = Backoff::new(&PAUSES);
            while let Err(error) = self.pour(link, &mut sink, &mut shown, &progress.stop) {
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

    /// Adds to the sink what is still missing, and shows a bar over the length that the server tells.
    fn pour(
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

/// A connection that failed, and may succeed when tried again.
#[derive(Debug)]
struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

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
        self.file.set_len(0).and_then(|()| self.file.rewind()).context("emptying a half-written file")?;
        self.hash = Sha256::new();
        self.written = 0;
        Ok(())
    }
}

fn verify(found: &str, expected: &str) -> Result<()> {
    if !found.eq_ignore_ascii_case(expected) {
        bail!("what arrived is not what the index promised: sha256 is {found}, not {expected}");
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
    ensure!(!certificates.is_empty(), "{} (PIP_CERT) holds no certificate", file.display());
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

    /// A server that answers one request after another, each with its own words.
    fn server(answers: &'static [&'static str]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                requests.push(lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        (address, heard)
    }

    const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello world";
    const TORN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nhello";
    const REST: &str = "HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\nConnection: close\r\n\r\n world";
    const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    fn fetch(answers: &'static [&'static str], sha256: &str) -> (Result<()>, String, Vec<String>) {
        let (address, heard) = server(answers);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("file");
        let link = Link::new(&format!("{}/file", address.replace("//", "//jo:se%40cret@")));
        let outcome = Http::new(None).unwrap().download("a file", &link, sha256, &to, &quiet());
        let content = std::fs::read_to_string(&to).unwrap_or_default();
        (outcome, content, heard.join().unwrap())
    }

    #[test]
    fn downloads_a_file_with_the_credentials_of_its_address() {
        let (outcome, content, requests) = fetch(&[WHOLE], HELLO);
        outcome.unwrap();
        assert_eq!(content, "hello world");
        assert!(requests[0].contains("Basic am86c2VAY3JldA=="), "{requests:?}");
    }

    #[test]
    fn takes_up_a_torn_download_where_it_was() {
        let (outcome, content, requests) = fetch(&[TORN, REST], HELLO);
        outcome.unwrap();
        assert_eq!(content, "hello world");
        assert!(requests[1].contains("bytes=5-"), "{requests:?}");
    }

    #[test]
    fn refuses_a_file_that_is_not_the_promised_one() {
        let (outcome, ..) = fetch(&[WHOLE], "00ff");
        let said = format!("{:#}", outcome.unwrap_err());
        assert!(said.contains("sha256 is b94d27") && said.contains("not 00ff"), "{said}");
    }

    #[test]
    fn says_what_was_fetched_from_where_but_no_password() {
        let (outcome, ..) = fetch(&[GONE], HELLO);
        let said = format!("{:#}", outcome.unwrap_err());
        assert!(said.starts_with("fetching a file from http://127.0.0.1:"), "{said}");
        assert!(said.ends_with("the server answered 404 Not Found"), "{said}");
        assert!(!said.contains("jo") && !said.contains("cret"), "{said}");
    }

    #[test]
    fn stops_a_download_when_asked() {
        let progress = quiet();
        progress.stop.wish();
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
    fn takes_credentials_along_to_the_same_host_only() {
        let page = Link::new("https://jo:secret@h/simple/p/");
        assert_eq!(page.to_string(), "https://h/simple/p/");
        assert!(page.join("https://h/f.whl").authorization().is_some());
        assert!(page.join("f.whl").authorization().is_some());
        assert_eq!(page.join("https://other/f.whl").authorization(), None);
    }
}
