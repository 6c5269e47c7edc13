//! Sizes without times, and sizes with unstable times.

use super::super::devices;
use super::numbers::{in_digits, setting};
use crate::compare::analysis::{ArmTimings, Axis};
use crate::compare::results::{
    ArmComparison, DeviceComparison, SizeTiming, TimingConfig, TimingOutcome, TrainingSize,
};
use crate::text::counted;
use crate::text::number::compact;

/// One line per arm, device and reason.
pub(super) fn skipped_sizes(
    comparison: &DeviceComparison,
    timing: &TimingConfig,
) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for arm in &comparison.arms {
        for (device, why, sizes) in reasons(arm, timing) {
            let device = devices::shown(comparison, device);
            let sizes = in_sizes(ArmTimings(arm), &sizes);
            lines.push(format!("- {}, {device}, {sizes}: {why}", arm.label));
        }
    }
    (!lines.is_empty()).then(|| format!("### Skipped or unstable sizes\n\n{}", lines.join("\n")))
}

/// Devices and reasons, with their sizes.
fn reasons<'a>(
    arm: &'a ArmComparison,
    timing: &TimingConfig,
) -> Vec<(&'a str, String, Vec<TrainingSize>)> {
    let mut found: Vec<(&str, String, Vec<TrainingSize>)> = Vec::new();
    for timed in &arm.speed {
        let Some(why) = why(timed, timing) else {
            continue;
        };
        let same = |(device, reason, _): &&mut (&str, String, Vec<TrainingSize>)| {
            *device == timed.device && *reason == why
        };
        match found.iter_mut().find(same) {
            Some((_, _, sizes)) => sizes.push(timed.size),
            None => found.push((&timed.device, why, vec![timed.size])),
        }
    }
    found
}

fn why(timed: &SizeTiming, timing: &TimingConfig) -> Option<String> {
    Some(match &timed.outcome {
        TimingOutcome::Done(speed) if speed.settled => return None,
        TimingOutcome::Done(speed) => format!(
            "the step time was not stable after a warm-up of {} s; the times are shown anyway",
            compact(speed.warm_up - speed.first_step)
        ),
        TimingOutcome::TooSlow { size, step, .. } if *size == timed.size => format!(
            "a step takes {} s, longer than the limit of {} s",
            compact(*step),
            setting(timing.longest_step)
        ),
        TimingOutcome::TooSlow { size, step, .. } => format!(
            "not tried, because {} already takes {} s per step",
            in_size(*size),
            compact(*step)
        ),
        TimingOutcome::OutOfTime { spent } => format!(
            "no time left: the other sizes took {} s of {} s",
            compact(*spent),
            setting(timing.most)
        ),
        TimingOutcome::Unfit { reason } => format!("not possible: {reason}"),
        TimingOutcome::Failed { error } => format!("failed: {error}"),
    })
}

/// A single size in full; several sizes by what differs: `16, 64 nets; width ×4; batch 512`.
fn in_sizes(timings: ArmTimings<'_>, sizes: &[TrainingSize]) -> String {
    if let [size] = sizes {
        return in_size(*size);
    }
    let axis = |size: TrainingSize| {
        Axis::ALL
            .into_iter()
            .find(|axis| timings.is_on(*axis, size))
    };
    let mut parts: Vec<String> = Vec::new();
    for along in Axis::ALL {
        let sizes = sizes.iter().filter(|size| axis(**size) == Some(along));
        let mut shown: Vec<f64> = sizes.map(|size| along.of(*size)).collect();
        shown.sort_unstable_by(f64::total_cmp);
        let most = shown.last().copied();
        let shown: Vec<String> = shown.into_iter().map(in_digits).collect();
        let shown = shown.join(", ");
        parts.extend(most.map(|most| match along {
            Axis::Replicas if most == 1.0 => "1 net".to_owned(),
            Axis::Replicas => format!("{shown} nets"),
            Axis::Width => format!("width ×{}", shown.replace(", ", ", ×")),
            Axis::Batch => format!("batch {shown}"),
        }));
    }
    let others = sizes.iter().filter(|size| axis(**size).is_none());
    parts.extend(others.map(|size| in_size(*size)));
    parts.join("; ")
}

pub(super) fn in_size(size: TrainingSize) -> String {
    let mut text = format!("{}, batch {}", counted(size.replicas, "net"), size.batch);
    if size.width != 1.0 {
        text += &format!(", width ×{}", in_digits(size.width));
    }
    text
}
