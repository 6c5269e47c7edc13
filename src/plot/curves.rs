//! Test accuracy against epoch, with a line and a band per arm.
//!
//! Curves of the validation split look the same and are left out.

use super::arrangement::Arrangement;
use super::axis::Range;
use super::curve_values::Curves;
use super::lines::{Line, early};
use super::small_multiples::{Facet, SmallMultiples, Ticks};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section, finished, time_unit};
use crate::analysis::{Cells, Summary};
use crate::spec::Spec;
use crate::stats::Sample;

pub(super) const KIND: FigureKind = FigureKind {
    file: "curves.svg",
    alt: "Test accuracy during training, a line per arm",
    section: Section::Results,
};

/// Draws test accuracy against epoch at the chosen learning rates. `None` if no cell finished, or if
/// no arm is evaluated more than once.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn curves(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Curves>, PlotError> {
    let arrangement = Arrangement::of(spec, summary);
    let groups: Vec<(String, Vec<Line>)> = (arrangement.groups.iter())
        .map(|group| {
            let lines = group.lines.iter();
            let lines = lines.filter_map(|&(style, arm)| line(spec, cells, summary, style, arm));
            (group.name(), lines.collect())
        })
        .filter(|(_, lines): &(String, Vec<Line>)| !lines.is_empty())
        .collect();
    let all: Vec<&Line> = groups.iter().flat_map(|(_, lines)| lines).collect();
    let Some(axes) = Axes::of(&all) else {
        return Ok(None);
    };
    let records = (0..spec.arms.len()).flat_map(|arm| finished(spec, cells, summary, arm));
    let unit = time_unit(records);
    let caption = caption(summary, &axes);
    let facets: Vec<Facet> = groups
        .into_iter()
        .map(|(title, lines)| Facet {
            section: String::new(),
            title,
            axis: unit,
            lines,
            x: axes.x,
            y: axes.y,
            ticks: Ticks::Epochs,
        })
        .collect();
    let figure = SmallMultiples {
        theme,
        heading: &summary.title,
        name: &format!("test accuracy (%) against {unit}"),
        columns: match facets.len() {
            1 => 1,
            2 | 4 => 2,
            _ => 3,
        },
        labels: arrangement.labels,
        caption,
    };
    figure.draw_with_values(facets)
}

/// The mean test accuracy of an arm. `None` if no cell finished or it is evaluated only once.
fn line(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    style: usize,
    arm: usize,
) -> Option<Line> {
    let done = finished(spec, cells, summary, arm);
    let evaluations = spec.arms[arm].recipe.evaluations()?;
    if evaluations.len() < 2 {
        return None;
    }
    let sample = |(e, at): (usize, usize)| {
        let values = done.iter().map(|r| Some(r.epochs.get(e)?.test?.accuracy));
        let values: Option<Vec<f64>> = values.collect();
        Some((at as f64, Sample::new(values?).ok()?))
    };
    let samples: Option<Vec<_>> = evaluations.into_iter().enumerate().map(sample).collect();
    Some(Line::through(style, &samples?))
}

/// The axes that all facets share.
struct Axes {
    x: Range,
    y: Range,
    /// Whether means of early epochs lie below the axis.
    cut: bool,
}

impl Axes {
    /// Early epochs do not set the accuracy axis, see [`early`].
    fn of(lines: &[&Line]) -> Option<Self> {
        let x = Range::of(lines.iter().flat_map(|line| line.means.iter().map(|p| p.0)))?;
        let means = |line: &'_ Line, from: usize| -> Vec<f64> {
            line.means[from..].iter().map(|p| p.1).collect()
        };
        let early = early(lines.iter().copied(), 0.5);
        let from = |line: &Line| early.min(line.means.len().saturating_sub(1));
        let all = Range::of(lines.iter().flat_map(|line| means(line, 0)))?;
        let late = Range::of(lines.iter().flat_map(|line| means(line, from(line))))?;
        let bands = lines
            .iter()
            .flat_map(|line| line.bands[from(line)..].iter().flatten());
        let bands = Range::of(bands.flat_map(|b| [b.low, b.high])).unwrap_or(late);
        let low = bands.low.max(late.low - late.span().max(0.5));
        let high = bands
            .high
            .min(late.high + late.span().max(0.5))
            .max(late.high);
        let flattened = high - all.low > 1.6 * (high - low);
        let low = if flattened { low } else { low.min(all.low) };
        let padded = Range { low, high }.padded(0.04, 0.5);
        let y = Range {
            low: padded.low.max(0.0),
            high: padded.high.min(100.0 + 0.01 * padded.span()),
        };
        Some(Self {
            x: x.padded(0.02, 0.5),
            y,
            cut: all.low < y.low,
        })
    }
}

fn caption(summary: &Summary, axes: &Axes) -> String {
    let n = summary.arms.iter().map(|a| a.n).max().unwrap_or(0);
    let band = match n > 1 {
        true => "; band: 95 % t interval of the mean",
        false => "; no band with one seed",
    };
    let chosen = match summary.arms.iter().any(|a| a.grid.len() > 1) {
        true => " The learning rate of each arm is chosen on validation.",
        false => "",
    };
    let cut = match axes.cut {
        true => " The axis leaves out lower accuracies of the first epochs.",
        false => "",
    };
    format!("Line: mean over n seeds{band}.{chosen}{cut}")
}
