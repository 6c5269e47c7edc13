//! Tables for people, programs and papers: text, Markdown, LaTeX, CSV and JSON.

use super::console::Console;
use super::exit::Failure;
use crate::text::csv::quoted;
use crate::text::latex::escaped;
use crate::text::markdown::{Align, Table};
use crate::text::wrap::{TERMINAL_WIDTH, wrap_cell};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;

/// Format of tables on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    #[default]
    Text,
    Json,
    Csv,
    Latex,
    Markdown,
}

/// The option `--format` of verbs that print tables.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct TableFormatArg {
    /// Output format: text, json, csv (one tidy table with
    /// unrounded numbers), latex (booktabs) or markdown
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    pub(crate) format: TableFormat,
}

/// A table of rounded numbers and words.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// What the table shows.
    caption: String,
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Sheet {
    pub(crate) fn new(caption: &str, columns: impl IntoIterator<Item = (String, Align)>) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table with its caption, for a terminal of 80 columns: columns of words are wrapped as far as
    /// needed.
    pub(crate) fn text(&self) -> String {
        let header = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let rows: Vec<&Vec<String>> = std::iter::once(&header).chain(&self.rows).collect();
        let widths = self.widths(&rows);
        let mut out = format!("{}\n", self.caption);
        for row in rows {
            let cells: Vec<Vec<String>> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| wrap_cell(cell, *width))
                .collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let mut text = String::new();
                for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(&self.columns) {
                    let part = cell.get(line).map_or("", String::as_str);
                    text.push_str(&match align {
                        Align::Left => format!("{part:<width$}  "),
                        Align::Right => format!("{part:>width$}  "),
                    });
                }
                out.push_str(text.trim_end());
                out.push('\n');
            }
        }
        out
    }

    /// Widths of the columns. If they do not fit a terminal, the widest columns of words get narrower, down
    /// to their longest word.
    fn widths(&self, rows: &[&Vec<String>]) -> Vec<usize> {
        let longest = |column: usize, length: fn(&str) -> usize| {
            rows.iter()
                .map(|row| length(&row[column]))
                .max()
                .unwrap_or(0)
        };
        let count = |text: &str| text.chars().count();
        let word = |text: &str| {
            text.split(' ')
                .map(|word| word.chars().count())
                .max()
                .unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(|c| longest(c, count)).collect();
        let narrowest: Vec<usize> = (self.columns.iter().enumerate())
            .map(|(c, (_, align))| match align {
                Align::Left => longest(c, word),
                Align::Right => widths[c],
            })
            .collect();
        while widths.iter().map(|width| width + 2).sum::<usize>() > TERMINAL_WIDTH + 2 {
            let shrinks = (0..widths.len()).filter(|&c| widths[c] > narrowest[c]);
            let Some(widest) = shrinks.max_by_key(|&c| widths[c]) else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }

    pub(crate) fn markdown(&self) -> String {
        let columns = self
            .columns
            .iter()
            .map(|(name, align)| (name.as_str(), *align));
        let mut table = Table::new(columns);
        for row in &self.rows {
            table.row(row);
        }
        format!("{}\n\n{}", self.caption, table.render())
    }

    /// A table for LaTeX with the package booktabs.
    pub(crate) fn latex(&self) -> String {
        let line = |cells: &mut dyn Iterator<Item = &String>| {
            let cells: Vec<String> = cells.map(|cell| escaped(cell)).collect();
            format!("    {} \\\\\n", cells.join(" & "))
        };
        let align: String = (self.columns.iter())
            .map(|(_, align)| match align {
                Align::Left => 'l',
                Align::Right => 'r',
            })
            .collect();
        let mut out = format!(
            "% \\usepackage{{booktabs}}\n\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \
             \\begin{{tabular}}{{{align}}}\n    \\toprule\n",
            escaped(&self.caption)
        );
        out.push_str(&line(&mut self.columns.iter().map(|(name, _)| name)));
        out.push_str("    \\midrule\n");
        for row in &self.rows {
            out.push_str(&line(&mut row.iter()));
        }
        out + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"
    }
}

/// Prints `sheets` one after the other in a format for people or papers, or `tidy` as one CSV table with
/// `columns`, or `json`.
pub(crate) fn print<T: Serialize>(
    format: TableFormat,
    text: &str,
    sheets: &[Sheet],
    columns: &[&str],
    tidy: &[T],
    json: &impl Serialize,
    console: &Console,
) -> Result<(), Failure> {
    let all = |one: fn(&Sheet) -> String| {
        let filled = sheets.iter().filter(|sheet| !sheet.is_empty());
        filled.map(one).collect::<Vec<_>>().join("\n")
    };
    match format {
        TableFormat::Text => console.print(&match sheets.iter().all(Sheet::is_empty) {
            true => text.to_owned(),
            false => format!("{text}\n{}", all(Sheet::text)),
        }),
        TableFormat::Markdown => console.print(&all(Sheet::markdown)),
        TableFormat::Latex => console.print(&all(Sheet::latex)),
        TableFormat::Csv => console.print(&csv(columns, tidy)?),
        TableFormat::Json => console.print_json(json),
    }
}

/// A CSV table with a header; values that are absent stay empty.
fn csv<T: Serialize>(columns: &[&str], rows: &[T]) -> Result<String, Failure> {
    let mut out = columns.join(",") + "\n";
    for row in rows {
        let row = serde_json::to_value(row)
            .map_err(|error| Failure::internal(format!("cannot write CSV: {error}")))?;
        let cells: Vec<String> = columns.iter().map(|column| cell(&row[column])).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    Ok(out)
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    quoted(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        name: &'static str,
        mean: Option<f64>,
    }

    #[test]
    fn csv_quotes_and_keeps_every_digit() {
        let rows = [
            Row {
                name: "a, \"b\"",
                mean: Some(0.1 + 0.2),
            },
            Row {
                name: "c",
                mean: None,
            },
        ];
        let text = csv(&["name", "mean"], &rows).unwrap();
        assert_eq!(
            text,
            "name,mean\n\"a, \"\"b\"\"\",0.30000000000000004\nc,\n"
        );
    }

    #[test]
    fn latex_escapes_its_own_characters() {
        assert_eq!(
            escaped("`a_b` 5 % ± \u{2212}1"),
            "\\texttt{a\\_b} 5 \\% $\\pm$ $-$1"
        );
        let mut sheet = Sheet::new("Arms", [("arm".to_owned(), Align::Left)]);
        sheet.row(vec!["x & y".to_owned()]);
        let text = sheet.latex();
        assert!(
            text.contains("\\begin{tabular}{l}\n    \\toprule\n    arm \\\\\n"),
            "{text}"
        );
        assert!(
            text.contains("    x \\& y \\\\\n    \\bottomrule\n"),
            "{text}"
        );
    }

    #[test]
    fn wide_columns_of_words_wrap_to_80_characters() {
        let columns = [
            ("name", Align::Left),
            ("n", Align::Right),
            ("words", Align::Left),
        ];
        let mut sheet = Sheet::new(
            "Words",
            columns.map(|(name, align)| (name.to_owned(), align)),
        );
        sheet.row(vec![
            "a-long-name".to_owned(),
            "10".to_owned(),
            "word ".repeat(30).trim().to_owned(),
        ]);
        let text = sheet.text();
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(
            text.lines().count() > 3 && text.contains("a-long-name  10  word word"),
            "{text}"
        );
    }

    #[test]
    fn text_and_markdown_have_the_same_cells() {
        let mut sheet = Sheet::new(
            "Arms",
            [
                ("arm".to_owned(), Align::Left),
                ("n".to_owned(), Align::Right),
            ],
        );
        sheet.row(vec!["x".to_owned(), "10".to_owned()]);
        assert_eq!(sheet.text(), "Arms\narm   n\nx    10\n");
        assert!(
            sheet.markdown().contains("| x   |  10 |"),
            "{}",
            sheet.markdown()
        );
    }
}
