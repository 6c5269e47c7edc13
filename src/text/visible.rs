//! Control characters made visible, so that text from outside cannot steer a terminal.

use std::borrow::Cow;

/// `text` with every character that steers a terminal as `\u001b`. JSON stays the same JSON.
pub fn visible(text: &str) -> Cow<'_, str> {
    if steering(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match steers(c, chars.peek().copied()) {
            true => out += &format!("\\u{:04x}", u32::from(c)),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The first character of `text` that steers a terminal: a control character except tab and line break, or a
/// character that reverses the direction of text.
pub fn steering(text: &str) -> Option<char> {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if steers(c, chars.peek().copied()) {
            return Some(c);
        }
    }
    None
}

fn steers(c: char, next: Option<char>) -> bool {
    match c {
        '\t' | '\n' => false,
        '\r' => next != Some('\n'),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_become_text() {
        assert_eq!(visible("a\x1b[31mb\r"), "a\\u001b[31mb\\u000d");
        assert_eq!(visible("\u{9b}2J\u{7f}\u{202e}"), "\\u009b2J\\u007f\\u202e");
        assert!(matches!(visible("a\tb\r\né±"), Cow::Borrowed(_)));
    }
}
