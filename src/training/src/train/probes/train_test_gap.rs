//! Generalization gap between training and test scores, both in evaluation mode.

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::batch::SplitPart;
use crate::train::net::scores;
use crate::train::statistics::evaluation_model;

pub(super) struct TrainTestGap;

impl ProbeHooks for TrainTestGap {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let model = evaluation_model(context.job, context.net.model(), context.batches);
        let train = scores(&model, context.batches, SplitPart::Train);
        let test = scores(&model, context.batches, SplitPart::Test);
        for ((result, train), test) in results.iter_mut().zip(train).zip(test) {
            let (Some(train), Some(test)) = (train, test) else {
                continue;
            };
            result.put_value("train_accuracy", train.accuracy);
            result.put_value("train_nll", train.nll);
            result.put_value("accuracy_gap", train.accuracy - test.accuracy);
            result.put_value("nll_gap", test.nll - train.nll);
        }
    }
}
