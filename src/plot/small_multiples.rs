//! Small multiples: facets with their own axes in a grid, with one legend for all.

use super::PlotError;
use super::axis::{Frame, Range, labelled};
use super::canvas::{Anchor, Canvas, Type, shorten};
use super::legend::Legend;
use super::lines::{Line, draw_lines};
use super::page::Page;
use super::style::{EDGE, SMALL, SOFT, TITLE_ROW, WIDTH};
use crate::text::counted;

/// Facets beyond this number are left out, and the caption says so.
const MOST_FACETS: usize = 24;
/// Space for tick labels at the left of a facet.
const LEFT: f64 = 52.0;
const GAP: f64 = 16.0;
const FACET_HEIGHT: f64 = 150.0;
/// Space below a facet for ticks and the name of the axis.
const BELOW: f64 = 46.0;

/// Lines with axes of their own.
pub(super) struct Facet {
    pub(super) title: Vec<String>,
    /// Name of the horizontal axis.
    pub(super) axis: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) x: Range,
    pub(super) y: Range,
    /// Whether `x` is in decimal logarithms.
    pub(super) logarithmic: bool,
}

impl Facet {
    fn x_ticks(&self) -> Vec<(f64, String)> {
        if !self.logarithmic {
            return labelled(self.x, 4);
        }
        let decades = (0..9).map(f64::from);
        let inside = decades.filter(|d| (self.x.low..=self.x.high).contains(d));
        inside.map(|d| (d, 10f64.powf(d).to_string())).collect()
    }

    fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame) {
        let width = frame.right - frame.left;
        let title = self.title.iter();
        let title: Vec<String> = title.map(|l| shorten(l, SMALL, width + LEFT)).collect();
        canvas.title(&title, frame.middle(), frame.top);
        frame.y_ticks(canvas, &labelled(self.y, 4), true);
        frame.x_ticks(canvas, &self.x_ticks());
        let axis = shorten(self.axis, SMALL, width + LEFT - 8.0);
        let at = (frame.middle(), frame.bottom + 29.0);
        canvas.text(&axis, at, Type::new(SMALL, SOFT, Anchor::Middle));
        draw_lines(canvas, &self.lines, frame, 1.5);
        frame.edges(canvas);
    }
}

/// Width of a facet without its tick labels.
pub(super) fn facet_width(columns: usize) -> f64 {
    let columns = columns as f64;
    (WIDTH - 2.0 * EDGE - columns * LEFT - (columns - 1.0) * GAP) / columns
}

/// A figure of facets in a grid.
pub(super) struct SmallMultiples<'a> {
    pub(super) heading: &'a str,
    /// Follows the heading in the title for screen readers.
    pub(super) name: &'a str,
    pub(super) columns: usize,
    /// Names of the lines.
    pub(super) labels: Vec<String>,
    pub(super) caption: String,
}

impl SmallMultiples<'_> {
    /// Draws the facets; `None` without any.
    pub(super) fn draw(self, mut facets: Vec<Facet>) -> Result<Option<String>, PlotError> {
        if facets.is_empty() {
            return Ok(None);
        }
        let left_out = facets.len().saturating_sub(MOST_FACETS);
        facets.truncate(MOST_FACETS);
        let mut caption = self.caption;
        if left_out > 0 {
            let more = counted(left_out, "more facet");
            caption.push_str(&format!(" {more} left out; runs.jsonl has the numbers."));
        }
        let titles = facets.iter().map(|facet| facet.title.len());
        let above = TITLE_ROW * titles.max().unwrap_or(1) as f64 + 10.0;
        let row = above + FACET_HEIGHT + BELOW;
        let rows = facets.len().div_ceil(self.columns);
        let width = facet_width(self.columns);
        let title = format!("{}: {}", self.heading, self.name);
        let page = Page::new(self.heading, Some(Legend::new(self.labels)), &caption);
        let svg = page.draw(&title, row * rows as f64 + 8.0, |canvas, top| {
            for (k, facet) in facets.iter().enumerate() {
                let left = EDGE + LEFT + (k % self.columns) as f64 * (width + LEFT + GAP);
                let top = top + row * (k / self.columns) as f64 + above;
                let frame = Frame {
                    left,
                    top,
                    right: left + width,
                    bottom: top + FACET_HEIGHT,
                    x: facet.x,
                    y: facet.y,
                };
                facet.draw(canvas, &frame);
            }
        })?;
        Ok(Some(svg))
    }
}
