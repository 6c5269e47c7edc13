//! Trains two nets in double precision that differ only in the biases of the hidden blocks.
//!
//! If the norm directly follows the weights, batch statistics cancel every bias, so the nets stay
//! equal up to rounding. Otherwise they differ from the first step.

use super::results::{ProbeResults, put_values};
use super::{ProbeContext, ProbeHooks};
use crate::data;
use crate::train::batch::SplitPart;
use crate::train::net::{Net, host_f64};
use crate::train::schedule::RateAdjustment;
use crate::train::{TrainError, build, load};
use crate::trainer::NetJob;
use ablate_models::Start;
use ablate_models::block::Bias;
use ablate_models::zoo::ModelConfig;
use burn::tensor::{DType, Tensor};

/// Training steps, and steps after which logits are compared.
const STEPS: usize = 50;
const RECORDED_STEPS: [usize; 3] = [1, 10, STEPS];

pub(super) struct BiasTwin;

impl ProbeHooks for BiasTwin {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        // The job's own net was built from the same parts, so this is not expected.
        if let Err(error) = measure(context.job, results) {
            log::warn!("the probe `bias_twin` failed: {error}");
        }
    }
}

fn measure(job: &NetJob<'_>, results: &mut [ProbeResults]) -> Result<(), TrainError> {
    let device = crate::device::open(job.device)?.autodiff();
    let batches = load(job, &data::load(job.data)?, &device, DType::F64)?;
    let seeds: Vec<u64> = job.cells.iter().map(|cell| cell.seed).collect();
    let train_net = |bias| {
        let start = Start::new(seeds.clone(), &device).double();
        build(job, &with_bias(job.model, bias), &batches, start)
    };
    let (mut with, mut without) = (train_net(Bias::On)?, train_net(Bias::Off)?);
    let n = job.train.batch_size;
    let mut largest = vec![0.0f64; job.cells.len()];
    let mut orders = batches.orders(0);
    let steps_per_epoch = batches.len(SplitPart::Train) / n;
    for step in 0..STEPS {
        let at = step % steps_per_epoch;
        if at == 0 {
            orders = batches.orders(step / steps_per_epoch);
        }
        let advance = |net: &mut Net| -> Tensor<3> {
            let (pixels, labels) = batches.train(&orders, at * n, n);
            net.step(pixels, labels, RateAdjustment::UNCHANGED, |_, _| ())
                .logits
        };
        let difference = host_f64(advance(&mut with) - advance(&mut without));
        let each = difference.len() / largest.len();
        for (i, d) in difference.into_iter().enumerate() {
            largest[i / each] = largest[i / each].max(d.abs());
        }
        if RECORDED_STEPS.contains(&(step + 1)) {
            put_values(results, &format!("bias_twin.step_{}", step + 1), |r| {
                largest[r]
            });
        }
    }
    Ok(())
}

/// The same model with or without biases in every hidden block.
pub(super) fn with_bias(model: &ModelConfig, bias: Bias) -> ModelConfig {
    let mut model = model.clone();
    for block in model.blocks_mut() {
        block.bias = bias;
    }
    model
}
