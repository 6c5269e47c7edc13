//! Paired improvements: every seed, the mean with its interval, and the margin.

use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, Canvas, Type, shorten, text_width};
use super::page::Page;
use super::style::{BLUE, EDGE, GREEN, GRID, INK, LABEL, SHADE, SMALL, SOFT, VERMILLION, WIDTH};
use super::swarm::draw_swarm;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{ContrastSummary, Summary};
use crate::analysis::{finding_words, prediction_word, verdict_word};
use crate::spec::Metric;
use crate::stats::Finding;
use crate::text::number::{interval, level, signed};
use plotters::style::RGBColor;

pub(super) const KIND: FigureKind = FigureKind {
    file: "differences.svg",
    alt: "Improvement of every contrast: seeds, mean with t interval, and margin",
    section: Section::Results,
};

/// Contrasts share an axis if the sizes of their differences are within this factor.
const SAME_SCALE: f64 = 10.0;
const TEXT_ROW: f64 = 22.0;
pub(super) const STRIP: f64 = 46.0;
const ROW: f64 = TEXT_ROW + STRIP + 14.0;
/// Space below the last strip of a group for ticks and the axis label.
const FOOT: f64 = 56.0;
const GROUP_HEAD: f64 = 34.0;

/// Contrasts that share an axis.
struct ContrastGroup<'a> {
    title: String,
    metric: Metric,
    /// Whether its rows are differences of improvements.
    interactions: bool,
    rows: Vec<&'a ContrastSummary>,
}

/// Draws a strip per contrast, grouped by metric. `None` if no contrast has a pair.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn differences(summary: &Summary) -> Result<Option<String>, PlotError> {
    let groups = groups(&summary.contrasts);
    if groups.is_empty() {
        return Ok(None);
    }
    let page = Page::new(&summary.title, None, CAPTION);
    let title = format!("{}: improvements by seed", summary.title);
    let height = groups.iter().map(ContrastGroup::height).sum();
    let svg = page.draw(&title, height, |canvas, top| {
        let mut y = top;
        for group in &groups {
            group.draw(canvas, y);
            y += group.height();
        }
    })?;
    Ok(Some(svg))
}

const CAPTION: &str = "Dot: treatment against control at one seed. Diamond and bar: mean and the t \
interval that decides, at the level in brackets. Shaded: differences smaller than the margin. Positive: the \
treatment is better (higher accuracy; lower NLL or ECE).";

/// Groups contrasts by metric, then improvements before interactions, then by the size of the
/// differences. Within a group they keep their order.
fn groups(contrasts: &[ContrastSummary]) -> Vec<ContrastGroup<'_>> {
    let mut out = Vec::new();
    let mut metrics: Vec<&Metric> = contrasts.iter().map(|c| &c.contrast.metric).collect();
    metrics.sort();
    metrics.dedup();
    for (metric, interactions) in metrics.into_iter().flat_map(|m| [(m, false), (m, true)]) {
        let belongs = |c: &&ContrastSummary| {
            c.contrast.metric == *metric && c.contrast.comparison.is_interaction() == interactions
        };
        let rows: Vec<&ContrastSummary> = contrasts
            .iter()
            .filter(belongs)
            .filter(|c| !c.improvements.is_empty())
            .collect();
        let mut sizes: Vec<f64> = rows.iter().map(|c| size(c)).collect();
        sizes.sort_by(f64::total_cmp);
        let mut from = f64::NEG_INFINITY;
        let mut scales = Vec::new();
        for size in sizes {
            if size > from * SAME_SCALE || scales.is_empty() {
                scales.push(size);
                from = size;
            }
        }
        for (k, &from) in scales.iter().enumerate() {
            let below = scales.get(k + 1).copied().unwrap_or(f64::INFINITY);
            let rows = rows
                .iter()
                .copied()
                .filter(|c| (from..below).contains(&size(c)))
                .collect();
            let scale = if k == 0 {
                ""
            } else {
                " (larger differences, on an axis of their own)"
            };
            out.push(ContrastGroup {
                title: match interactions {
                    false => format!("Improvement in {}{scale}", metric.label()),
                    true => format!("Interaction in {}{scale}", metric.label()),
                },
                metric: metric.clone(),
                interactions,
                rows,
            });
        }
    }
    out
}

/// The values that the strip of a contrast shows.
fn extent(contrast: &ContrastSummary) -> impl Iterator<Item = f64> {
    let interval = contrast.interval();
    let bounds = interval.into_iter().flat_map(|i| [i.low, i.high]);
    let margin = [-contrast.contrast.margin, contrast.contrast.margin];
    contrast
        .improvements
        .iter()
        .map(|i| i.value)
        .chain(bounds)
        .chain(margin)
}

fn size(contrast: &ContrastSummary) -> f64 {
    extent(contrast).map(f64::abs).fold(0.0, f64::max)
}

impl ContrastGroup<'_> {
    fn height(&self) -> f64 {
        GROUP_HEAD + ROW * self.rows.len() as f64 + FOOT
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64) {
        canvas.text(
            &self.title,
            (EDGE, top + 14.0),
            Type::new(LABEL, INK, Anchor::Start).bold(),
        );
        let range = Range::of(self.rows.iter().flat_map(|c| extent(c)));
        let Some(range) = range else { return };
        let mut frame = Frame {
            left: EDGE + 8.0,
            top,
            right: WIDTH - EDGE - 8.0,
            bottom: top,
            x: range.padded(0.04, 0.5),
            y: Range {
                low: 0.0,
                high: 1.0,
            },
        };
        let (values, decimals) = ticks(frame.x, 8);
        for (k, contrast) in self.rows.iter().enumerate() {
            let y = top + GROUP_HEAD + ROW * k as f64;
            frame.top = y + TEXT_ROW;
            frame.bottom = frame.top + STRIP;
            label(canvas, contrast, y + 8.0);
            strip(canvas, contrast, &frame, &values);
        }
        for value in &values {
            let text = signed(*value, decimals);
            let at = (frame.px(*value), frame.bottom + 12.0);
            canvas.text(&text, at, Type::new(SMALL, INK, Anchor::Middle));
        }
        let foot = frame.bottom + 32.0;
        let what = match self.interactions {
            false => "improvement",
            true => "difference of improvements",
        };
        let unit = format!("{what} ({})", self.metric.unit());
        let middle = (frame.left + frame.right) / 2.0;
        canvas.text(&unit, (middle, foot), Type::new(LABEL, INK, Anchor::Middle));
        let (left, right) = match self.interactions {
            false => ("← control better", "treatment better →"),
            true => (
                "← gains less at the first level",
                "gains more at the first level →",
            ),
        };
        canvas.text(
            left,
            (frame.left, foot),
            Type::new(SMALL, SOFT, Anchor::Start),
        );
        canvas.text(
            right,
            (frame.right, foot),
            Type::new(SMALL, SOFT, Anchor::End),
        );
    }
}

/// Draws the line above a strip: name, finding and verdict at the left, numbers at the right.
fn label(canvas: &mut Canvas<'_>, contrast: &ContrastSummary, y: f64) {
    let d = contrast.decimals();
    let numbers = match contrast.decision.as_ref().zip(contrast.interval()) {
        _ if contrast.is_exactly_equal() => "exactly equal in all pairs".to_owned(),
        Some((decision, bounds)) => format!(
            "{} ({} %: {})",
            signed(decision.mean, d),
            level(decision.confidence),
            interval(bounds, d)
        ),
        None => "too few pairs".to_owned(),
    };
    canvas.text(
        &numbers,
        (WIDTH - EDGE - 8.0, y),
        Type::new(SMALL, INK, Anchor::End),
    );
    let room = WIDTH - 2.0 * EDGE - 40.0 - text_width(&numbers, SMALL);
    let name = shorten(&contrast.contrast.name, LABEL * 1.08, room);
    let left = EDGE + 8.0;
    canvas.text(
        &name,
        (left, y),
        Type::new(LABEL, INK, Anchor::Start).bold(),
    );
    let verdict = format!(
        "{} (predicted {}: {})",
        finding_words(contrast.finding()),
        prediction_word(contrast.contrast.expect),
        contrast.verdict.map_or("exploratory", verdict_word)
    );
    let start = left + text_width(&name, LABEL * 1.08) + 14.0;
    let room = WIDTH - EDGE - 20.0 - text_width(&numbers, SMALL) - start;
    if room > 60.0 {
        let verdict = shorten(&verdict, SMALL, room);
        canvas.text(
            &verdict,
            (start, y),
            Type::new(SMALL, color(contrast.finding()), Anchor::Start),
        );
    }
}

fn color(finding: Finding) -> RGBColor {
    match finding {
        _ if finding.is_better() => BLUE,
        _ if finding.is_worse() => VERMILLION,
        Finding::NoDifferenceThatMatters => GREEN,
        _ => SOFT,
    }
}

fn strip(canvas: &mut Canvas<'_>, contrast: &ContrastSummary, frame: &Frame, grid: &[f64]) {
    let (low, high) = (
        frame.px(-contrast.contrast.margin),
        frame.px(contrast.contrast.margin),
    );
    canvas.rectangle((low, frame.top), (high, frame.bottom), SHADE);
    for value in grid {
        let x = frame.px(*value);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
    }
    let zero = frame.px(0.0);
    canvas.line(
        &[(zero, frame.top), (zero, frame.bottom)],
        INK,
        1.0,
        &[],
        "zero",
    );
    let edge = [(frame.left, frame.bottom), (frame.right, frame.bottom)];
    canvas.line(&edge, INK, 1.0, &[], "axis");
    let values: Vec<f64> = contrast
        .improvements
        .iter()
        .map(|i| frame.px(i.value))
        .collect();
    draw_swarm(
        canvas,
        &values,
        frame.top + (STRIP - 18.0) / 2.0,
        color(contrast.finding()),
    );
    let (Some(decision), Some(interval)) = (&contrast.decision, contrast.interval()) else {
        return;
    };
    let y = frame.bottom - 9.0;
    let (low, high, mean) = (
        frame.px(interval.low),
        frame.px(interval.high),
        frame.px(decision.mean),
    );
    canvas.line(&[(low, y), (high, y)], INK, 2.0, &[], "interval");
    for end in [low, high] {
        canvas.line(&[(end, y - 4.0), (end, y + 4.0)], INK, 2.0, &[], "interval");
    }
    let diamond = [
        (mean - 5.0, y),
        (mean, y - 5.0),
        (mean + 5.0, y),
        (mean, y + 5.0),
    ];
    canvas.shape(&diamond, INK, 1.0);
}
