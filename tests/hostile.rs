//! Hostile input ends in an error that names the place, at once and with little memory.

use std::time::Duration;

/// Limits on address space (in KB) and CPU time (in seconds, which other processes do not use up): far more than a job
/// needs, far less than a bomb would take.
const LIMITS: &str = "ulimit -v 2000000; ulimit -t 20";

/// The errors that `validate` prints for the input.
fn refusal(input: &[u8]) -> String {
    let mut shell = assert_cmd::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_sparkctl");
    shell.args(["-c", &format!("{LIMITS}; exec $0 validate -"), program]).env("KUBECONFIG", "/nonexistent");
    let output = shell.write_stdin(input).timeout(Duration::from_secs(600)).output().expect("the shell runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{}", stderr.chars().take(2000).collect::<String>());
    assert!(stderr.len() < 50_000, "{} bytes of errors", stderr.len());
    stderr
}

const HEAD: &str =
    "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata:\n  name: x\nspec:\n  sparkConf:\n";

#[test]
fn refuses_aliases_that_multiply() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "));
    }
    assert!(refusal(bomb.as_bytes()).contains("aliases counted as often as they are used"));
}

#[test]
fn refuses_endless_nesting() {
    for deep in ["[".repeat(1 << 20), "{a: ".repeat(1 << 18), "- ".repeat(1 << 18), "? ".repeat(1 << 18)] {
        assert!(refusal(deep.as_bytes()).contains("deep"), "{}", &deep[..8]);
    }
}

#[test]
fn refuses_strings_of_megabytes() {
    let long = "x".repeat(4 << 20);
    assert!(refusal(format!("{HEAD}    spark.a: {long}\n").as_bytes()).contains("mainApplicationFile"));
    assert!(refusal(format!("{HEAD}    {long}: 1\n").as_bytes()).contains("error"));
    assert!(refusal(format!("kind: {long}\n").as_bytes()).contains("expected one of"));
    assert!(refusal("x".repeat(64 << 20).as_bytes()).contains("at most 8 MiB"));
}

#[test]
fn refuses_too_many_keys_and_documents() {
    let keys: String = (0..100_000).map(|n| format!("    spark.k{n}: v\n")).collect();
    assert!(refusal(format!("{HEAD}{keys}").as_bytes()).contains("mainApplicationFile"));
    let unknown: String = (0..20_000).map(|n| format!("  k{n}: v\n")).collect();
    assert!(refusal(format!("{HEAD}    a: b\n{unknown}").as_bytes()).contains("more"));
    assert!(refusal("---\na: 1\n".repeat(20_000).as_bytes()).contains("more than 1000 documents"));
}

#[test]
fn explains_input_that_is_not_text() {
    assert!(refusal(b"a: \xff\xfe").contains("stdin:1:4: this is not valid UTF-8"));
    assert!(refusal(b"a: caf\xe9\n").contains("byte 0xe9: if it is in Windows-1252"));
    assert!(refusal(b"\xff\xfea\0:\0").contains("it is in UTF-16"));
    assert!(refusal(b"a: 1\nb: \0\n").contains("stdin:2:4: a NUL character"));
    assert!(refusal(b"").contains("there is no job in it"));
    assert!(refusal(b"a: \x1b[31m\n").contains("error"));
    assert!(refusal(b"%YAML 9.9\n---\n!!binary x: !foo bar\n").contains("error"));
}
