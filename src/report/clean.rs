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

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn shows_escapes_instead_of_obeying_them() {
        assert_eq!(clean("a\x1b[31mred\nb\u{202e}"), "a\u{fffd}[31mred b\u{fffd}");
    }
}
