//! Paired improvements: every seed, the mean with its interval, and the margin.

use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, BOLD, Canvas, Type, shorten, text_width, wrap_to};
use super::findings::{DISC, color, draw_sign, is_open};
use super::page::Page;
use super::style::{EDGE, GRID, INK, LABEL, SHADE, SMALL, SOFT, WIDTH};
use super::swarm::draw_swarm;
use super::{FigureKind, PlotError, Section};
use crate::analysis::subject::{ends, subject};
use crate::analysis::{ContrastSummary, Summary};
use crate::analysis::{finding_words, prediction_word};
use crate::spec::{ContrastKind, Metric};
use crate::text::capitalized;
use crate::text::number::{interval, level, signed};

pub(super) const KIND: FigureKind = FigureKind {
    file: "differences.svg",
    alt: "Improvement of every contrast: seeds, mean with t interval, and margin",
    section: Section::Results,
};

/// Contrasts share an axis if the sizes of their differences are within this factor.
const SAME_SCALE: f64 = 10.0;
/// From one line of a row's title to the next.
const TITLE_ROW: f64 = 18.0;
/// Height of the line with finding and numbers.
const FINDING_ROW: f64 = 22.0;
/// From one line of the texts at the ends of an axis to the next.
const END_ROW: f64 = 16.0;
pub(super) const STRIP: f64 = 46.0;
const GAP: f64 = 18.0;
/// Space below the last strip of a group for ticks and the axis label.
const FOOT: f64 = 56.0;
const GROUP_HEAD: f64 = 32.0;
const LEFT: f64 = EDGE + 8.0;
const RIGHT: f64 = WIDTH - EDGE - 8.0;

/// A contrast and the texts above its strip.
struct Row<'a> {
    contrast: &'a ContrastSummary,
    /// What is compared, where the ends of the axis do not say it.
    title: Vec<String>,
    /// The meaning of values below and above 0.
    ends: [Vec<String>; 2],
}

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
/// differences. Within a group they keep their order.
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
            row.draw_texts(canvas, y);
            strip(canvas, row.contrast, &frame, &values);
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

impl<'a> Row<'a> {
    fn of(summary: &Summary, contrast: &'a ContrastSummary) -> Self {
        let asked = &contrast.contrast;
        let when = asked.when.read("").trim().to_owned();
        let title = match (&asked.comparison, when.is_empty()) {
            (ContrastKind::Arms { .. }, _) => capitalized(&when),
            (comparison, true) => subject(summary, comparison, &asked.weights),
            (comparison, false) => {
                format!("{}, {when}", subject(summary, comparison, &asked.weights))
            }
        };
        let [left, right] = ends(summary, &asked.comparison);
        let room = (RIGHT - LEFT) / 2.0 - 12.0;
        let end = |text: String| wrap_to(&text, SMALL, room, 2);
        Self {
            contrast,
            title: wrap_to(&title, LABEL, RIGHT - LEFT, 2),
            ends: [
                end(format!("\u{2190} {left}")),
                end(format!("{right} \u{2192}")),
            ],
        }
    }

    /// Height of the texts above the strip.
    fn above(&self) -> f64 {
        let ends = self.ends.iter().map(Vec::len).max().unwrap_or(1);
        TITLE_ROW * self.title.len() as f64 + FINDING_ROW + END_ROW * ends as f64
    }

    fn height(&self) -> f64 {
        self.above() + STRIP + GAP
    }

    fn draw_texts(&self, canvas: &mut Canvas<'_>, top: f64) {
        let mut y = top + 6.0;
        for line in &self.title {
            canvas.text(line, (LEFT, y), Type::new(LABEL, INK, Anchor::Start));
            y += TITLE_ROW;
        }
        draw_finding(canvas, self.contrast, y + 1.0);
        y += FINDING_ROW;
        let sides = [(LEFT, Anchor::Start), (RIGHT, Anchor::End)];
        for (end, (x, anchor)) in self.ends.iter().zip(sides) {
            for (k, line) in end.iter().enumerate() {
                let at = (x, y + END_ROW * k as f64);
                canvas.text(line, at, Type::new(SMALL, SOFT, anchor));
            }
        }
    }
}

/// Draws finding and verdict at the left, numbers at the right.
fn draw_finding(canvas: &mut Canvas<'_>, contrast: &ContrastSummary, y: f64) {
    let d = contrast.decimals();
    let n = contrast.improvements.len();
    let numbers = match contrast.decision.as_ref().zip(contrast.interval()) {
        _ if contrast.is_exactly_equal() => format!("exactly equal in all pairs, n = {n}"),
        Some((decision, bounds)) => format!(
            "{} ({} %: {}), n = {n}",
            signed(decision.mean, d),
            level(decision.confidence),
            interval(bounds, d)
        ),
        None => format!("too few pairs, n = {n}"),
    };
    canvas.text(&numbers, (RIGHT, y), Type::new(SMALL, INK, Anchor::End));
    draw_sign(canvas, contrast.finding(), (LEFT + DISC, y));
    let left = LEFT + 2.0 * DISC + 7.0;
    let room = RIGHT - 16.0 - text_width(&numbers, SMALL) - left;
    let finding = shorten(finding_words(contrast.finding()), SMALL * BOLD, room);
    let kind = Type::new(SMALL, INK, Anchor::Start);
    canvas.text(&finding, (left, y), kind.bold());
    let used = text_width(&finding, SMALL * BOLD) + 10.0;
    let prediction = match contrast.verdict {
        Some(_) => format!(
            "(predicted {}: {})",
            prediction_word(contrast.contrast.expect),
            contrast.short_verdict_words()
        ),
        None => "(exploratory)".to_owned(),
    };
    if room - used > 60.0 {
        canvas.text(
            &shorten(&prediction, SMALL, room - used),
            (left + used, y),
            kind,
        );
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
    let finding = contrast.finding();
    let middle = frame.top + (STRIP - 18.0) / 2.0;
    draw_swarm(canvas, &values, middle, color(finding), is_open(finding));
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
