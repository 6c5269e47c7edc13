//! The figure that a spec asks for: what one level of a factor brings, along another.

use super::PlotError;
use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, Canvas, Type, figure, shorten, wrap};
use super::legend::Legend;
use super::style::{
    CAPTION_ROW, EDGE, GRID, HEADING, HEADING_ROW, INK, LABEL, SHADE, SMALL, WIDTH, series,
};
use crate::analysis::PairedScores;
use crate::spec::{Factor, Figure, Panels, Spec, When};
use crate::stats::{Interval, Rule, Sample, t_interval};

const LEFT: f64 = 74.0;
const GAP: f64 = 22.0;
const PANEL_HEIGHT: f64 = 300.0;
/// Pixels between two lines at one level.
const STEP: f64 = 9.0;
/// Numbers further apart than this factor stand on a logarithmic axis.
const LOGARITHMIC: f64 = 4.0;

/// A point of a line: level on the axis, mean improvement, its interval, and seeds.
struct Point {
    level: usize,
    mean: f64,
    interval: Option<Interval>,
    seeds: usize,
}

/// Title and lines of a panel; a line is its number and its points.
struct Panel {
    title: Option<String>,
    lines: Vec<(usize, Vec<Point>)>,
}

/// Where the levels of the factor on the axis stand.
struct Places {
    at: Vec<f64>,
    labels: Vec<String>,
    range: Range,
    remark: &'static str,
}

/// The figure of `spec`; `None` where it asks for none or nothing can be shown.
///
/// # Errors
/// If the drawing library fails.
pub fn effect(spec: &Spec, scores: &PairedScores<'_>) -> Result<Option<String>, PlotError> {
    let Some(asked) = &spec.figure else {
        return Ok(None);
    };
    let factor = |name: &str| spec.factors.iter().find(|f| f.name == name);
    let Some((along, effect)) = factor(&asked.along).zip(factor(&asked.effect)) else {
        return Ok(None);
    };
    let lines = asked.lines.as_deref().and_then(factor);
    let panels = panels(spec, asked, scores, along, lines);
    let Some(y) = range(&panels, asked.margin) else {
        return Ok(None);
    };
    let places = Places::of(along);
    let legend = lines.map(|lines| Legend::new(names(lines)));
    let below_panels = legend.as_ref().map_or(0.0, Legend::height);
    let heading = wrap(&asked.title, HEADING, WIDTH - 2.0 * EDGE);
    let caption = wrap(
        &caption(spec, asked, effect, &panels),
        SMALL,
        WIDTH - 2.0 * EDGE,
    );
    let titled = panels.iter().any(|panel| panel.title.is_some());
    let top = 18.0 + HEADING_ROW * heading.len() as f64 + if titled { 26.0 } else { 6.0 };
    let below = top + PANEL_HEIGHT + 62.0;
    let height = below + below_panels + CAPTION_ROW * caption.len() as f64 + 16.0;
    let svg = figure(height, &asked.title, |canvas| {
        canvas.heading(&heading);
        let room = WIDTH - LEFT - EDGE - GAP * (panels.len() - 1) as f64;
        let width = room / panels.len() as f64;
        for (k, panel) in panels.iter().enumerate() {
            let left = LEFT + k as f64 * (width + GAP);
            let frame = Frame {
                left,
                top,
                right: left + width,
                bottom: top + PANEL_HEIGHT,
                x: places.range,
                y,
            };
            draw_panel(canvas, asked, panel, &places, &along.label, &frame, k == 0);
        }
        if let Some(legend) = &legend {
            legend.draw(canvas, below);
        }
        canvas.caption(&caption, below + below_panels + 6.0);
    })?;
    Ok(Some(svg))
}

fn names(lines: &Factor) -> Vec<String> {
    lines.levels.iter().map(|l| l.label.clone()).collect()
}

impl Places {
    fn of(factor: &Factor) -> Self {
        let levels = &factor.levels;
        let Some((values, all)) = factor
            .values()
            .and_then(|v| Some((v.clone(), Range::of(v)?)))
        else {
            return Self {
                at: (0..levels.len()).map(|k| k as f64).collect(),
                labels: levels.iter().map(|level| level.label.clone()).collect(),
                range: Range {
                    low: -0.5,
                    high: levels.len() as f64 - 0.5,
                },
                remark: "",
            };
        };
        let logarithmic = all.low > 0.0 && all.high / all.low > LOGARITHMIC;
        let at: Vec<f64> = match logarithmic {
            true => values.iter().map(|value| value.ln()).collect(),
            false => values.clone(),
        };
        let range = Range::of(at.iter().copied()).unwrap_or(all);
        Self {
            range: range.padded(0.16, 0.5),
            labels: values.iter().map(f64::to_string).collect(),
            at,
            remark: if logarithmic { " (logarithmic)" } else { "" },
        }
    }
}

/// The panels, each with a line for each level of `lines`; points without a seed are left out.
fn panels(
    spec: &Spec,
    asked: &Figure,
    scores: &PairedScores<'_>,
    along: &Factor,
    lines: Option<&Factor>,
) -> Vec<Panel> {
    let line_levels: Vec<Option<&str>> = match lines {
        Some(factor) => factor
            .levels
            .iter()
            .map(|l| Some(l.name.as_str()))
            .collect(),
        None => vec![None],
    };
    let panel = |title: Option<String>, level: Option<(&str, &str)>, when: When| -> Panel {
        let line = |(number, of_line): (usize, &Option<&str>)| {
            let points = along.levels.iter().enumerate().filter_map(|(k, place)| {
                let mut held = vec![(along.name.as_str(), place.name.as_str())];
                held.extend(lines.map(|f| f.name.as_str()).zip(*of_line));
                held.extend(level);
                point(spec, asked, scores, &held, when, k)
            });
            (number, points.collect())
        };
        Panel {
            title,
            lines: line_levels.iter().enumerate().map(line).collect(),
        }
    };
    match &asked.panels {
        Panels::One => vec![panel(None, None, When::Last)],
        Panels::Times(times) => (times.iter())
            .map(|&when| panel(Some(when.read("").trim().to_owned()), None, when))
            .collect(),
        Panels::Factor(name) => {
            let factor = spec.factors.iter().find(|f| f.name == *name);
            let levels = factor.map_or(&[][..], |factor| &factor.levels);
            (levels.iter())
                .map(|level| {
                    let held = Some((name.as_str(), level.name.as_str()));
                    panel(Some(level.label.clone()), held, When::Last)
                })
                .collect()
        }
    }
}

fn point(
    spec: &Spec,
    asked: &Figure,
    scores: &PairedScores<'_>,
    held: &[(&str, &str)],
    when: When,
    level: usize,
) -> Option<Point> {
    let weights = asked.weights(spec, held)?;
    let (improvements, _) = scores.improvements(&weights, &asked.metric, when).ok()?;
    let sample = Sample::new(improvements.iter().map(|i| i.value).collect()).ok()?;
    Some(Point {
        level,
        mean: sample.mean(),
        interval: t_interval(&sample, Rule::default().confidence),
        seeds: sample.len(),
    })
}

/// Everything that is drawn, zero and the margins; `None` without a point.
fn range(panels: &[Panel], margin: f64) -> Option<Range> {
    let points = || {
        panels
            .iter()
            .flat_map(|p| &p.lines)
            .flat_map(|(_, points)| points)
    };
    points().next()?;
    let bounds = points().flat_map(|p| p.interval.map_or([p.mean; 2], |i| [i.low, i.high]));
    let all = bounds.chain([1.2 * margin, -1.2 * margin]);
    Some(Range::of(all)?.padded(0.05, 0.5))
}

fn draw_panel(
    canvas: &mut Canvas<'_>,
    asked: &Figure,
    panel: &Panel,
    places: &Places,
    along: &str,
    frame: &Frame,
    first: bool,
) {
    let band = [asked.margin, -asked.margin].map(|y| frame.py(y));
    canvas.rectangle((frame.left, band[0]), (frame.right, band[1]), SHADE);
    let (values, decimals) = ticks(frame.y, 7);
    let y: Vec<_> = values.iter().map(|v| (*v, signed(*v, decimals))).collect();
    frame.y_ticks(canvas, &y, first);
    let room = (frame.right - frame.left) / places.at.len() as f64 - 6.0;
    for (at, label) in places.at.iter().zip(&places.labels) {
        let x = frame.px(*at);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], GRID, 1.0, &[], "grid");
        let label = shorten(label, LABEL, room.max(30.0));
        let kind = Type::new(LABEL, INK, Anchor::Middle);
        canvas.text(&label, (x, frame.bottom + 14.0), kind);
    }
    let zero = frame.py(0.0);
    canvas.line(
        &[(frame.left, zero), (frame.right, zero)],
        INK,
        1.5,
        &[],
        "zero",
    );
    let middle = (frame.left + frame.right) / 2.0;
    let name = format!("{along}{}", places.remark);
    let name = shorten(&name, LABEL, frame.right - frame.left + GAP);
    let kind = Type::new(LABEL, INK, Anchor::Middle);
    canvas.text(&name, (middle, frame.bottom + 36.0), kind);
    if let Some(title) = &panel.title {
        let at = (middle, frame.top - 13.0);
        canvas.text(title, at, Type::new(LABEL, INK, Anchor::Middle).bold());
    }
    if first {
        let at = (20.0, (frame.top + frame.bottom) / 2.0);
        let name = format!(
            "improvement in {} ({})",
            asked.metric.label(),
            asked.metric.unit()
        );
        let name = shorten(&name, LABEL, frame.bottom - frame.top + 60.0);
        canvas.text(&name, at, Type::new(LABEL, INK, Anchor::Middle).upright());
    }
    let lines = panel.lines.len();
    for (line, points) in &panel.lines {
        let shift = (*line as f64 - (lines - 1) as f64 / 2.0) * STEP;
        draw_line(canvas, *line, points, places, shift, frame);
    }
    frame.edges(canvas);
}

fn draw_line(
    canvas: &mut Canvas<'_>,
    line: usize,
    points: &[Point],
    places: &Places,
    shift: f64,
    frame: &Frame,
) {
    let (color, dash) = series(line);
    let x = |point: &Point| frame.px(places.at[point.level]) + shift;
    let path: Vec<_> = points.iter().map(|p| (x(p), frame.py(p.mean))).collect();
    canvas.line(&path, color, 2.5, dash, "series");
    for point in points {
        let x = x(point);
        if let Some(interval) = point.interval {
            let [low, high] = [interval.low, interval.high].map(|y| frame.py(y));
            canvas.line(&[(x, low), (x, high)], color, 2.0, &[], "interval");
            for y in [low, high] {
                canvas.line(&[(x - 4.0, y), (x + 4.0, y)], color, 2.0, &[], "cap");
            }
        }
        canvas.dot((x, frame.py(point.mean)), 5.0, color, 1.0);
    }
}

/// A tick with its sign, so that better and worse are told apart at once.
fn signed(value: f64, decimals: usize) -> String {
    let size = format!("{:.decimals$}", value.abs());
    match size.parse() {
        Ok(0.0) => size,
        _ if value < 0.0 => format!("\u{2212}{size}"),
        _ => format!("+{size}"),
    }
}

fn caption(spec: &Spec, asked: &Figure, effect: &Factor, panels: &[Panel]) -> String {
    let label = |name: &str| {
        let level = effect.level(name).map(|k| effect.levels[k].label.as_str());
        level.unwrap_or(name).to_owned()
    };
    let counts = || {
        let lines = panels.iter().flat_map(|p| &p.lines);
        lines.flat_map(|(_, points)| points).map(|p| p.seeds)
    };
    let seeds = match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (1, 1) => "1 seed".to_owned(),
        (fewest, most) if fewest == most => format!("{most} seeds"),
        (fewest, most) => format!("{fewest} to {most} seeds"),
    };
    let used = [Some(&asked.along), asked.lines.as_ref()];
    let of_panels = match &asked.panels {
        Panels::Factor(name) => Some(name),
        Panels::One | Panels::Times(_) => None,
    };
    let averaged: Vec<&str> = (spec.factors.iter())
        .filter(|f| f.name != asked.effect && Some(&f.name) != of_panels)
        .filter(|f| !used.contains(&Some(&f.name)))
        .map(|f| f.label.as_str())
        .collect();
    let averaged = match averaged.is_empty() {
        true => String::new(),
        false => format!(" Mean over {}.", averaged.join(" and ")),
    };
    let treatment = label(&asked.treatment);
    let mut letters = treatment.chars();
    let first = letters
        .next()
        .map_or(String::new(), |c| c.to_uppercase().to_string());
    format!(
        "{first}{} against {}, pair by pair: above zero the former is better. Dot and bar: mean and its 95 % \
         t interval over {seeds}.{averaged} Shaded: differences too small to matter (±{} {}). \
         Intervals are for each point on its own; what was asked beforehand stands in the contrasts.",
        letters.as_str(),
        label(&asked.control),
        asked.margin,
        asked.metric.unit(),
    )
}
