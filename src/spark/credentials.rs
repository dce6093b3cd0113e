//! The credentials that settings give to a driver, and where it finds them.

use super::Conf;

/// Where the Secret with the driver's credentials is mounted.
///
/// Source: `Constants.DRIVER_CREDENTIALS_SECRETS_BASE_DIR` of Spark.
pub const DIRECTORY: &str = "/mnt/secrets/spark-kubernetes-credentials";
/// The settings of credentials that are not the service account's.
pub const PREFIX: &str = "spark.kubernetes.authenticate.driver.";

/// Keys of the Secret by the settings that name local files.
pub const FILES: [(&str, &str); 3] =
    [("caCertFile", "ca-cert"), ("clientKeyFile", "client-key"), ("clientCertFile", "client-cert")];

/// The setting with the path of a Kerberos keytab, and where the driver finds one that was shipped.
///
/// Source: `KerberosConfDriverFeatureStep` of Spark.
pub const KEYTAB: &str = "spark.kerberos.keytab";
pub const KEYTAB_DIR: &str = "/mnt/secrets/kerberos-keytab";

/// The properties' value for a token that was given by value.
const REDACTED: &str = "<present_but_redacted>";

/// Takes tokens out of the settings, and sets where the driver finds what is mounted for it.
///
/// Source: `DriverKubernetesCredentialsFeatureStep` of Spark.
pub fn redact(conf: &mut Conf) {
    if conf.get(&format!("{PREFIX}oauthToken")).is_some() {
        conf.set(format!("{PREFIX}oauthToken"), REDACTED);
        conf.set(format!("{PREFIX}mounted.oauthTokenFile"), format!("{DIRECTORY}/oauth-token"));
    }
    if conf.get("spark.kubernetes.authenticate.submission.oauthToken").is_some() {
        conf.set("spark.kubernetes.authenticate.submission.oauthToken", REDACTED);
    }
    for (setting, key) in FILES {
        if conf.get(&format!("{PREFIX}{setting}")).is_some() {
            conf.set(format!("{PREFIX}mounted.{setting}"), format!("{DIRECTORY}/{key}"));
        }
    }
}

/// The settings that name files of the submitter, which are read before translation.
pub fn file_settings() -> impl Iterator<Item = String> {
    FILES.iter().map(|(setting, _)| format!("{PREFIX}{setting}")).chain([KEYTAB.to_owned()])
}
