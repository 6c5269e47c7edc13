//! Variance after inverted dropout before a norm: `Var_train = Var(x) + (1 - p) / p E[x^2]`, with
//! `p` the probability of keeping (Li et al. 2019).

use super::super::variance_shift::shifts;
use super::{DeviceResults, IdentitySetup, evaluation_copy};
use crate::train::net::Net;

/// Number of passes over the training examples, each with new masks.
const ROUNDS: usize = 16;

/// Measures at the first norm after dropout, as a mean over units: the relative difference of the
/// observed training variance from the formula, and from the variance without dropout.
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
        .find_map(|s| Some((s.measured, s.computed?)));
    let Some((measured, formula)) = first else {
        return;
    };
    let pairs = measured.iter().zip(&formula);
    let error: Vec<f64> = pairs
        .map(|(measured, formula)| (measured / formula - 1.0).abs())
        .collect();
    let shifted: Vec<f64> = measured
        .iter()
        .map(|measured| (measured - 1.0).abs())
        .collect();
    out.put("dropout_variance", &error);
    out.put("dropout_shift", &shifted);
}
