//! Estimated sizes of texts, which the SVG backend cannot measure.

/// Width of bold text divided by that of regular text.
pub(crate) const BOLD: f64 = 1.13;

/// A space at which no line is broken.
pub(crate) const NO_BREAK: char = '\u{a0}';

/// Estimated width of a text in pixels.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

/// Width of a character divided by the font size. It is rounded up from DejaVu Sans, which is wider
/// than most sans-serif fonts.
fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | 'J' | '\'' => 0.29,
        ' ' | NO_BREAK | ',' | '.' | '/' | ':' | ';' | '|' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '!' => 0.41,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'F' | 'L' | '*' | '_' | '?' | '"' => 0.58,
        'm' | 'M' | 'W' | '%' | '@' | '\u{2026}' => 1.0,
        'w' | 'D' | 'G' | 'H' | 'N' | 'O' | 'Q' | 'U' => 0.82,
        'a'..='z' | '0'..='9' | 'E' | 'P' | 'S' | 'T' | 'Y' => 0.64,
        'A'..='Z' => 0.7,
        _ if c.is_ascii() => 0.84,
        _ => 1.0,
    }
}

/// `text` cut to a width of about `width`, with an ellipsis if something is cut.
pub(crate) fn shorten(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let room = width - text_width("\u{2026}", size);
    let mut used = 0.0;
    let fits = |c: &char| {
        used += em(*c) * size;
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    kept.trim_end().to_owned() + "\u{2026}"
}

/// `text` broken between words into lines of at most about `width`. Longer words are shortened. A
/// no-break space keeps words on one line.
pub(crate) fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let breaks = |c: char| c.is_whitespace() && c != NO_BREAK;
    for word in text.split(breaks).filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), size) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(shorten(word, size, width)),
        }
    }
    lines
}

/// [`wrap`] to at most `most` lines; the last one is shortened.
pub(crate) fn wrap_to(text: &str, size: f64, width: f64, most: usize) -> Vec<String> {
    let mut lines = wrap(text, size, width);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1));
        lines.push(shorten(&rest.join(" "), size, width));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_text_fits_and_ends_in_an_ellipsis() {
        for text in [
            "no difference that matters",
            "WWWWWWWWWWWWWWW",
            "iiiiiiiiiiii",
        ] {
            let width = 0.6 * text_width(text, 12.0);
            let short = shorten(text, 12.0, width);
            assert!(short.ends_with('\u{2026}') && text_width(&short, 12.0) <= width);
            assert_eq!(shorten(text, 12.0, 2.0 * width), text);
        }
    }

    #[test]
    fn wrapped_lines_fit_and_keep_every_word() {
        let text = "norm before the activation against norm after the activation";
        let lines = wrap(text, 13.0, 150.0);
        assert!(lines.len() > 2 && lines.iter().all(|l| text_width(l, 13.0) <= 150.0));
        assert_eq!(lines.join(" "), text);
        let two = wrap_to(text, 13.0, 150.0, 2);
        assert!(two.len() == 2 && two[0] == lines[0] && two[1].ends_with('\u{2026}'));
    }

    #[test]
    fn no_line_is_broken_at_a_no_break_space() {
        let lines = wrap("width 32 (n\u{a0}=\u{a0}12)", 12.0, 60.0);
        assert_eq!(lines, ["width 32", "(n\u{a0}=\u{a0}12)"]);
    }

    #[test]
    fn word_wider_than_the_line_is_shortened() {
        let lines = wrap(
            "a pneumonoultramicroscopicsilicovolcanoconiosis b",
            12.0,
            100.0,
        );
        assert!(
            lines.iter().all(|l| text_width(l, 12.0) <= 100.0),
            "{lines:?}"
        );
    }
}
