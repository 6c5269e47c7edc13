//! Batch norm removes the scale of the weights: `BN(a W u) = BN(W u)` up to epsilon, and therefore
//! `<w, dL/dw> = 0` at epsilon 0 (van Laarhoven 2017, "L2 regularization versus batch and weight
//! normalization").

use super::{DeviceResults, IdentitySetup, largest};
use crate::train::net::{Net, host_f64};
use crate::train::parameters::{hidden_blocks, map_parameters};
use ablate_models::Pass;
use ablate_models::norm::Norm;
use ablate_models::zoo::Model;
use burn::module::Module;
use burn::tensor::Tensor;

/// Factor on the weights.
const FACTOR: f64 = 3.0;

/// Multiplies the weights of all hidden blocks and compares the outputs, once with the epsilon of
/// the arm and once with epsilon scaled accordingly. Then measures the cosine between the weights
/// of each unit and their gradient.
pub(super) fn measure(setup: &IdentitySetup<'_>, net: &Net, out: &mut DeviceResults<'_>) {
    let model = net.model().valid();
    let larger = map_parameters(model.clone(), |_, path, value| {
        let is_hidden = !path.starts_with("head.");
        let is_weight = path.ends_with(".weight") || path.ends_with(".bias");
        let norm = path.contains(".norm.");
        if is_hidden && is_weight && !norm {
            value * FACTOR
        } else {
            value
        }
    });
    let Some(epsilons) = with_epsilons(larger.clone(), FACTOR * FACTOR) else {
        return;
    };
    let pass = Pass::evaluate_on_batch();
    out.put(
        "size_outputs",
        &setup.logit_difference(&model, &larger, &pass),
    );
    out.put(
        "size_with_epsilon",
        &setup.logit_difference(&model, &epsilons, &pass),
    );
    out.put("size_slope", &gradient_cosines(setup, net.model()));
}

/// Multiplies the epsilon of every batch norm by `factor`; `None` without a batch norm.
fn with_epsilons(mut model: Model, factor: f64) -> Option<Model> {
    let mut any = false;
    let mut multiply = |norm: &mut Option<Norm>| {
        if let Some(Norm::Batch(norm)) = norm {
            norm.config.epsilon *= factor;
            any = true;
        }
    };
    let parts = model.parts_mut()?;
    let convs = parts.stages.iter_mut().flat_map(|stage| &mut stage.blocks);
    convs.for_each(|block| multiply(&mut block.epilogue.norm));
    let dense = parts.dense.iter_mut();
    dense.for_each(|block| multiply(&mut block.epilogue.norm));
    any.then_some(model)
}

/// Largest `|<w, dL/dw>| / (|w| |dL/dw|)` of a unit of a hidden block on the first batch.
fn gradient_cosines(setup: &IdentitySetup<'_>, model: &Model) -> Vec<f64> {
    let copy = model.clone();
    let (pixels, labels) = setup.batch(0, setup.job.train.batch_size);
    let logits = copy.forward(pixels, &Pass::evaluate_on_batch());
    let gradients = ablate_kernels::cross_entropy(logits, labels)
        .sum()
        .backward();
    let mut largest_cosine = vec![0.0; setup.replicas()];
    for block in hidden_blocks(&copy) {
        let weight = block.weight.val();
        let Some(gradient) = weight.grad(&gradients) else {
            continue;
        };
        let weight = weight.inner();
        let over_inputs = |x: Tensor<3>| host_f64(x.sum_dim(1));
        let product = over_inputs(weight.clone() * gradient.clone());
        let weights_squared = over_inputs(weight.square());
        let gradients_squared = over_inputs(gradient.square());
        let units = product.len() / largest_cosine.len();
        for (i, product) in product.into_iter().enumerate() {
            // The cosine of a unit without a gradient is 0.
            let cosine = match gradients_squared[i] {
                0.0 => 0.0,
                squared => product.abs() / (weights_squared[i] * squared).sqrt(),
            };
            let largest_cosine: &mut f64 = &mut largest_cosine[i / units];
            *largest_cosine = largest([*largest_cosine, cosine].into_iter());
        }
    }
    largest_cosine
}
