//! Cost against size: both axes logarithmic, with a line for cost in proportion to arithmetic.

use super::PlotError;
use super::axis::{Frame, Range};
use super::canvas::{Anchor, Canvas, Type, figure, wrap};
use super::legend::Legend;
use super::style::{EDGE, HEADING, INK, LABEL, SMALL, SOFT, WIDTH, series};

const LEFT: f64 = 66.0;
const GAP: f64 = 62.0;
const PANEL_HEIGHT: f64 = 230.0;
/// From the top of one row of panels to that of the next.
const ROW: f64 = PANEL_HEIGHT + 96.0;
const CAPTION_ROW: f64 = 16.0;

/// What a size costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The size; positive.
    pub size: f64,
    /// The cost; positive.
    pub cost: f64,
    /// The cost if it were in proportion to the arithmetic.
    pub proportional: f64,
}

/// Costs at several sizes, from the smallest on.
#[derive(Clone, Debug, PartialEq)]
pub struct CostSeries {
    /// Name in the legend; series of one name look alike in every panel.
    pub name: String,
    /// The costs.
    pub costs: Vec<Cost>,
}

/// Series over one kind of size.
#[derive(Clone, Debug, PartialEq)]
pub struct CostPanel {
    /// What is varied, with its unit.
    pub axis: String,
    /// The series.
    pub series: Vec<CostSeries>,
}

/// Cost (named by `cost_axis`, with its unit) against size, two panels a row.
///
/// # Errors
/// If the drawing library fails.
pub fn scaling(
    heading: &str,
    cost_axis: &str,
    caption: &str,
    panels: &[CostPanel],
) -> Result<String, PlotError> {
    let names = names(panels);
    let legend = Legend::new(names.clone());
    let caption = wrap(caption, SMALL, WIDTH - 2.0 * EDGE);
    let below = 62.0 + ROW * panels.len().div_ceil(2) as f64 - 24.0;
    let height = below + legend.height() + CAPTION_ROW * caption.len() as f64 + 16.0;
    figure(height, heading, |canvas| {
        let bold = Type::new(HEADING, INK, Anchor::Start).bold();
        canvas.text(heading, (EDGE, 20.0), bold);
        for (k, panel) in panels.iter().enumerate() {
            if let Some(frame) = frame(panel, k) {
                draw_panel(canvas, panel, &frame, &names, cost_axis);
            }
        }
        legend.draw(canvas, below);
        for (k, line) in caption.iter().enumerate() {
            let at = (EDGE, below + legend.height() + 6.0 + CAPTION_ROW * k as f64);
            canvas.text(line, at, Type::new(SMALL, SOFT, Anchor::Start));
        }
    })
}

/// Every name once, in the order of appearance.
fn names(panels: &[CostPanel]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for series in panels.iter().flat_map(|panel| &panel.series) {
        if !names.contains(&series.name) {
            names.push(series.name.clone());
        }
    }
    names
}

/// Panel number `k` on the sheet; `None` where there is nothing to show.
fn frame(panel: &CostPanel, k: usize) -> Option<Frame> {
    let costs = || panel.series.iter().flat_map(|series| &series.costs);
    let x = Range::of(costs().map(|c| c.size.log10()))?;
    let y = Range::of(costs().flat_map(|c| [c.cost.log10(), c.proportional.log10()]))?;
    let width = (WIDTH - LEFT - EDGE - GAP) / 2.0;
    let left = LEFT + (k % 2) as f64 * (width + GAP);
    let top = 46.0 + ROW * (k / 2) as f64;
    Some(Frame {
        left,
        top,
        right: left + width,
        bottom: top + PANEL_HEIGHT,
        x: x.padded(0.04, 0.5),
        y: y.padded(0.05, 0.5),
    })
}

fn draw_panel(
    canvas: &mut Canvas<'_>,
    panel: &CostPanel,
    frame: &Frame,
    names: &[String],
    cost_axis: &str,
) {
    frame.y_ticks(canvas, &cost_ticks(frame.y), true);
    frame.x_ticks(canvas, &size_ticks(panel));
    let label = Type::new(LABEL, INK, Anchor::Middle);
    let middle = (frame.left + frame.right) / 2.0;
    canvas.text(&panel.axis, (middle, frame.bottom + 32.0), label);
    let beside = (frame.left - 46.0, (frame.top + frame.bottom) / 2.0);
    canvas.text(cost_axis, beside, label.upright());
    for series in &panel.series {
        let line = points(frame, series, |c| c.proportional);
        canvas.line(&line, SOFT, 1.0, &[1, 4], "reference");
    }
    for costs in &panel.series {
        let look = names.iter().position(|name| *name == costs.name);
        let (color, dash) = series(look.unwrap_or_default());
        let line = points(frame, costs, |c| c.cost);
        canvas.line(&line, color, 2.0, dash, "series");
        for point in line {
            canvas.dot(point, 3.0, color, 1.0);
        }
    }
    frame.edges(canvas);
}

fn points(frame: &Frame, series: &CostSeries, value: impl Fn(&Cost) -> f64) -> Vec<(f64, f64)> {
    let point = |c: &Cost| frame.at((c.size.log10(), value(c).log10()));
    series.costs.iter().map(point).collect()
}

/// The sizes of a panel, without those whose labels would run into the one before.
fn size_ticks(panel: &CostPanel) -> Vec<(f64, String)> {
    let costs = panel.series.iter().flat_map(|series| &series.costs);
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

/// Powers of ten inside `range` of logarithms, with 2 and 5 between where they are few.
fn cost_ticks(range: Range) -> Vec<(f64, String)> {
    let factors: &[f64] = match range.span() {
        span if span < 2.3 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let powers = range.low.floor() as i32..=range.high.ceil() as i32;
    powers
        .flat_map(|power| factors.iter().map(move |f| f * 10f64.powi(power)))
        .filter(|value| (range.low..=range.high).contains(&value.log10()))
        .map(|value| {
            let decimals = (-value.log10().floor()).max(0.0) as usize;
            (value.log10(), format!("{value:.decimals$}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(sizes: &[f64], cost: impl Fn(f64) -> f64) -> CostPanel {
        let cost = |size: f64| Cost {
            size,
            cost: cost(size),
            proportional: size,
        };
        CostPanel {
            axis: "replicas".into(),
            series: vec![CostSeries {
                name: "dense".into(),
                costs: sizes.iter().map(|s| cost(*s)).collect(),
            }],
        }
    }

    #[test]
    fn every_series_has_a_line_a_reference_and_one_entry_however_many_panels() {
        let sizes = [1.0, 2.0, 4.0];
        let panels = [panel(&sizes, |s| 1.0 + s), panel(&sizes, |s| s * s)];
        let svg = scaling("Cost", "milliseconds", "Caption", &panels).unwrap();
        assert_eq!(svg.matches("class=\"series\"").count(), 2);
        assert_eq!(svg.matches("class=\"reference\"").count(), 2);
        assert_eq!(svg.matches("class=\"key\"").count(), 1);
        assert_eq!(svg.matches(">\nreplicas\n<").count(), 2, "{svg}");
    }

    #[test]
    fn cost_in_proportion_is_a_straight_line_between_corners() {
        let panel = panel(&[1.0, 10.0, 100.0], |s| s);
        let frame = frame(&panel, 0).unwrap();
        let line = points(&frame, &panel.series[0], |c| c.cost);
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
    }
}
