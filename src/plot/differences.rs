//! Paired improvements: every seed, the mean with its interval, and the margin.

use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, BOLD, Canvas, Type, wrap_to};
use super::contrast_row::{LEFT, Row, extent, right};
use super::drawing::{Cell, Drawing, Table};
use super::page::Page;
use super::style::{EDGE, INK, LABEL, SMALL};
use super::swarm::STRIP;
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{ContrastSummary, Summary, finding_words};
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
/// From one line of a group's title to the next, and most of them on the screen.
const GROUP_ROW: f64 = 17.0;
const MOST_TITLE_LINES: usize = 1;
/// Pixels per tick label.
const TICK: f64 = 94.0;

/// Contrasts that share an axis.
struct ContrastGroup<'a> {
    title: Vec<String>,
    metric: Metric,
    /// Whether its rows are differences of improvements.
    interactions: bool,
    rows: Vec<Row<'a>>,
}

/// Draws a strip per contrast, grouped by metric. `None` if no contrast has a pair.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn differences(summary: &Summary, theme: Theme) -> Result<Option<Drawing>, PlotError> {
    let groups = groups(summary, theme);
    if groups.is_empty() {
        return Ok(None);
    }
    let page = Page::new(theme, &summary.title, None, CAPTION);
    let title = format!("{}: improvements by seed", summary.title);
    let height = groups.iter().map(ContrastGroup::height).sum();
    let svg = page.draw(&title, height, |canvas, top| {
        let mut y = top;
        for group in &groups {
            group.draw(canvas, y);
            y += group.height();
        }
    })?;
    let data = data(&groups);
    Ok(Some(Drawing { svg, data }))
}

/// A row per seed, and one for the mean with its interval.
fn data(groups: &[ContrastGroup<'_>]) -> Table {
    let mut table = Table::new(&[
        "contrast", "metric", "unit", "shown", "seed", "value", "low", "high", "n", "margin",
        "finding",
    ]);
    for contrast in groups.iter().flat_map(|group| &group.rows) {
        let contrast = contrast.contrast;
        let asked = &contrast.contrast;
        let (name, metric) = (&asked.name, asked.when.read(&asked.metric.label()));
        let mut add = |shown: &str, seed: Cell, [value, low, high]: [Cell; 3], n: Cell| {
            let finding = finding_words(contrast.finding()).into();
            table.row([
                name.into(),
                (&metric).into(),
                asked.metric.unit().into(),
                shown.into(),
                seed,
                value,
                low,
                high,
                n,
                asked.margin.into(),
                finding,
            ]);
        };
        for one in &contrast.improvements {
            let value = [one.value.into(), Cell::NONE, Cell::NONE];
            add("seed", one.seed.into(), value, Cell::NONE);
        }
        if let Some((decision, bounds)) = contrast.decision.as_ref().zip(contrast.interval()) {
            let value = [decision.mean, bounds.low, bounds.high].map(Cell::from);
            add("mean", Cell::NONE, value, decision.n.into());
        }
    }
    table
}

const CAPTION: &str = "Dot: one seed. Diamond and bar: mean over n seeds and its t interval, at the level \
in brackets; it gives the finding. Shaded: differences smaller than the margin. Signs: + better, \u{2212} worse, \
= no difference that matters, ? unclear (open dots). Better means higher accuracy and lower NLL or ECE.";

/// Groups contrasts by metric, then improvements before interactions, then by the size of the
/// differences; quantities with a primary contrast come first. Within a group contrasts keep their order.
fn groups(summary: &Summary, theme: Theme) -> Vec<ContrastGroup<'_>> {
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
            let title = capitalized(&format!("{what}{scale}"));
            out.push(ContrastGroup {
                title: wrap_to(
                    &title,
                    LABEL * BOLD,
                    theme.inner(),
                    theme.lines(MOST_TITLE_LINES),
                ),
                metric: metric.clone(),
                interactions,
                rows: rows
                    .map(|contrast| Row::of(theme, summary, contrast))
                    .collect(),
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
    fn head(&self) -> f64 {
        GROUP_HEAD + GROUP_ROW * (self.title.len() as f64 - 1.0)
    }

    fn height(&self) -> f64 {
        self.head() + self.rows.iter().map(Row::height).sum::<f64>() + FOOT
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64) {
        let kind = Type::new(LABEL, INK, Anchor::Start).bold();
        for (k, line) in self.title.iter().enumerate() {
            canvas.text(line, (EDGE, top + 14.0 + GROUP_ROW * k as f64), kind);
        }
        let range = Range::of(self.rows.iter().flat_map(|row| extent(row.contrast)));
        let Some(range) = range else { return };
        let mut frame = Frame {
            left: LEFT,
            top,
            right: right(canvas.theme()),
            bottom: top,
            x: range.padded(0.04, 0.5),
            y: Range {
                low: 0.0,
                high: 1.0,
            },
        };
        let count = ((frame.right - frame.left) / TICK) as usize;
        let (values, decimals) = ticks(frame.x, count);
        let mut y = top + self.head();
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
