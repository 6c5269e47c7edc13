//! Legends of lines.

use super::canvas::{Anchor, Canvas, Type, shorten, text_width};
use super::style::{EDGE, INK, LABEL, series};
use super::theme::Theme;

const LEGEND_ROW: f64 = 21.0;

/// The names of the lines, in up to three columns.
pub(crate) struct Legend {
    /// The number of each line and its name.
    entries: Vec<(usize, String)>,
    columns: usize,
}

impl Legend {
    /// Width of the line sample in front of an entry.
    const SAMPLE: f64 = 46.0;

    /// A legend with one entry per line, in the order of their styles.
    pub(crate) fn new(theme: Theme, entries: Vec<String>) -> Self {
        Self::numbered(theme, entries.into_iter().enumerate().collect())
    }

    /// A legend of some lines, each with the number of its style.
    pub(crate) fn numbered(theme: Theme, entries: Vec<(usize, String)>) -> Self {
        let widest = entries
            .iter()
            .map(|(_, name)| text_width(name, LABEL))
            .fold(0.0, f64::max);
        let fit = (theme.inner() / (widest + Self::SAMPLE + 16.0)) as usize;
        Self {
            columns: fit.clamp(1, 3),
            entries,
        }
    }

    fn rows(&self) -> usize {
        self.entries.len().div_ceil(self.columns)
    }

    pub(crate) fn height(&self) -> f64 {
        LEGEND_ROW * self.rows() as f64 + 8.0
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas<'_>, top: f64) {
        let width = canvas.theme().inner() / self.columns as f64;
        for (k, (style, name)) in self.entries.iter().enumerate() {
            let left = EDGE + (k / self.rows()) as f64 * width;
            let y = top + LEGEND_ROW * (k % self.rows()) as f64;
            let (color, dash) = series(*style);
            let band = [
                (left, y - 5.0),
                (left + 36.0, y - 5.0),
                (left + 36.0, y + 5.0),
                (left, y + 5.0),
            ];
            canvas.series(*style, |canvas| {
                canvas.shape(&band, color, 0.15);
                canvas.line(&[(left, y), (left + 36.0, y)], color, 2.0, dash, "key");
            });
            let name = shorten(name, LABEL, width - Self::SAMPLE);
            canvas.text(
                &name,
                (left + Self::SAMPLE, y),
                Type::new(LABEL, INK, Anchor::Start),
            );
        }
    }
}
