//! Plain-text tables.

use crate::text::wrap::{TERMINAL_WIDTH, wrap_cell};

/// Narrowest last column that is wrapped.
const MIN_WRAPPED: usize = 20;

/// Formats rows as lines with aligned columns, two spaces apart. Columns in `right` are
/// right-aligned. A last column of words is wrapped to the width of a terminal.
pub(crate) fn plain(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let before_last: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
    let room = TERMINAL_WIDTH.saturating_sub(before_last);
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            if column > 0 {
                line.push_str("  ");
            }
            let is_last = column + 1 == columns;
            if is_last && room >= MIN_WRAPPED && !right.contains(&column) {
                let indent = format!("\n{:before_last$}", "");
                line.push_str(&wrap_cell(cell, room).join(&indent));
            } else if right.contains(&column) {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_without_trailing_spaces() {
        let rows = [["a", "1", "x"], ["bcd", "10", ""]].map(|r| r.map(str::to_owned).to_vec());
        assert_eq!(plain(&rows, &[1]), "a     1  x\nbcd  10\n");
    }

    #[test]
    fn last_column_wraps_at_80_characters() {
        let words = "word ".repeat(20);
        let rows = [vec!["name".to_owned(), words.trim().to_owned()]];
        let text = plain(&rows, &[]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("name  word word"), "{text}");
        assert!(lines[1].starts_with("      word"), "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}
