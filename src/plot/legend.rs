//! Legends of lines.

use super::canvas::{Anchor, Canvas, Type, shorten, text_width};
use super::style::{EDGE, INK, LABEL, WIDTH, series};
use crate::analysis::ArmSummary;

const LEGEND_ROW: f64 = 21.0;

/// The names of the lines, in up to three columns.
pub(crate) struct Legend {
    entries: Vec<String>,
    columns: usize,
}

impl Legend {
    /// Width of the line sample in front of an entry.
    const SAMPLE: f64 = 46.0;

    /// A legend of arms, with the number of seeds where some did not finish.
    pub(crate) fn of(arms: &[ArmSummary]) -> Self {
        let most = arms.iter().map(|a| a.n).max().unwrap_or(0);
        let entries: Vec<String> = arms
            .iter()
            .map(|arm| match arm.n {
                0 => format!("{} (no seed finished)", arm.label),
                n if n < most => format!("{} (n = {n})", arm.label),
                _ => arm.label.clone(),
            })
            .collect();
        Self::new(entries)
    }

    /// A legend with one entry per line, in the order of their styles.
    pub(crate) fn new(entries: Vec<String>) -> Self {
        let widest = entries
            .iter()
            .map(|e| text_width(e, LABEL))
            .fold(0.0, f64::max);
        let fit = ((WIDTH - 2.0 * EDGE) / (widest + Self::SAMPLE + 24.0)) as usize;
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
        let width = (WIDTH - 2.0 * EDGE) / self.columns as f64;
        for (k, entry) in self.entries.iter().enumerate() {
            let left = EDGE + (k / self.rows()) as f64 * width;
            let y = top + LEGEND_ROW * (k % self.rows()) as f64;
            let (color, dash) = series(k);
            let band = [
                (left, y - 5.0),
                (left + 36.0, y - 5.0),
                (left + 36.0, y + 5.0),
                (left, y + 5.0),
            ];
            canvas.shape(&band, color, 0.15);
            canvas.line(&[(left, y), (left + 36.0, y)], color, 2.0, dash, "key");
            let entry = shorten(entry, LABEL, width - Self::SAMPLE);
            canvas.text(
                &entry,
                (left + Self::SAMPLE, y),
                Type::new(LABEL, INK, Anchor::Start),
            );
        }
    }
}
