//! Folding of scales, and of centers after the activation, into the next layer.

use super::{DeviceResults, IdentitySetup, evaluation_copy};
use crate::train::net::Net;
use ablate_models::Pass;
use ablate_models::inspect::{fold_centers_after, fold_scales, fold_scales_after};

/// Compares the trained net with its folded copies in evaluation mode, where folding is possible.
pub(super) fn measure(setup: &IdentitySetup<'_>, net: &Net, out: &mut DeviceResults<'_>) {
    let scales = fold_scales_after(evaluation_copy(net));
    let both = scales.clone().and_then(fold_centers_after);
    let folds = [
        ("fold_scale_before", fold_scales(evaluation_copy(net))),
        ("fold_scale_behind", scales),
        ("fold_both_behind", both),
    ];
    for (name, folded) in folds {
        if let Ok(folded) = folded {
            out.put(
                name,
                &setup.logit_difference(&evaluation_copy(net), &folded, &Pass::evaluate()),
            );
        }
    }
}
