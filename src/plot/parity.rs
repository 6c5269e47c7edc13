//! How far devices are from double precision, step by step: both axes logarithmic, a row an arm.

use super::PlotError;
use super::axis::{Frame, Range};
use super::canvas::{Anchor, Canvas, Type, figure, shorten, wrap};
use super::clip;
use super::legend::Legend;
use super::style::{EDGE, HEADING, INK, LABEL, SHADE, SMALL, SOFT, WIDTH, series};
use crate::backends::bound::{Quantity, bound};
use crate::backends::{ArmComparison, Comparison, Distances, Measured};

const LEFT: f64 = 66.0;
const GAP: f64 = 62.0;
const PANEL_HEIGHT: f64 = 190.0;
/// From the top of one row of panels to that of the next.
const ROW: f64 = PANEL_HEIGHT + 84.0;
const CAPTION_ROW: f64 = 16.0;

/// Distances below this are drawn here; single precision rounds to about as much.
const LEAST: f64 = 1e-8;
/// Distances above this are drawn here.
const MOST: f64 = 1e2;

/// Distance of the loss, and of the parameter that is farthest beyond its yardstick, against the step.
/// `None` where no arm has a yardstick.
///
/// # Errors
/// If the drawing library fails.
pub fn parity(comparison: &Comparison) -> Result<Option<String>, PlotError> {
    let panels: Vec<Panel<'_>> = comparison.arms.iter().flat_map(panels).collect();
    if panels.is_empty() {
        return Ok(None);
    }
    let names = comparison.devices.iter().map(|device| device.label());
    let legend = Legend::new(names.collect());
    let title = format!("{}: distance from double precision", comparison.title);
    let heading = wrap(&title, HEADING, WIDTH - 2.0 * EDGE);
    let caption = "Largest difference over the largest value in double precision. Dotted: the yardstick, \
                   the farthest of several runs in single precision on a CPU so far. Shaded: beyond the \
                   bound.";
    let caption = wrap(caption, SMALL, WIDTH - 2.0 * EDGE);
    let top = 30.0 + 21.0 * heading.len() as f64;
    let below = top + ROW * panels.len().div_ceil(2) as f64 - 16.0;
    let height = below + legend.height() + CAPTION_ROW * caption.len() as f64 + 16.0;
    let svg = figure(height, &title, |canvas| {
        for (k, line) in heading.iter().enumerate() {
            let at = (EDGE, 20.0 + 21.0 * k as f64);
            canvas.text(line, at, Type::new(HEADING, INK, Anchor::Start).bold());
        }
        for (k, panel) in panels.iter().enumerate() {
            panel.draw(canvas, top, k);
        }
        legend.draw(canvas, below);
        for (k, line) in caption.iter().enumerate() {
            let at = (EDGE, below + legend.height() + 6.0 + CAPTION_ROW * k as f64);
            canvas.text(line, at, Type::new(SMALL, SOFT, Anchor::Start));
        }
    })?;
    Ok(Some(svg))
}

/// One quantity of one arm on every device.
struct Panel<'a> {
    title: String,
    yardstick: &'a [f64],
    /// A list a device, in the order of the comparison; empty where it was not measured.
    devices: Vec<&'a [f64]>,
}

fn panels(arm: &ArmComparison) -> Vec<Panel<'_>> {
    let Some(yardstick) = &arm.yardstick else {
        return Vec::new();
    };
    let measured: Vec<Option<&Distances>> = (arm.parity.iter())
        .map(|on| match &on.outcome {
            Measured::Done(parity) => Some(&parity.distances),
            Measured::Failed { .. } => None,
        })
        .collect();
    let panel = |title: String, quantity: Quantity| Panel {
        title: format!("{}: {title}", arm.label),
        yardstick: yardstick.largest.of(quantity),
        devices: (measured.iter())
            .map(|distances| distances.map_or(&[][..], |d| d.of(quantity)))
            .collect(),
    };
    let mut panels = vec![panel("loss".to_owned(), Quantity::Loss)];
    if let Some(worst) = worst(&yardstick.largest, &measured) {
        panels.push(panel(yardstick.largest.name(worst), worst));
    }
    panels
}

/// The quantity of a parameter that some device exceeds most, for its bound.
fn worst(yardstick: &Distances, measured: &[Option<&Distances>]) -> Option<Quantity> {
    let excess = |quantity: Quantity| {
        let of_device = |distances: &&Distances| {
            let pairs = distances.of(quantity).iter().zip(yardstick.of(quantity));
            pairs.map(|(d, y)| d / bound(*y)).fold(0.0, f64::max)
        };
        measured.iter().flatten().map(of_device).fold(0.0, f64::max)
    };
    let parameters = yardstick.order().filter(|q| *q != Quantity::Loss);
    let rated = parameters.map(|quantity| (excess(quantity), quantity));
    let worst = rated.max_by(|a, b| a.0.total_cmp(&b.0));
    worst.map(|(_, quantity)| quantity)
}

/// Logarithms of step and distance.
fn points(distances: &[f64]) -> Vec<(f64, f64)> {
    let point = |(index, distance): (usize, &f64)| {
        let step = (index + 1) as f64;
        (step.log10(), distance.clamp(LEAST, MOST).log10())
    };
    distances.iter().enumerate().map(point).collect()
}

impl Panel<'_> {
    fn draw(&self, canvas: &mut Canvas<'_>, top: f64, k: usize) {
        let width = (WIDTH - LEFT - EDGE - GAP) / 2.0;
        let left = LEFT + (k % 2) as f64 * (width + GAP);
        let top = top + ROW * (k / 2) as f64;
        let bounds: Vec<f64> = self.yardstick.iter().map(|y| bound(*y)).collect();
        let steps = self.yardstick.len().max(2) as f64;
        let all = self.devices.iter().copied().flatten().chain(&bounds).chain(self.yardstick);
        let y = Range::of(all.map(|d| d.clamp(LEAST, MOST).log10()));
        let Some(y) = y else { return };
        let frame = Frame {
            left,
            top,
            right: left + width,
            bottom: top + PANEL_HEIGHT,
            x: Range { low: 0.0, high: steps.log10() },
            y: y.padded(0.05, 0.5),
        };
        self.shade(canvas, &frame, &bounds);
        frame.y_ticks(canvas, &decades(frame.y, |power| format!("1e{power}").replace('-', "−")), true);
        frame.x_ticks(canvas, &decades(frame.x, |power| 10f64.powi(power).to_string()));
        let middle = (frame.left + frame.right) / 2.0;
        let small = Type::new(SMALL, INK, Anchor::Middle);
        let title = shorten(&self.title, SMALL, width + LEFT / 2.0);
        canvas.text(&title, (middle, frame.top - 10.0), small);
        let label = Type::new(LABEL, INK, Anchor::Middle);
        canvas.text("step", (middle, frame.bottom + 30.0), label);
        let dots = self.pixels(&frame, self.yardstick);
        canvas.line(&dots, SOFT, 1.5, &[1, 4], "reference");
        for (look, distances) in self.devices.iter().enumerate() {
            let (color, dash) = series(look);
            canvas.line(&self.pixels(&frame, distances), color, 1.5, dash, "series");
        }
        frame.edges(canvas);
    }

    fn pixels(&self, frame: &Frame, distances: &[f64]) -> Vec<(f64, f64)> {
        points(distances).into_iter().map(|p| frame.at(p)).collect()
    }

    /// Shades what is beyond the bound.
    fn shade(&self, canvas: &mut Canvas<'_>, frame: &Frame, bounds: &[f64]) {
        let mut outline = points(bounds);
        let (Some(first), Some(last)) = (outline.first().copied(), outline.last().copied()) else {
            return;
        };
        outline.push((last.0, frame.y.high));
        outline.push((first.0, frame.y.high));
        let outline = clip::polygon(&outline, frame.y);
        let outline: Vec<_> = outline.into_iter().map(|p| frame.at(p)).collect();
        canvas.shape(&outline, SHADE, 1.0);
    }
}

/// The powers of ten inside `range` of logarithms, every other one where there are many.
fn decades(range: Range, label: impl Fn(i32) -> String) -> Vec<(f64, String)> {
    let (low, high) = (range.low.ceil() as i32, range.high.floor() as i32);
    let stride = if high - low > 6 { 2 } else { 1 };
    let powers = (low..=high).filter(|power| power.rem_euclid(stride) == 0);
    powers.map(|power| (f64::from(power), label(power))).collect()
}
