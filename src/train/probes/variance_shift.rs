//! By how much dropout shifts the variance that a norm sees in training from the one it sees in
//! evaluation (Li et al. 2019), beside what inverted dropout makes of it by calculation:
//! `Var(x) + (1 - p) / p E[x^2]` for what is dropped itself, `p` the probability of keeping, and,
//! through a dense layer of weights `w`, `Var(w x) + (1 - p) / p sum w^2 E[x^2]`.
//!
//! The variances are over all training examples in their batches, which are normalized by their own
//! statistics both times, so that dropout makes the whole difference. The calculation takes what
//! lies before the last dropout as it is without any; so it is exact for the first norm behind
//! dropout, and to first order for those behind others.

use super::results::put_values;
use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::batch::{Batches, SplitPart};
use crate::train::net::host_f64;
use crate::train::statistics::{ChannelStatistics, StatisticsRecorder, over_channels};
use ablate_models::Pass;
use ablate_models::block::{DenseBlock, Epilogue, Position};
use ablate_models::dropout::Placement;
use ablate_models::norm::Norm;
use ablate_models::pass::Point;
use ablate_models::zoo::Model;
use burn::module::Module;

/// How often every training example is passed with fresh masks.
const ROUNDS: usize = 4;

pub(super) struct VarianceShift;

impl ProbeHooks for VarianceShift {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let model = context.net.model().valid();
        let batch = context.job.train.batch_size;
        let shifts = shifts(&model, context.batches, batch, context.net.steps(), ROUNDS);
        for shift in shifts {
            put_values(results, &format!("variance_shift.{}", shift.path), |r| {
                shift.seen[r]
            });
            if let Some(by_formula) = shift.by_formula {
                let name = format!("variance_shift_formula.{}", shift.path);
                put_values(results, &name, |r| by_formula[r]);
            }
        }
    }
}

/// The shift at one norm: variance in training over variance without dropout, the mean over the
/// channels of each replica.
pub(super) struct ShiftAtNorm {
    pub(super) path: String,
    /// As seen.
    pub(super) seen: Vec<f64>,
    /// As calculated, where the formula has all it needs.
    pub(super) by_formula: Option<Vec<f64>>,
}

const POINTS: &[Point] = &[
    Point::NormInput,
    Point::Weighted,
    Point::Activation,
    Point::Output,
];

/// The shift at every batch norm of `model`, which carries no gradients and loses its running
/// averages; masks are those of `rounds` epochs from step `first` on.
pub(super) fn shifts(
    model: &Model,
    batches: &Batches,
    batch: usize,
    first: u64,
    rounds: usize,
) -> Vec<ShiftAtNorm> {
    let (plain, dropped) = (
        StatisticsRecorder::at(POINTS),
        StatisticsRecorder::at(&[Point::NormInput]),
    );
    let orders = batches.orders(0);
    let count = batches.len(SplitPart::Train) / batch;
    for i in 0..count {
        let (pixels, _) = batches.train(&orders, i * batch, batch);
        let pixels = pixels.inner();
        let pass = Pass::evaluate_on_batch();
        model.forward(pixels.clone(), &pass.watched_by(&plain));
        for round in 0..rounds {
            let step = first + (round * count + i) as u64;
            let pass = Pass::train(step);
            model.forward(pixels.clone(), &pass.watched_by(&dropped));
        }
    }
    let conv = model.conv_blocks().map(|block| (&block.epilogue, None));
    let dense = model.dense_blocks().iter();
    let dense = dense.map(|block| (&block.epilogue, Some(block)));
    let mut in_front: Option<&DenseBlock> = None;
    let mut results = Vec::new();
    for (epilogue, block) in conv.chain(dense) {
        results.extend(at_norm(epilogue, block, in_front, &plain, &dropped));
        in_front = block;
    }
    results
}

/// The shift at the norm of `epilogue`; `block` is its dense block and `in_front` the one before.
fn at_norm(
    epilogue: &Epilogue,
    block: Option<&DenseBlock>,
    in_front: Option<&DenseBlock>,
    plain: &StatisticsRecorder,
    dropped: &StatisticsRecorder,
) -> Option<ShiftAtNorm> {
    let Some(Norm::Batch(norm)) = &epilogue.norm else {
        return None;
    };
    let epsilon = norm.config.epsilon;
    let path = epilogue.path();
    let without = plain.statistics(path, Point::NormInput)?;
    let with = dropped.statistics(path, Point::NormInput)?;
    let ratio = |numerator: &[f64]| {
        let denominator = without.variance();
        let channels = without.channels();
        let replicas = denominator.len() / channels;
        over_channels(replicas, channels, |i| {
            (numerator[i] + epsilon) / (denominator[i] + epsilon)
        })
    };
    let formula = directly(epilogue, plain).or_else(|| through(block?, in_front?, &without, plain));
    Some(ShiftAtNorm {
        path: path.to_owned(),
        seen: ratio(&with.variance()),
        by_formula: formula.map(|variance| ratio(&variance)),
    })
}

/// The variance behind dropout that stands directly before the norm.
fn directly(epilogue: &Epilogue, plain: &StatisticsRecorder) -> Option<Vec<f64>> {
    let dropout = epilogue.dropout.as_ref()?;
    if epilogue.placement != Placement::BeforeNorm {
        return None;
    }
    let point = match epilogue.position {
        Position::Before => Point::Weighted,
        Position::After => Point::Activation,
    };
    let x = plain.statistics(epilogue.path(), point)?;
    let odds = dropout.rate / (1.0 - dropout.rate);
    let pairs = x.variance().into_iter().zip(x.mean_square());
    Some(
        pairs
            .map(|(variance, square)| variance + odds * square)
            .collect(),
    )
}

/// The variance of what `block` makes of the output of `in_front`, which drops at its end.
fn through(
    block: &DenseBlock,
    in_front: &DenseBlock,
    without: &ChannelStatistics,
    plain: &StatisticsRecorder,
) -> Option<Vec<f64>> {
    let dropout = in_front.epilogue.dropout.as_ref()?;
    if in_front.epilogue.placement != Placement::End || block.epilogue.position != Position::Before
    {
        return None;
    }
    let squares = plain
        .statistics(in_front.epilogue.path(), Point::Output)?
        .mean_square();
    let odds = dropout.rate / (1.0 - dropout.rate);
    let weight = block.linear.weight.val();
    let [_, inputs, outputs] = weight.dims();
    let weight = host_f64(weight);
    let mut variance = without.variance();
    for (i, w) in weight.iter().enumerate() {
        let (r, input, output) = (i / (inputs * outputs), i / outputs % inputs, i % outputs);
        variance[r * outputs + output] += odds * w * w * squares[r * inputs + input];
    }
    Some(variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::fixture::{self, assert_near};
    use ablate_models::Activation;
    use ablate_models::zoo::ModelConfig;

    /// Pixels 1 and 3 in equal numbers, and pixels of the other kind 0 and 2 in equal numbers.
    fn batches() -> Batches {
        let images = [[1, 0], [3, 0], [1, 2], [3, 2]].repeat(100);
        fixture::batches(&images, &[0, 1, 0, 1].repeat(100))
    }

    fn dropping(hidden: &[usize], placement: Placement) -> ModelConfig {
        let mut model = fixture::mlp(hidden, fixture::bare(0.1), Activation::Linear);
        if let ModelConfig::Mlp(mlp) = &mut model {
            mlp.block.dropout.rate = 0.5;
            mlp.block.dropout.placement = placement;
        }
        model
    }

    fn shifts_of(model: &ModelConfig, weights: &[(&str, &[f64])]) -> Vec<ShiftAtNorm> {
        let job = fixture::job(model, 100);
        let net = fixture::net(&job, weights);
        shifts(&net.model().valid(), &batches(), 100, 0, 50)
    }

    /// Values 1 and 3 have variance 1 and mean square 5: kept with probability 1/2 they have variance
    /// 1 + 5.
    #[test]
    fn dropout_in_front_of_a_norm_shifts_its_variance_as_on_paper() {
        let model = dropping(&[1], Placement::BeforeNorm);
        let shifts = shifts_of(&model, &[("blocks.0.linear.weight", &[1.0, 0.0])]);
        let [shift] = &shifts[..] else {
            panic!("one norm");
        };
        assert_near(shift.by_formula.as_ref().unwrap()[0], 6.0, 1e-12);
        assert_near(shift.seen[0], 6.0, 0.1);
    }

    /// The first norm makes -1 and 1 of either kind of pixel, with mean square 1. Weights 3 and 4
    /// give them variance 25 together, and dropout in between adds (1/2) / (1/2) times 9 + 16.
    #[test]
    fn dropout_in_front_of_a_layer_shifts_the_variance_behind_it_as_on_paper() {
        let model = dropping(&[2, 1], Placement::End);
        let weights: [(&str, &[f64]); 2] = [
            ("blocks.0.linear.weight", &[1.0, 0.0, 0.0, 1.0]),
            ("blocks.1.linear.weight", &[3.0, 4.0]),
        ];
        let shifts = shifts_of(&model, &weights);
        let [first, second] = &shifts[..] else {
            panic!("two norms");
        };
        assert_near(first.seen[0], 1.0, 1e-12);
        assert_eq!(first.by_formula, None);
        // Batches are not exactly balanced, so -1 and 1 are not exact either.
        assert_near(second.by_formula.as_ref().unwrap()[0], 2.0, 0.02);
        assert_near(second.seen[0], 2.0, 0.05);
    }
}
