//! A proxy that forwards sparkctl's requests to the API server, and may refuse, hold or delay them, or kill sparkctl.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::{Namespace, cluster};

/// A request and its number; the first is 0.
pub struct Request<'a> {
    pub number: usize,
    /// Its number among the requests that change something, if it is one.
    pub change: Option<usize>,
    pub path: &'a str,
    pub body: &'a [u8],
}

/// What the proxy does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Passed,
    /// Its sender is killed, and the request is not forwarded.
    Killed,
    /// Its sender is killed after the API server has answered.
    KilledAfter,
    /// Neither forwarded nor answered.
    Held,
    /// Refused with this message, and not forwarded.
    Refused(&'static str),
}

type Decide = dyn Fn(&Request) -> Fate + Send + Sync;

pub struct Proxy {
    listener: TcpListener,
    decide: Arc<Decide>,
}

/// How sparkctl ended.
pub struct Ended {
    pub status: ExitStatus,
    /// How many of its requests change something.
    pub changes: usize,
}

#[derive(Default)]
struct Counts {
    all: AtomicUsize,
    changes: AtomicUsize,
}

impl Proxy {
    pub fn start(decide: impl Fn(&Request) -> Fate + Send + Sync + 'static) -> Proxy {
        Proxy { listener: TcpListener::bind("127.0.0.1:0").expect("a port"), decide: Arc::new(decide) }
    }

    /// Writes a kubeconfig that leads here.
    pub fn kubeconfig(&self, ns: &Namespace) -> PathBuf {
        let address = self.listener.local_addr().expect("an address");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}.kubeconfig", ns.name, address.port()));
        std::fs::write(&path, config.to_string()).expect("a kubeconfig");
        path
    }

    /// Runs sparkctl and serves its requests until it ends.
    pub fn run(self, command: &mut Command) -> Ended {
        self.listener.set_nonblocking(true).expect("a listener");
        let child = Arc::new(Mutex::new(command.spawn().expect("sparkctl")));
        let counts = Arc::new(Counts::default());
        loop {
            let ended = child.lock().expect("a lock").try_wait().expect("its state");
            if let Some(status) = ended {
                return Ended { status, changes: counts.changes.load(Ordering::SeqCst) };
            }
            let Ok((socket, _)) = self.listener.accept() else {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            };
            let (child, counts, decide) = (child.clone(), counts.clone(), self.decide.clone());
            // A watch may outlive the process that requested it.
            std::thread::spawn(move || serve(socket, &child, &counts, &*decide));
        }
    }
}

/// Serves one request per connection. The connection of a killed process may end at any point.
fn serve(mut socket: TcpStream, child: &Mutex<Child>, counts: &Counts, decide: &Decide) -> Option<()> {
    socket.set_nonblocking(false).ok()?;
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "content-type" => content_type = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, path): (Method, _) = (words.next()?.parse().ok()?, words.next()?);
    let number = counts.all.fetch_add(1, Ordering::SeqCst);
    let is_change = method != Method::GET && !path.contains("dryRun=All");
    let change = is_change.then(|| counts.changes.fetch_add(1, Ordering::SeqCst));
    let fate = decide(&Request { number, change, path, body: &body });
    match fate {
        Fate::Killed => return child.lock().expect("a lock").kill().ok(),
        // Until its sender closes the connection.
        Fate::Held => return reader.read_to_end(&mut body).ok().map(drop),
        Fate::Refused(message) => {
            let status =
                json!({"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": message});
            return answer(&mut socket, 403, status.to_string().as_bytes());
        }
        Fate::Passed | Fate::KilledAfter => {}
    }
    if path.contains("watch=true") || path.contains("follow=true") {
        socket.write_all(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n").ok()?;
        cluster().api.stream(path, |bytes| socket.write_all(bytes).is_ok());
        return None;
    }
    let (code, body) = cluster().api.pass_on(method, path, &content_type, body);
    if fate == Fate::KilledAfter {
        return child.lock().expect("a lock").kill().ok();
    }
    answer(&mut socket, code, &body)
}

fn answer(socket: &mut TcpStream, code: u16, body: &[u8]) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).ok()?;
    socket.write_all(body).ok()
}
