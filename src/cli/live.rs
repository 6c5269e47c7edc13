//! A table of what a run has reached, which is drawn again and again on a terminal.

use super::console::Size;
use crate::analysis::{last_score, metric_decimals};
use crate::plan::Plan;
use crate::record::{CellRecord, Outcome};
use crate::spec::Metric;
use crate::stats::{Interval, Sample, t_interval};
use crate::text::counted;
use crate::text::number::{decimals, fixed};
use crate::text::visible::visible;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of the terminal that stay free: the bar, the heading, the sum, and the line of the cursor.
const OTHER_LINES: usize = 4;

/// Longest name of a row in characters.
const LONGEST_NAME: usize = 32;

/// Narrowest and widest bar of a row in characters.
const BAR: (usize, usize) = (6, 24);

/// Confidence level of the intervals.
const CONFIDENCE: f64 = 0.95;

/// The table: a row per arm, or per device of a comparison.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What a row is.
    noun: &'static str,
    /// What is counted.
    unit: &'static str,
    /// The quantity whose mean is shown.
    metric: Option<Metric>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    name: String,
    done: usize,
    all: usize,
    /// Units in work, and how much of them is done.
    working: usize,
    partly: f64,
    /// Scores of the finished cells by learning rate.
    scores: BTreeMap<Option<u64>, Scores>,
}

#[derive(Clone, Debug, Default)]
struct Scores {
    test: Vec<f64>,
    validation: Vec<f64>,
}

impl Table {
    /// A row per arm of `plan`, whose cells are done except for those in `missing`. `metric` is the quantity
    /// that is shown.
    pub(crate) fn of_arms(plan: &Plan, missing: &BTreeSet<&str>, metric: Option<Metric>) -> Self {
        let mut rows: Vec<Row> = (plan.spec.arms.iter())
            .map(|arm| Row {
                name: arm.name.clone(),
                ..Row::default()
            })
            .collect();
        for cell in &plan.cells {
            let row = &mut rows[cell.arm];
            row.all += 1;
            row.done += usize::from(!missing.contains(cell.id.as_str()));
        }
        Self {
            noun: "arm",
            unit: "cells",
            metric,
            rows,
        }
    }

    /// A row per device, with the units that are done and all units.
    pub(crate) fn of_devices<'d>(
        devices: impl Iterator<Item = (&'d str, usize, usize)>,
        unit: &'static str,
    ) -> Self {
        let row = |(name, done, all): (&str, usize, usize)| Row {
            name: name.to_owned(),
            done,
            all,
            ..Row::default()
        };
        Self {
            noun: "device",
            unit,
            metric: None,
            rows: devices.map(row).collect(),
        }
    }

    fn row(&mut self, name: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.name == name)
    }

    /// Work on `units` of the row `name` begins.
    pub(crate) fn begin(&mut self, name: &str, units: usize) {
        if let Some(row) = self.row(name) {
            row.working += units;
        }
    }

    /// A part of the units in work is done, in units.
    pub(crate) fn advance(&mut self, name: &str, part: f64) {
        if let Some(row) = self.row(name) {
            row.partly += part;
        }
    }

    /// Work on `units` has ended, of which `part` was counted by [`Self::advance`].
    pub(crate) fn end(&mut self, name: &str, units: usize, part: f64) {
        if let Some(row) = self.row(name) {
            row.working = row.working.saturating_sub(units);
            row.partly = (row.partly - part).max(0.0);
            row.done += units;
        }
    }

    /// `units` were done by another process.
    pub(crate) fn done_elsewhere(&mut self, name: &str, units: usize) {
        if let Some(row) = self.row(name) {
            row.done += units;
        }
    }

    /// Takes the scores of finished cells in.
    pub(crate) fn add<R: Borrow<CellRecord>>(&mut self, records: impl Iterator<Item = R>) {
        let Some(metric) = self.metric.clone() else {
            return;
        };
        for record in records {
            let record = record.borrow();
            if record.outcome != Outcome::Done {
                continue;
            }
            let Some(score) = last_score(&metric, record) else {
                continue;
            };
            let validation = record.epochs.last().and_then(|last| last.validation);
            if let Some(row) = self.row(&record.arm) {
                let rate = record.learning_rate.map(f64::to_bits);
                let scores = row.scores.entry(rate).or_default();
                scores.test.push(score);
                scores
                    .validation
                    .extend(validation.map(|scores| scores.accuracy));
            }
        }
    }

    /// The table as lines of at most `size.width` characters, fewer than `size.height`.
    pub(crate) fn lines(&self, size: Size) -> Vec<String> {
        let shown = self.shown(size.height.saturating_sub(OTHER_LINES).max(1));
        let all = Row {
            name: format!("all {}", counted(self.rows.len(), self.noun)),
            done: self.rows.iter().map(|row| row.done).sum(),
            all: self.rows.iter().map(|row| row.all).sum(),
            working: self.rows.iter().map(|row| row.working).sum(),
            partly: self.rows.iter().map(|row| row.partly).sum(),
            ..Row::default()
        };
        let mut rows: Vec<&Row> = shown.iter().map(|&i| &self.rows[i]).collect();
        if self.rows.len() > 1 {
            rows.push(&all);
        }
        let heading = self.metric.as_ref().map_or_else(String::new, |metric| {
            let mean = metric.label_in(metric.scale());
            format!("mean {} [95 % interval]", visible(&mean))
        });
        let mut cells: Vec<[String; 3]> =
            vec![[self.noun.to_owned(), self.unit.to_owned(), heading]];
        for row in &rows {
            let name = shortened(&row.name, LONGEST_NAME);
            let count = format!("{}/{}", row.done, row.all);
            cells.push([name, count, self.score(row)]);
        }
        let width = |column: usize| {
            let widths = cells.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let [name, count, score] = [width(0), width(1), width(2)];
        // Two blanks between columns, and the brackets of the bar.
        let rest = size
            .width
            .saturating_sub(name + count + score + 2 * 3 + 2 + 1);
        let bar = (rest >= BAR.0).then(|| rest.min(BAR.1));
        let lines = cells.iter().enumerate().map(|(i, [n, c, s])| {
            let bar = match (bar, i.checked_sub(1)) {
                (None, _) => String::new(),
                (Some(width), None) => " ".repeat(width + 4),
                (Some(width), Some(i)) => format!("[{}]  ", rows[i].bar(width)),
            };
            let line = format!("{n:name$}  {bar}{c:>count$}  {s}");
            shortened(line.trim_end(), size.width.saturating_sub(1))
        });
        lines.collect()
    }

    /// Indices of the rows that are shown in `most` lines, in the order of the table: those in work, then those
    /// that are done, the last ones first, then those that come next.
    fn shown(&self, most: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|&i| {
            let row = &self.rows[i];
            match (row.working > 0, row.done >= row.all) {
                (true, _) => (0, i),
                (false, true) => (1, usize::MAX - i),
                (false, false) => (2, i),
            }
        });
        order.truncate(most);
        order.sort_unstable();
        order
    }

    /// The mean of a row with its interval. If there are several learning rates, at the one with the best
    /// validation accuracy so far, as in the analysis.
    fn score(&self, row: &Row) -> String {
        let Some(metric) = &self.metric else {
            return String::new();
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let best = (row.scores.values())
            .filter(|scores| !scores.test.is_empty())
            .max_by(|a, b| mean(&a.validation).total_cmp(&mean(&b.validation)));
        let Some(sample) = best.and_then(|scores| Sample::new(scores.test.clone()).ok()) else {
            return String::new();
        };
        let digits = decimals(sample.sd(), metric_decimals(metric));
        let n = sample.len();
        let mean = fixed(sample.mean(), digits);
        match t_interval(&sample, CONFIDENCE) {
            Some(Interval { low, high }) => {
                let (low, high) = (fixed(low, digits), fixed(high, digits));
                format!("{mean} [{low}, {high}], n = {n}")
            }
            None => format!("{mean}, n = {n}"),
        }
    }
}

impl Row {
    fn bar(&self, width: usize) -> String {
        let share = (self.done as f64 + self.partly) / self.all.max(1) as f64;
        let full = ((share * width as f64) as usize).min(width);
        let rest = width - full;
        let head = if rest > 0 && self.working > 0 {
            ">"
        } else {
            ""
        };
        format!(
            "{}{head}{}",
            "=".repeat(full),
            " ".repeat(rest - head.len())
        )
    }
}

/// `text` in at most `most` characters.
fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() <= most {
        true => text.to_owned(),
        false => {
            let start: String = text.chars().take(most.saturating_sub(1)).collect();
            format!("{start}…")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: usize) -> Table {
        let mut table = Table::of_devices(std::iter::empty(), "cells");
        table.noun = "arm";
        table.metric = Some(Metric::TestAccuracy);
        for i in 0..rows {
            table.rows.push(Row {
                name: format!("arm-{i}"),
                all: 10,
                ..Row::default()
            });
        }
        table
    }

    fn size(width: usize, height: usize) -> Size {
        Size { width, height }
    }

    #[test]
    fn rows_show_progress_mean_and_interval() {
        let mut table = table(2);
        table.begin("arm-0", 4);
        table.advance("arm-0", 1.0);
        table.end("arm-0", 2, 1.0);
        let scores = Scores {
            test: vec![90.0, 92.0],
            validation: Vec::new(),
        };
        table.rows[0].scores.insert(None, scores);
        let lines = table.lines(size(90, 24));
        assert_eq!(
            lines,
            [
                "arm                                     cells  mean test accuracy (%) [95 % interval]",
                "arm-0       [====>                   ]   2/10  91.0 [78.3, 103.7], n = 2",
                "arm-1       [                        ]   0/10",
                "all 2 arms  [==>                     ]   2/20",
            ]
        );
    }

    #[test]
    fn lines_fit_the_terminal() {
        let mut table = table(100);
        table.begin("arm-77", 1);
        for (width, height) in [(20, 5), (40, 10), (80, 24), (200, 60)] {
            let lines = table.lines(size(width, height));
            assert!(lines.len() < height, "{width}x{height}: {lines:#?}");
            assert!(lines.iter().all(|line| line.chars().count() < width));
            assert!(
                lines.iter().any(|line| line.starts_with("arm-77")),
                "{lines:#?}"
            );
            assert!(
                lines.last().unwrap().starts_with("all 100 arms"),
                "{lines:#?}"
            );
        }
    }

    #[test]
    fn mean_is_that_of_the_best_rate_on_validation_data() {
        let mut table = table(1);
        for (rate, test, validation) in [(0.1_f64, 99.0, 50.0), (0.01, 80.0, 60.0)] {
            let scores = Scores {
                test: vec![test],
                validation: vec![validation],
            };
            table.rows[0].scores.insert(Some(rate.to_bits()), scores);
        }
        let lines = table.lines(size(80, 24));
        assert!(lines[1].contains("80.00, n = 1"), "{lines:#?}");
    }
}
