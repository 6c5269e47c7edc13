//! The section on a crossed design: means of its cells, and what its factors did.

use super::subject::short;
use crate::analysis::Summary;
use crate::analysis::metric_decimals;
use crate::spec::{Factor, Metric};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};
use crate::text::number::{decimals, interval, signed};

const EFFECTS: &str = "Each level against the first of its factor, mean over the cells of the other \
factors, and how much that differs between a level of another factor and its first. Improvements: \
positive is better for the level named first. These describe the data: they are not tested, and the \
intervals are for each on its own. What was asked beforehand stands under *Contrasts*.";

/// Headings, texts and tables; nothing without factors.
pub(super) fn section(summary: &Summary) -> Vec<String> {
    if summary.factors.is_empty() {
        return Vec::new();
    }
    let mut parts = vec!["## Factors".to_owned()];
    if summary.factors.len() > 1 {
        for metric in metrics(summary) {
            parts.push(format!(
                "Mean ± SD of {} ({}) in every cell.",
                metric.label(),
                metric.scale()
            ));
            parts.push(cells(summary, &metric));
        }
    }
    parts.push(EFFECTS.to_owned());
    parts.push(effects(summary));
    parts
}

/// The metrics that effects are described in.
fn metrics(summary: &Summary) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = summary.effects.iter().map(|e| e.metric.clone()).collect();
    metrics.dedup();
    if metrics.is_empty() {
        metrics.push(Metric::TestAccuracy);
    }
    metrics
}

/// A column for each level of the last factor, a row for each combination of the others.
fn cells(summary: &Summary, metric: &Metric) -> String {
    let Some((last, others)) = summary.factors.split_last() else {
        return String::new();
    };
    let rows = others.iter().map(|factor| (factor.label.as_str(), Left));
    let columns = last
        .levels
        .iter()
        .map(|level| (level.label.as_str(), Right));
    let mut table = Table::new(rows.chain(columns));
    let mut seen: Vec<&[usize]> = Vec::new();
    let cells = summary.arms.iter().filter(|arm| !arm.levels.is_empty());
    for arm in cells {
        let row = &arm.levels[..others.len()];
        if seen.contains(&row) {
            continue;
        }
        seen.push(row);
        let names = row
            .iter()
            .zip(others)
            .map(|(&l, f)| f.levels[l].label.clone());
        let means = (0..last.levels.len()).map(|level| mean(summary, row, level, metric));
        table.row(names.chain(means));
    }
    table.render()
}

fn mean(summary: &Summary, row: &[usize], level: usize, metric: &Metric) -> String {
    let cell = [row, &[level]].concat();
    let arm = summary.arms.iter().find(|arm| arm.levels == cell);
    let Some(spread) = arm.and_then(|arm| arm.spread(metric)) else {
        return NO_VALUE.to_owned();
    };
    spread.mean_sd(decimals(spread.sd, metric_decimals(metric)))
}

fn effects(summary: &Summary) -> String {
    let mut table = Table::new([
        ("effect", Left),
        ("improvement in", Left),
        ("mean", Right),
        ("95 % t interval", Right),
        ("seeds", Right),
    ]);
    for effect in &summary.effects {
        let d = decimals(effect.sd, metric_decimals(&effect.metric));
        table.row([
            short(&effect.comparison, &[]),
            format!("{} ({})", effect.metric.label(), effect.metric.unit()),
            signed(effect.mean, d),
            effect
                .interval
                .map_or(NO_VALUE.to_owned(), |i| interval(i, d)),
            effect.n.to_string(),
        ]);
    }
    match summary.effects.is_empty() {
        true => missing(summary),
        false => table.render() + &missing(summary),
    }
}

/// Effects that need a cell which the design leaves out are not there.
fn missing(summary: &Summary) -> String {
    let others = |f: &Factor| f.levels.len() - 1;
    let sizes: Vec<usize> = summary.factors.iter().map(others).collect();
    let mains: usize = sizes.iter().sum();
    let pairs: usize = (0..sizes.len())
        .flat_map(|f| (f + 1..sizes.len()).map(move |g| (f, g)))
        .map(|(f, g)| sizes[f] * sizes[g])
        .sum();
    let wanted = (mains + pairs) * metrics(summary).len();
    match wanted.saturating_sub(summary.effects.len()) {
        0 => String::new(),
        1 => "\nOne effect needs a cell that is left out or did not finish.\n".to_owned(),
        n => format!("\n{n} effects need a cell that is left out or did not finish.\n"),
    }
}
