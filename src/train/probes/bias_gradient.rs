//! Largest gradient of each bias during training, and the distance that the bias moves.

use super::results::{ProbeResults, put_values};
use super::{ProbeContext, ProbeHooks, StepContext};
use crate::train::net::host_f64;
use crate::train::parameters::hidden_blocks;
use burn::module::Param;
use burn::tensor::Tensor;

/// Largest gradients so far, `[replicas]` each, for every block with a bias.
pub(super) struct BiasGradient {
    blocks: Vec<Block>,
}

struct Block {
    path: String,
    start: Tensor<2>,
    /// Largest gradients of bias and weights; `None` before the first step.
    largest: Option<[Tensor<1>; 2]>,
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
            kept.largest = Some(match kept.largest.take() {
                None => seen,
                Some([b, w]) => {
                    let [bias, weight] = seen;
                    [b.max_pair(bias), w.max_pair(weight)]
                }
            });
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
                let values = host_f64(column);
                put_values(results, &format!("{name}.{}", kept.path), |r| values[r]);
            }
        }
    }
}

/// Largest absolute value per row.
fn largest(x: Tensor<2>) -> Tensor<1> {
    let [replicas, _] = x.dims();
    x.abs().max_dim(1).reshape([replicas])
}
