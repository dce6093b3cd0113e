//! What exit codes and logs mean.

/// What an exit code of a Spark container usually means. Codes over 128 are signals; 50 to 56 are
/// Spark's own (`SparkExitCode`, `ExecutorExitCode`); 101 is `SparkSubmit`'s for a class not found.
pub fn exit_code_meaning(code: i32) -> Option<&'static str> {
    Some(match code {
        1 => "the program ended with an error",
        2 => "wrong arguments, or a file that cannot be opened",
        50 => "an exception that nothing caught",
        51 => "a second exception while handling one that nothing caught",
        52 => "out of memory in the JVM (java.lang.OutOfMemoryError)",
        53 => "its local disk store could not be created",
        56 => "its heartbeats did not reach the driver",
        101 => "the main class was not found or could not be loaded",
        126 => "the command is there but cannot be executed",
        127 => "the command is not in the image",
        134 => "aborted (SIGABRT), often a crash in native code",
        137 => "killed (SIGKILL), most often for memory",
        139 => "a crash in native code (SIGSEGV)",
        143 => "told to stop (SIGTERM)",
        _ => return None,
    })
}

/// The last exception in a log: Python's traceback ends in its line, Java's begins with it.
pub fn last_exception(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    let python = lines.iter().rposition(|line| line.starts_with("Traceback (most recent call last)"));
    let python = python.and_then(|start| {
        let end =
            lines[start + 1..].iter().position(|line| !line.starts_with(char::is_whitespace) && !line.is_empty())?;
        Some(lines[start + 1 + end])
    });
    let java = || {
        lines.iter().rev().find(|line| line.starts_with("Exception in thread ")).or_else(|| {
            lines.iter().rev().find(|line| {
                let class = line.strip_prefix("Caused by: ").unwrap_or(line);
                is_exception_class(class.split(':').next().unwrap_or_default())
            })
        })
    };
    let found = python.or_else(|| java().copied()).or_else(|| {
        let plain = ["Error: ", "python3: can't open file", "python: can't open file", "exec format error"];
        lines.iter().rev().find(|line| plain.iter().any(|start| line.contains(start))).copied()
    });
    found.map(|line| line.trim().to_owned())
}

/// `org.apache.spark.SparkException`, but neither a sentence nor a log line that mentions one.
fn is_exception_class(text: &str) -> bool {
    text.contains('.')
        && (text.ends_with("Exception") || text.ends_with("Error"))
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'))
}
