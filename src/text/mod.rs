//! Text, used by reports, figures, specs and the command line alike: numbers, counts, durations, placeholders, words
//! of commands, lines of tables, Markdown, wrapped lines, and bytes that are not text.

pub mod csv;
pub mod duration;
pub mod latex;
pub mod markdown;
pub mod number;
pub mod placeholder;
pub mod utf8;
pub mod visible;
pub mod words;
pub mod wrap;

/// `1 pair`, `2 pairs`, `10,000 pairs`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number::grouped(count as u64))
}

/// `text` with its first letter in upper case.
pub fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
