//! Distance of devices from double precision by step, with logarithmic axes and one row per arm.

use crate::compare::analysis::bound::bound_at;
use crate::compare::results::{
    ArmComparison, DeviceComparison, Measured, OnDevice, Parity, RoundingBaseline,
};
use crate::plot::PlotError;
use crate::plot::axis::{Frame, Range};
use crate::plot::canvas::{Anchor, Canvas, Type, figure, shorten, wrap};
use crate::plot::legend::Legend;
use crate::plot::style::{
    CAPTION_ROW, EDGE, HEADING, HEADING_ROW, INK, LABEL, SHADE, SMALL, SOFT, WIDTH, series,
};
use crate::plot::theme::Theme;
use crate::text::number::power_of_ten;

const LEFT: f64 = 66.0;
const GAP: f64 = 62.0;
const FACET_HEIGHT: f64 = 190.0;
/// Distance between the tops of two rows of facets.
const ROW: f64 = FACET_HEIGHT + 84.0;

/// Lower limit of the axis; rounding of single precision is larger.
const LEAST: f64 = 1e-8;
/// Upper limit of the axis.
const MOST: f64 = 1e6;

/// For every arm, the drift of the loss, and per step the largest distance relative to its bound.
/// `None` without a baseline.
///
/// # Errors
/// If the drawing library fails.
pub fn parity(comparison: &DeviceComparison) -> Result<Option<String>, PlotError> {
    let facets: Vec<ParityFacet<'_>> = comparison.arms.iter().flat_map(facets).collect();
    if facets.is_empty() {
        return Ok(None);
    }
    let names = comparison.devices.iter().map(|device| device.label());
    let legend = Legend::new(Theme::Screen, names.collect());
    let title = format!("{}: distance from double precision", comparison.title);
    let heading = wrap(&title, HEADING, WIDTH - 2.0 * EDGE);
    let caption = "Left: drift of the loss from a training in double precision (largest relative \
     difference so far), which grows on every device. Dotted: baseline, single precision on a CPU. \
     Right: each step compared with double precision from the same weights; the loss, gradient or \
     value closest to its bound. Shaded: beyond the bound.";
    let caption = wrap(caption, SMALL, WIDTH - 2.0 * EDGE);
    let top = 48.0 + HEADING_ROW * heading.len() as f64;
    let below = top + ROW * facets.len().div_ceil(2) as f64 - 16.0;
    let height = below + legend.height() + CAPTION_ROW * caption.len() as f64 + 16.0;
    let svg = figure(Theme::Screen, height, &title, |canvas| {
        canvas.heading(&heading);
        for (k, facet) in facets.iter().enumerate() {
            facet.draw(canvas, top, k);
        }
        legend.draw(canvas, below);
        canvas.caption(&caption, below + legend.height() + 6.0);
    })?;
    Ok(Some(svg))
}

/// Lines of all devices on one arm.
struct ParityFacet<'a> {
    title: [String; 2],
    /// One list per device, in the order of the comparison; empty if it was not measured.
    devices: Vec<Vec<f64>>,
    /// The baseline; empty for none.
    reference: &'a [f64],
    /// The largest accepted value, if any.
    most: Option<f64>,
}

fn facets(arm: &ArmComparison) -> Vec<ParityFacet<'_>> {
    let Some(baseline) = &arm.baseline else {
        return Vec::new();
    };
    let each = |of: &dyn Fn(&Parity) -> Vec<f64>| {
        let one = |on: &OnDevice<Parity>| match &on.outcome {
            Measured::Done(parity) => of(parity),
            Measured::Failed { .. } => Vec::new(),
        };
        arm.parity.iter().map(one).collect()
    };
    let drift = ParityFacet {
        title: [arm.label.clone(), "drift of the loss".to_owned()],
        devices: each(&|parity| running_maximum(&parity.drift)),
        reference: &baseline.drift,
        most: None,
    };
    let step = ParityFacet {
        title: [
            arm.label.clone(),
            "distance per step, relative to the bound".to_owned(),
        ],
        devices: each(&|parity| shares(parity, baseline)),
        reference: &[],
        most: Some(1.0),
    };
    vec![drift, step]
}

/// The running maximum of `values`.
fn running_maximum(values: &[f64]) -> Vec<f64> {
    let up_to = |most: &mut f64, value: &f64| {
        *most = most.max(*value);
        Some(*most)
    };
    values.iter().scan(0.0, up_to).collect()
}

/// Per step, the largest distance of any quantity relative to its bound.
fn shares(parity: &Parity, baseline: &RoundingBaseline) -> Vec<f64> {
    let distances = &parity.distances;
    let share = |index: usize| {
        let of = |quantity| {
            let bound = bound_at(parity, baseline, quantity, index);
            distances.of(quantity)[index] / bound
        };
        distances.order().map(of).fold(0.0, f64::max)
    };
    (0..distances.steps()).map(share).collect()
}

/// Logarithms of step and value.
fn points(values: &[f64]) -> Vec<(f64, f64)> {
    let point = |(index, value): (usize, &f64)| {
        let step = (index + 1) as f64;
        (step.log10(), value.clamp(LEAST, MOST).log10())
    };
    values.iter().enumerate().map(point).collect()
}

impl ParityFacet<'_> {
    fn frame(&self, top: f64, k: usize) -> Option<Frame> {
        let width = (WIDTH - LEFT - EDGE - GAP) / 2.0;
        let left = LEFT + (k % 2) as f64 * (width + GAP);
        let top = top + ROW * (k / 2) as f64;
        let all = || self.devices.iter().flatten().chain(self.reference);
        let steps = self
            .devices
            .iter()
            .map(Vec::len)
            .max()?
            .max(self.reference.len());
        let y = all()
            .chain(&self.most)
            .map(|d| d.clamp(LEAST, MOST).log10());
        let y = Range::of(y)?;
        // Some space above the bound.
        let above = self
            .most
            .map_or(0.0, |most| (most.log10() + 1.0 - y.high).max(0.0));
        Some(Frame {
            left,
            top,
            right: left + width,
            bottom: top + FACET_HEIGHT,
            x: Range {
                low: 0.0,
                high: (steps.max(2) as f64).log10(),
            },
            y: Range {
                low: y.low,
                high: y.high + above,
            }
            .padded(0.05, 0.5),
        })
    }

    fn draw(&self, canvas: &mut Canvas<'_>, top: f64, k: usize) {
        let Some(frame) = self.frame(top, k) else {
            return;
        };
        if let Some(most) = self.most {
            let corner = (frame.left, frame.top);
            canvas.rectangle(corner, (frame.right, frame.py(most.log10())), SHADE);
        }
        let tick = |power: i32| match power {
            0..=3 => 10f64.powi(power).to_string(),
            _ => power_of_ten(power),
        };
        frame.y_ticks(canvas, &decades(frame.y, tick), true);
        let steps = decades(frame.x, |power| 10f64.powi(power).to_string());
        frame.x_ticks(canvas, &steps);
        let middle = (frame.left + frame.right) / 2.0;
        let [arm, quantity] = &self.title;
        let steps = self.devices.iter().map(Vec::len).max().unwrap_or(0);
        let title = [arm, &format!("{quantity} (n = {steps} steps)")];
        let room = frame.right - frame.left + LEFT / 2.0;
        let title = title.map(|line| shorten(line, SMALL, room));
        canvas.title(&title, middle, frame.top);
        let label = Type::new(LABEL, INK, Anchor::Middle);
        canvas.text("step", (middle, frame.bottom + 30.0), label);
        let pixels = |values: &[f64]| -> Vec<(f64, f64)> {
            points(values).into_iter().map(|p| frame.at(p)).collect()
        };
        canvas.line(&pixels(self.reference), SOFT, 2.0, &[1, 4], "reference");
        for (style, values) in self.devices.iter().enumerate() {
            let (color, dash) = series(style);
            canvas.line(&pixels(values), color, 1.5, dash, "series");
        }
        frame.edges(canvas);
    }
}

/// The powers of ten within `range` of logarithms; every other one if there are many.
fn decades(range: Range, label: impl Fn(i32) -> String) -> Vec<(f64, String)> {
    let (low, high) = (range.low.ceil() as i32, range.high.floor() as i32);
    let stride = if high - low > 6 { 2 } else { 1 };
    let powers = (low..=high).filter(|power| power.rem_euclid(stride) == 0);
    powers
        .map(|power| (f64::from(power), label(power)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::fixture::comparison;

    #[test]
    fn every_arm_has_two_facets_with_a_line_per_device() {
        let svg = parity(&comparison(3, 0.0)).unwrap().unwrap();
        assert_eq!(svg.matches("class=\"series\"").count(), 4);
        assert_eq!(svg.matches("class=\"reference\"").count(), 1);
        assert_eq!(svg.matches("class=\"key\"").count(), 2);
        assert!(svg.contains("wgpu (software adapter)"));
    }

    #[test]
    fn no_figure_without_a_baseline() {
        let mut comparison = comparison(3, 0.0);
        comparison.arms[0].baseline = None;
        assert_eq!(parity(&comparison).unwrap(), None);
    }

    #[test]
    fn share_is_that_of_the_quantity_closest_to_its_bound() {
        let mut comparison = comparison(3, 0.0);
        let arm = &mut comparison.arms[0];
        let Measured::Done(parity) = &mut arm.parity[1].outcome else {
            panic!("it was measured");
        };
        parity.distances.parameters[3].value[5] = 1.0;
        let baseline = arm.baseline.as_ref().unwrap();
        let shares = shares(parity, baseline);
        assert!(shares[5] > 1.0 && shares[4] < 1.0 && shares[6] < 1.0);
    }
}
