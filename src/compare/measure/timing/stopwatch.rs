//! When steps are timed and when they are not: the first step apart, steps until times settle, then
//! windows that count, turn by turn where there are several steppers.

use crate::compare::results::Timing;
use crate::stats::Sample;

/// Windows whose median is compared with that of as many before.
const GROUP: usize = 3;
/// Windows before a stepper is called too slow; the first ones may still compile.
const BEFORE_TOO_SLOW: usize = 2;

impl Default for Timing {
    /// A size costs one to two seconds where steps are short, up to ten where they are long, and what
    /// it takes to compile and tune kernels on top.
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

/// Takes training steps.
pub trait Stepper {
    /// Takes `n` steps and waits for their end; the seconds that this took.
    ///
    /// # Errors
    /// What went wrong; it is not asked again then.
    fn steps(&mut self, n: usize) -> Result<f64, String>;
}

/// The times of one stepper.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// Seconds of the first step.
    pub first_step: f64,
    /// Seconds of all steps before those that count, the first included.
    pub warm_up: f64,
    /// How many these were.
    pub warm_up_steps: usize,
    /// Whether times had settled by then.
    pub settled: bool,
    /// Steps of a repeat.
    pub steps: usize,
    /// Seconds a step, one value a repeat.
    pub step: Vec<f64>,
}

/// Why there are no times.
#[derive(Clone, Debug, PartialEq)]
pub enum Untimed {
    /// Its steps take longer than is waited for.
    TooSlow {
        /// Seconds of the fastest step.
        step: f64,
        /// Seconds of all steps that it took.
        spent: f64,
    },
    /// It said this.
    Failed(String),
}

/// Warms up each stepper, then times all of them once in each round, so that what drifts hits all
/// alike. One that fails drops out.
pub fn time_in_turns(
    steppers: &mut [Box<dyn Stepper + '_>],
    timing: &Timing,
) -> Vec<Result<Times, Untimed>> {
    let mut outcomes: Vec<Result<Times, Untimed>> = (steppers.iter_mut())
        .map(|stepper| warm_up(&mut **stepper, timing))
        .collect();
    for round in 0..timing.repeats {
        for k in turn(steppers.len(), round) {
            let Ok(times) = &mut outcomes[k] else {
                continue;
            };
            match steppers[k].steps(times.steps) {
                Ok(seconds) => times.step.push(seconds / times.steps as f64),
                Err(error) => outcomes[k] = Err(Untimed::Failed(error)),
            }
        }
    }
    outcomes
}

/// In which order `n` contestants come in `round`: forwards and backwards by turns.
pub fn turn(n: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Steps of `step` seconds that fill about `seconds`; at least one.
pub fn steps_for(seconds: f64, step: f64) -> usize {
    (seconds / step).round().clamp(1.0, 1e7) as usize
}

/// Takes steps until their time has settled, or for as long as that is waited for.
fn warm_up(stepper: &mut dyn Stepper, timing: &Timing) -> Result<Times, Untimed> {
    let mut steps = |n| stepper.steps(n).map_err(Untimed::Failed);
    let first_step = steps(1)?;
    let (mut spent, mut taken, mut n) = (0.0, 1, 1);
    let mut windows: Vec<f64> = Vec::new();
    let settled = loop {
        let seconds = steps(n)?;
        spent += seconds;
        taken += n;
        windows.push(seconds / n as f64);
        let fastest = windows.iter().copied().fold(f64::INFINITY, f64::min);
        if windows.len() >= BEFORE_TOO_SLOW && fastest > timing.longest_step {
            return Err(Untimed::TooSlow {
                step: fastest,
                spent: first_step + spent,
            });
        }
        if spent >= timing.warm_up_least && agree(&windows, timing.agreement) {
            break true;
        }
        if spent >= timing.warm_up_most {
            break false;
        }
        n = steps_for(timing.window, seconds / n as f64).min(2 * n);
    };
    let last = windows.len().saturating_sub(GROUP);
    Ok(Times {
        first_step,
        warm_up: first_step + spent,
        warm_up_steps: taken,
        settled,
        steps: steps_for(timing.window, median(&windows[last..])),
        step: Vec::with_capacity(timing.repeats),
    })
}

/// Whether the last two groups of windows have medians within `share` of each other.
fn agree(windows: &[f64], share: f64) -> bool {
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

    /// Step `k`, from 0, takes as long as it says; its clock is what it has given out.
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
    ) -> (Result<Times, Untimed>, Vec<usize>) {
        let (stepper, asked) = fake(seconds);
        let times = time_in_turns(&mut [stepper], &Timing::default()).remove(0);
        let asked = asked.borrow().clone();
        (times, asked)
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b
    }

    #[test]
    fn steady_steps_are_warmed_up_for_the_least_time_and_fill_their_windows() {
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
    fn the_first_step_stands_apart_however_long_it_takes() {
        let (times, _) = time(|k| Ok(if k == 0 { 30.0 } else { 0.01 }));
        let times = times.unwrap();
        assert!(times.settled);
        assert_eq!(times.first_step, 30.0);
        assert!(times.warm_up < 31.0);
        assert!(times.step.iter().all(|step| near(*step, 0.01)));
    }

    #[test]
    fn steps_that_get_faster_are_waited_for() {
        // Ten times as slow at first; it halves every ten steps.
        let seconds = |k: usize| 0.01 * (1.0 + 9.0 * 0.5_f64.powf(k as f64 / 10.0));
        let (times, _) = time(move |k| Ok(seconds(k)));
        let times = times.unwrap();
        assert!(times.settled);
        assert!(times.warm_up - times.first_step > 0.75, "{times:?}");
        assert!(times.step.iter().all(|step| (step / 0.01 - 1.0) < 0.05));
    }

    #[test]
    fn steps_that_never_settle_are_timed_after_the_most_that_is_waited() {
        // Each step takes 3 % longer than the one before.
        let (times, _) = time(|k| Ok(0.02 * 1.03_f64.powi(k.min(80) as i32)));
        let times = times.unwrap();
        assert!(!times.settled);
        assert!(times.warm_up - times.first_step >= 5.0);
        assert_eq!(times.step.len(), 10);
    }

    #[test]
    fn a_stepper_that_is_too_slow_is_left_alone_after_three_steps() {
        let (times, asked) = time(|k| Ok(if k == 1 { 0.9 } else { 0.7 }));
        let Err(Untimed::TooSlow { step, spent }) = times else {
            panic!("{times:?}")
        };
        assert!(
            step == 0.7 && near(spent, 0.7 + 0.9 + 0.7),
            "{step} {spent}"
        );
        assert_eq!(asked, [1, 1, 1]);
        let (compiles, _) = time(|k| Ok(if k < 2 { 9.0 } else { 0.1 }));
        assert!(compiles.is_ok(), "a second step may compile, too");
    }

    #[test]
    fn who_fails_while_it_counts_has_no_times_and_the_others_go_on_in_turns() {
        let (a, _) = fake(|_| Ok(0.1));
        let (b, asked_b) = fake(|k| match k {
            0..20 => Ok(0.1),
            _ => Err("lost".into()),
        });
        let (c, asked_c) = fake(|_| Ok(0.1));
        let timing = Timing {
            repeats: 40,
            ..Timing::default()
        };
        let outcomes = time_in_turns(&mut [a, b, c], &timing);
        assert_eq!(outcomes[1], Err(Untimed::Failed("lost".into())));
        assert_eq!(asked_b.borrow().iter().sum::<usize>(), 21);
        for k in [0, 2] {
            assert_eq!(outcomes[k].as_ref().unwrap().step.len(), 40);
        }
        assert!(asked_c.borrow().len() > 40);
        assert_eq!((turn(3, 0), turn(3, 1)), (vec![0, 1, 2], vec![2, 1, 0]));
        assert_eq!(turn(3, 2), turn(3, 0));
    }
}
