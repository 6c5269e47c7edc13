//! The bound on the distance of a device from double precision, and the first quantity beyond it.
//!
//! Each step is compared alone, so a distance is the rounding error of one step. Its size depends on
//! the quantity: the length of its sums, their cancellation, and whether the quantity is zero in
//! theory, so that it consists of rounding only. The baseline, single precision on a CPU, measures this
//! for each quantity. A device may exceed it by a factor, plus a floor.
//!
//! Both were set from measurements: 300 correct trainings of 100 steps (ten experiments on the digits,
//! dense and convolutional, four seeds), six of 60 steps on MNIST, with baselines of other start
//! weights, and eight on a software adapter, whose kernels share no code with the CPU's. Beyond the
//! floor, and except at kinks, the ratio was at most 8. Without the floor losses exceeded that, because
//! the loss of a step can be exact in every run of the baseline. The broken kernels of the tests exceed
//! the bound at least a hundredfold.

use crate::compare::results::{Distances, Parity, RoundingBaseline};

/// Largest accepted ratio of a distance to the baseline: twice the largest of a correct device.
pub const FACTOR: f64 = 16.0;

/// Largest accepted ratio of a gradient's distance at a kink to the largest change over the draws.
pub const KINK_FACTOR: f64 = 4.0;

/// Distance that is always accepted: 8 units in the last place.
pub const FLOOR: f64 = 1e-6;

/// The largest accepted distance for a baseline of `distance`.
pub fn bound(distance: f64) -> f64 {
    FACTOR * distance + FLOOR
}

/// A quantity that is compared at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The loss.
    Loss,
    /// The gradient of a parameter, by its index in the net.
    Gradient(usize),
    /// The value of a parameter after the step, by its index.
    Value(usize),
}

/// The first quantity beyond its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundViolation {
    /// The step, from 1.
    pub step: usize,
    /// The quantity.
    pub quantity: Quantity,
    /// Its distance.
    pub distance: f64,
    /// The largest accepted distance.
    pub bound: f64,
}

impl Distances {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.loss.len()
    }

    /// The distances of `quantity`, one per step.
    pub fn of(&self, quantity: Quantity) -> &[f64] {
        match quantity {
            Quantity::Loss => &self.loss,
            Quantity::Gradient(k) => &self.parameters[k].gradient,
            Quantity::Value(k) => &self.parameters[k].value,
        }
    }

    /// Name of `quantity`.
    pub fn name(&self, quantity: Quantity) -> String {
        match quantity {
            Quantity::Loss => "loss".to_owned(),
            Quantity::Gradient(k) => format!("gradient of {}", self.parameters[k].path),
            Quantity::Value(k) => format!("value of {}", self.parameters[k].path),
        }
    }

    /// All quantities in the order of computation: the loss, the gradients from the last parameter to
    /// the first, the new values from the first to the last.
    pub fn order(&self) -> impl Iterator<Item = Quantity> + use<> {
        let all = 0..self.parameters.len();
        let gradients = all.clone().rev().map(Quantity::Gradient);
        let loss = std::iter::once(Quantity::Loss);
        loss.chain(gradients).chain(all.map(Quantity::Value))
    }
}

/// The bound of `quantity` at step `index` (from 0).
pub fn bound_at(
    parity: &Parity,
    baseline: &RoundingBaseline,
    quantity: Quantity,
    index: usize,
) -> f64 {
    let usual = baseline.largest.of(quantity)[index];
    let kink = parity.kinks.iter().find(|kink| kink.step == index + 1);
    match (quantity, kink) {
        (Quantity::Gradient(k), Some(kink)) => bound(usual).max(KINK_FACTOR * kink.gradients[k]),
        _ => bound(usual),
    }
}

/// The first quantity beyond its bound at step `index` (from 0).
pub fn violation_at(
    parity: &Parity,
    baseline: &RoundingBaseline,
    index: usize,
) -> Option<BoundViolation> {
    let distances = &parity.distances;
    distances.order().find_map(|quantity| {
        let distance = distances.of(quantity)[index];
        let bound = bound_at(parity, baseline, quantity, index);
        (distance > bound).then_some(BoundViolation {
            step: index + 1,
            quantity,
            distance,
            bound,
        })
    })
}

/// The first quantity beyond its bound at any step.
pub fn first_violation(parity: &Parity, baseline: &RoundingBaseline) -> Option<BoundViolation> {
    (0..parity.distances.steps()).find_map(|index| violation_at(parity, baseline, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::Kink;
    use crate::compare::results::fixture::{baseline, parity};

    fn first(change: impl FnOnce(&mut Distances)) -> Option<(usize, Quantity)> {
        let mut here = parity(2.0);
        change(&mut here.distances);
        first_violation(&here, &baseline()).map(|b| (b.step, b.quantity))
    }

    #[test]
    fn distances_within_rounding_pass() {
        assert_eq!(first(|_| ()), None);
    }

    #[test]
    fn earlier_step_comes_first() {
        let found = first(|d| {
            d.loss[5] = 1.0;
            d.parameters[3].value[4] = 1.0;
        });
        assert_eq!(found, Some((5, Quantity::Value(3))));
    }

    #[test]
    fn within_a_step_computation_order_decides() {
        let all = first(|d| {
            d.loss[2] = 1.0;
            d.parameters[1].gradient[2] = 1.0;
        });
        assert_eq!(all, Some((3, Quantity::Loss)));
        let gradients = first(|d| {
            d.parameters[0].value[2] = 1.0;
            d.parameters[0].gradient[2] = 1.0;
            d.parameters[2].gradient[2] = 1.0;
        });
        assert_eq!(gradients, Some((3, Quantity::Gradient(2))));
        let values = first(|d| {
            d.parameters[1].value[2] = 1.0;
            d.parameters[2].value[2] = 1.0;
        });
        assert_eq!(values, Some((3, Quantity::Value(1))));
    }

    #[test]
    fn zero_gradient_is_judged_by_its_baseline() {
        let mut here = parity(2.0);
        let mut baseline = baseline();
        here.distances.parameters[1].gradient.fill(1e8);
        assert!(first_violation(&here, &baseline).is_some());
        baseline.largest.parameters[1].gradient.fill(0.5e8);
        assert_eq!(first_violation(&here, &baseline), None);
    }

    #[test]
    fn kink_widens_only_gradient_bounds_of_its_step() {
        let mut here = parity(2.0);
        here.kinks.push(Kink {
            step: 4,
            gradients: vec![0.1; 4],
        });
        here.distances.parameters[2].gradient[3] = 0.1;
        assert_eq!(first_violation(&here, &baseline()), None);
        here.distances.parameters[2].gradient[4] = 0.1;
        let found = first_violation(&here, &baseline()).unwrap();
        assert_eq!((found.step, found.quantity), (5, Quantity::Gradient(2)));
        here.distances.parameters[0].value[3] = 0.1;
        let found = first_violation(&here, &baseline()).unwrap();
        assert_eq!((found.step, found.quantity), (4, Quantity::Value(0)));
    }

    #[test]
    fn non_finite_values_never_pass() {
        let found = first(|d| d.loss[9] = crate::compare::results::NOT_COMPARABLE);
        assert_eq!(found, Some((10, Quantity::Loss)));
    }
}
