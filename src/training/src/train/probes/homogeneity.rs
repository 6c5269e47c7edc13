//! Deviation of the activation from positive homogeneity, `f(a x) = a f(x)` for `a > 0`.

use super::results::{ProbeResults, put_values};
use super::{ProbeContext, ProbeHooks};

pub(super) struct Homogeneity;

impl ProbeHooks for Homogeneity {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        if let Some(block) = context.job.model.block() {
            let error = block.activation.homogeneity_error();
            put_values(results, "homogeneity_error", |_| error);
        }
    }
}
