//! Ranges, ticks, and the frame that maps values to pixels.

use super::canvas::{Anchor, Canvas, Type};
use super::style::{GRID, INK, SMALL};

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

    /// Wider by `share` of its span on both sides; `least` where it has no span.
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

/// Round values inside `range`, about `count` of them, and the decimals to print them with.
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

/// Whole epochs to mark: the first, and round ones up to the last.
pub(crate) fn epoch_ticks(epochs: usize, most: usize) -> Vec<usize> {
    let steps = (0..).flat_map(|p| [1, 2, 5].map(|f| f * 10usize.pow(p)));
    let step = steps
        .take(30)
        .find(|s| epochs / s <= most)
        .unwrap_or(epochs.max(1));
    let mut out: Vec<usize> = (1..=epochs).filter(|e| e % step == 0).collect();
    if out.first() != Some(&1) {
        out.insert(0, 1);
        // A round tick next to the first would run into it.
        if out
            .get(1)
            .is_some_and(|&second| (second - 1) * most < epochs / 2)
        {
            out.remove(1);
        }
    }
    out
}

/// A rectangle on the sheet and the values at its edges.
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

    /// Vertical grid lines with labels below them.
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

    /// Horizontal grid lines, with labels to their left where `labelled`.
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

    /// The left and lower edge.
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
    fn ticks_are_round_inside_the_range_and_neither_few_nor_many() {
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
    fn epochs_are_marked_at_whole_numbers_from_the_first_on() {
        assert_eq!(epoch_ticks(1, 6), [1]);
        assert_eq!(epoch_ticks(2, 6), [1, 2]);
        assert_eq!(epoch_ticks(12, 6), [1, 2, 4, 6, 8, 10, 12]);
        assert_eq!(epoch_ticks(60, 6), [1, 10, 20, 30, 40, 50, 60]);
        assert_eq!(epoch_ticks(0, 6), [1]);
    }

    #[test]
    fn a_range_without_span_is_widened() {
        let range = Range::of([3.0, 3.0]).unwrap().padded(0.1, 0.5);
        assert_eq!((range.low, range.high), (2.5, 3.5));
        assert_eq!(Range::of([]), None);
    }
}
