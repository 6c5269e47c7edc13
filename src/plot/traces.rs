//! Probe values along training and probe curves of the trained nets: one facet per quantity, one line
//! per arm. Where the arms need several panels, every quantity has a section of them.

use super::arrangement::Arrangement;
use super::axis::Range;
use super::distributions::is_point;
use super::drawing::Drawing;
use super::finished;
use super::lines::Line;
use super::small_multiples::{Facet, SmallMultiples, Ticks};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Axis, Measure, Metric, Spec, Timing};
use crate::stats::Sample;
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

const COLUMNS: usize = 3;

/// Draws every probe value that is measured after every epoch. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn traces(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let wanted = |timing| timing == Timing::EveryEpoch;
    draw(
        spec,
        cells,
        (summary, theme),
        "probes along training",
        wanted,
    )
}

/// Draws every probe curve of the trained nets. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn probe_series(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let wanted = |timing| matches!(timing, Timing::Series(_));
    draw(
        spec,
        cells,
        (summary, theme),
        "probes of the trained nets",
        wanted,
    )
}

/// Number `k` of the steps 1, 2, 5, 10, 20, 50, ...
fn step_of(k: usize) -> f64 {
    [1.0, 2.0, 5.0][k % 3] * 10f64.powi((k / 3) as i32)
}

/// The measured quantities of the wanted timing: first those that contrasts compare, then those of the
/// whole net. Parts of the net are left out if the whole net was measured too. With `several` panels
/// per quantity, only those that contrasts compare are shown, if there are any.
fn measures(
    spec: &Spec,
    records: &[&CellRecord],
    wanted: fn(Timing) -> bool,
    several: bool,
) -> Vec<Measure> {
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
    let compared = |m: &Measure| {
        let metric = Metric::Probe(m.clone());
        spec.contrasts.iter().any(|c| c.metric == metric)
    };
    if several && shown.iter().any(compared) {
        shown.retain(compared);
    }
    shown.sort_by_key(|m| (!compared(m), m.part.is_some()));
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

/// A facet of `lines`; `None` without any. Without a group the quantity is the title, else it heads
/// the section of the groups.
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
    let (axis, ticks) = match measure.quantity.timing {
        Timing::Series(Axis::Share(name)) => (name, Ticks::Numbers),
        Timing::Series(Axis::Rank(name)) => (name, Ticks::Epochs),
        Timing::Series(Axis::Steps) => ("step", Ticks::Epochs),
        Timing::Series(Axis::Looks) => ("step (log scale)", Ticks::Decades),
        Timing::AtEnd | Timing::EveryEpoch | Timing::Matrix => (unit_of_training, Ticks::Epochs),
    };
    let quantity = measure.quantity.with_unit(&measure.label());
    let (section, title) = match group.is_empty() {
        true => (String::new(), quantity),
        false => (quantity, group.to_owned()),
    };
    Some(Facet {
        section,
        title,
        axis,
        ticks,
        x: Range::of(points().map(|p| p.0))?.padded(0.02, 0.5),
        y: y.padded(0.06, 0.5 * y.high.abs().max(1e-9)),
        lines,
    })
}

fn draw(
    spec: &Spec,
    cells: &Cells<'_>,
    (summary, theme): (&Summary, Theme),
    name: &str,
    wanted: fn(Timing) -> bool,
) -> Result<Option<Drawing>, PlotError> {
    let arrangement = Arrangement::of(spec, summary);
    let of_arms: Vec<Vec<&CellRecord>> = (0..spec.arms.len())
        .map(|arm| finished(spec, cells, summary, arm))
        .collect();
    let all: Vec<&CellRecord> = of_arms.iter().flatten().copied().collect();
    let unit = super::time_unit(all.iter().copied());
    let several = arrangement.groups.len() > 1;
    let mut facets = Vec::new();
    for measure in measures(spec, &all, wanted, several) {
        for group in &arrangement.groups {
            let lines = group.lines.iter();
            let lines = lines.filter_map(|&(k, arm)| line(k, &measure, &of_arms[arm]));
            facets.extend(facet(&measure, &group.name(), lines.collect(), unit));
        }
    }
    let figure = SmallMultiples {
        theme,
        heading: &summary.title,
        name,
        columns: match facets.len() {
            1 => 1,
            2 | 4 => 2,
            _ => COLUMNS,
        },
        labels: arrangement.labels,
        caption:
            "Line: mean over n seeds; band: 95 % t interval of the mean. Every panel has its own \
                  axes."
                .to_owned(),
    };
    figure.draw(facets)
}
