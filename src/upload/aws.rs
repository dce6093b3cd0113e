//! Credentials for S3 beyond those of the environment: the ones that the AWS CLI would use.
//!
//! Profiles, single sign-on, assumed roles and programs that give credentials are the CLI's to understand.

use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use reqwest::Url;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::cluster::{Failure, Refusal};

/// How long a virtual machine's own service, which is next to it, may take to be there.
const NEAR: Duration = Duration::from_secs(2);

/// What `aws configure export-credentials` prints, in its format `process`:
/// <https://docs.aws.amazon.com/cli/latest/reference/configure/export-credentials.html>.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// A client's settings, which are those of the environment, with what the CLI's profile adds to them: nothing, where
/// they have credentials, or where there is no CLI and the machine is Amazon's.
///
/// # Errors
/// There are no credentials, or none any more.
pub async fn with_profile(environment: AmazonS3Builder) -> Result<AmazonS3Builder> {
    if has_credentials(&environment) {
        return Ok(environment);
    }
    let Ok(aws) = which::which("aws") else {
        return match is_there(&environment).await {
            true => Ok(environment),
            false => Err(none("there are none in the environment, and no program aws that knows others")),
        };
    };
    let run = async |arguments: &[&str]| {
        let output = Command::new(&aws).args(arguments).kill_on_drop(true).output().await;
        output.with_context(|| format!("running {}", aws.display()))
    };
    let (exported, region) = tokio::try_join!(
        run(&["configure", "export-credentials", "--format", "process"]),
        run(&["configure", "get", "region"])
    )?;
    if !exported.status.success() {
        return Err(none(&said(&exported.stderr)));
    }
    let credentials: Credentials =
        serde_json::from_slice(&exported.stdout).context("reading the credentials of aws")?;
    let region = region_of(&environment, &region);
    let mut settings =
        environment.with_access_key_id(credentials.access_key_id).with_secret_access_key(credentials.secret_access_key);
    if let Some(token) = credentials.session_token {
        settings = settings.with_token(token);
    }
    Ok(match region {
        Some(region) => settings.with_region(region),
        None => settings,
    })
}

/// Whether the environment says whose credentials to take.
fn has_credentials(environment: &AmazonS3Builder) -> bool {
    use AmazonS3ConfigKey::{
        AccessKeyId, ContainerCredentialsFullUri, ContainerCredentialsRelativeUri, SecretAccessKey, SkipSignature,
        WebIdentityTokenFile,
    };
    let keys = [
        AccessKeyId,
        SecretAccessKey,
        WebIdentityTokenFile,
        ContainerCredentialsRelativeUri,
        ContainerCredentialsFullUri,
    ];
    keys.iter().any(|key| environment.get_config_value(key).is_some())
        || environment.get_config_value(&SkipSignature).as_deref() == Some("true")
}

/// The profile's region, where the environment names none.
fn region_of(environment: &AmazonS3Builder, answer: &Output) -> Option<String> {
    let region = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let is_open = environment.get_config_value(&AmazonS3ConfigKey::Region).is_none();
    (is_open && answer.status.success() && !region.is_empty()).then_some(region)
}

/// Whether this is a machine whose own service gives credentials. The client would try for minutes.
async fn is_there(environment: &AmazonS3Builder) -> bool {
    let endpoint = environment.get_config_value(&AmazonS3ConfigKey::MetadataEndpoint);
    let url = Url::parse(endpoint.as_deref().unwrap_or("http://169.254.169.254")).ok();
    let Some((host, port)) = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?))) else {
        return false;
    };
    matches!(tokio::time::timeout(NEAR, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

fn none(why: &str) -> anyhow::Error {
    let hint =
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with the program aws, and choose by AWS_PROFILE";
    let failure = Failure::NotSent(why.to_owned());
    Refusal { hint: Some(hint.to_owned()), ..Refusal::of("looking for credentials of S3", failure) }.into()
}

/// Why the CLI gives no credentials: its last words, but for its version 1, whose usage they are.
fn said(stderr: &[u8]) -> String {
    let words = String::from_utf8_lossy(stderr);
    match words.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        _ if words.contains("Invalid choice") => "only version 2 of the program aws gives credentials out".to_owned(),
        last => format!("aws configure export-credentials: {}", last.unwrap_or("it failed, and said nothing")),
    }
}
