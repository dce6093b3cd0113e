//! A proxy between sparkctl and the API server that injects faults.
//!
//! It serves plain HTTP/1.1 with one request per connection, and forwards requests with an administrator's rights. A
//! [`Script`] determines the fault and when it begins.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What can be wrong with a connection or an API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are reset: new ones at once, streams midway.
    Cut,
    /// Requests are executed and their responses lost; streams are reset.
    LostAnswer,
    /// Connections fall silent and are never closed.
    Silent,
    /// Streams end properly, but in the middle of a line.
    Truncated,
    /// Watches are too old: 410.
    Gone,
    /// 429 with `Retry-After`.
    Busy,
    /// 503, and streams end: the API server is restarted.
    Unavailable,
    /// 504 for requests that were executed.
    GatewayTimeout,
    /// The error page of an intermediary.
    BadGateway,
    /// Every response is delayed.
    Slow,
    /// Credentials are not accepted.
    Unauthorized,
    /// Only pods may be read, during the whole run.
    Forbidden,
}

pub const FAULTS: [Fault; 12] = [
    Fault::Cut,
    Fault::LostAnswer,
    Fault::Silent,
    Fault::Truncated,
    Fault::Gone,
    Fault::Busy,
    Fault::Unavailable,
    Fault::GatewayTimeout,
    Fault::BadGateway,
    Fault::Slow,
    Fault::Unauthorized,
    Fault::Forbidden,
];

/// When a fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Moment {
    /// With the first request.
    Submission,
    /// When the driver's pod is released.
    Release,
    /// Before the watch reports that the container is running.
    Running,
    /// Before the watch reports that the container has ended.
    Ending,
}

pub const MOMENTS: [Moment; 4] = [Moment::Submission, Moment::Release, Moment::Running, Moment::Ending];

/// What somebody else does once the driver is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Nothing,
    /// Somebody deletes the driver's pod.
    Delete,
    /// Somebody deletes it, and creates another under its name.
    Replace,
}

#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub fault: Fault,
    pub moment: Moment,
    pub lasts: Duration,
    pub deed: Deed,
}

pub struct Proxy {
    address: std::net::SocketAddr,
    run: Arc<Run>,
}

struct Run {
    client: Client,
    script: Script,
    fault: watch::Sender<Option<Fault>>,
    begun: AtomicBool,
    tried: AtomicBool,
    done: AtomicBool,
    /// The requested paths.
    requests: Mutex<Vec<String>>,
}

impl Proxy {
    pub async fn start(client: Client, script: Script) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let run = Arc::new(Run {
            client,
            script,
            fault: watch::Sender::new(None),
            begun: AtomicBool::new(false),
            tried: AtomicBool::new(false),
            done: AtomicBool::new(false),
            requests: Mutex::default(),
        });
        if script.fault == Fault::Forbidden {
            run.fault.send_replace(Some(Fault::Forbidden));
        } else if script.moment == Moment::Submission {
            run.reached(Moment::Submission);
        }
        let serving = run.clone();
        tokio::spawn(async move {
            loop {
                // The connection was closed before it was accepted: accept the next one.
                let Ok((socket, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(socket, serving.clone()));
            }
        });
        Proxy { address, run }
    }

    /// Writes a kubeconfig for this proxy.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "faults",
            "clusters": [{"name": "faults", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "faults", "user": {}}],
            "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": "faults"}}],
        });
        let path = folder.join(format!("faults-{}.kubeconfig", self.address.port()));
        std::fs::write(&path, config.to_string()).expect("a kubeconfig");
        path
    }

    /// Whether the deed of the script was done.
    pub fn is_deed_done(&self) -> bool {
        self.run.done.load(Ordering::Relaxed)
    }

    /// How many requests sparkctl has made.
    pub fn requests(&self) -> u64 {
        self.run.requests.lock().expect("a lock").len() as u64
    }

    /// How many of them were for exactly this path.
    pub fn requests_for(&self, path: &str) -> usize {
        self.run
            .requests
            .lock()
            .expect("a lock")
            .iter()
            .filter(|requested| requested.trim_end_matches('?') == path)
            .count()
    }

    /// Whether the fault has begun.
    pub fn has_begun(&self) -> bool {
        self.run.begun.load(Ordering::Relaxed)
    }
}

impl Run {
    /// Begins the fault if this is its moment. Called before sparkctl can see the moment.
    fn reached(self: &Arc<Self>, moment: Moment) {
        if moment != self.script.moment || self.script.fault == Fault::Forbidden {
            return;
        }
        if self.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        self.fault.send_replace(Some(self.script.fault));
        let run = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(run.script.lasts).await;
            run.fault.send_replace(None);
        });
    }

    /// Looks for moments in a piece of a stream.
    async fn look_into(self: &Arc<Self>, request: &Head, piece: &[u8]) {
        let contains = |text: &str| piece.windows(text.len()).any(|window| window == text.as_bytes());
        if !request.is_watch() || !request.path.contains("/pods") {
            return;
        }
        if contains(r#""terminated":{"#) {
            self.reached(Moment::Ending);
        } else if contains(r#""state":{"running":{"#) {
            self.reached(Moment::Running);
            if self.script.deed != Deed::Nothing && !self.tried.swap(true, Ordering::Relaxed) {
                self.do_deed(piece).await;
            }
        }
    }

    async fn do_deed(&self, piece: &[u8]) {
        let event: Value = serde_json::from_slice(piece).expect("one event of a watch");
        let mut pod = event["object"].clone();
        let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let pods = format!("/api/v1/namespaces/{}/pods", text("/metadata/namespace"));
        let path = format!("{pods}/{}", text("/metadata/name"));
        if !self.delete_running(&path).await {
            return;
        }
        self.done.store(true, Ordering::Relaxed);
        if self.script.deed == Deed::Replace {
            let spec = pod["spec"].as_object_mut().expect("a spec");
            spec.retain(|key, _| !matches!(key.as_str(), "nodeName" | "schedulingGates"));
            let metadata = json!({
                "name": pod["metadata"]["name"], "labels": pod["metadata"]["labels"],
                "annotations": pod["metadata"]["annotations"],
            });
            let again = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]});
            let body = again.to_string().into_bytes();
            self.send(&Method::POST, &pods, "application/json", body).await.expect("creating it again");
        }
    }

    /// Deletes a pod unless it has ended, as it may have on a slow machine. Returns whether it was deleted.
    async fn delete_running(&self, path: &str) -> bool {
        loop {
            let answer =
                self.send(&Method::GET, path, "application/json", Vec::new()).await.expect("reading the driver");
            let pod = answer.into_body().collect_bytes().await.expect("reading the driver");
            let pod: Value = serde_json::from_slice(&pod).expect("the driver");
            if pod["status"]["phase"] != "Running" {
                return false;
            }
            // It is refused if the pod has changed since.
            let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {
                "uid": pod["metadata"]["uid"], "resourceVersion": pod["metadata"]["resourceVersion"],
            }});
            let body = options.to_string().into_bytes();
            let answer = self.send(&Method::DELETE, path, "application/json", body).await.expect("deleting the driver");
            if answer.status() != http::StatusCode::CONFLICT {
                assert!(answer.status().is_success(), "deleting the driver: {}", answer.status());
                return true;
            }
        }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> kube::Result<http::Response<Body>> {
        let request = http::Request::builder().method(method).uri(path).header("content-type", content_type);
        self.client.send(request.body(Body::from(body)).expect("a request")).await
    }
}

/// A request without its body.
struct Head {
    method: Method,
    path: String,
    content_type: String,
    content_length: usize,
}

impl Head {
    fn parse(text: &str) -> Option<Head> {
        let mut lines = text.lines();
        let mut first = lines.next()?.split(' ');
        let (method, path) = (first.next()?.parse().ok()?, first.next()?.to_owned());
        let header = |name: &str| {
            text.lines().skip(1).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let content_length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        Some(Head { method, path, content_type: header("content-type").unwrap_or_default(), content_length })
    }

    fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }

    fn is_stream(&self) -> bool {
        self.is_watch() || self.path.contains("follow=true")
    }
}

async fn serve(mut socket: TcpStream, run: Arc<Run>) {
    let Some((head, body)) = read(&mut socket).await else { return };
    run.requests.lock().expect("a lock").push(head.path.clone());
    if head.method == Method::PATCH {
        run.reached(Moment::Release);
    }
    // An error means that the client is gone, and nobody waits for the response.
    let _ = answer(&mut socket, &run, &head, body).await;
}

async fn read(socket: &mut TcpStream) -> Option<(Head, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = Head::parse(std::str::from_utf8(&bytes[..end]).ok()?)?;
    let mut body = bytes.split_off(end);
    while body.len() < head.content_length {
        if socket.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}

async fn answer(socket: &mut TcpStream, run: &Arc<Run>, head: &Head, body: Vec<u8>) -> std::io::Result<()> {
    let fault = *run.fault.borrow();
    match fault {
        Some(Fault::Cut) => return socket.set_zero_linger(),
        Some(Fault::Silent) => return silence(socket).await,
        Some(Fault::Busy) => return status(socket, 429, "TooManyRequests", "retry-after: 1\r\n").await,
        Some(Fault::Unavailable) => return status(socket, 503, "ServiceUnavailable", "").await,
        Some(Fault::Unauthorized) => return status(socket, 401, "Unauthorized", "").await,
        Some(Fault::Gone) if head.is_watch() => return status(socket, 410, "Expired", "").await,
        Some(Fault::BadGateway) => return respond(socket, 502, "text/html", "", b"<html>Bad Gateway</html>").await,
        Some(Fault::Forbidden) if head.path.contains("/events") || head.path.contains("/podgroups") => {
            return status(socket, 403, "Forbidden", "").await;
        }
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(700)).await,
        _ => {}
    }
    let Ok(response) = run.send(&head.method, &head.path, &head.content_type, body).await else {
        return socket.set_zero_linger();
    };
    match fault {
        Some(Fault::LostAnswer) => return socket.set_zero_linger(),
        Some(Fault::GatewayTimeout) if !head.is_stream() => return status(socket, 504, "Timeout", "").await,
        _ => {}
    }
    let (parts, body) = response.into_parts();
    let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("text/plain");
    if head.is_stream() && parts.status.is_success() {
        return stream(socket, run, head, content_type, body).await;
    }
    let date = parts.headers.get("date").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = body.collect_bytes().await.unwrap_or_default();
    respond(socket, parts.status.as_u16(), content_type, &format!("date: {date}\r\n"), &bytes).await
}

/// Forwards a stream until it ends or is broken.
async fn stream(
    socket: &mut TcpStream,
    run: &Arc<Run>,
    head: &Head,
    content_type: &str,
    mut body: Body,
) -> std::io::Result<()> {
    let begin = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    socket.write_all(begin.as_bytes()).await?;
    let mut faults = run.fault.subscribe();
    let mut line = Vec::new();
    loop {
        let fault = *faults.borrow_and_update();
        match fault {
            Some(Fault::Cut | Fault::LostAnswer | Fault::Unavailable) => return socket.set_zero_linger(),
            Some(Fault::Silent) => return silence(socket).await,
            Some(Fault::Gone) if head.is_watch() => {
                let event = json!({"type": "ERROR", "object": failure(410, "Expired")});
                chunk(socket, format!("{event}\n").as_bytes()).await?;
                return socket.write_all(b"0\r\n\r\n").await;
            }
            _ => {}
        }
        tokio::select! {
            _ = faults.changed() => continue,
            frame = body.frame() => match frame {
                Some(Ok(frame)) => line.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Some(Err(_)) => return socket.set_zero_linger(),
                None => {
                    chunk(socket, &line).await?;
                    return socket.write_all(b"0\r\n\r\n").await;
                }
            },
        }
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let rest = line.split_off(end + 1);
            let whole = std::mem::replace(&mut line, rest);
            run.look_into(head, &whole).await;
            let fault = *run.fault.borrow();
            match fault {
                Some(Fault::Cut | Fault::LostAnswer | Fault::Silent | Fault::Unavailable) => break,
                Some(Fault::Gone) if head.is_watch() => break,
                _ => {}
            }
            if fault == Some(Fault::Truncated) {
                chunk(socket, &whole[..whole.len() / 2]).await?;
                return socket.write_all(b"0\r\n\r\n").await;
            }
            if fault == Some(Fault::Slow) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            chunk(socket, &whole).await?;
        }
    }
}

/// Holds a connection silently until the client closes it.
async fn silence(socket: &mut TcpStream) -> std::io::Result<()> {
    let mut ignored = [0; 1024];
    while socket.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn chunk(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    // An empty chunk would be the end.
    if bytes.is_empty() {
        return Ok(());
    }
    socket.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    socket.write_all(bytes).await?;
    socket.write_all(b"\r\n").await
}

fn failure(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": format!("{reason}, from the proxy of the tests"),
    })
}

async fn status(socket: &mut TcpStream, code: u16, reason: &str, headers: &str) -> std::io::Result<()> {
    respond(socket, code, "application/json", headers, failure(code, reason).to_string().as_bytes()).await
}

async fn respond(
    socket: &mut TcpStream,
    code: u16,
    content_type: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body).await?;
    socket.shutdown().await
}
