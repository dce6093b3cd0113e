//! Extracts the last exception from a log.

/// The last exception in a log, with its root cause; the root cause alone if the exception itself only reports that
/// Java failed. A Python traceback ends with the exception, a Java trace begins with it.
pub fn last_exception(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    if let Some(error) = r_error(&lines) {
        return Some(error);
    }
    if let Some(error) = python_chain(&lines) {
        return Some(error);
    }
    let at = python_exception(&lines).or_else(|| java_exception(&lines)).or_else(|| plain_error(&lines))?;
    let found = lines[at].trim();
    let found = found.strip_prefix(CAUSE).unwrap_or(found);
    // Spark's Kubernetes client repeats the whole message after this.
    let found = found.split(" Received status: Status(").next().unwrap_or(found);
    let trace = lines[at + 1..].iter().take_while(|line| continues_trace(line));
    let is_javas = found.starts_with("py4j.protocol.Py4JJavaError");
    // Py4j puts Java's own exception on the next line, after a colon.
    let javas = lines.get(at + 1).filter(|_| is_javas).and_then(|line| line.strip_prefix(": "));
    let cause = trace.filter_map(|line| line.strip_prefix(CAUSE)).last().or(javas);
    Some(match cause.map(str::trim) {
        Some(cause) if is_javas => cause.to_owned(),
        Some(cause) => format!("{found}, caused by {cause}"),
        None => found.to_owned(),
    })
}

const CAUSE: &str = "Caused by: ";

/// Whether a line belongs to the current Java trace; py4j begins one with a colon.
fn continues_trace(line: &str) -> bool {
    line.is_empty() || line.starts_with(['\t', ' ', ':']) || line.starts_with(CAUSE)
}

/// The line that Python prints between an exception and the one that was raised `from` it.
const RAISED_FROM: &str = "The above exception was the direct cause of the following exception:";

/// An exception that was raised from another one, with the first exception of the chain.
fn python_chain(lines: &[&str]) -> Option<String> {
    let last = lines[python_exception(lines)?].trim();
    let before = &lines[..lines.iter().rposition(|line| line.starts_with(TRACEBACK))?];
    let end = before.iter().rposition(|line| !line.trim().is_empty()).filter(|end| before[*end] == RAISED_FROM)?;
    let cause = last_exception(&before[..end].join("\n"))?;
    Some(format!("{last}, caused by {}", cause.rsplit(", caused by ").next()?))
}

const TRACEBACK: &str = "Traceback (most recent call last)";

fn python_exception(lines: &[&str]) -> Option<usize> {
    let start = lines.iter().rposition(|line| line.starts_with(TRACEBACK))? + 1;
    let end = lines[start..].iter().position(|line| !line.starts_with(char::is_whitespace) && !line.is_empty())?;
    Some(start + end)
}

fn java_exception(lines: &[&str]) -> Option<usize> {
    let uncaught = lines.iter().rposition(|line| line.starts_with("Exception in thread "));
    let begins = |line: &str| is_exception_class(line.split(':').next().unwrap_or_default());
    // A long trace may begin before the first of these lines.
    let cause = || lines.iter().rposition(|line| line.strip_prefix(CAUSE).is_some_and(begins));
    uncaught.or_else(|| lines.iter().rposition(|line| begins(line))).or_else(cause)
}

/// R's `Error in CALL : MESSAGE` before its final `Execution halted`; a long message is on a line of its own.
fn r_error(lines: &[&str]) -> Option<String> {
    let end = lines.iter().rposition(|line| *line == "Execution halted")?;
    let at = lines[..end].iter().rposition(|line| line.starts_with("Error in ") || line.starts_with("Error: "))?;
    let first = lines[at].trim_end();
    Some(match lines[at + 1..end].first() {
        Some(message) if first.ends_with(':') => format!("{first} {}", message.trim()),
        _ => first.to_owned(),
    })
}

fn plain_error(lines: &[&str]) -> Option<usize> {
    let plain = ["Error: ", "python3: can't open file", "python: can't open file", "exec format error"];
    lines.iter().rposition(|line| plain.iter().any(|start| line.contains(start)))
}

/// Whether the text is a class such as `org.apache.spark.SparkException`, and not a line that mentions one.
fn is_exception_class(text: &str) -> bool {
    text.contains('.')
        && (text.ends_with("Exception") || text.ends_with("Error"))
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'))
}
