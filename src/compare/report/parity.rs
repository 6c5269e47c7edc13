//! The first steps against double precision.

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

/// A gradient that never gets larger in double precision is zero in theory.
const NOTHING: f64 = 1e-12;

/// The parameters whose gradient is zero in theory.
pub(super) fn noise(yardstick: &RoundingBaseline) -> Vec<usize> {
    let sizes = yardstick.gradients.iter().enumerate();
    sizes
        .filter(|(_, size)| **size <= NOTHING)
        .map(|(k, _)| k)
        .collect()
}

/// A device's run on an arm, and what it is judged by.
pub(super) struct ParityRun<'a> {
    pub(super) arm: &'a ArmComparison,
    pub(super) device: &'a str,
    pub(super) parity: &'a Parity,
    pub(super) yardstick: &'a RoundingBaseline,
}

impl ParityRun<'_> {
    pub(super) fn broken(&self) -> Option<BoundViolation> {
        first_violation(self.parity, self.yardstick)
    }
}

/// Every run that was made.
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
            yardstick: arm.yardstick.as_ref()?,
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
                "**The same steps?** Yes: each of the first {steps} is as near to double precision as \
                 rounding allows, on every device."
            ),
            false => format!("**The same steps?** No: {}.", broken.join("; ")),
        }
    })
}

pub(super) fn section(comparison: &DeviceComparison, figures: &[&str]) -> Vec<String> {
    let Some(table) = table(comparison) else {
        return Vec::new();
    };
    let mut parts = vec!["## The same steps?".to_owned(), text(comparison)];
    if figures.contains(&PARITY_FILE) {
        parts.push(format!(
            "![Distance from double precision against the step]({PARITY_FILE})"
        ));
    }
    parts.push(table);
    parts.extend(notes::list_of(comparison));
    parts
}

fn text(comparison: &DeviceComparison) -> String {
    let yardstick = comparison
        .arms
        .iter()
        .find_map(|arm| arm.yardstick.as_ref());
    let (device, runs) = yardstick.map_or(("the CPU", 0), |y| (y.device.as_str(), y.runs));
    format!(
        "Every device takes the first steps of each arm in single precision, from the same start \
         weights, with the same batches and masks. Each step is compared with double precision, \
         computed by `{device}` from where the device is: loss and gradients at the weights that it has, \
         new values from the gradients that it has. A difference is the largest over a tensor, over \
         the tensor's largest value. What is left is the rounding of one step, and the bound is what \
         rounding does elsewhere: {FACTOR} times the median difference of {} in single precision on \
         `{device}`, the largest up to that step, plus {}. The first thing beyond its bound is named, in the order of \
         computation: loss, gradients from the last layer to the first, new values. The drift is how \
         far the loss gets from that of a training all in double precision; rounding enlarges \
         it from step to step whoever computes, so it is shown and not judged.",
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
        ("nearest to its bound", Left),
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
            Measured::Done(_) => "not judged".to_owned(),
        };
        let mut cells = vec![none; 6];
        cells.push(error);
        return cells;
    };
    let distances = &run.parity.distances;
    let noise = noise(run.yardstick);
    let largest = |wanted: fn(Quantity) -> bool| {
        let shown = distances
            .order()
            .filter(|q| wanted(*q) && !noise.contains(&place(*q)));
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
            "**parts ways** at step {}: {} is off by {}, bound {}{}",
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

/// The place of a parameter in the net; none is at that of the loss.
fn place(quantity: Quantity) -> usize {
    match quantity {
        Quantity::Loss => usize::MAX,
        Quantity::Gradient(k) | Quantity::Value(k) => k,
    }
}

/// What comes nearest to its bound, the step, from 1, at which it does, and its share of the bound.
fn nearest(run: &ParityRun<'_>) -> (Quantity, usize, f64) {
    let distances = &run.parity.distances;
    let shares = distances.order().flat_map(|quantity| {
        let steps = distances.of(quantity).iter().enumerate();
        steps.map(move |(index, distance)| {
            let bound = bound_at(run.parity, run.yardstick, quantity, index);
            (quantity, index + 1, distance / bound)
        })
    });
    let nearest = shares.max_by(|a, b| a.2.total_cmp(&b.2));
    nearest.unwrap_or((Quantity::Loss, 0, 0.0))
}

/// What broke, in words.
pub(super) fn named(broken: &BoundViolation, distances: &Distances) -> String {
    format!("the {}", code(&distances.name(broken.quantity)))
}

/// The path of a parameter behind its kind as code.
fn code(name: &str) -> String {
    match name.rsplit_once(' ') {
        Some((kind, path)) => format!("{kind} `{path}`"),
        None => name.to_owned(),
    }
}

/// A distance as tables show it.
fn size(distance: f64) -> String {
    match distance {
        d if d >= NOT_COMPARABLE => "not finite".to_owned(),
        d => compact(d),
    }
}
