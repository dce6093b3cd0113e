//! Credentials for S3 that are not in the environment: those of the AWS CLI.
//!
//! The CLI handles profiles, single sign-on, assumed roles and credential processes.

use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use reqwest::Url;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::cluster::{Failure, Refusal};

/// How long to wait for a connection to the metadata service of a virtual machine, which is close.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// The output of `aws configure export-credentials --format process`.
///
/// Source: <https://docs.aws.amazon.com/cli/latest/reference/configure/export-credentials.html>.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Adds the credentials and the region of the CLI's profile to a client's settings, unless these have credentials, or there
/// is no CLI on a machine of Amazon's.
///
/// # Errors
/// There are no credentials, or they have expired.
pub async fn with_profile(environment: AmazonS3Builder) -> Result<AmazonS3Builder> {
    if has_credentials(&environment) {
        return Ok(environment);
    }
    let Ok(aws) = which::which("aws") else {
        return match has_metadata_service(&environment).await {
            true => Ok(environment),
            false => Err(none("there are none in the environment, and the AWS CLI is not installed")),
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
        return Err(none(&explain(&exported.stderr)));
    }
    let credentials: Credentials =
        serde_json::from_slice(&exported.stdout).context("parsing the credentials of the AWS CLI")?;
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

/// Whether the environment has credentials, or says where to get them.
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

/// The profile's region, if the environment has none.
fn region_of(environment: &AmazonS3Builder, answer: &Output) -> Option<String> {
    let region = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let is_open = environment.get_config_value(&AmazonS3ConfigKey::Region).is_none();
    (is_open && answer.status.success() && !region.is_empty()).then_some(region)
}

/// Whether the machine has a metadata service, which provides credentials. Without one, the client would retry for minutes.
async fn has_metadata_service(environment: &AmazonS3Builder) -> bool {
    let endpoint = environment.get_config_value(&AmazonS3ConfigKey::MetadataEndpoint);
    let url = Url::parse(endpoint.as_deref().unwrap_or("http://169.254.169.254")).ok();
    let Some((host, port)) = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?))) else {
        return false;
    };
    matches!(tokio::time::timeout(METADATA_TIMEOUT, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

/// The refusal for missing credentials.
fn none(why: &str) -> anyhow::Error {
    let hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with the AWS CLI and set AWS_PROFILE";
    let failure = Failure::NotSent(why.to_owned());
    Refusal { hint: Some(hint.to_owned()), ..Refusal::of("looking for credentials of S3", failure) }.into()
}

/// Explains why the CLI has no credentials: the last line of its output, except for version 1, which prints its usage.
fn explain(stderr: &[u8]) -> String {
    let output = String::from_utf8_lossy(stderr);
    match output.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        _ if output.contains("Invalid choice") => "this needs version 2 of the AWS CLI".to_owned(),
        last => format!("aws configure export-credentials: {}", last.unwrap_or("failed without a message")),
    }
}
