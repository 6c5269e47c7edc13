//! Drawing in pixels, with three things that the SVG backend lacks: dashes, half-pixel coordinates and a
//! title for screen readers.

use super::PlotError;
use super::style::{CAPTION_ROW, EDGE, HEADING, HEADING_ROW, INK, SMALL, SOFT, TITLE_ROW};
use super::theme::Theme;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;

pub(crate) use super::text_size::{BOLD, NO_BREAK, shorten, text_width, wrap, wrap_to};

/// Units per pixel. The backend rounds to whole units, and two per pixel keep curves smooth.
pub(super) const UNITS: f64 = 2.0;
/// The backend divides font sizes by this.
const FONT_FACTOR: f64 = 1.24;

/// The point of a text that is placed at the given position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Size, color and position of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub(crate) size: f64,
    pub(crate) color: RGBColor,
    pub(crate) anchor: Anchor,
    pub(crate) bold: bool,
    /// Rotated to read from bottom to top.
    pub(crate) upright: bool,
}

impl Type {
    pub(crate) const fn new(size: f64, color: RGBColor, anchor: Anchor) -> Self {
        Self {
            size,
            color,
            anchor,
            bold: false,
            upright: false,
        }
    }

    pub(crate) const fn bold(mut self) -> Self {
        self.bold = true;
        self
    }

    pub(crate) const fn upright(mut self) -> Self {
        self.upright = true;
        self
    }
}

/// Area to draw on. The first error is kept and returned by [`figure`].
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    theme: Theme,
    /// Attributes of each polyline, polygon and circle, in drawing order.
    attributes: Vec<String>,
    /// The series to which the next ones belong.
    series: Option<usize>,
    error: Option<String>,
}

/// Makes an SVG of the given height, as wide as `theme` says, from what `draw` draws on a white area.
///
/// # Errors
/// If the drawing library fails.
pub(crate) fn figure(
    theme: Theme,
    height: f64,
    title: &str,
    draw: impl FnOnce(&mut Canvas<'_>),
) -> Result<String, PlotError> {
    let units = |x: f64| (x * UNITS).ceil() as u32;
    let mut svg = String::new();
    let failed = |message: String| PlotError {
        figure: title.to_owned(),
        message,
    };
    let attributes = {
        let size = (units(theme.width()), units(height));
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE).map_err(|e| failed(e.to_string()))?;
        let mut canvas = Canvas {
            area,
            theme,
            attributes: Vec::new(),
            series: None,
            error: None,
        };
        draw(&mut canvas);
        if let Some(message) = canvas.error {
            return Err(failed(message));
        }
        canvas.area.present().map_err(|e| failed(e.to_string()))?;
        canvas.attributes
    };
    Ok(finish(&svg, &attributes, (theme.width(), height), title))
}

impl Canvas<'_> {
    /// The medium of the figure.
    pub(crate) const fn theme(&self) -> Theme {
        self.theme
    }

    /// Marks lines, shapes and circles that `draw` draws as parts of series number `series`, as the attribute
    /// `data-series` in the SVG.
    pub(crate) fn series(&mut self, series: usize, draw: impl FnOnce(&mut Self)) {
        self.series = Some(series);
        draw(self);
        self.series = None;
    }

    /// Notes the attributes of the element that is drawn next.
    fn attributes(&mut self, own: String) {
        let series = self.series.map(|k| format!(" data-series=\"{k}\""));
        self.attributes.push(own + &series.unwrap_or_default());
    }

    /// Draws a line through `points`. `dash` lists lengths of strokes and gaps; `class` names the line in
    /// the SVG.
    pub(crate) fn line(
        &mut self,
        points: &[(f64, f64)],
        color: RGBColor,
        width: f64,
        dash: &[u32],
        class: &str,
    ) {
        if points.len() < 2 {
            return;
        }
        let mut attributes = format!(" class=\"{class}\"");
        if !dash.is_empty() {
            let dash: Vec<String> = dash
                .iter()
                .map(|d| (f64::from(*d) * UNITS).to_string())
                .collect();
            attributes.push_str(&format!(" stroke-dasharray=\"{}\"", dash.join(",")));
        }
        let style = color.stroke_width((width * UNITS).round() as u32);
        let points: Vec<_> = points.iter().map(|p| to_units(*p)).collect();
        let drawn = self.area.draw(&PathElement::new(points, style));
        self.attributes(attributes);
        self.note(drawn);
    }

    /// Draws a filled polygon.
    pub(crate) fn shape(&mut self, points: &[(f64, f64)], color: RGBColor, opacity: f64) {
        if points.len() < 3 {
            return;
        }
        let points: Vec<_> = points.iter().map(|p| to_units(*p)).collect();
        let drawn = self
            .area
            .draw(&Polygon::new(points, color.mix(opacity).filled()));
        self.attributes(String::new());
        self.note(drawn);
    }

    /// Draws a filled rectangle between two corners.
    pub(crate) fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor) {
        let drawn = self.area.draw(&Rectangle::new(
            [to_units(from), to_units(to)],
            color.filled(),
        ));
        self.note(drawn);
    }

    /// Draws a filled circle.
    pub(crate) fn dot(&mut self, center: (f64, f64), radius: f64, color: RGBColor, opacity: f64) {
        let radius = (radius * UNITS).round() as u32;
        let style = color.mix(opacity).filled();
        let drawn = self
            .area
            .draw(&Circle::new(to_units(center), radius, style));
        self.attributes(String::new());
        self.note(drawn);
    }

    /// Draws the outline of a circle.
    pub(crate) fn ring(&mut self, center: (f64, f64), radius: f64, color: RGBColor) {
        let radius = (radius * UNITS).round() as u32;
        let style = color.stroke_width((1.5 * UNITS) as u32);
        let drawn = self
            .area
            .draw(&Circle::new(to_units(center), radius, style));
        self.attributes(String::new());
        self.note(drawn);
    }

    /// Draws the lines of a heading at the top, [`HEADING_ROW`] each.
    pub(crate) fn heading(&mut self, lines: &[String]) {
        let kind = Type::new(HEADING, INK, Anchor::Start).bold();
        for (k, line) in lines.iter().enumerate() {
            self.text(line, (EDGE, 20.0 + HEADING_ROW * k as f64), kind);
        }
    }

    /// Draws the lines of a facet's title, [`TITLE_ROW`] each, centered at `middle` and ending above
    /// `bottom`.
    pub(crate) fn title(&mut self, lines: &[String], middle: f64, bottom: f64) {
        let first = bottom - 8.0 - TITLE_ROW * (lines.len() as f64 - 1.0);
        let kind = Type::new(SMALL, INK, Anchor::Middle);
        for (k, line) in lines.iter().enumerate() {
            self.text(line, (middle, first + TITLE_ROW * k as f64), kind);
        }
    }

    /// Draws the lines of a caption, [`CAPTION_ROW`] each, the first one at `top`.
    pub(crate) fn caption(&mut self, lines: &[String], top: f64) {
        let kind = Type::new(SMALL, SOFT, Anchor::Start);
        for (k, line) in lines.iter().enumerate() {
            self.text(line, (EDGE, top + CAPTION_ROW * k as f64), kind);
        }
    }

    /// Draws a text that is vertically centered at `at`.
    pub(crate) fn text(&mut self, text: &str, at: (f64, f64), kind: Type) {
        let weight = if kind.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let horizontal = match kind.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = FontDesc::new(
            FontFamily::SansSerif,
            kind.size * UNITS * FONT_FACTOR,
            weight,
        );
        let font = if kind.upright {
            font.transform(FontTransform::Rotate270)
        } else {
            font
        };
        let style = TextStyle::from(font)
            .color(&kind.color)
            .pos(Pos::new(horizontal, VPos::Center));
        let drawn = self
            .area
            .draw(&Text::new(printable(text), to_units(at), style));
        self.note(drawn);
    }

    fn note<E: Display>(&mut self, drawn: Result<(), E>) {
        if let Err(error) = drawn {
            self.error.get_or_insert_with(|| error.to_string());
        }
    }
}

/// `text` without control characters, which XML forbids, and with usual spaces.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.map(|c| if c == NO_BREAK { ' ' } else { c }).collect()
}

/// Pixels as units of the backend.
fn to_units((x, y): (f64, f64)) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

/// Elements that have attributes of their own.
const WITH_ATTRIBUTES: [&str; 3] = ["polyline", "polygon", "circle"];

/// Scales the SVG to pixels and adds its title and the attributes of lines, shapes and circles.
fn finish(svg: &str, attributes: &[String], (width, height): (f64, f64), title: &str) -> String {
    let header_end = svg.find('\n').map_or(0, |at| at + 1);
    let escaped = printable(title)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let mut out = format!(
        "<svg width=\"{width}\" height=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{escaped}</title>\n",
        height.ceil(),
        width * UNITS,
        height.ceil() * UNITS,
    );
    // Texts are escaped, so that `<` can only be the start of an element.
    let mut attributes = attributes.iter();
    let mut pieces = svg[header_end..].split('<');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push('<');
        let found = (WITH_ATTRIBUTES.into_iter()).find(|name| piece.starts_with(name));
        let (name, rest) = piece.split_at(found.map_or(0, str::len));
        out.push_str(name);
        if found.is_some() {
            out.push_str(attributes.next().map_or("", String::as_str));
        }
        out.push_str(rest);
    }
    out
}
