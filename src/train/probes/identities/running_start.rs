//! The start value of a running average weighs `(1 - momentum)^t` after `t` batches.

use super::{DeviceResults, IdentitySetup, evaluation_copy, largest};
use crate::train::TrainError;
use crate::train::net::Net;
use crate::train::parameters::{map_parameters, values};
use crate::train::statistics::{batch_norms, running_statistics};
use ablate_models::Pass;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::{Model, ModelConfig};

/// Batches that the averages take in.
const BATCHES: i32 = 100;

/// Where start and statistic of the batch are nearer than this, neither's weight can be told.
const NEAREST: f64 = 0.01;

/// Feeds one and the same batch to fresh running averages of the trained net. Whatever they then hold
/// lies between their start and the statistics of that batch, and says what either weighs.
pub(super) fn measure(
    setup: &IdentitySetup<'_>,
    net: &Net,
    out: &mut DeviceResults<'_>,
) -> Result<(), TrainError> {
    let model = fresh(setup, net, &setup.job.model)?;
    let Some(at_once) = at_once(&setup.job.model) else {
        return Ok(());
    };
    let at_once = fresh(setup, net, &at_once)?;
    let (pixels, _) = setup.batch(0, setup.job.train.batch_size);
    let pixels = pixels.inner();
    // Always at one step, so that the masks of dropout are the same.
    let pass = Pass::train(0);
    at_once.forward(pixels.clone(), &pass);
    let (starts, ends) = (
        all_running_statistics(&model),
        all_running_statistics(&at_once),
    );
    let momentum = batch_norms(&model)
        .first()
        .map_or(0.0, |(_, n)| n.config.momentum);
    let (mut off, mut first) = (vec![0.0; setup.replicas()], vec![0.0; setup.replicas()]);
    for t in 1..=BATCHES {
        model.forward(pixels.clone(), &pass);
        let now = all_running_statistics(&model);
        for (((start, end), now), channels) in starts
            .iter()
            .zip(&ends)
            .zip(&now)
            .zip(channels(setup, &now))
        {
            for (i, &now) in now.iter().enumerate() {
                if let Some(weight) = weight(start[i], end[i], now) {
                    let r = i / channels;
                    let error = (weight - (1.0 - momentum).powi(t)).abs();
                    off[r] = largest([off[r], error].into_iter());
                    if t == 1 {
                        first[r] = largest([first[r], weight.abs()].into_iter());
                    }
                }
            }
        }
    }
    out.put("start_weight", &off);
    out.put("start_after_one", &first);
    Ok(())
}

/// The channels a replica of each list.
fn channels(setup: &IdentitySetup<'_>, lists: &[Vec<f64>]) -> Vec<usize> {
    lists
        .iter()
        .map(|list| list.len() / setup.replicas())
        .collect()
}

/// A net of `config` without gradients, its running averages at their start, with the weights of
/// `net`.
fn fresh(setup: &IdentitySetup<'_>, net: &Net, config: &ModelConfig) -> Result<Model, TrainError> {
    let values = values(net.model());
    let fresh = setup.net(config)?;
    Ok(map_parameters(evaluation_copy(&fresh), |i, _, _| {
        values[i].1.clone()
    }))
}

/// The same model, but that its averages hold the last batch alone; `None` without a batch norm.
fn at_once(model: &ModelConfig) -> Option<ModelConfig> {
    let mut model = model.clone();
    let mut any = false;
    for block in model.blocks_mut() {
        if let NormConfig::Batch(norm) = &mut block.norm {
            norm.momentum = 1.0;
            any = true;
        }
    }
    any.then_some(model)
}

/// Means, then variances, of the batch norms one after the other, `[replicas * channels]` each.
fn all_running_statistics(model: &Model) -> Vec<Vec<f64>> {
    let norms = batch_norms(model);
    norms
        .into_iter()
        .flat_map(|(_, norm)| running_statistics(norm))
        .collect()
}

/// What `start` weighs in `now`, the rest of which is `end`.
pub(super) fn weight(start: f64, end: f64, now: f64) -> Option<f64> {
    ((start - end).abs() >= NEAREST).then(|| (now - end) / (start - end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_read_off_where_the_average_stands_between_start_and_end() {
        assert_eq!(weight(1.0, 3.0, 1.5), Some(0.75));
        assert_eq!(weight(1.0, 3.0, 3.0), Some(0.0));
        assert_eq!(weight(1.0, 1.001, 1.0), None);
    }
}
