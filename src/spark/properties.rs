//! Spark's properties file, as `java.util.Properties` writes and reads it.

use super::Conf;

/// The settings as a properties file, sorted by key.
///
/// Source: `Properties.store(Writer)`: in keys and values `\ : = # !` and control characters of
/// layout are escaped, blanks everywhere in keys and at the start of values. Java 18 and later
/// sort by key.
pub fn file(conf: &Conf, heading: &str) -> String {
    let mut text = format!("#{heading}\n");
    for (key, value) in conf.iter() {
        escape(key, true, &mut text);
        text.push('=');
        escape(value, false, &mut text);
        text.push('\n');
    }
    text
}

fn escape(part: &str, key: bool, text: &mut String) {
    for (index, c) in part.chars().enumerate() {
        match c {
            '\\' | ':' | '=' | '#' | '!' => text.extend(['\\', c]),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\u{c}' => text.push_str("\\f"),
            ' ' if key || index == 0 => text.push_str("\\ "),
            c => text.push(c),
        }
    }
}

/// The keys and values of a properties file, in their order.
///
/// Source: `Properties.load(Reader)`, and `Utils.getPropertiesFromFile` of Spark, which trims
/// values at both ends.
pub fn parse(text: &str) -> Vec<(String, String)> {
    logical_lines(text)
        .iter()
        .map(|line| {
            let end = key_end(line);
            let value = line[end..].trim_start_matches([' ', '\t', '\u{c}']);
            let value = value.strip_prefix(['=', ':']).unwrap_or(value);
            (unescape(&line[..end]), unescape(value.trim_start_matches([' ', '\t', '\u{c}'])).trim().to_owned())
        })
        .collect()
}

/// Lines without comments, continued ones joined.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let line = line.trim_start_matches([' ', '\t', '\u{c}']);
        let line = match open.take() {
            Some(before) => before + line,
            None if line.is_empty() || line.starts_with(['#', '!']) => continue,
            None => line.to_owned(),
        };
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        match backslashes % 2 {
            1 => open = Some(line[..line.len() - 1].to_owned()),
            _ => lines.push(line),
        }
    }
    lines.extend(open);
    lines
}

/// Where the key ends: at the first blank, `=` or `:` that is not escaped.
fn key_end(line: &str) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '=' | ':' | ' ' | '\t' | '\u{c}' => return at,
            _ => {}
        }
    }
    line.len()
}

fn unescape(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    // A character beyond the first 65,536 is written as two escapes, one behind the other.
    let mut units: Vec<u16> = Vec::new();
    let mut chars = part.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' || chars.peek() != Some(&'u') {
            text.extend(char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => text.push('\t'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                units.extend(u16::from_str_radix(&digits, 16));
                continue;
            }
            Some(c) => text.push(c),
            None => {}
        }
    }
    text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_java_writes() {
        let conf = Conf::from_iter([
            ("spark.b c".to_owned(), " x=1:2 #!\\ \t\n é".to_owned()),
            ("spark.a".to_owned(), String::new()),
        ]);
        assert_eq!(file(&conf, "h"), "#h\nspark.a=\nspark.b\\ c=\\ x\\=1\\:2 \\#\\!\\\\ \\t\\n é\n");
    }

    #[test]
    fn reads_what_java_reads() {
        let text = "# c\n! c\nspark.a 1\n spark.b = 2 \nspark.c:3\nspark.d=a\\\n   b\nspark\\ e=\\u0041\\tx\nempty\n";
        let pairs = parse(text);
        let expected = [
            ("spark.a", "1"),
            ("spark.b", "2"),
            ("spark.c", "3"),
            ("spark.d", "ab"),
            ("spark e", "A\tx"),
            ("empty", ""),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let conf = Conf::from_iter([("spark.x".to_owned(), "a\\b=c:d#e!f\tg\nh".to_owned())]);
        assert_eq!(parse(&file(&conf, "h")), conf.iter().map(|(k, v)| (k.clone(), v.clone())).collect::<Vec<_>>());
    }
}
