//! Reported values in the order of steps or epochs.
//!
//! The first record with a step or an epoch decides the unit; a record with both counts in steps. Records of
//! one step or epoch are one evaluation, and the order in which they were printed does not matter. A record
//! without either belongs to the evaluation before it. If no record has either, the first value of every
//! metric makes the first evaluation, and so on.

use crate::record::EpochRecord;
use std::collections::{BTreeMap, BTreeSet};

/// Largest number of evaluations in memory. Beyond it, every second one is dropped.
const MOST: usize = 10_000;
/// Other names that are remembered, to say what was reported in place of a missing metric.
const MOST_NAMES: usize = 20;

/// A value that a program reported.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reported {
    /// A finite number.
    Number(f64),
    /// Anything else, as it was written.
    Other(String),
}

/// What one line or row of a program says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) step: Option<usize>,
    pub(super) epoch: Option<usize>,
    pub(super) values: Vec<(String, Reported)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Step,
    Epoch,
}

/// The evaluations of a cell.
#[derive(Debug)]
pub(super) struct Evaluations {
    /// The declared metrics.
    metrics: Vec<String>,
    unit: Option<Unit>,
    /// The step or epoch of the last record.
    current: Option<usize>,
    by_place: BTreeMap<usize, Evaluation>,
    /// Values that each metric has had while there was no unit.
    counts: BTreeMap<String, usize>,
    /// The last value of each metric and its place.
    last: BTreeMap<String, (usize, f64)>,
    /// The first reported value of a declared metric that is not a finite number.
    wrong: Option<String>,
    other_names: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
struct Evaluation {
    epoch: usize,
    values: BTreeMap<String, f64>,
}

impl Evaluations {
    pub(super) fn new(metrics: &[String]) -> Self {
        Self {
            metrics: metrics.to_vec(),
            unit: None,
            current: None,
            by_place: BTreeMap::new(),
            counts: BTreeMap::new(),
            last: BTreeMap::new(),
            wrong: None,
            other_names: BTreeSet::new(),
        }
    }

    /// Adds what a line says.
    pub(super) fn add(&mut self, entry: Entry) {
        let mut values = Vec::new();
        for (name, value) in entry.values {
            match value {
                _ if !self.metrics.contains(&name) => {
                    if self.other_names.len() < MOST_NAMES {
                        self.other_names.insert(name);
                    }
                }
                Reported::Number(number) => values.push((name, number)),
                Reported::Other(text) => {
                    let at = match (entry.step, entry.epoch) {
                        (Some(step), _) => format!(" at step {step}"),
                        (None, Some(epoch)) => format!(" at epoch {epoch}"),
                        (None, None) => String::new(),
                    };
                    let message =
                        format!("reported `{name}` as `{text}`{at}, not as a finite number");
                    self.wrong.get_or_insert(message);
                }
            }
        }
        if values.is_empty() {
            return;
        }
        if self.unit.is_none() && self.by_place.is_empty() {
            self.unit = match (entry.step, entry.epoch) {
                (Some(_), _) => Some(Unit::Step),
                (None, Some(_)) => Some(Unit::Epoch),
                (None, None) => None,
            };
        }
        let place = match self.unit {
            Some(Unit::Step) => entry.step,
            Some(Unit::Epoch) => entry.epoch,
            None => None,
        };
        self.current = place.or(self.current);
        for (name, number) in values {
            let place = match self.current {
                Some(place) => place,
                None => {
                    let count = self.counts.entry(name.clone()).or_default();
                    *count += 1;
                    *count
                }
            };
            let evaluation = self.by_place.entry(place).or_default();
            evaluation.epoch = entry.epoch.unwrap_or(evaluation.epoch);
            evaluation.values.insert(name.clone(), number);
            let last = self.last.entry(name).or_insert((place, number));
            if place >= last.0 {
                *last = (place, number);
            }
        }
        if self.by_place.len() > MOST {
            let mut keep = false;
            self.by_place.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
    }

    /// Whether no value was reported at all.
    pub(super) fn are_empty(&self) -> bool {
        self.last.is_empty() && self.other_names.is_empty() && self.wrong.is_none()
    }

    /// The evaluations in order.
    ///
    /// # Errors
    /// If a declared metric was not reported, or not as a finite number; what was found instead.
    pub(super) fn finish(mut self) -> Result<Vec<EpochRecord>, String> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let missing = |name: &&String| !self.last.contains_key(*name);
        let missing: Vec<String> = (self.metrics.iter().filter(missing))
            .map(|name| format!("`{name}`"))
            .collect();
        if !missing.is_empty() {
            let known = self.last.keys().chain(&self.other_names);
            let found: Vec<String> = known.map(|name| format!("`{name}`")).collect();
            let missing = missing.join(", ");
            return Err(match found.is_empty() {
                true => format!("did not report {missing}"),
                false => format!("did not report {missing}; it reported {}", found.join(", ")),
            });
        }
        for (name, (place, number)) in self.last {
            let evaluation = self.by_place.entry(place).or_default();
            evaluation.values.insert(name, number);
        }
        let in_steps = self.unit == Some(Unit::Step);
        let record = |(place, evaluation): (usize, Evaluation)| EpochRecord {
            epoch: if in_steps { evaluation.epoch } else { place },
            step: in_steps.then_some(place),
            train_loss: None,
            validation: None,
            test: None,
            metrics: evaluation.values,
        };
        Ok(self.by_place.into_iter().map(record).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(step: Option<usize>, epoch: Option<usize>, values: &[(&str, f64)]) -> Entry {
        let value = |(name, number): &(&str, f64)| ((*name).to_owned(), Reported::Number(*number));
        Entry {
            step,
            epoch,
            values: values.iter().map(value).collect(),
        }
    }

    fn finished(metrics: &[&str], entries: Vec<Entry>) -> Result<Vec<EpochRecord>, String> {
        let metrics: Vec<String> = metrics.iter().map(|&m| m.to_owned()).collect();
        let mut evaluations = Evaluations::new(&metrics);
        entries.into_iter().for_each(|entry| evaluations.add(entry));
        evaluations.finish()
    }

    /// Place, and the value of `a`.
    fn places(records: &[EpochRecord]) -> Vec<(usize, Option<f64>)> {
        let value = |record: &EpochRecord| (record.place(), record.metrics.get("a").copied());
        records.iter().map(value).collect()
    }

    #[test]
    fn epochs_order_records_whatever_the_order_of_lines() {
        let rows = [3, 1, 2].map(|epoch| entry(None, Some(epoch), &[("a", epoch as f64)]));
        let found = finished(&["a"], rows.to_vec()).unwrap();
        assert_eq!(
            places(&found),
            [(1, Some(1.0)), (2, Some(2.0)), (3, Some(3.0))]
        );
        assert!(found.iter().all(|record| record.step.is_none()));
    }

    #[test]
    fn steps_come_before_epochs_and_lines_of_one_step_merge() {
        let found = finished(
            &["a", "b"],
            vec![
                entry(Some(10), Some(0), &[("a", 1.0)]),
                entry(Some(10), Some(0), &[("b", 5.0)]),
                entry(Some(20), Some(1), &[("a", 2.0), ("b", 6.0)]),
                entry(None, None, &[("a", 3.0)]),
            ],
        );
        let found = found.unwrap();
        assert_eq!(places(&found), [(10, Some(1.0)), (20, Some(3.0))]);
        assert_eq!((found[0].metrics["b"], found[1].epoch), (5.0, 1));
    }

    #[test]
    fn without_order_values_are_counted_per_metric() {
        let line = |name, value| entry(None, None, &[(name, value)]);
        let lines = vec![
            line("a", 1.0),
            line("b", 8.0),
            line("a", 2.0),
            line("b", 9.0),
        ];
        let found = finished(&["a", "b"], lines).unwrap();
        assert_eq!(places(&found), [(1, Some(1.0)), (2, Some(2.0))]);
        assert_eq!(found[1].metrics["b"], 9.0);
    }

    #[test]
    fn epoch_zero_is_an_evaluation() {
        let rows = [0, 1].map(|epoch| entry(None, Some(epoch), &[("a", 0.5)]));
        let found = finished(&["a"], rows.to_vec()).unwrap();
        assert_eq!(places(&found), [(0, Some(0.5)), (1, Some(0.5))]);
    }

    #[test]
    fn missing_metric_names_what_was_reported() {
        let error = finished(
            &["a", "c"],
            vec![entry(None, None, &[("a", 1.0), ("acc", 2.0)])],
        );
        assert_eq!(
            error.unwrap_err(),
            "did not report `c`; it reported `a`, `acc`"
        );
        let error = finished(&["a"], Vec::new()).unwrap_err();
        assert_eq!(error, "did not report `a`");
    }

    #[test]
    fn value_that_is_no_number_is_quoted_with_its_place() {
        let mut nan = entry(Some(7), None, &[]);
        nan.values
            .push(("a".to_owned(), Reported::Other("NaN".to_owned())));
        let error = finished(&["a"], vec![nan, entry(Some(8), None, &[("a", 1.0)])]).unwrap_err();
        assert_eq!(
            error,
            "reported `a` as `NaN` at step 7, not as a finite number"
        );
    }

    #[test]
    fn many_evaluations_are_thinned_and_the_last_is_kept() {
        let rows = (0..25_001).map(|step| entry(Some(step), None, &[("a", step as f64)]));
        let found = finished(&["a"], rows.collect()).unwrap();
        assert!(found.len() <= MOST + 1, "{}", found.len());
        assert_eq!(places(&found).last(), Some(&(25_000, Some(25_000.0))));
    }
}
