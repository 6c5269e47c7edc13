//! Scores of one trained net with different batch norm statistics: running averages, averages over
//! the batches of an epoch, exact statistics of the training split, and statistics of the test
//! batch itself. Test batches are in file order, of one example, or sorted by class.

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::record::Scores;
use crate::train::batch::{Batches, SplitPart};
use crate::train::net::{self, host};
use crate::train::scores::ScoreAccumulator;
use crate::train::statistics::{with_cumulative_statistics, with_exact_statistics};
use ablate_models::Pass;
use ablate_models::zoo::Model;
use burn::module::Module;

pub(super) struct EvaluationModes;

impl ProbeHooks for EvaluationModes {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let (net, batches) = (context.net, context.batches);
        let model = net.model();
        let n = context.job.train.batch_size;
        let score = |model: &Model| net::scores(model, batches, SplitPart::Test);
        let in_file_order = orders(batches, |_, list| list);
        let sorted = orders(batches, by_class);
        let score_batches = |orders: &[Vec<u32>], n| on_batches(&model.valid(), batches, orders, n);
        let epoch = batches.orders(0);
        let modes = [
            ("running", score(&model.valid())),
            (
                "cumulative",
                score(&with_cumulative_statistics(model, batches, &epoch, n)),
            ),
            ("exact", score(&with_exact_statistics(model, batches))),
            ("batch", score_batches(&in_file_order, n)),
            ("batch-of-one", score_batches(&in_file_order, 1)),
            ("batch-of-a-class", score_batches(&sorted, n)),
        ];
        for (mode, scores) in modes {
            for (result, scores) in results.iter_mut().zip(scores) {
                if let Some(scores) = scores {
                    result.put_value(&format!("accuracy_by.{mode}"), scores.accuracy);
                    result.put_value(&format!("nll_by.{mode}"), scores.nll);
                }
            }
        }
    }
}

/// Positions of the test examples, one list per replica, reordered by `arrange`.
fn orders(
    batches: &Batches,
    arrange: impl Fn(&dyn Fn(u32) -> usize, Vec<u32>) -> Vec<u32>,
) -> Vec<Vec<u32>> {
    let all = 0..batches.len(SplitPart::Test) as u32;
    let of = |r: usize| {
        let class = |i: u32| batches.label(SplitPart::Test, r, i as usize);
        arrange(&class, all.clone().collect())
    };
    (0..batches.replicas()).map(of).collect()
}

/// Sorts the examples by class; within a class the order is kept.
fn by_class(class: &dyn Fn(u32) -> usize, mut list: Vec<u32>) -> Vec<u32> {
    list.sort_by_key(|&i| class(i));
    list
}

/// Scores on the test set in batches of `n`, each normalized by its own statistics. The last batch
/// is filled up with preceding examples, which are not scored again.
fn on_batches(
    model: &Model,
    batches: &Batches,
    orders: &[Vec<u32>],
    n: usize,
) -> Vec<Option<Scores>> {
    let all = batches.len(SplitPart::Test);
    let n = n.min(all);
    let mut accumulators = vec![ScoreAccumulator::default(); orders.len()];
    for done in (0..all).step_by(n) {
        let from = done.min(all - n);
        let (pixels, _) = batches.ordered(SplitPart::Test, orders, from, n);
        let logits = model.forward(pixels.inner(), &Pass::evaluate_on_batch());
        let classes = logits.dims()[2];
        for (i, row) in host(logits).chunks(classes).enumerate() {
            let (r, position) = (i / n, from + i % n);
            if position >= done {
                let label = batches.label(SplitPart::Test, r, orders[r][position] as usize);
                accumulators[r].add(row, label);
            }
        }
    }
    accumulators.iter().map(ScoreAccumulator::scores).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::fixture;
    use ablate_models::Activation;
    use ablate_models::norm::NormConfig;

    /// The class is 1 if the first pixel is the larger one; one of five images is mislabelled.
    const IMAGES: [[u8; 2]; 5] = [[1, 9], [8, 2], [3, 7], [6, 4], [9, 1]];
    const LABELS: [u8; 5] = [0, 1, 0, 1, 0];
    const WEIGHTS: [(&str, &[f64]); 2] = [
        ("blocks.0.linear.weight", &[1.0, -1.0]),
        ("head.weight", &[-1.0, 1.0]),
    ];

    fn results(norm: NormConfig, batch: usize) -> ProbeResults {
        let batches = fixture::batches(&IMAGES, &LABELS);
        let model = fixture::mlp(&[1], norm, Activation::Linear);
        let job = fixture::job(&model, batch);
        let net = fixture::net(&job, &WEIGHTS);
        let mut results = [ProbeResults::default()];
        let context = ProbeContext::new(&job, &net, &batches);
        EvaluationModes.finish(&context, &mut results);
        let [results] = results;
        results
    }

    #[test]
    fn without_norm_all_modes_agree() {
        for batch in [1, 2, 4, 5] {
            let results = results(NormConfig::None, batch);
            for mode in [
                "running",
                "exact",
                "batch",
                "batch-of-one",
                "batch-of-a-class",
            ] {
                let accuracy = results.value(&format!("accuracy_by.{mode}"));
                assert_eq!(accuracy, Some(80.0), "{mode} in batches of {batch}");
            }
        }
    }

    #[test]
    fn batch_of_one_is_normalized_to_zero() {
        // All inputs are normalized to zero, and among equal logits the first class is predicted.
        let results = results(fixture::bare(0.1), 5);
        assert_eq!(results.value("accuracy_by.batch-of-one"), Some(60.0));
        let nll = results.value("nll_by.batch-of-one").unwrap();
        assert!((nll - 2f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn batch_of_one_class_is_split_by_its_mean() {
        // Differences of the pixels: -8, -4, 8 for class 0 and 6, 2 for class 1. Sorted by class,
        // the first batch (-8, -4, 8) has mean -4/3, which gets the last one wrong. The second
        // batch (8, 6, 2) has mean 16/3, and only its last two are scored: 6 is above the mean, 2
        // below.
        let results = results(fixture::bare(0.1), 3);
        assert_eq!(results.value("accuracy_by.batch-of-a-class"), Some(60.0));
        // All five have mean 0.8: only the mislabelled image is wrong.
        assert_eq!(results.value("accuracy_by.exact"), Some(80.0));
    }
}
