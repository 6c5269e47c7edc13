//! The cells of a crossed design: interaction plots and dose-response plots.
//!
//! Both show the score against the levels of one factor, with a line per level of another. A
//! dose-response plot has a factor with numbers for levels on its axis. Parallel lines mean that the
//! two factors do not interact.

use super::arrangement::{level_name, line_name};
use super::axis::{Frame, Range, labelled};
use super::canvas::Canvas;
use super::drawing::Drawing;
use super::layout::FactorLayout;
use super::legend::Legend;
use super::levels::{LevelAxis, LevelPoint, data, draw_line};
use super::page::{Page, facet_in_row, mean_over, row_facet_width, seed_range};
use super::style::series;
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{PairedScores, Summary};
use crate::spec::Metric;

pub(super) const INTERACTION: FigureKind = FigureKind {
    file: "interaction.svg",
    alt: "Score at every level of one factor, a line per level of another",
    section: Section::Results,
};
pub(super) const DOSE_RESPONSE: FigureKind = FigureKind {
    file: "dose-response.svg",
    alt: "Score against the values of a numeric factor",
    section: Section::Results,
};

/// Space above a facet for its title.
const ABOVE: f64 = 26.0;
/// Most pixels between two lines at one level.
const STEP: f64 = 22.0;
/// Most pixels between two lines at one number.
const NUMERIC_STEP: f64 = 9.0;

/// The lines of one facet: the number of each and its points.
type Lines = Vec<(usize, Vec<LevelPoint>)>;

/// Draws the interaction plot of the first planned interaction, or else of the first two factors.
/// `None` without two factors, without results, if the factor on the axis has doses, or if a
/// dose-response plot shows the same two factors.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn interaction(
    summary: &Summary,
    scores: &PairedScores<'_>,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let doses = FactorLayout::of_dose(summary);
    match FactorLayout::of_interaction(summary) {
        Some(layout) if !doses.is_some_and(|doses| doses.shows_the_same_as(&layout)) => {
            draw(summary, scores, &layout, theme)
        }
        _ => Ok(None),
    }
}

/// Draws the score against the values of a numeric factor. `None` without a factor of at least three
/// values or without results.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn dose_response(
    summary: &Summary,
    scores: &PairedScores<'_>,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    match FactorLayout::of_dose(summary) {
        Some(layout) => draw(summary, scores, &layout, theme),
        None => Ok(None),
    }
}

fn draw(
    summary: &Summary,
    scores: &PairedScores<'_>,
    layout: &FactorLayout<'_>,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let levels = layout.levels(layout.facets);
    let lines_of = |facet: &Option<usize>| -> Lines {
        let lines = layout.levels(layout.lines).into_iter().enumerate();
        lines
            .map(|(k, line)| (k, layout.points(scores, line, *facet)))
            .filter(|(_, points)| !points.is_empty())
            .collect()
    };
    let facets: Vec<Lines> = levels.iter().map(lines_of).collect();
    let Some((y, hidden)) = shown(&facets, &layout.metric) else {
        return Ok(None);
    };
    let axis = LevelAxis::of(layout.factor(layout.x));
    let columns = axis.columns(theme, facets.len());
    let names = line_names(layout);
    let legend = Legend::new(theme, names.clone());
    let caption = caption(layout, hidden);
    let x = &layout.factor(layout.x).label;
    let showing = format!("{} by {x}", layout.metric.label_in(layout.metric.scale()));
    let page = Page::new(theme, &summary.title, Some(legend), &caption).showing(&showing);
    let title = format!("{}: {showing}", summary.title);
    let height = facet_height(columns);
    let row = ABOVE + height + axis.height(row_facet_width(theme, columns));
    let rows = facets.len().div_ceil(columns) as f64;
    let svg = page.draw(&title, row * rows, |canvas, top| {
        for (k, (level, lines)) in levels.iter().zip(&facets).enumerate() {
            let top = top + row * (k / columns) as f64 + ABOVE;
            let column = k % columns;
            let ends = (top, top + height);
            let frame = facet_in_row(theme, column, columns, ends, axis.range, y);
            frame.y_ticks(canvas, &labelled(frame.y, 6), column == 0);
            axis.draw(canvas, &frame);
            let points = lines.iter().flat_map(|(_, points)| points);
            let n = seed_range(points.map(|point| point.values.len()));
            let title = match facet_name(layout, *level) {
                Some(name) => format!("{name} ({n})"),
                None => n,
            };
            frame.title(canvas, &title);
            draw_cells(canvas, lines, layout, &axis, &frame);
            frame.edges(canvas);
        }
    })?;
    let shown = levels.iter().zip(&facets).map(|(level, lines)| {
        let name = facet_name(layout, *level).unwrap_or_default();
        (name, lines.as_slice())
    });
    let data = data(&axis, &names, shown, true);
    Ok(Some(Drawing { svg, data }))
}

fn facet_name(layout: &FactorLayout<'_>, level: Option<usize>) -> Option<String> {
    let (factor, level) = layout.facets.zip(level)?;
    Some(level_name(layout.factor(factor), level))
}

fn facet_height(columns: usize) -> f64 {
    match columns {
        1 => 260.0,
        _ => 320.0,
    }
}

fn line_names(layout: &FactorLayout<'_>) -> Vec<String> {
    let Some(lines) = layout.lines else {
        return vec!["all arms".to_owned()];
    };
    let factor = layout.factor(lines);
    let levels = 0..factor.levels.len();
    levels.map(|level| line_name(factor, level)).collect()
}

/// The range of the vertical axis, and how many dots lie outside it. The range has all means, their
/// intervals as far as the metric goes, and dots as far as they do not flatten those.
fn shown(facets: &[Lines], metric: &Metric) -> Option<(Range, usize)> {
    let points = || facets.iter().flatten().flat_map(|(_, points)| points);
    let bounds = points().flat_map(LevelPoint::bounds);
    let means = Range::of(bounds.chain(points().map(|p| p.mean)))?;
    let dots = Range::of(points().flat_map(|p| p.values.iter().copied()))?;
    let room = 1.5 * means.span().max(0.2 * dots.span().min(1.0));
    let wanted = Range {
        low: dots.low.max(means.low - room).min(means.low),
        high: dots.high.min(means.high + room).max(means.high),
    };
    let padded = wanted.padded(0.04, 0.5);
    let little = 0.01 * padded.span();
    let (least, most) = match metric {
        Metric::TestAccuracy | Metric::TestEce => (-little, 100.0 + little),
        Metric::TestNll => (-little, f64::INFINITY),
        Metric::Probe(_) | Metric::Program(_) => (f64::NEG_INFINITY, f64::INFINITY),
    };
    let range = Range {
        low: padded.low.max(least),
        high: padded.high.min(most),
    };
    let outside = |v: &&f64| !(range.low..=range.high).contains(*v);
    let hidden = points().flat_map(|p| &p.values).filter(outside).count();
    Some((range, hidden))
}

/// Draws every seed as a faint dot, and the lines over them.
fn draw_cells(
    canvas: &mut Canvas<'_>,
    lines: &Lines,
    layout: &FactorLayout<'_>,
    axis: &LevelAxis,
    frame: &Frame,
) {
    let count = layout.levels(layout.lines).len();
    let step = match axis.is_numeric {
        true => axis.step(frame, count, NUMERIC_STEP),
        false => axis.step(frame, count, STEP),
    };
    let count = count as f64;
    for (line, points) in lines {
        let (color, _) = series(*line);
        let shift = (*line as f64 - (count - 1.0) / 2.0) * step;
        for point in points {
            let x = frame.px(axis.at[point.level]) + shift;
            for (seed, value) in point.values.iter().enumerate() {
                if (frame.y.low..=frame.y.high).contains(value) {
                    // Neighbouring seeds are drawn beside each other, so that equal scores show.
                    let aside = ((seed * 5) % 7) as f64 - 3.0;
                    let at = (x + (step / 9.0).min(1.6) * aside, frame.py(*value));
                    canvas.dot(at, 2.5, color, 0.3);
                }
            }
        }
        draw_line(canvas, frame, axis, (*line, points), shift);
    }
}

fn caption(layout: &FactorLayout<'_>, hidden: usize) -> String {
    let averaged = layout.averaged.iter();
    let averaged: Vec<&str> = averaged.map(|&f| layout.factor(f).label.as_str()).collect();
    let hidden = match hidden {
        0 => String::new(),
        1 => " One dot lies outside.".to_owned(),
        n => format!(" {n} dots lie outside."),
    };
    let parallel = match layout.lines {
        Some(_) => " Parallel lines: no interaction.",
        None => "",
    };
    format!(
        "Faint dot: one seed. Large dot and bar: mean and its 95 % t interval over n seeds.{}\
         {parallel} All cells share their seeds, so judge differences by the contrasts, not by whether \
         bars overlap.{hidden}",
        mean_over(&averaged)
    )
}
