//! Paired improvements: every seed, the mean with its interval, and the margin.

use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, BOLD, Canvas, Type, shorten};
use super::contrast_row::{LEFT, RIGHT, Row, extent};
use super::page::Page;
use super::style::{EDGE, INK, LABEL, SMALL, WIDTH};
use super::swarm::STRIP;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{ContrastSummary, Summary};
use crate::spec::Metric;
use crate::text::capitalized;
use crate::text::number::signed;

pub(super) const KIND: FigureKind = FigureKind {
    file: "differences.svg",
    alt: "Improvement of every contrast: seeds, mean with t interval, and margin",
    section: Section::Results,
};

/// Contrasts share an axis if the sizes of their differences are within this factor.
const SAME_SCALE: f64 = 10.0;
/// Space below the last strip of a group for ticks and the axis label.
const FOOT: f64 = 56.0;
const GROUP_HEAD: f64 = 32.0;

/// Contrasts that share an axis.
struct ContrastGroup<'a> {
    title: String,
    metric: Metric,
    /// Whether its rows are differences of improvements.
    interactions: bool,
    rows: Vec<Row<'a>>,
}

/// Draws a strip per contrast, grouped by metric. `None` if no contrast has a pair.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn differences(summary: &Summary) -> Result<Option<String>, PlotError> {
    let groups = groups(summary);
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

const CAPTION: &str = "Dot: one seed. Diamond and bar: mean over n seeds and its t interval, at the level \
in brackets; it gives the finding. Shaded: differences smaller than the margin. Signs: + better, \u{2212} worse, \
= no difference that matters, ? unclear (open dots). Better means higher accuracy and lower NLL or ECE.";

/// Groups contrasts by metric, then improvements before interactions, then by the size of the
/// differences; quantities with a primary contrast come first. Within a group contrasts keep their order.
fn groups(summary: &Summary) -> Vec<ContrastGroup<'_>> {
    let contrasts = &summary.contrasts;
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
            let rows = rows.iter().copied();
            let rows = rows.filter(|c| (from..below).contains(&size(c)));
            let scale = match k {
                0 => "",
                _ => ": larger differences, on an axis of their own",
            };
            let what = match interactions {
                false => metric.label().into_owned(),
                true => format!("interaction in {}", metric.label()),
            };
            out.push(ContrastGroup {
                title: capitalized(&format!("{what}{scale}")),
                metric: metric.clone(),
                interactions,
                rows: rows.map(|contrast| Row::of(summary, contrast)).collect(),
            });
        }
    }
    // Stable: quantities with a verdict come first, in their order.
    let quantity = |group: &ContrastGroup<'_>| (group.metric.clone(), group.interactions);
    let decided: Vec<_> = (out.iter())
        .filter(|group| group.rows.iter().any(Row::is_primary))
        .map(quantity)
        .collect();
    out.sort_by_key(|group| !decided.contains(&quantity(group)));
    out
}

fn size(contrast: &ContrastSummary) -> f64 {
    extent(contrast).map(f64::abs).fold(0.0, f64::max)
}

impl ContrastGroup<'_> {
    fn height(&self) -> f64 {
        GROUP_HEAD + self.rows.iter().map(Row::height).sum::<f64>() + FOOT
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64) {
        let kind = Type::new(LABEL, INK, Anchor::Start).bold();
        let title = shorten(&self.title, LABEL * BOLD, WIDTH - 2.0 * EDGE);
        canvas.text(&title, (EDGE, top + 14.0), kind);
        let range = Range::of(self.rows.iter().flat_map(|row| extent(row.contrast)));
        let Some(range) = range else { return };
        let mut frame = Frame {
            left: LEFT,
            top,
            right: RIGHT,
            bottom: top,
            x: range.padded(0.04, 0.5),
            y: Range {
                low: 0.0,
                high: 1.0,
            },
        };
        let (values, decimals) = ticks(frame.x, 8);
        let mut y = top + GROUP_HEAD;
        for row in &self.rows {
            frame.top = y + row.above();
            frame.bottom = frame.top + STRIP;
            row.draw(canvas, &frame, &values, y);
            y += row.height();
        }
        for value in &values {
            let text = signed(*value, decimals);
            let at = (frame.px(*value), frame.bottom + 12.0);
            canvas.text(&text, at, Type::new(SMALL, INK, Anchor::Middle));
        }
        let what = match self.interactions {
            false => "difference",
            true => "difference of differences",
        };
        let unit = format!("{what} ({})", self.metric.unit());
        let at = (frame.middle(), frame.bottom + 32.0);
        canvas.text(&unit, at, Type::new(LABEL, INK, Anchor::Middle));
    }
}
