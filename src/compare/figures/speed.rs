//! Figures of speed: throughput by number of nets, step time of one net, and its growth with width and
//! batch size.

use super::cost::{Cost, CostFacet, CostFigure, CostSeries, Mark, cost_figure};
use super::step_time::{ArmTimes, DeviceTime, step_time};
use crate::compare::analysis::{ArmTimings, Axis, device_pairs};
use crate::compare::results::{ArmComparison, DeviceComparison, TimingOutcome, TrainingSize};
use crate::device::DeviceInfo;
use crate::plot::PlotError;
use crate::plot::page::seed_range;
use crate::stats::{Crossing, Estimate};
use crate::text::number::fixed;

/// File names of the figures that [`speed`] can draw, with descriptions.
pub const SPEED_FILES: [(&str, &str); 3] = [
    (
        "throughput.svg",
        "Samples per second by number of nets, one facet per arm, one line per device",
    ),
    (
        "step-time.svg",
        "Time of a step of one net, by arm and device",
    ),
    (
        "cost.svg",
        "Time of a step of one net by width and batch size, with crossovers between devices",
    ),
];

const INTERVALS: &str = "Points: medians over n windows of steps. Bars: intervals of the median (at least 95 %, \
 order statistics), often smaller than the point.";

/// The figures of the step times, with their file names.
///
/// # Errors
/// If the drawing library fails.
pub fn speed(comparison: &DeviceComparison) -> Result<Vec<(&'static str, String)>, PlotError> {
    let drawn = [
        throughput(comparison)?,
        steps(comparison)?,
        cost(comparison)?,
    ];
    let named = SPEED_FILES.iter().zip(drawn);
    Ok(named
        .filter_map(|((name, _), svg)| Some((*name, svg?)))
        .collect())
}

/// The title of the comparison and what the figure shows.
fn heading(comparison: &DeviceComparison, what: &str) -> String {
    let title = comparison.title.trim();
    match title.ends_with(['.', '?', '!']) {
        true => format!("{title} {what}"),
        false => format!("{title}. {what}"),
    }
}

/// The label of an arm, and the number of windows behind each point.
fn titled(arm: &ArmComparison) -> String {
    let windows = arm.speed.iter().filter_map(|timed| match &timed.outcome {
        TimingOutcome::Done(times) => Some(times.step.len()),
        _ => None,
    });
    format!("{} ({})", arm.label, seed_range(windows))
}

/// One line per device along `axis`.
fn lines(
    comparison: &DeviceComparison,
    timings: ArmTimings<'_>,
    axis: Axis,
    cost: impl Fn(&DeviceInfo, TrainingSize) -> Option<Estimate>,
) -> Vec<CostSeries> {
    let sizes = timings.along(axis);
    let line = |device: &DeviceInfo| CostSeries {
        name: device.label(),
        costs: (sizes.iter())
            .filter_map(|&size| {
                let estimate = cost(device, size)?;
                Some(Cost {
                    size: axis.of(size),
                    cost: estimate.value,
                    interval: estimate.interval,
                    proportional: None,
                })
            })
            .collect(),
    };
    let lines = comparison.devices.iter().map(line);
    lines.filter(|line| !line.costs.is_empty()).collect()
}

fn throughput(comparison: &DeviceComparison) -> Result<Option<String>, PlotError> {
    let facet = |arm: &ArmComparison| {
        let timings = ArmTimings(arm);
        let rate = |device: &DeviceInfo, size| timings.rate(&device.name, size);
        let facet = CostFacet {
            title: titled(arm),
            axis: "number of nets".to_owned(),
            series: lines(comparison, timings, Axis::Replicas, rate),
            marks: Vec::new(),
        };
        (!facet.series.is_empty()).then_some(facet)
    };
    drawn(CostFigure {
        heading: &heading(comparison, "Training throughput"),
        cost_axis: "samples per second",
        caption: &format!(
            "{INTERVALS} Samples are summed over all nets. All facets have the same axes."
        ),
        shared_cost_axis: true,
        facets: comparison.arms.iter().filter_map(facet).collect(),
    })
}

fn cost(comparison: &DeviceComparison) -> Result<Option<String>, PlotError> {
    let facet = |(arm, axis): (&ArmComparison, Axis)| {
        let timings = ArmTimings(arm);
        let step = |device: &DeviceInfo, size| {
            Some(
                timings
                    .step(&device.name, size)?
                    .map(|seconds| 1e3 * seconds),
            )
        };
        let series = lines(comparison, timings, axis, step);
        let most = series.iter().map(|line| line.costs.len()).max();
        let words = match axis {
            Axis::Width => "width of the hidden layers, relative to the spec",
            Axis::Batch | Axis::Replicas => "batch size (examples)",
        };
        (most > Some(1)).then(|| CostFacet {
            title: titled(arm),
            axis: words.to_owned(),
            marks: marks(comparison, timings, axis, &series),
            series,
        })
    };
    let facets = comparison.arms.iter();
    let facets = facets.flat_map(|arm| [(arm, Axis::Width), (arm, Axis::Batch)]);
    let facets: Vec<CostFacet> = facets.filter_map(facet).collect();
    let crossings = match facets.iter().any(|facet| !facet.marks.is_empty()) {
        true => "Rings: the size from which one device is faster than another.",
        false => "No crossover between devices within these sizes.",
    };
    drawn(CostFigure {
        heading: &heading(comparison, "Step time of one net"),
        cost_axis: "milliseconds per step",
        caption: &format!("{INTERVALS} {crossings}"),
        shared_cost_axis: false,
        facets,
    })
}

fn drawn(figure: CostFigure<'_>) -> Result<Option<String>, PlotError> {
    match figure.facets.is_empty() {
        true => Ok(None),
        false => cost_figure(&figure).map(Some),
    }
}

/// Marks at the crossovers of two devices.
fn marks(
    comparison: &DeviceComparison,
    timings: ArmTimings<'_>,
    axis: Axis,
    series: &[CostSeries],
) -> Vec<Mark> {
    let mark = |(device, reference): (&DeviceInfo, &DeviceInfo)| {
        let found = timings.crossover(axis, &device.name, &reference.name)?;
        let Crossing::At(size) = found.crossing else {
            return None;
        };
        let line = series.iter().find(|line| line.name == device.label())?;
        Some(Mark {
            size,
            cost: at(&line.costs, size)?,
            label: match size < 9.95 {
                true => fixed(size, 1),
                false => fixed(size, 0),
            },
        })
    };
    device_pairs(&comparison.devices)
        .into_iter()
        .filter_map(mark)
        .collect()
}

/// The cost at `size` on a drawn line.
fn at(costs: &[Cost], size: f64) -> Option<f64> {
    let (a, b) = (costs.windows(2))
        .map(|pair| (pair[0], pair[1]))
        .find(|(a, b)| (a.size..=b.size).contains(&size))?;
    let share = (size / a.size).ln() / (b.size / a.size).ln();
    Some(a.cost * (b.cost / a.cost).powf(share))
}

fn steps(comparison: &DeviceComparison) -> Result<Option<String>, PlotError> {
    let group = |arm: &ArmComparison| {
        let timings = ArmTimings(arm);
        let row = |(style, device): (usize, &DeviceInfo)| {
            let step = timings.step(&device.name, timings.one())?;
            Some(DeviceTime {
                style,
                name: device.label(),
                value: step.map(|seconds| 1e3 * seconds),
            })
        };
        let rows: Vec<DeviceTime> = comparison
            .devices
            .iter()
            .enumerate()
            .filter_map(row)
            .collect();
        (!rows.is_empty()).then(|| ArmTimes {
            title: titled(arm),
            rows,
        })
    };
    let groups: Vec<ArmTimes> = comparison.arms.iter().filter_map(group).collect();
    if groups.is_empty() {
        return Ok(None);
    }
    let heading = heading(comparison, "Step time of one net");
    let caption = format!("{INTERVALS} Left is faster; the axis is logarithmic.");
    step_time(&heading, "milliseconds per step", &caption, &groups).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::analysis::fixture::comparison;
    use crate::compare::results::TimingOutcome;
    use crate::device::DeviceKind;

    fn figures(comparison: &DeviceComparison) -> Vec<(&'static str, String)> {
        speed(comparison).unwrap()
    }

    fn count(svg: &str, what: &str) -> usize {
        svg.matches(what).count()
    }

    #[test]
    fn every_arm_has_a_facet_and_every_device_a_line() {
        let figures = figures(&comparison());
        let names: Vec<&str> = figures.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, SPEED_FILES.map(|(name, _)| name));
        let [(_, throughput), (_, steps), (_, cost)] = &figures[..] else {
            panic!("{names:?}")
        };
        assert_eq!(count(throughput, "class=\"series\""), 2 * 2);
        assert_eq!(count(throughput, "class=\"interval\""), 3 * 2 * 2 * 4);
        assert_eq!(count(throughput, "class=\"key\""), 2);
        assert_eq!(count(cost, "class=\"series\""), 2 * 2 * 2);
        assert_eq!(count(steps, "class=\"interval\""), 3 * 2 * 2);
        for (_, svg) in &figures {
            assert!(svg.contains("plain label") && svg.contains("dropout label"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"));
        }
    }

    #[test]
    fn crossover_is_marked_where_lines_meet() {
        let comparison = comparison();
        let timings = ArmTimings(&comparison.arms[0]);
        let step = |device: &DeviceInfo, size| timings.step(&device.name, size);
        for axis in [Axis::Width, Axis::Replicas] {
            let series = lines(&comparison, timings, axis, step);
            let marks = marks(&comparison, timings, axis, &series);
            assert_eq!(marks.len(), 1);
            for line in &series {
                let there = at(&line.costs, marks[0].size).unwrap();
                assert!(
                    (there / marks[0].cost - 1.0).abs() < 1e-9,
                    "{axis:?} {}",
                    line.name
                );
            }
        }
    }

    #[test]
    fn software_adapter_is_marked_and_output_is_deterministic() {
        let mut comparison = comparison();
        comparison.devices[1].kind = DeviceKind::SoftwareAdapter;
        for (name, svg) in figures(&comparison) {
            assert!(svg.contains("wgpu (software adapter)"), "{name}");
        }
        assert_eq!(figures(&comparison), figures(&comparison));
    }

    #[test]
    fn no_figures_without_times() {
        let mut comparison = comparison();
        for timed in comparison.arms.iter_mut().flat_map(|arm| &mut arm.speed) {
            timed.outcome = TimingOutcome::Failed {
                error: "lost".into(),
            };
        }
        assert_eq!(figures(&comparison), []);
    }
}
