//! Runs of `sparkctl submit --local` on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use super::needs::announce;
use super::sparkctl;

/// Selects no container, even if an engine is installed.
pub const MACHINE: &str = "--local-in=machine";

/// Time to fetch Spark and Java, even on a slow line.
pub const FETCH: Duration = Duration::from_secs(900);

/// The cache, filled by a first run of `examples/pyspark-pi.yaml`, and stdout and stderr of that run.
pub fn first_run() -> &'static (PathBuf, String, String) {
    static FIRST: OnceLock<(PathBuf, String, String)> = OnceLock::new();
    FIRST.get_or_init(|| {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("local-cache");
        if cache.exists() {
            std::fs::remove_dir_all(&cache).expect("emptying the cache");
        }
        announce("fetching Spark for runs on this machine");
        let mut command = sparkctl();
        command.env("SPARKCTL_CACHE_DIR", &cache).args(["submit", "examples/pyspark-pi.yaml", "--local=2", MACHINE]);
        let output = assert_cmd::Command::from_std(command).timeout(FETCH).assert().success().get_output().clone();
        (cache, text(&output.stdout), text(&output.stderr))
    })
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a script, and returns the command that runs it on the cached Spark.
pub fn run_of(folder: &Path, script: &str, arguments: &[&str]) -> Command {
    let (cache, ..) = first_run();
    let path = folder.join("job.py");
    std::fs::write(&path, script).expect("writing the script");
    let main = path.display().to_string();
    let mut command = sparkctl();
    command.env("SPARKCTL_CACHE_DIR", cache).args(["submit", "--local=2", MACHINE, "--name", "here"]);
    command.args(["--image", "spark:3.4.4", "--spark-version", "3.4.4", "--main-file", &main]).args(arguments);
    command
}

pub fn lines(stdout: &[u8]) -> Vec<Value> {
    text(stdout).lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect()
}

/// Runs a program that fails, checks its JSON lines, and returns the result.
pub fn failure_of(run: impl FnOnce(&str) -> Command) -> Value {
    let run = run("print('so far')\nraise ValueError('no such thing')\n").output().expect("running");
    assert_eq!(run.status.code(), Some(1), "{}", text(&run.stderr));
    let mut lines = lines(&run.stdout);
    assert!(lines.iter().any(|line| line["kind"] == "log" && line["line"] == "so far"), "{lines:?}");
    let states: Vec<&str> = lines.iter().filter_map(|line| line["state"].as_str()).collect();
    assert_eq!(states, ["Starting", "Running", "Failed"]);
    let result = lines.pop().expect("a result");
    assert_eq!(result["outcome"], "Failed");
    assert_eq!((result["exitCode"].as_i64(), result["driverExitCode"].as_i64()), (Some(1), Some(1)));
    result
}

/// Starts a package index whose downloads begin and never end. Returns its URL.
pub fn index_that_falls_silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).expect("a request");
            let page: String = (2..=9)
                .flat_map(|major| (0..=9).map(move |minor| format!("pyspark-{major}.{minor}.0.tar.gz")))
                .map(|file| format!("<a href=\"/{file}#sha256=00\">{file}</a>\n"))
                .collect();
            let answer = match request.contains(".tar.gz") {
                true => "HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\nthe beginning".into(),
                false => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len()),
            };
            stream.write_all(answer.as_bytes()).expect("an answer");
            open.push(stream);
        }
    });
    address
}

/// Whether a process is running. A zombie is not.
pub fn is_running(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
