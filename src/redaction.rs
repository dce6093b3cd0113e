//! What must not be shown: values of settings whose names speak of secrets.

/// Words of which one in a key makes its value a secret. Spark's own `spark.redaction.regex`
/// names `secret`, `password`, `token` and `access key`; the others are what clouds use.
const WORDS: [&str; 9] =
    ["secret", "password", "passwd", "token", "access.key", "accesskey", "account.key", "credential", "sas."];

/// Keys that hold such a word and no secret: names of files, switches, references.
const HARMLESS: [&str; 7] =
    ["secretkeyref", "secretname", "secrettype", "secrets", "tokenfile", "tokensecret", "automountserviceaccounttoken"];

/// Whether the value of `key` is likely to be a secret.
pub fn is_secret_like(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let squeezed: String = key.chars().filter(|c| !matches!(c, '-' | '_')).collect();
    let rest = HARMLESS.iter().fold(squeezed, |key, harmless| key.replace(harmless, ""));
    WORDS.iter().any(|word| rest.contains(word))
}

#[cfg(test)]
mod tests {
    use super::is_secret_like;

    #[test]
    fn knows_secrets_by_their_names() {
        for key in [
            "fs.s3a.secret.key",
            "DB_PASSWORD",
            "spark.hadoop.fs.s3a.access.key",
            "fs.azure.account.key.x",
            "API_TOKEN",
        ] {
            assert!(is_secret_like(key), "{key}");
        }
        for key in ["spark.kubernetes.driver.secrets.db", "envSecretKeyRefs", "spark.driver.memory", "secretName"] {
            assert!(!is_secret_like(key), "{key}");
        }
    }
}
