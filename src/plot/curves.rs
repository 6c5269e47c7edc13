//! Accuracy against epoch: a line for each arm, a band for the doubt about its mean.

use super::PlotError;
use super::axis::{Frame, Range, epoch_ticks, ticks};
use super::canvas::{Anchor, Canvas, Type, figure, wrap};
use super::clip;
use super::legend::Legend;
use super::style::{CAPTION_ROW, EDGE, HEADING, HEADING_ROW, INK, LABEL, SMALL, WIDTH, series};
use crate::analysis::{Cells, Summary};
use crate::record::{CellRecord, EpochRecord};
use crate::spec::Spec;
use crate::stats::{Interval, Sample, t_interval};

const CONFIDENCE: f64 = 0.95;
const LEFT: f64 = 66.0;
const GAP: f64 = 26.0;
const PANEL_HEIGHT: f64 = 300.0;

/// One arm's curve on one split.
struct Curve {
    arm: usize,
    /// Epoch or step of each evaluation.
    places: Vec<f64>,
    means: Vec<f64>,
    bands: Vec<Option<Interval>>,
}

/// The curves on one split.
struct Panel {
    title: &'static str,
    curves: Vec<Curve>,
}

/// Accuracy against epoch at the chosen learning rates: a panel for the validation split where every
/// arm has one, and a panel for the test set. `None` when no cell finished.
///
/// # Errors
/// If the drawing library fails.
pub fn curves(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Option<String>, PlotError> {
    let panels = panels(spec, cells, summary);
    let unit = spec
        .arms
        .first()
        .map_or("epoch", |arm| arm.train.length.unit());
    let Some(view) = View::of(&panels, unit) else {
        return Ok(None);
    };
    let legend = Legend::of(&summary.arms);
    let heading = wrap(&summary.title, HEADING, WIDTH - 2.0 * EDGE);
    let caption = wrap(&caption(summary, &view), SMALL, WIDTH - 2.0 * EDGE);
    let top = 18.0 + HEADING_ROW * heading.len() as f64 + 22.0;
    let below = top + PANEL_HEIGHT + 62.0;
    let height = below + legend.height() + CAPTION_ROW * caption.len() as f64 + 16.0;
    let title = format!("{}: accuracy against {unit}", summary.title);
    let svg = figure(height, &title, |canvas| {
        canvas.heading(&heading);
        for (k, panel) in panels.iter().enumerate() {
            draw_panel(
                canvas,
                panel,
                &view.frame(k, panels.len(), top),
                k == 0,
                &view,
            );
        }
        legend.draw(canvas, below);
        canvas.caption(&caption, below + legend.height() + 6.0);
    })?;
    Ok(Some(svg))
}

fn panels(spec: &Spec, cells: &Cells<'_>, summary: &Summary) -> Vec<Panel> {
    let of = |accuracy: &dyn Fn(&EpochRecord) -> Option<f64>| -> Vec<Curve> {
        let arms = spec.arms.iter().zip(&summary.arms).enumerate();
        arms.filter_map(|(a, (arm, chosen))| {
            let rates = &arm.learning_rates;
            let rate = rates.iter().position(|&r| r == chosen.learning_rate)?;
            let done: Vec<&CellRecord> = cells.finished(a, rate).into_iter().flatten().collect();
            Curve::of(a, &arm.train.evaluations(), &done, accuracy)
        })
        .collect()
    };
    let test = Panel {
        title: "Test",
        curves: of(&|epoch| Some(epoch.test.accuracy)),
    };
    let validation = Panel {
        title: "Validation",
        curves: of(&|epoch| epoch.validation.map(|v| v.accuracy)),
    };
    if validation.curves.len() == test.curves.len() {
        vec![validation, test]
    } else {
        vec![test]
    }
}

impl Curve {
    fn of(
        arm: usize,
        places: &[usize],
        done: &[&CellRecord],
        accuracy: &dyn Fn(&EpochRecord) -> Option<f64>,
    ) -> Option<Self> {
        let samples = (0..places.len())
            .map(|e| {
                let values: Option<Vec<f64>> =
                    done.iter().map(|r| accuracy(r.epochs.get(e)?)).collect();
                Sample::new(values?).ok()
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            arm,
            places: places.iter().map(|&place| place as f64).collect(),
            means: samples.iter().map(Sample::mean).collect(),
            bands: samples.iter().map(|s| t_interval(s, CONFIDENCE)).collect(),
        })
    }

    fn points(&self) -> Vec<(f64, f64)> {
        let places = self.places.iter().copied();
        places.zip(self.means.iter().copied()).collect()
    }

    /// The band's outline; empty without one.
    fn outline(&self) -> Vec<(f64, f64)> {
        let Some(bands) = self.bands.iter().copied().collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let places = || self.places.iter().copied();
        let upper = places().zip(bands.iter().map(|b| b.high));
        let lower = places().zip(bands.iter().map(|b| b.low));
        let mut lower: Vec<(f64, f64)> = lower.collect();
        lower.reverse();
        upper.chain(lower).collect()
    }
}

/// What of the data is shown.
struct View {
    /// The first evaluation and the end.
    span: [usize; 2],
    /// What the horizontal axis counts.
    unit: &'static str,
    y: Range,
    /// Whether means of early epochs lie below the axis.
    cut: bool,
}

impl View {
    /// The first fifth of the epochs does not set the accuracy axis: it would squash the rest.
    fn of(panels: &[Panel], unit: &'static str) -> Option<Self> {
        let curves = || panels.iter().flat_map(|p| &p.curves);
        let end = curves()
            .filter_map(|c| c.places.last())
            .fold(0.0, |a, &b| b.max(a));
        let first = curves()
            .filter_map(|c| c.places.first())
            .fold(end, |a, &b| b.min(a));
        curves().next()?;
        let skipped = |c: &Curve| {
            if c.means.len() < 4 {
                0
            } else {
                c.means.len().div_ceil(5)
            }
        };
        let all = Range::of(curves().flat_map(|c| c.means.iter().copied()))?;
        let late = Range::of(curves().flat_map(|c| c.means[skipped(c)..].iter().copied()))?;
        let bands = curves().flat_map(|c| c.bands[skipped(c)..].iter().flatten());
        let bands = Range::of(bands.flat_map(|b| [b.low, b.high])).unwrap_or(late);
        let low = bands.low.max(late.low - late.span().max(0.5));
        let high = bands
            .high
            .min(late.high + late.span().max(0.5))
            .max(late.high);
        let squashed = high - all.low > 1.6 * (high - low);
        let low = if squashed { low } else { low.min(all.low) };
        let padded = Range { low, high }.padded(0.04, 0.5);
        let y = Range {
            low: padded.low.max(0.0),
            high: padded.high.min(100.0 + 0.01 * padded.span()),
        };
        Some(Self {
            span: [first as usize, end as usize],
            unit,
            y,
            cut: all.low < y.low,
        })
    }

    fn frame(&self, k: usize, panels: usize, top: f64) -> Frame {
        let room = WIDTH - LEFT - EDGE - GAP * (panels - 1) as f64;
        let width = room / panels as f64;
        let left = LEFT + k as f64 * (width + GAP);
        let x = Range {
            low: self.span[0] as f64,
            high: self.span[1] as f64,
        };
        Frame {
            left,
            top,
            right: left + width,
            bottom: top + PANEL_HEIGHT,
            x: x.padded(0.02, 0.5),
            y: self.y,
        }
    }
}

fn draw_panel(canvas: &mut Canvas<'_>, panel: &Panel, frame: &Frame, first: bool, view: &View) {
    let (values, decimals) = ticks(frame.y, 6);
    let y: Vec<_> = values
        .iter()
        .map(|v| (*v, format!("{v:.decimals$}")))
        .collect();
    let [start, end] = view.span;
    let marked = epoch_ticks(end, 7).into_iter().filter(|&at| at >= start);
    let x: Vec<_> = marked.map(|at| (at as f64, at.to_string())).collect();
    frame.y_ticks(canvas, &y, first);
    frame.x_ticks(canvas, &x);
    let middle = (frame.left + frame.right) / 2.0;
    canvas.text(
        panel.title,
        (middle, frame.top - 12.0),
        Type::new(LABEL, INK, Anchor::Middle).bold(),
    );
    canvas.text(
        view.unit,
        (middle, frame.bottom + 32.0),
        Type::new(LABEL, INK, Anchor::Middle),
    );
    if first {
        let at = (20.0, (frame.top + frame.bottom) / 2.0);
        canvas.text(
            "accuracy (%)",
            at,
            Type::new(LABEL, INK, Anchor::Middle).upright(),
        );
    }
    for curve in &panel.curves {
        let outline = clip::polygon(&curve.outline(), frame.y);
        let outline: Vec<_> = outline.into_iter().map(|p| frame.at(p)).collect();
        canvas.shape(&outline, series(curve.arm).0, 0.15);
    }
    for curve in &panel.curves {
        let (color, dash) = series(curve.arm);
        for part in clip::polyline(&curve.points(), frame.y) {
            let part: Vec<_> = part.into_iter().map(|p| frame.at(p)).collect();
            canvas.line(&part, color, 2.0, dash, "series");
        }
        if let [only] = curve.points()[..] {
            canvas.dot(frame.at(only), 4.0, color, 1.0);
            if let [Some(band)] = curve.bands[..] {
                let at = curve.places[0];
                let bar = clip::polyline(&[(at, band.low), (at, band.high)], frame.y);
                for bar in bar {
                    let bar: Vec<_> = bar.into_iter().map(|p| frame.at(p)).collect();
                    canvas.line(&bar, color, 1.0, &[], "interval");
                }
            }
        }
    }
    frame.edges(canvas);
}

fn caption(summary: &Summary, view: &View) -> String {
    let n = summary.arms.iter().map(|a| a.n).max().unwrap_or(0);
    let seeds = if n == 1 {
        "1 seed".to_owned()
    } else {
        format!("{n} seeds")
    };
    let band = if n > 1 {
        "; band: 95 % t interval of the mean"
    } else {
        "; no band for one seed"
    };
    let chosen = if summary.arms.iter().any(|a| a.grid.len() > 1) {
        " Learning rate of each arm chosen on validation."
    } else {
        ""
    };
    let cut = if view.cut {
        " The axis leaves out lower accuracies of the first epochs."
    } else {
        ""
    };
    format!("Line: mean over {seeds}{band}.{chosen}{cut}")
}
