//! Cost by size, with logarithmic axes and a line for cost proportional to the arithmetic.

use crate::plot::PlotError;
use crate::plot::axis::{Frame, Range};
use crate::plot::canvas::{Anchor, BOLD, Canvas, Type, figure, shorten, text_width, wrap};
use crate::plot::legend::Legend;
use crate::plot::style::{
    CAPTION_ROW, EDGE, HEADING, HEADING_ROW, INK, LABEL, RGBColor, SMALL, SOFT, WIDTH, series,
};
use crate::plot::theme::Theme;
use crate::stats::Interval;

const LEFT: f64 = 66.0;
const GAP: f64 = 62.0;
const FACET_HEIGHT: f64 = 230.0;
/// Distance between the tops of two rows of facets.
const ROW: f64 = FACET_HEIGHT + 96.0;
/// Space for the title of a facet.
const TITLE_ROW: f64 = 20.0;
/// Radius of the ring of a mark.
const RING: f64 = 6.0;

/// The cost at one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The size; positive.
    pub size: f64,
    /// The cost; positive.
    pub cost: f64,
    /// Its interval, drawn as a bar.
    pub interval: Option<Interval>,
    /// The cost if it were proportional to the arithmetic.
    pub proportional: Option<f64>,
}

/// Costs at several sizes, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct CostSeries {
    /// Name in the legend; series with the same name have the same style in every facet.
    pub name: String,
    /// The costs.
    pub costs: Vec<Cost>,
}

/// A marked point with a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The size; positive.
    pub size: f64,
    /// The cost; positive.
    pub cost: f64,
    /// The label.
    pub label: String,
}

/// Series along one dimension of size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CostFacet {
    /// Title.
    pub title: String,
    /// Label of the size axis, with its unit.
    pub axis: String,
    /// The series.
    pub series: Vec<CostSeries>,
    /// The marked points.
    pub marks: Vec<Mark>,
}

/// A figure of costs.
#[derive(Clone, Debug, PartialEq)]
pub struct CostFigure<'a> {
    /// Heading.
    pub heading: &'a str,
    /// Label of the cost axis, with its unit.
    pub cost_axis: &'a str,
    /// Caption.
    pub caption: &'a str,
    /// Whether all facets have the same cost axis.
    pub shared_cost_axis: bool,
    /// The facets.
    pub facets: Vec<CostFacet>,
}

/// Draws costs by size, two facets per row; a single facet has the full width.
///
/// # Errors
/// If the drawing library fails.
pub fn cost_figure(of: &CostFigure<'_>) -> Result<String, PlotError> {
    let facets = &of.facets;
    let names = names(facets);
    let legend = Legend::new(Theme::Screen, names.clone());
    let heading = wrap(of.heading, HEADING * BOLD, WIDTH - 2.0 * EDGE);
    let caption = wrap(of.caption, SMALL, WIDTH - 2.0 * EDGE);
    let title_row = match facets.iter().all(|facet| facet.title.is_empty()) {
        true => 0.0,
        false => TITLE_ROW,
    };
    let columns = facets.len().clamp(1, 2);
    let row = ROW + title_row;
    let top = 25.0 + HEADING_ROW * heading.len() as f64;
    let below = top + 16.0 + row * facets.len().div_ceil(columns) as f64 - 24.0;
    let height = below + legend.height() + CAPTION_ROW * caption.len() as f64 + 16.0;
    let same = of.shared_cost_axis.then(|| costs(facets)).flatten();
    figure(Theme::Screen, height, of.heading, |canvas| {
        canvas.heading(&heading);
        for (k, facet) in facets.iter().enumerate() {
            let place = FacetPosition {
                column: k % columns,
                columns,
                top: top + title_row + row * (k / columns) as f64,
            };
            if let Some(frame) = frame(facet, &place, same) {
                draw_facet(canvas, facet, &frame, &names, of.cost_axis);
            }
        }
        legend.draw(canvas, below);
        canvas.caption(&caption, below + legend.height() + 6.0);
    })
}

/// Position of a facet in the figure.
struct FacetPosition {
    column: usize,
    columns: usize,
    top: f64,
}

/// The names of all series, in order of appearance.
fn names(facets: &[CostFacet]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for series in facets.iter().flat_map(|facet| &facet.series) {
        if !names.contains(&series.name) {
            names.push(series.name.clone());
        }
    }
    names
}

/// The range of the logarithms of all costs.
fn costs(facets: &[CostFacet]) -> Option<Range> {
    let costs = facets.iter().flat_map(|facet| &facet.series);
    let costs = costs.flat_map(|series| &series.costs);
    Range::of(costs.flat_map(|c| {
        let ends = c.interval.into_iter().flat_map(|i| [i.low, i.high]);
        let all = ends.chain([c.cost]).chain(c.proportional);
        all.map(f64::log10).collect::<Vec<_>>()
    }))
}

/// The frame of a facet, with cost axis `same` or its own; `None` without costs.
fn frame(facet: &CostFacet, place: &FacetPosition, same: Option<Range>) -> Option<Frame> {
    let sizes = facet.series.iter().flat_map(|series| &series.costs);
    let x = Range::of(sizes.map(|c| c.size.log10()))?;
    let y = same.or_else(|| costs(std::slice::from_ref(facet)))?;
    let gaps = GAP * (place.columns - 1) as f64;
    let width = (WIDTH - LEFT - EDGE - gaps) / place.columns as f64;
    let left = LEFT + place.column as f64 * (width + GAP);
    Some(Frame {
        left,
        top: place.top,
        right: left + width,
        bottom: place.top + FACET_HEIGHT,
        x: x.padded(0.04, 0.5),
        y: y.padded(0.05, 0.5),
    })
}

fn draw_facet(
    canvas: &mut Canvas<'_>,
    facet: &CostFacet,
    frame: &Frame,
    names: &[String],
    cost_axis: &str,
) {
    let title = shorten(&facet.title, LABEL * BOLD, frame.right - frame.left);
    let bold = Type::new(LABEL, INK, Anchor::Start).bold();
    canvas.text(&title, (frame.left, frame.top - 12.0), bold);
    frame.y_ticks(canvas, &cost_ticks(frame.y), true);
    frame.x_ticks(canvas, &size_ticks(facet));
    let label = Type::new(LABEL, INK, Anchor::Middle);
    let middle = (frame.left + frame.right) / 2.0;
    canvas.text(&facet.axis, (middle, frame.bottom + 32.0), label);
    let beside = (frame.left - 46.0, (frame.top + frame.bottom) / 2.0);
    canvas.text(cost_axis, beside, label.upright());
    for series in &facet.series {
        let proportional = series
            .costs
            .iter()
            .filter_map(|c| Some((c.size, c.proportional?)));
        let line: Vec<(f64, f64)> = proportional.map(|p| place(frame, p)).collect();
        canvas.line(&line, SOFT, 1.0, &[1, 4], "reference");
    }
    for costs in &facet.series {
        let style = names.iter().position(|name| *name == costs.name);
        let (color, dash) = series(style.unwrap_or_default());
        let line = points(frame, costs);
        canvas.line(&line, color, 2.0, dash, "series");
        for (cost, point) in costs.costs.iter().zip(line) {
            if let Some(interval) = cost.interval {
                let ends = [interval.low, interval.high];
                bar(
                    canvas,
                    ends.map(|end| place(frame, (cost.size, end))),
                    color,
                );
            }
            canvas.dot(point, 3.0, color, 1.0);
        }
    }
    for (k, mark) in facet.marks.iter().enumerate() {
        draw_mark(canvas, mark, frame, k % 2 == 0);
    }
    frame.edges(canvas);
}

/// A ring with its label above or below it, inside the frame.
fn draw_mark(canvas: &mut Canvas<'_>, mark: &Mark, frame: &Frame, above: bool) {
    let (x, y) = place(frame, (mark.size, mark.cost));
    canvas.ring((x, y), RING, INK);
    let beside = if above { -RING - 9.0 } else { RING + 9.0 };
    let half = text_width(&mark.label, SMALL) / 2.0;
    let x = x.clamp(frame.left + half + 3.0, frame.right - half - 3.0);
    let word = Type::new(SMALL, INK, Anchor::Middle);
    canvas.text(&mark.label, (x, y + beside), word);
}

/// An interval as a bar with caps.
fn bar(canvas: &mut Canvas<'_>, [low, high]: [(f64, f64); 2], color: RGBColor) {
    canvas.line(&[low, high], color, 1.5, &[], "interval");
    for (x, y) in [low, high] {
        canvas.line(&[(x - 4.0, y), (x + 4.0, y)], color, 1.5, &[], "interval");
    }
}

fn place(frame: &Frame, (size, cost): (f64, f64)) -> (f64, f64) {
    frame.at((size.log10(), cost.log10()))
}

fn points(frame: &Frame, series: &CostSeries) -> Vec<(f64, f64)> {
    let point = |c: &Cost| place(frame, (c.size, c.cost));
    series.costs.iter().map(point).collect()
}

/// The sizes of a facet, without those whose labels would overlap.
fn size_ticks(facet: &CostFacet) -> Vec<(f64, String)> {
    let costs = facet.series.iter().flat_map(|series| &series.costs);
    let mut sizes: Vec<f64> = costs.map(|c| c.size).collect();
    sizes.sort_by(f64::total_cmp);
    let mut kept: Vec<f64> = Vec::new();
    for size in sizes {
        if kept.last().is_none_or(|last| size >= 1.3 * last) {
            kept.push(size);
        }
    }
    (kept.into_iter())
        .map(|size| (size.log10(), size.to_string()))
        .collect()
}

/// Powers of ten within `range` of logarithms, with round numbers between them if they are few.
pub(super) fn cost_ticks(range: Range) -> Vec<(f64, String)> {
    let factors: &[f64] = match range.span() {
        span if span < 0.8 => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
        span if span < 2.3 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let powers = range.low.floor() as i32..=range.high.ceil() as i32;
    powers
        .flat_map(|power| factors.iter().map(move |f| f * 10f64.powi(power)))
        .filter(|value| (range.low..=range.high).contains(&value.log10()))
        .map(|value| (value.log10(), tick_label(value, range.high >= 4.0)))
        .collect()
}

/// `value` with `k` for thousands and `M` for millions if `short`.
fn tick_label(value: f64, short: bool) -> String {
    match value {
        _ if short && value >= 1e6 => format!("{}M", value / 1e6),
        _ if short && value >= 1e3 => format!("{}k", value / 1e3),
        _ => {
            let decimals = (1.0 - value.log10().floor()).max(0.0) as usize;
            let text = format!("{value:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facet(sizes: &[f64], cost: impl Fn(f64) -> f64) -> CostFacet {
        let cost = |size: f64| Cost {
            size,
            cost: cost(size),
            interval: None,
            proportional: Some(size),
        };
        CostFacet {
            axis: "replicas".into(),
            series: vec![CostSeries {
                name: "dense".into(),
                costs: sizes.iter().map(|s| cost(*s)).collect(),
            }],
            ..CostFacet::default()
        }
    }

    fn drawn(facets: Vec<CostFacet>, shared_cost_axis: bool) -> String {
        let figure = CostFigure {
            heading: "Cost",
            cost_axis: "milliseconds",
            caption: "Caption",
            shared_cost_axis,
            facets,
        };
        cost_figure(&figure).unwrap()
    }

    #[test]
    fn series_have_a_line_and_one_legend_entry() {
        let sizes = [1.0, 2.0, 4.0];
        let facets = vec![facet(&sizes, |s| 1.0 + s), facet(&sizes, |s| s * s)];
        let svg = drawn(facets, false);
        assert_eq!(svg.matches("class=\"series\"").count(), 2);
        assert_eq!(svg.matches("class=\"reference\"").count(), 2);
        assert_eq!(svg.matches("class=\"key\"").count(), 1);
        assert_eq!(svg.matches(">\nreplicas\n<").count(), 2, "{svg}");
        assert!(!svg.contains("class=\"interval\""));
    }

    #[test]
    fn intervals_marks_and_titles_are_drawn() {
        let mut facet = facet(&[1.0, 4.0], |s| s);
        facet.title = "an arm".into();
        facet.series[0].costs[1].interval = Some(Interval {
            low: 3.0,
            high: 5.0,
        });
        facet.series[0].costs[0].proportional = None;
        facet.marks.push(Mark {
            size: 2.0,
            cost: 2.0,
            label: "here".into(),
        });
        let svg = drawn(vec![facet], false);
        assert_eq!(svg.matches("class=\"interval\"").count(), 3);
        assert_eq!(
            svg.matches("class=\"reference\"").count(),
            0,
            "one point is no line"
        );
        for text in [">\nhere\n<", ">\nan arm\n<"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches("<circle").count(), 2 + 1);
    }

    #[test]
    fn shared_cost_axis_has_equal_ticks() {
        let sizes = [1.0, 10.0];
        let facets = || vec![facet(&sizes, |s| s), facet(&sizes, |s| 1000.0 * s)];
        let count = |svg: &str| svg.matches(">\n10k\n<").count();
        assert_eq!(
            (
                count(&drawn(facets(), true)),
                count(&drawn(facets(), false))
            ),
            (2, 1)
        );
    }

    #[test]
    fn proportional_cost_is_a_straight_line() {
        let facet = facet(&[1.0, 10.0, 100.0], |s| s);
        let place = FacetPosition {
            column: 0,
            columns: 2,
            top: 46.0,
        };
        let frame = frame(&facet, &place, None).unwrap();
        let line = points(&frame, &facet.series[0]);
        let slope = |a: (f64, f64), b: (f64, f64)| (b.1 - a.1) / (b.0 - a.0);
        assert!((slope(line[0], line[1]) - slope(line[1], line[2])).abs() < 1e-9);
        assert!(line[2].1 < line[0].1, "more cost is higher up");
    }

    #[test]
    fn ticks_are_round_and_few() {
        let labels = |low: f64, high: f64| -> Vec<String> {
            let (low, high) = (low.log10(), high.log10());
            let ticks = cost_ticks(Range { low, high });
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.4, 12.0), ["0.5", "1", "2", "5", "10"]);
        assert_eq!(labels(0.05, 600.0), ["0.1", "1", "10", "100"]);
        assert_eq!(labels(0.6, 2.1), ["0.7", "1", "1.5", "2"]);
        assert_eq!(labels(8.0, 3000.0), ["10", "100", "1000"]);
        assert_eq!(labels(900.0, 2e6), ["1k", "10k", "100k", "1M"]);
    }
}
