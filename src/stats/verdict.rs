//! The one place where a verdict is decided.
//!
//! Every question has one p-value that speaks for its prediction and one that speaks against it:
//!
//! | prediction | supported by | contradicted by |
//! |---|---|---|
//! | better | a mean above zero, two-sided sign-flip test | a mean below zero, same test; or equivalence |
//! | worse | a mean below zero, two-sided sign-flip test | a mean above zero, same test; or equivalence |
//! | differs | a mean off zero, two-sided sign-flip test | equivalence |
//! | equivalent | equivalence | a mean outside the margin, two-sided t test |
//!
//! *Equivalence* is the pair of one-sided t tests of a mean inside the margin. Where two routes
//! contradict, the p-value is twice the smaller one, at most 1 (Bonferroni over the routes). Holm's
//! adjustment over the questions is applied to the supporting p-values, and separately to the
//! contradicting ones; a verdict takes an adjusted value below `alpha`. So over all questions of an
//! experiment the chance of any wrong support is at most `alpha`, and so is that of any wrong
//! contradiction.
//!
//! **When both are significant.** Opposite signs exclude each other, and so do inside and outside the
//! margin. What remains is `better`, `worse` or `differs` with a difference that is shown to be
//! real and shown to be smaller than the margin. The sentence "it is better" is literally true then,
//! so the verdict is *supported*, and [`Decision::negligible`](super::Decision::negligible) says that the difference does not
//! matter. Without a difference shown, the same equivalence contradicts: an improvement that
//! matters has been ruled out and none has been seen.
//!
//! **Undecided** is what too few seeds give, never "no difference". One seed decides nothing.

use super::holm::holm;
use super::sample::Sample;
use super::signflip::{Tail, sign_flip_test};
use super::tost::{equivalence_p, outside_p};
use ablate_streams::Stream;
use serde::{Deserialize, Serialize};

/// What the data say about a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Shown to be as predicted.
    Supported,
    /// Shown not to be as predicted.
    Contradicted,
    /// Neither.
    Undecided,
}

/// What is predicted of treatment against control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// They are equal within the margin.
    Equivalent,
    /// They differ, either way.
    Differs,
}

/// The levels at which everything is decided and reported.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Chance of any wrong support, and of any wrong contradiction, in an experiment; in `(0, 0.5)`.
    pub alpha: f64,
    /// Probability with which what is called detectable would have been shown; in `(0, 1)`.
    pub power: f64,
    /// Confidence of the intervals, each on its own; in `(0, 1)`.
    pub confidence: f64,
    /// Bootstrap resamples, and sign patterns drawn where they are not all counted; at least 1.
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

/// A prediction and the data to judge it by.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// One difference a seed, turned so that positive means that the treatment is better.
    pub differences: Sample,
    /// What is predicted.
    pub prediction: Prediction,
    /// The smallest difference that matters, in the unit of the differences; positive.
    pub margin: f64,
}

/// The verdict on a claim from those on its primary contrasts: contradicted if any is, supported if
/// all are, else undecided. `None` without any.
pub fn combine(verdicts: impl IntoIterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.into_iter().reduce(|all, next| match (all, next) {
        (Verdict::Contradicted, _) | (_, Verdict::Contradicted) => Verdict::Contradicted,
        (Verdict::Supported, Verdict::Supported) => Verdict::Supported,
        _ => Verdict::Undecided,
    })
}

/// The p-values of one question on its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) sign_flip: f64,
    pub(super) equivalence: f64,
    pub(super) support: f64,
    pub(super) contradict: f64,
}

/// The verdict on one question among others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judgement {
    pub(super) evidence: Evidence,
    pub(super) support_holm: f64,
    pub(super) contradict_holm: f64,
    pub(super) verdict: Verdict,
}

/// The tests and the rule, without intervals and what is detectable.
pub(super) fn judge(questions: &[Question], rule: &Rule, stream: &Stream) -> Vec<Judgement> {
    assert!(
        rule.alpha > 0.0 && rule.alpha < 0.5,
        "a level lies between 0 and 0.5, not at {}",
        rule.alpha
    );
    let evidence: Vec<Evidence> = questions
        .iter()
        .map(|question| weigh(question, rule, stream))
        .collect();
    let adjusted = |p: fn(&Evidence) -> f64| holm(&evidence.iter().map(p).collect::<Vec<_>>());
    let support = adjusted(|e| e.support);
    let contradict = adjusted(|e| e.contradict);
    let adjusted = support.into_iter().zip(contradict);
    evidence
        .iter()
        .zip(adjusted)
        .map(|(&evidence, (support_holm, contradict_holm))| Judgement {
            evidence,
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

fn weigh(question: &Question, rule: &Rule, stream: &Stream) -> Evidence {
    let Question {
        differences,
        prediction,
        margin,
    } = question;
    let sign_flip = sign_flip_test(differences, Tail::TwoSided, rule.resamples, stream);
    let equivalence = equivalence_p(differences, *margin);
    let mean = differences.mean();
    let above = if mean > 0.0 { sign_flip } else { 1.0 };
    let below = if mean < 0.0 { sign_flip } else { 1.0 };
    let (support, contradict) = match prediction {
        Prediction::Better => (above, either(below, equivalence)),
        Prediction::Worse => (below, either(above, equivalence)),
        Prediction::Differs => (sign_flip, equivalence),
        Prediction::Equivalent => (equivalence, outside_p(differences, *margin)),
    };
    Evidence {
        sign_flip,
        equivalence,
        support,
        contradict,
    }
}

/// Bonferroni over two routes to the same conclusion.
fn either(p: f64, q: f64) -> f64 {
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

    fn asked(values: &[f64], prediction: Prediction, margin: f64) -> Question {
        Question {
            differences: Sample::new(values.to_vec()).unwrap(),
            prediction,
            margin,
        }
    }

    fn judged(questions: &[Question]) -> Vec<Judgement> {
        let stream = Stream::new(0, Purpose::Resample, "verdict");
        judge(questions, &Rule::default(), &stream)
    }

    fn alone(values: &[f64], prediction: Prediction, margin: f64) -> Judgement {
        judged(&[asked(values, prediction, margin)])[0]
    }

    /// Ten differences around `center` with standard deviation 0.1.
    fn around(center: f64) -> Vec<f64> {
        let steps = [-1.5, -1.2, -0.8, -0.5, -0.1, 0.1, 0.5, 0.8, 1.2, 1.5];
        let sd = Sample::new(steps.to_vec()).unwrap().sd().unwrap();
        steps.map(|step| center + 0.1 * step / sd).to_vec()
    }

    #[test]
    fn clear_differences_get_the_verdict_that_their_prediction_asks_for() {
        use Verdict::{Contradicted, Supported};
        // A margin of 1: far above, far below, and nothing.
        let table = [
            (3.0, [Supported, Contradicted, Contradicted, Supported]),
            (-3.0, [Contradicted, Supported, Contradicted, Supported]),
            (0.0, [Contradicted, Contradicted, Supported, Contradicted]),
        ];
        for (center, verdicts) in table {
            for (prediction, expected) in ALL.into_iter().zip(verdicts) {
                let judgement = alone(&around(center), prediction, 1.0);
                assert_eq!(judgement.verdict, expected, "{center} {prediction:?}");
            }
        }
    }

    #[test]
    fn a_difference_that_cannot_be_told_from_either_is_undecided() {
        // Not told from zero, and not told from the margin.
        let values = [2.0, -1.5, 1.8, -0.9, 0.4, 1.1];
        for prediction in ALL {
            let judgement = alone(&values, prediction, 0.5);
            assert_eq!(judgement.verdict, Verdict::Undecided, "{prediction:?}");
        }
    }

    #[test]
    fn a_real_but_negligible_difference_supports_what_it_literally_is() {
        // 0.3 with standard error 0.03: above zero, and inside a margin of 1.
        for (center, right, wrong) in [
            (0.3, Prediction::Better, Prediction::Worse),
            (-0.3, Prediction::Worse, Prediction::Better),
        ] {
            for prediction in [right, Prediction::Differs] {
                let both = alone(&around(center), prediction, 1.0);
                assert!(both.support_holm < 0.05 && both.contradict_holm < 0.05);
                assert!(both.evidence.equivalence < 0.05);
                assert_eq!(both.verdict, Verdict::Supported, "{prediction:?}");
            }
            let judgement = alone(&around(center), wrong, 1.0);
            assert_eq!(judgement.verdict, Verdict::Contradicted);
            let judgement = alone(&around(center), Prediction::Equivalent, 1.0);
            assert_eq!(judgement.verdict, Verdict::Supported);
        }
    }

    #[test]
    fn two_routes_to_a_contradiction_cost_a_factor_of_two() {
        let values = around(-0.05);
        let judgement = alone(&values, Prediction::Better, 0.2);
        let Evidence {
            sign_flip,
            equivalence,
            support,
            contradict,
        } = judgement.evidence;
        assert!(equivalence < sign_flip && sign_flip < 0.5);
        assert_eq!((support, contradict), (1.0, 2.0 * equivalence));
        // The other route: far below zero and far outside the margin.
        let judgement = alone(&around(-3.0), Prediction::Better, 0.2);
        assert_eq!(
            judgement.evidence.contradict,
            2.0 * judgement.evidence.sign_flip
        );
        let judgement = alone(&values, Prediction::Differs, 0.2);
        assert_eq!(
            judgement.evidence.contradict,
            judgement.evidence.equivalence
        );
        // Neither route says anything: clipped.
        let judgement = alone(&around(3.0), Prediction::Better, 0.2);
        assert_eq!(judgement.evidence.contradict, 1.0);
    }

    #[test]
    fn asking_more_questions_takes_more_evidence_for_each() {
        // Seven equal signs: 2 / 2^7 = 0.0156, below 0.05 / 3 and not below 0.05 / 4.
        let question = asked(
            &[0.9, 1.1, 0.7, 1.4, 1.2, 0.8, 1.0],
            Prediction::Better,
            0.1,
        );
        let noise = asked(&[1.0, -1.0, 0.5, -0.5], Prediction::Better, 0.1);
        for (others, expected) in [(2, Verdict::Supported), (3, Verdict::Undecided)] {
            let mut questions = vec![question.clone()];
            questions.resize(1 + others, noise.clone());
            let judgement = judged(&questions)[0];
            assert_eq!(judgement.verdict, expected, "{others}");
            assert_eq!(judgement.support_holm, (1 + others) as f64 * 2.0 / 128.0);
        }
    }

    #[test]
    fn five_seeds_support_no_difference_however_large() {
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
    fn differences_that_are_all_zero_show_equivalence_once_there_are_enough() {
        for (n, expected) in [(4, Verdict::Undecided), (5, Verdict::Supported)] {
            let verdict = alone(&vec![0.0; n], Prediction::Equivalent, 0.1).verdict;
            assert_eq!(verdict, expected, "{n}");
        }
        let verdict = alone(&[0.0; 6], Prediction::Better, 0.1).verdict;
        assert_eq!(verdict, Verdict::Contradicted);
    }

    #[test]
    fn a_margin_that_is_not_positive_shows_no_equivalence() {
        for margin in [0.0, -1.0, f64::NAN] {
            let judgement = alone(&around(0.0), Prediction::Equivalent, margin);
            assert_eq!(judgement.verdict, Verdict::Undecided, "{margin}");
        }
    }

    #[test]
    #[should_panic(expected = "a level lies between 0 and 0.5")]
    fn a_level_of_one_half_is_refused() {
        let rule = Rule {
            alpha: 0.5,
            ..Rule::default()
        };
        judge(&[], &rule, &Stream::new(0, Purpose::Resample, ""));
    }

    #[test]
    fn a_claim_falls_with_any_contrast_and_stands_with_all() {
        use Verdict::{Contradicted, Supported, Undecided};
        assert_eq!(combine([]), None);
        for (verdicts, expected) in [
            (vec![Supported, Supported], Supported),
            (vec![Undecided], Undecided),
            (vec![Supported, Undecided, Supported], Undecided),
            (vec![Undecided, Supported, Contradicted], Contradicted),
            (vec![Contradicted, Undecided, Supported], Contradicted),
        ] {
            assert_eq!(combine(verdicts), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn turning_the_differences_around_swaps_better_and_worse(
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
                prop_assert_eq!(here.evidence.support, there.evidence.support);
                prop_assert_eq!(here.evidence.contradict, there.evidence.contradict);
            }
        }

        #[test]
        fn only_a_negligible_difference_is_both_supported_and_contradicted(
            values in prop::collection::vec(-1.0..1.0_f64, 1..12),
            shift in -3.0..3.0_f64,
            margin in 0.05..4.0_f64,
        ) {
            let values: Vec<f64> = values.iter().map(|x| x + shift).collect();
            for prediction in ALL {
                let judgement = alone(&values, prediction, margin);
                let both = judgement.support_holm < 0.05 && judgement.contradict_holm < 0.05;
                prop_assert!(!both || judgement.evidence.equivalence < 0.05);
                prop_assert!(!both || prediction != Prediction::Equivalent);
            }
        }
    }
}
