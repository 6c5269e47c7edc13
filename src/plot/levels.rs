//! A horizontal axis of the levels of a factor, and points with intervals on it.

use super::axis::{Frame, Range};
use super::canvas::{Anchor, Canvas, Type, shorten};
use super::style::{GRID, INK, LABEL, series};
use crate::spec::Factor;
use crate::stats::{Interval, Rule, Sample, t_interval};

/// The levels of a factor: numbers at their values, others evenly spaced.
pub(super) struct LevelAxis {
    pub(super) at: Vec<f64>,
    labels: Vec<String>,
    pub(super) range: Range,
    pub(super) is_numeric: bool,
    name: String,
}

impl LevelAxis {
    /// Positive levels whose largest is more than `log_ratio` times the smallest get a logarithmic
    /// scale.
    pub(super) fn of(factor: &Factor, log_ratio: f64) -> Self {
        let numbers = factor.values();
        let numbers = numbers.and_then(|v| Some((Range::of(v.iter().copied())?, v)));
        let Some((all, values)) = numbers else {
            let levels = &factor.levels;
            return Self {
                at: (0..levels.len()).map(|k| k as f64).collect(),
                labels: levels.iter().map(|level| level.label.clone()).collect(),
                range: Range {
                    low: -0.5,
                    high: levels.len() as f64 - 0.5,
                },
                is_numeric: false,
                name: factor.label.clone(),
            };
        };
        let logarithmic = all.low > 0.0 && all.high / all.low > log_ratio;
        let at: Vec<f64> = match logarithmic {
            true => values.iter().map(|value| value.ln()).collect(),
            false => values.clone(),
        };
        let range = Range::of(at.iter().copied()).unwrap_or(all);
        let scale = if logarithmic {
            ", logarithmic scale"
        } else {
            ""
        };
        Self {
            range: range.padded(0.12, 0.5),
            labels: values.iter().map(f64::to_string).collect(),
            at,
            is_numeric: true,
            name: format!("{}{scale}", factor.label),
        }
    }

    /// Draws a grid line and a label per level, and the name of the axis.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame) {
        let width = frame.right - frame.left;
        let room = width / self.at.len() as f64 - 6.0;
        for (at, label) in self.at.iter().zip(&self.labels) {
            let x = frame.px(*at);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
            let label = shorten(label, LABEL, room.max(30.0));
            let kind = Type::new(LABEL, INK, Anchor::Middle);
            canvas.text(&label, (x, frame.bottom + 14.0), kind);
        }
        frame.x_name(canvas, &shorten(&self.name, LABEL, width + 22.0), 37.0);
    }
}

/// The mean of a line at one level.
pub(super) struct LevelPoint {
    /// Index of the level.
    pub(super) level: usize,
    /// One value per seed.
    pub(super) values: Vec<f64>,
    pub(super) mean: f64,
    pub(super) interval: Option<Interval>,
}

impl LevelPoint {
    /// `None` without values.
    pub(super) fn new(level: usize, values: Vec<f64>) -> Option<Self> {
        let sample = Sample::new(values.clone()).ok()?;
        Some(Self {
            level,
            mean: sample.mean(),
            interval: t_interval(&sample, Rule::default().confidence(1)),
            values,
        })
    }

    /// The ends of the interval, or the mean twice without one.
    pub(super) fn bounds(&self) -> [f64; 2] {
        self.interval
            .map_or([self.mean; 2], |interval| [interval.low, interval.high])
    }
}

/// Draws line number `line` through `points`, with intervals, moved to the right by `shift` pixels.
pub(super) fn draw_line(
    canvas: &mut Canvas<'_>,
    frame: &Frame,
    axis: &LevelAxis,
    (line, points): (usize, &[LevelPoint]),
    shift: f64,
) {
    let (color, dash) = series(line);
    let at = |p: &LevelPoint| (frame.px(axis.at[p.level]) + shift, frame.py(p.mean));
    let path: Vec<_> = points.iter().map(at).collect();
    canvas.line(&path, color, 2.0, dash, "series");
    for point in points {
        if let Some(interval) = point.interval {
            frame.interval(canvas, at(point).0, interval, color);
        }
        canvas.dot(at(point), 5.0, color, 1.0);
    }
}
