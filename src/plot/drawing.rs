//! A figure and the data that it shows.

use crate::text::csv;

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// The picture.
    pub svg: String,
    /// What it shows.
    pub data: Table,
}

/// The values of a figure, one observation per row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell(String);

impl Table {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a value per column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len());
        self.rows.push(cells.into());
    }

    /// As CSV with a header. Numbers are not rounded; absent values are empty.
    pub fn csv(&self) -> String {
        let mut out = self.columns.join(",") + "\n";
        for row in &self.rows {
            let fields: Vec<_> = row.iter().map(|cell| csv::quoted(&cell.0)).collect();
            out.push_str(&fields.join(","));
            out.push('\n');
        }
        out
    }
}

impl Cell {
    /// An absent value.
    pub(crate) const NONE: Self = Self(String::new());
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self(text.clone())
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self(csv::number(value))
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self(count.to_string())
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self(count.to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NONE, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_a_header_unrounded_numbers_and_empty_fields() {
        let mut table = Table::new(&["name", "value", "n"]);
        table.row(["a, \"b\"".into(), (0.1 + 0.2).into(), 3usize.into()]);
        table.row(["c".into(), Cell::NONE, Some(1u64).into()]);
        assert_eq!(
            table.csv(),
            "name,value,n\n\"a, \"\"b\"\"\",0.30000000000000004,3\nc,,1\n"
        );
    }
}
