//! What probes measured along the way: small panels, one a quantity, with a line an arm.
//!
//! Where a crossed design has too many arms to tell lines apart, the lines are the levels of the
//! factor that the contrasts vary, and every combination of the other factors has panels of its own.

use super::PlotError;
use super::axis::{Frame, Range, ticks};
use super::canvas::{Anchor, Canvas, Type, figure, shorten, wrap};
use super::clip;
use super::distributions::is_point;
use super::legend::Legend;
use super::style::{EDGE, HEADING, HEADING_ROW, SMALL, SOFT, TITLE_ROW, WIDTH, series};
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Axis, Comparison, Factor, Measure, Metric, Spec, Timing};
use crate::stats::{Interval, Rule, Sample, t_interval};
use crate::text::counted;
use std::collections::BTreeSet;

/// More arms than this are not one line each, if factors can sort them.
const MOST_LINES: usize = 7;
const COLUMNS: usize = 3;
/// Beyond this many panels the others are left out, and the caption says so.
const MOST_PANELS: usize = 24;
const LEFT: f64 = 52.0;
const GAP: f64 = 16.0;
const PANEL: f64 = 150.0;
/// Room for ticks and the name of the axis under a panel.
const FOOT: f64 = 46.0;

/// A figure: what measures it shows, and where along them the values stand.
struct Kind {
    name: &'static str,
    wanted: fn(Timing) -> bool,
}

/// Every quantity that was measured after every epoch, against the epoch. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub fn traces(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Option<String>, PlotError> {
    let kind = Kind {
        name: "probes along training",
        wanted: |timing| timing == Timing::EveryEpoch,
    };
    draw(spec, cells, summary, &kind)
}

/// Every curve that probes left of the trained nets. `None` without any.
///
/// # Errors
/// If the drawing library fails.
pub fn probe_series(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Option<String>, PlotError> {
    let kind = Kind {
        name: "probes of the trained nets",
        wanted: |timing| matches!(timing, Timing::Series(_)),
    };
    draw(spec, cells, summary, &kind)
}

/// Which arms are lines of one panel, and what the lines are called.
pub(super) struct Arrangement {
    labels: Vec<String>,
    /// What tells the group from others, and for each line the arm that it shows.
    pub(super) groups: Vec<(String, Vec<usize>)>,
}

impl Arrangement {
    pub(super) fn of(spec: &Spec, summary: &Summary) -> Self {
        let crossed = spec.arms.iter().filter(|arm| !arm.levels.is_empty());
        if summary.arms.len() <= MOST_LINES || crossed.count() != spec.arms.len() {
            return Self {
                labels: spec.arms.iter().map(|arm| arm.label.clone()).collect(),
                groups: vec![(String::new(), (0..spec.arms.len()).collect())],
            };
        }
        let varied = spec.contrasts.iter().find_map(|c| match &c.comparison {
            Comparison::Effect { factor, .. } => {
                spec.factors.iter().position(|f| f.name == *factor)
            }
            Comparison::Arms { .. } | Comparison::Sum => None,
        });
        let varied = varied.unwrap_or(0);
        let mut groups: Vec<(Vec<usize>, String, Vec<usize>)> = Vec::new();
        for (a, arm) in spec.arms.iter().enumerate() {
            let mut rest = arm.levels.clone();
            rest[varied] = 0;
            let others = spec.factors.iter().zip(&arm.levels).enumerate();
            let others = others.filter(|(f, _)| *f != varied);
            let names: Vec<String> = others
                .map(|(_, (factor, level))| level_name(factor, *level))
                .collect();
            match groups.iter_mut().find(|(levels, _, _)| *levels == rest) {
                Some((_, _, arms)) => arms.push(a),
                None => groups.push((rest, names.join(", "), vec![a])),
            }
        }
        let levels = spec.factors[varied].levels.iter();
        Self {
            labels: levels.map(|level| level.label.clone()).collect(),
            groups: groups
                .into_iter()
                .map(|(_, name, arms)| (name, arms))
                .collect(),
        }
    }
}

/// Words for a level; a bare number has its factor behind it.
fn level_name(factor: &Factor, level: usize) -> String {
    let label = &factor.levels[level].label;
    match label.parse::<f64>() {
        Ok(_) => format!("{label} {}", factor.label),
        Err(_) => label.clone(),
    }
}

/// A line: where its values stand, their means over seeds, and the intervals of the means.
pub(super) struct Line {
    pub(super) look: usize,
    pub(super) means: Vec<(f64, f64)>,
    pub(super) bands: Vec<Option<Interval>>,
}

pub(super) struct Panel {
    pub(super) title: Vec<String>,
    pub(super) axis: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) x: Range,
    pub(super) y: Range,
    /// Whether places along `x` are logarithms.
    pub(super) logarithmic: bool,
    /// Without its labels.
    pub(super) width: f64,
}

/// Step number `k` of 1, 2, 5, 10, 20, 50, ...
fn step_of(k: usize) -> f64 {
    [1.0, 2.0, 5.0][k % 3] * 10f64.powi((k / 3) as i32)
}

/// About four round values with their labels.
fn labelled(range: Range) -> Vec<(f64, String)> {
    let (values, decimals) = ticks(range, 4);
    let label = |v: f64| (v, format!("{v:.decimals$}"));
    values.into_iter().map(label).collect()
}

/// The finished records of an arm at its chosen learning rate.
pub(super) fn done<'c>(
    spec: &Spec,
    cells: &Cells<'c>,
    summary: &Summary,
    arm: usize,
) -> Vec<&'c CellRecord> {
    let chosen = summary.arms[arm].learning_rate;
    let rate = spec.arms[arm]
        .learning_rates
        .iter()
        .position(|&r| r == chosen);
    let rate = rate.unwrap_or(0);
    cells.finished(arm, rate).into_iter().flatten().collect()
}

/// What of the wanted kind was measured: first what contrasts compare, then what belongs to the whole
/// net. Parts are left out where the whole net was measured, too.
fn measures(spec: &Spec, records: &[&CellRecord], kind: &Kind) -> Vec<Measure> {
    let names = records
        .iter()
        .flat_map(|r| r.traces.keys().chain(r.series.keys()));
    let names: BTreeSet<&String> = names.collect();
    let known: Vec<Measure> = names
        .into_iter()
        .filter_map(|n| Measure::named(n))
        .collect();
    let whole = |m: &Measure| {
        known
            .iter()
            .any(|w| w.part.is_none() && w.quantity == m.quantity)
    };
    let wanted = |m: &&Measure| (kind.wanted)(m.quantity.timing) && !is_point(m.quantity);
    let shown = known
        .iter()
        .filter(wanted)
        .filter(|m| m.part.is_none() || !whole(m));
    let mut shown: Vec<Measure> = shown.cloned().collect();
    let asked = |m: &Measure| {
        let metric = Metric::Probe(m.clone());
        spec.contrasts.iter().any(|c| c.metric == metric)
    };
    shown.sort_by_key(|m| (!asked(m), m.part.is_some()));
    shown
}

impl Line {
    pub(super) fn of(look: usize, measure: &Measure, records: &[&CellRecord]) -> Option<Self> {
        let name = measure.name();
        let values =
            |r: &&'_ CellRecord| r.traces.get(&name).or_else(|| r.series.get(&name)).cloned();
        let rows: Vec<(Vec<f64>, &CellRecord)> = records
            .iter()
            .filter_map(|r| Some((values(r)?, *r)))
            .collect();
        let length = rows.iter().map(|(row, _)| row.len()).min()?;
        let place = |k: usize| match measure.quantity.timing {
            Timing::Series(Axis::Share(_)) => k as f64 / (length - 1).max(1) as f64,
            Timing::Series(Axis::Steps | Axis::Rank(_)) => (k + 1) as f64,
            Timing::Series(Axis::Looks) => step_of(k).log10(),
            Timing::AtEnd | Timing::EveryEpoch | Timing::Matrix => {
                rows[0].1.epochs[k].place() as f64
            }
        };
        let samples = (0..length)
            .map(|k| Sample::new(rows.iter().map(|(row, _)| row[k]).collect()).ok())
            .collect::<Option<Vec<Sample>>>()?;
        let confidence = Rule::default().confidence;
        Some(Self {
            look,
            means: samples
                .iter()
                .enumerate()
                .map(|(k, s)| (place(k), s.mean()))
                .collect(),
            bands: samples.iter().map(|s| t_interval(s, confidence)).collect(),
        })
    }

    /// The outline of the band; empty without one.
    fn outline(&self) -> Vec<(f64, f64)> {
        let Some(bands) = self.bands.iter().copied().collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let points = || self.means.iter().zip(&bands);
        let upper = points().map(|((x, _), band)| (*x, band.high));
        let lower = points().rev().map(|((x, _), band)| (*x, band.low));
        upper.chain(lower).collect()
    }
}

impl Panel {
    fn of(
        measure: &Measure,
        group: &str,
        lines: Vec<Line>,
        unit_of_training: &'static str,
    ) -> Option<Self> {
        let points = || lines.iter().flat_map(|line| &line.means);
        let bounds = lines.iter().flat_map(|line| line.bands.iter().flatten());
        let bounds = bounds.flat_map(|band| [band.low, band.high]);
        let means = Range::of(points().map(|p| p.1))?;
        let all = Range::of(points().map(|p| p.1).chain(bounds))?;
        // A wide band of a few seeds does not squash the lines.
        let room = means.span().max(0.1 * all.span());
        let y = Range {
            low: all.low.max(means.low - room),
            high: all.high.min(means.high + room),
        };
        let axis = match measure.quantity.timing {
            Timing::Series(Axis::Share(name) | Axis::Rank(name)) => name,
            Timing::Series(Axis::Steps) => "step",
            Timing::Series(Axis::Looks) => "step, logarithmic",
            Timing::AtEnd | Timing::EveryEpoch | Timing::Matrix => unit_of_training,
        };
        let title = format!(
            "{} ({})",
            measure.label(),
            measure.quantity.unit.of_values()
        );
        let width = width(COLUMNS);
        let mut title = wrap(&title, SMALL, width - 4.0);
        title.extend((!group.is_empty()).then(|| group.to_owned()));
        Some(Self {
            title,
            axis,
            logarithmic: measure.quantity.timing == Timing::Series(Axis::Looks),
            x: Range::of(points().map(|p| p.0))?.padded(0.02, 0.5),
            y: y.padded(0.06, 0.5 * y.high.abs().max(1e-9)),
            width,
            lines,
        })
    }

    fn x_ticks(&self) -> Vec<(f64, String)> {
        if !self.logarithmic {
            return labelled(self.x);
        }
        let decades = (0..9).map(f64::from);
        let inside = decades.filter(|d| (self.x.low..=self.x.high).contains(d));
        inside.map(|d| (d, 10f64.powf(d).to_string())).collect()
    }

    fn draw(&self, canvas: &mut Canvas<'_>, left: f64, top: f64, heading: f64) {
        let middle = left + self.width / 2.0;
        let lines = self.title.iter();
        let lines: Vec<String> = lines
            .map(|line| shorten(line, SMALL, self.width + LEFT))
            .collect();
        canvas.title(&lines, middle, top + heading);
        let frame = Frame {
            left,
            top: top + heading,
            right: left + self.width,
            bottom: top + heading + PANEL,
            x: self.x,
            y: self.y,
        };
        frame.y_ticks(canvas, &labelled(self.y), true);
        frame.x_ticks(canvas, &self.x_ticks());
        let axis = shorten(self.axis, SMALL, self.width + LEFT - 8.0);
        let at = (middle, frame.bottom + 29.0);
        canvas.text(&axis, at, Type::new(SMALL, SOFT, Anchor::Middle));
        for line in &self.lines {
            let outline = clip::polygon(&line.outline(), frame.y);
            let outline: Vec<_> = outline.into_iter().map(|p| frame.at(p)).collect();
            canvas.shape(&outline, series(line.look).0, 0.12);
        }
        for line in &self.lines {
            let (color, dash) = series(line.look);
            for part in clip::polyline(&line.means, frame.y) {
                let part: Vec<_> = part.into_iter().map(|p| frame.at(p)).collect();
                canvas.line(&part, color, 1.5, dash, "series");
            }
            if let [only] = line.means[..] {
                canvas.dot(frame.at(only), 3.0, color, 1.0);
            }
        }
        frame.edges(canvas);
    }
}

/// Width of a panel without its labels.
pub(super) fn width(columns: usize) -> f64 {
    let columns = columns as f64;
    (WIDTH - 2.0 * EDGE - columns * LEFT - (columns - 1.0) * GAP) / columns
}

fn panels(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    kind: &Kind,
    groups: &[(String, Vec<usize>)],
) -> Vec<Panel> {
    let of_arms: Vec<Vec<&CellRecord>> = (0..spec.arms.len())
        .map(|arm| done(spec, cells, summary, arm))
        .collect();
    let all: Vec<&CellRecord> = of_arms.iter().flatten().copied().collect();
    let unit = spec
        .arms
        .first()
        .map_or("epoch", |arm| arm.train.length.unit());
    let mut panels = Vec::new();
    for measure in measures(spec, &all, kind) {
        for (name, arms) in groups {
            let lines = arms.iter().enumerate();
            let lines = lines.filter_map(|(look, &arm)| Line::of(look, &measure, &of_arms[arm]));
            panels.extend(Panel::of(&measure, name, lines.collect(), unit));
        }
    }
    panels
}

fn draw(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    kind: &Kind,
) -> Result<Option<String>, PlotError> {
    let arrangement = Arrangement::of(spec, summary);
    let panels = panels(spec, cells, summary, kind, &arrangement.groups);
    let n = summary.arms.iter().map(|arm| arm.n).max().unwrap_or(0);
    let sheet = Sheet {
        heading: &summary.title,
        name: kind.name,
        columns: COLUMNS,
        labels: arrangement.labels,
        caption: format!(
            "Line: mean over {}; band: 95 % t interval of the mean. Every panel has its own axes.",
            counted(n, "seed")
        ),
    };
    sheet.draw(panels)
}

/// A figure of small panels with one legend.
pub(super) struct Sheet<'a> {
    pub(super) heading: &'a str,
    /// What the figure is called behind the heading, for those who cannot see it.
    pub(super) name: &'a str,
    pub(super) columns: usize,
    /// Of the lines.
    pub(super) labels: Vec<String>,
    pub(super) caption: String,
}

impl Sheet<'_> {
    /// `None` without panels.
    pub(super) fn draw(self, mut panels: Vec<Panel>) -> Result<Option<String>, PlotError> {
        if panels.is_empty() {
            return Ok(None);
        }
        let left_out = panels.len().saturating_sub(MOST_PANELS);
        panels.truncate(MOST_PANELS);
        let legend = Legend::new(self.labels);
        let heading = wrap(self.heading, HEADING, WIDTH - 2.0 * EDGE);
        let mut caption = self.caption;
        if left_out > 0 {
            let more = counted(left_out, "further panel");
            caption.push_str(&format!(" {more} left out; the numbers are in runs.jsonl."));
        }
        let caption = wrap(&caption, SMALL, WIDTH - 2.0 * EDGE);
        let titles = panels.iter().map(|panel| panel.title.len());
        let above = TITLE_ROW * titles.max().unwrap_or(1) as f64 + 10.0;
        let row = above + PANEL + FOOT;
        let rows = panels.len().div_ceil(self.columns);
        let top = 18.0 + HEADING_ROW * heading.len() as f64;
        let below = top + row * rows as f64 + 8.0;
        let height = below + legend.height() + TITLE_ROW * caption.len() as f64 + 15.0;
        let title = format!("{}: {}", self.heading, self.name);
        let svg = figure(height, &title, |canvas| {
            canvas.heading(&heading);
            for (k, panel) in panels.iter().enumerate() {
                let column = (k % self.columns) as f64;
                let left = EDGE + LEFT + column * (panel.width + LEFT + GAP);
                panel.draw(canvas, left, top + row * (k / self.columns) as f64, above);
            }
            legend.draw(canvas, below);
            for (k, line) in caption.iter().enumerate() {
                let at = (EDGE, below + legend.height() + 6.0 + TITLE_ROW * k as f64);
                canvas.text(line, at, Type::new(SMALL, SOFT, Anchor::Start));
            }
        })?;
        Ok(Some(svg))
    }
}
