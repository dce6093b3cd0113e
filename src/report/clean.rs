/// Makes a text from the cluster safe for one line of a terminal: control characters are replaced, and line breaks
/// become spaces.
pub fn clean(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // Control characters, and marks that change the direction of writing.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// Longer log lines are cut here.
const WIDE: usize = 400;
/// Replaces a tab.
const TAB: &str = "    ";

/// Makes a log line safe in the same way, and keeps its indentation, which matters in a traceback.
pub fn clean_line(line: &str) -> String {
    let line = line.trim_end();
    let text = line.trim_start();
    let indent = line[..line.len() - text.len()].replace('\t', TAB).replace(|c| c != ' ', "");
    let mut line = indent + &clean(text);
    if let Some((end, _)) = line.char_indices().nth(WIDE) {
        line.replace_range(end.., "…");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_line};

    #[test]
    fn replaces_control_characters() {
        assert_eq!(clean("a\x1b[31mred\nb\u{202e}"), "a\u{fffd}[31mred b\u{fffd}");
    }

    #[test]
    fn a_line_keeps_its_indentation_and_is_cut_where_it_is_long() {
        assert_eq!(clean_line("  File \"x.py\", line 1\r\n"), "  File \"x.py\", line 1");
        assert_eq!(clean_line("\tat a.B\tc\x1b[0m"), "    at a.B c\u{fffd}[0m");
        assert_eq!(clean_line(" \r\n"), "");
        let long = clean_line(&"é".repeat(5000));
        assert!(long.chars().count() == 401 && long.ends_with("é…"), "{long}");
    }
}
