//! Kinds of machines that trained the cells of one experiment.
//!
//! CPUs of different kinds may round differently, and GPUs do. Where the arms of a pair were trained on different kinds,
//! that difference is part of the pair's.

use super::Summary;
use crate::record::CellRecord;
use crate::text::counted;
use std::collections::{BTreeMap, BTreeSet};

/// Warnings about cells of different kinds of machines: one that lists the kinds, and one for each contrast that compares
/// cells of different kinds. `kinds` has the kind of each cell by its id, as far as it is known. Empty where all cells
/// are of one kind.
pub fn machine_warnings(
    records: &[CellRecord],
    summary: &Summary,
    kinds: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut cells: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in records.iter().filter_map(|record| kinds.get(&record.id)) {
        *cells.entry(kind).or_default() += 1;
    }
    if cells.len() < 2 {
        return Vec::new();
    }
    let listed: Vec<String> = (cells.iter())
        .map(|(kind, count)| format!("{kind} ({})", counted(*count, "cell")))
        .collect();
    let mut warnings = vec![format!(
        "The cells were trained on {} kinds of machines: {}. `provenance.json` says which cell ran where.",
        cells.len(),
        listed.join(", ")
    )];
    let kind_of = |arm: &str, seed: u64| {
        let chosen = summary
            .arms
            .iter()
            .find(|found| found.name == arm)?
            .learning_rate;
        let is_cell = |r: &&CellRecord| r.arm == arm && r.seed == seed && r.learning_rate == chosen;
        kinds.get(&records.iter().find(is_cell)?.id)
    };
    for contrast in summary.contrasts.iter().filter(|contrast| contrast.paired) {
        let is_mixed = |seed: u64| {
            let weights = contrast.contrast.weights.iter();
            let found: BTreeSet<&String> = weights
                .filter_map(|weight| kind_of(&weight.arm, seed))
                .collect();
            found.len() > 1
        };
        let pairs = contrast.improvements.iter();
        let mixed = pairs.filter(|pair| is_mixed(pair.seed)).count();
        if mixed > 0 {
            warnings.push(format!(
                "`{}`: {mixed} of its {} compare cells from different kinds of machines, so a difference between \
                 machines is part of them. `--pin-kind` keeps the cells of a seed together.",
                contrast.contrast.name,
                counted(contrast.improvements.len(), "pair"),
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    #[test]
    fn pairs_from_different_machines_are_counted() {
        let spec = fixture::spec(2, 6, 1);
        let records = fixture::records(&spec);
        let summary = summarize(&spec, &records).unwrap();
        let of = |kind: &dyn Fn(&CellRecord) -> bool| {
            let kinds: BTreeMap<String, String> = (records.iter())
                .map(|r| {
                    (
                        r.id.clone(),
                        if kind(r) { "CPU A" } else { "CPU B" }.to_owned(),
                    )
                })
                .collect();
            machine_warnings(&records, &summary, &kinds)
        };
        assert!(of(&|_| true).is_empty());
        // Whole seeds on one kind: worth knowing, and no pair is mixed.
        let found = of(&|record| record.seed < 3);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("2 kinds of machines: CPU A ("),
            "{found:?}"
        );
        // Arms on different kinds: all pairs are mixed.
        let first = spec.arms[0].name.clone();
        let found = of(&|record| record.arm == first);
        assert!(found.len() > 1, "{found:?}");
        let n = summary.contrasts[0].improvements.len();
        assert!(
            found[1].contains(&format!("{n} of its {n} pairs")),
            "{found:?}"
        );
        // One cell.
        let (first, seed) = (
            spec.arms[0].name.clone(),
            summary.contrasts[0].improvements[0].seed,
        );
        let found = of(&|record| record.arm == first && record.seed == seed);
        assert!(found[1].contains(": 1 of its"), "{found:?}");
        assert!(machine_warnings(&records, &summary, &BTreeMap::new()).is_empty());
    }
}
