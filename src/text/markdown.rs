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

/// A bullet list.
pub fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("- {item}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
