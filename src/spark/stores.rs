//! Stores that files are read from and uploaded to, by the schemes of their URLs.
//!
//! This is the only list of schemes: uploads, checks, messages, and hints about a driver's log all ask it.

use std::borrow::Cow;

/// A kind of store.
#[derive(Debug)]
pub struct Store {
    /// Schemes of its URLs, beginning with the one that messages offer.
    pub schemes: &'static [&'static str],
    /// How sparkctl uploads to it, if it does.
    pub upload: Option<Upload>,
    /// How Hadoop reads from it; `None` where Spark needs no Hadoop client.
    pub hadoop: Option<Hadoop>,
}

/// An upload from the submitter's machine.
#[derive(Debug)]
#[cfg_attr(not(feature = "upload"), expect(dead_code, reason = "read by the clients of stores"))]
pub struct Upload {
    /// Where the upload takes its credentials from; `None` for a store without any.
    pub credentials: Option<&'static str>,
    /// The setting to check when the store cannot be reached.
    pub endpoint: Option<&'static str>,
}

/// A client of Hadoop.
#[derive(Debug)]
pub struct Hadoop {
    /// The scheme that it is registered under, if that is not the one of the URL.
    pub scheme: Option<&'static str>,
    /// Part of the class name that a log shows when the image lacks the client, and the scheme to name then.
    pub missing_class: Option<(&'static str, &'static str)>,
}

/// All stores. Messages offer those that uploads write to in this order.
///
/// Source: `ObjectStoreScheme::parse` of the crate `object_store` for uploads; for Hadoop the modules `hadoop-aws`
/// (`fs.s3a.impl`) and `hadoop-azure` (`fs.abfss.impl`, `fs.wasbs.impl`) and Google's connector (`fs.gs.impl`).
pub const STORES: [Store; 6] = [
    Store {
        schemes: &["s3", "s3a"],
        upload: Some(Upload {
            credentials: Some("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile of the AWS CLI"),
            endpoint: Some("AWS_ENDPOINT_URL sets the address of an S3 that is not Amazon's"),
        }),
        hadoop: Some(Hadoop { scheme: Some("s3a"), missing_class: Some(("S3AFileSystem", "s3a")) }),
    },
    Store {
        schemes: &["gs"],
        upload: Some(Upload {
            credentials: Some("GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login"),
            endpoint: None,
        }),
        hadoop: Some(Hadoop { scheme: None, missing_class: Some(("GoogleHadoopFileSystem", "gs")) }),
    },
    Store {
        schemes: &["abfss", "abfs", "az"],
        upload: Some(Upload {
            credentials: Some(
                "AZURE_STORAGE_ACCOUNT_KEY or AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID, or \
                 AZURE_USE_AZURE_CLI=true after az login",
            ),
            endpoint: None,
        }),
        hadoop: Some(Hadoop { scheme: None, missing_class: Some(("azurebfs", "abfs")) }),
    },
    Store {
        schemes: &["https", "http"],
        upload: Some(Upload {
            credentials: Some("a server that accepts PUT from everybody who can reach it"),
            endpoint: None,
        }),
        hadoop: None,
    },
    Store { schemes: &["file"], upload: Some(Upload { credentials: None, endpoint: None }), hadoop: None },
    Store { schemes: &["wasbs"], upload: None, hadoop: Some(Hadoop { scheme: None, missing_class: None }) },
];

/// The store that a URL is in.
pub fn store(url: &str) -> Option<&'static Store> {
    let (scheme, _) = url.split_once(':')?;
    STORES.iter().find(|store| store.schemes.contains(&scheme))
}

/// A URL as Hadoop, and with it Spark, reads it: `s3://bucket/a` is `s3a://bucket/a` there.
pub fn in_hadoop(url: &str) -> Cow<'_, str> {
    let scheme = store(url).and_then(|store| store.hadoop.as_ref()?.scheme);
    match (scheme, url.split_once(':')) {
        (Some(scheme), Some((_, rest))) => format!("{scheme}:{rest}").into(),
        _ => url.into(),
    }
}

/// The schemes to offer for an upload: `s3://, gs://, abfss://, https:// or file://`.
pub fn upload_schemes() -> String {
    let stores = STORES.iter().filter(|store| store.upload.is_some());
    let mut schemes: Vec<String> = stores.map(|store| format!("{}://", store.schemes[0])).collect();
    let last = schemes.pop().unwrap_or_default();
    format!("{} or {last}", schemes.join(", "))
}

/// The scheme of the store whose Hadoop client the image lacks, by the log of a driver or an executor.
pub fn without_client(log: &str) -> Option<&'static str> {
    let is_missing = log.contains("ClassNotFoundException") || log.contains("NoClassDefFoundError");
    let clients = || STORES.iter().filter_map(|store| store.hadoop.as_ref().map(|hadoop| (store, hadoop)));
    let by_class = clients()
        .filter_map(|(_, hadoop)| hadoop.missing_class)
        .find(|(class, _)| is_missing && log.contains(class))
        .map(|(_, scheme)| scheme);
    let by_scheme = || {
        let mut schemes = clients().flat_map(|(store, _)| store.schemes);
        schemes.find(|scheme| log.contains(&format!("No FileSystem for scheme \"{scheme}\""))).copied()
    };
    by_class.or_else(by_scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hadoop_reads_s3_as_s3a_and_all_else_as_it_is_written() {
        let urls = ["s3://b/a", "s3a://b/a", "abfss://c@a.b/x", "file:/a", "https://h/a?b=c:d", "a.py"];
        assert_eq!(
            urls.map(in_hadoop),
            ["s3a://b/a", "s3a://b/a", "abfss://c@a.b/x", "file:/a", "https://h/a?b=c:d", "a.py"]
        );
    }

    #[test]
    fn offers_the_stores_that_uploads_write_to() {
        assert_eq!(upload_schemes(), "s3://, gs://, abfss://, https:// or file://");
    }

    #[test]
    fn finds_the_missing_client_in_a_log() {
        let log = "java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found";
        assert_eq!(without_client(log), Some("s3a"));
        assert_eq!(without_client("No FileSystem for scheme \"wasbs\""), Some("wasbs"));
        assert_eq!(without_client("No FileSystem for scheme \"hdfs\""), None);
        assert_eq!(without_client("at org.apache.hadoop.fs.s3a.S3AFileSystem.open"), None);
    }

    #[test]
    fn no_other_file_lists_schemes_of_stores() {
        for path in glob::glob(concat!(env!("CARGO_MANIFEST_DIR"), "/src/**/*.rs")).unwrap() {
            let path = path.unwrap();
            let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
            if is_test || path.ends_with("spark/stores.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let program = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let schemes = STORES.iter().flat_map(|store| store.schemes).filter(|scheme| !scheme.starts_with("http"));
            for scheme in schemes.filter(|scheme| **scheme != "file") {
                for pattern in [format!("\"{scheme}\""), format!("{scheme}://"), format!("{scheme}:\"")] {
                    assert!(!program.contains(&pattern), "{pattern} in {}", path.display());
                }
            }
        }
    }
}
