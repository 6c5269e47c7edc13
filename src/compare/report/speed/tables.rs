//! Tables of the speed section.

use super::super::devices;
use super::numbers::{grouped, in_digits, rounded, time_or_not_reached, times, with_interval};
use super::skipped::in_size;
use crate::compare::analysis::{AccuracyGoal, ArmTimings, Axis, Crossover, device_pairs};
use crate::compare::results::{ArmComparison, DeviceComparison, TimingOutcome};
use crate::device::DeviceInfo;
use crate::stats::Crossing;
use crate::text::markdown::{Align, Table};
use crate::text::number::{compact, fixed};

/// Share of the best device's final test accuracy that counts as learned.
const SHARE: f64 = 0.99;

/// Every arm on every device.
fn rows(comparison: &DeviceComparison) -> impl Iterator<Item = (&ArmComparison, &DeviceInfo)> {
    let of = |arm| comparison.devices.iter().map(move |device| (arm, device));
    comparison.arms.iter().flat_map(of)
}

/// Throughput by number of nets, on every device.
pub(super) fn throughput(comparison: &DeviceComparison) -> String {
    let first = comparison.devices.first().map_or("", |device| &device.name);
    let ratio = format!("times as fast as {first}");
    let mut table = Table::new([
        ("arm", Align::Left),
        ("device", Align::Left),
        ("nets", Align::Right),
        ("step, ms", Align::Right),
        ("samples/s", Align::Right),
        (&ratio, Align::Right),
        ("step, relative to one net", Align::Right),
    ]);
    for (arm, device) in rows(comparison) {
        let timings = ArmTimings(arm);
        for size in timings.along(Axis::Replicas) {
            let (Some(step), Some(rate)) = (
                timings.step(&device.name, size),
                timings.rate(&device.name, size),
            ) else {
                continue;
            };
            let speedup = timings.speedup(&device.name, first, size);
            let step_growth = timings.step_growth(&device.name, size);
            let other = device.name != first;
            table.row([
                arm.label.clone(),
                device.code(),
                size.replicas.to_string(),
                with_interval(step.map(|s| 1e3 * s), compact),
                with_interval(rate, rounded),
                speedup
                    .filter(|_| other)
                    .map_or(String::new(), |a| with_interval(a, times)),
                (step_growth.filter(|_| size.replicas > 1))
                    .map_or(String::new(), |s| with_interval(s, times)),
            ]);
        }
    }
    table.render()
}

/// Step times of one net along `axis`; `None` if there is only one size.
pub(super) fn larger(comparison: &DeviceComparison, axis: Axis) -> Option<String> {
    let (heading, text) = match axis {
        Axis::Replicas => return None,
        Axis::Width => (
            "Wider nets",
            "hidden layers of this width, relative to the spec",
        ),
        Axis::Batch => ("Larger batches", "this many examples per step"),
    };
    let sizes = |arm: &ArmComparison| -> Vec<String> {
        let sizes = ArmTimings(arm).along(axis).into_iter();
        sizes.map(|size| in_digits(axis.of(size))).collect()
    };
    let mut grids: Vec<Vec<String>> = Vec::new();
    for grid in comparison.arms.iter().map(sizes) {
        if grid.len() > 1 && !grids.contains(&grid) {
            grids.push(grid);
        }
    }
    if grids.is_empty() {
        return None;
    }
    let mut out = format!("### {heading}\n\nMilliseconds per step of one net, with {text}.");
    for grid in grids {
        let columns = grid.iter().map(|size| (size.as_str(), Align::Right));
        let mut table = Table::new(
            [("arm", Align::Left), ("device", Align::Left)]
                .into_iter()
                .chain(columns),
        );
        for (arm, device) in rows(comparison).filter(|(arm, _)| sizes(arm) == grid) {
            let timings = ArmTimings(arm);
            let steps = timings.along(axis).into_iter().map(|size| {
                let step = timings.step(&device.name, size);
                step.map_or(String::new(), |step| {
                    with_interval(step.map(|s| 1e3 * s), compact)
                })
            });
            table.row([arm.label.clone(), device.code()].into_iter().chain(steps));
        }
        out += &format!("\n\n{}", table.render().trim_end());
    }
    Some(out)
}

/// Sizes from which one device is faster than another.
pub(super) fn crossover(comparison: &DeviceComparison) -> Option<String> {
    let mut table = Table::new([
        ("arm", Align::Left),
        ("device", Align::Left),
        ("faster than", Align::Left),
        ("from nets", Align::Right),
        ("from width", Align::Right),
        ("from batch", Align::Right),
    ]);
    let mut any = false;
    for arm in &comparison.arms {
        for (device, reference) in device_pairs(&comparison.devices) {
            let found = Axis::ALL
                .map(|axis| ArmTimings(arm).crossover(axis, &device.name, &reference.name));
            any |= found.iter().any(Option::is_some);
            let cells = found.map(|found| found.map_or(String::new(), |found| from(&found)));
            let names = [arm.label.clone(), device.code(), reference.code()];
            table.row(names.into_iter().chain(cells));
        }
    }
    let text = "The smallest size from which the device is faster at every larger measured size, \
     interpolated linearly in logarithms between two sizes. In parentheses: the range that the \
     intervals allow. Width is relative to the spec. Nothing is extrapolated.";
    any.then(|| {
        let table = table.render();
        format!(
            "### Crossover between devices\n\n{text}\n\n{}",
            table.trim_end()
        )
    })
}

fn from(found: &Crossover) -> String {
    let end = |end: Option<f64>| end.map_or("?".to_owned(), in_digits);
    match &found.crossing {
        Crossing::Throughout => "all measured sizes".to_owned(),
        Crossing::Nowhere => "not within the measured sizes".to_owned(),
        Crossing::Only(sizes) => {
            let sizes: Vec<String> = sizes.iter().copied().map(in_digits).collect();
            format!("only at {}", sizes.join(", "))
        }
        Crossing::At(size) => match (found.earliest, found.latest) {
            (None, None) => in_digits(*size),
            (low, high) => format!("{} ({} to {})", in_digits(*size), end(low), end(high)),
        },
    }
}

/// Training time to an accuracy; `None` without complete trainings.
pub(super) fn learning(comparison: &DeviceComparison) -> Option<String> {
    let mut table = Table::new([
        ("arm", Align::Left),
        ("device", Align::Left),
        ("accuracy, %", Align::Right),
        ("seeds that reached it", Align::Right),
        ("steps", Align::Right),
        ("training, s", Align::Right),
        ("with start-up, s", Align::Right),
    ]);
    let goals: Vec<(&ArmComparison, AccuracyGoal)> = (comparison.arms.iter())
        .filter_map(|arm| Some((arm, ArmTimings(arm).goal(SHARE)?)))
        .collect();
    for (arm, goal) in &goals {
        for reached in &goal.reached {
            let label = devices::shown(comparison, &reached.device);
            let with_start = reached.seconds.zip(reached.start_up);
            let with_start = with_start.map(|(seconds, start)| seconds.map(|s| s + start));
            let seconds = [reached.seconds, with_start]
                .map(|time| time.map(|time| time_or_not_reached(time, compact)));
            let [seconds, with_start] = seconds.map(Option::unwrap_or_default);
            table.row([
                arm.label.clone(),
                label,
                fixed(goal.accuracy, 1),
                format!("{} of {}", reached.reached, reached.seeds),
                time_or_not_reached(reached.steps, in_digits),
                seconds,
                with_start,
            ]);
        }
    }
    let text = format!(
        "Training time of one net until the test accuracy of a seed first reaches {} % of the best \
         device's final mean: the steps up to that evaluation times the time of a step. Evaluations \
         are not timed. Values are medians over seeds and over the windows of the step time. The \
         intervals cover both, from order statistics, at least 95 % of the time; they need 7 seeds. A \
         seed that never reaches the accuracy counts as longer than all others; *not reached* stands \
         for a median or an end of the interval among those. Start-up is the time that the first step \
         takes longer than a usual one; it was measured once, so it shifts the interval without \
         widening it.",
        fixed(100.0 * SHARE, 0)
    );
    (!goals.is_empty()).then(|| {
        let table = table.render();
        format!("### Time to an accuracy\n\n{text}\n\n{}", table.trim_end())
    })
}

pub(super) fn starting(comparison: &DeviceComparison) -> String {
    let mut table = Table::new([
        ("arm", Align::Left),
        ("device", Align::Left),
        ("first step, s", Align::Right),
        ("warm-up, s", Align::Right),
        ("warm-up steps", Align::Right),
        ("longest first step, s", Align::Right),
        ("its size", Align::Left),
    ]);
    for (arm, device) in rows(comparison) {
        let timings = ArmTimings(arm);
        let Some(speed) = timings.speed(&device.name, timings.one()) else {
            continue;
        };
        let all = arm.speed.iter().filter(|timed| timed.device == device.name);
        let first_steps = all.filter_map(|timed| match &timed.outcome {
            TimingOutcome::Done(speed) => Some((speed.first_step, timed.size)),
            _ => None,
        });
        let longest = first_steps.max_by(|a, b| a.0.total_cmp(&b.0));
        table.row([
            arm.label.clone(),
            device.code(),
            compact(speed.first_step),
            compact(speed.warm_up),
            grouped(speed.warm_up_steps as f64),
            longest.map(|(step, _)| compact(step)).unwrap_or_default(),
            longest.map(|(_, size)| in_size(size)).unwrap_or_default(),
        ]);
    }
    format!(
        "The net of the spec: its first step, the warm-up (including the first step), and the \
         longest first step of any size. A GPU compiles and tunes its kernels in first steps, once \
         per shape. Kernels in the tuning cache of an earlier process, and those of an earlier size \
         or training in the same process, are not tuned again.\n\n{}",
        table.render().trim_end()
    )
}
