//! The parts that every figure shares: heading above the content, legend and caption below it, and
//! facets in a row.

use super::PlotError;
use super::axis::{Frame, Range};
use super::canvas::{Anchor, BOLD, Canvas, Type, figure, wrap};
use super::legend::Legend;
use super::style::{CAPTION_ROW, EDGE, HEADING, HEADING_ROW, INK, LABEL, SMALL};
use super::theme::Theme;

/// Space for tick labels at the left of a row of facets.
const LEFT: f64 = 66.0;
/// Space between two facets of a row.
const GAP: f64 = 24.0;

/// From one line of a subtitle to the next.
const SUBTITLE_ROW: f64 = 18.0;

/// Heading, legend and caption around the content of a figure.
pub(crate) struct Page {
    theme: Theme,
    heading: Vec<String>,
    subtitle: Vec<String>,
    legend: Option<Legend>,
    caption: Vec<String>,
}

impl Page {
    pub(crate) fn new(theme: Theme, heading: &str, legend: Option<Legend>, caption: &str) -> Self {
        Self {
            theme,
            heading: wrap(heading, HEADING * BOLD, theme.inner()),
            subtitle: Vec::new(),
            legend,
            caption: wrap(caption, SMALL, theme.inner()),
        }
    }

    /// The same page with a line below the heading that says what the vertical axis shows.
    pub(crate) fn showing(mut self, text: &str) -> Self {
        self.subtitle = wrap(text, LABEL, self.theme.inner());
        self
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
        let subtitle = 20.0 + HEADING_ROW * self.heading.len() as f64;
        let top = subtitle - 2.0 + SUBTITLE_ROW * self.subtitle.len() as f64;
        let below = top + height;
        let caption = below + self.legend.as_ref().map_or(0.0, Legend::height);
        let bottom = caption + CAPTION_ROW * self.caption.len() as f64 + 16.0;
        figure(self.theme, bottom, title, |canvas| {
            canvas.heading(&self.heading);
            for (k, line) in self.subtitle.iter().enumerate() {
                let at = (EDGE, subtitle + SUBTITLE_ROW * k as f64);
                canvas.text(line, at, Type::new(LABEL, INK, Anchor::Start));
            }
            draw(canvas, top);
            if let Some(legend) = &self.legend {
                legend.draw(canvas, below);
            }
            canvas.caption(&self.caption, caption + 6.0);
        })
    }
}

/// Width of each of `count` facets side by side.
pub(super) fn row_facet_width(theme: Theme, count: usize) -> f64 {
    (theme.width() - LEFT - EDGE - GAP * (count - 1) as f64) / count as f64
}

/// Facet number `k` of `count` side by side, which share the vertical axis.
pub(super) fn facet_in_row(
    theme: Theme,
    k: usize,
    count: usize,
    (top, bottom): (f64, f64),
    x: Range,
    y: Range,
) -> Frame {
    let width = row_facet_width(theme, count);
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

/// `n = 8`, or `n = 5 to 8` where the numbers of seeds differ, with no-break spaces.
pub(crate) fn seed_range(counts: impl Iterator<Item = usize> + Clone) -> String {
    let fewest = counts.clone().min().unwrap_or(0);
    match counts.max().unwrap_or(0) {
        most if most == fewest => format!("n\u{a0}=\u{a0}{most}"),
        most => format!("n\u{a0}=\u{a0}{fewest}\u{a0}to\u{a0}{most}"),
    }
}

/// A sentence on the factors that a figure averages over; empty without any.
pub(super) fn mean_over(factors: &[&str]) -> String {
    match factors.is_empty() {
        true => String::new(),
        false => format!(" Mean over {}.", factors.join(" and ")),
    }
}
