//! Other methods beside the interval that decides. They decide nothing; a report says where one disagrees.

use super::bca::bca_interval;
use super::holm::holm;
use super::interval::Interval;
use super::sample::Sample;
use super::signflip::{Alternative, sign_flip_test};
use super::tost::{equivalence_p, minimum_effect_p};
use super::verdict::{Finding, Rule};
use ablate_streams::Stream;
use serde::{Deserialize, Serialize};

/// A bootstrap interval and the p-values of three tests for one contrast.
///
/// Primary contrasts are adjusted for their number: the interval by its level, the p-values by Holm's
/// procedure. Exploratory contrasts are not adjusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// BCa bootstrap interval of the mean, at the level of the t interval.
    pub bca_interval: Interval,
    /// p-value of the two-sided sign-flip test of a mean of zero.
    pub p_difference: f64,
    /// p-value of the equivalence test (TOST) within the margin.
    pub p_equivalence: f64,
    /// p-value of the minimum-effect test: small if the mean lies outside the margin.
    pub p_outside: f64,
}

/// A method that answers a question otherwise than the t interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The bootstrap interval excludes zero and the t interval does not, or the reverse.
    Bootstrap,
    /// So does the sign-flip test.
    SignFlip,
    /// The equivalence test shows equivalence and the t interval does not lie inside the margin, or the
    /// reverse.
    Equivalence,
    /// The minimum-effect test shows a difference beyond the margin and the t interval does not lie
    /// outside, or the reverse.
    MinimumEffect,
}

impl Checks {
    /// Checks a family of contrasts with their margins. Results are in the order of `family`.
    pub(super) fn family(
        family: &[(&Sample, f64)],
        confidence: f64,
        rule: &Rule,
        stream: &Stream,
    ) -> Vec<Self> {
        let adjusted = |p: &dyn Fn(&Sample, f64) -> f64| {
            let all: Vec<f64> = family.iter().map(|&(s, margin)| p(s, margin)).collect();
            holm(&all)
        };
        let difference =
            adjusted(&|s, _| sign_flip_test(s, Alternative::TwoSided, rule.resamples, stream));
        let equivalence = adjusted(&equivalence_p);
        let outside = adjusted(&minimum_effect_p);
        let check = |(k, (sample, _)): (usize, &(&Sample, f64))| Self {
            bca_interval: bca_interval(sample, confidence, rule.resamples, stream),
            p_difference: difference[k],
            p_equivalence: equivalence[k],
            p_outside: outside[k],
        };
        family.iter().enumerate().map(check).collect()
    }

    /// The methods that disagree, at the error rate `alpha`, with what the t interval shows.
    pub fn disagreements(&self, finding: Finding, alpha: f64) -> Vec<Disagreement> {
        let differs = finding.is_better() || finding.is_worse();
        [
            (
                Disagreement::Bootstrap,
                !self.bca_interval.contains(0.0),
                differs,
            ),
            (Disagreement::SignFlip, self.p_difference < alpha, differs),
            (
                Disagreement::Equivalence,
                self.p_equivalence < alpha,
                finding.is_inside_margin(),
            ),
            (
                Disagreement::MinimumEffect,
                self.p_outside < alpha,
                finding.is_outside_margin(),
            ),
        ]
        .into_iter()
        .filter_map(|(method, check, interval)| (check != interval).then_some(method))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::Purpose;

    fn checked(samples: &[&[f64]], margin: f64) -> Vec<Checks> {
        let samples: Vec<Sample> = samples
            .iter()
            .map(|s| Sample::new(s.to_vec()).unwrap())
            .collect();
        let family: Vec<(&Sample, f64)> = samples.iter().map(|s| (s, margin)).collect();
        let stream = Stream::new(0, Purpose::Resample, "checks");
        let rule = Rule {
            resamples: 500,
            ..Rule::default()
        };
        Checks::family(&family, 0.95, &rule, &stream)
    }

    const SPREAD: [f64; 8] = [0.5, 0.9, -0.1, 0.6, 0.4, 0.8, 0.3, 0.2];

    #[test]
    fn p_values_are_adjusted_within_the_family() {
        let noise = [1.0, -1.0, 0.5, -0.5];
        let alone = &checked(&[&SPREAD], 1.0)[0];
        // Two sign patterns per tail are as extreme: the observed one, and the one with -0.1 flipped.
        assert_eq!(alone.p_difference, 4.0 / 256.0);
        let among = &checked(&[&SPREAD, &noise, &noise], 1.0)[0];
        assert_eq!(among.p_difference, 3.0 * alone.p_difference);
        assert_eq!(among.bca_interval, alone.bca_interval, "the same draws");
        assert!(checked(&[], 1.0).is_empty());
    }

    #[test]
    fn methods_that_answer_otherwise_are_named() {
        // Five equal signs cannot be significant in a sign-flip test.
        let five = &checked(&[&[9.0, 9.1, 8.9, 9.2, 8.8]], 0.1)[0];
        let found = five.disagreements(Finding::BetterByMore, 0.05);
        assert_eq!(found, [Disagreement::SignFlip]);
        let found = five.disagreements(Finding::NoDifferenceThatMatters, 0.05);
        assert_eq!(
            found,
            [
                Disagreement::Bootstrap,
                Disagreement::Equivalence,
                Disagreement::MinimumEffect
            ]
        );
        let eight = &checked(&[&SPREAD], 0.01)[0];
        assert_eq!(eight.disagreements(Finding::BetterByMore, 0.05), []);
    }
}
