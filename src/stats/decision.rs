//! A finding and a verdict together with the estimate, the interval and what the design can detect.

use super::checks::Checks;
use super::effect::paired_effect_size;
use super::interval::{Interval, t_interval};
use super::power::{detectable_difference, detectable_margin};
use super::sample::Sample;
use super::signflip::sign_flip_min_p;
use super::verdict::{Finding, Prediction, Rule, Verdict};
use super::welch::WeightedSamples;
use ablate_streams::Stream;
use serde::{Deserialize, Serialize};

/// A prediction with the paired differences that test it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// One difference per seed; positive means that the treatment is better.
    pub differences: Sample,
    /// The scores of the arms with their weights, if the seeds of different arms are independent. Mean and
    /// interval are then theirs.
    pub independent: Option<WeightedSamples>,
    /// What is predicted.
    pub prediction: Prediction,
    /// The smallest difference that matters, in the unit of the differences; positive.
    pub margin: f64,
    /// Whether it gets a verdict.
    pub primary: bool,
}

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
    /// Confidence level of `interval`.
    pub confidence: f64,
    /// The t interval of the mean, which decides; see [`decisive_interval`].
    pub interval: Option<Interval>,
    /// What the interval shows.
    pub finding: Finding,
    /// What it means for the prediction; absent for an exploratory hypothesis.
    pub verdict: Option<Verdict>,
    /// Standardized mean difference with small-sample correction ([`paired_effect_size`]); absent
    /// below three differences and if the standard deviation is zero.
    pub effect_size: Option<f64>,
    /// Minimum detectable difference; see [`MinimumDetectable::difference`].
    pub detectable: Option<f64>,
    /// Minimum detectable margin of equivalence; see [`MinimumDetectable::margin`].
    pub detectable_margin: Option<f64>,
    /// Other methods, which decide nothing.
    pub checks: Checks,
}

/// Decides the hypotheses of one experiment, in their order. `primary` is the number of primary contrasts
/// that the experiment plans; hypotheses that are not primary never change one that is.
///
/// Every hypothesis is resampled with the same draws from `stream`.
///
/// # Panics
/// If a field of `rule` is out of its range.
pub fn decide(
    hypotheses: &[Hypothesis],
    primary: usize,
    rule: &Rule,
    stream: &Stream,
) -> Vec<Decision> {
    let strict = rule.confidence(primary);
    let family: Vec<(&Sample, f64)> = (hypotheses.iter())
        .filter(|h| h.primary)
        .map(|h| (&h.differences, h.margin))
        .collect();
    let mut of_primary = Checks::family(&family, strict, rule, stream).into_iter();
    let decide = |hypothesis: &Hypothesis| {
        let alone = [(&hypothesis.differences, hypothesis.margin)];
        let exploratory = rule.confidence(1);
        let (confidence, checks) = match hypothesis.primary {
            true => (strict, of_primary.next()),
            false => (
                exploratory,
                Checks::family(&alone, exploratory, rule, stream).pop(),
            ),
        };
        describe(
            hypothesis,
            confidence,
            checks.expect("one per hypothesis"),
            rule,
        )
    };
    hypotheses.iter().map(decide).collect()
}

fn describe(hypothesis: &Hypothesis, confidence: f64, checks: Checks, rule: &Rule) -> Decision {
    let Hypothesis {
        differences,
        independent,
        prediction,
        margin,
        primary,
    } = hypothesis;
    let (n, sd) = (differences.len(), differences.sd());
    let welch = independent
        .as_ref()
        .and_then(|s| Some((s.mean(), s.interval(confidence)?)));
    let (mean, interval) = match welch {
        Some((mean, interval)) => (mean, Some(interval)),
        None => (
            differences.mean(),
            decisive_interval(differences, confidence),
        ),
    };
    let minimum = MinimumDetectable::new(n, sd, confidence, rule.power);
    Decision {
        n,
        mean,
        sd,
        confidence,
        interval,
        finding: Finding::of(interval, *margin),
        verdict: primary.then(|| Verdict::of(*prediction, interval, *margin)),
        effect_size: paired_effect_size(differences),
        detectable: minimum.difference,
        detectable_margin: minimum.margin,
        checks,
    }
}

/// The t interval of the mean that findings and verdicts are read off.
///
/// `None` for a single difference, and for too few equal ones. Equal differences have no spread, so their
/// t interval is a point for any number of seeds. With two seeds that claims too much: two nets often
/// classify the same number of images correctly by chance. Equal differences therefore need
/// `2 / 2^n <= 1 - confidence`, for example 6 seeds at 95 %. From that number on, the interval from the
/// smallest to the largest difference covers the median at the same level.
pub fn decisive_interval(differences: &Sample, confidence: f64) -> Option<Interval> {
    let few = sign_flip_min_p(differences.len()) > 1.0 - confidence;
    if differences.sd() == Some(0.0) && few {
        return None;
    }
    t_interval(differences, confidence)
}

/// What a design can detect, for a given standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinimumDetectable {
    /// Smallest true difference for which the interval excludes zero with the wanted power. `None` for a
    /// single difference, or if the standard deviation is zero or unknown.
    pub difference: Option<f64>,
    /// Smallest margin inside which the interval lies with the wanted power if the true difference is
    /// zero. `None` in the same cases.
    pub margin: Option<f64>,
}

impl MinimumDetectable {
    /// For `n` differences with standard deviation `sd` and a t interval with level `confidence`.
    pub fn new(n: usize, sd: Option<f64>, confidence: f64, power: f64) -> Self {
        let level = 1.0 - confidence;
        Self {
            difference: sd.and_then(|sd| detectable_difference(sd, n, level, power)),
            // Each end of the interval is a one-sided bound at half the level.
            margin: sd.and_then(|sd| detectable_margin(sd, n, level / 2.0, power)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::Purpose;

    fn stream() -> Stream {
        Stream::new(0, Purpose::Resample, "decision")
    }

    fn hypothesis(values: &[f64], prediction: Prediction, margin: f64) -> Hypothesis {
        Hypothesis {
            differences: Sample::new(values.to_vec()).unwrap(),
            independent: None,
            prediction,
            margin,
            primary: true,
        }
    }

    fn decided(hypotheses: &[Hypothesis], primary: usize) -> Vec<Decision> {
        let rule = Rule {
            resamples: 500,
            ..Rule::default()
        };
        decide(hypotheses, primary, &rule, &stream())
    }

    const SPREAD: [f64; 8] = [0.5, 0.9, -0.1, 0.6, 0.4, 0.8, 0.3, 0.2];

    #[test]
    fn decision_has_the_statistics_of_its_differences() {
        let tested = hypothesis(&SPREAD, Prediction::Better, 1.0);
        let decision = &decided(std::slice::from_ref(&tested), 1)[0];
        let sample = &tested.differences;
        assert_eq!((decision.n, decision.mean), (8, sample.mean()));
        assert_eq!((decision.sd, decision.confidence), (sample.sd(), 0.95));
        assert_eq!(decision.interval, t_interval(sample, 0.95));
        assert_eq!(decision.effect_size, paired_effect_size(sample));
        assert_eq!(decision.finding, Finding::BetterTooSmall);
        assert_eq!(decision.verdict, Some(Verdict::Supported));
    }

    #[test]
    fn primary_contrasts_widen_the_interval() {
        let tested = hypothesis(&SPREAD, Prediction::Better, 1.0);
        let sample = &tested.differences;
        let decisions = decided(&vec![tested.clone(); 4], 4);
        for decision in &decisions {
            assert_eq!(decision.interval, t_interval(sample, 0.9875));
            assert_eq!(decision.confidence, 0.9875);
        }
        let sd = sample.sd().unwrap();
        let size = decisions[0].detectable.unwrap();
        let expected = detectable_difference(sd, 8, 0.0125, 0.8).unwrap();
        assert!((size / expected - 1.0).abs() < 1e-9);
        let margin = decisions[0].detectable_margin.unwrap();
        let expected = detectable_margin(sd, 8, 0.00625, 0.8).unwrap();
        assert!((margin / expected - 1.0).abs() < 1e-9);
    }

    #[test]
    fn exploratory_contrasts_never_change_a_primary() {
        let primary = hypothesis(&SPREAD, Prediction::Better, 1.0);
        let exploratory = Hypothesis {
            primary: false,
            ..hypothesis(&[0.1, -0.3, 0.2, 0.5], Prediction::Differs, 1.0)
        };
        let alone = decided(std::slice::from_ref(&primary), 1);
        let mut all = vec![exploratory.clone(); 3];
        all.insert(1, primary);
        let among = decided(&all, 1);
        assert_eq!(among[1], alone[0]);
        assert_eq!(among[0].verdict, None);
        assert_eq!(
            among[0].interval,
            t_interval(&exploratory.differences, 0.95)
        );
    }

    #[test]
    fn missing_primary_contrasts_still_count() {
        let tested = hypothesis(&SPREAD, Prediction::Better, 1.0);
        assert_eq!(decided(&[tested], 2)[0].confidence, 0.975);
        assert!(decided(&[], 2).is_empty());
    }

    #[test]
    fn few_equal_differences_have_no_interval() {
        let interval = |value: f64, n: usize, confidence| {
            decisive_interval(&Sample::new(vec![value; n]).unwrap(), confidence)
        };
        let zero = Some(Interval {
            low: 0.0,
            high: 0.0,
        });
        for (n, found) in [(1, None), (2, None), (5, None), (6, zero), (20, zero)] {
            assert_eq!(interval(0.0, n, 0.95), found, "{n}");
        }
        assert_eq!(interval(0.5, 7, 0.9875), None);
        assert!(interval(0.5, 8, 0.9875).is_some());
        let five = &decided(&[hypothesis(&[0.0; 5], Prediction::Equivalent, 0.1)], 1)[0];
        assert_eq!(five.verdict, Some(Verdict::Undecided));
        let six = &decided(&[hypothesis(&[0.0; 6], Prediction::Equivalent, 0.1)], 1)[0];
        assert_eq!(six.verdict, Some(Verdict::Supported));
        assert_eq!((six.detectable, six.detectable_margin), (None, None));
    }

    #[test]
    fn single_seed_is_undecided() {
        let one = &decided(&[hypothesis(&[2.0], Prediction::Differs, 0.5)], 1)[0];
        assert_eq!((one.sd, one.interval, one.effect_size), (None, None, None));
        assert_eq!(one.finding, Finding::Unclear);
        assert_eq!(one.verdict, Some(Verdict::Undecided));
        assert_eq!((one.detectable, one.detectable_margin), (None, None));
    }

    #[test]
    fn decisions_survive_json() {
        let hypotheses = [
            hypothesis(&SPREAD, Prediction::Better, 1.0),
            hypothesis(&[1.0], Prediction::Equivalent, 1.0),
            hypothesis(&[1e100, -1e100], Prediction::Differs, 1e-300),
        ];
        for decision in decided(&hypotheses, 3) {
            let json = serde_json::to_string(&decision).unwrap();
            assert_eq!(serde_json::from_str::<Decision>(&json).unwrap(), decision);
        }
        let json = serde_json::to_string(&Finding::NoDifferenceThatMatters).unwrap();
        assert_eq!(json, "\"no_difference_that_matters\"");
    }
}
