//! Ranges, ticks, and frames that map values to pixels.

use super::canvas::{Anchor, BOLD, Canvas, Type, shorten};
use super::style::{GRID, INK, LABEL, SMALL};
use crate::stats::Interval;
use crate::text::number::fixed;
use plotters::style::RGBColor;

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range {
    /// From the smallest to the largest of `values`; `None` when there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        values.into_iter().fold(None, |range: Option<Self>, v| {
            let r = range.unwrap_or(Self { low: v, high: v });
            Some(Self {
                low: r.low.min(v),
                high: r.high.max(v),
            })
        })
    }

    pub(crate) fn span(self) -> f64 {
        self.high - self.low
    }

    /// The range widened at both ends by `share` of its span, or by `least` if the span is 0.
    pub(crate) fn padded(self, share: f64, least: f64) -> Self {
        let pad = if self.span() > 0.0 {
            share * self.span()
        } else {
            least
        };
        Self {
            low: self.low - pad,
            high: self.high + pad,
        }
    }
}

/// The values of [`ticks`] with their labels.
pub(crate) fn labelled(range: Range, count: usize) -> Vec<(f64, String)> {
    let (values, decimals) = ticks(range, count);
    let label = |v: f64| (v, fixed(v, decimals));
    values.into_iter().map(label).collect()
}

/// About `count` round values inside `range`, and the decimals to print them with.
pub(crate) fn ticks(range: Range, count: usize) -> (Vec<f64>, usize) {
    let raw = range.span() / count as f64;
    if raw.is_nan() || raw <= 0.0 || !raw.is_finite() {
        return (vec![range.low], 2);
    }
    let power = raw.log10().floor();
    let unit = 10f64.powf(power);
    let (factor, extra) = match raw / unit {
        r if r < 1.5 => (1.0, 0),
        r if r < 3.5 => (2.0, 0),
        r if r < 7.5 => (5.0, 0),
        _ => (10.0, -1),
    };
    let step = factor * unit;
    let decimals = (-(power as i32) + extra).clamp(0, 12) as usize;
    let first = (range.low / step).ceil() as i64;
    let last = (range.high / step).floor() as i64;
    ((first..=last).map(|k| k as f64 * step).collect(), decimals)
}

/// Epochs to label: the first one, and round ones up to the last; at most about `most`.
pub(crate) fn epoch_ticks(epochs: usize, most: usize) -> Vec<usize> {
    let steps = (0..).flat_map(|p| [1, 2, 5].map(|f| f * 10usize.pow(p)));
    let step = steps
        .take(30)
        .find(|s| epochs / s <= most)
        .unwrap_or(epochs.max(1));
    let mut out: Vec<usize> = (1..=epochs).filter(|e| e % step == 0).collect();
    if out.first() != Some(&1) {
        out.insert(0, 1);
        // The labels of the first tick and a round one next to it would overlap.
        if out
            .get(1)
            .is_some_and(|&second| (second - 1) * most < epochs / 2)
        {
            out.remove(1);
        }
    }
    out
}

/// A rectangle of the figure, in pixels, and the values at its edges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    pub(crate) x: Range,
    pub(crate) y: Range,
}

impl Frame {
    pub(crate) fn px(&self, x: f64) -> f64 {
        self.left + (x - self.x.low) / self.x.span() * (self.right - self.left)
    }

    pub(crate) fn py(&self, y: f64) -> f64 {
        self.bottom - (y - self.y.low) / self.y.span() * (self.bottom - self.top)
    }

    pub(crate) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.px(x), self.py(y))
    }

    /// All of `points` in pixels.
    pub(crate) fn all(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        points.iter().map(|point| self.at(*point)).collect()
    }

    pub(crate) fn middle(&self) -> f64 {
        (self.left + self.right) / 2.0
    }

    /// Draws a title above the frame.
    pub(super) fn title(&self, canvas: &mut Canvas<'_>, title: &str) {
        let title = shorten(title, LABEL * BOLD, self.right - self.left);
        let kind = Type::new(LABEL, INK, Anchor::Middle).bold();
        canvas.text(&title, (self.middle(), self.top - 13.0), kind);
    }

    /// Draws the name of the horizontal axis, `below` pixels under the frame.
    pub(super) fn x_name(&self, canvas: &mut Canvas<'_>, name: &str, below: f64) {
        let at = (self.middle(), self.bottom + below);
        canvas.text(name, at, Type::new(LABEL, INK, Anchor::Middle));
    }

    /// Draws a vertical bar at pixel `x`, with a cap at each end inside the frame.
    pub(super) fn interval(
        &self,
        canvas: &mut Canvas<'_>,
        x: f64,
        interval: Interval,
        color: RGBColor,
    ) {
        let shown = |y: f64| self.py(y.clamp(self.y.low, self.y.high));
        let bar = [(x, shown(interval.low)), (x, shown(interval.high))];
        canvas.line(&bar, color, 2.0, &[], "interval");
        for end in [interval.low, interval.high] {
            if (self.y.low..=self.y.high).contains(&end) {
                let y = self.py(end);
                canvas.line(&[(x - 4.0, y), (x + 4.0, y)], color, 2.0, &[], "cap");
            }
        }
    }

    /// Draws vertical grid lines with labels below them.
    pub(crate) fn x_ticks(&self, canvas: &mut Canvas<'_>, ticks: &[(f64, String)]) {
        for (x, label) in ticks {
            let x = self.px(*x);
            canvas.line(&[(x, self.top), (x, self.bottom)], GRID, 1.0, &[], "grid");
            canvas.text(
                label,
                (x, self.bottom + 12.0),
                Type::new(SMALL, INK, Anchor::Middle),
            );
        }
    }

    /// Draws horizontal grid lines, with labels to their left if `labelled`.
    pub(crate) fn y_ticks(&self, canvas: &mut Canvas<'_>, ticks: &[(f64, String)], labelled: bool) {
        for (y, label) in ticks {
            let y = self.py(*y);
            canvas.line(&[(self.left, y), (self.right, y)], GRID, 1.0, &[], "grid");
            if labelled {
                canvas.text(
                    label,
                    (self.left - 7.0, y),
                    Type::new(SMALL, INK, Anchor::End),
                );
            }
        }
    }

    /// Draws the left and lower edge.
    pub(crate) fn edges(&self, canvas: &mut Canvas<'_>) {
        let corners = [
            (self.left, self.top),
            (self.left, self.bottom),
            (self.right, self.bottom),
        ];
        canvas.line(&corners, INK, 1.0, &[], "axis");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside_the_range() {
        for (low, high) in [
            (0.0, 1.0),
            (88.3, 98.1),
            (-0.013, 0.002),
            (11.0, 99.9),
            (-1e3, 3e4),
        ] {
            let (values, _) = ticks(Range { low, high }, 6);
            assert!(
                (4..=9).contains(&values.len()),
                "{low} to {high}: {values:?}"
            );
            assert!(values.iter().all(|v| (low..=high).contains(v)));
        }
        assert_eq!(
            ticks(
                Range {
                    low: 0.0,
                    high: 1.0
                },
                5
            )
            .0
            .len(),
            6
        );
        assert_eq!(
            ticks(
                Range {
                    low: 0.0,
                    high: 0.6
                },
                6
            )
            .1,
            1
        );
    }

    #[test]
    fn epoch_ticks_start_at_the_first_epoch() {
        assert_eq!(epoch_ticks(1, 6), [1]);
        assert_eq!(epoch_ticks(2, 6), [1, 2]);
        assert_eq!(epoch_ticks(12, 6), [1, 2, 4, 6, 8, 10, 12]);
        assert_eq!(epoch_ticks(60, 6), [1, 10, 20, 30, 40, 50, 60]);
        assert_eq!(epoch_ticks(0, 6), [1]);
    }

    #[test]
    fn empty_span_is_widened() {
        let range = Range::of([3.0, 3.0]).unwrap().padded(0.1, 0.5);
        assert_eq!((range.low, range.high), (2.5, 3.5));
        assert_eq!(Range::of([]), None);
    }
}
