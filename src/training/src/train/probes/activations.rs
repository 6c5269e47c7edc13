//! Distribution of the preactivations over the units and examples of each block.

use super::quantiles::Quantiles;
use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::net::{for_each_chunk, host_f64};
use ablate_models::Pass;
use ablate_models::pass::{Observer, Point};
use burn::module::Module;
use burn::tensor::Tensor;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Number of held-out examples.
const EXAMPLES: usize = 256;

pub(super) struct Activations;

/// Preactivations of one chunk of examples, `[replicas, rows, channels]`.
struct Chunk {
    values: Vec<f64>,
    /// Values per replica.
    each: usize,
}

/// Observer that records all preactivations, by path.
#[derive(Default)]
struct Inputs(RefCell<BTreeMap<String, Vec<Chunk>>>);

impl Observer for Inputs {
    fn observe(&self, path: &str, point: Point, value: &Tensor<3>) {
        if point == Point::Preactivation {
            let each = value.dims()[1] * value.dims()[2];
            let mut seen = self.0.borrow_mut();
            let chunks = seen.entry(path.to_owned()).or_default();
            let values = host_f64(value.clone());
            chunks.push(Chunk { values, each });
        }
    }
}

impl ProbeHooks for Activations {
    fn epoch_done(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let inputs = Inputs::default();
        let model = context.net.model().valid();
        for_each_chunk(
            context.batches,
            context.batches.held_out(),
            EXAMPLES,
            |_, pixels| {
                model.forward(pixels, &Pass::evaluate().observed_by(&inputs));
            },
        );
        for (path, chunks) in inputs.0.into_inner() {
            for (r, result) in results.iter_mut().enumerate() {
                let own = chunks.iter();
                let own = own.flat_map(|c| &c.values[r * c.each..(r + 1) * c.each]);
                let values = Quantiles::of(own.copied().collect());
                values.push_traces("preactivation", &path, result);
            }
        }
    }
}
