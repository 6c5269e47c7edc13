//! Reports of small synthetic runs.

mod answer;
mod claims;
mod tables;

use super::{Derived, derive};
use crate::analysis::fixture::{records, set_accuracy, spec};
use crate::analysis::{Summary, summarize};
use crate::record::CellRecord;
use crate::spec::{Expect, Spec};

fn derived(spec: &Spec, records: &[CellRecord]) -> Derived {
    derive(spec, records, None, None, Vec::new(), &Default::default()).expect("records of one run")
}

fn summary(claim: Option<&str>, name: &str) -> Summary {
    let mut spec = spec(2, 6, 1);
    spec.name = name.to_owned();
    spec.claim = claim.map(str::to_owned);
    summarize(&spec, &records(&spec)).expect("records of one run")
}

/// The report of two arms with the improvement `values` per seed.
fn improved(expect: Expect, values: &[f64]) -> String {
    let mut spec = spec(2, values.len() as u64, 2);
    spec.contrasts[0].expect = expect;
    let mut records = records(&spec);
    for (seed, value) in (0..).zip(values) {
        set_accuracy(&mut records, "a", seed, 90.0);
        set_accuracy(&mut records, "b", seed, 90.0 + value);
    }
    derived(&spec, &records).report_md
}
