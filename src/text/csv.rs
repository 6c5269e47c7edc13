//! Lines of tables: fields separated by commas, semicolons or tabs.

use std::borrow::Cow;

/// The separator of a table with this header; a comma if there is a single column.
pub fn separator(header: &str) -> char {
    let found = [',', ';', '\t'].into_iter().find(|&c| header.contains(c));
    found.unwrap_or(',')
}

/// The fields of a line, without spaces around them. A field may be quoted; a doubled quote in it stands for
/// one.
pub fn fields(line: &str, separator: char) -> Vec<String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            c if c == separator && !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

/// `text` as a field of a line separated by commas: in quotes where it needs them.
pub fn quoted(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")).into(),
        false => text.into(),
    }
}

/// A number as a field, not rounded. Whole numbers have a decimal point: readers that look at the first lines
/// only would take a column of them for integers.
pub fn number(value: f64) -> String {
    format!("{value:?}")
}

/// `line` without the mark that some programs write at the start of a file.
pub fn without_mark(line: &str) -> &str {
    line.trim_start_matches('\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separator_is_the_one_of_the_header() {
        for (header, expected) in [("a,b", ','), ("a;b", ';'), ("a\tb", '\t'), ("a", ',')] {
            assert_eq!(separator(header), expected, "{header}");
        }
    }

    #[test]
    fn quotes_keep_separators_and_spaces_are_trimmed() {
        assert_eq!(fields("a, \"b,c\" ,", ','), ["a", "b,c", ""]);
        assert_eq!(fields("\"a \"\"b\"\"\"", ','), ["a \"b\""]);
        assert_eq!(fields("", ','), [""]);
    }
}
