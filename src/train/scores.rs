//! Accuracy, negative log-likelihood and calibration from logits, on the host in double precision.

use crate::record::Scores;

/// Number of equal confidence bins of the calibration error (Guo et al. 2017, section 2).
const BINS: usize = 15;

/// Adds up scores over batches.
#[derive(Clone, Debug, Default)]
pub struct ScoreAccumulator {
    examples: usize,
    correct: usize,
    nll: f64,
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    examples: usize,
    correct: usize,
    confidence: f64,
}

impl ScoreAccumulator {
    /// Takes in one example. Among equal logits the first class counts as predicted.
    pub fn add(&mut self, logits: &[f32], label: usize) {
        let (mut best, mut largest) = (0, f64::NEG_INFINITY);
        for (class, &logit) in logits.iter().enumerate() {
            if f64::from(logit) > largest {
                (best, largest) = (class, f64::from(logit));
            }
        }
        let sum: f64 = logits.iter().map(|&l| (f64::from(l) - largest).exp()).sum();
        let correct = best == label;
        let confidence = 1.0 / sum;
        self.examples += 1;
        self.correct += usize::from(correct);
        self.nll += sum.ln() - (f64::from(logits[label]) - largest);
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut self.bins[bin];
        bin.examples += 1;
        bin.correct += usize::from(correct);
        bin.confidence += confidence;
    }

    /// The scores, or `None` where they are not finite or nothing was added.
    pub fn scores(&self) -> Option<Scores> {
        let n = self.examples as f64;
        let gap = |b: &Bin| (b.correct as f64 - b.confidence).abs();
        let scores = Scores {
            accuracy: 100.0 * self.correct as f64 / n,
            nll: self.nll / n,
            ece: 100.0 * self.bins.iter().map(gap).sum::<f64>() / n,
        };
        let finite = [scores.accuracy, scores.nll, scores.ece];
        finite.iter().all(|x| x.is_finite()).then_some(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_give_the_entropy_of_the_uniform() {
        let mut accumulator = ScoreAccumulator::default();
        accumulator.add(&[0.0; 4], 0);
        accumulator.add(&[0.0; 4], 3);
        let scores = accumulator.scores().unwrap();
        assert_eq!(scores.accuracy, 50.0);
        assert!((scores.nll - 4f64.ln()).abs() < 1e-12);
        assert!((scores.ece - 25.0).abs() < 1e-12);
    }

    #[test]
    fn a_sure_and_wrong_prediction_costs_its_margin_and_is_badly_calibrated() {
        let mut accumulator = ScoreAccumulator::default();
        accumulator.add(&[50.0, 0.0], 1);
        let scores = accumulator.scores().unwrap();
        assert_eq!(scores.accuracy, 0.0);
        assert!((scores.nll - 50.0).abs() < 1e-12);
        assert!((scores.ece - 100.0).abs() < 1e-9);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let mut accumulator = ScoreAccumulator::default();
        accumulator.add(&[3e38, -3e38], 0);
        assert_eq!(accumulator.scores().unwrap().nll, 0.0);
    }

    #[test]
    fn nothing_and_nan_have_no_scores() {
        assert_eq!(ScoreAccumulator::default().scores(), None);
        let mut accumulator = ScoreAccumulator::default();
        accumulator.add(&[f32::NAN, 0.0], 0);
        assert_eq!(accumulator.scores(), None);
    }
}
