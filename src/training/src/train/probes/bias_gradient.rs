//! Largest gradient of each bias during training, and the distance that the bias moves.

use super::results::{ProbeResults, put_values};
use super::{ProbeContext, ProbeHooks, StepContext};
use crate::train::net::host;
use crate::train::parameters::hidden_blocks;
use burn::module::Param;
use burn::tensor::Tensor;

/// Largest gradients so far, for every block with a bias.
pub(super) struct BiasGradient {
    blocks: Vec<Block>,
}

struct Block {
    path: String,
    start: Tensor<2>,
    /// Largest gradients of bias and weights, per replica each; `None` before the first step.
    largest: Option<[Vec<f64>; 2]>,
}

impl BiasGradient {
    pub(super) fn begin(context: &ProbeContext<'_>) -> Self {
        let biased = hidden_blocks(context.net.model())
            .filter_map(|block| Some((block.path(), block.bias?)));
        let block = |(path, bias): (String, &Param<Tensor<2>>)| Block {
            path,
            start: bias.val().inner(),
            largest: None,
        };
        Self {
            blocks: biased.map(block).collect(),
        }
    }
}

impl ProbeHooks for BiasGradient {
    fn after_backward(&mut self, context: &StepContext<'_>) {
        let biased =
            hidden_blocks(context.model).filter_map(|block| Some((block.weight, block.bias?)));
        for (kept, (weight, bias)) in self.blocks.iter_mut().zip(biased) {
            let gradients = context.gradients;
            let (Some(dw), Some(db)) = (weight.val().grad(gradients), bias.val().grad(gradients))
            else {
                continue;
            };
            let seen = [largest(db), largest(dw.flatten(1, 2))];
            match &mut kept.largest {
                None => kept.largest = Some(seen),
                Some(kept) => {
                    for (kept, seen) in kept.iter_mut().flatten().zip(seen.into_iter().flatten()) {
                        *kept = larger(*kept, seen);
                    }
                }
            }
        }
    }

    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let biases = hidden_blocks(context.net.model()).filter_map(|block| block.bias);
        for (kept, bias) in self.blocks.iter().zip(biases) {
            let Some([of_bias, of_weight]) = kept.largest.clone() else {
                continue;
            };
            let drift = largest(bias.val().inner() - kept.start.clone());
            let columns = [
                ("bias_gradient", of_bias),
                ("weight_gradient", of_weight),
                ("bias_drift", drift),
            ];
            for (name, column) in columns {
                put_values(results, &format!("{name}.{}", kept.path), |r| column[r]);
            }
        }
    }
}

/// Largest absolute value per row of `[replicas, ..]`; NaN if the row contains NaN.
///
/// The values are read on the host: on CPUs that is a fraction of the cost of two tensor operations
/// per parameter and step.
fn largest(x: Tensor<2>) -> Vec<f64> {
    let [_, columns] = x.dims();
    let values = host(x);
    let rows = values.chunks_exact(columns);
    rows.map(|row| f64::from(ablate_kernels::max_abs(row)))
        .collect()
}

/// The larger of two numbers; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}
