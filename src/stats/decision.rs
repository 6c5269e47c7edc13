//! A verdict with everything a reader needs to judge it: intervals, sizes, and what was in sight.

use super::bca::bca_interval;
use super::effect::paired_effect_size;
use super::interval::{Interval, t_interval};
use super::power::{detectable_difference, detectable_margin};
use super::signflip::{EXACT_LIMIT, sign_flip_floor, sign_flip_level};
use super::verdict::{Judgement, Prediction, Question, Rule, Verdict, judge};
use ablate_streams::Stream;
use serde::{Deserialize, Serialize};

/// A verdict and everything it rests on. Differences and margins are in the unit of the question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Number of differences.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation; absent for a single one.
    pub sd: Option<f64>,
    /// The t interval of the mean, not adjusted for the number of questions; absent for a single
    /// difference.
    pub t_interval: Option<Interval>,
    /// The BCa bootstrap interval of the mean, not adjusted; a point at zero spread.
    pub bca_interval: Interval,
    /// Standardized effect with small-sample correction; absent below three differences and at
    /// zero spread.
    pub effect_size: Option<f64>,
    /// Two-sided sign-flip test of a mean of zero.
    pub p_sign_flip: f64,
    /// The smallest value that `p_sign_flip` could have taken with so many differences.
    pub p_sign_flip_floor: f64,
    /// Two one-sided t tests of a mean inside the margin.
    pub p_equivalence: f64,
    /// The p-value that speaks for the prediction.
    pub p_support: f64,
    /// The p-value that speaks against it.
    pub p_contradict: f64,
    /// `p_support`, adjusted over the questions.
    pub p_support_holm: f64,
    /// `p_contradict`, adjusted over the questions.
    pub p_contradict_holm: f64,
    /// Whether the difference is shown to lie inside the margin, by `p_equivalence` alone: a remark
    /// on this question, not adjusted over the others.
    pub negligible: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// The smallest true difference that would have been shown with the rule's power, for the
    /// standard deviation observed and at the level that Holm asks of the smallest p-value,
    /// `alpha / questions`. It is the t test's at the level that the sign-flip test really has (see
    /// [`power`](super::power) for how close that comes). Absent where no
    /// difference, however large, could have been shown (`p_sign_flip_floor` is not below that
    /// level), and at zero spread.
    pub detectable: Option<f64>,
    /// The smallest margin within which a true difference of zero would have been shown to be
    /// equivalent, likewise; for `better` and `worse` at half the level, as a contradiction asks.
    /// Absent for a single difference and at zero spread.
    pub detectable_margin: Option<f64>,
}

/// Judges all questions of one experiment together. Answers stand in the order of the questions.
///
/// `stream` draws the resamples of every question alike, so that one question's numbers do not
/// depend on the others; only adjusted p-values, verdicts and what is detectable do.
///
/// # Panics
/// If a part of `rule` is out of its range.
pub fn decide(questions: &[Question], rule: &Rule, stream: &Stream) -> Vec<Decision> {
    let judgements = judge(questions, rule, stream);
    let level = rule.alpha / questions.len().max(1) as f64;
    questions
        .iter()
        .zip(judgements)
        .map(|(question, judgement)| describe(question, judgement, rule, level, stream))
        .collect()
}

fn describe(
    question: &Question,
    judgement: Judgement,
    rule: &Rule,
    level: f64,
    stream: &Stream,
) -> Decision {
    let differences = &question.differences;
    let evidence = judgement.evidence;
    let (n, sd) = (differences.len(), differences.sd());
    let sight = Sight::new(n, sd, question.prediction, rule, level);
    Decision {
        n,
        mean: differences.mean(),
        sd,
        t_interval: t_interval(differences, rule.confidence),
        bca_interval: bca_interval(differences, rule.confidence, rule.resamples, stream),
        effect_size: paired_effect_size(differences),
        p_sign_flip: evidence.sign_flip,
        p_sign_flip_floor: sight.floor,
        p_equivalence: evidence.equivalence,
        p_support: evidence.support,
        p_contradict: evidence.contradict,
        p_support_holm: judgement.support_holm,
        p_contradict_holm: judgement.contradict_holm,
        negligible: evidence.equivalence < rule.alpha,
        verdict: judgement.verdict,
        detectable: sight.difference,
        detectable_margin: sight.margin,
    }
}

/// What a design can show, for a given spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// The smallest p-value that the sign-flip test can give.
    pub floor: f64,
    /// As [`Decision::detectable`].
    pub difference: Option<f64>,
    /// As [`Decision::detectable_margin`].
    pub margin: Option<f64>,
}

impl Sight {
    /// For `n` differences of standard deviation `sd`, where known, judged at `level`: the rule's
    /// `alpha` over the number of questions.
    pub fn new(n: usize, sd: Option<f64>, prediction: Prediction, rule: &Rule, level: f64) -> Self {
        let (floor, reached) = if n <= EXACT_LIMIT {
            (sign_flip_floor(n), sign_flip_level(n, level))
        } else {
            let floor = 1.0 / (rule.resamples + 1) as f64;
            (floor, (floor < level).then_some(level))
        };
        let margin_level = match prediction {
            Prediction::Better | Prediction::Worse => level / 2.0,
            Prediction::Equivalent | Prediction::Differs => level,
        };
        Self {
            floor,
            difference: sd
                .zip(reached)
                .and_then(|(sd, reached)| detectable_difference(sd, n, reached, rule.power)),
            margin: sd.and_then(|sd| detectable_margin(sd, n, margin_level, rule.power)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;
    use ablate_streams::Purpose;

    fn stream() -> Stream {
        Stream::new(0, Purpose::Resample, "decision")
    }

    fn question(values: &[f64], prediction: Prediction, margin: f64) -> Question {
        Question {
            differences: Sample::new(values.to_vec()).unwrap(),
            prediction,
            margin,
        }
    }

    fn quick() -> Rule {
        Rule {
            resamples: 500,
            ..Rule::default()
        }
    }

    const SPREAD: [f64; 8] = [0.5, 0.9, -0.1, 0.6, 0.4, 0.8, 0.3, 0.2];

    #[test]
    fn a_decision_carries_the_statistics_of_its_differences() {
        let asked = question(&SPREAD, Prediction::Better, 1.0);
        let decision = &decide(std::slice::from_ref(&asked), &quick(), &stream())[0];
        let sample = &asked.differences;
        assert_eq!((decision.n, decision.mean), (8, sample.mean()));
        assert_eq!(decision.sd, sample.sd());
        assert_eq!(decision.t_interval, t_interval(sample, 0.95));
        assert_eq!(
            decision.bca_interval,
            bca_interval(sample, 0.95, 500, &stream())
        );
        assert_eq!(decision.effect_size, paired_effect_size(sample));
        // Only -0.1 opposes: it and its opposite give the two extreme patterns on either side.
        assert_eq!(decision.p_sign_flip, 4.0 / 256.0);
        assert_eq!(decision.p_sign_flip_floor, 2.0 / 256.0);
    }

    #[test]
    fn what_was_detectable_depends_on_the_number_of_questions() {
        let asked = question(&SPREAD, Prediction::Equivalent, 0.1);
        let sd = asked.differences.sd().unwrap();
        let alone = &decide(std::slice::from_ref(&asked), &quick(), &stream())[0];
        let among = &decide(&vec![asked.clone(); 4], &quick(), &stream())[0];
        // Multiples of 2/256 below 0.05 and 0.0125.
        assert_eq!(
            alone.detectable,
            detectable_difference(sd, 8, 12.0 / 256.0, 0.8)
        );
        assert_eq!(
            among.detectable,
            detectable_difference(sd, 8, 2.0 / 256.0, 0.8)
        );
        assert_eq!(alone.detectable_margin, detectable_margin(sd, 8, 0.05, 0.8));
        assert_eq!(
            among.detectable_margin,
            detectable_margin(sd, 8, 0.0125, 0.8)
        );
        assert!(among.detectable > alone.detectable);
        let better = question(&SPREAD, Prediction::Better, 0.1);
        let better = &decide(&[better], &quick(), &stream())[0];
        assert_eq!(
            better.detectable_margin,
            detectable_margin(sd, 8, 0.025, 0.8)
        );
    }

    #[test]
    fn a_difference_inside_the_margin_is_negligible_whatever_was_predicted() {
        // Mean 0.45, standard error 0.12: real, and inside a margin of 1 but not of 0.5.
        for (margin, negligible) in [(1.0, true), (0.5, false)] {
            let asked = question(&SPREAD, Prediction::Better, margin);
            let decision = &decide(&[asked], &quick(), &stream())[0];
            assert_eq!(decision.negligible, negligible, "{margin}");
            assert_eq!(decision.verdict, Verdict::Supported, "{margin}");
        }
    }

    #[test]
    fn five_seeds_could_have_shown_no_difference_and_say_so() {
        let asked = question(&SPREAD[..5], Prediction::Better, 1.0);
        let decision = &decide(&[asked], &quick(), &stream())[0];
        assert_eq!(decision.detectable, None);
        assert!(decision.detectable_margin.is_some());
    }

    #[test]
    fn beyond_exact_counting_the_floor_is_that_of_the_draws() {
        let values: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 7)).collect();
        let asked = question(&values, Prediction::Better, 0.1);
        let decision = &decide(&[asked], &quick(), &stream())[0];
        assert_eq!(decision.p_sign_flip_floor, 1.0 / 501.0);
        assert_eq!(decision.p_sign_flip, 1.0 / 501.0);
        assert_eq!(decision.verdict, Verdict::Supported);
    }

    #[test]
    fn a_single_seed_decides_nothing_and_zero_spread_hides_what_was_in_sight() {
        for prediction in [
            Prediction::Better,
            Prediction::Worse,
            Prediction::Equivalent,
            Prediction::Differs,
        ] {
            let one = &decide(&[question(&[2.0], prediction, 0.5)], &quick(), &stream())[0];
            assert_eq!(one.verdict, Verdict::Undecided);
            assert_eq!(
                (one.sd, one.t_interval, one.effect_size),
                (None, None, None)
            );
            assert_eq!((one.detectable, one.detectable_margin), (None, None));
            assert_eq!((one.p_sign_flip, one.p_equivalence), (1.0, 1.0));
            let flat = &decide(&[question(&[0.0; 9], prediction, 0.5)], &quick(), &stream())[0];
            assert_eq!((flat.sd, flat.effect_size), (Some(0.0), None));
            assert_eq!((flat.detectable, flat.detectable_margin), (None, None));
        }
    }

    #[test]
    fn a_questions_own_numbers_do_not_depend_on_its_neighbours() {
        let asked = question(&SPREAD, Prediction::Better, 1.0);
        let other = question(&[0.1, -0.3, 0.2, 0.5], Prediction::Differs, 1.0);
        let alone = &decide(std::slice::from_ref(&asked), &quick(), &stream())[0];
        let among = &decide(&[other, asked], &quick(), &stream())[1];
        assert_eq!(alone.bca_interval, among.bca_interval);
        assert_eq!(alone.p_support, among.p_support);
        assert_eq!(alone.p_contradict, among.p_contradict);
        assert!(decide(&[], &quick(), &stream()).is_empty());
    }

    #[test]
    fn decisions_survive_json_unchanged() {
        let questions = [
            question(&SPREAD, Prediction::Better, 1.0),
            question(&[1.0], Prediction::Equivalent, 1.0),
            question(&[1e100, -1e100], Prediction::Differs, 1e-300),
        ];
        for decision in decide(&questions, &quick(), &stream()) {
            let json = serde_json::to_string(&decision).unwrap();
            assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), decision);
        }
        assert_eq!(
            serde_json::to_string(&Verdict::Undecided).unwrap(),
            "\"undecided\""
        );
        assert_eq!(
            serde_json::to_string(&Prediction::Differs).unwrap(),
            "\"differs\""
        );
    }
}
