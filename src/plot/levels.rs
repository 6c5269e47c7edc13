//! A horizontal axis of the levels of a factor, and points with intervals on it.

use super::axis::{Frame, Range};
use super::canvas::{Anchor, Canvas, Type, shorten, text_width, wrap, wrap_to};
use super::drawing::{Cell, Table};
use super::page::row_facet_width;
use super::style::{GRID, INK, LABEL, series};
use super::theme::Theme;
use crate::spec::Factor;
use crate::stats::{Interval, Rule, Sample, t_interval};

/// Levels with a larger ratio get a logarithmic scale.
const LOG_RATIO: f64 = 4.0;
/// Most lines of a level's label.
const MOST_LABEL_LINES: usize = 3;
/// From one line of a label to the next.
const LABEL_ROW: f64 = 15.0;
/// Most facets in a row.
const MOST_COLUMNS: usize = 4;
/// Least width of a facet that is not for the screen.
const LEAST: f64 = 150.0;

/// The levels of a factor: numbers at their values, others evenly spaced.
pub(super) struct LevelAxis {
    pub(super) at: Vec<f64>,
    labels: Vec<String>,
    pub(super) range: Range,
    pub(super) is_numeric: bool,
    /// The label of the factor.
    factor: String,
    name: String,
}

impl LevelAxis {
    /// Positive levels whose largest is more than [`LOG_RATIO`] times the smallest get a logarithmic
    /// scale.
    pub(super) fn of(factor: &Factor) -> Self {
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
                factor: factor.label.clone(),
                name: factor.label.clone(),
            };
        };
        let logarithmic = all.low > 0.0 && all.high / all.low > LOG_RATIO;
        let at: Vec<f64> = match logarithmic {
            true => values.iter().map(|value| value.ln()).collect(),
            false => values.clone(),
        };
        let range = Range::of(at.iter().copied()).unwrap_or(all);
        let scale = if logarithmic { " (log scale)" } else { "" };
        Self {
            range: range.padded(0.12, 0.5),
            labels: values.iter().map(f64::to_string).collect(),
            at,
            is_numeric: true,
            factor: factor.label.clone(),
            name: format!("{}{scale}", factor.label),
        }
    }

    /// Space for a label in a facet of `width` pixels.
    fn room(&self, width: f64) -> f64 {
        let levels = self.at.len().max(1) as f64;
        (width / levels - 6.0).max(30.0)
    }

    /// Lines of the longest label in a facet of `width` pixels.
    fn label_lines(&self, width: f64) -> usize {
        let lines = |label: &String| wrap(label, LABEL, self.room(width)).len();
        self.labels.iter().map(lines).max().unwrap_or(1)
    }

    /// Whether every label is readable in a facet of `width` pixels.
    fn fits(&self, width: f64) -> bool {
        let words = self
            .labels
            .iter()
            .flat_map(|label| label.split_whitespace());
        let widest = words
            .map(|word| text_width(word, LABEL))
            .fold(0.0, f64::max);
        widest <= self.room(width) && self.label_lines(width) <= MOST_LABEL_LINES
    }

    /// Facets per row: all of `count` if the labels of the axis fit, or else one. On narrow figures two are tried
    /// as well.
    pub(super) fn columns(&self, theme: Theme, count: usize) -> usize {
        let all = count.clamp(1, MOST_COLUMNS);
        let (least, other) = match theme {
            Theme::Screen => (0.0, 1),
            Theme::Paper | Theme::Slide => (LEAST, all.min(2)),
        };
        let fits = |columns: &usize| {
            let width = row_facet_width(theme, *columns);
            width >= least && self.fits(width)
        };
        [all, other].into_iter().find(fits).unwrap_or(1)
    }

    /// Space for labels and the name of the axis below a facet of `width` pixels.
    pub(super) fn height(&self, width: f64) -> f64 {
        47.0 + LABEL_ROW * self.label_lines(width).min(MOST_LABEL_LINES) as f64
    }

    /// Draws a grid line and a label per level, and the name of the axis.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame) {
        let width = frame.right - frame.left;
        let kind = Type::new(LABEL, INK, Anchor::Middle);
        for (at, label) in self.at.iter().zip(&self.labels) {
            let x = frame.px(*at);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
            let lines = wrap_to(label, LABEL, self.room(width), MOST_LABEL_LINES);
            for (k, line) in lines.iter().enumerate() {
                canvas.text(line, (x, frame.bottom + 14.0 + LABEL_ROW * k as f64), kind);
            }
        }
        let name = shorten(&self.name, LABEL, width + 22.0);
        frame.x_name(canvas, &name, self.height(width) - 25.0);
    }

    /// Pixels between neighbouring lines of `count` at one level, so that levels stay apart.
    pub(super) fn step(&self, frame: &Frame, count: usize, most: f64) -> f64 {
        let mut at: Vec<f64> = self.at.iter().map(|x| frame.px(*x)).collect();
        at.sort_by(f64::total_cmp);
        let gaps = at.windows(2).map(|pair| pair[1] - pair[0]);
        let nearest = gaps.fold(frame.right - frame.left, f64::min);
        (0.7 * nearest / count.max(1) as f64).min(most)
    }
}

/// The data of facets, each with its title and its lines: a row per mean with its interval, and with `seeds` one
/// per seed.
pub(super) fn data<'f>(
    axis: &LevelAxis,
    names: &[String],
    facets: impl IntoIterator<Item = (String, &'f [(usize, Vec<LevelPoint>)])>,
    seeds: bool,
) -> Table {
    let mut table = Table::new(&[
        "panel", "line", "factor", "level", "shown", "value", "low", "high", "n",
    ]);
    for (panel, lines) in facets {
        for (line, points) in lines {
            let name = names.get(*line).map_or("", String::as_str);
            for point in points {
                let mut add = |shown: &str, [value, low, high]: [Cell; 3], n: Cell| {
                    let level = axis.labels[point.level].as_str().into();
                    let factor = axis.factor.as_str().into();
                    let panel = (&panel).into();
                    table.row([
                        panel,
                        name.into(),
                        factor,
                        level,
                        shown.into(),
                        value,
                        low,
                        high,
                        n,
                    ]);
                };
                for value in point.values.iter().filter(|_| seeds) {
                    add(
                        "seed",
                        [(*value).into(), Cell::NONE, Cell::NONE],
                        Cell::NONE,
                    );
                }
                let ends = point.interval.map_or([Cell::NONE, Cell::NONE], |interval| {
                    [interval.low.into(), interval.high.into()]
                });
                let [low, high] = ends;
                add(
                    "mean",
                    [point.mean.into(), low, high],
                    point.values.len().into(),
                );
            }
        }
    }
    table
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
