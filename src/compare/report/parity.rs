//! Comparison of the first steps with double precision.

use super::devices::shown;
use super::{PARITY_FILE, notes};
use crate::compare::analysis::bound::{
    BoundViolation, FACTOR, FLOOR, Quantity, bound_at, first_violation,
};
use crate::compare::results::{
    ArmComparison, DeviceComparison, Distances, Measured, NOT_COMPARABLE, OnDevice, Parity,
    RoundingBaseline,
};
use crate::text::counted;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};
use crate::text::number::compact;

/// A gradient that never exceeds this in double precision is zero in theory.
const ZERO_GRADIENT: f64 = 1e-12;

/// Indices of the parameters whose gradient is zero in theory.
pub(super) fn zero_gradient_indices(baseline: &RoundingBaseline) -> Vec<usize> {
    let sizes = baseline.gradients.iter().enumerate();
    sizes
        .filter(|(_, size)| **size <= ZERO_GRADIENT)
        .map(|(k, _)| k)
        .collect()
}

/// Parity of a device on an arm, with its baseline.
pub(super) struct ParityRun<'a> {
    pub(super) arm: &'a ArmComparison,
    pub(super) device: &'a str,
    pub(super) parity: &'a Parity,
    pub(super) baseline: &'a RoundingBaseline,
}

impl ParityRun<'_> {
    pub(super) fn broken(&self) -> Option<BoundViolation> {
        first_violation(self.parity, self.baseline)
    }
}

/// All completed runs.
pub(super) fn runs(comparison: &DeviceComparison) -> impl Iterator<Item = ParityRun<'_>> {
    comparison.arms.iter().flat_map(|arm| {
        let made = arm.parity.iter().filter_map(|on| run(arm, on));
        made.collect::<Vec<_>>()
    })
}

pub(super) fn run<'a>(arm: &'a ArmComparison, on: &'a OnDevice<Parity>) -> Option<ParityRun<'a>> {
    match &on.outcome {
        Measured::Done(parity) => Some(ParityRun {
            arm,
            device: &on.device,
            parity,
            baseline: arm.baseline.as_ref()?,
        }),
        Measured::Failed { .. } => None,
    }
}

fn measured(comparison: &DeviceComparison) -> bool {
    comparison.arms.iter().any(|arm| !arm.parity.is_empty())
}

pub(super) fn answer(comparison: &DeviceComparison) -> Option<String> {
    measured(comparison).then(|| {
        let broken: Vec<String> = runs(comparison)
            .filter_map(|run| Some((run.broken()?, run)))
            .map(|(broken, run)| {
                let device = shown(comparison, run.device);
                let what = named(&broken, &run.parity.distances);
                format!("{device} with `{}` at step {}, {what}", run.arm.arm, broken.step)
            })
            .collect();
        let steps = runs(comparison).map(|run| run.parity.distances.steps()).max();
        let steps = counted(steps.unwrap_or(0), "step");
        match broken.is_empty() {
            true => format!(
                "**Same steps?** Yes: on every device, the first {steps} agree with double precision \
                 within rounding."
            ),
            false => format!("**Same steps?** No: {}.", broken.join("; ")),
        }
    })
}

pub(super) fn section(comparison: &DeviceComparison, figures: &[&str]) -> Vec<String> {
    let Some(table) = table(comparison) else {
        return Vec::new();
    };
    let mut parts = vec!["## Same steps?".to_owned(), text(comparison)];
    if figures.contains(&PARITY_FILE) {
        parts.push(format!(
            "![Distance from double precision by step]({PARITY_FILE})"
        ));
    }
    parts.push(table);
    parts.extend(notes::list_of(comparison));
    parts
}

fn text(comparison: &DeviceComparison) -> String {
    let baseline = comparison.arms.iter().find_map(|arm| arm.baseline.as_ref());
    let (device, runs) = baseline.map_or(("the CPU", 0), |y| (y.device.as_str(), y.runs));
    format!(
        "Every device takes the first steps of each arm in single precision, with the same start \
         weights, batches and masks. `{device}` repeats each step in double precision: loss and \
         gradients at the device's weights, new values with the device's gradients. A distance is the \
         largest difference in a tensor, divided by the tensor's largest value; it is the rounding \
         error of one step. The bound is {FACTOR} times the median distance of {} in single precision \
         on `{device}` (the largest up to that step) plus {}. The verdict names the first quantity \
         beyond its bound in the order of computation: loss, gradients from the last layer to the \
         first, new values. The drift is the distance of the loss from that of a training in double \
         precision throughout; every device amplifies it from step to step, so it is shown but not \
         tested.",
        counted(runs, "run"),
        compact(FLOOR),
    )
}

pub(super) fn table(comparison: &DeviceComparison) -> Option<String> {
    if !measured(comparison) {
        return None;
    }
    let mut table = Table::new([
        ("arm", Left),
        ("device", Left),
        ("steps", Right),
        ("loss", Right),
        ("gradients", Right),
        ("values", Right),
        ("drift", Right),
        ("closest to its bound", Left),
        ("verdict", Left),
    ]);
    for arm in &comparison.arms {
        for on in &arm.parity {
            let names = [format!("`{}`", arm.arm), shown(comparison, &on.device)];
            table.row(names.into_iter().chain(cells(arm, on)));
        }
    }
    Some(table.render())
}

fn cells(arm: &ArmComparison, on: &OnDevice<Parity>) -> Vec<String> {
    let none = NO_VALUE.to_owned();
    let Some(run) = run(arm, on) else {
        let error = match &on.outcome {
            Measured::Failed { error } => format!("**failed**: {error}"),
            Measured::Done(_) => "not tested".to_owned(),
        };
        let mut cells = vec![none; 6];
        cells.push(error);
        return cells;
    };
    let distances = &run.parity.distances;
    let zero = zero_gradient_indices(run.baseline);
    let largest = |wanted: fn(Quantity) -> bool| {
        let shown = distances
            .order()
            .filter(|q| wanted(*q) && !zero.contains(&parameter(*q)));
        size(
            shown
                .flat_map(|q| distances.of(q))
                .copied()
                .fold(0.0, f64::max),
        )
    };
    let (quantity, step, share) = nearest(&run);
    let verdict = match run.broken() {
        None => "within rounding".to_owned(),
        Some(broken) => format!(
            "**deviates** at step {}: {} differs by {}, bound {}{}",
            broken.step,
            named(&broken, distances),
            size(broken.distance),
            compact(broken.bound),
            notes::forward(run.parity),
        ),
    };
    vec![
        distances.steps().to_string(),
        largest(|q| q == Quantity::Loss),
        largest(|q| matches!(q, Quantity::Gradient(_))),
        largest(|q| matches!(q, Quantity::Value(_))),
        size(run.parity.drift.iter().copied().fold(0.0, f64::max)),
        format!(
            "{}, step {step}: {}",
            code(&distances.name(quantity)),
            share_of_bound(share)
        ),
        verdict,
    ]
}

fn share_of_bound(share: f64) -> String {
    match share {
        s if s > 10.0 => format!("{} times its bound", compact(s)),
        s => format!("{:.0} %", 100.0 * s),
    }
}

/// Index of a parameter; of the loss a value that no parameter has.
fn parameter(quantity: Quantity) -> usize {
    match quantity {
        Quantity::Loss => usize::MAX,
        Quantity::Gradient(k) | Quantity::Value(k) => k,
    }
}

/// The quantity closest to its bound, its step (from 1), and its distance relative to the bound.
fn nearest(run: &ParityRun<'_>) -> (Quantity, usize, f64) {
    let distances = &run.parity.distances;
    let shares = distances.order().flat_map(|quantity| {
        let steps = distances.of(quantity).iter().enumerate();
        steps.map(move |(index, distance)| {
            let bound = bound_at(run.parity, run.baseline, quantity, index);
            (quantity, index + 1, distance / bound)
        })
    });
    let nearest = shares.max_by(|a, b| a.2.total_cmp(&b.2));
    nearest.unwrap_or((Quantity::Loss, 0, 0.0))
}

/// The quantity of a violation, for a sentence.
pub(super) fn named(broken: &BoundViolation, distances: &Distances) -> String {
    format!("the {}", code(&distances.name(broken.quantity)))
}

/// A quantity with the path of its parameter as code.
fn code(name: &str) -> String {
    match name.rsplit_once(' ') {
        Some((kind, path)) => format!("{kind} `{path}`"),
        None => name.to_owned(),
    }
}

/// A distance in tables.
fn size(distance: f64) -> String {
    match distance {
        d if d >= NOT_COMPARABLE => "not finite".to_owned(),
        d => compact(d),
    }
}
