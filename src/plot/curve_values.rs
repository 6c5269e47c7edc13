//! The values behind a figure of curves, for pages that show them where a reader points.

use super::axis::Frame;
use super::canvas::UNITS;
use super::drawing::{Drawing, Table};
use super::lines::Line;
use serde::Serialize;
use std::collections::BTreeSet;

/// A figure of curves, and where its values are.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// The figure. Parts of line `k` have the attribute `data-series="k"`.
    pub svg: String,
    /// Its values, not rounded.
    pub data: Table,
    /// The unit in which the horizontal axis counts, such as `epoch`.
    pub axis: &'static str,
    /// Number and name of each line.
    pub labels: Vec<(usize, String)>,
    /// The panels, each with its values.
    pub panels: Vec<Panel>,
}

impl Curves {
    /// The figure without the places of its values.
    pub fn into_drawing(self) -> Drawing {
        Drawing {
            svg: self.svg,
            data: self.data,
        }
    }
}

/// A panel: its place in units of the SVG's `viewBox`, and its values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Panel {
    /// Its title; empty for a single panel.
    pub title: String,
    /// Left, top, right and bottom edge.
    pub frame: [f64; 4],
    /// The positions at the left and the right edge, on the horizontal axis.
    pub range: [f64; 2],
    /// The positions of the values on the horizontal axis.
    pub at: Vec<f64>,
    /// The lines.
    pub lines: Vec<PanelLine>,
}

/// A line of a panel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PanelLine {
    /// Its number among the labels.
    pub line: usize,
    /// Fewest and most seeds behind a mean.
    pub seeds: [usize; 2],
    /// The mean at each position; absent where it has none.
    pub means: Vec<Option<f64>>,
    /// Half the width of the 95 % t interval at each position; absent with one seed.
    pub halves: Vec<Option<f64>>,
}

impl Panel {
    pub(super) fn of(title: String, frame: &Frame, lines: &[Line]) -> Self {
        let places = lines.iter().flat_map(|line| &line.means);
        // Positions are whole epochs or steps.
        let at: BTreeSet<u64> = places.map(|point| point.0 as u64).collect();
        let at: Vec<f64> = at.into_iter().map(|place| place as f64).collect();
        let value = |line: &Line, place: f64| line.means.iter().position(|point| point.0 == place);
        let line = |line: &Line| {
            let found: Vec<Option<usize>> = at.iter().map(|place| value(line, *place)).collect();
            let mean = |at: &Option<usize>| Some(rounded(line.means[(*at)?].1));
            let half = |at: &Option<usize>| {
                let band = line.bands[(*at)?]?;
                Some(rounded((band.high - band.low) / 2.0))
            };
            PanelLine {
                line: line.style,
                seeds: line.seeds,
                means: found.iter().map(mean).collect(),
                halves: found.iter().map(half).collect(),
            }
        };
        Self {
            title,
            frame: [frame.left, frame.top, frame.right, frame.bottom].map(|x| (x * UNITS).round()),
            range: [rounded(frame.x.low), rounded(frame.x.high)],
            lines: lines.iter().map(line).collect(),
            at,
        }
    }
}

/// `x` with five significant digits, which is finer than a figure shows.
fn rounded(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}
