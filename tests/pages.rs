//! What a user types and sees: every `$ sparkctl …` of a page is run, and its output compared.

#[test]
fn pages_say_what_is_seen() {
    trycmd::TestCases::new().case("tests/pages/*.md").env("KUBECONFIG", "/nonexistent");
}
