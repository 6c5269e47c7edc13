//! The section on a crossed design: means of its cells, and effects of its factors.

use super::finding::mixed;
use crate::analysis::Summary;
use crate::analysis::metric_decimals;
use crate::analysis::subject::short;
use crate::spec::{Factor, Metric};
use crate::text::capitalized;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};
use crate::text::number::{decimals, interval, signed};

const EFFECTS: &str = include_str!("templates/effects.md").trim_ascii_end();

/// The section; empty without factors.
pub(super) fn section(summary: &Summary) -> Vec<String> {
    if summary.factors.is_empty() {
        return Vec::new();
    }
    let mut parts = vec!["## Factors".to_owned()];
    if summary.factors.len() > 1 {
        for metric in metrics(summary) {
            parts.push(format!(
                "{} per cell, mean ± SD over seeds.",
                capitalized(&metric.label_in(metric.scale()))
            ));
            parts.push(cells(summary, &metric));
        }
    }
    parts.push(EFFECTS.to_owned());
    parts.push(effects(summary));
    parts
}

/// The metrics of the effects.
fn metrics(summary: &Summary) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = summary.effects.iter().map(|e| e.metric.clone()).collect();
    metrics.dedup();
    if metrics.is_empty() {
        metrics.push(Metric::TestAccuracy);
    }
    metrics
}

/// One column per level of the last factor, one row per combination of the others.
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
        ("remark", Left),
    ]);
    for effect in &summary.effects {
        let d = decimals(effect.sd, metric_decimals(&effect.metric));
        table.row([
            short(&effect.comparison, &[]),
            effect.metric.label_in(effect.metric.unit()),
            signed(effect.mean, d),
            effect
                .interval
                .map_or(NO_VALUE.to_owned(), |i| interval(i, d)),
            effect.n.to_string(),
            mixed(summary, &effect.mixed_over).unwrap_or_default(),
        ]);
    }
    match summary.effects.is_empty() {
        true => missing(summary),
        false => table.render() + &missing(summary),
    }
}

/// A note on effects that cannot be computed because a cell is missing.
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
        1 => "\nOne effect is missing: it needs a cell that is not in the design or did not finish.\n".to_owned(),
        n => format!("\n{n} effects are missing: they need a cell that is not in the design or did not finish.\n"),
    }
}
