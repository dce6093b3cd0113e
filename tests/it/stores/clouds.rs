//! What all object stores have in common: existing objects are reused, an interrupted upload resumes, URLs are signed.
//!
//! No emulator of Google's store has the XML API that writes objects. moto, whose S3 API is the same, stands in, behind a
//! check of Google's tokens and signatures. Azurite is Microsoft's own emulator.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::needs::{once, package};
use crate::support::stores::{HOST, Objects, Server};
use crate::support::{Namespace, cluster, signal, text, with_default_signals};

type Environment = Vec<(&'static str, String)>;

/// A file of five different parts, and the cache of its uploader.
struct Data {
    folder: TempDir,
    content: Vec<u8>,
}

impl Data {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let content: Vec<u8> = (0..(36_u32 << 20)).map(|n| (n % 251 + (n >> 23)) as u8).collect();
        std::fs::write(folder.path().join("data.bin"), &content).expect("writing the data");
        Self { folder, content }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// The journal of an upload in progress.
    fn journal(&self) -> String {
        let journal = std::fs::read_dir(self.cache().join("uploads")).into_iter().flatten().flatten().next();
        journal.and_then(|journal| std::fs::read_to_string(journal.path()).ok()).unwrap_or_default()
    }

    fn submit(&self, ns: &Namespace, name: &str, store: &str, environment: &Environment) -> Command {
        let mut command = ns.command();
        command.args(["submit", "--detach", "--name", name, "--image", cluster().variable("BUSYBOX_IMAGE")]);
        command.args(["--spark-version", "4.1.4", "--main-file", "local:///nowhere.py", "--upload", store, "--files"]);
        command.arg(self.folder.path().join("data.bin")).env("SPARKCTL_CACHE_DIR", self.cache());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn content_of(address: &str) -> Vec<u8> {
    let answer = ureq::get(address).call().unwrap_or_else(|error| panic!("{address}: {error}"));
    answer.into_body().with_config().limit(64 << 20).read_to_vec().expect("the object")
}

fn resumes_an_upload_after_a_kill(store: &str, of: impl Fn(&Objects) -> Environment) {
    let (objects, ns, data) = (Objects::start(), Namespace::new("own-torn"), Data::new());
    let submit = || data.submit(&ns, "own-torn", &format!("{store}/torn"), &of(&objects));
    let hold = objects.folder.path().join("hold");
    std::fs::write(&hold, "").expect("holding the server");
    let mut first = submit().spawn().expect("uploading");
    ns.wait_for("two parts", || (data.journal().lines().count() == 3).then_some(()));
    first.kill().expect("killing");
    first.wait().expect("its end");
    assert_eq!(objects.parts().len(), 2, "{:?}", objects.parts());
    std::fs::remove_file(&hold).expect("letting the server go on");
    let messages = contains("2 of 5 parts were there").and(contains("uploaded data.bin (36.00 MiB)"));
    assert_cmd::Command::from_std(submit()).assert().code(0).stderr(messages);
    let mut parts = objects.parts();
    parts.sort();
    parts.dedup();
    assert_eq!((objects.parts().len(), parts.len()), (5, 5), "{:?}", objects.parts());
    let listed = ureq::get(format!("{}/jobs?list-type=2", objects.endpoint)).call().expect("a list");
    let listed = listed.into_body().read_to_string().expect("a list");
    let key = listed.split("<Key>").nth(1).and_then(|rest| rest.split("</Key>").next()).expect("a key");
    assert!(content_of(&format!("{}/jobs/{key}", objects.endpoint)) == data.content, "the stored content differs");
}

#[test]
fn resumes_an_upload_to_s3_after_a_kill() {
    resumes_an_upload_after_a_kill("s3://jobs", Objects::s3);
}

#[test]
fn resumes_an_upload_to_google_after_a_kill() {
    resumes_an_upload_after_a_kill("gs://jobs", Objects::google);
}

#[test]
fn stops_an_upload_at_the_first_signal_and_resumes_it_later() {
    let (objects, ns, data) = (Objects::start(), Namespace::new("own-left"), Data::new());
    let submit = || data.submit(&ns, "own-left", "gs://jobs/left", &objects.google());
    let hold = objects.folder.path().join("hold");
    std::fs::write(&hold, "").expect("holding the server");
    let first = with_default_signals(&submit()).stderr(Stdio::piped()).spawn().expect("uploading");
    ns.wait_for("two parts", || (data.journal().lines().count() == 3).then_some(()));
    signal(&first, Signal::TERM);
    let first = first.wait_with_output().expect("its end");
    let messages = String::from_utf8_lossy(&first.stderr);
    assert_eq!(first.status.code(), Some(143), "{messages}");
    assert!(
        messages.contains("error: uploading: interrupted") && messages.contains("nothing was submitted"),
        "{messages}"
    );
    assert_eq!(cluster().api.items(&ns.core("pods")).len(), 0);
    std::fs::remove_file(&hold).expect("letting the server go on");
    assert_cmd::Command::from_std(submit()).assert().code(0).stderr(contains("2 of 5 parts were there"));
}

#[test]
fn reports_the_refusal_of_a_store_once_with_a_hint() {
    let (objects, ns, data) = (Objects::start(), Namespace::new("own-refused"), Data::new());
    let submit = |store: &str, environment: &Environment| {
        assert_cmd::Command::from_std(data.submit(&ns, "own-refused", store, environment)).assert()
    };
    let nowhere = "The specified bucket does not exist (404 Not Found, NoSuchBucket)";
    let messages = contains(nowhere).count(1).and(contains("hint: create the bucket"));
    submit("s3://nowhere/a", &objects.s3()).code(3).stderr(messages);
    let mut stranger = objects.s3();
    stranger.push(("AWS_ACCESS_KEY_ID", "stranger".to_owned()));
    let messages = contains("403 Forbidden").count(1).and(contains("hint: the upload needs the right"));
    submit("s3://jobs/a", &stranger).code(3).stderr(messages);
    let alone = vec![("PATH", String::new()), ("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1".to_owned())];
    let messages =
        contains("looking for credentials of S3: there are none").and(contains("hint: set AWS_ACCESS_KEY_ID"));
    submit("s3://jobs/a", &alone).code(3).stderr(messages);
}

#[test]
fn uses_the_credentials_of_an_aws_cli_profile() {
    let (objects, ns, data) = (Objects::start(), Namespace::new("own-profile"), Data::new());
    let credentials = objects.folder.path().join("credentials");
    let write = |key: &str| {
        let profile = format!("[team]\naws_access_key_id = {key}\naws_secret_access_key = secret\n");
        std::fs::write(&credentials, profile).expect("writing credentials");
    };
    let aws = PathBuf::from(&package("aws")["AWS_CLI"]);
    let path = format!("{}:{}", aws.parent().expect("its folder").display(), std::env::var("PATH").expect("PATH"));
    let environment = |profile: &str| {
        vec![
            ("AWS_ENDPOINT_URL", objects.endpoint.clone()),
            ("AWS_SHARED_CREDENTIALS_FILE", credentials.display().to_string()),
            ("AWS_PROFILE", profile.to_owned()),
            ("PATH", path.clone()),
        ]
    };
    let submit = |profile| {
        assert_cmd::Command::from_std(data.submit(&ns, "own-profile", "s3://jobs", &environment(profile))).assert()
    };
    write("stranger");
    submit("team").code(3).stderr(contains("403 Forbidden"));
    write("key");
    submit("team").code(0).stderr(contains("uploaded data.bin"));
    submit("other").code(3).stderr(contains("The config profile (other) could not be found"));
}

/// Uploads a file, reuses it in a second submission, and reads it from its signed URL.
fn reuses_and_signs_objects(store: &str, environment: &Environment) {
    let (ns, data) = (Namespace::new("own-cloud"), Data::new());
    let submit = |name| assert_cmd::Command::from_std(data.submit(&ns, name, store, environment));
    submit("first").assert().code(0).stderr(contains(format!("uploaded data.bin (36.00 MiB) to {store}/")));
    let again = submit("again").arg("--upload-signed").assert();
    again.code(0).stderr(contains(format!("data.bin (36.00 MiB) is already at {store}/")));
    let maps = cluster().api.items(&ns.core("configmaps"));
    let settings: Vec<_> = maps.iter().map(|map| text(&map["data"]["spark.properties"])).collect();
    let files = settings.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix("spark.files="));
    let files: Vec<_> = files.map(|files| files.replace('\\', "")).collect();
    let signed =
        files.iter().find(|address| address.contains('?')).unwrap_or_else(|| panic!("no address in {files:?}"));
    assert!(content_of(signed) == data.content, "the stored content differs");
    let forged = signed.replace("/data.bin?", "/other.bin?");
    assert!(matches!(ureq::get(forged).call(), Err(ureq::Error::StatusCode(403))), "the signature is not checked");
}

#[test]
fn reuses_and_signs_objects_at_google() {
    let objects = Objects::start();
    reuses_and_signs_objects("gs://jobs/team", &objects.google());
}

#[test]
fn reuses_and_signs_objects_at_azure() {
    static AZURITE: OnceLock<PathBuf> = OnceLock::new();
    package("npm");
    let azurite = AZURITE.get_or_init(|| {
        once("azurite", |folder| {
            let mut install = Command::new("npm");
            install.args(["install", "--silent", "--no-audit", "--no-fund", "azurite", "--prefix"]).arg(folder);
            let status = install.status().expect("npm");
            assert!(status.success(), "Azurite could not be installed");
        })
    });
    let folder = tempfile::tempdir().expect("a folder");
    let (_server, endpoint) = Server::start(|port| {
        let mut command = Command::new("node");
        command.arg(azurite.join("node_modules/azurite/dist/src/blob/main.js"));
        command.args(["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", HOST, "--blobPort"]);
        command.arg(port.to_string()).arg("--location").arg(folder.path());
        command
    });
    let made = Command::new("python3").args(["tests/support/stores/azure.py", &endpoint, "jobs"]).status();
    assert!(made.expect("python3").success(), "the container could not be made");
    let environment = vec![("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()), ("AZURITE_BLOB_STORAGE_URL", endpoint)];
    reuses_and_signs_objects("abfss://jobs@devstoreaccount1.dfs.core.windows.net/team", &environment);
}
