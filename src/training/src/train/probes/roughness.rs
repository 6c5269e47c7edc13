//! Roughness of the validation curve: the mean absolute change of accuracy from one evaluation to
//! the next, over the second half of training.

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::batch::SplitPart;
use crate::train::net::scores;
use crate::train::statistics::evaluation_model;

/// Validation accuracy per replica at every evaluation.
#[derive(Default)]
pub(super) struct Roughness {
    curves: Vec<Vec<f64>>,
}

impl ProbeHooks for Roughness {
    fn epoch_done(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let model = evaluation_model(context.job, context.net.model(), context.batches);
        let scores = scores(&model, context.batches, SplitPart::Validation);
        self.curves.resize_with(results.len(), Vec::new);
        for (curve, scores) in self.curves.iter_mut().zip(scores) {
            curve.extend(scores.map(|scores| scores.accuracy));
        }
    }

    fn finish(&mut self, _context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        for (result, curve) in results.iter_mut().zip(&self.curves) {
            if let Some(value) = roughness(curve) {
                result.put_value("validation_roughness", value);
            }
        }
    }
}

/// Mean absolute difference of neighbours in the second half of the curve; `None` if there are no
/// neighbours.
fn roughness(curve: &[f64]) -> Option<f64> {
    let late = &curve[(curve.len() / 2).min(curve.len().saturating_sub(2))..];
    let steps: Vec<f64> = late.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let sum: f64 = steps.iter().sum();
    (!steps.is_empty()).then(|| sum / steps.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roughness_averages_changes_in_the_second_half() {
        assert_eq!(roughness(&[10.0, 90.0, 95.0, 97.0, 94.0, 95.0]), Some(2.0));
        assert_eq!(roughness(&[10.0, 50.0, 90.0, 90.0]), Some(0.0));
        assert_eq!(roughness(&[10.0, 90.0]), Some(80.0));
        assert_eq!(roughness(&[10.0]), None);
        assert_eq!(roughness(&[]), None);
    }
}
