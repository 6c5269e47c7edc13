//! A contrast in the figure of differences: its texts, and a strip with seeds, mean, interval and
//! margin.

use super::axis::Frame;
use super::canvas::{Anchor, BOLD, Canvas, Type, text_width, wrap_to};
use super::findings::{DISC, color, draw_sign, is_open};
use super::style::{EDGE, GRID, INK, LABEL, SHADE, SMALL, SOFT};
use super::swarm::{STRIP, draw_swarm};
use super::theme::Theme;
use crate::analysis::subject::{ends, subject};
use crate::analysis::{ContrastSummary, Summary, finding_words, prediction_word, ruled_out};
use crate::spec::{Contrast, ContrastKind, When};
use crate::stats::Finding;
use crate::text::capitalized;
use crate::text::number::{interval, level, signed};

/// From one line of a row's title to the next.
const TITLE_ROW: f64 = 18.0;
/// Height of the line with finding and numbers.
const FINDING_ROW: f64 = 22.0;
/// From one line of the texts at the ends of an axis to the next.
const END_ROW: f64 = 16.0;
const GAP: f64 = 18.0;
pub(super) const LEFT: f64 = EDGE + 8.0;
/// Most lines of a title, of the texts at the ends, and of a prediction, on the screen.
const MOST_TITLE_LINES: usize = 2;
const MOST_END_LINES: usize = 2;
const MOST_PREDICTION_LINES: usize = 1;

/// Right edge of texts and strips.
pub(super) const fn right(theme: Theme) -> f64 {
    theme.width() - EDGE - 8.0
}

/// Whether a contrast is read at an epoch or step.
const fn names_time(contrast: &Contrast) -> bool {
    matches!(contrast.when, When::Epoch(_) | When::Step(_))
}

/// A contrast and the texts above its strip.
pub(super) struct Row<'a> {
    pub(super) contrast: &'a ContrastSummary,
    words: FindingWords,
    /// What is compared, where the ends of the axis do not say it.
    title: Vec<String>,
    /// The meaning of values below and above 0.
    ends: [Vec<String>; 2],
}

/// The values that the strip of a contrast shows.
pub(super) fn extent(contrast: &ContrastSummary) -> impl Iterator<Item = f64> {
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

impl<'a> Row<'a> {
    pub(super) fn of(theme: Theme, summary: &Summary, contrast: &'a ContrastSummary) -> Self {
        let asked = &contrast.contrast;
        let timed = summary.contrasts.iter().any(|c| names_time(&c.contrast));
        let when = match asked.when {
            When::Last if timed => "after the last epoch".to_owned(),
            when => when.read("").trim().to_owned(),
        };
        let title = match (&asked.comparison, when.is_empty()) {
            (ContrastKind::Arms { .. }, _) => capitalized(&when),
            (comparison, true) => subject(summary, comparison, &asked.weights),
            (comparison, false) => {
                format!("{}, {when}", subject(summary, comparison, &asked.weights))
            }
        };
        let width = right(theme) - LEFT;
        let [left, right] = ends(summary, &asked.comparison, &asked.weights);
        let room = width / 2.0 - 12.0;
        let end = |text: String| wrap_to(&text, SMALL, room, theme.lines(MOST_END_LINES));
        Self {
            contrast,
            words: FindingWords::of(theme, contrast),
            title: wrap_to(&title, LABEL, width, theme.lines(MOST_TITLE_LINES)),
            ends: [
                end(format!("\u{2190} {left}")),
                end(format!("{right} \u{2192}")),
            ],
        }
    }

    pub(super) fn is_primary(&self) -> bool {
        self.contrast.contrast.primary
    }

    /// Height of the texts above the strip.
    pub(super) fn above(&self) -> f64 {
        let ends = self.ends.iter().map(Vec::len).max().unwrap_or(1);
        let title = TITLE_ROW * self.title.len() as f64;
        title + self.words.height() + END_ROW * ends as f64
    }

    pub(super) fn height(&self) -> f64 {
        self.above() + STRIP + GAP
    }

    /// Draws the texts from `top` on, and the strip in `frame` with grid lines at `grid`.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame, grid: &[f64], top: f64) {
        self.draw_texts(canvas, top);
        strip(canvas, self.contrast, frame, grid);
    }

    fn draw_texts(&self, canvas: &mut Canvas<'_>, top: f64) {
        let mut y = top + 6.0;
        for line in &self.title {
            canvas.text(line, (LEFT, y), Type::new(LABEL, INK, Anchor::Start));
            y += TITLE_ROW;
        }
        draw_sign(canvas, self.contrast.finding(), (LEFT + DISC, y + 1.0));
        self.words.draw(canvas, y + 1.0);
        y += self.words.height();
        let sides = [(LEFT, Anchor::Start), (right(canvas.theme()), Anchor::End)];
        for (end, (x, anchor)) in self.ends.iter().zip(sides) {
            for (k, line) in end.iter().enumerate() {
                let at = (x, y + END_ROW * k as f64);
                canvas.text(line, at, Type::new(SMALL, SOFT, anchor));
            }
        }
    }
}

/// The finding, what was predicted, and the numbers.
struct FindingWords {
    finding: &'static str,
    prediction: Vec<String>,
    numbers: String,
    layout: WordLayout,
}

/// What is on one line with the finding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WordLayout {
    Everything,
    Numbers,
    Nothing,
}

impl FindingWords {
    /// Left edge of the finding, beside its sign.
    const START: f64 = LEFT + 2.0 * DISC + 7.0;

    fn of(theme: Theme, contrast: &ContrastSummary) -> Self {
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
        let prediction = match contrast.verdict {
            Some(verdict) => {
                let (expect, finding) = (contrast.contrast.expect, contrast.finding());
                let reason = ruled_out(expect, Some(verdict), finding);
                let reason = reason.filter(|_| finding == Finding::Unclear);
                format!(
                    "(predicted {}: {}{})",
                    prediction_word(expect),
                    contrast.short_verdict_words(),
                    reason.map_or(String::new(), |reason| format!("; {reason}"))
                )
            }
            None => "(exploratory)".to_owned(),
        };
        let finding = finding_words(contrast.finding());
        let end = Self::end_of(finding);
        let width = |text: &str| text_width(text, SMALL);
        let room = right(theme) - end - 14.0 - width(&numbers);
        let layout = match room {
            room if room >= 8.0 + width(&prediction) => WordLayout::Everything,
            room if room >= 0.0 => WordLayout::Numbers,
            _ => WordLayout::Nothing,
        };
        let room = right(theme) - Self::START;
        Self {
            finding,
            prediction: match layout {
                WordLayout::Everything => vec![prediction],
                _ => wrap_to(&prediction, SMALL, room, theme.lines(MOST_PREDICTION_LINES)),
            },
            numbers,
            layout,
        }
    }

    /// Right edge of the finding.
    fn end_of(finding: &str) -> f64 {
        Self::START + text_width(finding, SMALL * BOLD)
    }

    fn height(&self) -> f64 {
        let below = match self.layout {
            WordLayout::Everything => 0,
            WordLayout::Numbers => self.prediction.len(),
            WordLayout::Nothing => self.prediction.len() + 1,
        };
        FINDING_ROW + END_ROW * below as f64
    }

    fn draw(&self, canvas: &mut Canvas<'_>, y: f64) {
        let kind = Type::new(SMALL, INK, Anchor::Start);
        canvas.text(self.finding, (Self::START, y), kind.bold());
        let numbers = match self.layout {
            WordLayout::Nothing => ((Self::START, y + END_ROW), Anchor::Start),
            _ => ((right(canvas.theme()), y), Anchor::End),
        };
        let (at, anchor) = numbers;
        canvas.text(&self.numbers, at, Type::new(SMALL, INK, anchor));
        let (x, first) = match self.layout {
            WordLayout::Everything => (Self::end_of(self.finding) + 8.0, y),
            WordLayout::Numbers => (Self::START, y + END_ROW),
            WordLayout::Nothing => (Self::START, y + 2.0 * END_ROW),
        };
        for (k, line) in self.prediction.iter().enumerate() {
            canvas.text(line, (x, first + END_ROW * k as f64), kind);
        }
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
