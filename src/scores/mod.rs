//! Scores that exist already: a table with a row per arm and seed, and per evaluation if there are several.
//!
//! The rows become the records of cells, so that the same analysis and the same reports apply to them.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `table` | header and rows of a file, with their lines |
//! | `cells` | the scores of each arm and seed |
//! | `matching` | whether seeds pair the arms |

mod cells;
mod matching;
mod table;

pub use cells::{ArmScores, Columns, DEVICE, Scores};
pub use table::Table;

/// A table of scores that cannot be used: file, line if known, and a message that says what is wrong and what
/// to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", place(.file, *.line))]
pub struct ScoresError {
    file: String,
    line: Option<usize>,
    message: String,
}

fn place(file: &str, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

/// Names in backticks, separated by commas.
fn quoted<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names = names.into_iter();
    let names: Vec<String> = names.map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}
