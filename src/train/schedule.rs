//! The learning rate over time.

use crate::spec::Schedule;

/// The factor on the learning rate at `step` (from 0) of a run of `epochs` epochs of
/// `steps_per_epoch` steps.
pub fn factor(schedule: &Schedule, step: u64, steps_per_epoch: usize, epochs: usize) -> f64 {
    let epoch = step as f64 / steps_per_epoch as f64;
    match *schedule {
        Schedule::Constant => 1.0,
        Schedule::Step { every, factor } => factor.powi((epoch as usize / every) as i32),
        Schedule::Cosine { floor } => {
            let done = epoch / epochs as f64;
            floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        }
        Schedule::Exponential { factor } => factor.powf(epoch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &Schedule, step: u64) -> f64 {
        factor(schedule, step, 10, 4)
    }

    #[test]
    fn constant_stays_at_one() {
        assert_eq!(at(&Schedule::Constant, 39), 1.0);
    }

    #[test]
    fn step_drops_after_every_full_span() {
        let step = Schedule::Step {
            every: 2,
            factor: 0.1,
        };
        assert_eq!(at(&step, 19), 1.0);
        assert!((at(&step, 20) - 0.1).abs() < 1e-15);
        assert!((at(&step, 39) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn cosine_starts_at_one_is_half_way_in_the_middle_and_ends_near_its_floor() {
        let cosine = Schedule::Cosine { floor: 0.2 };
        assert_eq!(at(&cosine, 0), 1.0);
        assert!((at(&cosine, 20) - 0.6).abs() < 1e-12);
        assert!((factor(&cosine, 40, 10, 4) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn exponential_has_its_factor_after_one_epoch() {
        let exponential = Schedule::Exponential { factor: 0.5 };
        assert!((at(&exponential, 10) - 0.5).abs() < 1e-12);
        assert!((at(&exponential, 5) - 0.5f64.sqrt()).abs() < 1e-12);
    }
}
