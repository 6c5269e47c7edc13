//! Header and rows of a file, with their lines.

use super::{ScoresError, quoted};
use crate::spec::nearest;
use crate::text::csv::{fields, separator, without_mark};

/// A table with a header. Fields are separated by commas, semicolons or tabs, whichever the header has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    file: String,
    /// Line of the header, from 1.
    first: usize,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Line in the file, from 1.
    pub(super) line: usize,
    /// As many as the header has.
    pub(super) fields: Vec<String>,
}

impl Table {
    /// Reads `text`, the content of `file`, which appears in errors. Empty lines are skipped.
    ///
    /// # Errors
    /// If there is no row, a column name repeats, or a row has another number of fields than the header.
    pub fn read(file: &str, text: &str) -> Result<Self, ScoresError> {
        let lines = (1..).zip(text.lines());
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
        let (first, header) = lines.next().unwrap_or((1, ""));
        let header = without_mark(header);
        let separator = separator(header);
        let mut table = Self {
            file: file.to_owned(),
            first,
            header: fields(header, separator),
            rows: Vec::new(),
        };
        for (i, name) in table.header.iter().enumerate() {
            if table.header[..i].contains(name) {
                return Err(table.of_header(format!("has two columns `{name}`; rename one")));
            }
        }
        for (line, text) in lines {
            let fields = fields(text, separator);
            if fields.len() != table.header.len() {
                let (found, wanted) = (fields.len(), table.header.len());
                return Err(table.at(
                    line,
                    format!(
                        "has {found} fields, but the header has {wanted}; quote fields that contain \
                         `{separator}`"
                    ),
                ));
            }
            table.rows.push(Row { line, fields });
        }
        match table.rows.is_empty() {
            true => Err(table.whole(
                "has no rows; it needs a header such as `arm,seed,accuracy`, and one row per arm and \
                 seed",
            )),
            false => Ok(table),
        }
    }

    /// Index of the column `name`; `advice` says what to do if it has another name.
    pub(super) fn column(&self, name: &str, advice: &str) -> Result<usize, ScoresError> {
        if let Some(found) = self.header.iter().position(|column| column == name) {
            return Ok(found);
        }
        let near = nearest(name, &self.header);
        let near = near.map_or(String::new(), |near| format!(" (`{near}` is close)"));
        Err(self.of_header(format!(
            "has no column `{name}`; it has {}{near}; {advice}",
            quoted(&self.header)
        )))
    }

    /// The columns without `others` in which every field is a number or empty, and one is not empty.
    pub fn numeric(&self, others: &[&str]) -> Vec<&str> {
        let is_numeric = |column: usize| {
            let mut filled = (self.rows.iter().map(|row| &row.fields[column]))
                .filter(|field| !field.is_empty())
                .peekable();
            filled.peek().is_some() && filled.all(|field| field.parse::<f64>().is_ok())
        };
        let columns = self.header.iter().enumerate();
        columns
            .filter(|(i, name)| !others.contains(&name.as_str()) && is_numeric(*i))
            .map(|(_, name)| name.as_str())
            .collect()
    }

    pub(super) fn at(&self, line: usize, message: impl Into<String>) -> ScoresError {
        ScoresError {
            file: self.file.clone(),
            line: Some(line),
            message: message.into(),
        }
    }

    fn of_header(&self, message: String) -> ScoresError {
        self.at(self.first, message)
    }

    pub(super) fn whole(&self, message: impl Into<String>) -> ScoresError {
        ScoresError {
            file: self.file.clone(),
            line: None,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        Table::read("s.csv", text).unwrap_err().to_string()
    }

    #[test]
    fn rows_know_their_lines() {
        let table = Table::read("s.csv", "\u{feff}arm;seed\r\n\na;1\r\nb;2\n").unwrap();
        assert_eq!(table.header, ["arm", "seed"]);
        let lines: Vec<usize> = table.rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [3, 4]);
        assert_eq!(table.rows[1].fields, ["b", "2"]);
    }

    #[test]
    fn broken_tables_are_errors_with_the_line() {
        assert!(error("").starts_with("s.csv: has no rows"));
        assert!(error("arm,seed\n").starts_with("s.csv: has no rows"));
        assert_eq!(
            error("a,b,a\n1,2,3\n"),
            "s.csv:1: has two columns `a`; rename one"
        );
        assert!(
            error("a,b\n1,2\n1,2,3\n").starts_with("s.csv:3: has 3 fields, but the header has 2")
        );
    }

    #[test]
    fn missing_column_is_answered_with_those_there_are() {
        let table = Table::read("s.csv", "model,sed\na,1\n").unwrap();
        let error = table.column("seed", "use `--seed-column`").unwrap_err();
        assert_eq!(
            error.to_string(),
            "s.csv:1: has no column `seed`; it has `model`, `sed` (`sed` is close); use `--seed-column`"
        );
        assert_eq!(table.column("sed", ""), Ok(1));
    }

    #[test]
    fn numeric_columns_are_found() {
        let table = Table::read(
            "s",
            "arm,seed,acc,note,none,gap\na,1,0.5,x,,\nb,2,nan,1,,3\n",
        );
        assert_eq!(table.unwrap().numeric(&["arm", "seed"]), ["acc", "gap"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[a-c0-9,;\"\t\n]{0,80}") {
            let _ = Table::read("s", &text).map(|table| table.numeric(&[]).len());
        }
    }
}
