//! Lines of means over seeds with bands of their intervals.

use super::axis::{Frame, Range};
use super::canvas::Canvas;
use super::clip;
use super::style::series;
use crate::stats::{Interval, Rule, Sample, t_interval};

/// A line of means and their intervals.
pub(super) struct Line {
    /// Number of its color and dash pattern.
    pub(super) style: usize,
    pub(super) means: Vec<(f64, f64)>,
    /// Fewest and most seeds behind a mean.
    pub(super) seeds: [usize; 2],
    pub(super) bands: Vec<Option<Interval>>,
}

impl Line {
    /// A line through the means of `samples`, each with its position on the horizontal axis.
    pub(super) fn through(style: usize, samples: &[(f64, Sample)]) -> Self {
        let confidence = Rule::default().confidence(1);
        let interval = |(_, sample): &(f64, Sample)| t_interval(sample, confidence);
        let counts = || samples.iter().map(|(_, sample)| sample.len());
        Self {
            style,
            seeds: [counts().min().unwrap_or(0), counts().max().unwrap_or(0)],
            means: samples.iter().map(|(x, s)| (*x, s.mean())).collect(),
            bands: samples.iter().map(interval).collect(),
        }
    }

    /// The outline of the band; empty if a value has no interval.
    fn outline(&self) -> Vec<(f64, f64)> {
        let Some(bands) = self.bands.iter().copied().collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let points = || self.means.iter().zip(&bands);
        let upper = points().map(|((x, _), band)| (*x, band.high));
        let lower = points().rev().map(|((x, _), band)| (*x, band.low));
        upper.chain(lower).collect()
    }

    /// Draws it without its band.
    fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame, width: f64) {
        let (color, dash) = series(self.style);
        for part in clip::polyline(&self.means, frame.y) {
            canvas.line(&frame.all(&part), color, width, dash, "series");
        }
        self.draw_dot(canvas, frame, 2.0 * width);
    }

    /// Draws a single value as a dot with its interval.
    fn draw_dot(&self, canvas: &mut Canvas<'_>, frame: &Frame, radius: f64) {
        let ([only], [band]) = (&self.means[..], &self.bands[..]) else {
            return;
        };
        let (color, _) = series(self.style);
        canvas.dot(frame.at(*only), radius, color, 1.0);
        if let Some(band) = band {
            let bar = [(only.0, band.low), (only.0, band.high)];
            for part in clip::polyline(&bar, frame.y) {
                canvas.line(&frame.all(&part), color, 1.0, &[], "interval");
            }
        }
    }
}

/// Opacity of the bands of `count` lines, which overlap.
fn opacity(count: usize) -> f64 {
    match count {
        0..=3 => 0.15,
        4 | 5 => 0.1,
        _ => 0.07,
    }
}

/// Number of evaluations at the start that do not set the vertical axis, because they would flatten the
/// rest: the first fifth; the first half if that makes the axis more than three times as fine. `least` is
/// the smallest difference that the axis must show. Fewer than four evaluations all count.
pub(super) fn early<'l>(lines: impl IntoIterator<Item = &'l Line> + Clone, least: f64) -> usize {
    let longest = lines.clone().into_iter().map(|line| line.means.len()).max();
    let n = longest.unwrap_or(0);
    if n < 4 {
        return 0;
    }
    let span = |from: usize| {
        let late = lines.clone().into_iter();
        let late = late.flat_map(|line| line.means.iter().skip(from).map(|p| p.1));
        Range::of(late).map_or(0.0, Range::span).max(least)
    };
    let (fifth, half) = (n.div_ceil(5), n / 2);
    match span(fifth) > 3.0 * span(half) {
        true => half,
        false => fifth,
    }
}

/// Draws every band, then every line, cut at the ends of the vertical axis. A line of one value is a
/// dot.
pub(super) fn draw_lines(canvas: &mut Canvas<'_>, lines: &[Line], frame: &Frame, width: f64) {
    let opacity = opacity(lines.len());
    for line in lines {
        let outline = clip::polygon(&line.outline(), frame.y);
        canvas.series(line.style, |canvas| {
            canvas.shape(&frame.all(&outline), series(line.style).0, opacity);
        });
    }
    for line in lines {
        canvas.series(line.style, |canvas| line.draw(canvas, frame, width));
    }
}
