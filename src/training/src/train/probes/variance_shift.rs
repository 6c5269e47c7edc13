//! Variance shift: how much dropout changes the variance of a norm's input between training and
//! evaluation (Li et al. 2019, "Understanding the disharmony between dropout and batch
//! normalization by variance shift").
//!
//! The shift is compared with its computed value. With `p` the probability of keeping, inverted
//! dropout directly before the norm gives `Var(x) + (1 - p) / p E[x^2]`. With a dense layer of
//! weights `w` in between it gives `Var(w x) + (1 - p) / p sum w^2 E[x^2]`.
//!
//! Variances are computed over all training examples. Their batches are normalized by their own
//! statistics both with and without dropout, so dropout is the only difference. The computed value
//! ignores the effect of earlier dropout layers on `x`. It is therefore exact for the first norm
//! after dropout and an approximation for later norms.

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

/// Number of passes over the training examples, each with new masks.
const ROUNDS: usize = 4;

pub(super) struct VarianceShift;

impl ProbeHooks for VarianceShift {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let model = context.net.model().valid();
        let batch = context.job.train.batch_size;
        let shifts = shifts(&model, context.batches, batch, context.net.steps(), ROUNDS);
        for shift in shifts {
            put_values(results, &format!("variance_shift.{}", shift.path), |r| {
                shift.measured[r]
            });
            if let Some(computed) = shift.computed {
                let name = format!("variance_shift_formula.{}", shift.path);
                put_values(results, &name, |r| computed[r]);
            }
        }
    }
}

/// Shift at one norm: variance with dropout divided by variance without, averaged over the channels
/// of each replica.
pub(super) struct ShiftAtNorm {
    pub(super) path: String,
    /// The measured ratio.
    pub(super) measured: Vec<f64>,
    /// The computed ratio, if the formula applies.
    pub(super) computed: Option<Vec<f64>>,
}

const POINTS: &[Point] = &[
    Point::NormInput,
    Point::LinearOutput,
    Point::Activation,
    Point::Output,
];

/// Measures the shift at every batch norm of `model`, which carries no gradients and whose running
/// averages are overwritten. Masks are those of `rounds` epochs, starting at step `first`.
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
        model.forward(pixels.clone(), &pass.observed_by(&plain));
        for round in 0..rounds {
            let step = first + (round * count + i) as u64;
            let pass = Pass::train_at(step);
            model.forward(pixels.clone(), &pass.observed_by(&dropped));
        }
    }
    let conv = model.conv_blocks().map(|block| (&block.epilogue, None));
    let dense = model.dense_blocks().iter();
    let dense = dense.map(|block| (&block.epilogue, Some(block)));
    let mut previous: Option<&DenseBlock> = None;
    let mut results = Vec::new();
    for (epilogue, block) in conv.chain(dense) {
        results.extend(at_norm(epilogue, block, previous, &plain, &dropped));
        previous = block;
    }
    results
}

/// Shift at the norm of `epilogue`. `block` is its dense block, and `previous` is the dense block
/// before it.
fn at_norm(
    epilogue: &Epilogue,
    block: Option<&DenseBlock>,
    previous: Option<&DenseBlock>,
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
    let formula = after_direct_dropout(epilogue, plain)
        .or_else(|| after_dense_layer(block?, previous?, &without, plain));
    Some(ShiftAtNorm {
        path: path.to_owned(),
        measured: ratio(&with.variance()),
        computed: formula.map(|variance| ratio(&variance)),
    })
}

/// Computed variance after dropout directly before the norm.
fn after_direct_dropout(epilogue: &Epilogue, plain: &StatisticsRecorder) -> Option<Vec<f64>> {
    let dropout = epilogue.dropout.as_ref()?;
    if epilogue.placement != Placement::BeforeNorm {
        return None;
    }
    let point = match epilogue.position {
        Position::Before => Point::LinearOutput,
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

/// Computed variance after the weights of `block`, if the previous block has dropout at its end.
fn after_dense_layer(
    block: &DenseBlock,
    previous: &DenseBlock,
    without: &ChannelStatistics,
    plain: &StatisticsRecorder,
) -> Option<Vec<f64>> {
    let dropout = previous.epilogue.dropout.as_ref()?;
    if previous.epilogue.placement != Placement::End || block.epilogue.position != Position::Before
    {
        return None;
    }
    let squares = plain
        .statistics(previous.epilogue.path(), Point::Output)?
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

    /// The first pixel is 1 or 3 and the second is 0 or 2, in all combinations equally often.
    fn batches() -> Batches {
        let images = [[1, 0], [3, 0], [1, 2], [3, 2]].repeat(100);
        fixture::batches(&images, &[0, 1, 0, 1].repeat(100))
    }

    fn model_with_dropout(hidden: &[usize], placement: Placement) -> ModelConfig {
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

    /// Values 1 and 3 have variance 1 and mean square 5. Kept with probability 1/2, they have
    /// variance 1 + 5.
    #[test]
    fn dropout_before_norm_shifts_variance_as_computed() {
        let model = model_with_dropout(&[1], Placement::BeforeNorm);
        let shifts = shifts_of(&model, &[("blocks.0.linear.weight", &[1.0, 0.0])]);
        let [shift] = &shifts[..] else {
            panic!("one norm");
        };
        assert_near(shift.computed.as_ref().unwrap()[0], 6.0, 1e-12);
        assert_near(shift.measured[0], 6.0, 0.1);
    }

    /// The first norm maps both pixels to -1 and 1, with mean square 1. With weights 3 and 4 their
    /// sum has variance 25, and dropout adds (1/2) / (1/2) times 9 + 16.
    #[test]
    fn dropout_before_layer_shifts_next_variance_as_computed() {
        let model = model_with_dropout(&[2, 1], Placement::End);
        let weights: [(&str, &[f64]); 2] = [
            ("blocks.0.linear.weight", &[1.0, 0.0, 0.0, 1.0]),
            ("blocks.1.linear.weight", &[3.0, 4.0]),
        ];
        let shifts = shifts_of(&model, &weights);
        let [first, second] = &shifts[..] else {
            panic!("two norms");
        };
        assert_near(first.measured[0], 1.0, 1e-12);
        assert_eq!(first.computed, None);
        // Batches are not exactly balanced, so the normalized values are not exactly -1 and 1.
        assert_near(second.computed.as_ref().unwrap()[0], 2.0, 0.02);
        assert_near(second.measured[0], 2.0, 0.05);
    }
}
