//! Differences that have a known reason, told where the numbers show them.

use super::devices::shown;
use super::parity::{ParityRun, noise, runs};
use crate::compare::analysis::bound::{BoundViolation, Quantity};
use crate::compare::results::{ArmComparison, DeviceComparison, Parity, RoundingBaseline};
use crate::device::{DeviceInfo, DeviceKind};
use crate::text::markdown::list;
use crate::text::number::compact;

/// Growth of the yardstick from the first step on that is worth a sentence.
const GROWTH: f64 = 10.0;

/// Rounds after which Mesa's software adapter leaves the loops of a shader (`lp_bld_limits.h`).
const LLVMPIPE_ROUNDS: &str = "65,535";

/// Distances of the first loss that the ten bits of TF32 notes, and rounding to 23 bits does not.
const TF32: std::ops::Range<f64> = 1e-5..1e-2;

/// What explains the numbers of a comparison, as a list; `None` where there is nothing to notes.
pub(super) fn list_of(comparison: &DeviceComparison) -> Option<String> {
    let mut items: Vec<String> = comparison.arms.iter().flat_map(of_arm).collect();
    items.extend(runs(comparison).filter_map(|run| kinks(comparison, &run)));
    items.extend(twins(comparison));
    items.extend(order_of_sums(comparison));
    items.extend(runs(comparison).filter_map(|run| tf32(comparison, &run)));
    items.extend(runs(comparison).filter_map(|run| llvmpipe(comparison, &run)));
    (!items.is_empty()).then(|| list(items.into_iter()))
}

fn of_arm(arm: &ArmComparison) -> Vec<String> {
    let Some(yardstick) = &arm.yardstick else {
        return Vec::new();
    };
    [growth(arm, yardstick), of_noise(arm, yardstick)]
        .into_iter()
        .flatten()
        .collect()
}

fn growth(arm: &ArmComparison, yardstick: &RoundingBaseline) -> Option<String> {
    let drift = &yardstick.drift;
    let (first, last) = (drift.iter().find(|d| **d > 0.0)?, drift.last()?);
    (*last > GROWTH * first).then(|| {
        format!(
            "`{}`: the loss of the yardstick's runs drifts from {} to {} off double precision, though \
             each of their steps is right. Training enlarges what rounding leaves.",
            arm.arm,
            compact(*first),
            compact(*last)
        )
    })
}

/// Steps at which rounding decides on which side of a kink a unit is.
fn kinks(comparison: &DeviceComparison, run: &ParityRun<'_>) -> Option<String> {
    let kinks = &run.parity.kinks;
    let steps: Vec<String> = kinks.iter().map(|kink| kink.step.to_string()).collect();
    let largest = kinks
        .iter()
        .flat_map(|kink| &kink.gradients)
        .copied()
        .fold(0.0, f64::max);
    (!kinks.is_empty()).then(|| {
        format!(
            "{}, `{}`: at step {} a unit sits at the kink of its activation, or of a maximum, to within \
             rounding: in double precision, too, the last bits of the weights move a gradient by up to {}. \
             The bound of the gradients is wider there.",
            shown(comparison, run.device),
            run.arm.arm,
            steps.join(", "),
            compact(largest)
        )
    })
}

/// Gradients that are zero in theory.
fn of_noise(arm: &ArmComparison, yardstick: &RoundingBaseline) -> Option<String> {
    let noise = noise(yardstick);
    let path = |k: &usize| format!("`{}`", yardstick.largest.parameters[*k].path);
    let paths: Vec<String> = noise.iter().map(path).collect();
    let wanders = match arm.optimizer.as_str() {
        "adam" | "adamw" => {
            "Adam divides it by its own size and so moves the parameter along nothing but rounding"
        }
        _ => "SGD moves the parameter by as much as rounding leaves of it",
    };
    (!noise.is_empty()).then(|| {
        format!(
            "`{}`: the gradient of {} is zero in theory, because what follows subtracts it again, and in \
             single precision all of it is rounding. {wanders}. The table leaves these out; the bound \
             counts them, against the rounding of the yardstick.",
            arm.arm,
            paths.join(", ")
        )
    })
}

/// Devices that give the same bits.
fn twins(comparison: &DeviceComparison) -> Vec<String> {
    let mut found = Vec::new();
    for (k, device) in comparison.devices.iter().enumerate() {
        for other in &comparison.devices[k + 1..] {
            let pairs: Vec<bool> = comparison
                .arms
                .iter()
                .filter_map(|arm| {
                    let of = |name: &str| {
                        let on = arm.parity.iter().find(|on| on.device == name)?;
                        super::parity::run(arm, on).map(|run| &run.parity.distances)
                    };
                    Some(of(&device.name)? == of(&other.name)?)
                })
                .collect();
            if !pairs.is_empty() && pairs.iter().all(|equal| *equal) {
                found.push(format!(
                    "`{}` and `{}` are equally far off everywhere: both run the kernels of this program.",
                    device.name, other.name
                ));
            }
        }
    }
    found
}

/// Why a healthy device differs from the CPU's kernels at all.
fn order_of_sums(comparison: &DeviceComparison) -> Option<String> {
    let has_other_kernels = |d: &&DeviceInfo| d.kind != DeviceKind::Cpu;
    let healthy = |d: &&DeviceInfo| {
        let mut of_device = runs(comparison)
            .filter(|run| run.device == d.name)
            .peekable();
        of_device.peek().is_some() && of_device.all(|run| run.broken().is_none())
    };
    let devices = comparison
        .devices
        .iter()
        .filter(has_other_kernels)
        .filter(healthy);
    let names: Vec<String> = devices.map(|d| shown(comparison, &d.name)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: its kernels add in another order than the CPU's, and may round a multiply-add once \
             where the CPU rounds twice. Either moves last digits, and is all that is needed for what \
             the table shows.",
            names.join(", ")
        )
    })
}

/// Matrix units that round to ten bits.
fn tf32(comparison: &DeviceComparison, run: &ParityRun<'_>) -> Option<String> {
    let broken: BoundViolation = run.broken()?;
    let backend = &comparison
        .devices
        .iter()
        .find(|d| d.name == run.device)?
        .backend;
    let first = run.parity.distances.loss.first()?;
    let early = broken.step == 1 && !matches!(broken.quantity, Quantity::Value(_));
    (backend == "cuda" && early && TF32.contains(&first.max(broken.distance))).then(|| {
        format!(
            "{}, `{}`: off from the first step on by what rounding to ten bits would leave (5e−4). \
             NVIDIA's matrix units round the factors of products to TF32, which has as many. That is no \
             broken kernel, and no single precision either; whether it matters is for whole trainings \
             to say.",
            shown(comparison, run.device),
            run.arm.arm
        )
    })
}

/// Loops that a software adapter does not finish.
fn llvmpipe(comparison: &DeviceComparison, run: &ParityRun<'_>) -> Option<String> {
    run.broken()?;
    let device = comparison.devices.iter().find(|d| d.name == run.device)?;
    device.adapter.starts_with("llvmpipe").then(|| {
        format!(
            "{}, `{}`: llvmpipe leaves the loops of a shader after {LLVMPIPE_ROUNDS} rounds, done or not, \
             and one thread adds all rows of a sum there that is left to burn, as those of ghost batches \
             are. Such a sum over more examples (here {}) times pixels than that is cut short, and one \
             over fewer loses more digits than those of kernels that add in parallel. Neither says \
             anything about a GPU.",
            shown(comparison, run.device),
            run.arm.arm,
            run.arm.batch
        )
    })
}

/// Where the forward pass goes astray, behind what the loss is off by.
pub fn forward(parity: &Parity) -> String {
    match parity.forward.as_ref().map(|f| (f.step, &f.place)) {
        None => String::new(),
        Some((step, Some(place))) => format!(
            "; from equal weights at step {step} the first thing astray is {} of `{}`, off by {}",
            place.point,
            place.path,
            compact(place.distance)
        ),
        Some((step, None)) => format!(
            "; from equal weights at step {step} every block is near enough, so the fault is in the \
             loss, or in what looking changes: fused kernels"
        ),
    }
}
