//! Colours, dashes and sizes, in pixels.

/// A colour.
pub(crate) use plotters::style::RGBColor;

/// Width of a figure for the screen.
pub(crate) const WIDTH: f64 = 800.0;
/// Space at the left and right edge of a figure.
pub(crate) const EDGE: f64 = 16.0;
/// Size of headings.
pub(crate) const HEADING: f64 = 16.0;
/// From one line of a heading to the next.
pub(crate) const HEADING_ROW: f64 = 21.0;
/// Size of labels.
pub(crate) const LABEL: f64 = 13.0;
/// Size of captions and tick labels.
pub(crate) const SMALL: f64 = 12.0;
/// From one line of a caption to the next.
pub(crate) const CAPTION_ROW: f64 = 16.0;

/// From one line of a facet's title to the next.
pub(crate) const TITLE_ROW: f64 = 15.0;

pub(crate) const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(crate) const SOFT: RGBColor = RGBColor(0x55, 0x55, 0x55);
pub(crate) const GRID: RGBColor = RGBColor(0xd4, 0xd4, 0xd4);
pub(crate) const SHADE: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
pub(crate) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(crate) const VERMILLION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);

/// The palette of Okabe and Ito without yellow, which is hard to see on white.
const PALETTE: [RGBColor; 7] = [
    BLUE,
    VERMILLION,
    GREEN,
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
];

/// Dash patterns: lengths of strokes and gaps; empty for a solid line.
const DASHES: [&[u32]; 5] = [&[], &[8, 3], &[2, 3], &[10, 3, 2, 3], &[15, 5]];

/// Most lines in one panel; figures of more have several panels.
pub(crate) const MOST_LINES: usize = 7;

/// Color and dash pattern of line number `k`. Seven colors and five patterns give 35 different
/// lines.
pub(crate) fn series(k: usize) -> (RGBColor, &'static [u32]) {
    (PALETTE[k % PALETTE.len()], DASHES[k % DASHES.len()])
}
