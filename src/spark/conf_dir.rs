//! Which files of a configuration directory go to the driver.

use std::collections::BTreeMap;

use super::{Change, Conf, Version};

/// The files that go, and why others do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub files: BTreeMap<String, String>,
    pub skipped: Vec<String>,
}

/// The files of Spark's configuration directory for its driver, by name and content.
///
/// Source: `KubernetesClientUtils.loadSparkConfDirFiles` of Spark 3.1 and later: the smaller ones
/// first, as long as all are below `spark.kubernetes.configMap.maxSize`.
pub fn selection(mut files: Vec<(String, Vec<u8>)>, conf: &Conf, version: Version) -> Selection {
    let mut selection = Selection::default();
    if !version.has(Change::ConfDirFiles) {
        return selection;
    }
    let most = conf.get("spark.kubernetes.configMap.maxSize").and_then(|text| text.trim().parse().ok());
    let most: usize = most.unwrap_or(if version.has(Change::SmallerConfigMaps) { 1_048_576 } else { 1_572_864 });
    files.retain(|(name, _)| is_shipped(name));
    files.sort_by(|(name, content), (other, others)| (content.len(), name).cmp(&(others.len(), other)));
    let mut size = 0;
    for (name, content) in files {
        match String::from_utf8(content) {
            Err(_) => selection.skipped.push(format!("{name} is not a text in UTF-8")),
            Ok(text) if size + name.len() + text.chars().count() >= most => {
                selection.skipped.push(format!("with {name} the files would have {most} characters or more"));
            }
            Ok(text) => {
                size += name.len() + text.chars().count();
                selection.files.insert(name, text);
            }
        }
    }
    selection
}

/// Whether a file of that name is one of configuration: not Spark's own settings, which go as
/// `spark.properties`, nor a template or an archive.
fn is_shipped(name: &str) -> bool {
    let settings = name.starts_with("spark") && (name.ends_with("conf") || name.ends_with("properties"));
    let others = [".template", ".gz", ".zip", ".jar", ".tar"];
    // The pattern is `spark.*(conf|properties)`: `sparkconf` is one too.
    !settings && !others.iter().any(|suffix| name.ends_with(suffix))
}

/// The files of Hadoop's configuration directory: all of them that are texts.
///
/// Source: `HadoopConfDriverFeatureStep` of Spark.
pub fn hadoop(files: Vec<(String, Vec<u8>)>) -> Selection {
    let mut selection = Selection::default();
    for (name, content) in files {
        match String::from_utf8(content) {
            Err(_) => selection.skipped.push(format!("{name} is not a text in UTF-8")),
            Ok(text) => {
                selection.files.insert(name, text);
            }
        }
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(files: &[(&str, &[u8])], most: &str, version: Version) -> (Vec<String>, usize) {
        let files = files.iter().map(|(name, content)| (name.to_string(), content.to_vec())).collect();
        let conf = Conf::from_iter([("spark.kubernetes.configMap.maxSize".to_owned(), most.to_owned())]);
        let selection = selection(files, &conf, version);
        (selection.files.into_keys().collect(), selection.skipped.len())
    }

    #[test]
    fn leaves_out_what_is_no_configuration() {
        let files: Vec<(&str, &[u8])> = [
            "spark-defaults.conf",
            "spark.properties",
            "spark-env.sh",
            ".hidden",
            "a.template",
            "b.jar",
            "log4j2.properties",
        ]
        .map(|name| (name, b"x".as_slice()))
        .to_vec();
        assert_eq!(
            shipped(&files, "1000", Version(3, 5)),
            ([".hidden", "log4j2.properties", "spark-env.sh"].map(str::to_owned).to_vec(), 0)
        );
        assert_eq!(shipped(&files, "1000", Version(3, 0)), (Vec::new(), 0));
    }

    #[test]
    fn takes_the_smaller_first_and_texts_alone() {
        let files: [(&str, &[u8]); 3] = [("b", b"12345"), ("a", b"1"), ("c", b"\xff")];
        assert_eq!(shipped(&files, "8", Version(3, 5)), (vec!["a".to_owned()], 2));
        assert_eq!(shipped(&files, "9", Version(3, 5)), (vec!["a".to_owned(), "b".to_owned()], 1));
    }
}
