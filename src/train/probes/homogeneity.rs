//! How far the activation is from positively homogeneous.

use super::findings::{Findings, put_all};
use super::{Run, Watcher};

pub(super) struct Homogeneity;

impl Watcher for Homogeneity {
    fn finish(&mut self, run: &Run<'_>, found: &mut [Findings]) {
        let error = run.job.model.block().activation.homogeneity_error();
        put_all(found, "homogeneity_error", |_| error);
    }
}
