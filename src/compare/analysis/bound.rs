//! When a device is too far from double precision, and what is the first thing that is.
//!
//! What is compared is one step at a time, so a distance is the rounding of one step. How much that is
//! depends on the quantity: on how long its sums are, how much they cancel, and whether it is zero
//! in theory, so that all of it is rounding. The yardstick, single precision on a CPU, knows that for
//! each; a device may do worse by a factor and a floor.
//!
//! Both were set by measurement: 300 healthy trainings of 100 steps (ten experiments on the digits,
//! dense and convolutional, four seeds) and six of 60 on MNIST, against yardsticks of other start
//! weights, and eight on a software adapter, whose kernels share nothing with the CPU's. Beyond the
//! floor, and but for kinks, the ratio was at most 8. Without the floor losses went beyond that, because
//! the loss of a step may happen to be exact in every run of the yardstick. What the broken kernels of
//! the tests are off by is a hundred times the bound and more.

use crate::compare::results::{Distances, Parity, RoundingBaseline};

/// How many times as far from double precision as the yardstick a device may be: twice what the worst
/// healthy one was.
pub const FACTOR: f64 = 16.0;

/// How many times as far off as the farthest draw of the last bits a gradient at a kink may be.
pub const KINK_FACTOR: f64 = 4.0;

/// What a device may be off by in any case: 8 units in the last place.
pub const FLOOR: f64 = 1e-6;

/// The largest distance that passes where the yardstick shows `distance`.
pub fn bound(distance: f64) -> f64 {
    FACTOR * distance + FLOOR
}

/// What is compared at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// The loss, which the forward pass gives.
    Loss,
    /// The gradient of a parameter, by its place in the net.
    Gradient(usize),
    /// The value of a parameter after the step, likewise.
    Value(usize),
}

/// The first thing that is too far from double precision.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundViolation {
    /// Its step, from 1.
    pub step: usize,
    /// What it is.
    pub quantity: Quantity,
    /// How far it is off.
    pub distance: f64,
    /// The largest distance that passes.
    pub bound: f64,
}

impl Distances {
    /// Steps that were taken.
    pub fn steps(&self) -> usize {
        self.loss.len()
    }

    /// The distances of `quantity`, one a step.
    pub fn of(&self, quantity: Quantity) -> &[f64] {
        match quantity {
            Quantity::Loss => &self.loss,
            Quantity::Gradient(k) => &self.parameters[k].gradient,
            Quantity::Value(k) => &self.parameters[k].value,
        }
    }

    /// `quantity` in words.
    pub fn name(&self, quantity: Quantity) -> String {
        match quantity {
            Quantity::Loss => "loss".to_owned(),
            Quantity::Gradient(k) => format!("gradient of {}", self.parameters[k].path),
            Quantity::Value(k) => format!("value of {}", self.parameters[k].path),
        }
    }

    /// Everything that a step computes, in the order in which it does: the loss, the gradients from
    /// the last parameter to the first, the new values from the first to the last.
    pub fn order(&self) -> impl Iterator<Item = Quantity> + use<> {
        let all = 0..self.parameters.len();
        let gradients = all.clone().rev().map(Quantity::Gradient);
        let loss = std::iter::once(Quantity::Loss);
        loss.chain(gradients).chain(all.map(Quantity::Value))
    }
}

/// The bound of `quantity` at step number `index` (from 0).
pub fn bound_at(
    parity: &Parity,
    yardstick: &RoundingBaseline,
    quantity: Quantity,
    index: usize,
) -> f64 {
    let usual = yardstick.largest.of(quantity)[index];
    let kink = parity.kinks.iter().find(|kink| kink.step == index + 1);
    match (quantity, kink) {
        (Quantity::Gradient(k), Some(kink)) => bound(usual).max(KINK_FACTOR * kink.gradients[k]),
        _ => bound(usual),
    }
}

/// What goes astray first at step number `index` (from 0).
pub fn violation_at(
    parity: &Parity,
    yardstick: &RoundingBaseline,
    index: usize,
) -> Option<BoundViolation> {
    let distances = &parity.distances;
    distances.order().find_map(|quantity| {
        let distance = distances.of(quantity)[index];
        let bound = bound_at(parity, yardstick, quantity, index);
        (distance > bound).then_some(BoundViolation {
            step: index + 1,
            quantity,
            distance,
            bound,
        })
    })
}

/// What goes astray first of all.
pub fn first_violation(parity: &Parity, yardstick: &RoundingBaseline) -> Option<BoundViolation> {
    (0..parity.distances.steps()).find_map(|index| violation_at(parity, yardstick, index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::Kink;
    use crate::compare::results::fixture::{parity, yardstick};

    fn first(change: impl FnOnce(&mut Distances)) -> Option<(usize, Quantity)> {
        let mut here = parity(2.0);
        change(&mut here.distances);
        first_violation(&here, &yardstick()).map(|b| (b.step, b.quantity))
    }

    #[test]
    fn what_is_as_far_off_as_rounding_allows_passes() {
        assert_eq!(first(|_| ()), None);
    }

    #[test]
    fn the_first_step_counts_before_the_order_within_it() {
        let found = first(|d| {
            d.loss[5] = 1.0;
            d.parameters[3].value[4] = 1.0;
        });
        assert_eq!(found, Some((5, Quantity::Value(3))));
    }

    #[test]
    fn within_a_step_the_loss_is_first_then_gradients_from_the_last_then_values() {
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
    fn a_quantity_that_is_all_rounding_is_judged_by_the_rounding_of_the_yardstick() {
        let mut here = parity(2.0);
        let mut yardstick = yardstick();
        here.distances.parameters[1].gradient.fill(1e8);
        assert!(first_violation(&here, &yardstick).is_some());
        yardstick.largest.parameters[1].gradient.fill(0.5e8);
        assert_eq!(first_violation(&here, &yardstick), None);
    }

    #[test]
    fn a_kink_widens_the_bound_of_the_gradients_of_its_step_and_of_nothing_else() {
        let mut here = parity(2.0);
        here.kinks.push(Kink {
            step: 4,
            gradients: vec![0.1; 4],
        });
        here.distances.parameters[2].gradient[3] = 0.1;
        assert_eq!(first_violation(&here, &yardstick()), None);
        here.distances.parameters[2].gradient[4] = 0.1;
        let found = first_violation(&here, &yardstick()).unwrap();
        assert_eq!((found.step, found.quantity), (5, Quantity::Gradient(2)));
        here.distances.parameters[0].value[3] = 0.1;
        let found = first_violation(&here, &yardstick()).unwrap();
        assert_eq!((found.step, found.quantity), (4, Quantity::Value(0)));
    }

    #[test]
    fn what_is_no_number_never_passes() {
        let found = first(|d| d.loss[9] = crate::compare::results::NOT_COMPARABLE);
        assert_eq!(found, Some((10, Quantity::Loss)));
    }
}
