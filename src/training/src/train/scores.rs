//! Accuracy, negative log-likelihood and calibration error, computed from logits on the host in
//! double precision.

use crate::record::Scores;

/// Number of equal-width confidence bins of the expected calibration error (Guo et al. 2017,
/// section 2).
const BINS: usize = 15;

/// Accumulates scores over examples.
#[derive(Clone, Debug, Default)]
pub struct ScoreAccumulator {
    examples: usize,
    correct: usize,
    nll: f64,
    bins: [Bin; BINS],
    wrong: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    examples: usize,
    correct: usize,
    confidence: f64,
}

impl ScoreAccumulator {
    /// Adds one example. Among equal logits, the first class counts as the prediction.
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
        if !correct {
            self.wrong.push(self.examples as u32);
        }
        self.examples += 1;
        self.correct += usize::from(correct);
        self.nll += sum.ln() - (f64::from(logits[label]) - largest);
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut self.bins[bin];
        bin.examples += 1;
        bin.correct += usize::from(correct);
        bin.confidence += confidence;
    }

    /// Positions of the misclassified examples in the order in which they were added, from 0.
    pub fn wrong(&self) -> &[u32] {
        &self.wrong
    }

    /// Returns the scores, or `None` if they are not finite or no example was added.
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
    fn equal_logits_give_uniform_entropy() {
        let mut accumulator = ScoreAccumulator::default();
        accumulator.add(&[0.0; 4], 0);
        accumulator.add(&[0.0; 4], 3);
        let scores = accumulator.scores().unwrap();
        assert_eq!(scores.accuracy, 50.0);
        assert!((scores.nll - 4f64.ln()).abs() < 1e-12);
        assert!((scores.ece - 25.0).abs() < 1e-12);
    }

    #[test]
    fn confident_wrong_prediction_has_large_nll_and_ece() {
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
    fn no_examples_and_nan_give_no_scores() {
        assert_eq!(ScoreAccumulator::default().scores(), None);
        let mut accumulator = ScoreAccumulator::default();
        accumulator.add(&[f32::NAN, 0.0], 0);
        assert_eq!(accumulator.scores(), None);
    }
}
