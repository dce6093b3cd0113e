//! A recorded run of `spark-submit`, and the same command line run with `sparkctl`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

pub struct Case {
    pub name: String,
    pub description: String,
    pub version: String,
    pub user: String,
    pub arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    files: BTreeMap<String, Value>,
    exit_code: i64,
    stderr: String,
    /// The bodies of all objects that were created, in order.
    pub objects: Vec<Value>,
}

pub enum Outcome {
    Objects(Vec<Value>),
    Refused(String),
}

/// The placeholder for the directory of the case.
const DIRECTORY: &str = "<<CASE_DIR>>";

impl Case {
    /// The cases of a file.
    pub fn read_all(path: &Path) -> Vec<Self> {
        let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
        let cases = serde_json::Deserializer::from_reader(file).into_iter();
        cases.map(|case| Self::of(&case.unwrap_or_else(|error| panic!("{}: {error}", path.display())))).collect()
    }

    fn of(case: &Value) -> Self {
        let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
        let texts = |key: &str| serde_json::from_value(case[key].clone()).unwrap();
        Self {
            name: text("case"),
            description: text("description"),
            version: text("spark_version"),
            user: text("user"),
            arguments: serde_json::from_value(case["args"].clone()).unwrap(),
            environment: texts("env"),
            files: serde_json::from_value(case["files"].clone()).unwrap(),
            exit_code: case["exit_code"].as_i64().unwrap(),
            stderr: text("stderr"),
            objects: created(case["requests"].as_array().unwrap()),
        }
    }

    pub fn title(&self) -> String {
        format!("{}/{}", self.version, self.name)
    }

    /// Whether `spark-submit` refused before it sent a request to the API server.
    pub fn refused(&self) -> bool {
        self.exit_code != 0 && self.objects.is_empty()
    }

    /// Whether the case is about answers of the API server, or about not reaching it.
    pub fn is_of_server(&self) -> bool {
        self.name.starts_with('q')
    }

    /// Whether the API server refused something, and not all of the objects were sent.
    pub fn was_cut_short(&self) -> bool {
        self.exit_code != 0
    }

    pub fn last_words(&self) -> &str {
        self.stderr.lines().find(|line| line.contains("Exception") || line.starts_with("Error")).unwrap_or_default()
    }

    /// `sparkctl convert -- spark-submit … | sparkctl render -`, where the files of the case are.
    pub fn run(&self) -> Outcome {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().to_str().unwrap();
        for (name, content) in &self.files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content.as_str().unwrap_or_default()).unwrap();
        }
        let arguments = self.arguments.iter().map(|argument| argument.replace(DIRECTORY, here));
        let command = ["convert", "--spark-version", &self.version, "--", "spark-submit"].map(str::to_owned);
        let job = match self.sparkctl(here, command.into_iter().chain(arguments), "") {
            Ok(job) => job,
            Err(message) => return Outcome::Refused(message),
        };
        let render = ["render", "-", "-o", "json", "--id", ID].map(str::to_owned);
        match self.sparkctl(here, render, &job) {
            Ok(objects) => {
                let objects = objects.replace(here, DIRECTORY);
                Outcome::Objects(objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
            }
            Err(message) => Outcome::Refused(message),
        }
    }

    fn sparkctl(&self, here: &str, arguments: impl IntoIterator<Item = String>, stdin: &str) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sparkctl"));
        command.args(arguments).current_dir(here).env_clear().env("USER", &self.user).env("KUBECONFIG", "/nonexistent");
        let environment = self.environment.iter().map(|(name, value)| (name, value.replace(DIRECTORY, here)));
        command.envs(environment).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => Ok(String::from_utf8(output.stdout).unwrap()),
            Some(2) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            code => panic!("{}: exit code {code:?}: {}", self.title(), String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// The ID of sparkctl's submission.
pub const ID: &str = "019a0b1c2d3e7f4a8b5c6d7e8f901234";

/// The objects of `POST` and `PATCH` requests: of those with the same name, the last.
fn created(requests: &[Value]) -> Vec<Value> {
    let mut objects: Vec<Value> = Vec::new();
    let bodies =
        requests.iter().filter(|request| ["POST", "PATCH"].contains(&request["method"].as_str().unwrap_or("")));
    for body in bodies.map(|request| &request["body"]).filter(|body| body["kind"] != "DeleteOptions") {
        let same =
            |other: &Value| other["kind"] == body["kind"] && other["metadata"]["name"] == body["metadata"]["name"];
        match objects.iter().position(same) {
            Some(index) => objects[index] = body.clone(),
            None => objects.push(body.clone()),
        }
    }
    objects
}
