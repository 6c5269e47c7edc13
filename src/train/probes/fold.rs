//! Whether the learned scales of a trained net fold into the next layer without a trace.

use super::findings::{Findings, put_all};
use super::{Run, Watcher};
use crate::train::batch::Part;
use crate::train::net::{for_chunks, host_f64};
use ablate_models::Pass;
use ablate_models::fold::fold_scales;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};

/// Test examples looked at.
const EXAMPLES: usize = 256;

/// Casts every tensor of a module to double precision.
struct ToDouble;

impl ModuleMapper for ToDouble {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.cast(DType::F64))
    }
}

/// The largest difference of a logit between the net and its fold, relative to the largest logit,
/// in double precision.
pub(super) struct Fold;

impl Watcher for Fold {
    fn finish(&mut self, run: &Run<'_>, found: &mut [Findings]) {
        let model = run.net.model().valid().map(&mut ToDouble);
        let Ok(folded) = fold_scales(model.clone()) else {
            return;
        };
        let replicas = found.len();
        let (mut difference, mut size) = (vec![0.0f64; replicas], vec![0.0f64; replicas]);
        for_chunks(run.batches, Part::Test, EXAMPLES, |_, pixels| {
            let pixels = pixels.cast(DType::F64);
            let ours = host_f64(model.forward(pixels.clone(), &Pass::evaluate()));
            let theirs = host_f64(folded.forward(pixels, &Pass::evaluate()));
            let each = ours.len() / replicas;
            for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                difference[i / each] = difference[i / each].max((a - b).abs());
                size[i / each] = size[i / each].max(a.abs());
            }
        });
        put_all(found, "fold_error", |r| difference[r] / size[r]);
    }
}
