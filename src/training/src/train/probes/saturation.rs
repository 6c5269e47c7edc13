//! Share of units that do not pass gradients on.
//!
//! A unit is inactive on an example if the slope of its activation is below 5 % of the largest
//! slope of that activation. It is dead if it is inactive on every example.

use super::results::{ProbeResults, put_values};
use super::{ProbeContext, ProbeHooks};
use crate::train::net::{for_each_chunk, host};
use ablate_models::Pass;
use ablate_models::pass::{Observer, Point};
use burn::module::Module;
use burn::tensor::Tensor;
use std::cell::RefCell;
use std::collections::BTreeMap;

const INACTIVE_SLOPE: f64 = 0.05;

#[derive(Default)]
struct Counts {
    /// True for units that were active on some example, `[replicas * channels]`.
    was_active: Vec<bool>,
    /// Number of inactive pairs of unit and example, `[replicas]`.
    inactive: Vec<usize>,
    /// Number of pairs per replica.
    pairs: usize,
    channels: usize,
}

struct InactivityCounter<F> {
    counts: RefCell<BTreeMap<String, Counts>>,
    is_inactive: F,
}

impl<F: Fn(f32) -> bool> Observer for InactivityCounter<F> {
    fn observe(&self, path: &str, point: Point, value: &Tensor<3>) {
        if point != Point::Preactivation {
            return;
        }
        let [replicas, rows, channels] = value.dims();
        let mut counts = self.counts.borrow_mut();
        let counts = counts.entry(path.to_owned()).or_default();
        counts.was_active.resize(replicas * channels, false);
        counts.inactive.resize(replicas, 0);
        counts.channels = channels;
        counts.pairs += rows * channels;
        for (i, z) in host(value.clone()).into_iter().enumerate() {
            let r = i / (rows * channels);
            if (self.is_inactive)(z) {
                counts.inactive[r] += 1;
            } else {
                counts.was_active[r * channels + i % channels] = true;
            }
        }
    }
}

pub(super) struct Saturation;

impl ProbeHooks for Saturation {
    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let Some(block) = context.job.model.block() else {
            return;
        };
        let activation = block.activation;
        let bound = INACTIVE_SLOPE * activation.largest_slope();
        let counter = InactivityCounter {
            counts: RefCell::default(),
            is_inactive: |z| activation.slope(f64::from(z)).abs() < bound,
        };
        let part = context.batches.held_out();
        let model = context.net.model().valid();
        for_each_chunk(context.batches, part, usize::MAX, |_, pixels| {
            model.forward(pixels, &Pass::evaluate().observed_by(&counter));
        });
        for (path, counts) in counter.counts.into_inner() {
            let c = counts.channels;
            put_values(results, &format!("inactive.{path}"), |r| {
                counts.inactive[r] as f64 / counts.pairs as f64
            });
            put_values(results, &format!("dead.{path}"), |r| {
                let was_active = &counts.was_active[r * c..(r + 1) * c];
                was_active.iter().filter(|&&was_active| !was_active).count() as f64 / c as f64
            });
        }
    }
}
