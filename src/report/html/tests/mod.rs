//! Pages: escaping, structure and size.

mod escaping;
mod size;
mod structure;

use crate::analysis::{Summary, fixture, summarize};
use crate::record::CellRecord;
use crate::report::derive;
use crate::spec::Spec;

/// The page of `spec` with the given records.
fn page(spec: &Spec, records: &[CellRecord]) -> String {
    derive(spec, records, None, None, Vec::new(), &Default::default())
        .unwrap()
        .report_html
}

/// The page of the small experiment of the other tests.
fn demo() -> String {
    let spec = fixture::spec(3, 8, 5);
    page(&spec, &fixture::records(&spec))
}

fn summary() -> Summary {
    let spec = fixture::spec(2, 8, 1);
    summarize(&spec, &fixture::records(&spec)).unwrap()
}

/// The text between each `start` and the next `end`.
fn between<'a>(page: &'a str, start: &'a str, end: &'a str) -> Vec<&'a str> {
    let parts = page.split(start).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(end)?.0))
        .collect()
}
