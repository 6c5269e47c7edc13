//! The tables on speed. A device is called by what it is in all of them.

use super::super::devices;
use super::numbers::{grouped, in_digits, rounded, times, waited, with_interval};
use super::skipped::in_size;
use crate::compare::analysis::{AccuracyGoal, ArmTimings, Axis, Crossover, pairs};
use crate::compare::results::{ArmComparison, DeviceComparison, TimingOutcome};
use crate::device::DeviceInfo;
use crate::stats::Crossing;
use crate::text::markdown::{Align, Table};
use crate::text::number::{compact, fixed};

/// Share of the best device's test accuracy at the end that counts as learned.
const SHARE: f64 = 0.99;

/// Every arm on every device.
fn rows(comparison: &DeviceComparison) -> impl Iterator<Item = (&ArmComparison, &DeviceInfo)> {
    let of = |arm| comparison.devices.iter().map(move |device| (arm, device));
    comparison.arms.iter().flat_map(of)
}

/// Nets side by side on every device.
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
        ("times one net's step", Align::Right),
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

/// Step times of one net along `axis`; `None` where nothing was varied.
pub(super) fn larger(comparison: &DeviceComparison, axis: Axis) -> Option<String> {
    let (heading, text) = match axis {
        Axis::Replicas => return None,
        Axis::Width => ("Wider nets", "hidden layers of so many times the width"),
        Axis::Batch => ("Larger batches", "so many examples a step"),
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
    let mut out = format!("### {heading}\n\nMilliseconds a step of one net, with {text}.");
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

/// From which size on a device is faster than another.
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
        for (device, reference) in pairs(&comparison.devices) {
            let found = Axis::ALL
                .map(|axis| ArmTimings(arm).crossover(axis, &device.name, &reference.name));
            any |= found.iter().any(Option::is_some);
            let cells = found.map(|found| found.map_or(String::new(), |found| from(&found)));
            let names = [arm.label.clone(), device.code(), reference.code()];
            table.row(names.into_iter().chain(cells));
        }
    }
    let text = "The smallest size from which on the device is the faster one at every larger size \
                measured, between two sizes by a straight line in logarithms; in parentheses what the \
                intervals allow. Width is relative to the spec's. Nothing is extrapolated.";
    any.then(|| {
        let table = table.render();
        format!(
            "### Where one device overtakes another\n\n{text}\n\n{}",
            table.trim_end()
        )
    })
}

fn from(found: &Crossover) -> String {
    let end = |end: Option<f64>| end.map_or("?".to_owned(), in_digits);
    match &found.crossing {
        Crossing::Throughout => "all sizes measured".to_owned(),
        Crossing::Nowhere => "not within the sizes measured".to_owned(),
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

/// The time to an accuracy; `None` where no arm was trained to its end.
pub(super) fn learning(comparison: &DeviceComparison) -> Option<String> {
    let mut table = Table::new([
        ("arm", Align::Left),
        ("device", Align::Left),
        ("accuracy, %", Align::Right),
        ("seeds there", Align::Right),
        ("steps", Align::Right),
        ("training, s", Align::Right),
        ("with starting, s", Align::Right),
    ]);
    let goals: Vec<(&ArmComparison, AccuracyGoal)> = (comparison.arms.iter())
        .filter_map(|arm| Some((arm, ArmTimings(arm).goal(SHARE)?)))
        .collect();
    for (arm, goal) in &goals {
        for reached in &goal.reached {
            let label = devices::shown(comparison, &reached.device);
            let with_start = reached.seconds.zip(reached.start_up);
            let with_start = with_start.map(|(seconds, start)| seconds.map(|s| s + start));
            let seconds =
                [reached.seconds, with_start].map(|time| time.map(|time| waited(time, compact)));
            let [seconds, with_start] = seconds.map(Option::unwrap_or_default);
            table.row([
                arm.label.clone(),
                label,
                fixed(goal.accuracy, 1),
                format!("{} of {}", reached.there, reached.seeds),
                waited(reached.steps, in_digits),
                seconds,
                with_start,
            ]);
        }
    }
    let text = format!(
        "Until the test accuracy of a seed is first at {} % of the best device's mean at the end, for \
         one net: the steps up to the first evaluation where it is, times the time of a step. Only \
         training steps are timed; evaluations are not, and between two of them nobody looks. Values are \
         medians over the seeds trained, and over the windows of a step's time; the intervals cover both, \
         the steps' between order statistics of the seeds, the times' with those of the windows, at \
         least 95 % of the time. They take 7 seeds. A seed that never gets there has waited longer than \
         all that do, and *not reached* is an end that falls among such. Starting is what the first step \
         takes beyond a usual one; it was seen once, and moves the interval without widening it.",
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
        ("its steps", Align::Right),
        ("longest first step, s", Align::Right),
        ("of", Align::Left),
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
        "One net as the spec has it: the first step, and the warm-up, which it is part of; beside it the \
         longest first step of all sizes. A GPU compiles and tunes its kernels in first steps, for each \
         shape anew. What an earlier process left in the tuning cache is not done again, nor what an \
         earlier size or training of the same process has done.\n\n{}",
        table.render().trim_end()
    )
}
