//! Statistics of paired comparisons, and the rule that turns them into verdicts.
//!
//! Pure functions of `f64` values: no files, no training, no printing, no clock. The bootstrap, and
//! the sign-flip test of more than [`EXACT_LIMIT`] values, draw random numbers from a
//! [`Stream`](ablate_streams::Stream) that the caller passes. All hypotheses of an experiment share
//! one stream, so the statistics of one do not change when another is added.
//!
//! # Assumptions
//!
//! All tests assume independent differences that are symmetric about their mean; the t tests also
//! assume a normal distribution. The error rates below are from simulations at `alpha = 0.05`.
//!
//! - Normal differences: the error rate is at most 5 %, for one hypothesis and for a family of four.
//! - Accuracies on a finite test set, where differences are whole numbers of images: the sign-flip
//!   test is exact. The equivalence test, summed over all outcomes of 3 to 7 seeds, errs in at most
//!   6.1 % (5 seeds with a standard deviation of one image; 5.4 % at other numbers of seeds).
//! - Skewed differences are the weak point. With skewness 1.75 and ten seeds the sign-flip test errs
//!   in 8 %, and the equivalence test in 11 % if the longer tail points out of the margin. A few seeds
//!   that fail badly produce such differences; look at the raw values.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `sample` | a non-empty list of finite values, its moments and quantiles |
//! | `interval`, `bca` | t interval and BCa bootstrap interval of a mean |
//! | `median` | order-statistic interval of a median, ratio of medians |
//! | `censored` | median of right-censored times to an event |
//! | `crossing` | size from which on a ratio stays above one |
//! | `signflip` | sign-flip (randomization) test of a mean of zero |
//! | `tost` | equivalence test (TOST) and minimum-effect test |
//! | `holm` | Holm's adjustment for several hypotheses |
//! | `effect` | standardized mean difference of paired samples |
//! | `noncentral`, `power` | noncentral t distribution; power and minimum detectable effect |
//! | `verdict` | decision rule: supported, contradicted, undecided |
//! | `decision` | a verdict together with its estimates, intervals and p-values |

mod bca;
mod censored;
mod crossing;
mod decision;
mod effect;
mod holm;
mod interval;
mod median;
mod noncentral;
pub mod power;
mod sample;
mod signflip;
mod student;
mod tost;
pub mod verdict;

#[cfg(test)]
mod simulation;

pub use bca::bca_interval;
pub use censored::CensoredTimes;
pub use crossing::{Crossing, crossing};
pub use decision::{Decision, MinimumDetectable, decide};
pub use effect::paired_effect_size;
pub use holm::holm;
pub use interval::{Interval, t_interval};
pub use median::{Estimate, median_interval};
pub use noncentral::noncentral_t_cdf;
pub use power::{
    MAX_SEEDS, detectable_difference, detectable_margin, equivalence_power, power_of_difference,
    seeds_needed,
};
pub use sample::{Sample, StatsError};
pub use signflip::{
    Alternative, EXACT_LIMIT, sign_flip_level, sign_flip_min_p, sign_flip_min_seeds, sign_flip_test,
};
pub use tost::{equivalence_p, minimum_effect_p};
pub use verdict::{Hypothesis, Prediction, Rule, Verdict, overall_verdict};

/// Step of the stream that draws bootstrap resamples.
const BOOTSTRAP_STEP: u64 = 0;
/// Step of the stream that draws random signs.
const SIGN_FLIP_STEP: u64 = 1;
