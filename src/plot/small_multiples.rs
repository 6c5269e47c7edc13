//! Small multiples: facets with their own axes in a grid, with one legend for all.

use super::PlotError;
use super::axis::{Frame, Range, epoch_ticks, labelled};
use super::canvas::{Anchor, BOLD, Canvas, Type, shorten, wrap_to};
use super::curve_values::{Curves, Panel};
use super::drawing::{Cell, Drawing, Table};
use super::legend::Legend;
use super::lines::{Line, draw_lines};
use super::page::{Page, seed_range};
use super::style::{EDGE, INK, LABEL, SMALL, SOFT, TITLE_ROW};
use super::theme::Theme;
use crate::text::counted;
use crate::text::number::grouped;
use std::collections::BTreeSet;

/// Facets beyond this number are left out, and the caption says so.
const MOST_FACETS: usize = 24;
/// Space for tick labels at the left of a facet.
const LEFT: f64 = 52.0;
const GAP: f64 = 16.0;
/// Space below a facet for ticks and the name of the axis.
const BELOW: f64 = 46.0;
/// Space for the heading of a section.
const SECTION: f64 = 26.0;
/// Most lines of a facet's title.
const MOST_TITLE_LINES: usize = 3;
/// Least width of a facet with its tick labels.
const LEAST: f64 = 185.0;

/// Marks of a horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticks {
    Numbers,
    /// Epochs or steps: whole numbers from the first one.
    Epochs,
    /// Powers of ten; positions are decimal logarithms.
    Decades,
}

/// Lines with axes of their own.
pub(super) struct Facet {
    /// Facets of one section share a heading and start in a new row.
    pub(super) section: String,
    pub(super) title: String,
    /// Name of the horizontal axis.
    pub(super) axis: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) x: Range,
    pub(super) y: Range,
    pub(super) ticks: Ticks,
}

impl Facet {
    /// Section and title.
    fn name(&self) -> String {
        let name = [&*self.section, &*self.title].map(str::trim);
        let parts: Vec<&str> = name.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }

    /// The value at a position of the horizontal axis.
    fn value_at(&self, x: f64) -> f64 {
        match self.ticks {
            Ticks::Numbers | Ticks::Epochs => x,
            Ticks::Decades => 10f64.powf(x).round(),
        }
    }

    fn x_ticks(&self, width: f64) -> Vec<(f64, String)> {
        match self.ticks {
            Ticks::Numbers => labelled(self.x, 4),
            Ticks::Epochs => {
                let end = self.x.high as usize;
                let most = (width / 45.0).clamp(3.0, 10.0) as usize;
                let marked = epoch_ticks(end, most).into_iter();
                let marked = marked.filter(|&at| at as f64 >= self.x.low);
                marked.map(|at| (at as f64, grouped(at as u64))).collect()
            }
            Ticks::Decades => {
                let decades = (0..9).map(f64::from);
                let inside = decades.filter(|d| (self.x.low..=self.x.high).contains(d));
                inside
                    .map(|d| (d, grouped(10f64.powf(d).round() as u64)))
                    .collect()
            }
        }
    }

    /// The title and the number of seeds.
    fn title(&self, width: f64) -> Vec<String> {
        let n = seed_range(self.lines.iter().flat_map(|line| line.seeds));
        let room = width + 0.7 * LEFT;
        let title = match self.title.is_empty() {
            true => n,
            false => format!("{} ({n})", self.title),
        };
        wrap_to(&title, SMALL, room, MOST_TITLE_LINES)
    }

    fn draw(&self, canvas: &mut Canvas<'_>, frame: &Frame) {
        let width = frame.right - frame.left;
        canvas.title(&self.title(width), frame.middle(), frame.top);
        let count = ((frame.bottom - frame.top) / 40.0).clamp(4.0, 7.0) as usize;
        frame.y_ticks(canvas, &labelled(frame.y, count), true);
        frame.x_ticks(canvas, &self.x_ticks(width));
        let axis = shorten(self.axis, SMALL, width + LEFT - 8.0);
        let at = (frame.middle(), frame.bottom + 29.0);
        canvas.text(&axis, at, Type::new(SMALL, SOFT, Anchor::Middle));
        draw_lines(canvas, &self.lines, frame, 1.5);
        frame.edges(canvas);
    }
}

/// A row per point of a line; `low` and `high` are the ends of its band.
fn data(facets: &[Facet], labels: &[String]) -> Table {
    let mut table = Table::new(&[
        "panel", "line", "axis", "at", "value", "low", "high", "n_least", "n_most",
    ]);
    for facet in facets {
        for line in &facet.lines {
            let label = labels.get(line.style).map_or("", String::as_str);
            for ((at, value), band) in line.means.iter().zip(&line.bands) {
                let ends = band.map_or([Cell::NONE, Cell::NONE], |band| {
                    [band.low.into(), band.high.into()]
                });
                let [low, high] = ends;
                table.row([
                    (&facet.name()).into(),
                    label.into(),
                    facet.axis.into(),
                    facet.value_at(*at).into(),
                    (*value).into(),
                    low,
                    high,
                    line.seeds[0].into(),
                    line.seeds[1].into(),
                ]);
            }
        }
    }
    table
}

/// A figure of facets in a grid.
pub(super) struct SmallMultiples<'a> {
    pub(super) theme: Theme,
    pub(super) heading: &'a str,
    /// What the facets show.
    pub(super) name: &'a str,
    /// Facets per row, if there is room.
    pub(super) columns: usize,
    /// Names of the lines. Those that no facet has are left out of the legend.
    pub(super) labels: Vec<String>,
    pub(super) caption: String,
}

/// A facet and its column; the tops of its section's heading and of its row.
struct Placed<'f> {
    facet: &'f Facet,
    column: usize,
    heading: Option<f64>,
    top: f64,
}

impl SmallMultiples<'_> {
    /// Draws the facets; `None` without any.
    pub(super) fn draw(self, facets: Vec<Facet>) -> Result<Option<Drawing>, PlotError> {
        let drawn = self.draw_with_values(facets)?;
        Ok(drawn.map(Curves::into_drawing))
    }

    /// Draws the facets, and tells where which values are; `None` without any.
    pub(super) fn draw_with_values(
        mut self,
        mut facets: Vec<Facet>,
    ) -> Result<Option<Curves>, PlotError> {
        if facets.is_empty() {
            return Ok(None);
        }
        self.columns = self.theme.columns(self.columns, LEAST);
        let left_out = facets.len().saturating_sub(MOST_FACETS);
        facets.truncate(MOST_FACETS);
        let mut caption = self.caption.clone();
        if left_out > 0 {
            let more = counted(left_out, "more facet");
            caption.push_str(&format!(" {more} left out; runs.jsonl has the numbers."));
        }
        let (placed, height) = self.grid(&facets);
        let title = format!("{}: {}", self.heading, self.name);
        let labels = self.drawn_labels(&facets);
        let legend = Legend::numbered(self.theme, labels.clone());
        let page = Page::new(self.theme, self.heading, Some(legend), &caption);
        let mut panels = Vec::new();
        let svg = page
            .showing(self.name)
            .draw(&title, height + 8.0, |canvas, top| {
                for one in &placed {
                    let frame = self.draw_placed(canvas, one, top);
                    let facet = one.facet;
                    panels.push(Panel::of(facet.name(), &frame, &facet.lines));
                }
            })?;
        Ok(Some(Curves {
            svg,
            data: data(&facets, &self.labels),
            axis: facets[0].axis,
            labels,
            panels,
        }))
    }

    /// The number and name of every line that a facet has.
    fn drawn_labels(&self, facets: &[Facet]) -> Vec<(usize, String)> {
        let lines = facets.iter().flat_map(|facet| &facet.lines);
        let drawn: BTreeSet<usize> = lines.map(|line| line.style).collect();
        let name = |style: usize| Some((style, self.labels.get(style)?.clone()));
        drawn.into_iter().filter_map(name).collect()
    }

    /// Width of a facet without its tick labels.
    fn width(&self) -> f64 {
        let columns = self.columns as f64;
        (self.theme.inner() - columns * LEFT - (columns - 1.0) * GAP) / columns
    }

    /// Facets get higher where they are wider.
    fn facet_height(&self) -> f64 {
        match self.columns {
            1 => 300.0,
            2 => 190.0,
            _ => 150.0,
        }
    }

    /// Positions of the facets below the top of the content, and the height of all.
    fn grid<'f>(&self, facets: &'f [Facet]) -> (Vec<Placed<'f>>, f64) {
        let mut placed = Vec::new();
        let mut y = 0.0;
        for section in facets.chunk_by(|a, b| a.section == b.section) {
            let mut heading = (!section[0].section.is_empty()).then_some(y);
            if heading.is_some() {
                y += SECTION;
            }
            for row in section.chunks(self.columns) {
                let titles = row.iter().map(|facet| facet.title(self.width()).len());
                let top = y + TITLE_ROW * titles.max().unwrap_or(1) as f64 + 10.0;
                for (column, facet) in row.iter().enumerate() {
                    placed.push(Placed {
                        facet,
                        column,
                        heading: heading.take(),
                        top,
                    });
                }
                y = top + self.facet_height() + BELOW;
            }
        }
        (placed, y)
    }

    fn draw_placed(&self, canvas: &mut Canvas<'_>, one: &Placed<'_>, top: f64) -> Frame {
        if let Some(y) = one.heading {
            let kind = Type::new(LABEL, INK, Anchor::Start).bold();
            let text = shorten(&one.facet.section, LABEL * BOLD, self.theme.inner());
            canvas.text(&text, (EDGE, top + y + 14.0), kind);
        }
        let width = self.width();
        let left = EDGE + LEFT + one.column as f64 * (width + LEFT + GAP);
        let top = top + one.top;
        let frame = Frame {
            left,
            top,
            right: left + width,
            bottom: top + self.facet_height(),
            x: one.facet.x,
            y: one.facet.y,
        };
        one.facet.draw(canvas, &frame);
        frame
    }
}
