//! A unit that is dropped for a whole batch has no gradient from this batch. Momentum and weight
//! decay may still move it.

use super::{DeviceResults, IdentitySetup, largest};
use crate::train::TrainError;
use crate::train::net::host_f64;
use crate::train::schedule::RateAdjustment;
use ablate_models::Pass;
use ablate_models::block::DenseBlock;
use ablate_models::dropout::Placement;
use ablate_models::zoo::Model;
use burn::tensor::Tensor;

/// Steps with one example each, and number of batches in which masks are counted.
const STEPS: usize = 40;

/// Trains on batches of one example, where about as many units as the dropout rate says are dropped
/// for the whole batch. It measures how far the incoming weights of dropped units move, relative to
/// the unit that moves most. Then it counts, without training, the units that the arm's own batches
/// drop for a whole batch. Only dense blocks with dropout at their end are measured.
pub(super) fn measure(
    setup: &IdentitySetup<'_>,
    out: &mut DeviceResults<'_>,
) -> Result<(), TrainError> {
    let mut net = setup.net(setup.job.model)?;
    if blocks_with_dropout(net.model()).next().is_none() {
        return Ok(());
    }
    let mut moved = vec![0.0; setup.replicas()];
    for step in 0..STEPS {
        let kept = kept(net.model(), setup, step, 1);
        let before = incoming(net.model());
        let (pixels, labels) = setup.batch(step, 1);
        net.step(pixels, labels, RateAdjustment::UNCHANGED, |_, _| ());
        let distances = distances(&before, &incoming(net.model()), setup.replicas());
        for ((moved, distances), kept) in moved.iter_mut().zip(distances).zip(kept) {
            let largest_distance = largest(distances.iter().copied());
            let dropped = distances.iter().zip(kept).filter(|(_, kept)| *kept == 0.0);
            if largest_distance > 0.0 {
                let dropped_distance =
                    largest(dropped.map(|(distance, _)| distance / largest_distance));
                *moved = largest([*moved, dropped_distance].into_iter());
            }
        }
    }
    out.put("dropped_update", &moved);
    out.put("dropped_share", &dropped_share(net.model(), setup));
    Ok(())
}

/// The dense blocks that drop units at their end.
fn blocks_with_dropout(model: &Model) -> impl Iterator<Item = &DenseBlock> {
    let drops = |b: &&DenseBlock| {
        let dropout = b.epilogue.dropout.as_ref();
        dropout.is_some_and(|d| d.kind.is_bernoulli()) && b.epilogue.placement == Placement::End
    };
    model.dense_blocks().iter().filter(drops)
}

/// Number of `n` examples that keep each unit at `step`, per replica.
fn kept(model: &Model, setup: &IdentitySetup<'_>, step: usize, n: usize) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new(); setup.replicas()];
    for block in blocks_with_dropout(model) {
        let Some(dropout) = &block.epilogue.dropout else {
            continue;
        };
        let units = block.linear.weight.dims()[2];
        let ones = Tensor::<3>::ones([setup.replicas(), n, units], &setup.device.clone().inner());
        let mask = dropout.forward(ones, 1, &Pass::train_at(step as u64));
        let kept = host_f64(mask.greater_elem(0.0).float().sum_dim(1));
        for (all, kept) in all.iter_mut().zip(kept.chunks(units)) {
            all.extend(kept);
        }
    }
    all
}

/// Share of pairs of unit and batch in which no example keeps the unit.
fn dropped_share(model: &Model, setup: &IdentitySetup<'_>) -> Vec<f64> {
    let mut shares = vec![0.0; setup.replicas()];
    for step in 0..STEPS {
        let all = kept(model, setup, step, setup.job.train.batch_size);
        for (share, kept) in shares.iter_mut().zip(all) {
            let none = kept.iter().filter(|&&kept| kept == 0.0).count();
            *share += none as f64 / (kept.len() * STEPS) as f64;
        }
    }
    shares
}

/// Incoming weights of the blocks with dropout at their end.
fn incoming(model: &Model) -> Vec<Tensor<3>> {
    let weights = blocks_with_dropout(model).map(|block| block.linear.weight.val().inner());
    weights.collect()
}

/// Distance that the incoming weights of each unit moved, per replica.
fn distances(before: &[Tensor<3>], after: &[Tensor<3>], replicas: usize) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new(); replicas];
    for (before, after) in before.iter().zip(after) {
        let distance = host_f64((after.clone() - before.clone()).square().sum_dim(1).sqrt());
        for (all, distance) in all
            .iter_mut()
            .zip(distance.chunks(distance.len() / replicas))
        {
            all.extend(distance);
        }
    }
    all
}
