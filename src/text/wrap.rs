//! Wrapping of text to the width of a terminal.

/// Width of a terminal, in characters.
pub const TERMINAL_WIDTH: usize = 80;

/// Breaks `text` at spaces into lines of at most `width` characters. Code in backticks stays on one
/// line, so that it can be copied. A longer word or piece of code gets a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    fill(&pieces(text), width)
}

/// Like [`wrap`], for a table cell: code longer than `width` breaks at spaces too, because it would
/// overlap the next column.
pub fn wrap_cell(text: &str, width: usize) -> Vec<String> {
    let mut parts = Vec::new();
    for piece in pieces(text) {
        match piece.chars().count() > width {
            true => parts.extend(piece.split(' ').map(str::to_owned)),
            false => parts.push(piece),
        }
    }
    fill(&parts, width)
}

/// Puts as many of `pieces` on each line as fit.
fn fill(pieces: &[String], width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in pieces {
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

/// The pieces of `text` that stay on one line: words, joined while a code span is open. A backtick
/// without a partner does not open one.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut ticks_left = text.matches('`').count();
    let mut open = false;
    for word in text.split_whitespace() {
        match pieces.last_mut() {
            Some(piece) if open => {
                piece.push(' ');
                piece.push_str(word);
            }
            _ => pieces.push(word.to_owned()),
        }
        for _ in word.matches('`') {
            ticks_left -= 1;
            open = !open && ticks_left > 0;
        }
    }
    pieces
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
    fn code_in_backticks_stays_on_one_line() {
        assert_eq!(wrap("a (`b c d`), e", 8), ["a", "(`b c d`),", "e"]);
        assert_eq!(wrap("ab `c d` e f", 8), ["ab `c d`", "e f"]);
    }

    #[test]
    fn cells_break_only_code_that_does_not_fit() {
        assert_eq!(wrap_cell("a `b c` d", 5), ["a", "`b c`", "d"]);
        assert_eq!(wrap_cell("a `b c d e`", 5), ["a `b", "c d", "e`"]);
    }

    #[test]
    fn single_backtick_is_an_ordinary_character() {
        assert_eq!(wrap("a ` b c", 3), ["a `", "b c"]);
    }

    #[test]
    fn long_words_get_their_own_line() {
        assert_eq!(wrap("a abcdef b", 3), ["a", "abcdef", "b"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
