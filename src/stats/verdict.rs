//! The decision rule: which verdict the differences give a prediction.
//!
//! Every hypothesis has a p-value for its prediction and one against it:
//!
//! | prediction | supported by | contradicted by |
//! |---|---|---|
//! | better | mean above zero, two-sided sign-flip test | mean below zero, same test; or equivalence |
//! | worse | mean below zero, two-sided sign-flip test | mean above zero, same test; or equivalence |
//! | differs | mean not zero, two-sided sign-flip test | equivalence |
//! | equivalent | equivalence | mean outside the margin, two-sided t test |
//!
//! *Equivalence* is the equivalence test (TOST) within the margin. Where either of two tests
//! contradicts, the p-value is twice the smaller one, at most 1 (Bonferroni). Holm's adjustment over
//! all hypotheses of an experiment is applied to the p-values for the predictions and, separately, to
//! those against. A verdict needs an adjusted p-value below `alpha`. So the probability of any wrong
//! support in an experiment is at most `alpha`, and so is that of any wrong contradiction.
//!
//! **If both are significant.** A mean cannot be shown to be both above and below zero, nor both inside
//! and outside the margin. The one remaining case is `better`, `worse` or `differs` with a difference
//! that is shown to exist and shown to be smaller than the margin. "It is better" is then literally
//! true, so the verdict is *supported*, and [`Decision::negligible`](super::Decision::negligible)
//! says that the difference does not matter. If no difference is shown, the same equivalence
//! contradicts the prediction: an improvement that matters is ruled out.
//!
//! **Undecided** never means "no difference". Too few seeds give this verdict, and a single seed
//! always does.

use super::holm::holm;
use super::sample::Sample;
use super::signflip::{Alternative, sign_flip_test};
use super::tost::{equivalence_p, minimum_effect_p};
use ablate_streams::Stream;
use serde::{Deserialize, Serialize};

/// What the data say about a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The prediction is shown to be true.
    Supported,
    /// The prediction is shown to be false.
    Contradicted,
    /// Neither is shown.
    Undecided,
}

/// What is predicted of the treatment compared with the control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// They are equal within the margin.
    Equivalent,
    /// They differ, in either direction.
    Differs,
}

/// Significance level, power, confidence level and number of resamples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Family-wise error rate: the largest probability of any wrong support in an experiment, and of
    /// any wrong contradiction; in `(0, 0.5)`.
    pub alpha: f64,
    /// Power at which a difference counts as detectable; in `(0, 1)`.
    pub power: f64,
    /// Confidence level of each interval, not adjusted; in `(0, 1)`.
    pub confidence: f64,
    /// Number of bootstrap resamples, and of random sign patterns where not all are counted; at
    /// least 1.
    pub resamples: usize,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            power: 0.8,
            confidence: 0.95,
            resamples: 10_000,
        }
    }
}

/// A prediction with the paired differences that test it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// One difference per seed; positive means that the treatment is better.
    pub differences: Sample,
    /// What is predicted.
    pub prediction: Prediction,
    /// The smallest difference that matters, in the unit of the differences; positive.
    pub margin: f64,
}

/// Combines the verdicts on the primary contrasts of an experiment.
///
/// Contradicted if any contrast is, supported if all are, else undecided. `None` without contrasts.
pub fn overall_verdict(verdicts: impl IntoIterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.into_iter().reduce(|all, next| match (all, next) {
        (Verdict::Contradicted, _) | (_, Verdict::Contradicted) => Verdict::Contradicted,
        (Verdict::Supported, Verdict::Supported) => Verdict::Supported,
        _ => Verdict::Undecided,
    })
}

/// Unadjusted p-values of one hypothesis.
#[derive(Clone, Copy, Debug)]
pub(super) struct PValues {
    pub(super) sign_flip: f64,
    pub(super) equivalence: f64,
    pub(super) support: f64,
    pub(super) contradict: f64,
}

/// p-values of one hypothesis in a family, before and after adjustment, and its verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct TestResult {
    pub(super) p: PValues,
    pub(super) support_holm: f64,
    pub(super) contradict_holm: f64,
    pub(super) verdict: Verdict,
}

/// Tests a family of hypotheses. Results are in the order of `hypotheses`.
pub(super) fn test_family(
    hypotheses: &[Hypothesis],
    rule: &Rule,
    stream: &Stream,
) -> Vec<TestResult> {
    assert!(
        rule.alpha > 0.0 && rule.alpha < 0.5,
        "`alpha` must be in (0, 0.5), not {}",
        rule.alpha
    );
    let p_values: Vec<PValues> = hypotheses
        .iter()
        .map(|hypothesis| p_values(hypothesis, rule, stream))
        .collect();
    let adjusted = |p: fn(&PValues) -> f64| holm(&p_values.iter().map(p).collect::<Vec<_>>());
    let support = adjusted(|p| p.support);
    let contradict = adjusted(|p| p.contradict);
    let adjusted = support.into_iter().zip(contradict);
    p_values
        .iter()
        .zip(adjusted)
        .map(|(&p, (support_holm, contradict_holm))| TestResult {
            p,
            support_holm,
            contradict_holm,
            verdict: if support_holm < rule.alpha {
                Verdict::Supported
            } else if contradict_holm < rule.alpha {
                Verdict::Contradicted
            } else {
                Verdict::Undecided
            },
        })
        .collect()
}

fn p_values(hypothesis: &Hypothesis, rule: &Rule, stream: &Stream) -> PValues {
    let Hypothesis {
        differences,
        prediction,
        margin,
    } = hypothesis;
    let sign_flip = sign_flip_test(differences, Alternative::TwoSided, rule.resamples, stream);
    let equivalence = equivalence_p(differences, *margin);
    let mean = differences.mean();
    let above = if mean > 0.0 { sign_flip } else { 1.0 };
    let below = if mean < 0.0 { sign_flip } else { 1.0 };
    let (support, contradict) = match prediction {
        Prediction::Better => (above, bonferroni(below, equivalence)),
        Prediction::Worse => (below, bonferroni(above, equivalence)),
        Prediction::Differs => (sign_flip, equivalence),
        Prediction::Equivalent => (equivalence, minimum_effect_p(differences, *margin)),
    };
    PValues {
        sign_flip,
        equivalence,
        support,
        contradict,
    }
}

/// p-value of two tests of which either may reject (Bonferroni).
fn bonferroni(p: f64, q: f64) -> f64 {
    (2.0 * p.min(q)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::Purpose;
    use proptest::prelude::*;

    const ALL: [Prediction; 4] = [
        Prediction::Better,
        Prediction::Worse,
        Prediction::Equivalent,
        Prediction::Differs,
    ];

    fn hypothesis(values: &[f64], prediction: Prediction, margin: f64) -> Hypothesis {
        Hypothesis {
            differences: Sample::new(values.to_vec()).unwrap(),
            prediction,
            margin,
        }
    }

    fn tested(hypotheses: &[Hypothesis]) -> Vec<TestResult> {
        let stream = Stream::new(0, Purpose::Resample, "verdict");
        test_family(hypotheses, &Rule::default(), &stream)
    }

    fn alone(values: &[f64], prediction: Prediction, margin: f64) -> TestResult {
        tested(&[hypothesis(values, prediction, margin)])[0]
    }

    /// Ten differences with mean `center` and standard deviation 0.1.
    fn around(center: f64) -> Vec<f64> {
        let steps = [-1.5, -1.2, -0.8, -0.5, -0.1, 0.1, 0.5, 0.8, 1.2, 1.5];
        let sd = Sample::new(steps.to_vec()).unwrap().sd().unwrap();
        steps.map(|step| center + 0.1 * step / sd).to_vec()
    }

    #[test]
    fn clear_differences_decide_every_prediction() {
        use Verdict::{Contradicted, Supported};
        // With a margin of 1: far above, far below, and zero.
        let table = [
            (3.0, [Supported, Contradicted, Contradicted, Supported]),
            (-3.0, [Contradicted, Supported, Contradicted, Supported]),
            (0.0, [Contradicted, Contradicted, Supported, Contradicted]),
        ];
        for (center, verdicts) in table {
            for (prediction, expected) in ALL.into_iter().zip(verdicts) {
                let result = alone(&around(center), prediction, 1.0);
                assert_eq!(result.verdict, expected, "{center} {prediction:?}");
            }
        }
    }

    #[test]
    fn noisy_difference_is_undecided() {
        // Significantly different neither from zero nor from the margin.
        let values = [2.0, -1.5, 1.8, -0.9, 0.4, 1.1];
        for prediction in ALL {
            let result = alone(&values, prediction, 0.5);
            assert_eq!(result.verdict, Verdict::Undecided, "{prediction:?}");
        }
    }

    #[test]
    fn negligible_but_significant_difference_supports_its_sign() {
        // 0.3 with standard error 0.03: above zero, and inside a margin of 1.
        for (center, right, wrong) in [
            (0.3, Prediction::Better, Prediction::Worse),
            (-0.3, Prediction::Worse, Prediction::Better),
        ] {
            for prediction in [right, Prediction::Differs] {
                let both = alone(&around(center), prediction, 1.0);
                assert!(both.support_holm < 0.05 && both.contradict_holm < 0.05);
                assert!(both.p.equivalence < 0.05);
                assert_eq!(both.verdict, Verdict::Supported, "{prediction:?}");
            }
            let result = alone(&around(center), wrong, 1.0);
            assert_eq!(result.verdict, Verdict::Contradicted);
            let result = alone(&around(center), Prediction::Equivalent, 1.0);
            assert_eq!(result.verdict, Verdict::Supported);
        }
    }

    #[test]
    fn two_contradicting_tests_double_the_p_value() {
        let values = around(-0.05);
        let result = alone(&values, Prediction::Better, 0.2);
        let PValues {
            sign_flip,
            equivalence,
            support,
            contradict,
        } = result.p;
        assert!(equivalence < sign_flip && sign_flip < 0.5);
        assert_eq!((support, contradict), (1.0, 2.0 * equivalence));
        // The other test: far below zero and far outside the margin.
        let result = alone(&around(-3.0), Prediction::Better, 0.2);
        assert_eq!(result.p.contradict, 2.0 * result.p.sign_flip);
        let result = alone(&values, Prediction::Differs, 0.2);
        assert_eq!(result.p.contradict, result.p.equivalence);
        // Neither test is significant: at most 1.
        let result = alone(&around(3.0), Prediction::Better, 0.2);
        assert_eq!(result.p.contradict, 1.0);
    }

    #[test]
    fn more_hypotheses_need_smaller_p_values() {
        // Seven equal signs: 2 / 2^7 = 0.0156, below 0.05 / 3 and not below 0.05 / 4.
        let wanted = hypothesis(
            &[0.9, 1.1, 0.7, 1.4, 1.2, 0.8, 1.0],
            Prediction::Better,
            0.1,
        );
        let noise = hypothesis(&[1.0, -1.0, 0.5, -0.5], Prediction::Better, 0.1);
        for (others, expected) in [(2, Verdict::Supported), (3, Verdict::Undecided)] {
            let mut hypotheses = vec![wanted.clone()];
            hypotheses.resize(1 + others, noise.clone());
            let result = tested(&hypotheses)[0];
            assert_eq!(result.verdict, expected, "{others}");
            assert_eq!(result.support_holm, (1 + others) as f64 * 2.0 / 128.0);
        }
    }

    #[test]
    fn five_seeds_cannot_show_a_difference() {
        let values = [9.0, 9.1, 8.9, 9.2, 8.8];
        for prediction in [Prediction::Better, Prediction::Differs] {
            assert_eq!(alone(&values, prediction, 0.1).verdict, Verdict::Undecided);
        }
        assert_eq!(
            alone(&values, Prediction::Equivalent, 0.1).verdict,
            Verdict::Contradicted
        );
    }

    #[test]
    fn five_zero_differences_show_equivalence() {
        for (n, expected) in [(4, Verdict::Undecided), (5, Verdict::Supported)] {
            let verdict = alone(&vec![0.0; n], Prediction::Equivalent, 0.1).verdict;
            assert_eq!(verdict, expected, "{n}");
        }
        let verdict = alone(&[0.0; 6], Prediction::Better, 0.1).verdict;
        assert_eq!(verdict, Verdict::Contradicted);
    }

    #[test]
    fn margin_that_is_not_positive_is_undecided() {
        for margin in [0.0, -1.0, f64::NAN] {
            let result = alone(&around(0.0), Prediction::Equivalent, margin);
            assert_eq!(result.verdict, Verdict::Undecided, "{margin}");
        }
    }

    #[test]
    #[should_panic(expected = "`alpha` must be in (0, 0.5)")]
    fn alpha_of_one_half_panics() {
        let rule = Rule {
            alpha: 0.5,
            ..Rule::default()
        };
        test_family(&[], &rule, &Stream::new(0, Purpose::Resample, ""));
    }

    #[test]
    fn one_contradiction_outweighs_all_support() {
        use Verdict::{Contradicted, Supported, Undecided};
        assert_eq!(overall_verdict([]), None);
        for (verdicts, expected) in [
            (vec![Supported, Supported], Supported),
            (vec![Undecided], Undecided),
            (vec![Supported, Undecided, Supported], Undecided),
            (vec![Undecided, Supported, Contradicted], Contradicted),
            (vec![Contradicted, Undecided, Supported], Contradicted),
        ] {
            assert_eq!(overall_verdict(verdicts), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn negation_swaps_better_and_worse(
            values in prop::collection::vec(-2.0..2.0_f64, 1..12),
            shift in -3.0..3.0_f64,
            margin in 0.05..2.0_f64,
        ) {
            let values: Vec<f64> = values.iter().map(|x| x + shift).collect();
            let turned: Vec<f64> = values.iter().map(|x| -x).collect();
            for (prediction, mirrored) in ALL.into_iter().zip([
                Prediction::Worse,
                Prediction::Better,
                Prediction::Equivalent,
                Prediction::Differs,
            ]) {
                let here = alone(&values, prediction, margin);
                let there = alone(&turned, mirrored, margin);
                prop_assert_eq!(here.verdict, there.verdict);
                prop_assert_eq!(here.p.support, there.p.support);
                prop_assert_eq!(here.p.contradict, there.p.contradict);
            }
        }

        #[test]
        fn only_negligible_differences_are_significant_both_ways(
            values in prop::collection::vec(-1.0..1.0_f64, 1..12),
            shift in -3.0..3.0_f64,
            margin in 0.05..4.0_f64,
        ) {
            let values: Vec<f64> = values.iter().map(|x| x + shift).collect();
            for prediction in ALL {
                let result = alone(&values, prediction, margin);
                let both = result.support_holm < 0.05 && result.contradict_holm < 0.05;
                prop_assert!(!both || result.p.equivalence < 0.05);
                prop_assert!(!both || prediction != Prediction::Equivalent);
            }
        }
    }
}
