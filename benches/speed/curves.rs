//! Step time against replicas, width, batch and image side.

use super::ours::{self, Ours};
use super::record::{Curve, CurvePoint};
use super::rounds::{Failure, time_rounds};
use super::summary::{median, power};
use super::workload::Workload;
use ablate::compare::figures::{Cost, CostFacet, CostFigure, CostSeries, cost_figure};

/// Rounds per point.
const ROUNDS: usize = 3;
/// Length of a measurement as a share of the usual one.
const SHARE: f64 = 0.3;

/// The dimension that is varied, the kind of net, and the workload at each size.
type Sweep = (&'static str, &'static str, Vec<(usize, Workload)>);

fn sweeps() -> Vec<Sweep> {
    fn over(sizes: &[usize], workload: impl Fn(usize) -> Workload) -> Vec<(usize, Workload)> {
        sizes.iter().map(|&size| (size, workload(size))).collect()
    }
    let replicas = [1, 2, 4, 8, 16, 32];
    let widths = [32, 64, 128, 256, 512, 1024];
    let batches = [8, 16, 32, 64, 128, 256, 512];
    let sides = [8, 12, 16, 28, 32, 48, 64];
    let mlp = |r| Workload::mlp(8, &[128, 128], 32, r);
    vec![
        ("replicas", "MLP", over(&replicas, mlp)),
        (
            "replicas",
            "CNN",
            over(&replicas, |r| Workload::cnn(28, 32, r)),
        ),
        (
            "width (units of each of two hidden layers)",
            "MLP",
            over(&widths, |w| Workload::mlp(28, &[w, w], 128, 1)),
        ),
        (
            "batch (examples)",
            "MLP",
            over(&batches, |b| Workload::mlp(28, &[128, 128], b, 1)),
        ),
        (
            "batch (examples)",
            "CNN",
            over(&batches, |b| Workload::cnn(28, b, 1)),
        ),
        (
            "side of the images (pixels)",
            "MLP",
            over(&sides, |s| Workload::mlp(s, &[128, 128], 32, 1)),
        ),
        (
            "side of the images (pixels)",
            "CNN",
            over(&sides, |s| Workload::cnn(s, 32, 1)),
        ),
    ]
}

/// Times every workload of the sweeps on every device.
pub(crate) fn measure(
    devices: &[String],
    seconds: f64,
    mut log: impl FnMut(&str),
) -> Result<Vec<Curve>, Failure> {
    let mut curves = Vec::new();
    for (axis, net, workloads) in sweeps() {
        for device in devices {
            let mut points = Vec::new();
            for (size, workload) in &workloads {
                log(&format!("{net} of {} on {device}", workload.name()));
                let dataset = workload.dataset().map_err(|e| Failure(e.to_string()))?;
                let jobs = ours::jobs(workload, device);
                let stepper = Box::new(Ours::new(&jobs, &dataset)?);
                let names = vec![ours::name(device)];
                let times = time_rounds(names, vec![stepper], ROUNDS, SHARE * seconds).remove(0);
                if let Some(error) = times.error {
                    return Err(Failure(format!("{}: {error}", workload.name())));
                }
                points.push(CurvePoint {
                    size: *size,
                    workload: workload.clone(),
                    milliseconds: times.milliseconds,
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
    /// Exponent of the growth of the step time with its multiply-adds; 1 means proportional.
    pub(crate) fn power(&self) -> Option<f64> {
        let point = |p: &CurvePoint| Some((p.workload.multiply_adds(), median(&p.milliseconds)?));
        power(&self.points.iter().map(point).collect::<Option<Vec<_>>>()?)
    }

    fn series(&self) -> Option<CostSeries> {
        let last = self.points.last()?;
        let rate = median(&last.milliseconds)? / last.workload.multiply_adds();
        let cost = |p: &CurvePoint| {
            Some(Cost {
                size: p.size as f64,
                cost: median(&p.milliseconds)?,
                interval: None,
                proportional: Some(rate * p.workload.multiply_adds()),
            })
        };
        Some(CostSeries {
            name: self.name.clone(),
            costs: self.points.iter().map(cost).collect::<Option<_>>()?,
        })
    }
}

/// All curves in one figure, one facet per dimension of size.
pub(crate) fn figure(curves: &[Curve]) -> Result<String, Failure> {
    let mut facets: Vec<CostFacet> = Vec::new();
    for curve in curves {
        if facets.iter().all(|facet| facet.axis != curve.axis) {
            facets.push(CostFacet {
                title: format!("n = {ROUNDS} measurements per point"),
                axis: curve.axis.clone(),
                ..CostFacet::default()
            });
        }
        let facet = facets.iter_mut().find(|facet| facet.axis == curve.axis);
        facet
            .into_iter()
            .for_each(|facet| facet.series.extend(curve.series()));
    }
    let caption = format!(
        "Each point is the median of {ROUNDS} measurements. Grey dots: time proportional to the multiply-adds of \
         a step, through the last point. The distance of a curve from them on the left is the fixed cost of \
         a step."
    );
    cost_figure(&CostFigure {
        heading: "Time of a training step by size",
        cost_axis: "milliseconds per step",
        caption: &caption,
        shared_cost_axis: false,
        facets,
    })
    .map_err(|e| Failure(e.to_string()))
}
