//! Whether a program uses its seed, and whether one seed gives the same numbers twice.

use super::paired_scores::last_score;
use crate::record::CellRecord;
use crate::spec::{Metric, Pairing, ProgramDesign};
use crate::text::number::compact;
use serde::{Deserialize, Serialize};

/// Noise of the same seed, relative to the difference of two seeds, up to which pairing is worth while.
const WORTH_PAIRING: f64 = 0.5;

/// One arm run twice with one seed, and once with another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedCheck {
    /// Id of the cell that ran twice.
    pub cell: String,
    /// Its arm.
    pub arm: String,
    /// Its seed.
    pub seed: u64,
    /// The other seed.
    pub other_seed: u64,
    /// Whether the other seed gave other numbers.
    pub uses_seed: bool,
    /// Whether the same seed gave the same numbers.
    pub deterministic: bool,
    /// The values of each metric.
    pub values: Vec<CheckedMetric>,
}

/// The last values of a metric in the three runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckedMetric {
    /// The metric.
    pub metric: Metric,
    /// The seed for the first time.
    pub first: f64,
    /// The same seed again.
    pub again: f64,
    /// The other seed.
    pub other: f64,
}

impl SeedCheck {
    /// Compares `first` with `again`, which has the same seed, and with `other`.
    pub fn new(
        design: &ProgramDesign,
        first: &CellRecord,
        again: &CellRecord,
        other: &CellRecord,
    ) -> Self {
        let values = design.metrics.iter().filter_map(|metric| {
            Some(CheckedMetric {
                metric: metric.clone(),
                first: last_score(metric, first)?,
                again: last_score(metric, again)?,
                other: last_score(metric, other)?,
            })
        });
        Self {
            cell: first.id.clone(),
            arm: first.arm.clone(),
            seed: first.seed,
            other_seed: other.seed,
            uses_seed: first.epochs != other.epochs,
            deterministic: first.epochs == again.epochs,
            values: values.collect(),
        }
    }

    /// Whether differences of `metric` are taken seed by seed.
    pub(super) fn pairs(&self, metric: &Metric) -> bool {
        let found = self.values.iter().find(|checked| checked.metric == *metric);
        self.deterministic || found.is_none_or(CheckedMetric::pairs)
    }

    /// What the check means for the comparison, in a sentence; `None` if every seed gives its own numbers
    /// every time.
    pub fn caveat(&self, pairing: Pairing) -> Option<String> {
        if self.deterministic {
            return None;
        }
        let noise = (self.values.iter())
            .map(|checked| {
                format!(
                    "{} {} and {} with seed {}, {} with seed {}",
                    checked.metric.label(),
                    compact(checked.first),
                    compact(checked.again),
                    self.seed,
                    compact(checked.other),
                    self.other_seed
                )
            })
            .collect::<Vec<_>>()
            .join("; ");
        let unpaired: Vec<String> = (self.values.iter())
            .filter(|checked| !checked.pairs())
            .map(|checked| checked.metric.label().into_owned())
            .collect();
        let consequence = match pairing {
            Pairing::Paired => "Arms are compared seed by seed, as `paired = true` asks.".to_owned(),
            Pairing::Unpaired => {
                "Arms are compared as independent samples, as `paired = false` asks.".to_owned()
            }
            Pairing::Auto if unpaired.is_empty() => {
                "That is less than half of what another seed changes, so arms are compared seed by seed."
                    .to_owned()
            }
            Pairing::Auto => format!(
                "Pairing by seed would remove little noise, so arms are compared as independent samples \
                 (Welch) in {}.",
                unpaired.join(", ")
            ),
        };
        Some(format!(
            "The program is not deterministic: arm `{}` gave {noise}. {consequence}",
            self.arm
        ))
    }
}

impl CheckedMetric {
    fn pairs(&self) -> bool {
        (self.first - self.again).abs() <= WORTH_PAIRING * (self.first - self.other).abs()
    }
}

/// Whether differences of `metric` are taken seed by seed.
pub(super) fn is_paired(
    design: Option<&ProgramDesign>,
    check: Option<&SeedCheck>,
    metric: &Metric,
) -> bool {
    match design.map(|design| design.paired) {
        None | Some(Pairing::Paired) => true,
        Some(Pairing::Unpaired) => false,
        Some(Pairing::Auto) => check.is_none_or(|check| check.pairs(metric)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::program;

    /// The last values of the metric with one seed, with it again, and with another.
    fn check(first: f64, again: f64, other: f64) -> (SeedCheck, Metric) {
        let (spec, mut records) = program(&["a"], 2);
        let mut repeat = records[0].clone();
        let values = [first, again, other];
        let [one, two] = &mut records[..] else {
            panic!("two seeds")
        };
        for (record, value) in [one, &mut repeat, two].into_iter().zip(values) {
            let last = record.epochs.last_mut().unwrap();
            last.metrics.insert("score".to_owned(), value);
        }
        for epoch in 0..records[0].epochs.len() - 1 {
            let same = records[0].epochs[epoch].clone();
            (repeat.epochs[epoch], records[1].epochs[epoch]) = (same.clone(), same);
        }
        let design = spec.program.unwrap();
        let metric = design.metrics[0].clone();
        (
            SeedCheck::new(&design, &records[0], &repeat, &records[1]),
            metric,
        )
    }

    #[test]
    fn deterministic_program_is_paired() {
        let (found, metric) = check(1.0, 1.0, 2.0);
        assert!(found.deterministic && found.uses_seed && found.pairs(&metric));
        assert_eq!(found.caveat(Pairing::Auto), None);
    }

    #[test]
    fn program_that_ignores_its_seed_is_found_out() {
        let (found, _) = check(1.0, 1.0, 1.0);
        assert!(!found.uses_seed && found.deterministic);
    }

    #[test]
    fn noise_decides_on_pairing() {
        let (little, metric) = check(1.0, 1.01, 2.0);
        assert!(!little.deterministic && little.pairs(&metric));
        let text = little.caveat(Pairing::Auto).unwrap();
        assert!(
            text.contains("1.00 and 1.01 with seed 1, 2.00 with seed 2"),
            "{text}"
        );
        assert!(text.contains("seed by seed"), "{text}");
        let (much, metric) = check(1.0, 1.9, 2.0);
        assert!(!much.pairs(&metric));
        assert!(
            much.caveat(Pairing::Auto)
                .unwrap()
                .contains("independent samples (Welch)")
        );
        assert!(
            much.caveat(Pairing::Paired)
                .unwrap()
                .contains("`paired = true`")
        );
    }

    #[test]
    fn spec_overrules_the_check() {
        let (much, metric) = check(1.0, 1.9, 2.0);
        let mut design = program(&["a"], 2).0.program.unwrap();
        assert!(!is_paired(Some(&design), Some(&much), &metric));
        assert!(is_paired(Some(&design), None, &metric));
        design.paired = Pairing::Paired;
        assert!(is_paired(Some(&design), Some(&much), &metric));
        design.paired = Pairing::Unpaired;
        assert!(!is_paired(Some(&design), None, &metric));
        assert!(is_paired(None, None, &metric));
    }
}
