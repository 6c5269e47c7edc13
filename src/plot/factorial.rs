//! The cells of a crossed design: interaction plots and dose-response plots.
//!
//! Both show the score against the levels of one factor with a line for each level of another; in a
//! dose-response plot the levels are numbers and stand at their place. Parallel lines mean that the
//! two factors do not interact.

use super::PlotError;
use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, Canvas, Type, figure, shorten, wrap};
use super::layout::{Layout, Point};
use super::legend::Legend;
use super::style::{
    CAPTION_ROW, EDGE, GRID, HEADING, HEADING_ROW, INK, LABEL, SMALL, WIDTH, series,
};
use crate::analysis::{PairedScores, Summary};
use crate::spec::Metric;
use crate::stats::Interval;
use plotters::style::RGBColor;

const LEFT: f64 = 70.0;
const GAP: f64 = 26.0;
const PANEL_HEIGHT: f64 = 320.0;
/// Most pixels between two lines at one level.
const SIDE_STEP: f64 = 22.0;
/// Doses further apart than this factor stand on a logarithmic axis.
const LOGARITHMIC: f64 = 20.0;

/// Lines of one panel: index of the line and its points.
type Lines = Vec<(usize, Vec<Point>)>;

/// The interaction plot of the first planned interaction, else of the first two factors. `None`
/// without two factors, without results, or where the factor on the axis has numbers for levels.
///
/// # Errors
/// If the drawing library fails.
pub fn interaction(
    summary: &Summary,
    scores: &PairedScores<'_>,
) -> Result<Option<String>, PlotError> {
    match Layout::of_interaction(summary) {
        Some(layout) => draw(summary, scores, &layout, Places::of_names(&layout)),
        None => Ok(None),
    }
}

/// The score against the doses of a factor with numbers for levels. `None` without such a factor or
/// without results.
///
/// # Errors
/// If the drawing library fails.
pub fn dose_response(
    summary: &Summary,
    scores: &PairedScores<'_>,
) -> Result<Option<String>, PlotError> {
    let Some(layout) = Layout::of_dose(summary) else {
        return Ok(None);
    };
    match Places::of_doses(&layout) {
        Some(places) => draw(summary, scores, &layout, places),
        None => Ok(None),
    }
}

/// Where the levels stand on the axis.
struct Places {
    at: Vec<f64>,
    labels: Vec<String>,
    range: Range,
    /// Pixels between the lines of one level.
    step: f64,
    /// What the axis is, beyond its name.
    remark: &'static str,
}

impl Places {
    fn of_names(layout: &Layout<'_>) -> Self {
        let levels = &layout.factor(layout.x).levels;
        let at: Vec<f64> = (0..levels.len()).map(|k| k as f64).collect();
        let lines = layout.levels(layout.lines).len();
        Self {
            range: Range {
                low: -0.5,
                high: levels.len() as f64 - 0.5,
            },
            at,
            labels: levels.iter().map(|level| level.label.clone()).collect(),
            step: (3.0 * SIDE_STEP / lines as f64).min(SIDE_STEP),
            remark: "",
        }
    }

    fn of_doses(layout: &Layout<'_>) -> Option<Self> {
        let doses = layout.factor(layout.x).values()?;
        let all = Range::of(doses.iter().copied())?;
        let logarithmic = all.low > 0.0 && all.high / all.low > LOGARITHMIC;
        let at: Vec<f64> = match logarithmic {
            true => doses.iter().map(|dose| dose.ln()).collect(),
            false => doses.clone(),
        };
        Some(Self {
            range: Range::of(at.iter().copied())?.padded(0.08, 0.5),
            labels: doses.iter().map(f64::to_string).collect(),
            at,
            step: 5.0,
            remark: if logarithmic {
                ", logarithmic scale"
            } else {
                ""
            },
        })
    }
}

fn draw(
    summary: &Summary,
    scores: &PairedScores<'_>,
    layout: &Layout<'_>,
    places: Places,
) -> Result<Option<String>, PlotError> {
    let panels = layout.levels(layout.panels);
    let lines_of = |panel: &Option<usize>| -> Lines {
        let lines = layout.levels(layout.lines).into_iter().enumerate();
        lines
            .map(|(k, line)| (k, layout.points(scores, line, *panel)))
            .filter(|(_, points)| !points.is_empty())
            .collect()
    };
    let drawn: Vec<Lines> = panels.iter().map(lines_of).collect();
    let Some(view) = View::of(&drawn, &layout.metric) else {
        return Ok(None);
    };
    let legend = Legend::new(names(layout));
    let heading = wrap(&summary.title, HEADING, WIDTH - 2.0 * EDGE);
    let caption = wrap(&caption(layout, &view), SMALL, WIDTH - 2.0 * EDGE);
    let top = 18.0 + HEADING_ROW * heading.len() as f64 + 26.0;
    let below = top + PANEL_HEIGHT + 66.0;
    let height = below + legend.height() + CAPTION_ROW * caption.len() as f64 + 16.0;
    let title = format!(
        "{}: {} by {}",
        summary.title,
        layout.metric.label(),
        layout.factor(layout.x).label
    );
    let svg = figure(height, &title, |canvas| {
        canvas.heading(&heading);
        for (k, (panel, lines)) in panels.iter().zip(&drawn).enumerate() {
            let frame = frame(k, panels.len(), top, &places, &view);
            axes(canvas, layout, &places, &frame, k == 0);
            if let Some((factor, level)) = layout.panels.zip(*panel) {
                panel_title(canvas, layout, factor, level, &frame);
            }
            for (line, points) in lines {
                draw_line(canvas, *line, points, &places, layout, &frame);
            }
            frame.edges(canvas);
        }
        legend.draw(canvas, below);
        canvas.caption(&caption, below + legend.height() + 6.0);
    })?;
    Ok(Some(svg))
}

/// Entries of the legend.
fn names(layout: &Layout<'_>) -> Vec<String> {
    match layout.lines {
        Some(lines) => {
            let factor = layout.factor(lines);
            let plain = factor.levels.iter().all(|level| level.label == level.name);
            let name = |label: &String| match plain {
                true => format!("{}: {label}", factor.label),
                false => label.clone(),
            };
            factor
                .levels
                .iter()
                .map(|level| name(&level.label))
                .collect()
        }
        None => vec!["all arms".to_owned()],
    }
}

/// Values that the vertical axis shows.
struct View {
    range: Range,
    /// Dots outside it.
    hidden: usize,
    /// Most seeds of a point, and fewest.
    seeds: (usize, usize),
}

impl View {
    /// All means, their intervals as far as the metric goes, and dots as far as they do not squash
    /// those.
    fn of(panels: &[Lines], metric: &Metric) -> Option<Self> {
        let points = || panels.iter().flatten().flat_map(|(_, points)| points);
        let bounds = points().flat_map(|p| p.interval.map_or([p.mean; 2], |i| [i.low, i.high]));
        let means = Range::of(bounds.chain(points().map(|p| p.mean)))?;
        let dots = Range::of(points().flat_map(|p| p.values.iter().copied()))?;
        let room = 1.5 * means.span().max(0.2 * dots.span().min(1.0));
        let shown = Range {
            low: dots.low.max(means.low - room).min(means.low),
            high: dots.high.min(means.high + room).max(means.high),
        };
        let padded = shown.padded(0.04, 0.5);
        let little = 0.01 * padded.span();
        let (least, most) = match metric {
            Metric::TestAccuracy | Metric::TestEce => (-little, 100.0 + little),
            Metric::TestNll => (-little, f64::INFINITY),
            Metric::Probe(_) => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let range = Range {
            low: padded.low.max(least),
            high: padded.high.min(most),
        };
        let outside = |v: &&f64| !(range.low..=range.high).contains(*v);
        let count = |p: &Point| p.values.len();
        Some(Self {
            hidden: points().flat_map(|p| &p.values).filter(outside).count(),
            seeds: (
                points().map(count).max().unwrap_or(0),
                points().map(count).min().unwrap_or(0),
            ),
            range,
        })
    }
}

fn frame(k: usize, panels: usize, top: f64, places: &Places, view: &View) -> Frame {
    let room = WIDTH - LEFT - EDGE - GAP * (panels - 1) as f64;
    let width = room / panels as f64;
    let left = LEFT + k as f64 * (width + GAP);
    Frame {
        left,
        top,
        right: left + width,
        bottom: top + PANEL_HEIGHT,
        x: places.range,
        y: view.range,
    }
}

fn axes(canvas: &mut Canvas<'_>, layout: &Layout<'_>, places: &Places, frame: &Frame, first: bool) {
    let (values, decimals) = ticks(frame.y, 6);
    let y: Vec<_> = values
        .iter()
        .map(|v| (*v, format!("{v:.decimals$}")))
        .collect();
    frame.y_ticks(canvas, &y, first);
    let room = (frame.right - frame.left) / places.at.len() as f64 - 6.0;
    for (at, label) in places.at.iter().zip(&places.labels) {
        let x = frame.px(*at);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
        let label = shorten(label, LABEL, room.max(30.0));
        let kind = Type::new(LABEL, INK, Anchor::Middle);
        canvas.text(&label, (x, frame.bottom + 14.0), kind);
    }
    let middle = (frame.left + frame.right) / 2.0;
    let name = format!("{}{}", layout.factor(layout.x).label, places.remark);
    let kind = Type::new(LABEL, INK, Anchor::Middle);
    canvas.text(&name, (middle, frame.bottom + 38.0), kind);
    if first {
        let at = (20.0, (frame.top + frame.bottom) / 2.0);
        let name = format!("{} ({})", layout.metric.label(), layout.metric.scale());
        canvas.text(&name, at, Type::new(LABEL, INK, Anchor::Middle).upright());
    }
}

fn panel_title(
    canvas: &mut Canvas<'_>,
    layout: &Layout<'_>,
    factor: usize,
    level: usize,
    frame: &Frame,
) {
    let label = &layout.factor(factor).levels[level].label;
    let label = shorten(label, LABEL * 1.08, frame.right - frame.left);
    let at = ((frame.left + frame.right) / 2.0, frame.top - 13.0);
    canvas.text(&label, at, Type::new(LABEL, INK, Anchor::Middle).bold());
}

fn draw_line(
    canvas: &mut Canvas<'_>,
    line: usize,
    points: &[Point],
    places: &Places,
    layout: &Layout<'_>,
    frame: &Frame,
) {
    let (color, dash) = series(line);
    let lines = layout.levels(layout.lines).len();
    let shift = (line as f64 - (lines - 1) as f64 / 2.0) * places.step;
    let x = |point: &Point| frame.px(places.at[point.level]) + shift;
    for point in points {
        for (seed, value) in point.values.iter().enumerate() {
            if (frame.y.low..=frame.y.high).contains(value) {
                // Neighbouring seeds stand apart, so that equal scores show.
                let aside = ((seed * 5) % 7) as f64 - 3.0;
                let spread = (places.step / 9.0).min(1.6);
                let at = (x(point) + spread * aside, frame.py(*value));
                canvas.dot(at, 2.5, color, 0.3);
            }
        }
    }
    let path: Vec<_> = points.iter().map(|p| (x(p), frame.py(p.mean))).collect();
    canvas.line(&path, color, 2.0, dash, "series");
    for point in points {
        let (x, y) = (x(point), frame.py(point.mean));
        if let Some(interval) = point.interval {
            draw_interval(canvas, x, interval, frame, color);
        }
        canvas.dot((x, y), 5.0, color, 1.0);
    }
}

/// A bar with a cap at each end that lies in the frame.
fn draw_interval(
    canvas: &mut Canvas<'_>,
    x: f64,
    interval: Interval,
    frame: &Frame,
    color: RGBColor,
) {
    let shown = |y: f64| frame.py(y.clamp(frame.y.low, frame.y.high));
    let bar = [(x, shown(interval.low)), (x, shown(interval.high))];
    canvas.line(&bar, color, 2.0, &[], "interval");
    for end in [interval.low, interval.high] {
        if (frame.y.low..=frame.y.high).contains(&end) {
            let y = frame.py(end);
            canvas.line(&[(x - 4.0, y), (x + 4.0, y)], color, 2.0, &[], "cap");
        }
    }
}

fn caption(layout: &Layout<'_>, view: &View) -> String {
    let seeds = match view.seeds {
        (1, 1) => "1 seed".to_owned(),
        (most, fewest) if most == fewest => format!("{most} seeds"),
        (most, fewest) => format!("{fewest} to {most} seeds"),
    };
    let averaged: Vec<&str> = (layout.averaged.iter())
        .map(|&f| layout.factor(f).label.as_str())
        .collect();
    let averaged = match averaged.is_empty() {
        true => String::new(),
        false => format!(" Mean over {}.", averaged.join(" and ")),
    };
    let hidden = match view.hidden {
        0 => String::new(),
        1 => " One dot lies outside.".to_owned(),
        n => format!(" {n} dots lie outside."),
    };
    let parallel = match layout.lines {
        Some(_) => " Parallel lines: no interaction.",
        None => "",
    };
    format!(
        "Faint dot: one seed. Large dot and bar: mean and its 95 % t interval over {seeds}.{averaged}\
         {parallel} All cells share their seeds: judge differences by the contrasts, not by whether \
         bars overlap.{hidden}"
    )
}
