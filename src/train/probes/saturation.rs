//! How many units do not pass gradients on.
//!
//! A unit is inactive on an example where the slope of its activation is under 5 % of the largest
//! slope the activation has anywhere; it is dead where that holds on every example.

use super::findings::{Findings, put_all};
use super::{Run, Watcher};
use crate::train::net::{for_chunks, host};
use ablate_models::Pass;
use ablate_models::pass::{Observer, Point};
use burn::module::Module;
use burn::tensor::Tensor;
use std::cell::RefCell;
use std::collections::BTreeMap;

const SHARE_OF_LARGEST: f64 = 0.05;

#[derive(Default)]
struct Counts {
    /// Whether a unit was active on some example, `[replicas * channels]`.
    lived: Vec<bool>,
    /// Inactive pairs of unit and example, `[replicas]`.
    inactive: Vec<usize>,
    /// Pairs a replica.
    pairs: usize,
    channels: usize,
}

struct Watch<F> {
    counts: RefCell<BTreeMap<String, Counts>>,
    is_inactive: F,
}

impl<F: Fn(f32) -> bool> Observer for Watch<F> {
    fn see(&self, path: &str, point: Point, value: &Tensor<3>) {
        if point != Point::Preactivation {
            return;
        }
        let [replicas, rows, channels] = value.dims();
        let mut counts = self.counts.borrow_mut();
        let counts = counts.entry(path.to_owned()).or_default();
        counts.lived.resize(replicas * channels, false);
        counts.inactive.resize(replicas, 0);
        counts.channels = channels;
        counts.pairs += rows * channels;
        for (i, z) in host(value.clone()).into_iter().enumerate() {
            let r = i / (rows * channels);
            if (self.is_inactive)(z) {
                counts.inactive[r] += 1;
            } else {
                counts.lived[r * channels + i % channels] = true;
            }
        }
    }
}

pub(super) struct Saturation;

impl Watcher for Saturation {
    fn finish(&mut self, run: &Run<'_>, found: &mut [Findings]) {
        let activation = run.job.model.block().activation;
        let bound = SHARE_OF_LARGEST * activation.largest_slope();
        let watch = Watch {
            counts: RefCell::default(),
            is_inactive: |z| activation.slope(f64::from(z)).abs() < bound,
        };
        let part = run.batches.held_out();
        let model = run.net.model().valid();
        for_chunks(run.batches, part, usize::MAX, |_, pixels| {
            model.forward(pixels, &Pass::evaluate().watched_by(&watch));
        });
        for (path, counts) in watch.counts.into_inner() {
            let c = counts.channels;
            put_all(found, &format!("inactive.{path}"), |r| {
                counts.inactive[r] as f64 / counts.pairs as f64
            });
            put_all(found, &format!("dead.{path}"), |r| {
                let lived = &counts.lived[r * c..(r + 1) * c];
                lived.iter().filter(|&&lived| !lived).count() as f64 / c as f64
            });
        }
    }
}
