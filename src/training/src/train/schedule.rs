//! Learning rate schedules.

use crate::recipe::Schedule;

/// Learning rate of one step as a function of the configured rate: `rate * factor + floor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateAdjustment {
    /// Factor on the configured rate.
    pub factor: f64,
    /// Added after the factor.
    pub floor: f64,
}

impl RateAdjustment {
    /// No adjustment.
    pub const UNCHANGED: Self = Self::scaled_by(1.0);

    /// The rate times `factor`.
    pub const fn scaled_by(factor: f64) -> Self {
        Self { factor, floor: 0.0 }
    }

    /// Returns the learning rate to use.
    pub fn apply(self, rate: f64) -> f64 {
        rate * self.factor + self.floor
    }
}

/// Returns the adjustment at `step` (from 0) of a training of `steps` steps with `steps_per_epoch`
/// steps per epoch.
pub fn adjustment(
    schedule: &Schedule,
    step: u64,
    steps_per_epoch: usize,
    steps: usize,
) -> RateAdjustment {
    let epoch = step as f64 / steps_per_epoch as f64;
    RateAdjustment::scaled_by(match *schedule {
        Schedule::Constant => 1.0,
        Schedule::Step { every, factor } => factor.powi((epoch as usize / every) as i32),
        Schedule::Cosine { floor } => {
            let done = epoch / (steps as f64 / steps_per_epoch as f64);
            floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
        }
        Schedule::Exponential { factor } => factor.powf(epoch),
        Schedule::Decay { to, tau } => {
            return RateAdjustment {
                factor: (-(step as f64) / tau).exp(),
                floor: to,
            };
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(schedule: &Schedule, step: u64) -> f64 {
        let adjustment = adjustment(schedule, step, 10, 40);
        assert_eq!(adjustment.floor, 0.0);
        adjustment.apply(1.0)
    }

    #[test]
    fn constant_schedule_stays_at_one() {
        assert_eq!(at(&Schedule::Constant, 39), 1.0);
    }

    #[test]
    fn step_schedule_drops_after_every_interval() {
        let step = Schedule::Step {
            every: 2,
            factor: 0.1,
        };
        assert_eq!(at(&step, 19), 1.0);
        assert!((at(&step, 20) - 0.1).abs() < 1e-15);
        assert!((at(&step, 39) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn cosine_schedule_falls_from_one_to_its_floor() {
        let cosine = Schedule::Cosine { floor: 0.2 };
        assert_eq!(at(&cosine, 0), 1.0);
        assert!((at(&cosine, 20) - 0.6).abs() < 1e-12);
        assert!((at(&cosine, 40) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn exponential_schedule_reaches_its_factor_after_an_epoch() {
        let exponential = Schedule::Exponential { factor: 0.5 };
        assert!((at(&exponential, 10) - 0.5).abs() < 1e-12);
        assert!((at(&exponential, 5) - 0.5f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn decay_schedule_falls_by_e_in_tau_steps() {
        let decay = Schedule::Decay {
            to: 0.0001,
            tau: 2000.0,
        };
        let at = |step| adjustment(&decay, step, 600, 10_000).apply(0.003);
        assert!((at(0) - 0.0031).abs() < 1e-15);
        assert!((at(2000) - (0.0001 + 0.003 / std::f64::consts::E)).abs() < 1e-15);
        assert!((at(9_999) - 0.0001 - 0.003 * (-4.9995f64).exp()).abs() < 1e-12);
    }
}
