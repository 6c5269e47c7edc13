//! The gap between training and test scores, both in evaluation mode.

use super::Values;
use crate::train::batch::{Batches, Part};
use crate::train::net::Net;

pub(super) fn measure(net: &Net, batches: &Batches, out: &mut [Values]) {
    let train = net.scores(batches, Part::Train);
    let test = net.scores(batches, Part::Test);
    for ((values, train), test) in out.iter_mut().zip(train).zip(test) {
        let (Some(train), Some(test)) = (train, test) else {
            continue;
        };
        values.insert("train_accuracy".into(), train.accuracy);
        values.insert("train_nll".into(), train.nll);
        values.insert("accuracy_gap".into(), train.accuracy - test.accuracy);
        values.insert("nll_gap".into(), test.nll - train.nll);
    }
}
