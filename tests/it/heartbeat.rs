//! Heartbeats of whole runs. Whatever the URL answers, the result of the run stays the same.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Instant;

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::jobs::policy_job as job;
use crate::support::{Namespace, PATIENCE, cluster};

/// Starts a server that answers with `answer`. Returns its URL, and the paths that are requested.
fn server(answer: impl Fn(&str) -> String + Send + 'static) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/x", listener.local_addr().expect("an address"));
    let (sender, requested) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            let _ = BufReader::new(&socket).read_line(&mut line);
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let _ = socket.write_all(answer(&path).as_bytes());
            if sender.send(path).is_err() {
                return;
            }
        }
    });
    (url, requested)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

#[test]
fn sends_start_and_end_and_follows_redirects() {
    let ns = Namespace::new("ping");
    let moved = |path: &str| match path.strip_prefix("/x") {
        Some(rest) => {
            format!("HTTP/1.1 302 Found\r\nlocation: /y{rest}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
        None => OK.to_owned(),
    };
    let (url, requested) = server(moved);
    for (name, script, code) in [("well", "exit 0", 0), ("badly", "exit 7", 1)] {
        let run = ns.sparkctl().arg("submit").arg(job(&ns, name, "", script)).args(["--ping", &url]).assert();
        run.code(code).stderr(contains("the heartbeat").not());
    }
    let requested: Vec<String> = requested.try_iter().collect();
    assert_eq!(requested, ["/x/start", "/y/start", "/x", "/y", "/x/start", "/y/start", "/x/fail", "/y/fail"]);
}

#[test]
fn checks_the_certificate_of_an_https_url() {
    let ns = Namespace::new("ping-https");
    // The API server serves /healthz, but not /healthz/start.
    let url = format!("{}/healthz", cluster().variable("API_SERVER"));
    let authority = cluster().kubeconfig.with_file_name("ca.crt");
    let run = |name: &str| {
        let mut command = ns.sparkctl();
        command.arg("submit").arg(job(&ns, name, "", "exit 0")).args(["--ping", &url]);
        command
    };
    let trusted = run("trusted").env("SSL_CERT_FILE", &authority).assert().code(0);
    trusted.stderr(contains("sending the heartbeat failed").count(1).and(contains("http status: 40")));
    run("stranger")
        .assert()
        .code(0)
        .stderr(contains("sending the heartbeat failed").count(2).and(contains("certificate")));
}

#[test]
fn a_failing_url_does_not_change_the_run() {
    let ns = Namespace::new("ping-deaf");
    // The system accepts connections; nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_url = format!("http://{}/x", silent.local_addr().expect("an address"));
    let refusing = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let (broken, _paths) = server(|_| "HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned());
    let (circling, _paths_too) =
        server(|path| format!("HTTP/1.1 302 X\r\nlocation: {path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
    let urls = [silent_url, format!("http://{refusing}/x"), broken, circling];
    for (number, url) in urls.iter().enumerate() {
        for (script, code) in [("exit 0", 0), ("exit 7", 1)] {
            let start = Instant::now();
            let path = job(&ns, &format!("deaf-{number}-{code}"), "", script);
            let run = ns.sparkctl().arg("submit").arg(path).args(["--ping", url]).assert().code(code);
            run.stderr(contains("sending the heartbeat failed").count(2));
            assert!(start.elapsed() < PATIENCE, "{url}: {:?}", start.elapsed());
        }
    }
}
