//! Distribution of the learned scales and centers of each block over its units.

use super::quantiles::Quantiles;
use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::net::host_f64;
use crate::train::parameters::hidden_blocks;
use ablate_models::norm::Norm;
use burn::module::Param;
use burn::tensor::Tensor;

pub(super) struct LearnedParameters;

impl ProbeHooks for LearnedParameters {
    fn epoch_done(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let model = context.net.model();
        for block in hidden_blocks(model) {
            let Some(affine) = block.epilogue.norm.as_ref().map(Norm::affine) else {
                continue;
            };
            let path = block.epilogue.path();
            push_traces("scale", path, affine.scale.as_ref(), results);
            push_traces("center", path, affine.center.as_ref(), results);
        }
    }
}

fn push_traces(
    what: &str,
    path: &str,
    param: Option<&Param<Tensor<2>>>,
    results: &mut [ProbeResults],
) {
    let Some(param) = param else {
        return;
    };
    let values = host_f64(param.val());
    let channels = values.len() / results.len();
    for (result, units) in results.iter_mut().zip(values.chunks(channels)) {
        Quantiles::of(units.to_vec()).push_traces(what, path, result);
    }
}
