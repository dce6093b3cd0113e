//! The lines at the end of a log that best explain a failure.

/// How many frames of a stack trace are shown.
const FRAMES: usize = 3;

/// At most `most` lines: the last exception with its first frames and its root cause, and what was printed around it,
/// without the messages of Spark's own shutdown. The last lines unchanged if there are no others.
pub fn excerpt(log: &str, most: usize) -> Vec<String> {
    let all: Vec<&str> = log.lines().collect();
    let kept: Vec<&str> = all.iter().copied().filter(|line| !is_noise(line)).collect();
    let (lines, last_trace) = shortened(&kept);
    if lines.is_empty() {
        return all[all.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect();
    }
    let tail = lines.len().saturating_sub(most);
    let from = match last_trace {
        // The lines after the trace would leave no room for its beginning.
        Some(start) if start < tail => start,
        _ => tail,
    };
    lines.into_iter().skip(from).take(most).collect()
}

/// Whether a line does not help to explain a failure: all levels below a warning, and messages of a normal shutdown.
fn is_noise(line: &str) -> bool {
    let level = level(line);
    let irrelevant = [
        "ShutdownHookManager",
        "Error sending result StreamResponse",
        "SparkContext is stopping",
        "Unable to load native-hadoop library",
        "Using Spark's default log4j profile",
        "Setting default log level to",
        "To adjust logging level use",
        "WARNING: Using incubator modules",
    ];
    matches!(level, Some("INFO" | "DEBUG" | "TRACE")) || irrelevant.iter().any(|part| line.contains(part))
}

/// The level of a log4j line in one of Spark's layouts: `26/11/24 23:03:57 INFO Class: …`, or Spark 4's JSON.
fn level(line: &str) -> Option<&str> {
    if line.starts_with("{\"ts\"") {
        return line.split_once("\"level\":\"")?.1.split('"').next();
    }
    let mut words = line.split(' ');
    let (date, time, level) = (words.next()?, words.next()?, words.next()?);
    let is_number = |text: &str, separator: char| text.split(separator).all(|part| part.parse::<u32>().is_ok());
    let is_date = date.len() == 8 && is_number(date, '/') || date.len() == 10 && is_number(date, '-');
    let is_time = time.len() >= 8 && is_number(&time[..8.min(time.len())], ':');
    (is_date && is_time).then_some(level)
}

/// The lines with all traces shortened, and the index at which the last trace begins.
fn shortened(lines: &[&str]) -> (Vec<String>, Option<usize>) {
    let mut out: Vec<String> = Vec::new();
    let mut last: Option<(usize, usize)> = None;
    let mut at = 0;
    while at < lines.len() {
        let length = match lines[at] {
            line if line.starts_with("Traceback (most recent call last)") => python_length(&lines[at..]),
            _ => java_length(&lines[at..]),
        };
        if length == 0 {
            out.push(lines[at].to_owned());
            at += 1;
            continue;
        }
        let trace = &lines[at..at + length];
        let start = out.len();
        match trace[0].starts_with("Traceback") {
            true => cut_python(trace, &mut out),
            false => cut_java(trace, &mut out),
        }
        // Py4j prints Java's trace directly after Python's: both are one exception.
        let continued = last.filter(|(_, end)| *end == start).map(|(start, _)| start);
        last = Some((continued.unwrap_or(start), out.len()));
        at += length;
    }
    (out, last.map(|(start, _)| start))
}

fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    text.len() < line.len() && (text.starts_with("at ") || text.starts_with("... "))
}

fn is_cause(line: &str) -> bool {
    let text = line.trim_start();
    text.starts_with("Caused by: ") || text.starts_with("Suppressed: ")
}

/// The number of lines of the Java trace that begins here; 0 if none does.
fn java_length(lines: &[&str]) -> usize {
    let has_frame = |from: usize, within: usize| lines[from..].iter().take(within).any(|line| is_frame(line));
    let is_begun = match lines.first() {
        Some(line) if begins_java(line) => has_frame(0, MESSAGE),
        // The trace may begin before the first of these lines.
        Some(line) => is_frame(line) || lines.get(1).is_some_and(|line| is_frame(line)),
        None => false,
    };
    if !is_begun {
        return 0;
    }
    let mut in_message = true;
    let mut end = 0;
    while let Some(line) = lines.get(end) {
        in_message = is_cause(line) || (in_message && !is_frame(line));
        let between = line.is_empty() || *line == "Driver stacktrace:";
        let continues = is_frame(line) || (in_message && has_frame(end, MESSAGE)) || (between && has_frame(end, 3));
        if !continues && end > 0 {
            break;
        }
        end += 1;
    }
    end
}

/// Whether a Java exception begins on this line. Py4j begins one with a colon.
fn begins_java(line: &str) -> bool {
    let line = line.strip_prefix(": ").unwrap_or(line);
    let class = line.split([':', ' ']).next().unwrap_or_default();
    let is_class = class.contains('.') && (class.ends_with("Exception") || class.ends_with("Error"));
    is_class || is_cause(line) || line.starts_with("Exception in thread ")
}

/// The most lines that the message of an exception may have.
const MESSAGE: usize = 8;

/// Appends the exception with its first frames, then its root cause with its own first frames.
fn cut_java(trace: &[&str], out: &mut Vec<String>) {
    let root = trace.iter().rposition(|line| line.trim_start().starts_with("Caused by: ")).unwrap_or(0);
    let (mut frames, mut left_out, mut is_aside) = (0, 0, false);
    let flush = |out: &mut Vec<String>, left_out: &mut usize| {
        if *left_out > 0 {
            out.push(format!("\t… {left_out} more lines"));
            *left_out = 0;
        }
    };
    for (at, line) in trace.iter().enumerate() {
        if is_cause(line) {
            frames = if at == root { 0 } else { FRAMES };
            is_aside = line.trim_start().starts_with("Suppressed: ");
        }
        let is_shown = !is_aside
            && match is_frame(line) {
                true => {
                    frames += 1;
                    frames <= FRAMES
                }
                false => at <= FRAMES || at >= root,
            };
        match is_shown {
            true => {
                flush(out, &mut left_out);
                out.push((*line).to_owned());
            }
            false => left_out += 1,
        }
    }
    flush(out, &mut left_out);
}

/// The number of lines of a Python traceback, including the line of its exception.
fn python_length(lines: &[&str]) -> usize {
    let end = lines.iter().skip(1).position(|line| !line.starts_with(char::is_whitespace) && !line.is_empty());
    end.map_or(lines.len(), |end| end + 2)
}

/// Appends the head, the innermost frames, which come last, and the exception.
fn cut_python(trace: &[&str], out: &mut Vec<String>) {
    let frames: Vec<usize> = (0..trace.len()).filter(|at| trace[*at].trim_start().starts_with("File \"")).collect();
    let from = frames.len().checked_sub(FRAMES).map_or(1, |first| frames[first]);
    out.push(trace[0].to_owned());
    if from > 1 {
        out.push(format!("  … {} more lines", from - 1));
    }
    out.extend(trace[from..].iter().map(|line| (*line).to_owned()));
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    const PYTHON: &str = include_str!("tests/recorded/python.log");
    const JAVA: &str = include_str!("tests/recorded/java.log");

    #[test]
    fn shows_a_python_exception_without_the_shutdown_after_it() {
        let lines = excerpt(PYTHON, 15);
        let text = lines.join("\n");
        assert!(text.contains("Traceback (most recent call last):"), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("ValueError: ")), "{text}");
        assert!(!text.contains("ShutdownHookManager") && !text.contains(" INFO "), "{text}");
    }

    #[test]
    fn shows_a_java_exception_with_its_first_frames_and_its_root_cause() {
        let lines = excerpt(JAVA, 15);
        let text = lines.join("\n");
        assert!(lines.len() <= 15, "{text}");
        assert!(text.contains("py4j.protocol.Py4JJavaError"), "{text}");
        assert!(text.contains("Caused by: java.lang.ClassNotFoundException: Class org.apache.hadoop"), "{text}");
        assert!(text.contains(" more lines") && !text.contains("Suppressed"), "{text}");
        assert!(!text.contains("ShutdownHookManager") && !text.contains(" INFO "), "{text}");
    }

    #[test]
    fn a_trace_with_many_lines_after_it_is_shown_from_its_beginning() {
        let after = (0..30).map(|number| format!("printed {number}\n")).collect::<String>();
        let log = format!("before\njava.lang.IllegalStateException: no\n\tat A.b(A.java:1)\n{after}");
        let lines = excerpt(&log, 5);
        assert_eq!(lines[0], "java.lang.IllegalStateException: no");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn a_long_chain_of_causes_keeps_the_first_and_the_last() {
        let frames = |class: &str| (0..9).map(|line| format!("\tat {class}.f(A.java:{line})\n")).collect::<String>();
        let log = format!(
            "Exception in thread \"main\" a.OuterException: x\n{}Caused by: a.MiddleException: y\n{}\t... 3 more\nCaused by: a.RootException: z\nin two lines\n{}\t... 9 more\n26/11/24 23:03:57 INFO ShutdownHookManager: Shutdown hook called\n",
            frames("a.O"),
            frames("a.M"),
            frames("a.R"),
        );
        assert_eq!(
            excerpt(&log, 15),
            [
                "Exception in thread \"main\" a.OuterException: x",
                "\tat a.O.f(A.java:0)",
                "\tat a.O.f(A.java:1)",
                "\tat a.O.f(A.java:2)",
                "\t… 17 more lines",
                "Caused by: a.RootException: z",
                "in two lines",
                "\tat a.R.f(A.java:0)",
                "\tat a.R.f(A.java:1)",
                "\tat a.R.f(A.java:2)",
                "\t… 7 more lines",
            ]
        );
    }

    #[test]
    fn shows_irrelevant_lines_if_there_are_no_others() {
        let log = "26/11/24 23:03:57 INFO A: one\n{\"ts\":\"x\",\"level\":\"INFO\",\"msg\":\"two\"}\n";
        assert_eq!(excerpt(log, 1), ["{\"ts\":\"x\",\"level\":\"INFO\",\"msg\":\"two\"}"]);
        assert!(excerpt("", 5).is_empty());
    }
}
