/// A text from the cluster made harmless for a terminal and for one line: escapes and control
/// characters are shown, not obeyed; line breaks become spaces.
pub fn clean(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            // Controls, and marks that turn the writing around.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// A line of a log is shown no further than this.
const WIDE: usize = 400;
/// What a tab is shown as.
const TAB: &str = "    ";

/// A line of a log made harmless in the same way: its indentation, which is half of a traceback, remains.
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
    fn shows_escapes_instead_of_obeying_them() {
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
