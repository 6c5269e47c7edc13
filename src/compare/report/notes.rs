//! Notes on differences with a known cause, if the numbers show them.

use super::devices::shown;
use super::parity::{ParityRun, runs, zero_gradient_indices};
use crate::compare::analysis::bound::{BoundViolation, Quantity};
use crate::compare::results::{ArmComparison, DeviceComparison, Parity, RoundingBaseline};
use crate::device::{DeviceInfo, DeviceKind};
use crate::text::markdown::list;
use crate::text::number::compact;

/// Growth of the baseline's drift that gets a note.
const GROWTH: f64 = 10.0;

/// Iterations after which Mesa's software adapter stops loops of a shader (`lp_bld_limits.h`).
const LLVMPIPE_ROUNDS: &str = "65,535";

/// Distances of the first loss that are explained by the ten bits of TF32 but not by 23 bits.
const TF32: std::ops::Range<f64> = 1e-5..1e-2;

/// All notes on a comparison as a list; `None` without notes.
pub(super) fn list_of(comparison: &DeviceComparison) -> Option<String> {
    let mut items: Vec<String> = comparison.arms.iter().flat_map(of_arm).collect();
    items.extend(runs(comparison).filter_map(|run| kinks(comparison, &run)));
    items.extend(identical_devices(comparison));
    items.extend(order_of_sums(comparison));
    items.extend(runs(comparison).filter_map(|run| tf32(comparison, &run)));
    items.extend(runs(comparison).filter_map(|run| llvmpipe(comparison, &run)));
    (!items.is_empty()).then(|| list(items.into_iter()))
}

fn of_arm(arm: &ArmComparison) -> Vec<String> {
    let Some(baseline) = &arm.baseline else {
        return Vec::new();
    };
    [growth(arm, baseline), zero_gradients(arm, baseline)]
        .into_iter()
        .flatten()
        .collect()
}

fn growth(arm: &ArmComparison, baseline: &RoundingBaseline) -> Option<String> {
    let drift = &baseline.drift;
    let (first, last) = (drift.iter().find(|d| **d > 0.0)?, drift.last()?);
    (*last > GROWTH * first).then(|| {
        format!(
            "`{}`: in the baseline runs, the drift of the loss grows from {} to {}, although each \
             step is correct. Training amplifies rounding errors.",
            arm.arm,
            compact(*first),
            compact(*last)
        )
    })
}

/// Steps at a kink.
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
            "{}, `{}`: at step {} a unit is at the kink of its activation or at a tie in a max \
             pooling, within rounding. Even in double precision, the last bits of the weights change \
             a gradient by up to {}. The bound of the gradients is wider there.",
            shown(comparison, run.device),
            run.arm.arm,
            steps.join(", "),
            compact(largest)
        )
    })
}

/// Gradients that are zero in theory.
fn zero_gradients(arm: &ArmComparison, baseline: &RoundingBaseline) -> Option<String> {
    let zero = zero_gradient_indices(baseline);
    let path = |k: &usize| format!("`{}`", baseline.largest.parameters[*k].path);
    let paths: Vec<String> = zero.iter().map(path).collect();
    let effect = match arm.optimizer.as_str() {
        "adam" | "adamw" => "Adam normalizes it, so it moves the parameter by rounding errors",
        _ => "SGD moves the parameter by the rounding error",
    };
    (!zero.is_empty()).then(|| {
        format!(
            "`{}`: the gradient of {} is zero in theory, because the next norm subtracts it, so in \
             single precision it is only rounding. {effect}. The table excludes these gradients; \
             they are still tested, against the rounding of the baseline.",
            arm.arm,
            paths.join(", ")
        )
    })
}

/// Devices with the same bits.
fn identical_devices(comparison: &DeviceComparison) -> Vec<String> {
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
                    "`{}` and `{}` have the same distances everywhere: both run the kernels of this \
                     program.",
                    device.name, other.name
                ));
            }
        }
    }
    found
}

/// Why a correct device differs from the CPU's kernels.
fn order_of_sums(comparison: &DeviceComparison) -> Option<String> {
    let has_other_kernels = |d: &&DeviceInfo| d.kind != DeviceKind::Cpu;
    let is_correct = |d: &&DeviceInfo| {
        let mut of_device = runs(comparison)
            .filter(|run| run.device == d.name)
            .peekable();
        of_device.peek().is_some() && of_device.all(|run| run.broken().is_none())
    };
    let devices = comparison
        .devices
        .iter()
        .filter(has_other_kernels)
        .filter(is_correct);
    let names: Vec<String> = devices.map(|d| shown(comparison, &d.name)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{}: its kernels add in a different order from the CPU's, and may round a multiply-add \
             once where the CPU rounds twice. Both change the last digits, which explains the \
             distances in the table.",
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
            "{}, `{}`: the distance from the first step on is that of rounding to ten bits (5 × 10⁻⁴). \
             NVIDIA's matrix units round the factors of products to TF32, which has ten bits. The \
             kernel is not broken, but it is not single precision either; complete trainings show \
             whether it matters.",
            shown(comparison, run.device),
            run.arm.arm
        )
    })
}

/// Loops that a software adapter stops.
fn llvmpipe(comparison: &DeviceComparison, run: &ParityRun<'_>) -> Option<String> {
    run.broken()?;
    let device = comparison.devices.iter().find(|d| d.name == run.device)?;
    device.adapter.starts_with("llvmpipe").then(|| {
        format!(
            "{}, `{}`: llvmpipe silently stops loops of a shader after {LLVMPIPE_ROUNDS} iterations. \
             In sums that burn computes, such as those of ghost batches, one thread adds all rows. \
             Such a sum over more examples (here {}) times pixels is truncated, and a shorter one \
             loses more digits than a parallel sum. Neither happens on a GPU.",
            shown(comparison, run.device),
            run.arm.arm,
            run.arm.batch
        )
    })
}

/// The first deviation of the forward pass, as the end of a sentence on the loss.
pub fn forward(parity: &Parity) -> String {
    match parity.forward.as_ref().map(|f| (f.step, &f.value)) {
        None => String::new(),
        Some((step, Some(value))) => format!(
            "; from equal weights at step {step}, the first deviation is the {} of `{}`, by {}",
            value.point,
            value.path,
            compact(value.distance)
        ),
        Some((step, None)) => format!(
            "; from equal weights at step {step} every block is within its bound, so the error is in \
             the loss, or in fused kernels, which reading the blocks prevents"
        ),
    }
}
