//! What a release consists of, made of the binary under test.

use sha2::Digest;

#[test]
fn builds_an_archive_and_a_matching_krew_manifest() {
    let out = tempfile::tempdir().unwrap();
    let mut release = std::process::Command::new(".ci/release");
    release.args(["https://example.com/v1/", env!("CARGO_BIN_EXE_sparkctl")]).env("RELEASE_DIR", out.path());
    let made = release.output().expect(".ci/release is a script of bash");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| std::fs::read(out.path().join(name)).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("sparkctl-{version}-linux-amd64.tar.gz");
    let sha256: String = sha2::Sha256::digest(read(&name)).iter().map(|byte| format!("{byte:02x}")).collect();
    let sums = String::from_utf8(read("SHA256SUMS")).unwrap();
    assert_eq!(sums, format!("{sha256}  {name}\n"));
    let manifest: serde_json::Value = serde_yaml::from_str(&String::from_utf8(read("spark.yaml")).unwrap()).unwrap();
    assert_eq!(manifest["metadata"]["name"], "spark");
    assert_eq!(manifest["spec"]["version"], format!("v{version}"));
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 1);
    assert_eq!(
        platforms[0],
        serde_json::json!({
            "selector": {"matchLabels": {"os": "linux", "arch": "amd64"}},
            "uri": format!("https://example.com/v1/{name}"),
            "sha256": sha256,
            "bin": "sparkctl",
            "files": [{"from": "sparkctl", "to": "."}, {"from": "LICENSE", "to": "."}],
        })
    );
    let archive = read(&name);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
    let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
    let paths: Vec<String> = paths.collect();
    // It would change the mode of the folder that it is unpacked into.
    assert!(!paths.iter().any(|path| path.starts_with('.')), "{paths:?}");
    for path in ["sparkctl", "LICENSE", "completions/sparkctl.zsh", "man/sparkctl-submit.1"] {
        assert!(paths.iter().any(|packed| packed == path), "{path} is not in {paths:?}");
    }
}
