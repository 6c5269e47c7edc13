//! Accuracy against epoch, with a line and a band per arm.

use super::axis::{Frame, Range, epoch_ticks, labelled};
use super::canvas::Canvas;
use super::legend::Legend;
use super::lines::{Line, draw_lines};
use super::page::{Page, facet_in_row};
use super::{FigureKind, PlotError, Section};
use crate::analysis::{Cells, Summary};
use crate::record::EpochRecord;
use crate::spec::Spec;
use crate::stats::Sample;
use crate::text::counted;

pub(super) const KIND: FigureKind = FigureKind {
    file: "curves.svg",
    alt: "Accuracy against epoch, a line per arm",
    section: Section::Results,
};

const FACET_HEIGHT: f64 = 300.0;
/// Space above a facet for its title.
const ABOVE: f64 = 22.0;
/// Space below a facet for ticks and the name of the axis.
const BELOW: f64 = 62.0;

/// The lines of one split.
struct SplitCurves {
    title: &'static str,
    lines: Vec<Line>,
}

/// Draws accuracy against epoch at the chosen learning rates: one facet for the test set, and one
/// for the validation split if every arm has one. `None` if no cell finished.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn curves(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Option<String>, PlotError> {
    let facets = facets(spec, cells, summary);
    let finished = (0..spec.arms.len()).flat_map(|arm| super::finished(spec, cells, summary, arm));
    let unit = super::time_unit(finished);
    let Some(axes) = Axes::of(&facets, unit) else {
        return Ok(None);
    };
    let legend = Legend::of(&summary.arms);
    let page = Page::new(&summary.title, Some(legend), &caption(summary, &axes));
    let title = format!("{}: accuracy against {unit}", summary.title);
    let svg = page.draw(&title, ABOVE + FACET_HEIGHT + BELOW, |canvas, top| {
        let (top, bottom) = (top + ABOVE, top + ABOVE + FACET_HEIGHT);
        for (k, facet) in facets.iter().enumerate() {
            let frame = facet_in_row(k, facets.len(), (top, bottom), axes.x(), axes.y);
            draw_facet(canvas, facet, &frame, k == 0, &axes);
        }
    })?;
    Ok(Some(svg))
}

fn facets(spec: &Spec, cells: &Cells<'_>, summary: &Summary) -> Vec<SplitCurves> {
    let lines = |accuracy: &dyn Fn(&EpochRecord) -> Option<f64>| -> Vec<Line> {
        let arms = (0..spec.arms.len()).filter_map(|arm| {
            let done = super::finished(spec, cells, summary, arm);
            let positions = spec.arms[arm].recipe.evaluations()?.into_iter().enumerate();
            let sample = |(e, position)| {
                let values = done.iter().map(|r| accuracy(r.epochs.get(e)?));
                let values: Option<Vec<f64>> = values.collect();
                Some((position as f64, Sample::new(values?).ok()?))
            };
            let samples: Option<Vec<_>> = positions.map(sample).collect();
            Some(Line::through(arm, &samples?))
        });
        arms.collect()
    };
    let test = SplitCurves {
        title: "Test",
        lines: lines(&|epoch| epoch.test.map(|test| test.accuracy)),
    };
    let validation = SplitCurves {
        title: "Validation",
        lines: lines(&|epoch| epoch.validation.map(|v| v.accuracy)),
    };
    match validation.lines.len() == test.lines.len() {
        true => vec![validation, test],
        false => vec![test],
    }
}

/// The axes that all facets share.
struct Axes {
    /// The first evaluation and the end.
    span: [usize; 2],
    /// The unit of the horizontal axis.
    unit: &'static str,
    y: Range,
    /// Whether means of early epochs lie below the axis.
    cut: bool,
}

impl Axes {
    /// The first fifth of the epochs does not set the accuracy axis, because it would flatten the
    /// rest.
    fn of(facets: &[SplitCurves], unit: &'static str) -> Option<Self> {
        let lines = || facets.iter().flat_map(|facet| &facet.lines);
        let span = Range::of(lines().flat_map(|line| line.means.iter().map(|p| p.0)))?;
        let early = |line: &Line| match line.means.len() {
            0..4 => 0,
            n => n.div_ceil(5),
        };
        let means = |line: &'_ Line, from: usize| -> Vec<f64> {
            line.means[from..].iter().map(|p| p.1).collect()
        };
        let all = Range::of(lines().flat_map(|line| means(line, 0)))?;
        let late = Range::of(lines().flat_map(|line| means(line, early(line))))?;
        let bands = lines().flat_map(|line| line.bands[early(line)..].iter().flatten());
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
            span: [span.low as usize, span.high as usize],
            unit,
            y,
            cut: all.low < y.low,
        })
    }

    fn x(&self) -> Range {
        let [low, high] = self.span.map(|end| end as f64);
        Range { low, high }.padded(0.02, 0.5)
    }
}

fn draw_facet(
    canvas: &mut Canvas<'_>,
    facet: &SplitCurves,
    frame: &Frame,
    is_first: bool,
    axes: &Axes,
) {
    let [start, end] = axes.span;
    let marked = epoch_ticks(end, 7).into_iter().filter(|&at| at >= start);
    let x: Vec<_> = marked.map(|at| (at as f64, at.to_string())).collect();
    frame.y_ticks(canvas, &labelled(frame.y, 6), is_first);
    frame.x_ticks(canvas, &x);
    frame.title(canvas, facet.title);
    frame.x_name(canvas, axes.unit, 32.0);
    if is_first {
        frame.y_name(canvas, "accuracy (%)");
    }
    draw_lines(canvas, &facet.lines, frame, 2.0);
    frame.edges(canvas);
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
    format!("Line: mean over {}{band}.{chosen}{cut}", counted(n, "seed"))
}
