//! All scores of all cells as one tidy table: one value per row.

use crate::analysis::Summary;
use crate::record::{CellRecord, EpochRecord, Scores};
use crate::text::csv::{number, quoted};
use serde::Serialize;
use std::fmt::Write;

/// Columns of the table. `step` is left out where no training counts in steps.
pub const COLUMNS: [&str; 10] = [
    "experiment",
    "arm",
    "seed",
    "rate",
    "epoch",
    "step",
    "split",
    "metric",
    "value",
    "chosen",
];

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score<'a> {
    /// Name of the experiment.
    pub experiment: &'a str,
    /// Name of the arm.
    pub arm: &'a str,
    /// Seed.
    pub seed: u64,
    /// Learning rate; absent for a program without one.
    pub rate: Option<f64>,
    /// Whole epochs done.
    pub epoch: usize,
    /// Steps done, where training counts in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// `train`, `validation` or `test`; `probe` for a probe, `program` for a number that a program reported.
    pub split: &'static str,
    /// Name of the score or probe. Accuracies and calibration errors are in percent, losses and NLLs in nats.
    pub metric: &'a str,
    /// The value.
    pub value: f64,
    /// Whether the arm uses this learning rate.
    pub chosen: bool,
}

/// Every value of every cell: cells by arm, seed and rate, values in the order of the training.
pub fn scores<'a>(summary: &'a Summary, records: &'a [CellRecord]) -> Vec<Score<'a>> {
    let mut all = Vec::new();
    for record in summary.sorted(records) {
        let chosen = summary.has_chosen(record);
        let at = |epoch: &EpochRecord, split, metric, value| Score {
            experiment: &summary.name,
            arm: &record.arm,
            seed: record.seed,
            rate: record.learning_rate,
            epoch: epoch.epoch,
            step: epoch.step,
            split,
            metric,
            value,
            chosen,
        };
        for (index, epoch) in record.epochs.iter().enumerate() {
            for (split, metric, value) in values(epoch) {
                all.push(at(epoch, split, metric, value));
            }
            for name in record.traces.keys() {
                if let Some(value) = record.after_epoch(name, index) {
                    all.push(at(epoch, "probe", name, value));
                }
            }
        }
        if let Some(last) = record.epochs.last() {
            let probes = record.probes.iter();
            all.extend(probes.map(|(name, &value)| at(last, "probe", name, value)));
        }
    }
    all
}

/// Split, name and value of every score of an evaluation.
pub(super) fn values(epoch: &EpochRecord) -> Vec<(&'static str, &str, f64)> {
    let mut all = Vec::new();
    all.extend(epoch.train_loss.map(|loss| ("train", "loss", loss)));
    for (split, scores) in [("validation", epoch.validation), ("test", epoch.test)] {
        if let Some(Scores { accuracy, nll, ece }) = scores {
            all.extend([
                (split, "accuracy", accuracy),
                (split, "nll", nll),
                (split, "ece", ece),
            ]);
        }
    }
    let reported = epoch.metrics.iter();
    all.extend(reported.map(|(name, &value)| ("program", name.as_str(), value)));
    all
}

/// The table as CSV, without rounding. Absent values are empty fields.
pub fn csv(scores: &[Score<'_>]) -> String {
    let has_steps = scores.iter().any(|score| score.step.is_some());
    let columns = COLUMNS
        .into_iter()
        .filter(|name| has_steps || *name != "step");
    let mut out = columns.collect::<Vec<_>>().join(",") + "\n";
    for score in scores {
        let rate = score.rate.map_or(String::new(), number);
        let step = match score.step {
            Some(step) => format!(",{step}"),
            None => if has_steps { "," } else { "" }.to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{},{},{},{rate},{}{step},{},{},{},{}",
            quoted(score.experiment),
            quoted(score.arm),
            score.seed,
            score.epoch,
            score.split,
            quoted(score.metric),
            number(score.value),
            score.chosen
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{records, summary};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_number_of_every_cell_is_one_row() {
        let (summary, records) = (summary(), records());
        let all = scores(&summary, &records);
        let numbers: usize = (records.iter())
            .map(|record| {
                let scores: usize = record.epochs.iter().map(|epoch| values(epoch).len()).sum();
                let traces: usize = record.traces.values().map(Vec::len).sum();
                scores + traces + record.probes.len()
            })
            .sum();
        assert_eq!(all.len(), numbers);
        assert!(numbers > 100, "{numbers}");
        let last = records[0].epochs.last().unwrap();
        let found = all.iter().find(|score| {
            (score.arm, score.seed, score.split, score.metric)
                == (records[0].arm.as_str(), records[0].seed, "test", "accuracy")
                && score.epoch == last.epoch
                && score.rate == records[0].learning_rate
        });
        assert_eq!(found.unwrap().value, last.test.unwrap().accuracy);
    }

    #[test]
    fn chosen_rows_have_the_rate_of_the_arm() {
        let (summary, records) = (summary(), records());
        let all = scores(&summary, &records);
        for score in &all {
            let rate = summary.arm(score.arm).unwrap().learning_rate;
            assert_eq!(score.chosen, score.rate == rate);
        }
        let both: HashSet<bool> = all.iter().map(|score| score.chosen).collect();
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn csv_reads_back() {
        let (summary, records) = (summary(), records());
        let all = scores(&summary, &records);
        let text = csv(&all);
        let mut lines = text.lines();
        let header = lines.next().unwrap();
        assert_eq!(header, COLUMNS.join(",").replace("step,", ""));
        for (line, score) in lines.zip(&all) {
            let fields: Vec<&str> = line.split(',').collect();
            assert_eq!(fields.len(), COLUMNS.len() - 1);
            assert_eq!(
                fields[7].parse::<f64>().unwrap().to_bits(),
                score.value.to_bits()
            );
            assert_eq!(fields[8].parse::<bool>().unwrap(), score.chosen);
        }
        assert_eq!(text.lines().count(), all.len() + 1);
        let mut steps = all[..2].to_vec();
        steps[1].step = Some(30);
        let lines: Vec<String> = csv(&steps).lines().map(str::to_owned).collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(lines[1].split(',').nth(5), Some(""));
        assert_eq!(lines[2].split(',').nth(5), Some("30"));
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
