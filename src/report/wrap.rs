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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_count_characters() {
        assert_eq!(wrap("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrap("−1 −2  −3", 5), ["−1 −2", "−3"]);
    }

    #[test]
    fn long_words_get_their_own_line() {
        assert_eq!(wrap("a abcdef b", 3), ["a", "abcdef", "b"]);
        assert_eq!(wrap("", 3), [""]);
    }
}
