//! The parts that every figure shares: heading above the content, legend and caption below it, and
//! facets in a row.

use super::PlotError;
use super::axis::{Frame, Range};
use super::canvas::{Canvas, figure, wrap};
use super::legend::Legend;
use super::style::{CAPTION_ROW, EDGE, HEADING, HEADING_ROW, SMALL, WIDTH};

/// Space for tick labels at the left of a row of facets.
const LEFT: f64 = 74.0;
/// Space between two facets of a row.
const GAP: f64 = 24.0;

/// Heading, legend and caption around the content of a figure.
pub(crate) struct Page {
    heading: Vec<String>,
    legend: Option<Legend>,
    caption: Vec<String>,
}

impl Page {
    pub(crate) fn new(heading: &str, legend: Option<Legend>, caption: &str) -> Self {
        Self {
            heading: wrap(heading, HEADING, WIDTH - 2.0 * EDGE),
            legend,
            caption: wrap(caption, SMALL, WIDTH - 2.0 * EDGE),
        }
    }

    /// Draws the page around content of the given height. `draw` receives the top of the content;
    /// `title` names the figure for screen readers.
    ///
    /// # Errors
    /// If the drawing library fails.
    pub(crate) fn draw(
        self,
        title: &str,
        height: f64,
        draw: impl FnOnce(&mut Canvas<'_>, f64),
    ) -> Result<String, PlotError> {
        let top = 18.0 + HEADING_ROW * self.heading.len() as f64;
        let below = top + height;
        let caption = below + self.legend.as_ref().map_or(0.0, Legend::height);
        let bottom = caption + CAPTION_ROW * self.caption.len() as f64 + 16.0;
        figure(bottom, title, |canvas| {
            canvas.heading(&self.heading);
            draw(canvas, top);
            if let Some(legend) = &self.legend {
                legend.draw(canvas, below);
            }
            canvas.caption(&self.caption, caption + 6.0);
        })
    }
}

/// Facet number `k` of `count` side by side, which share the vertical axis.
pub(super) fn facet_in_row(
    k: usize,
    count: usize,
    (top, bottom): (f64, f64),
    x: Range,
    y: Range,
) -> Frame {
    let room = WIDTH - LEFT - EDGE - GAP * (count - 1) as f64;
    let width = room / count as f64;
    let left = LEFT + k as f64 * (width + GAP);
    Frame {
        left,
        top,
        right: left + width,
        bottom,
        x,
        y,
    }
}

/// `8 seeds`, or `5 to 8 seeds` where counts differ.
pub(super) fn seed_range(counts: impl Iterator<Item = usize> + Clone) -> String {
    let fewest = counts.clone().min().unwrap_or(0);
    let most = counts.max().unwrap_or(0);
    let all = crate::text::counted(most, "seed");
    match fewest == most {
        true => all,
        false => format!("{fewest} to {all}"),
    }
}

/// A sentence on the factors that a figure averages over; empty without any.
pub(super) fn mean_over(factors: &[&str]) -> String {
    match factors.is_empty() {
        true => String::new(),
        false => format!(" Mean over {}.", factors.join(" and ")),
    }
}
