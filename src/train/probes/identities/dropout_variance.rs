//! Inverted dropout in front of a norm: `Var_train = Var(x) + (1 - p) / p E[x^2]`.

use super::super::variance_shift::shifts;
use super::{DeviceResults, IdentitySetup, evaluation_copy};
use crate::train::net::Net;

/// How often every training example is passed with fresh masks.
const ROUNDS: usize = 16;

/// At the first norm behind dropout: how far the variance seen in training is from the formula, and
/// from the variance without dropout, relative to either, in the mean over the units.
pub(super) fn measure(setup: &IdentitySetup<'_>, net: &Net, out: &mut DeviceResults<'_>) {
    let batch = setup.job.train.batch_size;
    let shifts = shifts(
        &evaluation_copy(net),
        &setup.batches,
        batch,
        net.steps(),
        ROUNDS,
    );
    let first = shifts
        .into_iter()
        .find_map(|s| Some((s.seen, s.by_formula?)));
    let Some((seen, formula)) = first else {
        return;
    };
    let pairs = seen.iter().zip(&formula);
    let off: Vec<f64> = pairs
        .map(|(seen, formula)| (seen / formula - 1.0).abs())
        .collect();
    let shifted: Vec<f64> = seen.iter().map(|seen| (seen - 1.0).abs()).collect();
    out.put("dropout_variance", &off);
    out.put("dropout_shift", &shifted);
}
