//! A verdict together with its estimates, intervals, p-values and minimum detectable effects.

use super::bca::bca_interval;
use super::effect::paired_effect_size;
use super::interval::{Interval, t_interval};
use super::power::{detectable_difference, detectable_margin};
use super::signflip::{EXACT_LIMIT, sign_flip_level, sign_flip_min_p};
use super::verdict::{Hypothesis, Prediction, Rule, TestResult, Verdict, test_family};
use ablate_streams::Stream;
use serde::{Deserialize, Serialize};

/// Everything that is reported about one hypothesis.
///
/// The mean, the intervals and the detectable sizes are in the unit of the differences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Number of differences.
    pub n: usize,
    /// Mean difference.
    pub mean: f64,
    /// Standard deviation of the differences (divisor `n - 1`); absent for a single difference.
    pub sd: Option<f64>,
    /// t interval of the mean, not adjusted for the number of hypotheses; absent for a single
    /// difference.
    pub t_interval: Option<Interval>,
    /// BCa bootstrap interval of the mean, not adjusted; a point if the standard deviation is zero.
    pub bca_interval: Interval,
    /// Standardized mean difference with small-sample correction ([`paired_effect_size`]); absent
    /// below three differences and if the standard deviation is zero.
    pub effect_size: Option<f64>,
    /// p-value of the two-sided sign-flip test of a mean of zero.
    pub p_sign_flip: f64,
    /// Smallest value that `p_sign_flip` can take with `n` differences.
    pub p_sign_flip_floor: f64,
    /// p-value of the equivalence test (TOST) within the margin.
    pub p_equivalence: f64,
    /// p-value for the prediction.
    pub p_support: f64,
    /// p-value against the prediction.
    pub p_contradict: f64,
    /// `p_support`, adjusted by Holm's procedure.
    pub p_support_holm: f64,
    /// `p_contradict`, adjusted by Holm's procedure.
    pub p_contradict_holm: f64,
    /// Whether `p_equivalence` alone shows the difference to be smaller than the margin; not adjusted
    /// for the number of hypotheses.
    pub negligible: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// Minimum detectable difference; see [`MinimumDetectable::difference`].
    pub detectable: Option<f64>,
    /// Minimum detectable margin of equivalence; see [`MinimumDetectable::margin`].
    pub detectable_margin: Option<f64>,
}

/// Tests all hypotheses of one experiment as a family. Decisions are in the order of `hypotheses`.
///
/// Every hypothesis is resampled with the same draws from `stream`, so its estimates and unadjusted
/// p-values do not depend on the others. Adjusted p-values, verdicts and minimum detectable effects
/// do.
///
/// # Panics
/// If a field of `rule` is out of its range.
pub fn decide(hypotheses: &[Hypothesis], rule: &Rule, stream: &Stream) -> Vec<Decision> {
    let results = test_family(hypotheses, rule, stream);
    let level = rule.alpha / hypotheses.len().max(1) as f64;
    hypotheses
        .iter()
        .zip(results)
        .map(|(hypothesis, result)| describe(hypothesis, result, rule, level, stream))
        .collect()
}

fn describe(
    hypothesis: &Hypothesis,
    result: TestResult,
    rule: &Rule,
    level: f64,
    stream: &Stream,
) -> Decision {
    let differences = &hypothesis.differences;
    let p = result.p;
    let (n, sd) = (differences.len(), differences.sd());
    let minimum = MinimumDetectable::new(n, sd, hypothesis.prediction, rule, level);
    Decision {
        n,
        mean: differences.mean(),
        sd,
        t_interval: t_interval(differences, rule.confidence),
        bca_interval: bca_interval(differences, rule.confidence, rule.resamples, stream),
        effect_size: paired_effect_size(differences),
        p_sign_flip: p.sign_flip,
        p_sign_flip_floor: minimum.p,
        p_equivalence: p.equivalence,
        p_support: p.support,
        p_contradict: p.contradict,
        p_support_holm: result.support_holm,
        p_contradict_holm: result.contradict_holm,
        negligible: p.equivalence < rule.alpha,
        verdict: result.verdict,
        detectable: minimum.difference,
        detectable_margin: minimum.margin,
    }
}

/// What a design can detect with the power of the rule, for a given standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinimumDetectable {
    /// Smallest p-value that the sign-flip test can give.
    pub p: f64,
    /// Smallest true difference that the test shows with the rule's power.
    ///
    /// Computed for the t test at the actual level of the sign-flip test
    /// ([`sign_flip_level`]); [`power`](super::power) says how close that is. `None` if the standard
    /// deviation is zero or unknown, or if no difference can be shown because `p` is not below the
    /// level.
    pub difference: Option<f64>,
    /// Smallest margin within which the equivalence test shows a true difference of zero with the
    /// rule's power.
    ///
    /// Computed at half the level for the predictions `better` and `worse`, where equivalence is one
    /// of two ways to contradict. `None` for a single difference, or if the standard deviation is
    /// zero or unknown.
    pub margin: Option<f64>,
}

impl MinimumDetectable {
    /// For `n` differences with standard deviation `sd`, tested at `level`.
    ///
    /// `level` is the rule's `alpha` divided by the number of hypotheses: the level that Holm's
    /// procedure applies to the smallest p-value.
    pub fn new(n: usize, sd: Option<f64>, prediction: Prediction, rule: &Rule, level: f64) -> Self {
        let (p, actual_level) = if n <= EXACT_LIMIT {
            (sign_flip_min_p(n), sign_flip_level(n, level))
        } else {
            let p = 1.0 / (rule.resamples + 1) as f64;
            (p, (p < level).then_some(level))
        };
        let margin_level = match prediction {
            Prediction::Better | Prediction::Worse => level / 2.0,
            Prediction::Equivalent | Prediction::Differs => level,
        };
        Self {
            p,
            difference: sd
                .zip(actual_level)
                .and_then(|(sd, level)| detectable_difference(sd, n, level, rule.power)),
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

    fn hypothesis(values: &[f64], prediction: Prediction, margin: f64) -> Hypothesis {
        Hypothesis {
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
    fn decision_has_the_statistics_of_its_differences() {
        let tested = hypothesis(&SPREAD, Prediction::Better, 1.0);
        let decision = &decide(std::slice::from_ref(&tested), &quick(), &stream())[0];
        let sample = &tested.differences;
        assert_eq!((decision.n, decision.mean), (8, sample.mean()));
        assert_eq!(decision.sd, sample.sd());
        assert_eq!(decision.t_interval, t_interval(sample, 0.95));
        assert_eq!(
            decision.bca_interval,
            bca_interval(sample, 0.95, 500, &stream())
        );
        assert_eq!(decision.effect_size, paired_effect_size(sample));
        // Two patterns per tail are as extreme: the observed one, and the one with -0.1 flipped.
        assert_eq!(decision.p_sign_flip, 4.0 / 256.0);
        assert_eq!(decision.p_sign_flip_floor, 2.0 / 256.0);
    }

    #[test]
    fn more_hypotheses_raise_the_detectable_difference() {
        let tested = hypothesis(&SPREAD, Prediction::Equivalent, 0.1);
        let sd = tested.differences.sd().unwrap();
        let alone = &decide(std::slice::from_ref(&tested), &quick(), &stream())[0];
        let among = &decide(&vec![tested.clone(); 4], &quick(), &stream())[0];
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
        let better = hypothesis(&SPREAD, Prediction::Better, 0.1);
        let better = &decide(&[better], &quick(), &stream())[0];
        assert_eq!(
            better.detectable_margin,
            detectable_margin(sd, 8, 0.025, 0.8)
        );
    }

    #[test]
    fn difference_inside_the_margin_is_negligible() {
        // Mean 0.45, standard error 0.12: not zero, inside a margin of 1, not inside 0.5.
        for (margin, negligible) in [(1.0, true), (0.5, false)] {
            let tested = hypothesis(&SPREAD, Prediction::Better, margin);
            let decision = &decide(&[tested], &quick(), &stream())[0];
            assert_eq!(decision.negligible, negligible, "{margin}");
            assert_eq!(decision.verdict, Verdict::Supported, "{margin}");
        }
    }

    #[test]
    fn five_seeds_have_no_detectable_difference() {
        let tested = hypothesis(&SPREAD[..5], Prediction::Better, 1.0);
        let decision = &decide(&[tested], &quick(), &stream())[0];
        assert_eq!(decision.detectable, None);
        assert!(decision.detectable_margin.is_some());
    }

    #[test]
    fn drawn_patterns_bound_the_p_value() {
        let values: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 7)).collect();
        let tested = hypothesis(&values, Prediction::Better, 0.1);
        let decision = &decide(&[tested], &quick(), &stream())[0];
        assert_eq!(decision.p_sign_flip_floor, 1.0 / 501.0);
        assert_eq!(decision.p_sign_flip, 1.0 / 501.0);
        assert_eq!(decision.verdict, Verdict::Supported);
    }

    #[test]
    fn single_seed_is_undecided_and_zero_sd_not_detectable() {
        for prediction in [
            Prediction::Better,
            Prediction::Worse,
            Prediction::Equivalent,
            Prediction::Differs,
        ] {
            let one = &decide(&[hypothesis(&[2.0], prediction, 0.5)], &quick(), &stream())[0];
            assert_eq!(one.verdict, Verdict::Undecided);
            assert_eq!(
                (one.sd, one.t_interval, one.effect_size),
                (None, None, None)
            );
            assert_eq!((one.detectable, one.detectable_margin), (None, None));
            assert_eq!((one.p_sign_flip, one.p_equivalence), (1.0, 1.0));
            let flat = &decide(
                &[hypothesis(&[0.0; 9], prediction, 0.5)],
                &quick(),
                &stream(),
            )[0];
            assert_eq!((flat.sd, flat.effect_size), (Some(0.0), None));
            assert_eq!((flat.detectable, flat.detectable_margin), (None, None));
        }
    }

    #[test]
    fn estimates_do_not_depend_on_other_hypotheses() {
        let tested = hypothesis(&SPREAD, Prediction::Better, 1.0);
        let other = hypothesis(&[0.1, -0.3, 0.2, 0.5], Prediction::Differs, 1.0);
        let alone = &decide(std::slice::from_ref(&tested), &quick(), &stream())[0];
        let among = &decide(&[other, tested], &quick(), &stream())[1];
        assert_eq!(alone.bca_interval, among.bca_interval);
        assert_eq!(alone.p_support, among.p_support);
        assert_eq!(alone.p_contradict, among.p_contradict);
        assert!(decide(&[], &quick(), &stream()).is_empty());
    }

    #[test]
    fn decisions_survive_json() {
        let hypotheses = [
            hypothesis(&SPREAD, Prediction::Better, 1.0),
            hypothesis(&[1.0], Prediction::Equivalent, 1.0),
            hypothesis(&[1e100, -1e100], Prediction::Differs, 1e-300),
        ];
        for decision in decide(&hypotheses, &quick(), &stream()) {
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
