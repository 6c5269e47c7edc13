//! Power of the decision rule: probabilities of the verdicts on a prediction, before the run.

use super::power::{MAX_SEEDS, equivalence_power, power_of_difference, power_of_direction};
use super::verdict::Prediction;

/// Probability of each verdict if the truth lies one margin away from the end that decides.
///
/// | prediction | supported, for a true difference of | contradicted, for a true difference of |
/// |---|---|---|
/// | better | one margin | zero |
/// | worse | minus one margin | zero |
/// | differs | one margin | zero |
/// | equivalent | zero | two margins |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VerdictPower {
    /// Probability of *supported*.
    pub supported: f64,
    /// Probability of *contradicted*.
    pub contradicted: f64,
}

impl VerdictPower {
    /// The power of `n` normal differences with standard deviation `sd` and an interval at level
    /// `confidence`.
    ///
    /// `None` for fewer than two differences, and if `margin` or `sd` is not positive and finite.
    pub fn new(
        prediction: Prediction,
        margin: f64,
        sd: f64,
        n: usize,
        confidence: f64,
    ) -> Option<Self> {
        let alpha = 1.0 - confidence;
        let above = |truth: f64| power_of_direction(truth, sd, n, alpha);
        // The interval lies between `-reach` and `reach` around `truth`.
        let between = |reach: f64, truth: f64| equivalence_power(reach, truth, sd, n, alpha / 2.0);
        let half = margin / 2.0;
        // Inside the margin and above zero: supported, so not contradicted.
        let too_small = between(half, half)?;
        let (supported, contradicted) = match prediction {
            Prediction::Better | Prediction::Worse => (above(margin)?, above(margin)? - too_small),
            Prediction::Differs => (
                power_of_difference(margin, sd, n, alpha)?,
                between(margin, 0.0)? - 2.0 * too_small,
            ),
            Prediction::Equivalent => (
                between(margin, 0.0)?,
                above(margin)? + above(-3.0 * margin)?,
            ),
        };
        Some(Self {
            supported: supported.clamp(0.0, 1.0),
            contradicted: contradicted.clamp(0.0, 1.0),
        })
    }

    /// The smaller of the two.
    pub fn least(&self) -> f64 {
        self.supported.min(self.contradicted)
    }

    /// The true differences, in margins, to which the two probabilities belong.
    pub const fn truths(prediction: Prediction) -> [f64; 2] {
        match prediction {
            Prediction::Better | Prediction::Differs => [1.0, 0.0],
            Prediction::Worse => [-1.0, 0.0],
            Prediction::Equivalent => [0.0, 2.0],
        }
    }
}

/// The smallest number of seeds with which both verdicts have a probability of at least `power`.
///
/// `None` if more than [`MAX_SEEDS`] are needed, or if [`VerdictPower::new`] is `None`.
pub fn seeds_for_verdicts(
    prediction: Prediction,
    margin: f64,
    sd: f64,
    confidence: f64,
    power: f64,
) -> Option<usize> {
    let enough =
        |n: usize| Some(VerdictPower::new(prediction, margin, sd, n, confidence)?.least() >= power);
    let mut many = 2;
    while !enough(many)? {
        if many >= MAX_SEEDS {
            return None;
        }
        many = (2 * many).min(MAX_SEEDS);
    }
    let mut few = many / 2;
    while many - few > 1 {
        let middle = (few + many) / 2;
        match enough(middle)? {
            true => many = middle,
            false => few = middle,
        }
    }
    Some(many)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Sample, Verdict, decisive_interval};
    use ablate_streams::{Purpose, Stream};

    const ALL: [Prediction; 4] = [
        Prediction::Better,
        Prediction::Worse,
        Prediction::Equivalent,
        Prediction::Differs,
    ];

    #[test]
    fn power_matches_the_simulated_rule() {
        let rounds = 4000;
        for (prediction, margin, n, confidence) in [
            (Prediction::Better, 0.7, 14, 0.95),
            (Prediction::Worse, 1.0, 8, 0.975),
            (Prediction::Equivalent, 0.9, 12, 0.95),
            (Prediction::Differs, 1.1, 9, 0.9875),
        ] {
            let power = VerdictPower::new(prediction, margin, 1.0, n, confidence).unwrap();
            let path = format!("{prediction:?}");
            let mut normals = Stream::new(5, Purpose::Resample, &path).normals(0);
            let wanted = [Verdict::Supported, Verdict::Contradicted];
            let truths = VerdictPower::truths(prediction);
            let expected = [power.supported, power.contradicted];
            for ((verdict, truth), expected) in wanted.into_iter().zip(truths).zip(expected) {
                let hits = (0..rounds).filter(|_| {
                    let values = normals.by_ref().take(n).map(|z| truth * margin + z);
                    let sample = Sample::new(values.collect()).unwrap();
                    let interval = decisive_interval(&sample, confidence);
                    Verdict::of(prediction, interval, margin) == verdict
                });
                let rate = hits.count() as f64 / f64::from(rounds);
                // Three standard errors are at most 0.024.
                assert!(
                    (rate - expected).abs() < 0.024,
                    "{prediction:?} {verdict:?}: {rate} {expected}"
                );
            }
        }
    }

    #[test]
    fn needed_seeds_are_the_fewest_with_the_power() {
        for prediction in ALL {
            let least = |n| {
                VerdictPower::new(prediction, 0.5, 0.7, n, 0.975)
                    .unwrap()
                    .least()
            };
            let n = seeds_for_verdicts(prediction, 0.5, 0.7, 0.975, 0.8).unwrap();
            assert!(least(n) >= 0.8 && least(n - 1) < 0.8, "{prediction:?} {n}");
        }
        assert_eq!(
            seeds_for_verdicts(Prediction::Better, 1e-4, 1.0, 0.95, 0.8),
            None
        );
    }

    #[test]
    fn too_few_seeds_and_bad_input_have_no_power() {
        for prediction in ALL {
            assert_eq!(VerdictPower::new(prediction, 1.0, 1.0, 1, 0.95), None);
            assert_eq!(VerdictPower::new(prediction, 1.0, 0.0, 9, 0.95), None);
            assert_eq!(VerdictPower::new(prediction, 0.0, 1.0, 9, 0.95), None);
            let two = VerdictPower::new(prediction, 1.0, 1.0, 2, 0.95).unwrap();
            assert!(two.least() < 0.1, "{prediction:?} {two:?}");
        }
    }
}
