//! A unit that is dropped for a whole batch gets no update from this batch's gradient; whatever else
//! the optimizer remembers or subtracts still moves it.

use super::{DeviceResults, IdentitySetup, largest};
use crate::train::TrainError;
use crate::train::net::host_f64;
use crate::train::schedule::RateAdjustment;
use ablate_models::Pass;
use ablate_models::block::DenseBlock;
use ablate_models::dropout::Placement;
use ablate_models::zoo::Model;
use burn::tensor::Tensor;

/// Steps of one example each, and batches whose masks are counted.
const STEPS: usize = 40;

/// Trains on batches of one example, in which about as many units are dropped for the whole batch as
/// the rate says, and looks at how far the incoming weights of those move, relative to those of the
/// unit that moves most. Then counts, without training, the units that the masks of the arm's own
/// batches drop for a whole batch. Of dense blocks that drop at their end.
pub(super) fn measure(
    setup: &IdentitySetup<'_>,
    out: &mut DeviceResults<'_>,
) -> Result<(), TrainError> {
    let mut net = setup.net(&setup.job.model)?;
    if dropping(net.model()).next().is_none() {
        return Ok(());
    }
    let mut moved = vec![0.0; setup.replicas()];
    for step in 0..STEPS {
        let kept = kept(net.model(), setup, step, 1);
        let before = incoming(net.model());
        let (pixels, labels) = setup.batch(step, 1);
        net.step(pixels, labels, RateAdjustment::UNCHANGED, |_, _| ());
        let ways = ways(&before, &incoming(net.model()), setup.replicas());
        for ((moved, ways), kept) in moved.iter_mut().zip(ways).zip(kept) {
            let most = largest(ways.iter().copied());
            let dropped = ways.iter().zip(kept).filter(|(_, kept)| *kept == 0.0);
            if most > 0.0 {
                let still = largest(dropped.map(|(way, _)| way / most));
                *moved = largest([*moved, still].into_iter());
            }
        }
    }
    out.put("dropped_update", &moved);
    out.put("dropped_share", &dropped_share(net.model(), setup));
    Ok(())
}

/// The dense blocks that drop at their end.
fn dropping(model: &Model) -> impl Iterator<Item = &DenseBlock> {
    let drops =
        |b: &&DenseBlock| b.epilogue.dropout.is_some() && b.epilogue.placement == Placement::End;
    model.dense_blocks().iter().filter(drops)
}

/// Of each unit of each replica, how many of `n` examples keep it at `step`.
fn kept(model: &Model, setup: &IdentitySetup<'_>, step: usize, n: usize) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new(); setup.replicas()];
    for block in dropping(model) {
        let Some(dropout) = &block.epilogue.dropout else {
            continue;
        };
        let units = block.linear.weight.dims()[2];
        let ones = Tensor::<3>::ones([setup.replicas(), n, units], &setup.device.clone().inner());
        let mask = dropout.forward(ones, 1, &Pass::train(step as u64));
        let kept = host_f64(mask.greater_elem(0.0).float().sum_dim(1));
        for (all, kept) in all.iter_mut().zip(kept.chunks(units)) {
            all.extend(kept);
        }
    }
    all
}

/// The share of pairs of unit and batch in which no example keeps the unit.
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

/// The incoming weights of the blocks that drop.
fn incoming(model: &Model) -> Vec<Tensor<3>> {
    let weights = dropping(model).map(|block| block.linear.weight.val().inner());
    weights.collect()
}

/// How far the incoming weights of each unit of each replica moved.
fn ways(before: &[Tensor<3>], after: &[Tensor<3>], replicas: usize) -> Vec<Vec<f64>> {
    let mut all = vec![Vec::new(); replicas];
    for (before, after) in before.iter().zip(after) {
        let way = host_f64((after.clone() - before.clone()).square().sum_dim(1).sqrt());
        for (all, way) in all.iter_mut().zip(way.chunks(way.len() / replicas)) {
            all.extend(way);
        }
    }
    all
}
