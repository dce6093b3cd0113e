//! What a user types and sees, without a cluster.

/// Every `$ sparkctl …` of a page is run, and its output compared.
#[test]
fn pages_say_what_is_seen() {
    trycmd::TestCases::new().case("tests/pages/*.md").case("README.md").env("KUBECONFIG", "/nonexistent");
}

#[test]
fn every_example_renders() {
    let examples = std::fs::read_dir("examples").unwrap().map(|entry| entry.unwrap().path());
    let mut rendered = 0;
    for path in examples.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sparkctl"));
        command.env("KUBECONFIG", "/nonexistent").arg("render").arg(&path);
        let out = command.assert().code(0).get_output().stdout.clone();
        assert!(String::from_utf8_lossy(&out).contains("kind: Pod"), "{} has no driver", path.display());
        rendered += 1;
    }
    assert!(rendered >= 4, "the examples are not where they were");
}
