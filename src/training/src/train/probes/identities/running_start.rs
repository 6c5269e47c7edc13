//! The initial value of a running average has weight `(1 - momentum)^t` after `t` batches (Kingma
//! and Ba 2015, section 3).

use super::{DeviceResults, IdentitySetup, evaluation_copy, largest};
use crate::train::TrainError;
use crate::train::net::Net;
use crate::train::parameters::{map_parameters, values};
use crate::train::statistics::{batch_norms, running_statistics};
use ablate_models::Pass;
use ablate_models::norm::NormConfig;
use ablate_models::zoo::{Model, ModelConfig};

/// Number of batches.
const BATCHES: i32 = 100;

/// Smallest difference of initial value and batch statistic for which the weights of the two can be
/// determined.
const MIN_DISTANCE: f64 = 0.01;

/// Applies the same batch repeatedly to fresh running averages of the trained net. The averages
/// then lie between their initial values and the statistics of that batch, which determines the
/// weight of each.
pub(super) fn measure(
    setup: &IdentitySetup<'_>,
    net: &Net,
    out: &mut DeviceResults<'_>,
) -> Result<(), TrainError> {
    let model = fresh(setup, net, setup.job.model)?;
    let Some(with_momentum_one) = with_momentum_one(setup.job.model) else {
        return Ok(());
    };
    let with_momentum_one = fresh(setup, net, &with_momentum_one)?;
    let (pixels, _) = setup.batch(0, setup.job.train.batch_size);
    let pixels = pixels.inner();
    // Always the same step, so that the dropout masks are the same.
    let pass = Pass::train_at(0);
    with_momentum_one.forward(pixels.clone(), &pass);
    let (starts, ends) = (
        all_running_statistics(&model),
        all_running_statistics(&with_momentum_one),
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

/// Channels per replica of each list.
fn channels(setup: &IdentitySetup<'_>, lists: &[Vec<f64>]) -> Vec<usize> {
    lists
        .iter()
        .map(|list| list.len() / setup.replicas())
        .collect()
}

/// Builds a model of `config` without gradients, with initial running averages and the weights of
/// `net`.
fn fresh(setup: &IdentitySetup<'_>, net: &Net, config: &ModelConfig) -> Result<Model, TrainError> {
    let values = values(net.model());
    let fresh = setup.net(config)?;
    Ok(map_parameters(evaluation_copy(&fresh), |i, _, _| {
        values[i].1.clone()
    }))
}

/// The same model with momentum 1, whose averages hold only the last batch; `None` without a batch
/// norm.
fn with_momentum_one(model: &ModelConfig) -> Option<ModelConfig> {
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

/// Mean and variance of each batch norm in turn, `[replicas * channels]` each.
fn all_running_statistics(model: &Model) -> Vec<Vec<f64>> {
    let norms = batch_norms(model);
    norms
        .into_iter()
        .flat_map(|(_, norm)| running_statistics(norm))
        .collect()
}

/// Weight of `start` in `now`, a weighted mean of `start` and `end`; `None` if the two are too
/// close.
pub(super) fn weight(start: f64, end: f64, now: f64) -> Option<f64> {
    ((start - end).abs() >= MIN_DISTANCE).then(|| (now - end) / (start - end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weight_is_the_relative_position_between_start_and_end() {
        assert_eq!(weight(1.0, 3.0, 1.5), Some(0.75));
        assert_eq!(weight(1.0, 3.0, 3.0), Some(0.0));
        assert_eq!(weight(1.0, 1.001, 1.0), None);
    }
}
