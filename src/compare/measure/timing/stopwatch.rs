//! A stopwatch for training steps: the first step alone, a warm-up until the step time is stable, then
//! timed windows, interleaved if there are several steppers.

use crate::compare::results::TimingConfig;
use crate::stats::Sample;

/// The step time is stable if the medians of the last two groups of this many windows agree.
const GROUP: usize = 3;

/// Windows before a stepper counts as too slow; the first ones may still compile kernels.
const MIN_WINDOWS: usize = 2;

impl Default for TimingConfig {
    /// One to two seconds per size for short steps, up to ten for long ones, plus the compiling and
    /// tuning of kernels.
    fn default() -> Self {
        Self {
            window: 0.1,
            repeats: 10,
            warm_up_least: 0.5,
            warm_up_most: 5.0,
            agreement: 0.05,
            longest_step: 0.5,
            most: 120.0,
        }
    }
}

/// Something that takes training steps.
pub trait Stepper {
    /// Takes `n` steps, waits until they are done, and returns the seconds this took.
    ///
    /// # Errors
    /// If a step failed. The stopwatch does not call this stepper again.
    fn steps(&mut self, n: usize) -> Result<f64, String>;

    /// Fewest steps per timed window.
    fn min_steps(&self) -> usize {
        1
    }
}

/// The times of one stepper.
#[derive(Clone, Debug, PartialEq)]
pub struct StopwatchTimes {
    /// Seconds of the first step.
    pub first_step: f64,
    /// Seconds of the warm-up, including the first step.
    pub warm_up: f64,
    /// Number of steps of the warm-up.
    pub warm_up_steps: usize,
    /// Whether the step time was stable at the end of the warm-up.
    pub settled: bool,
    /// Steps per window.
    pub steps: usize,
    /// Seconds per step, one value per window.
    pub step: Vec<f64>,
}

/// Why there are no times.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StopwatchError {
    /// A step takes longer than [`TimingConfig::longest_step`].
    #[error("a step takes {step} s, which is too long")]
    TooSlow {
        /// Seconds of the fastest step.
        step: f64,
        /// Seconds of all steps taken.
        spent: f64,
    },
    /// A step failed with this message.
    #[error("{0}")]
    Failed(String),
}

/// Warms up each stepper, then times a window of each per round, so that a drift of the machine's speed
/// affects all of them alike. A stepper that fails drops out.
pub fn time_interleaved(
    steppers: &mut [Box<dyn Stepper + '_>],
    config: &TimingConfig,
) -> Vec<Result<StopwatchTimes, StopwatchError>> {
    let mut outcomes: Vec<Result<StopwatchTimes, StopwatchError>> = (steppers.iter_mut())
        .map(|stepper| warm_up(&mut **stepper, config))
        .collect();
    for round in 0..config.repeats {
        for k in round_order(steppers.len(), round) {
            let Ok(times) = &mut outcomes[k] else {
                continue;
            };
            match steppers[k].steps(times.steps) {
                Ok(seconds) => times.step.push(seconds / times.steps as f64),
                Err(error) => outcomes[k] = Err(StopwatchError::Failed(error)),
            }
        }
    }
    outcomes
}

/// The order of `n` steppers in `round`: forward in even rounds, backward in odd ones.
fn round_order(n: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Number of steps of `step` seconds that fill about `seconds`; at least one.
fn steps_for(seconds: f64, step: f64) -> usize {
    (seconds / step).round().clamp(1.0, 1e7) as usize
}

/// Takes steps until the step time is stable, or for at most [`TimingConfig::warm_up_most`] seconds.
fn warm_up(
    stepper: &mut dyn Stepper,
    config: &TimingConfig,
) -> Result<StopwatchTimes, StopwatchError> {
    let mut steps = |n| stepper.steps(n).map_err(StopwatchError::Failed);
    let first_step = steps(1)?;
    let (mut spent, mut taken, mut n) = (0.0, 1, 1);
    let mut windows: Vec<f64> = Vec::new();
    let settled = loop {
        let seconds = steps(n)?;
        spent += seconds;
        taken += n;
        windows.push(seconds / n as f64);
        let fastest = windows.iter().copied().fold(f64::INFINITY, f64::min);
        if windows.len() >= MIN_WINDOWS && fastest > config.longest_step {
            return Err(StopwatchError::TooSlow {
                step: fastest,
                spent: first_step + spent,
            });
        }
        if spent >= config.warm_up_least && is_stable(&windows, config.agreement) {
            break true;
        }
        if spent >= config.warm_up_most {
            break false;
        }
        n = steps_for(config.window, seconds / n as f64).min(2 * n);
    };
    let last = windows.len().saturating_sub(GROUP);
    let steps = steps_for(config.window, median(&windows[last..]));
    Ok(StopwatchTimes {
        first_step,
        warm_up: first_step + spent,
        warm_up_steps: taken,
        settled,
        steps: steps.max(stepper.min_steps()),
        step: Vec::with_capacity(config.repeats),
    })
}

/// Whether the medians of the last two groups of windows differ by at most `share`.
fn is_stable(windows: &[f64], share: f64) -> bool {
    let Some(from) = windows.len().checked_sub(2 * GROUP) else {
        return false;
    };
    let (before, after) = windows[from..].split_at(GROUP);
    (median(after) / median(before) - 1.0).abs() <= share
}

fn median(times: &[f64]) -> f64 {
    Sample::new(times.to_vec()).map_or(f64::NAN, |sample| sample.median())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// A stepper with simulated time: step `k` (from 0) takes `seconds(k)`.
    struct Fake<F> {
        seconds: F,
        taken: usize,
        asked: Rc<RefCell<Vec<usize>>>,
    }

    impl<F: Fn(usize) -> Result<f64, String>> Stepper for Fake<F> {
        fn steps(&mut self, n: usize) -> Result<f64, String> {
            self.asked.borrow_mut().push(n);
            let from = self.taken;
            self.taken += n;
            (from..self.taken).map(&self.seconds).sum()
        }
    }

    type Asked = Rc<RefCell<Vec<usize>>>;

    fn fake(seconds: impl Fn(usize) -> Result<f64, String> + 'static) -> (Box<dyn Stepper>, Asked) {
        let asked = Asked::default();
        let stepper = Fake {
            seconds,
            taken: 0,
            asked: Rc::clone(&asked),
        };
        (Box::new(stepper), asked)
    }

    fn time(
        seconds: impl Fn(usize) -> Result<f64, String> + 'static,
    ) -> (Result<StopwatchTimes, StopwatchError>, Vec<usize>) {
        let (stepper, asked) = fake(seconds);
        let times = time_interleaved(&mut [stepper], &TimingConfig::default()).remove(0);
        let asked = asked.borrow().clone();
        (times, asked)
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b
    }

    #[test]
    fn steady_steps_get_the_shortest_warm_up() {
        let (times, asked) = time(|_| Ok(0.01));
        let times = times.unwrap();
        assert!(times.settled);
        assert!(near(times.first_step, 0.01));
        assert_eq!((times.steps, times.step.len()), (10, 10));
        assert!(times.step.iter().all(|step| near(*step, 0.01)));
        let warm_up: usize = asked[..asked.len() - 10].iter().sum();
        assert_eq!(times.warm_up_steps, warm_up);
        assert!(near(times.warm_up, 0.01 * warm_up as f64));
        assert!((0.5..0.75).contains(&(times.warm_up - times.first_step)));
        assert!(asked.windows(2).all(|pair| pair[1] <= 2 * pair[0]));
    }

    #[test]
    fn slow_first_step_is_kept_apart() {
        let (times, _) = time(|k| Ok(if k == 0 { 30.0 } else { 0.01 }));
        let times = times.unwrap();
        assert!(times.settled);
        assert_eq!(times.first_step, 30.0);
        assert!(times.warm_up < 31.0);
        assert!(times.step.iter().all(|step| near(*step, 0.01)));
    }

    #[test]
    fn warm_up_lasts_while_steps_get_faster() {
        // Ten times as slow at first; the excess halves every ten steps.
        let seconds = |k: usize| 0.01 * (1.0 + 9.0 * 0.5_f64.powf(k as f64 / 10.0));
        let (times, _) = time(move |k| Ok(seconds(k)));
        let times = times.unwrap();
        assert!(times.settled);
        assert!(times.warm_up - times.first_step > 0.75, "{times:?}");
        assert!(times.step.iter().all(|step| (step / 0.01 - 1.0) < 0.05));
    }

    #[test]
    fn unstable_steps_are_timed_after_the_longest_warm_up() {
        // Each step takes 3 % longer than the one before.
        let (times, _) = time(|k| Ok(0.02 * 1.03_f64.powi(k.min(80) as i32)));
        let times = times.unwrap();
        assert!(!times.settled);
        assert!(times.warm_up - times.first_step >= 5.0);
        assert_eq!(times.step.len(), 10);
    }

    #[test]
    fn too_slow_stepper_stops_after_three_steps() {
        let (times, asked) = time(|k| Ok(if k == 1 { 0.9 } else { 0.7 }));
        let Err(StopwatchError::TooSlow { step, spent }) = times else {
            panic!("{times:?}")
        };
        assert!(
            step == 0.7 && near(spent, 0.7 + 0.9 + 0.7),
            "{step} {spent}"
        );
        assert_eq!(asked, [1, 1, 1]);
        let (compiles, _) = time(|k| Ok(if k < 2 { 9.0 } else { 0.1 }));
        assert!(compiles.is_ok(), "the second step may compile as well");
    }

    #[test]
    fn failing_stepper_drops_out_and_others_continue() {
        let (a, _) = fake(|_| Ok(0.1));
        let (b, asked_b) = fake(|k| match k {
            0..20 => Ok(0.1),
            _ => Err("lost".into()),
        });
        let (c, asked_c) = fake(|_| Ok(0.1));
        let timing = TimingConfig {
            repeats: 40,
            ..TimingConfig::default()
        };
        let outcomes = time_interleaved(&mut [a, b, c], &timing);
        assert_eq!(outcomes[1], Err(StopwatchError::Failed("lost".into())));
        assert_eq!(asked_b.borrow().iter().sum::<usize>(), 21);
        for k in [0, 2] {
            assert_eq!(outcomes[k].as_ref().unwrap().step.len(), 40);
        }
        assert!(asked_c.borrow().len() > 40);
        assert_eq!(
            (round_order(3, 0), round_order(3, 1)),
            (vec![0, 1, 2], vec![2, 1, 0])
        );
        assert_eq!(round_order(3, 2), round_order(3, 0));
    }

    #[test]
    fn window_has_at_least_min_steps() {
        struct Shared;
        impl Stepper for Shared {
            fn steps(&mut self, n: usize) -> Result<f64, String> {
                Ok(0.1 * n as f64)
            }

            fn min_steps(&self) -> usize {
                16
            }
        }
        let times = time_interleaved(&mut [Box::new(Shared)], &TimingConfig::default());
        assert_eq!(times[0].as_ref().unwrap().steps, 16);
    }
}
