//! How large the gradient of a bias ever gets, and how far the bias moves.

use super::{Values, put_all};
use crate::train::net::{Net, host_f64};
use ablate_models::zoo::Model;
use burn::module::Param;
use burn::tensor::{Gradients, Tensor};

/// Keeps the largest gradients seen, `[replicas]` each, a pair a block.
#[derive(Default)]
pub(super) struct BiasGradient {
    largest: Vec<Largest>,
}

struct Largest {
    path: String,
    bias: Tensor<1>,
    weight: Tensor<1>,
    start: Tensor<2>,
}

impl BiasGradient {
    pub(super) fn after_backward(&mut self, model: &Model, gradients: &Gradients) {
        let first = self.largest.is_empty();
        let mut index = 0;
        for (path, weight, bias) in layers(model) {
            let Some(bias) = bias else { continue };
            let (Some(dw), Some(db)) = (weight.val().grad(gradients), bias.val().grad(gradients))
            else {
                continue;
            };
            let (weight, gradient) = (largest(dw.flatten(1, 2)), largest(db));
            if first {
                self.largest.push(Largest {
                    path,
                    bias: gradient,
                    weight,
                    start: bias.val().inner(),
                });
            } else {
                let kept = &mut self.largest[index];
                kept.bias = kept.bias.clone().max_pair(gradient);
                kept.weight = kept.weight.clone().max_pair(weight);
            }
            index += 1;
        }
    }

    pub(super) fn finish(&self, net: &Net, out: &mut [Values]) {
        let biases = layers(net.model()).filter_map(|(_, _, bias)| bias);
        for (kept, bias) in self.largest.iter().zip(biases) {
            let drift = largest(bias.val().inner() - kept.start.clone());
            let columns = [
                ("bias_gradient", kept.bias.clone()),
                ("weight_gradient", kept.weight.clone()),
                ("bias_drift", drift),
            ];
            for (name, column) in columns {
                let values = host_f64(column);
                put_all(out, &format!("{name}.{}", kept.path), |r| values[r]);
            }
        }
    }
}

/// The largest size in each row.
fn largest(x: Tensor<2>) -> Tensor<1> {
    let [replicas, _] = x.dims();
    x.abs().max_dim(1).reshape([replicas])
}

/// Path, weights and bias of every block.
fn layers(
    model: &Model,
) -> impl Iterator<Item = (String, &Param<Tensor<3>>, Option<&Param<Tensor<2>>>)> {
    let conv = model.conv_blocks().map(|block| {
        let path = block.tail.path().to_owned();
        (path, &block.conv.weight, block.conv.bias.as_ref())
    });
    let dense = model.dense_blocks().iter().map(|block| {
        let path = block.tail.path().to_owned();
        (path, &block.linear.weight, block.linear.bias.as_ref())
    });
    conv.chain(dense)
}
