//! Wrapping of text to the width of a terminal.

/// Width of a terminal, in characters.
pub const TERMINAL_WIDTH: usize = 80;

/// Breaks `text` at spaces into lines of at most `width` characters. A longer word gets a line of
/// its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.last_mut().expect("there is at least one line");
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    lines
}

/// Formats `text` as a paragraph of a terminal's width, indented by two spaces per `level`. Lines after
/// the first are indented by two more.
pub fn paragraph(level: usize, text: &str) -> String {
    let indent = 2 * level;
    let mut out = String::new();
    for (i, line) in wrap(text, TERMINAL_WIDTH - indent - 2).iter().enumerate() {
        let indent = if i == 0 { indent } else { indent + 2 };
        out.push_str(&format!("{:indent$}{line}\n", ""));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_count_characters() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("−1 −2  −3", 5), ["−1 −2", "−3"]);
    }

    #[test]
    fn paragraphs_indent_later_lines_once_more() {
        let text = paragraph(1, &"word ".repeat(20));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("  word") && lines[1].starts_with("    word"));
        assert!(lines[0].len() <= TERMINAL_WIDTH, "{text}");
    }

    #[test]
    fn long_words_get_their_own_line() {
        assert_eq!(wrap("a abcdef b", 3), ["a", "abcdef", "b"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
