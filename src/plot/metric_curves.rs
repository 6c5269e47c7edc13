//! Metrics of a program against step or epoch: one facet per metric, one line per arm.

use super::arrangement::Arrangement;
use super::axis::Range;
use super::curve_values::Curves;
use super::lines::Line;
use super::small_multiples::{Facet, SmallMultiples, Ticks};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section, finished, time_unit};
use crate::analysis::{Cells, Summary};
use crate::record::{CellRecord, EpochRecord};
use crate::spec::{Metric, Spec};
use crate::stats::Sample;
use std::collections::BTreeSet;

pub(super) const KIND: FigureKind = FigureKind {
    file: "metrics.svg",
    alt: "Metrics of the program against its steps or epochs, a line per arm",
    section: Section::Results,
};

/// Draws the metrics that a program reports more than once. `None` if there are none.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn metric_curves(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Curves>, PlotError> {
    let arms: Vec<Vec<&CellRecord>> = (0..spec.arms.len())
        .map(|arm| finished(spec, cells, summary, arm))
        .collect();
    let unit = time_unit(arms.iter().flatten().copied());
    let arrangement = Arrangement::of(spec, summary);
    let mut facets = Vec::new();
    for metric in &summary.program_metrics {
        for group in &arrangement.groups {
            let lines = group.lines.iter();
            let lines = lines.filter_map(|&(style, arm)| line(style, metric, &arms[arm]));
            facets.extend(facet(metric, &group.name(), lines.collect(), unit));
        }
    }
    let figure = SmallMultiples {
        theme,
        heading: &summary.title,
        name: &format!("metrics of the program against {unit}"),
        columns: facets.len().clamp(1, 2),
        labels: arrangement.labels,
        caption: "Line: mean over n seeds; band: 95 % t interval of the mean.".to_owned(),
    };
    figure.draw_with_values(facets)
}

/// The line of an arm through the evaluations that all its seeds have.
fn line(style: usize, metric: &Metric, records: &[&CellRecord]) -> Option<Line> {
    let Metric::Program(program) = metric else {
        return None;
    };
    let value = |epoch: &EpochRecord| {
        let reported = epoch.metrics.get(&program.program)?;
        Some((epoch.place(), program.shown(*reported)))
    };
    let curves: Vec<Vec<(usize, f64)>> = (records.iter())
        .map(|record| record.epochs.iter().filter_map(value).collect())
        .collect();
    let places = curves
        .iter()
        .map(|curve| curve.iter().map(|(place, _)| *place).collect());
    let shared: BTreeSet<usize> = places.reduce(|a: BTreeSet<usize>, b| &a & &b)?;
    let sample = |&place: &usize| {
        let at = |curve: &Vec<(usize, f64)>| {
            let found = curve
                .binary_search_by_key(&place, |(place, _)| *place)
                .ok()?;
            Some(curve[found].1)
        };
        let values: Option<Vec<f64>> = curves.iter().map(at).collect();
        Some((place as f64, Sample::new(values?).ok()?))
    };
    let samples: Option<Vec<_>> = shared.iter().map(sample).collect();
    samples
        .filter(|samples| samples.len() > 1)
        .map(|samples| Line::through(style, &samples))
}

/// A facet of `lines`; `None` without any. Without a group the metric is the title, else it heads the
/// section of the groups.
fn facet(metric: &Metric, group: &str, lines: Vec<Line>, unit: &'static str) -> Option<Facet> {
    let points = || lines.iter().flat_map(|line| &line.means);
    let bands = lines.iter().flat_map(|line| line.bands.iter().flatten());
    let means = Range::of(points().map(|point| point.1))?;
    let bands = Range::of(bands.flat_map(|band| [band.low, band.high])).unwrap_or(means);
    // Wide bands of a few seeds must not flatten the lines.
    let room = means.span().max(1e-12);
    let y = Range {
        low: bands.low.max(means.low - room).min(means.low),
        high: bands.high.min(means.high + room).max(means.high),
    };
    let words = metric.label_in(metric.scale());
    let (section, title) = match group.is_empty() {
        true => (String::new(), words),
        false => (words, group.to_owned()),
    };
    Some(Facet {
        section,
        title,
        axis: unit,
        x: Range::of(points().map(|point| point.0))?.padded(0.02, 0.5),
        y: y.padded(0.04, 0.5),
        ticks: Ticks::Epochs,
        lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::program;
    use crate::analysis::summarize;

    fn drawn(change: impl Fn(&mut CellRecord)) -> Option<String> {
        let (spec, mut records) = program(&["a", "b"], 3);
        records.iter_mut().for_each(change);
        let cells = Cells::new(&spec, &records).unwrap();
        let summary = summarize(&spec, &records).unwrap();
        metric_curves(&spec, &cells, &summary, Theme::Screen)
            .unwrap()
            .map(|curves| curves.svg)
    }

    #[test]
    fn every_metric_has_a_facet_with_a_line_per_arm() {
        let svg = drawn(|_| ()).unwrap();
        assert!(
            svg.contains("score (units) (n = 3)") && svg.contains(">\nepoch\n<"),
            "{svg}"
        );
    }

    #[test]
    fn single_evaluations_have_no_curves() {
        assert_eq!(drawn(|record| drop(record.epochs.remove(0))), None);
    }

    #[test]
    fn evaluations_that_a_seed_lacks_are_left_out() {
        let step = |record: &mut CellRecord| {
            for epoch in &mut record.epochs {
                epoch.step = Some(10 * epoch.epoch);
            }
            let mut extra = record.epochs[1].clone();
            extra.step = Some(100 + record.seed as usize);
            record.epochs.push(extra);
        };
        assert!(drawn(step).unwrap().contains(">\nstep\n<"));
    }
}
