//! Markdown: tables whose source is aligned too, lists, and text on one line.

/// A table cell without a value.
pub const NO_VALUE: &str = "–";

/// Alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A Markdown table.
#[derive(Clone, Debug)]
pub struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

/// Widest column that is padded, in characters. Longer cells would make every line as long.
const MOST_PADDED: usize = 60;

impl Table {
    /// A table with the given columns.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (header, align) = columns
            .into_iter()
            .map(|(name, align)| (escape(name), align))
            .unzip();
        Self {
            align,
            rows: vec![header],
        }
    }

    /// Adds a row. Missing cells stay empty; cells beyond the last column are dropped.
    pub fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut row: Vec<String> = cells.into_iter().map(|c| escape(c.as_ref())).collect();
        row.resize(self.align.len(), String::new());
        self.rows.push(row);
    }

    /// Formats the table as Markdown, with a line break at its end.
    pub fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).clamp(3, MOST_PADDED)
        };
        let widths: Vec<usize> = (0..self.align.len()).map(width).collect();
        let mut out = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for ((cell, align), width) in row.iter().zip(&self.align).zip(&widths) {
                out.push_str(&match align {
                    Align::Left => format!("| {cell:<width$} "),
                    Align::Right => format!("| {cell:>width$} "),
                });
            }
            out.push_str("|\n");
            if number == 0 {
                out.push_str(&self.rule(&widths));
            }
        }
        out
    }

    fn rule(&self, widths: &[usize]) -> String {
        let mut out = String::new();
        for (align, width) in self.align.iter().zip(widths) {
            let dashes = "-".repeat(width - 1);
            out.push_str(&match align {
                Align::Left => format!("| {dashes}- "),
                Align::Right => format!("| {dashes}: "),
            });
        }
        out + "|\n"
    }
}

/// `text` on one line with escaped pipes, as GitHub's tables require even inside code spans.
fn escape(text: &str) -> String {
    one_line(text).replace('|', "\\|")
}

/// `text` with every run of white space replaced by one space.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tags that pages have themselves: at the start of a line, or anywhere.
const BLOCKS: [&str; 5] = [
    "<details>",
    "</details>",
    "<summary>",
    "<!-- ablate:",
    "<!-- /ablate:",
];
const BREAK: &str = "<br>";

/// `page` with all other HTML as text: `<b>` in a title is not a tag. Code stays as it is.
pub fn without_html(page: &str) -> String {
    let mut fenced = false;
    let lines = page.split_inclusive('\n').map(|line| {
        let start = line.trim_start();
        if start.starts_with("```") {
            fenced = !fenced;
        }
        match fenced || BLOCKS.iter().any(|tag| start.starts_with(tag)) {
            true => line.to_owned(),
            false => line_without_html(line),
        }
    });
    lines.collect()
}

/// The parts of a line between backticks are code, if there is a backtick after them.
fn line_without_html(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['<', '`']) {
        out += &rest[..at];
        rest = &rest[at..];
        let kept = match rest.starts_with('`') {
            true => rest[1..].find('`').map_or(1, |end| end + 2),
            false if rest.starts_with(BREAK) => BREAK.len(),
            false => {
                let starts_tag = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?');
                out.push_str(match rest[1..].starts_with(starts_tag) {
                    true => "&lt;",
                    false => "<",
                });
                rest = &rest[1..];
                continue;
            }
        };
        out += &rest[..kept];
        rest = &rest[kept..];
    }
    out + rest
}

/// A bullet list.
pub fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("- {item}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_of_others_becomes_text() {
        let same = [
            "p < 0.05 and 3 <4",
            "`<b>` is code",
            "one<br>two",
            "<details>\n<summary>More</summary>\n</details>\n",
            "```\n<b>\n```\n",
        ];
        for page in same {
            assert_eq!(without_html(page), page);
        }
        assert_eq!(
            without_html("# <script>alert(1)</script> <b\n`a` <!-- x"),
            "# &lt;script>alert(1)&lt;/script> &lt;b\n`a` &lt;!-- x"
        );
        assert_eq!(without_html("a ` <i> é"), "a ` &lt;i> é");
    }

    #[test]
    fn cells_are_padded_and_pipes_escaped() {
        let mut table = Table::new([("arm", Align::Left), ("accuracy", Align::Right)]);
        table.row(["a|b", "97.5 ± 0.1"]);
        table.row(["two\nlines"]);
        assert_eq!(
            table.render(),
            "| arm       |   accuracy |\n\
             | --------- | ---------: |\n\
             | a\\|b      | 97.5 ± 0.1 |\n\
             | two lines |            |\n"
        );
    }
}
