//! The raw scores of every cell as CSV, for download from a page without a network.

use crate::analysis::Summary;
use crate::record::{CellRecord, EpochRecord, Outcome, Scores};
use crate::text::csv::quoted;
use std::fmt::Write;

/// One line per cell: arm, seed, learning rate, whether the arm uses that rate, how the cell ended, and the
/// scores of its last evaluation with six significant digits.
pub(super) fn csv(records: &[CellRecord], summary: &Summary) -> String {
    let metrics = metrics(records);
    let nets = summary.program_metrics.is_empty();
    let mut columns = vec!["arm", "seed", "learning_rate", "chosen", "outcome", "epoch"];
    if nets {
        columns.extend([
            "train_loss",
            "validation_accuracy",
            "validation_nll",
            "validation_ece",
            "test_accuracy",
            "test_nll",
            "test_ece",
        ]);
    }
    columns.extend(metrics.iter().copied());
    let names: Vec<_> = columns.iter().map(|name| quoted(name)).collect();
    let mut out = names.join(",") + "\n";
    for record in summary.sorted(records) {
        let rate = record
            .learning_rate
            .map_or(String::new(), |rate| rate.to_string());
        let ended = match record.outcome {
            Outcome::Done => "done",
            Outcome::Diverged { .. } => "diverged",
            Outcome::Failed { .. } => "failed",
        };
        let last = record.epochs.last();
        let epoch = last.map_or(String::new(), |last| last.place().to_string());
        let chosen = if summary.has_chosen(record) {
            "yes"
        } else {
            "no"
        };
        let _ = write!(
            out,
            "{},{},{rate},{chosen},{ended},{epoch}",
            quoted(&record.arm),
            record.seed
        );
        if nets {
            let _ = write!(out, ",{}", number(last.and_then(|last| last.train_loss)));
            scores(&mut out, last.and_then(|last| last.validation));
            scores(&mut out, last.and_then(|last| last.test));
        }
        for metric in &metrics {
            let has_it = |epoch: &&EpochRecord| epoch.metrics.contains_key(*metric);
            let found = record.epochs.iter().rev().find(has_it);
            let _ = write!(
                out,
                ",{}",
                number(found.map(|epoch| epoch.metrics[*metric]))
            );
        }
        out.push('\n');
    }
    out
}

/// The metrics that a program reported, by name.
fn metrics(records: &[CellRecord]) -> Vec<&str> {
    let all = records.iter().flat_map(|record| &record.epochs);
    let mut names: Vec<&str> = all
        .flat_map(|epoch| epoch.metrics.keys())
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn scores(out: &mut String, scores: Option<Scores>) {
    for value in [
        scores.map(|scores| scores.accuracy),
        scores.map(|scores| scores.nll),
        scores.map(|scores| scores.ece),
    ] {
        let _ = write!(out, ",{}", number(value));
    }
}

/// `value` with six significant digits; empty without one.
fn number(value: Option<f64>) -> String {
    let rounded = |value: f64| format!("{value:.5e}").parse().unwrap_or(value);
    value.map_or(String::new(), |value| rounded(value).to_string())
}

/// `csv` as the address of a file that the page holds itself.
pub(super) fn address(csv: &str) -> String {
    let mut out = String::with_capacity(csv.len() + csv.len() / 8);
    out.push_str("data:text/csv;charset=utf-8,");
    for &byte in csv.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b',' => {
                out.push(char::from(byte))
            }
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}
