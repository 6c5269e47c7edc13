//! The figure that an experiment asks for: the effect of one level of a factor, along another factor.

use super::arrangement::line_name;
use super::axis::{Frame, Range, ticks};
use super::canvas::Canvas;
use super::drawing::Drawing;
use super::legend::Legend;
use super::levels::{LevelAxis, LevelPoint, data, draw_line};
use super::page::{Page, facet_in_row, mean_over, row_facet_width, seed_range};
use super::style::{INK, SHADE};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::PairedScores;
use crate::spec::{Factor, Figure, Panels, Spec, When};
use crate::text::capitalized;
use crate::text::number::signed;

pub(super) const KIND: FigureKind = FigureKind {
    file: "effect.svg",
    alt: "Effect of one level of a factor, along another factor",
    section: Section::Results,
};

const FACET_HEIGHT: f64 = 300.0;
/// Space above a facet for its title.
const ABOVE: f64 = 26.0;
/// Pixels between two lines at one level.
const STEP: f64 = 9.0;

/// A title, and the number and points of every line.
struct EffectFacet {
    title: Option<String>,
    lines: Vec<(usize, Vec<LevelPoint>)>,
}

/// Draws the figure that `spec` asks for. `None` if it asks for none or no point has a value.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn effect(
    spec: &Spec,
    scores: &PairedScores<'_>,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let Some(asked) = &spec.figure else {
        return Ok(None);
    };
    let factor = |name: &str| spec.factors.iter().find(|f| f.name == name);
    let Some((along, effect)) = factor(&asked.along).zip(factor(&asked.effect)) else {
        return Ok(None);
    };
    let lines = asked.lines.as_deref().and_then(factor);
    let facets = facets(spec, asked, scores, along, lines);
    let Some(y) = range(&facets, asked.margin) else {
        return Ok(None);
    };
    let axis = LevelAxis::of(along);
    let names = lines.map_or(Vec::new(), |lines| {
        let levels = 0..lines.levels.len();
        levels.map(|level| line_name(lines, level)).collect()
    });
    let legend = lines.map(|_| Legend::new(theme, names.clone()));
    let (metric, unit) = (asked.metric.label(), asked.metric.unit());
    let [below, above] = sides(asked, effect);
    let showing = format!(
        "difference in {metric} ({unit}): above 0, {above} is better; below 0, {below} is better"
    );
    let page =
        Page::new(theme, &asked.title, legend, &caption(spec, asked, effect)).showing(&showing);
    let columns = match theme {
        Theme::Screen => facets.len(),
        Theme::Paper | Theme::Slide => axis.columns(theme, facets.len()),
    };
    let height = FACET_HEIGHT + axis.height(row_facet_width(theme, columns));
    let row = ABOVE + height;
    let rows = facets.len().div_ceil(columns) as f64;
    let svg = page.draw(&asked.title, row * rows, |canvas, top| {
        for (k, facet) in facets.iter().enumerate() {
            let top = top + row * (k / columns) as f64 + ABOVE;
            let (ends, column) = ((top, top + FACET_HEIGHT), k % columns);
            let frame = facet_in_row(theme, column, columns, ends, axis.range, y);
            draw_facet(canvas, asked, facet, &axis, &frame, column == 0);
        }
    })?;
    let shown = facets.iter().map(|facet| {
        let title = facet.title.clone().unwrap_or_default();
        (title, facet.lines.as_slice())
    });
    let data = data(&axis, &names, shown, false);
    Ok(Some(Drawing { svg, data }))
}

/// The labels of control and treatment, with the factor where they do not name it.
fn sides(asked: &Figure, effect: &Factor) -> [String; 2] {
    [&asked.control, &asked.treatment].map(|name| {
        let level = effect.level(name).map(|k| effect.levels[k].label.as_str());
        let level = level.unwrap_or(name);
        match level.contains(&effect.label) {
            true => level.to_owned(),
            false => format!("{level} ({})", effect.label),
        }
    })
}

/// The facets, each with a line per level of `lines`. Points without a seed are left out.
fn facets(
    spec: &Spec,
    asked: &Figure,
    scores: &PairedScores<'_>,
    along: &Factor,
    lines: Option<&Factor>,
) -> Vec<EffectFacet> {
    let line_levels: Vec<Option<&str>> = match lines {
        Some(factor) => factor
            .levels
            .iter()
            .map(|l| Some(l.name.as_str()))
            .collect(),
        None => vec![None],
    };
    let facet = |title: Option<String>, level: Option<(&str, &str)>, when: When| {
        let line = |(number, of_line): (usize, &Option<&str>)| {
            let points = along.levels.iter().enumerate().filter_map(|(k, position)| {
                let mut held = vec![(along.name.as_str(), position.name.as_str())];
                held.extend(lines.map(|f| f.name.as_str()).zip(*of_line));
                held.extend(level);
                let weights = asked.weights(spec, &held)?;
                let found = scores.improvements(&weights, &asked.metric, when);
                let (improvements, _) = found.ok()?;
                LevelPoint::new(k, improvements.iter().map(|i| i.value).collect())
            });
            (number, points.collect())
        };
        EffectFacet {
            title,
            lines: line_levels.iter().enumerate().map(line).collect(),
        }
    };
    match &asked.panels {
        Panels::One => vec![facet(None, None, When::Last)],
        Panels::Times(times) => (times.iter())
            .map(|&when| facet(Some(when.read("").trim().to_owned()), None, when))
            .collect(),
        Panels::Factor(name) => {
            let factor = spec.factors.iter().find(|f| f.name == *name);
            let levels = factor.map_or(&[][..], |factor| &factor.levels);
            (levels.iter())
                .map(|level| {
                    let held = Some((name.as_str(), level.name.as_str()));
                    facet(Some(level.label.clone()), held, When::Last)
                })
                .collect()
        }
    }
}

fn points(facets: &[EffectFacet]) -> impl Iterator<Item = &LevelPoint> + Clone {
    let lines = facets.iter().flat_map(|facet| &facet.lines);
    lines.flat_map(|(_, points)| points)
}

/// Every interval, zero and the margins; `None` without a point.
fn range(facets: &[EffectFacet], margin: f64) -> Option<Range> {
    points(facets).next()?;
    let bounds = points(facets).flat_map(LevelPoint::bounds);
    let all = bounds.chain([1.2 * margin, -1.2 * margin]);
    Some(Range::of(all)?.padded(0.05, 0.5))
}

fn draw_facet(
    canvas: &mut Canvas<'_>,
    asked: &Figure,
    facet: &EffectFacet,
    axis: &LevelAxis,
    frame: &Frame,
    is_first: bool,
) {
    let band = [asked.margin, -asked.margin].map(|y| frame.py(y));
    canvas.rectangle((frame.left, band[0]), (frame.right, band[1]), SHADE);
    let (values, decimals) = ticks(frame.y, 7);
    let y: Vec<_> = values.iter().map(|v| (*v, signed(*v, decimals))).collect();
    frame.y_ticks(canvas, &y, is_first);
    axis.draw(canvas, frame);
    let zero = frame.py(0.0);
    let ends = [(frame.left, zero), (frame.right, zero)];
    canvas.line(&ends, INK, 1.5, &[], "zero");
    let points = facet.lines.iter().flat_map(|(_, points)| points);
    let n = seed_range(points.map(|point| point.values.len()));
    let title = match &facet.title {
        Some(title) => format!("{title} ({n})"),
        None => n,
    };
    frame.title(canvas, &title);
    let lines = facet.lines.len();
    for (line, points) in &facet.lines {
        let shift = (*line as f64 - (lines - 1) as f64 / 2.0) * STEP;
        draw_line(canvas, frame, axis, (*line, points), shift);
    }
    frame.edges(canvas);
}

fn caption(spec: &Spec, asked: &Figure, effect: &Factor) -> String {
    let shown = [
        Some(&asked.along),
        asked.lines.as_ref(),
        Some(&asked.effect),
    ];
    let of_facets = match &asked.panels {
        Panels::Factor(name) => Some(name),
        Panels::One | Panels::Times(_) => None,
    };
    let averaged: Vec<&str> = (spec.factors.iter())
        .filter(|f| Some(&f.name) != of_facets && !shown.contains(&Some(&f.name)))
        .map(|f| f.label.as_str())
        .collect();
    let [control, treatment] = sides(asked, effect);
    format!(
        "{} against {control}, paired by seed. Dot and bar: mean over n seeds and its 95 % t interval.{} \
         Shaded: differences too small to matter (±{} {}). The intervals are not adjusted for the \
         number of points; findings are in the table of contrasts.",
        capitalized(&treatment),
        mean_over(&averaged),
        asked.margin,
        asked.metric.unit(),
    )
}
