//! The medium of a figure, which decides its width.

use super::style::{EDGE, SMALL, WIDTH};

/// The medium for which a figure is drawn.
///
/// Texts and lines have the same size in pixels on every medium. On a narrower figure they are larger relative
/// to it, and fewer facets fit beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// A report.
    #[default]
    Screen,
    /// A column of a paper, 8.5 cm wide, where the smallest text has 6 pt.
    Paper,
    /// A slide.
    Slide,
}

/// Width of a paper's column in inches.
const COLUMN: f64 = 8.5 / 2.54;
/// Pixels of a style sheet per inch.
const CSS: f64 = 96.0;

impl Theme {
    /// Width of a figure in pixels.
    pub(crate) const fn width(self) -> f64 {
        match self {
            Self::Screen => WIDTH,
            Self::Paper => 480.0,
            Self::Slide => 640.0,
        }
    }

    /// Width between the edges.
    pub(crate) const fn inner(self) -> f64 {
        self.width() - 2.0 * EDGE
    }

    /// `wanted` columns, or as many as have at least `room` pixels.
    pub(crate) fn columns(self, wanted: usize, room: f64) -> usize {
        let fit = (self.inner() / room) as usize;
        wanted.min(fit.max(1))
    }

    /// Most lines of a text that has at most `most` on the screen: narrower figures need more.
    pub(crate) const fn lines(self, most: usize) -> usize {
        match self {
            Self::Screen => most,
            Self::Paper | Self::Slide => 2 * most,
        }
    }

    /// A size of text that is small on the screen: elsewhere at least that of captions.
    pub(crate) fn text(self, size: f64) -> f64 {
        match self {
            Self::Screen => size,
            Self::Paper | Self::Slide => size.max(SMALL),
        }
    }

    /// Pixels per inch on paper.
    pub fn pixels_per_inch(self) -> f64 {
        match self {
            Self::Paper => self.width() / COLUMN,
            Self::Screen | Self::Slide => CSS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_text_has_six_points_in_a_column_of_a_paper() {
        let points = |size: f64| size / Theme::Paper.pixels_per_inch() * 72.0;
        assert!(points(Theme::Paper.text(10.0)) >= 6.0);
    }

    #[test]
    fn narrow_figures_have_fewer_columns() {
        let columns = |theme: Theme| theme.columns(4, 190.0);
        let all = [Theme::Screen, Theme::Slide, Theme::Paper].map(columns);
        assert_eq!(all, [4, 3, 2]);
    }
}
