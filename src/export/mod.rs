//! Results in the forms of other tools: a tidy table of scores, LaTeX, BibTeX, and event files for
//! TensorBoard, all computed from a summary and its records. And trained nets as ONNX. Prose is in
//! `templates`.

mod onnx;
mod paper;
mod protobuf;
mod scores;
mod tensorboard;

pub use onnx::onnx;
pub use paper::{PaperError, bibliography, contrasts_table, methods_paragraph};
pub use scores::{COLUMNS, Score, csv, scores};
pub use tensorboard::{EventFile, event_files};

#[cfg(test)]
mod fixture;
