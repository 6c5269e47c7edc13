//! Rows of the catalogue that have most in common with their neighbours.

use super::Probe;
use super::quantity::Direction::{Higher, Lower};
use super::quantity::Timing::{AtEnd, EveryEpoch};
use super::quantity::{Axis, Direction, Parts, Quantity, Timing, Unit, row};

/// Ways to evaluate a net.
const MODES: Parts = Parts::Named(&[
    "running",
    "cumulative",
    "exact",
    "batch",
    "batch-of-one",
    "batch-of-a-class",
]);

pub(super) const fn by_mode(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    better: Direction,
) -> Quantity {
    let probe = Probe::EvaluationModes;
    row(probe, name, label, unit, better, AtEnd, MODES)
}

pub(super) const SUFFICIENT_BATCHES: Quantity = row(
    Probe::RunningAverages,
    "sufficient_batches",
    "batches until running averages serve",
    Unit::Other("batches"),
    Lower,
    AtEnd,
    Parts::Net,
);

pub(super) const fn gap(name: &'static str, label: &'static str) -> Quantity {
    let (probe, looks) = (Probe::RunningAverages, Timing::Series(Axis::Looks));
    let (unit, parts) = (Unit::Number, Parts::Blocks);
    row(probe, name, label, unit, Lower, looks, parts)
}

pub(super) const fn gained(name: &'static str, label: &'static str) -> Quantity {
    let (probe, looks) = (Probe::RunningAverages, Timing::Series(Axis::Looks));
    let (unit, parts) = (Unit::Percent, Parts::Net);
    row(probe, name, label, unit, Higher, looks, parts)
}

/// A point of a distribution, of which none is better than another; a difference counts as it is.
const fn point(probe: Probe, name: &'static str, label: &'static str) -> Quantity {
    let (unit, parts) = (Unit::Number, Parts::Blocks);
    row(probe, name, label, unit, Higher, EveryEpoch, parts)
}

pub(super) const fn learned(name: &'static str, label: &'static str) -> Quantity {
    point(Probe::LearnedParameters, name, label)
}

pub(super) const fn activation(name: &'static str, label: &'static str) -> Quantity {
    point(Probe::Activations, name, label)
}

pub(super) const fn landscape(name: &'static str, label: &'static str, unit: Unit) -> Quantity {
    let probe = Probe::GradientLandscape;
    row(probe, name, label, unit, Lower, EveryEpoch, Parts::Net)
}

pub(super) const fn layer(name: &'static str, label: &'static str) -> Quantity {
    let (probe, unit) = (Probe::GradientLandscape, Unit::Number);
    row(probe, name, label, unit, Lower, EveryEpoch, Parts::Blocks)
}

pub(super) const COVARIATE_COSINE: Quantity = row(
    Probe::GradientLandscape,
    "covariate_cosine",
    "cosine of the gradient before and after the layers in front move",
    Unit::Number,
    Higher,
    EveryEpoch,
    Parts::Blocks,
);

pub(super) const fn shift(name: &'static str, label: &'static str) -> Quantity {
    let (probe, unit) = (Probe::VarianceShift, Unit::Number);
    row(probe, name, label, unit, Lower, AtEnd, Parts::Blocks)
}

/// The parts are the devices that compute in double precision.
pub(super) const fn identity(name: &'static str, label: &'static str) -> Quantity {
    let (probe, unit) = (Probe::Identities, Unit::Number);
    let parts = Parts::Named(&["flex", "ndarray"]);
    row(probe, name, label, unit, Lower, AtEnd, parts)
}
