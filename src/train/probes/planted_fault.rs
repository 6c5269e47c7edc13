//! Which part of a net repairs a planted fault, and how many steps it takes. The parts are the
//! corrupted units, the layer that reads them, and the rest of the net.
//!
//! Each part gets its Shapley value (Shapley 1953, "A value for n-person games"): the mean decrease
//! of the loss when this part switches from its state right after the fault to its trained state,
//! over all orders in which the three parts can switch.

use super::results::put_values;
use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::batch::SplitPart;
use crate::train::fault::units;
use crate::train::net::{for_each_chunk, host_f64};
use ablate_models::inspect::UnitRemoval;
use ablate_models::inspect::{HostLayer, HostMlp};
use burn::module::Module;

/// Number of examples for losses.
const EXAMPLES: usize = 128;
/// Steps between two measurements of the loss.
const LOSS_INTERVAL: u64 = 4;
/// A net has recovered when at most this share of the damage remains.
const REMAINING_DAMAGE: f64 = 0.1;

/// Quantity of each part, in the order of the bits of a coalition.
const PARTS: [&str; 3] = ["repair_by_offender", "repair_by_next", "repair_by_rest"];

#[derive(Default)]
pub(super) struct PlantedFaultProbe {
    healthy: Vec<f64>,
    broken: Vec<f64>,
    /// The nets right after the fault.
    faulty: Vec<HostMlp>,
    /// Steps that each net took to recover.
    recovered: Vec<Option<u64>>,
    planted_at: u64,
}

/// The current nets on the host; empty for models that the host implementation does not support.
fn chains(context: &ProbeContext<'_>) -> Vec<HostMlp> {
    HostMlp::replicas_of(&context.net.model().valid()).unwrap_or_default()
}

/// Loss of each net on held-out examples.
fn losses(context: &ProbeContext<'_>, chains: &[HostMlp]) -> Vec<f64> {
    let part: SplitPart = context.batches.held_out();
    let mut out = Vec::new();
    for_each_chunk(context.batches, part, EXAMPLES, |from, pixels| {
        let [replicas, n, features] = pixels.dims();
        let values = host_f64(pixels);
        let each = values.chunks_exact(values.len() / replicas);
        out = (each.zip(chains).enumerate())
            .map(|(r, (pixels, chain))| {
                let labels: Vec<usize> = (from..from + n)
                    .map(|i| context.batches.label(part, r, i))
                    .collect();
                UnitRemoval::new(chain, pixels.to_vec(), features, &labels)
                    .intact()
                    .nll
            })
            .collect();
    });
    out
}

/// Returns a net whose parts in `coalition` (as bits) come from `end` and whose other parts come
/// from `start`.
fn mix(start: &HostMlp, end: &HostMlp, layer: usize, units: &[usize], coalition: usize) -> HostMlp {
    let in_it = |part: usize| coalition & (1 << part) != 0;
    let pairs = start.layers().iter().zip(end.layers()).enumerate();
    let layers = pairs.map(|(k, (before, after))| {
        let own = if k == layer + 1 { 1 } else { 2 };
        let mut mix = if in_it(own) {
            after.clone()
        } else {
            before.clone()
        };
        if k == layer {
            let source = if in_it(0) { after } else { before };
            units
                .iter()
                .for_each(|&unit| copy_unit(source, &mut mix, unit));
        }
        mix
    });
    HostMlp::new(layers.collect())
}

/// Copies the incoming weights and the bias of `unit`.
fn copy_unit(from: &HostLayer, to: &mut HostLayer, unit: usize) {
    let outputs = from.outputs();
    for at in (unit..from.weight.len()).step_by(outputs) {
        to.weight[at] = from.weight[at];
    }
    to.bias[unit] = from.bias[unit];
}

/// Shapley values in percent of the total gain, given the gain of every coalition; `None` if there
/// is no gain.
fn shapley_shares(gains: &[f64; 8]) -> Option<[f64; 3]> {
    let share = |i: usize| {
        let [j, k] = [(i + 1) % 3, (i + 2) % 3].map(|other| 1 << other);
        let i = 1 << i;
        let joins = |others: usize| gains[others | i] - gains[others];
        let credit = (2.0 * joins(0) + joins(j) + joins(k) + 2.0 * joins(j | k)) / 6.0;
        100.0 * credit / gains[7]
    };
    (gains[7] > 0.0).then(|| [0, 1, 2].map(share))
}

impl ProbeHooks for PlantedFaultProbe {
    fn before_fault(&mut self, context: &ProbeContext<'_>) {
        self.healthy = losses(context, &chains(context));
    }

    fn after_fault(&mut self, context: &ProbeContext<'_>) {
        self.faulty = chains(context);
        self.broken = losses(context, &self.faulty);
        self.recovered = vec![None; self.broken.len()];
        self.planted_at = context.net.steps();
    }

    fn after_step(&mut self, context: &ProbeContext<'_>) {
        let taken = context.net.steps() - self.planted_at;
        let unrecovered = self.recovered.iter().any(Option::is_none);
        if !unrecovered || !taken.is_multiple_of(LOSS_INTERVAL) {
            return;
        }
        let now = losses(context, &chains(context));
        for (r, now) in now.into_iter().enumerate() {
            let bound = self.healthy[r] + REMAINING_DAMAGE * (self.broken[r] - self.healthy[r]);
            if now <= bound {
                self.recovered[r].get_or_insert(taken);
            }
        }
    }

    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let Some(fault) = context
            .job
            .train
            .fault
            .as_ref()
            .filter(|_| !self.faulty.is_empty())
        else {
            return;
        };
        let taken = context.net.steps() - self.planted_at;
        put_values(results, "fault_damage", |r| {
            self.broken[r] - self.healthy[r]
        });
        let steps = |r: usize| self.recovered[r].unwrap_or(taken) as f64;
        put_values(results, "recovery_steps", steps);
        let end = chains(context);
        let gains: Vec<Vec<f64>> = (0..8)
            .map(|coalition| {
                let nets = self.faulty.iter().zip(&end).zip(context.job.cells);
                let nets: Vec<HostMlp> = nets
                    .map(|((start, end), cell)| {
                        let width = start.layers()[fault.layer].outputs();
                        let units = units(fault, cell.seed, width);
                        mix(start, end, fault.layer, &units, coalition)
                    })
                    .collect();
                let losses = losses(context, &nets);
                losses
                    .iter()
                    .zip(&self.broken)
                    .map(|(now, before)| before - now)
                    .collect()
            })
            .collect();
        for (r, result) in results.iter_mut().enumerate() {
            let gains = std::array::from_fn(|coalition| gains[coalition][r]);
            for (name, share) in PARTS
                .iter()
                .zip(shapley_shares(&gains).into_iter().flatten())
            {
                result.put_value(name, share);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_models::Activation::{Linear, Relu};

    /// One example of class 0 and one unit; `v` is the unit's outgoing weight to class 0.
    fn net(w: [f64; 2], v: f64) -> HostMlp {
        let hidden = HostLayer::new(w.to_vec(), vec![0.0; 2], Relu);
        let head = HostLayer::new(vec![v, 0.0, 1.0, 0.0], vec![0.0; 2], Linear);
        HostMlp::new(vec![hidden, head])
    }

    fn credit(start: &HostMlp, end: &HostMlp) -> [f64; 3] {
        let loss = |coalition| {
            let chain = mix(start, end, 0, &[0], coalition);
            UnitRemoval::new(&chain, vec![1.0], 1, &[0]).intact().nll
        };
        shapley_shares(&std::array::from_fn(|coalition| loss(0) - loss(coalition))).unwrap()
    }

    fn assert_near(results: [f64; 3], expected: [f64; 3]) {
        let near = results
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(near, "{results:?} is not {expected:?}");
    }

    #[test]
    fn only_changed_part_gets_all_credit() {
        let faulty = net([0.0, 1.0], 3.0);
        assert_near(credit(&faulty, &net([1.0, 1.0], 3.0)), [100.0, 0.0, 0.0]);
        // The unit supports the wrong class, and the next layer sets its weight to zero.
        let faulty = net([1.0, 1.0], -3.0);
        assert_near(credit(&faulty, &net([1.0, 1.0], 0.0)), [0.0, 100.0, 0.0]);
        assert_near(credit(&faulty, &net([1.0, 5.0], -3.0)), [0.0, 0.0, 100.0]);
    }

    #[test]
    fn credits_are_shapley_values_and_sum_to_100() {
        // Two parts that gain 4 together and nothing alone share the credit; the third contributes
        // nothing.
        let gains = [0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 4.0];
        assert_near(shapley_shares(&gains).unwrap(), [50.0, 50.0, 0.0]);
        let uneven = [0.0, 1.0, 2.0, 5.0, -1.0, 3.0, 2.5, 8.0];
        assert!((shapley_shares(&uneven).unwrap().iter().sum::<f64>() - 100.0).abs() < 1e-9);
        assert_eq!(shapley_shares(&[0.0; 8]), None);
    }
}
