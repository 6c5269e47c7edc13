//! How far identities are off, arm by arm, against their bounds.

use super::PlotError;
use super::axis::{Frame, Range};
use super::canvas::{Anchor, Canvas, Type, figure, wrap};
use super::style::{
    BLUE, CAPTION_ROW, EDGE, GRID, HEADING, HEADING_ROW, INK, LABEL, SHADE, SMALL, SOFT,
    VERMILLION, WIDTH,
};
use crate::analysis::{IdentityInArm, IdentityOutcome, IdentitySummary, Summary};

const TEXT_ROW: f64 = 16.0;
/// Space around an identity's marks, and from one arm's mark to the next.
const EDGE_OF_STRIP: f64 = 7.0;
const MARK_ROW: f64 = 7.0;
const GAP: f64 = 12.0;
/// Space under the last strip for ticks, the axis label and the key.
const FOOT: f64 = 76.0;
/// Decimal logarithms at the ends of the axis; what is smaller stands at its left end.
const AXIS: Range = Range {
    low: -18.0,
    high: 1.0,
};

const CAPTION: &str = "Mark: an arm; line: from the smallest to the largest of all its seeds and \
devices, in double precision. Shaded: beyond the bound, where an identity counts as failing. A value \
of 0 stands at the left end.";

/// The errors of every identity that was measured. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub fn identities(summary: &Summary) -> Result<Option<String>, PlotError> {
    let rows: Vec<Row<'_>> = summary.identities.iter().filter_map(Row::of).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let heading = wrap(&summary.title, HEADING, WIDTH - 2.0 * EDGE);
    let caption = wrap(CAPTION, SMALL, WIDTH - 2.0 * EDGE);
    let top = 24.0 + HEADING_ROW * heading.len() as f64;
    let strips: f64 = rows.iter().map(Row::height).sum();
    let foot = top + strips + FOOT;
    let height = foot + CAPTION_ROW * caption.len() as f64 + 6.0;
    let title = format!("{}: errors of identities", summary.title);
    let svg = figure(height, &title, |canvas| {
        canvas.heading(&heading);
        let mut y = top;
        for row in &rows {
            row.draw(canvas, y);
            y += row.height();
        }
        axis(canvas, y);
        key(canvas, y + 52.0);
        canvas.caption(&caption, foot);
    })?;
    Ok(Some(svg))
}

/// An identity with the arms in which it was measured.
struct Row<'a> {
    statement: Vec<String>,
    bound: f64,
    arms: Vec<(&'a IdentityInArm, f64, f64)>,
}

impl<'a> Row<'a> {
    fn of(found: &'a IdentitySummary) -> Option<Self> {
        let measured = |arm: &'a IdentityInArm| Some((arm, arm.smallest?, arm.largest?));
        let arms: Vec<_> = found.arms.iter().filter_map(measured).collect();
        let identity = &found.identity;
        // Marks of code mean nothing in a figure.
        let statement = format!("{}: {}", identity.number, identity.statement).replace('`', "");
        (!arms.is_empty()).then(|| Self {
            statement: wrap(&statement, SMALL, WIDTH - 2.0 * EDGE),
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
        let frame = frame(top + TEXT_ROW * self.statement.len() as f64, self.strip());
        let bound = (frame.px(place(self.bound)), frame.top);
        canvas.rectangle(bound, (frame.right, frame.bottom), SHADE);
        grid(canvas, &frame);
        for (k, (arm, smallest, largest)) in self.arms.iter().enumerate() {
            let y = frame.top + EDGE_OF_STRIP + MARK_ROW * k as f64;
            let holds = arm.expected == IdentityOutcome::Holds;
            let color = if holds { BLUE } else { VERMILLION };
            let ends = [*smallest, *largest].map(|value| (frame.px(place(value)), y));
            canvas.line(&ends, color, 2.0, &[], "range");
            // What counts against the expectation is the end that is nearest to the other side.
            match holds {
                true => canvas.dot(ends[1], 3.0, color, 1.0),
                false => canvas.ring(ends[0], 3.0, color),
            }
        }
        frame.edges(canvas);
    }
}

fn frame(top: f64, height: f64) -> Frame {
    Frame {
        left: EDGE + 8.0,
        top,
        right: WIDTH - EDGE - 8.0,
        bottom: top + height,
        x: AXIS,
        y: Range {
            low: 0.0,
            high: 1.0,
        },
    }
}

/// The place of `value` on the axis.
fn place(value: f64) -> f64 {
    match value > 0.0 {
        true => value.log10().clamp(AXIS.low, AXIS.high),
        false => AXIS.low,
    }
}

/// Exponents with grid lines.
fn exponents() -> impl Iterator<Item = f64> {
    (-6..=0).map(|k| f64::from(3 * k))
}

fn grid(canvas: &mut Canvas<'_>, frame: &Frame) {
    for x in exponents().map(|exponent| frame.px(exponent)) {
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
    }
}

fn axis(canvas: &mut Canvas<'_>, top: f64) {
    let frame = frame(top, 0.0);
    for exponent in exponents() {
        let label = match exponent {
            0.0 => "1".to_owned(),
            _ => format!("1e−{}", -exponent),
        };
        let at = (frame.px(exponent), top + 4.0);
        canvas.text(&label, at, Type::new(SMALL, INK, Anchor::Middle));
    }
    let middle = ((frame.left + frame.right) / 2.0, top + 24.0);
    let kind = Type::new(LABEL, INK, Anchor::Middle);
    canvas.text("error, as each identity measures it", middle, kind);
}

fn key(canvas: &mut Canvas<'_>, y: f64) {
    let kind = Type::new(SMALL, SOFT, Anchor::Start);
    let left = EDGE + 14.0;
    canvas.dot((left, y), 3.0, BLUE, 1.0);
    canvas.text("has to hold here (largest value)", (left + 12.0, y), kind);
    let left = WIDTH / 2.0;
    canvas.ring((left, y), 3.0, VERMILLION);
    canvas.text("has to fail here (smallest value)", (left + 12.0, y), kind);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_at_their_logarithm_and_what_has_none_at_the_left_end() {
        assert_eq!([1e-10, 1.0].map(place), [-10.0, 0.0]);
        assert_eq!([0.0, 1e-300, f64::NAN].map(place), [AXIS.low; 3]);
        assert_eq!(place(1e9), AXIS.high);
    }
}
