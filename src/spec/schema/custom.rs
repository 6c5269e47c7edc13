//! Settings that need the blocks of the zoo, which models of other kinds do not have.

use crate::recipe::{NetRecipe, Statistics, Trained};
use crate::spec::design::idle_probes::needs_blocks;
use crate::spec::parse::checks::flaw;
use ablate_models::ConfigError;

/// Checks that a model without blocks of the zoo is trained and measured without them.
///
/// # Errors
/// If a setting needs them. It names the kind of the model.
pub(in crate::spec) fn net(net: &NetRecipe) -> Result<(), ConfigError> {
    if net.model.has_blocks() {
        return Ok(());
    }
    let kind = net.model.kind();
    let needs = |key: &str, setting: &str, parts: &str| {
        let message = format!(
            "{setting} needs {parts}, which models of kind `{kind}` do not have; remove it"
        );
        flaw(key, message)
    };
    if let Some(probe) = net.probes.iter().find(|&&probe| needs_blocks(probe)) {
        let message = format!(
            "has `{}`, which needs the blocks of `mlp` or `cnn`; for models of kind `{kind}` there are \
             `train_test_gap` and `roughness`",
            probe.name()
        );
        return flaw("probes", message);
    }
    let train = &net.train;
    let random = Trained::RandomWeights;
    if train.fault.is_some() {
        return needs(
            "train.fault",
            "is a fault, which",
            "the dense blocks of `mlp` or `cnn`",
        );
    }
    if train.max_norm.is_some() {
        return needs(
            "train.max_norm",
            "is a bound, which",
            "the hidden units of `mlp` or `cnn`",
        );
    }
    if train.evaluate_by != Statistics::Running {
        return needs(
            "train.evaluate_by",
            "recomputes statistics, which",
            "the batch norms of `mlp` or `cnn`",
        );
    }
    match train
        .only
        .as_ref()
        .is_some_and(|only| only.contains(&random))
    {
        true => needs(
            "train.only",
            "has `random_weights`, which",
            "the layers of `mlp` or `cnn`",
        ),
        false => Ok(()),
    }
}
