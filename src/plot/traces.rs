//! Probe values along training and probe curves of the trained nets: one facet per quantity, one line
//! per arm.
//!
//! In a crossed design with too many arms for one line each, the lines are the levels of the factor
//! that the contrasts vary, and every combination of the other factors has facets of its own.

use super::axis::Range;
use super::canvas::wrap;
use super::distributions::is_point;
use super::finished;
use super::lines::Line;
use super::small_multiples::{Facet, SmallMultiples, facet_width};
use super::style::SMALL;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Axis, ContrastKind, Factor, Measure, Metric, Spec, Timing};
use crate::stats::Sample;
use crate::text::counted;
use std::collections::BTreeSet;

pub(super) const TRACES: FigureKind = FigureKind {
    file: "traces.svg",
    alt: "Probe values against the epoch",
    section: Section::Probes,
};
pub(super) const SERIES: FigureKind = FigureKind {
    file: "series.svg",
    alt: "Probe curves of the trained nets",
    section: Section::Probes,
};

/// Designs with more arms are grouped by their factors.
const MOST_LINES: usize = 7;
const COLUMNS: usize = 3;

/// Draws every probe value that is measured after every epoch. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn traces(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Option<String>, PlotError> {
    let wanted = |timing| timing == Timing::EveryEpoch;
    draw(spec, cells, summary, "probes along training", wanted)
}

/// Draws every probe curve of the trained nets. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn probe_series(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Option<String>, PlotError> {
    let wanted = |timing| matches!(timing, Timing::Series(_));
    draw(spec, cells, summary, "probes of the trained nets", wanted)
}

/// The arms that share a facet.
pub(super) struct Arrangement {
    /// Names of the lines.
    labels: Vec<String>,
    /// The name of each group, and the arm of each of its lines.
    pub(super) groups: Vec<(String, Vec<usize>)>,
}

impl Arrangement {
    pub(super) fn of(spec: &Spec, summary: &Summary) -> Self {
        let crossed = spec.arms.iter().filter(|arm| !arm.levels.is_empty());
        if summary.arms.len() <= MOST_LINES || crossed.count() != spec.arms.len() {
            return Self {
                labels: spec.arms.iter().map(|arm| arm.label.clone()).collect(),
                groups: vec![(String::new(), (0..spec.arms.len()).collect())],
            };
        }
        let varied = spec.contrasts.iter().find_map(|c| match &c.comparison {
            ContrastKind::Effect { factor, .. } => {
                spec.factors.iter().position(|f| f.name == *factor)
            }
            ContrastKind::Arms { .. } | ContrastKind::Sum => None,
        });
        let varied = varied.unwrap_or(0);
        let mut groups: Vec<(Vec<usize>, String, Vec<usize>)> = Vec::new();
        for (a, arm) in spec.arms.iter().enumerate() {
            let mut rest = arm.levels.clone();
            rest[varied] = 0;
            let others = spec.factors.iter().zip(&arm.levels).enumerate();
            let others = others.filter(|(f, _)| *f != varied);
            let names: Vec<String> = others
                .map(|(_, (factor, level))| level_name(factor, *level))
                .collect();
            match groups.iter_mut().find(|(levels, _, _)| *levels == rest) {
                Some((_, _, arms)) => arms.push(a),
                None => groups.push((rest, names.join(", "), vec![a])),
            }
        }
        let levels = spec.factors[varied].levels.iter();
        Self {
            labels: levels.map(|level| level.label.clone()).collect(),
            groups: groups
                .into_iter()
                .map(|(_, name, arms)| (name, arms))
                .collect(),
        }
    }
}

/// The label of a level; a bare number is followed by its factor.
fn level_name(factor: &Factor, level: usize) -> String {
    let label = &factor.levels[level].label;
    match label.parse::<f64>() {
        Ok(_) => format!("{label} {}", factor.label),
        Err(_) => label.clone(),
    }
}

/// Number `k` of the steps 1, 2, 5, 10, 20, 50, ...
fn step_of(k: usize) -> f64 {
    [1.0, 2.0, 5.0][k % 3] * 10f64.powi((k / 3) as i32)
}

/// The measured quantities of the wanted timing: first those that contrasts compare, then those of the
/// whole net. Parts of the net are left out if the whole net was measured too.
fn measures(spec: &Spec, records: &[&CellRecord], wanted: fn(Timing) -> bool) -> Vec<Measure> {
    let names = records
        .iter()
        .flat_map(|r| r.traces.keys().chain(r.series.keys()));
    let names: BTreeSet<&String> = names.collect();
    let known: Vec<Measure> = names
        .into_iter()
        .filter_map(|n| Measure::named(n))
        .collect();
    let whole = |m: &Measure| {
        known
            .iter()
            .any(|w| w.part.is_none() && w.quantity == m.quantity)
    };
    let wanted = |m: &&Measure| wanted(m.quantity.timing) && !is_point(m.quantity);
    let shown = known
        .iter()
        .filter(wanted)
        .filter(|m| m.part.is_none() || !whole(m));
    let mut shown: Vec<Measure> = shown.cloned().collect();
    let asked = |m: &Measure| {
        let metric = Metric::Probe(m.clone());
        spec.contrasts.iter().any(|c| c.metric == metric)
    };
    shown.sort_by_key(|m| (!asked(m), m.part.is_some()));
    shown
}

/// The line of one arm: `measure` in the mean over `records`. `None` if no record has it.
pub(super) fn line(style: usize, measure: &Measure, records: &[&CellRecord]) -> Option<Line> {
    let name = measure.name();
    let values = |r: &&'_ CellRecord| r.traces.get(&name).or_else(|| r.series.get(&name)).cloned();
    let rows: Vec<(Vec<f64>, &CellRecord)> = records
        .iter()
        .filter_map(|r| Some((values(r)?, *r)))
        .collect();
    let length = rows.iter().map(|(row, _)| row.len()).min()?;
    let position = |k: usize| match measure.quantity.timing {
        Timing::Series(Axis::Share(_)) => k as f64 / (length - 1).max(1) as f64,
        Timing::Series(Axis::Steps | Axis::Rank(_)) => (k + 1) as f64,
        Timing::Series(Axis::Looks) => step_of(k).log10(),
        Timing::AtEnd | Timing::EveryEpoch | Timing::Matrix => rows[0].1.epochs[k].place() as f64,
    };
    let sample = |k: usize| {
        let values = rows.iter().map(|(row, _)| row[k]).collect();
        Some((position(k), Sample::new(values).ok()?))
    };
    let samples: Option<Vec<_>> = (0..length).map(sample).collect();
    Some(Line::through(style, &samples?))
}

fn facet(
    measure: &Measure,
    group: &str,
    lines: Vec<Line>,
    unit_of_training: &'static str,
) -> Option<Facet> {
    let points = || lines.iter().flat_map(|line| &line.means);
    let bounds = lines.iter().flat_map(|line| line.bands.iter().flatten());
    let bounds = bounds.flat_map(|band| [band.low, band.high]);
    let means = Range::of(points().map(|p| p.1))?;
    let all = Range::of(points().map(|p| p.1).chain(bounds))?;
    // Wide bands of few seeds do not flatten the lines.
    let room = means.span().max(0.1 * all.span());
    let y = Range {
        low: all.low.max(means.low - room),
        high: all.high.min(means.high + room),
    };
    let axis = match measure.quantity.timing {
        Timing::Series(Axis::Share(name) | Axis::Rank(name)) => name,
        Timing::Series(Axis::Steps) => "step",
        Timing::Series(Axis::Looks) => "step, logarithmic",
        Timing::AtEnd | Timing::EveryEpoch | Timing::Matrix => unit_of_training,
    };
    let unit = measure.quantity.unit.of_values();
    let title = format!("{} ({unit})", measure.label());
    let mut title = wrap(&title, SMALL, facet_width(COLUMNS) - 4.0);
    title.extend((!group.is_empty()).then(|| group.to_owned()));
    Some(Facet {
        title,
        axis,
        logarithmic: measure.quantity.timing == Timing::Series(Axis::Looks),
        x: Range::of(points().map(|p| p.0))?.padded(0.02, 0.5),
        y: y.padded(0.06, 0.5 * y.high.abs().max(1e-9)),
        lines,
    })
}

fn draw(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    name: &str,
    wanted: fn(Timing) -> bool,
) -> Result<Option<String>, PlotError> {
    let arrangement = Arrangement::of(spec, summary);
    let of_arms: Vec<Vec<&CellRecord>> = (0..spec.arms.len())
        .map(|arm| finished(spec, cells, summary, arm))
        .collect();
    let all: Vec<&CellRecord> = of_arms.iter().flatten().copied().collect();
    let unit = super::time_unit(all.iter().copied());
    let mut facets = Vec::new();
    for measure in measures(spec, &all, wanted) {
        for (group, arms) in &arrangement.groups {
            let lines = arms.iter().enumerate();
            let lines = lines.filter_map(|(k, &arm)| line(k, &measure, &of_arms[arm]));
            facets.extend(facet(&measure, group, lines.collect(), unit));
        }
    }
    let n = summary.arms.iter().map(|arm| arm.n).max().unwrap_or(0);
    let figure = SmallMultiples {
        heading: &summary.title,
        name,
        columns: COLUMNS,
        labels: arrangement.labels,
        caption: format!(
            "Line: mean over {}; band: 95 % t interval of the mean. Every facet has its own axes.",
            counted(n, "seed")
        ),
    };
    figure.draw(facets)
}
