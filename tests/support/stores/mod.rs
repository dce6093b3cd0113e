//! Servers of object stores and WebDAV, started by the tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::PATIENCE;
use super::needs::{once, package};

/// The address of the test cluster's host, as pods see it.
pub const HOST: &str = "198.18.0.1";

/// The Python packages of the servers, installed once: moto is an S3, wsgidav a WebDAV server.
fn packages() -> &'static Path {
    static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        package("pip");
        once("store-servers", |packages| {
            let mut install = Command::new("python3");
            install.args(["-m", "pip", "install", "--quiet", "--target"]).arg(packages);
            let status = install.args(["moto[server,s3]", "wsgidav", "cheroot"]).status();
            assert!(status.expect("python3 with pip").success(), "the servers of stores could not be installed");
        })
    })
}

/// A running server. It is ended with the test.
pub struct Server(Child);

impl Server {
    /// Starts a server on a free port of the host, and waits until it accepts connections.
    pub fn start(command: impl Fn(u16) -> Command) -> (Self, String) {
        // Another program may take the port first: the server then exits.
        (0..5).find_map(|_| Self::try_start(&command)).expect("a server that keeps running")
    }

    fn try_start(command: impl Fn(u16) -> Command) -> Option<(Self, String)> {
        let port = std::net::TcpListener::bind((HOST, 0)).and_then(|free| free.local_addr()).expect("a port").port();
        let mut command = command(port);
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut server = Self(server.unwrap_or_else(|error| panic!("starting {command:?}: {error}")));
        let start = Instant::now();
        while std::net::TcpStream::connect((HOST, port)).is_err() {
            if server.0.try_wait().expect("its state").is_some() {
                return None;
            }
            assert!(start.elapsed() < PATIENCE, "{command:?} does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some((server, format!("http://{HOST}:{port}")))
    }

    pub fn python(arguments: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.args(arguments).env("PYTHONPATH", packages());
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An object store (moto from PyPI) with a bucket `jobs`, which serves the APIs of S3 and of Google's store.
pub struct Objects {
    _server: Server,
    pub endpoint: String,
    /// Has the key of the Google account, the list of accepted parts, and the file that holds uploads.
    pub folder: TempDir,
}

impl Objects {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, endpoint) = Server::start(|port| {
            let mut command = Server::python(&["tests/support/stores/objects.py", HOST]);
            command.arg(port.to_string()).arg(folder.path());
            command
        });
        ureq::put(format!("{endpoint}/jobs")).send_empty().expect("making a bucket");
        Self { _server: server, endpoint, folder }
    }

    /// The parts that it accepted, in order.
    pub fn parts(&self) -> Vec<String> {
        let noted = std::fs::read_to_string(self.folder.path().join("parts")).unwrap_or_default();
        noted.lines().map(str::to_owned).collect()
    }

    /// The environment of a program that uploads to `s3://`.
    pub fn s3(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ]
    }

    /// The environment of a program that uploads to `gs://`, as the service account.
    pub fn google(&self) -> Vec<(&'static str, String)> {
        let key = self.folder.path().join("key.json").display().to_string();
        vec![("GOOGLE_BASE_URL", self.endpoint.clone()), ("GOOGLE_APPLICATION_CREDENTIALS", key)]
    }
}
