//! Cost against replicas, width, batch and image side.

use super::contest::Failure;
use super::ours::{self, alone};
use super::ratio::{median, power};
use super::record::{Curve, CurvePoint, rounded};
use super::work::Work;
use ablate::compare::figures::{Cost, CostPanel, CostSeries, Scaling, scaling};

/// Measures a point, of this share of the usual length.
const ROUNDS: usize = 3;
const SHARE: f64 = 0.3;

/// What is varied, the kind of net, and the work of each size.
type Sweep = (&'static str, &'static str, Vec<(usize, Work)>);

fn sweeps() -> Vec<Sweep> {
    fn over(sizes: &[usize], work: impl Fn(usize) -> Work) -> Vec<(usize, Work)> {
        sizes.iter().map(|&size| (size, work(size))).collect()
    }
    let replicas = [1, 2, 4, 8, 16, 32];
    let widths = [32, 64, 128, 256, 512, 1024];
    let batches = [8, 16, 32, 64, 128, 256, 512];
    let sides = [8, 12, 16, 28, 32, 48, 64];
    let mlp = |r| Work::mlp(8, &[128, 128], 32, r);
    vec![
        ("replicas", "MLP", over(&replicas, mlp)),
        ("replicas", "CNN", over(&replicas, |r| Work::cnn(28, 32, r))),
        (
            "width (units of each of two hidden layers)",
            "MLP",
            over(&widths, |w| Work::mlp(28, &[w, w], 128, 1)),
        ),
        (
            "batch (examples)",
            "MLP",
            over(&batches, |b| Work::mlp(28, &[128, 128], b, 1)),
        ),
        (
            "batch (examples)",
            "CNN",
            over(&batches, |b| Work::cnn(28, b, 1)),
        ),
        (
            "side of the images (pixels)",
            "MLP",
            over(&sides, |s| Work::mlp(s, &[128, 128], 32, 1)),
        ),
        (
            "side of the images (pixels)",
            "CNN",
            over(&sides, |s| Work::cnn(s, 32, 1)),
        ),
    ]
}

/// Times every point on every device.
pub(crate) fn measure(
    devices: &[String],
    seconds: f64,
    mut tell: impl FnMut(&str),
) -> Result<Vec<Curve>, Failure> {
    let mut curves = Vec::new();
    for (axis, net, works) in sweeps() {
        for device in devices {
            let mut points = Vec::new();
            for (size, work) in &works {
                tell(&format!("{net} of {} on {device}", work.name()));
                let times = alone(work, device, ROUNDS, SHARE * seconds)?;
                points.push(CurvePoint {
                    size: *size,
                    work: work.clone(),
                    milliseconds: times.into_iter().map(rounded).collect(),
                });
            }
            curves.push(Curve {
                axis: axis.to_owned(),
                name: format!("{net}, {}", ours::name(device)),
                points,
            });
        }
    }
    Ok(curves)
}

impl Curve {
    /// The power of the arithmetic with which the time grows: 1 is in proportion to it.
    pub(crate) fn power(&self) -> Option<f64> {
        let point = |p: &CurvePoint| Some((p.work.multiply_adds(), median(&p.milliseconds)?));
        power(&self.points.iter().map(point).collect::<Option<Vec<_>>>()?)
    }

    fn series(&self) -> Option<CostSeries> {
        let last = self.points.last()?;
        let rate = median(&last.milliseconds)? / last.work.multiply_adds();
        let cost = |p: &CurvePoint| {
            Some(Cost {
                size: p.size as f64,
                cost: median(&p.milliseconds)?,
                interval: None,
                proportional: Some(rate * p.work.multiply_adds()),
            })
        };
        Some(CostSeries {
            name: self.name.clone(),
            costs: self.points.iter().map(cost).collect::<Option<_>>()?,
        })
    }
}

/// All curves as one figure, a panel for each thing that is varied.
pub(crate) fn figure(curves: &[Curve]) -> Result<String, Failure> {
    let mut panels: Vec<CostPanel> = Vec::new();
    for curve in curves {
        if panels.iter().all(|panel| panel.axis != curve.axis) {
            panels.push(CostPanel {
                axis: curve.axis.clone(),
                ..CostPanel::default()
            });
        }
        let panel = panels.iter_mut().find(|panel| panel.axis == curve.axis);
        panel
            .into_iter()
            .for_each(|panel| panel.series.extend(curve.series()));
    }
    let caption = format!(
        "Median of {ROUNDS} measures a point. Thin grey dots: time in proportion to the multiply-adds of the \
         step, through the last point; a curve above it on the left is the fixed cost of a step."
    );
    scaling(&Scaling {
        heading: "Time of a training step against its size",
        cost_axis: "milliseconds a step",
        caption: &caption,
        same_costs: false,
        panels,
    })
    .map_err(|e| Failure(e.to_string()))
}
