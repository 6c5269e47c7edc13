//! Error of folding the learned scales of a trained net into the next layer.

use super::results::{ProbeResults, put_values};
use super::{ProbeContext, ProbeHooks};
use crate::train::batch::SplitPart;
use crate::train::net::{for_each_chunk, host_f64};
use ablate_models::Pass;
use ablate_models::inspect::fold_scales;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};

/// Number of test examples.
const EXAMPLES: usize = 256;

/// Casts every tensor of a module to double precision.
struct ToDouble;

impl ModuleMapper for ToDouble {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}

/// Measures the largest difference of a logit between the net and its folded copy, relative to the
/// largest logit, in double precision.
pub(super) struct ScaleFold;

impl ProbeHooks for ScaleFold {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let model = context.net.model().valid().map(&mut ToDouble);
        let Ok(folded) = fold_scales(model.clone()) else {
            return;
        };
        let replicas = results.len();
        let (mut difference, mut largest) = (vec![0.0f64; replicas], vec![0.0f64; replicas]);
        for_each_chunk(context.batches, SplitPart::Test, EXAMPLES, |_, pixels| {
            let pixels = pixels.cast(DType::F64);
            let original = host_f64(model.forward(pixels.clone(), &Pass::evaluate()));
            let folded_logits = host_f64(folded.forward(pixels, &Pass::evaluate()));
            let each = original.len() / replicas;
            for (i, (a, b)) in original.iter().zip(&folded_logits).enumerate() {
                difference[i / each] = difference[i / each].max((a - b).abs());
                largest[i / each] = largest[i / each].max(a.abs());
            }
        });
        put_values(results, "fold_error", |r| difference[r] / largest[r]);
    }
}
