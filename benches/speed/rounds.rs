//! Times of several steppers in interleaved rounds, by the stopwatch of `ablate compare`.

use super::record::RoundTimes;
use ablate::compare::measure::timing::stopwatch::{Stepper, time_interleaved};
use ablate::compare::results::TimingConfig;

/// Why a benchmark failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

/// Times `steppers`, called `names`, once per round for about `seconds`. There is no limit on the time
/// of a step.
pub(crate) fn time_rounds(
    names: Vec<String>,
    mut steppers: Vec<Box<dyn Stepper + '_>>,
    rounds: usize,
    seconds: f64,
) -> Vec<RoundTimes> {
    let config = TimingConfig {
        window: seconds,
        repeats: rounds,
        warm_up_least: seconds,
        warm_up_most: 5.0 * seconds,
        longest_step: f64::INFINITY,
        most: f64::INFINITY,
        ..TimingConfig::default()
    };
    let times = time_interleaved(&mut steppers, &config);
    let named = names.into_iter().zip(times);
    named
        .map(|(name, times)| RoundTimes::new(name, times))
        .collect()
}
