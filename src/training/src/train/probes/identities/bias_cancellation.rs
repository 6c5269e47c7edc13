//! Batch norm cancels a bias before it: `BN(W u + b) = BN(W u)`, and therefore `dL/db = 0` (Ioffe
//! and Szegedy 2015, section 3.2).

use super::{DeviceResults, IdentitySetup, STEPS, largest, relative};
use crate::train::TrainError;
use crate::train::net::{Net, host_f64};
use crate::train::parameters::hidden_blocks;
use crate::train::probes::bias_twin::with_bias;
use crate::train::schedule::RateAdjustment;
use ablate_models::block::Bias;
use ablate_models::zoo::Model;
use burn::tensor::{Gradients, Tensor};

/// Trains two nets that differ only in the biases of the hidden blocks and compares their logits at
/// every step. For the net with biases, it also compares the gradients of biases and weights.
pub(super) fn measure(
    setup: &IdentitySetup<'_>,
    out: &mut DeviceResults<'_>,
) -> Result<(), TrainError> {
    let block = setup.job.model.block();
    if !block.is_some_and(|block| block.norm.is_some()) {
        return Ok(());
    }
    let train_net = |bias| setup.net(&with_bias(setup.job.model, bias));
    let (mut with, mut without) = (train_net(Bias::On)?, train_net(Bias::Off)?);
    let (mut outputs, mut slope) = (
        vec![0.0f64; setup.replicas()],
        vec![0.0f64; setup.replicas()],
    );
    let n = setup.job.train.batch_size;
    for step in 0..STEPS {
        let advance = |net: &mut Net, inspect: &mut dyn FnMut(&Model, &Gradients)| {
            let (pixels, labels) = setup.batch(step, n);
            host_f64(
                net.step(pixels, labels, RateAdjustment::UNCHANGED, inspect)
                    .logits,
            )
        };
        let mut inspect = |model: &Model, gradients: &Gradients| {
            update_maximum(&mut slope, &bias_slopes(model, gradients, setup.replicas()));
        };
        let a = advance(&mut with, &mut inspect);
        let b = advance(&mut without, &mut |_, _| ());
        update_maximum(&mut outputs, &relative(&a, &b, setup.replicas()));
    }
    out.put("bias_outputs", &outputs);
    out.put("bias_slope", &slope);
    Ok(())
}

fn update_maximum(maximum: &mut [f64], new: &[f64]) {
    for (maximum, new) in maximum.iter_mut().zip(new) {
        *maximum = largest([*maximum, *new].into_iter());
    }
}

/// Largest gradient of a bias relative to the largest gradient of a weight in the same block, over
/// all blocks.
fn bias_slopes(model: &Model, gradients: &Gradients, replicas: usize) -> Vec<f64> {
    let mut maximum = vec![0.0; replicas];
    for block in hidden_blocks(model) {
        let bias = block.bias.and_then(|bias| bias.val().grad(gradients));
        let (Some(db), Some(dw)) = (bias, block.weight.val().grad(gradients)) else {
            continue;
        };
        let sizes = |x: Tensor<2>| host_f64(x.abs().max_dim(1));
        let ratio = sizes(db).into_iter().zip(sizes(dw.flatten(1, 2)));
        let ratio: Vec<f64> = ratio.map(|(db, dw)| db / dw).collect();
        update_maximum(&mut maximum, &ratio);
    }
    maximum
}
