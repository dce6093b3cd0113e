//! Heartbeats: requests that report the start and end of a run to a monitoring service.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::terminal::messages;

/// A monitoring service that does not answer must not delay the run.
const PATIENCE: Duration = Duration::from_secs(5);

/// A URL to request at the start (`URL/start`), after a success (`URL`) and after a failure (`URL/fail`).
///
/// Source: the pinging API of Healthchecks, which other services share.
#[derive(Clone, Debug)]
pub struct Ping(String);

/// # Errors
/// It is not an HTTP URL.
pub fn ping(url: &str) -> Result<Ping> {
    match url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) {
        Some(rest) if !rest.is_empty() => Ok(Ping(url.trim_end_matches('/').to_owned())),
        _ => bail!("expected http://… or https://…"),
    }
}

impl Ping {
    pub async fn start(&self) {
        self.request(format!("{}/start", self.0)).await;
    }

    pub async fn end(&self, succeeded: bool) {
        match succeeded {
            true => self.request(self.0.clone()).await,
            false => self.request(format!("{}/fail", self.0)).await,
        }
    }

    /// Sends the request. Its failure is a warning, and does not change the result of the run.
    async fn request(&self, url: String) {
        let response = tokio::task::spawn_blocking(move || agent().get(&url).call().map(drop)).await;
        if let Ok(Err(error)) = response {
            messages::warn(&format!("sending the heartbeat failed: {error}"));
        }
    }
}

fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        .user_agent(concat!("sparkctl/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::ping;

    #[test]
    fn accepts_only_http_urls() {
        assert!(ping("https://hc-ping.com/x").is_ok());
        assert!(ping("hc-ping.com/x").is_err());
        assert!(ping("https://").is_err());
    }

    #[tokio::test]
    async fn requests_a_path_each_for_start_success_and_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/job/", listener.local_addr().expect("an address"));
        let heard = std::thread::spawn(move || {
            let mut heard = Vec::new();
            for _ in 0..3 {
                let (mut socket, _) = listener.accept().expect("a request");
                let mut line = String::new();
                BufReader::new(&socket).read_line(&mut line).expect("its first line");
                heard.push(line.split(' ').nth(1).unwrap_or_default().to_owned());
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
            heard
        });
        let ping = ping(&url).expect("an address");
        ping.start().await;
        ping.end(true).await;
        ping.end(false).await;
        assert_eq!(heard.join().expect("what was heard"), ["/job/start", "/job", "/job/fail"]);
    }
}
