//! Which part of a net repairs a planted fault, and how many steps it takes. The parts are the
//! corrupted units, the layer that reads them, and the rest of the net.
//!
//! Each part gets its Shapley value (Shapley 1953, "A value for n-person games"): the mean decrease
//! of the loss when this part switches from its state right after the fault to its trained state,
//! over all orders in which the three parts can switch.
//!
//! The control is the same net without the fault: a copy from right before it that takes the same
//! steps with the same batches and masks. Damage that is left is the loss above that of the control.
//! What the parts of the control gain in the same time is not repair, so the controlled shares
//! subtract it part by part.

use super::results::put_values;
use super::{ProbeContext, ProbeHooks, ProbeResults, StepContext};
use crate::train::batch::SplitPart;
use crate::train::fault::units;
use crate::train::net::{Net, for_each_chunk, host_f64};
use ablate_models::inspect::UnitRemoval;
use ablate_models::inspect::{HostLayer, HostMlp};
use burn::module::Module;

/// Number of examples for losses.
const EXAMPLES: usize = 128;
/// Steps between two measurements of the loss.
const LOSS_INTERVAL: u64 = 4;
/// A net has recovered when at most this share of the damage remains.
const REMAINING_DAMAGE: f64 = 0.1;

/// Quantities of each part, in the order of the bits of a coalition.
const PARTS: [&str; 3] = ["repair_by_offender", "repair_by_next", "repair_by_rest"];
const CONTROLLED_PARTS: [&str; 3] = [
    "controlled_repair_by_offender",
    "controlled_repair_by_next",
    "controlled_repair_by_rest",
];

#[derive(Default)]
pub(super) struct PlantedFaultProbe {
    /// The nets without a fault, from the first fault on.
    control: Option<Net>,
    /// What is known of the fault in each net, from the first fault on.
    faults: Vec<Option<Fault>>,
}

/// A fault in one net, and its repair.
struct Fault {
    planted_at: u64,
    healthy_loss: f64,
    broken_loss: f64,
    /// The net right before and right after the fault.
    healthy: HostMlp,
    broken: HostMlp,
    /// Steps until the loss was near that before the fault, and near that of the control.
    recovered: Option<u64>,
    recovered_to_control: Option<u64>,
    /// The net and its control at the end of the time for repair.
    end: Option<[HostMlp; 2]>,
}

impl Fault {
    fn damage(&self) -> f64 {
        self.broken_loss - self.healthy_loss
    }
}

/// The nets of `net` on the host; empty for models that the host implementation does not support.
fn chains(net: &Net) -> Vec<HostMlp> {
    HostMlp::replicas_of(&net.model().valid()).unwrap_or_default()
}

/// Steps that every net has for the repair: those of a net that gets its fault at the latest time.
fn time_for_repair(context: &ProbeContext<'_>) -> Option<u64> {
    let train = context.job.train;
    let steps_per_epoch = context.batches.len(SplitPart::Train) / train.batch_size;
    let fault = train.fault.as_ref()?;
    let latest = fault.step(train, steps_per_epoch);
    Some((train.length.steps(steps_per_epoch) - latest) as u64)
}

/// Loss of the net of each replica on held-out examples.
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

/// The gain of every coalition when its parts of `start` get their state in `end`, for each net.
fn gains(
    context: &ProbeContext<'_>,
    pairs: &[(&HostMlp, &HostMlp)],
    layer: usize,
    units: &[Vec<usize>],
) -> Vec<[f64; 8]> {
    let mut gains = vec![[0.0; 8]; pairs.len()];
    let mut before = Vec::new();
    for coalition in 0..8 {
        let nets: Vec<HostMlp> = (pairs.iter().zip(units))
            .map(|((start, end), units)| mix(start, end, layer, units, coalition))
            .collect();
        let losses = losses(context, &nets);
        if coalition == 0 {
            before.clone_from(&losses);
        }
        for (gains, (before, now)) in gains.iter_mut().zip(before.iter().zip(losses)) {
            gains[coalition] = before - now;
        }
    }
    gains
}

impl PlantedFaultProbe {
    /// The faults at this step, with the number of steps since each.
    fn running(&mut self, step: u64) -> impl Iterator<Item = (usize, u64, &mut Fault)> {
        let faults = self.faults.iter_mut().enumerate();
        faults.filter_map(move |(r, fault)| {
            let fault = fault.as_mut()?;
            Some((r, step - fault.planted_at, fault))
        })
    }

    /// Looks for recovered nets.
    fn measure_recovery(&mut self, context: &ProbeContext<'_>, time: u64) {
        let Some(control) = &self.control else {
            return;
        };
        let (nets, controls) = (chains(context.net), chains(control));
        let (losses, control) = (losses(context, &nets), losses(context, &controls));
        for (r, taken, fault) in self.running(context.net.steps()) {
            if taken > time || !taken.is_multiple_of(LOSS_INTERVAL) {
                continue;
            }
            let remaining = REMAINING_DAMAGE * fault.damage();
            if losses[r] <= fault.healthy_loss + remaining {
                fault.recovered.get_or_insert(taken);
            }
            if losses[r] <= control[r] + remaining {
                fault.recovered_to_control.get_or_insert(taken);
            }
        }
    }

    /// Keeps the nets whose time for repair ends.
    fn keep_ends(&mut self, context: &ProbeContext<'_>, time: u64) {
        let Some(control) = &self.control else {
            return;
        };
        let (nets, controls) = (chains(context.net), chains(control));
        let pairs = nets.into_iter().zip(controls);
        let mut pairs: Vec<Option<[HostMlp; 2]>> = pairs.map(|(a, b)| Some([a, b])).collect();
        for (r, taken, fault) in self.running(context.net.steps()) {
            if taken == time {
                fault.end = pairs[r].take();
            }
        }
    }
}

impl ProbeHooks for PlantedFaultProbe {
    fn before_fault(&mut self, context: &ProbeContext<'_>, due: &[bool]) {
        let nets = chains(context.net);
        let Some(fault) = context
            .job
            .train
            .fault
            .as_ref()
            .filter(|_| !nets.is_empty())
        else {
            return;
        };
        self.control.get_or_insert_with(|| {
            let mut control = context.net.fork();
            control.freeze(fault);
            control
        });
        self.faults.resize_with(nets.len(), || None);
        let losses = losses(context, &nets);
        for (r, (net, loss)) in nets.into_iter().zip(losses).enumerate() {
            if due[r] {
                self.faults[r] = Some(Fault {
                    planted_at: context.net.steps(),
                    healthy_loss: loss,
                    broken_loss: loss,
                    healthy: net.clone(),
                    broken: net,
                    recovered: None,
                    recovered_to_control: None,
                    end: None,
                });
            }
        }
    }

    fn after_fault(&mut self, context: &ProbeContext<'_>, due: &[bool]) {
        let nets = chains(context.net);
        let losses = losses(context, &nets);
        for (r, (net, loss)) in nets.into_iter().zip(losses).enumerate() {
            if let Some(fault) = self.faults[r].as_mut().filter(|_| due[r]) {
                fault.broken_loss = loss;
                fault.broken = net;
            }
        }
    }

    fn after_backward(&mut self, moment: &StepContext<'_>) {
        if let Some(control) = &mut self.control {
            let (pixels, labels) = (moment.pixels.clone(), moment.labels.clone());
            control.step(pixels, labels, moment.adjustment, |_, _| ());
        }
    }

    fn after_step(&mut self, context: &ProbeContext<'_>) {
        let Some(time) = time_for_repair(context) else {
            return;
        };
        let (mut is_recovering, mut ends) = (false, false);
        for (_, taken, fault) in self.running(context.net.steps()) {
            let recovered = fault.recovered.is_some() && fault.recovered_to_control.is_some();
            is_recovering |= !recovered && taken <= time && taken.is_multiple_of(LOSS_INTERVAL);
            ends |= taken == time;
        }
        if is_recovering {
            self.measure_recovery(context, time);
        }
        if ends {
            self.keep_ends(context, time);
        }
    }

    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let (Some(settings), Some(time)) = (&context.job.train.fault, time_for_repair(context))
        else {
            return;
        };
        // All nets of a job have their faults and ends, or none has.
        let faults: Option<Vec<(&Fault, &[HostMlp; 2])>> = (self.faults.iter())
            .map(|fault| fault.as_ref().and_then(|f| Some((f, f.end.as_ref()?))))
            .collect();
        let Some(faults) = faults.filter(|faults| !faults.is_empty()) else {
            return;
        };
        put_values(results, "fault_step", |r| faults[r].0.planted_at as f64);
        put_values(results, "fault_nll", |r| faults[r].0.healthy_loss);
        put_values(results, "fault_damage", |r| faults[r].0.damage());
        let steps = |recovered: Option<u64>| recovered.unwrap_or(time) as f64;
        put_values(results, "recovery_steps", |r| steps(faults[r].0.recovered));
        put_values(results, "controlled_recovery_steps", |r| {
            steps(faults[r].0.recovered_to_control)
        });
        let cells = context.job.cells.iter().zip(&faults);
        let units: Vec<Vec<usize>> = cells
            .map(|(cell, (fault, _))| {
                let width = fault.broken.layers()[settings.layer].outputs();
                units(settings, cell.seed, width)
            })
            .collect();
        let repaired: Vec<_> = faults.iter().map(|(f, end)| (&f.broken, &end[0])).collect();
        let learned: Vec<_> = faults
            .iter()
            .map(|(f, end)| (&f.healthy, &end[1]))
            .collect();
        let repaired = gains(context, &repaired, settings.layer, &units);
        let learned = gains(context, &learned, settings.layer, &units);
        put_values(results, "lasting_damage", |r| {
            faults[r].0.damage() - (repaired[r][7] - learned[r][7])
        });
        for (result, (repaired, learned)) in results.iter_mut().zip(repaired.iter().zip(&learned)) {
            let excess = std::array::from_fn(|coalition| repaired[coalition] - learned[coalition]);
            for (names, gains) in [(PARTS, repaired), (CONTROLLED_PARTS, &excess)] {
                let shares = shapley_shares(gains).into_iter().flatten();
                for (name, share) in names.iter().zip(shares) {
                    result.put_value(name, share);
                }
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
