//! Verdicts that are withheld because cells failed or are missing.
//!
//! A diverged cell is a result of its recipe. A cell that failed with an error, or that has no record, says
//! something about the machine or the file, and whatever it would have shown is unknown.

use super::cells::Cells;
use crate::record::Outcome;
use crate::spec::{Contrast, Spec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Cells of the arms of a contrast, at all learning rates, some of which failed or are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withheld {
    /// Cells that failed with an error.
    pub failed: usize,
    /// Cells without a record.
    pub missing: usize,
    /// All cells.
    pub cells: usize,
}

impl Withheld {
    /// The cells of the arms of `contrasts`, each arm counted once; `None` if none failed or is missing.
    pub(super) fn of<'c>(
        spec: &Spec,
        contrasts: impl IntoIterator<Item = &'c Contrast>,
        cells: &Cells<'_>,
    ) -> Option<Self> {
        let terms = contrasts.into_iter().flat_map(|contrast| &contrast.weights);
        let names: BTreeSet<&str> = terms.map(|term| term.arm.as_str()).collect();
        let arms = (0..spec.arms.len()).filter(|&a| names.contains(spec.arms[a].name.as_str()));
        let mut all = Self {
            failed: 0,
            missing: 0,
            cells: 0,
        };
        for row in arms.flat_map(|arm| cells.grid(arm)) {
            all.failed += row.count(|outcome| matches!(outcome, Outcome::Failed { .. }));
            all.missing += row.missing();
            all.cells += spec.seeds.len();
        }
        (all.failed + all.missing > 0).then_some(all)
    }

    /// `withheld: 3 of 20 cells failed; run again`.
    pub fn words(&self) -> String {
        let Self {
            failed,
            missing,
            cells,
        } = self;
        let is = |count: &usize| if *count == 1 { "is" } else { "are" };
        let what = match (failed, missing) {
            (failed, 0) => format!("{failed} of {cells} cells failed"),
            (0, missing) => format!("{missing} of {cells} cells {} missing", is(missing)),
            (failed, missing) => format!(
                "of {cells} cells {failed} failed and {missing} {} missing",
                is(missing)
            ),
        };
        format!("withheld: {what}; run again")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Summary, fixture, summarize};
    use super::*;
    use crate::record::CellRecord;
    use crate::stats::Verdict;

    /// Two arms with rates 0.1 and 0.01; 0.1 has the better validation scores.
    fn grid() -> (Spec, Vec<CellRecord>) {
        let mut spec = fixture::spec(2, 5, 2);
        for arm in &mut spec.arms {
            arm.learning_rates = vec![0.1, 0.01];
        }
        let mut records = fixture::records(&spec);
        for record in &mut records {
            let last = record.epochs.last_mut().unwrap();
            let shift = if record.learning_rate == Some(0.1) {
                1.0
            } else {
                0.0
            };
            last.validation.as_mut().unwrap().accuracy += shift;
        }
        (spec, records)
    }

    fn fail(record: &mut CellRecord) {
        record.outcome = Outcome::Failed {
            error: "the worker process ended".to_owned(),
        };
        record.epochs.clear();
    }

    fn diverge(record: &mut CellRecord) {
        record.outcome = Outcome::Diverged { epoch: 1 };
        record.epochs.clear();
    }

    fn at(records: &[CellRecord], arm: &str, rate: f64, seed: u64) -> usize {
        let cell = |r: &CellRecord| r.arm == arm && r.learning_rate == Some(rate) && r.seed == seed;
        records.iter().position(cell).unwrap()
    }

    fn rates(summary: &Summary) -> Vec<f64> {
        summary
            .arms
            .iter()
            .filter_map(|arm| arm.learning_rate)
            .collect()
    }

    #[test]
    fn words_count_failed_and_missing_cells() {
        let words = |failed, missing| {
            let all = Withheld {
                failed,
                missing,
                cells: 20,
            };
            all.words()
        };
        assert_eq!(words(3, 0), "withheld: 3 of 20 cells failed; run again");
        assert_eq!(words(0, 1), "withheld: 1 of 20 cells is missing; run again");
        let both = "withheld: of 20 cells 3 failed and 2 are missing; run again";
        assert_eq!(words(3, 2), both);
    }

    #[test]
    fn failed_or_missing_cell_never_chooses() {
        let (spec, mut records) = grid();
        assert_eq!(rates(&summarize(&spec, &records).unwrap()), [0.1, 0.1]);
        // More seeds finished at 0.1 than at 0.01, but only 0.01 is complete.
        for seed in [0, 1] {
            let cell = at(&records, "b", 0.01, seed);
            diverge(&mut records[cell]);
        }
        let cell = at(&records, "b", 0.1, 2);
        let mut failed = records.clone();
        fail(&mut failed[cell]);
        let summary = summarize(&spec, &failed).unwrap();
        assert_eq!(rates(&summary), [0.1, 0.01]);
        let told = "Arm `b` has failed or missing cells at 1 learning rate, which cannot be chosen; it uses 0.01.";
        assert!(
            summary.warnings.iter().any(|w| w == told),
            "{:?}",
            summary.warnings
        );
        records.remove(cell);
        assert_eq!(rates(&summarize(&spec, &records).unwrap()), [0.1, 0.01]);
    }

    #[test]
    fn a_diverged_cell_is_a_result() {
        let (spec, mut records) = grid();
        let cell = at(&records, "b", 0.1, 2);
        diverge(&mut records[cell]);
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(rates(&summary), [0.1, 0.01], "it counts against its rate");
        assert_eq!(summary.withheld, None);
        assert_ne!(summary.verdict_words().split(':').next(), Some("withheld"));
    }

    #[test]
    fn without_a_complete_rate_the_most_complete_is_used() {
        let (spec, mut records) = grid();
        for (rate, seed) in [(0.1, 0), (0.1, 1), (0.01, 2)] {
            let cell = at(&records, "b", rate, seed);
            fail(&mut records[cell]);
        }
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(rates(&summary), [0.1, 0.01]);
        let told = "Arm `b` has failed or missing cells at every learning rate; it uses 0.01, the most complete \
                    one.";
        assert!(
            summary.warnings.iter().any(|w| w == told),
            "{:?}",
            summary.warnings
        );
    }

    #[test]
    fn failed_cells_withhold_the_verdicts_of_their_arm_only() {
        let mut spec = fixture::spec(3, 10, 2);
        let mut records = fixture::records(&spec);
        for seed in 0..10 {
            for arm in ["a", "b", "c"] {
                fixture::set_accuracy(&mut records, arm, seed, 90.0);
            }
        }
        let whole = summarize(&spec, &records).unwrap();
        assert_eq!(whole.verdict, Some(Verdict::Supported));
        let cell = at(&records, "c", 0.01, 3);
        fail(&mut records[cell]);
        let summary = summarize(&spec, &records).unwrap();
        let words: Vec<String> = summary
            .contrasts
            .iter()
            .map(|c| c.verdict_words())
            .collect();
        let why = "withheld: 1 of 20 cells failed; run again";
        assert_eq!(words, ["supported after 2 epochs on this data set", why]);
        assert_eq!(summary.contrasts[1].verdict, Some(Verdict::Undecided));
        assert_eq!(summary.verdict, Some(Verdict::Undecided));
        assert_eq!(
            summary.verdict_words(),
            "withheld: 1 of 30 cells failed; run again"
        );
        // Exploratory contrasts have no verdict to withhold.
        spec.contrasts[1].primary = false;
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(summary.contrasts[1].verdict_words(), "exploratory");
        assert_eq!(
            (summary.verdict_words(), summary.withheld),
            ("supported after 2 epochs on this data set".to_owned(), None)
        );
    }
}
