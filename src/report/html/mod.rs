//! Pages for the browser: one per experiment, one per claim, and an index of all.
//!
//! A page needs no other file and no network, and reads without its script. It shows the same texts and
//! tables as the Markdown, from the same functions.

mod cells;
mod claim;
mod engine;
mod experiment;
mod figure;
mod index;
mod prose;
mod verdict;

pub use claim::{claim_html, claim_html_file};
pub use engine::PageError;
pub(super) use experiment::{Shown, experiment_html};
pub use index::index_html;

#[cfg(test)]
mod tests;
