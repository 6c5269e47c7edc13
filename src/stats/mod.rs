//! The statistics of paired comparisons, and the one rule that turns them into verdicts.
//!
//! Numbers go in and numbers come out: nothing here reads a file, trains, prints or looks at a
//! clock. What is random (the bootstrap, and sign flips of more than [`EXACT_LIMIT`] values) takes
//! its [`Stream`](ablate_streams::Stream) as an argument, so a statistic is a pure function of
//! its input. One stream serves all questions of an experiment: a question's own numbers do not
//! move when another is added.
//!
//! # What the tests assume
//!
//! Differences that are independent and symmetric; normal for the t tests. In simulation at
//! `alpha = 0.05`, with normal differences no verdict is wrong more often than that, alone or among
//! four questions. Accuracies come in whole images: the sign-flip test stays exact, and the
//! equivalence test, summed over all outcomes of 3 to 7 seeds, errs in at most 6.1 % (5 seeds whose
//! differences have a standard deviation of one image; 5.4 % at other numbers of seeds). Skewness
//! is what hurts: with differences of skewness 1.75 and ten seeds the sign-flip test errs in 8 %,
//! and the equivalence test in 11 % where the longer tail points out of the margin. A few seeds
//! that fail badly make such differences; look at the raw values.
//!
//! # Files
//!
//! | file | what it holds |
//! |---|---|
//! | `sample` | the invariant: some values, all finite |
//! | `interval`, `bca` | t interval; bias-corrected and accelerated bootstrap interval |
//! | `median` | medians and their ratios, whatever the distribution |
//! | `waits` | the median of waiting times that did not all end |
//! | `crossing` | the size from which on one is better than another |
//! | `signflip` | is the mean difference zero? (exact randomization test) |
//! | `tost` | is it inside the margin; is it outside? |
//! | `holm` | several questions at once |
//! | `effect` | standardized effect of paired differences |
//! | `noncentral`, `power` | what a design can see |
//! | `verdict` | the rule: supported, contradicted, undecided |
//! | `decision` | a verdict with everything it rests on |

mod bca;
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
mod waits;

#[cfg(test)]
mod simulation;

pub use bca::bca_interval;
pub use crossing::{Crossing, crossing};
pub use decision::{Decision, Sight, decide};
pub use effect::paired_effect_size;
pub use holm::holm;
pub use interval::{Interval, t_interval};
pub use median::{Estimate, median_interval};
pub use noncentral::noncentral_t_cdf;
pub use power::{
    MOST_SEEDS, detectable_difference, detectable_margin, equivalence_power, power_of_difference,
    seeds_needed,
};
pub use sample::{Sample, StatsError};
pub use signflip::{
    EXACT_LIMIT, Tail, sign_flip_floor, sign_flip_level, sign_flip_seeds, sign_flip_test,
};
pub use tost::{equivalence_p, outside_p};
pub use verdict::{Prediction, Question, Rule, Verdict, combine};
pub use waits::Waits;

/// Step of the stream that draws bootstrap resamples.
const BOOTSTRAP_STEP: u64 = 0;
/// Step of the stream that draws random signs.
const SIGN_FLIP_STEP: u64 = 1;
