//! Statistics of paired comparisons, and the rule that turns them into verdicts.
//!
//! Pure functions of `f64` values: no files, no training, no printing, no clock. The bootstrap, and
//! the sign-flip test of more than [`EXACT_LIMIT`] values, draw random numbers from a
//! [`Stream`](ablate_streams::Stream) that the caller passes. All hypotheses of an experiment share
//! one stream, so the statistics of one do not change when another is added.
//!
//! # Assumptions
//!
//! The t interval assumes independent, normal differences. [`error_rates()`] simulates how often it
//! misleads if they are skewed or come in whole images; `cargo run --example error_rates` prints the
//! table that METHODOLOGY documents.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `sample` | a non-empty list of finite values, its moments and quantiles |
//! | `interval`, `bca` | t interval and BCa bootstrap interval of a mean |
//! | `folds`, `two_way` | intervals for new data: from test folds; from seeds and test images |
//! | `median` | order-statistic interval of a median, ratio of medians |
//! | `censored` | median of right-censored times to an event |
//! | `crossing` | size from which on a ratio stays above one |
//! | `proportion` | score interval of a proportion |
//! | `signflip` | sign-flip (randomization) test of a mean of zero |
//! | `welch` | t interval of weighted sums of means of independent samples |
//! | `tost` | equivalence test (TOST) and minimum-effect test |
//! | `holm` | Holm's adjustment for several hypotheses |
//! | `effect` | standardized mean difference of paired samples |
//! | `noncentral`, `power` | noncentral t distribution; power and minimum detectable effect |
//! | `verdict` | decision rule: finding and verdict of an interval |
//! | `decision` | finding and verdict together with estimate, interval and detectable sizes |
//! | `checks` | bootstrap interval and p-values beside the interval; they decide nothing |
//! | `error_rates` | simulated error rates of the rule |
//! | `verdict_power` | power of the rule to support and to contradict a prediction |
//! | `looks`, `look_rates` | levels of intervals when seeds are added after looking; their simulated error rates |
//! | `ties` | groups of items that are not shown to differ |
//! | `trend` | whether a difference still moves at the end of training |

mod bca;
mod censored;
mod checks;
mod crossing;
mod decision;
mod effect;
mod error_rates;
mod folds;
mod holm;
mod interval;
mod look_rates;
mod looks;
mod median;
mod noncentral;
pub mod power;
mod proportion;
mod sample;
mod signflip;
mod student;
mod ties;
mod tost;
mod trend;
mod two_way;
pub mod verdict;
mod verdict_power;
mod welch;

#[cfg(test)]
mod new_data_simulation;
#[cfg(test)]
mod simulation;

pub use bca::bca_interval;
pub use censored::CensoredTimes;
pub use checks::{Checks, Disagreement};
pub use crossing::{Crossing, crossing};
pub use decision::{Decision, Hypothesis, MinimumDetectable, decide, decisive_interval};
pub use effect::paired_effect_size;
pub use error_rates::{Distribution, ErrorRates, MIN_SIMULATED_SEEDS, error_rates};
pub use folds::corrected_t_interval;
pub use holm::holm;
pub use interval::{Interval, t_interval};
pub use look_rates::{LookPlan, LookRates, look_rates};
pub use looks::{Look, Looks, Spending};
pub use median::{Estimate, median_interval};
pub use noncentral::noncentral_t_cdf;
pub use power::{
    MAX_SEEDS, detectable_difference, detectable_margin, equivalence_power, power_of_difference,
    power_of_direction, seeds_needed,
};
pub use proportion::proportion_interval;
pub use sample::{Sample, StatsError};
pub use signflip::{Alternative, EXACT_LIMIT, sign_flip_min_p, sign_flip_test};
pub use ties::tie_groups;
pub use tost::{equivalence_p, minimum_effect_p};
pub use trend::{Movement, Trend, fitted_change};
pub use two_way::two_way_interval;
pub use verdict::{Finding, Prediction, Rule, Verdict, overall_verdict};
pub use verdict_power::{VerdictPower, seeds_for_verdicts};
pub use welch::WeightedSamples;

/// Step of the stream that draws bootstrap resamples.
const BOOTSTRAP_STEP: u64 = 0;
/// Step of the stream that draws random signs.
const SIGN_FLIP_STEP: u64 = 1;
