//! Errors of identities, per arm, against their bounds.

use super::axis::{Frame, Range};
use super::canvas::{Anchor, Canvas, Type, shorten, text_width, wrap};
use super::drawing::{Drawing, Table};
use super::page::{Page, seed_range};
use super::style::{BLUE, EDGE, GRID, INK, LABEL, SHADE, SMALL, SOFT, VERMILLION};
use super::theme::Theme;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{IdentityInArm, IdentityOutcome, IdentitySummary, Summary};
use crate::text::number::power_of_ten;

pub(super) const KIND: FigureKind = FigureKind {
    file: "identities.svg",
    alt: "Errors of the identities in every arm, and their bounds",
    section: Section::Identities,
};

const TEXT_ROW: f64 = 16.0;
/// Space above the first and below the last mark of an identity.
const EDGE_OF_STRIP: f64 = 9.0;
/// Distance between the marks of two arms.
const MARK_ROW: f64 = 16.0;
/// Size of the arms' names beside the marks.
const NAME: f64 = 11.0;
const GAP: f64 = 12.0;
/// Space below the last strip for ticks, the axis label and a line of the key.
const FOOT: f64 = 76.0;
/// From one line of the key to the next.
const KEY_ROW: f64 = 18.0;
/// The meanings of the marks.
const KEY: [&str; 2] = [
    "must hold in this arm (largest error)",
    "must fail in this arm (smallest error)",
];
/// Decimal logarithms at the ends of the axis. Smaller values are drawn at its left end.
const AXIS: Range = Range {
    low: -18.0,
    high: 1.0,
};

const CAPTION: &str = "Mark: one arm. Line: from the smallest to the largest error over its n seeds \
and the devices, in double precision. Shaded: above the bound, where an identity counts as failing. An \
error of 0 is drawn at the left end.";

/// Draws the errors of every measured identity. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn identities(summary: &Summary, theme: Theme) -> Result<Option<Drawing>, PlotError> {
    let rows: Vec<IdentityRow<'_>> = summary
        .identities
        .iter()
        .filter_map(|found| IdentityRow::of(theme, summary, found))
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let strips: f64 = rows.iter().map(IdentityRow::height).sum();
    let title = format!("{}: errors of identities", summary.title);
    let page = Page::new(theme, &summary.title, None, CAPTION);
    let svg = page.draw(&title, strips + foot(theme), |canvas, top| {
        let mut y = top + 6.0;
        for row in &rows {
            row.draw(canvas, y);
            y += row.height();
        }
        axis(canvas, y);
        key(canvas, y + 52.0);
    })?;
    let data = data(&rows);
    Ok(Some(Drawing { svg, data }))
}

/// A row per identity and arm.
fn data(rows: &[IdentityRow<'_>]) -> Table {
    let mut table = Table::new(&[
        "identity",
        "statement",
        "arm",
        "expected",
        "smallest",
        "largest",
        "bound",
        "n",
    ]);
    for row in rows {
        for arm in &row.arms {
            let [smallest, largest] = arm.ends;
            let expected = if arm.holds { "holds" } else { "fails" };
            table.row([
                row.number.into(),
                row.text.into(),
                arm.label.into(),
                expected.into(),
                smallest.into(),
                largest.into(),
                row.bound.into(),
                arm.seeds.into(),
            ]);
        }
    }
    table
}

/// Whether both marks of the key fit beside each other.
fn key_is_one_line(theme: Theme) -> bool {
    let widest = KEY.map(|text| text_width(text, SMALL));
    widest[0].max(widest[1]) + 30.0 <= theme.width() / 2.0 - EDGE
}

/// Space below the last strip.
fn foot(theme: Theme) -> f64 {
    match key_is_one_line(theme) {
        true => FOOT,
        false => FOOT + KEY_ROW,
    }
}

/// An identity, and the smallest and largest error in each arm.
struct IdentityRow<'a> {
    number: usize,
    text: &'a str,
    statement: Vec<String>,
    bound: f64,
    arms: Vec<InArm<'a>>,
}

/// The label of an arm, the outcome that it must have, and its smallest and largest error.
struct InArm<'a> {
    label: &'a str,
    holds: bool,
    ends: [f64; 2],
    seeds: usize,
}

impl<'a> InArm<'a> {
    /// `None` if nothing was measured.
    fn of(summary: &'a Summary, found: &'a IdentityInArm) -> Option<Self> {
        let arm = summary.arm(&found.arm);
        Some(Self {
            label: arm.map_or(found.arm.as_str(), |arm| arm.label.as_str()),
            holds: found.expected == IdentityOutcome::Holds,
            ends: [found.smallest?, found.largest?],
            seeds: found.seeds,
        })
    }

    fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame, y: f64) {
        let color = if self.holds { BLUE } else { VERMILLION };
        let ends = self.ends.map(|value| (frame.px(position(value)), y));
        canvas.line(&ends, color, 2.0, &[], "range");
        // The end that decides is marked: the largest error if the identity must hold.
        match self.holds {
            true => canvas.dot(ends[1], 3.0, color, 1.0),
            false => canvas.ring(ends[0], 3.0, color),
        }
        // The name is on the side with more space.
        let [left, right] = [ends[0].0 - 8.0, ends[1].0 + 8.0];
        let (x, anchor, room) = match right - frame.left < frame.right - left {
            true => (right, Anchor::Start, frame.right - right),
            false => (left, Anchor::End, left - frame.left),
        };
        let size = canvas.theme().text(NAME);
        let label = shorten(self.label, size, room);
        canvas.text(&label, (x, y), Type::new(size, INK, anchor));
    }
}

impl<'a> IdentityRow<'a> {
    fn of(theme: Theme, summary: &'a Summary, found: &'a IdentitySummary) -> Option<Self> {
        let arms = found.arms.iter();
        let arms: Vec<_> = arms.filter_map(|arm| InArm::of(summary, arm)).collect();
        let identity = &found.identity;
        let n = seed_range(found.arms.iter().map(|arm| arm.seeds));
        let statement = format!("Identity {}: {} ({n})", identity.number, identity.statement);
        // Backquotes mean nothing in a figure.
        let statement = statement.replace('`', "");
        (!arms.is_empty()).then(|| Self {
            number: identity.number,
            text: &identity.statement,
            statement: wrap(&statement, SMALL, theme.inner()),
            bound: identity.bound,
            arms,
        })
    }

    fn strip(&self) -> f64 {
        2.0 * EDGE_OF_STRIP + MARK_ROW * (self.arms.len() - 1) as f64
    }

    fn height(&self) -> f64 {
        TEXT_ROW * self.statement.len() as f64 + self.strip() + GAP
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64) {
        for (k, line) in self.statement.iter().enumerate() {
            let at = (EDGE, top + 6.0 + TEXT_ROW * k as f64);
            canvas.text(line, at, Type::new(SMALL, INK, Anchor::Start));
        }
        let top = top + TEXT_ROW * self.statement.len() as f64;
        let frame = frame(canvas.theme(), top, self.strip());
        let bound = (frame.px(position(self.bound)), frame.top);
        canvas.rectangle(bound, (frame.right, frame.bottom), SHADE);
        grid(canvas, &frame);
        for (k, arm) in self.arms.iter().enumerate() {
            arm.draw(
                canvas,
                &frame,
                frame.top + EDGE_OF_STRIP + MARK_ROW * k as f64,
            );
        }
        frame.edges(canvas);
    }
}

fn frame(theme: Theme, top: f64, height: f64) -> Frame {
    Frame {
        left: EDGE + 12.0,
        top,
        right: theme.width() - EDGE - 8.0,
        bottom: top + height,
        x: AXIS,
        y: Range {
            low: 0.0,
            high: 1.0,
        },
    }
}

/// The position of `value` on the axis.
fn position(value: f64) -> f64 {
    match value > 0.0 {
        true => value.log10().clamp(AXIS.low, AXIS.high),
        false => AXIS.low,
    }
}

/// The exponents that have grid lines.
fn exponents() -> impl Iterator<Item = f64> {
    (-6..=0).map(|k| f64::from(3 * k))
}

fn grid(canvas: &mut Canvas<'_>, frame: &Frame) {
    for x in exponents().map(|exponent| frame.px(exponent)) {
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
    }
}

fn axis(canvas: &mut Canvas<'_>, top: f64) {
    let frame = frame(canvas.theme(), top, 0.0);
    for exponent in exponents() {
        let label = match exponent {
            0.0 => "1".to_owned(),
            _ => power_of_ten(exponent as i32),
        };
        let at = (frame.px(exponent), top + 4.0);
        canvas.text(&label, at, Type::new(SMALL, INK, Anchor::Middle));
    }
    let middle = ((frame.left + frame.right) / 2.0, top + 24.0);
    let kind = Type::new(LABEL, INK, Anchor::Middle);
    canvas.text("error (each identity has its own measure)", middle, kind);
}

fn key(canvas: &mut Canvas<'_>, y: f64) {
    let kind = Type::new(SMALL, SOFT, Anchor::Start);
    let first = (EDGE + 14.0, y);
    canvas.dot(first, 3.0, BLUE, 1.0);
    canvas.text(KEY[0], (first.0 + 12.0, y), kind);
    let theme = canvas.theme();
    let second = match key_is_one_line(theme) {
        true => (theme.width() / 2.0, y),
        false => (first.0, y + KEY_ROW),
    };
    canvas.ring(second, 3.0, VERMILLION);
    canvas.text(KEY[1], (second.0 + 12.0, second.1), kind);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_drawn_at_the_left_end_of_the_axis() {
        assert_eq!([1e-10, 1.0].map(position), [-10.0, 0.0]);
        assert_eq!([0.0, 1e-300, f64::NAN].map(position), [AXIS.low; 3]);
        assert_eq!(position(1e9), AXIS.high);
    }
}
