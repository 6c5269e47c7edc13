//! Results in the forms of other tools: a tidy table of scores, LaTeX, BibTeX, and event files for
//! TensorBoard.
//!
//! Everything is computed from a summary and its records. Prose is in `templates`.

mod paper;
mod scores;
mod tensorboard;

pub use paper::{PaperError, bibliography, contrasts_table, methods_paragraph};
pub use scores::{COLUMNS, Score, csv, scores};
pub use tensorboard::{EventFile, event_files};

#[cfg(test)]
mod fixture;
