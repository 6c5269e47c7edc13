//! The gap between training and test scores, both in evaluation mode.

use super::{Findings, Run, Watcher};
use crate::train::batch::Part;
use crate::train::net::scores;
use crate::train::statistics::evaluated;

pub(super) struct Gap;

impl Watcher for Gap {
    fn finish(&mut self, run: &Run<'_>, found: &mut [Findings]) {
        let model = evaluated(run.job, run.net.model(), run.batches);
        let train = scores(&model, run.batches, Part::Train);
        let test = scores(&model, run.batches, Part::Test);
        for ((findings, train), test) in found.iter_mut().zip(train).zip(test) {
            let (Some(train), Some(test)) = (train, test) else {
                continue;
            };
            findings.put("train_accuracy", train.accuracy);
            findings.put("train_nll", train.nll);
            findings.put("accuracy_gap", train.accuracy - test.accuracy);
            findings.put("nll_gap", test.nll - train.nll);
        }
    }
}
