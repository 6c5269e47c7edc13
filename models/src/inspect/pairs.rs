//! Interactions of all pairs of units, within a layer and across neighboring layers.
//!
//! Removing two units of a layer adds the sum of two vectors to the next layer's preactivations, so
//! only the layers after it are evaluated again, for many pairs at once. A unit whose output equals
//! its replacement on an example changes nothing there, and its pairs are skipped.

use super::host_mlp::{HostLayer, add};
use super::removal::{Fill, UnitRemoval};
use ablate_kernels::{NextLayer, VariantLosses, padded_columns};

/// Multiply-adds that the exponential of a logit counts for in [`UnitRemoval::pair_work`].
const EXPONENTIAL: usize = 16;

/// What the removal of each unit of a layer adds to the next layer's preactivations, on one example.
#[derive(Default)]
struct Changes {
    /// The units that change anything, ascending.
    units: Vec<usize>,
    /// `[units, preactivations]`.
    rows: Vec<f64>,
    /// The same transposed and padded by columns of zeros, at least one.
    columns: Vec<f64>,
    /// Number of columns.
    stride: usize,
}

impl Changes {
    /// Adds unit `unit`, whose removal changes the inputs of `layer` by `(input, change)`.
    fn push(&mut self, unit: usize, layer: &HostLayer, inputs: impl Iterator<Item = (usize, f64)>) {
        let from = self.rows.len();
        for (input, change) in inputs.filter(|(_, change)| *change != 0.0) {
            if self.rows.len() == from {
                self.rows.resize(from + layer.outputs(), 0.0);
                self.units.push(unit);
            }
            add(&mut self.rows[from..], change, layer.row(input));
        }
    }

    fn clear(&mut self) {
        self.units.clear();
        self.rows.clear();
    }

    fn transpose(&mut self, outputs: usize) {
        self.stride = padded_columns(self.units.len() + 1);
        self.columns.clear();
        self.columns.resize(outputs * self.stride, 0.0);
        for (column, row) in self.rows.chunks_exact(outputs).enumerate() {
            for (u, value) in row.iter().enumerate() {
                self.columns[u * self.stride + column] = *value;
            }
        }
    }

    fn row(&self, index: usize, outputs: usize) -> &[f64] {
        &self.rows[index * outputs..(index + 1) * outputs]
    }

    /// The loss for each column with the preactivations `base`, from column `from` on. The column
    /// after the last unit changes nothing.
    fn losses(
        &self,
        tail: &mut VariantLosses<'_>,
        base: &[f64],
        from: usize,
        label: usize,
        losses: &mut Vec<f64>,
    ) {
        losses.resize(self.stride, 0.0);
        tail.run(base, &self.columns, from, label, losses);
    }

    /// Spreads the losses per column over all `units`, and returns the loss without any change, which
    /// is also that of units without a column.
    fn by_unit(&self, losses: &[f64], units: usize, out: &mut Vec<f64>) -> f64 {
        let unchanged = losses[self.units.len()];
        out.clear();
        out.resize(units, unchanged);
        for (&unit, &loss) in self.units.iter().zip(losses) {
            out[unit] = loss;
        }
        unchanged
    }
}

impl UnitRemoval<'_> {
    /// Interactions in nats of all pairs of units that feed layer `feeds`: `(0, 1), (0, 2), ...,
    /// (1, 2), ...`, as means over the first `examples` examples.
    ///
    /// # Panics
    /// If there are fewer examples.
    pub fn all_within(&self, feeds: usize, examples: usize, fill: Fill) -> Vec<f64> {
        let (n, outputs) = (self.units[feeds], self.net.layers()[feeds].outputs());
        let mut tail = self.tail(feeds);
        let mut sums = vec![0.0; n * n];
        let mut changes = Changes::default();
        let (mut alone, mut both) = (Vec::new(), Vec::new());
        for (example, &label) in self.labels[..examples].iter().enumerate() {
            self.changes(feeds, example, fill, &mut changes);
            let z = self.preactivations_of(feeds, example);
            changes.losses(&mut tail, z, 0, label, &mut alone);
            let whole = alone[changes.units.len()];
            for (a, &i) in changes.units.iter().enumerate() {
                let base = sum(z, changes.row(a, outputs));
                changes.losses(&mut tail, &base, a + 1, label, &mut both);
                for (b, &j) in changes.units.iter().enumerate().skip(a + 1) {
                    sums[i * n + j] += both[b] - alone[a] - alone[b] + whole;
                }
            }
        }
        let mean = |(i, j): (usize, usize)| sums[i * n + j] / examples as f64;
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        pairs.map(mean).collect()
    }

    /// Interactions in nats of all pairs of a unit that feeds layer `feeds` and a unit that feeds the
    /// next layer: `(0, 0), (0, 1), ..., (1, 0), ...`, as means over the first `examples` examples.
    ///
    /// # Panics
    /// If there are fewer examples, or no next layer.
    pub fn all_across(&self, feeds: usize, examples: usize, fill: Fill) -> Vec<f64> {
        let (layer, next) = (&self.net.layers()[feeds], &self.net.layers()[feeds + 1]);
        let (n, m) = (self.units[feeds], self.units[feeds + 1]);
        let mut tail = self.tail(feeds + 1);
        let mut sums = vec![0.0; n * m];
        let [mut first, mut second, mut under] = [(); 3].map(|()| Changes::default());
        let (mut losses, mut alone, mut both) = (Vec::new(), Vec::new(), vec![0.0; m]);
        for (example, &label) in self.labels[..examples].iter().enumerate() {
            self.changes(feeds, example, fill, &mut first);
            self.changes(feeds + 1, example, fill, &mut second);
            let z = self.preactivations_of(feeds + 1, example);
            second.losses(&mut tail, z, 0, label, &mut losses);
            let whole = second.by_unit(&losses, m, &mut alone);
            for (a, &i) in first.units.iter().enumerate() {
                let row = first.row(a, layer.outputs());
                let mut h = sum(self.preactivations_of(feeds, example), row);
                layer.activate(&mut h);
                under.clear();
                for (j, h) in h.iter().enumerate() {
                    let change = self.replacement(feeds + 1, j, fill) - h;
                    under.push(j, next, [(j, change)].into_iter());
                }
                under.transpose(next.outputs());
                under.losses(&mut tail, &next.preactivations(&h), 0, label, &mut losses);
                let without_i = under.by_unit(&losses, m, &mut both);
                for ((sum, both), alone) in sums[i * m..].iter_mut().zip(&both).zip(&alone) {
                    *sum += both - without_i - alone + whole;
                }
            }
        }
        sums.iter_mut().for_each(|sum| *sum /= examples as f64);
        sums
    }

    /// Multiply-adds per example of [`Self::all_within`] (`across` false) or [`Self::all_across`], if
    /// no unit is skipped.
    pub fn pair_work(&self, feeds: usize, across: bool) -> usize {
        let layers = self.net.layers();
        let classes = layers[layers.len() - 1].outputs();
        let after = |feeds: usize| -> usize {
            let products = layers[feeds + 1..].iter();
            let products: usize = products.map(|l| l.inputs() * l.outputs()).sum();
            layers[feeds].outputs() + products + EXPONENTIAL * classes
        };
        let n = self.units[feeds];
        if across {
            let next = &layers[feeds + 1];
            n * (2 * next.inputs() * next.outputs() + next.inputs() * after(feeds + 1))
        } else {
            n * n.saturating_sub(1) / 2 * after(feeds)
        }
    }

    /// The layers after the preactivations of layer `feeds`.
    fn tail(&self, feeds: usize) -> VariantLosses<'_> {
        let pairs = self.net.layers()[feeds..].windows(2);
        let layers = pairs.map(|pair| NextLayer {
            activation: pair[0].activation,
            after: pair[0]
                .after
                .as_ref()
                .map(|[scale, shift]| [scale.as_slice(), shift.as_slice()]),
            weight: &pair[1].weight,
            bias: &pair[1].bias,
        });
        VariantLosses::new(layers.collect())
    }

    /// What the removal of each unit that feeds layer `feeds` changes on one example.
    fn changes(&self, feeds: usize, example: usize, fill: Fill, changes: &mut Changes) {
        let (layer, units) = (&self.net.layers()[feeds], self.units[feeds]);
        let h = &self.inputs[feeds][example * layer.inputs()..][..layer.inputs()];
        changes.clear();
        for unit in 0..units {
            let inputs = (unit..h.len()).step_by(units);
            let change = |i: usize| (i, self.replacement(feeds, i, fill) - h[i]);
            changes.push(unit, layer, inputs.map(change));
        }
        changes.transpose(layer.outputs());
    }

    fn preactivations_of(&self, feeds: usize, example: usize) -> &[f64] {
        let outputs = self.net.layers()[feeds].outputs();
        &self.preactivations[feeds][example * outputs..][..outputs]
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

#[cfg(test)]
mod tests {
    use super::super::host_mlp::HostMlp;
    use super::super::removal::Unit;
    use super::*;
    use ablate_kernels::Activation;

    /// Waves instead of random numbers, so that no two weights are alike.
    fn wave(n: usize, at: f64) -> Vec<f64> {
        (0..n).map(|i| (2.3 * i as f64 + at).sin()).collect()
    }

    fn net(widths: &[usize], activation: Activation, scaled: bool) -> HostMlp {
        let layer = |(k, pair): (usize, &[usize])| {
            let at = k as f64;
            let is_head = k + 2 == widths.len();
            HostLayer {
                after: (scaled && !is_head).then(|| [wave(pair[1], at), wave(pair[1], at + 0.5)]),
                ..HostLayer::new(
                    wave(pair[0] * pair[1], at),
                    wave(pair[1], at + 1.0),
                    if is_head {
                        Activation::Linear
                    } else {
                        activation
                    },
                )
            }
        };
        HostMlp::new(widths.windows(2).enumerate().map(layer).collect())
    }

    #[test]
    fn all_pairs_match_pairs_one_by_one() {
        // The widths of the layers, and the channels per position of the input.
        for (widths, channels) in [
            (vec![6, 5, 3], 6),
            (vec![6, 9, 4, 2], 3),
            (vec![4, 1, 3, 7, 3], 2),
        ] {
            for (activation, scaled) in [
                (Activation::Relu, false),
                (Activation::Relu, true),
                (Activation::Gelu, false),
            ] {
                let net = net(&widths, activation, scaled);
                let labels = [0, 1, 1, 0, 1];
                let features = wave(labels.len() * widths[0], 0.2);
                let removal = UnitRemoval::new(&net, features, channels, &labels);
                let units = |feeds| removal.units(feeds);
                let layers = net.layers().len();
                for fill in [Fill::Zero, Fill::Mean] {
                    for feeds in 0..layers {
                        let pairs: Vec<[Unit; 2]> = units(feeds)
                            .flat_map(|a| units(feeds).skip(a.index + 1).map(move |b| [a, b]))
                            .collect();
                        let found = removal.all_within(feeds, labels.len(), fill);
                        assert_near(&found, &removal.interactions(&pairs, fill));
                        if feeds + 1 < layers {
                            let pairs: Vec<[Unit; 2]> = units(feeds)
                                .flat_map(|a| units(feeds + 1).map(move |b| [a, b]))
                                .collect();
                            let found = removal.all_across(feeds, labels.len(), fill);
                            assert_near(&found, &removal.interactions(&pairs, fill));
                        }
                    }
                }
            }
        }
    }

    #[track_caller]
    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} is not {expected}"
            );
        }
    }

    #[test]
    fn only_the_first_examples_count() {
        let net = net(&[4, 3, 2], Activation::Relu, false);
        let (all, labels) = (wave(12, 0.2), [1, 0, 1]);
        let removal = UnitRemoval::new(&net, all.clone(), 4, &labels);
        let fewer = UnitRemoval::new(&net, all[..8].to_vec(), 4, &labels[..2]);
        let found = removal.all_within(1, 2, Fill::Zero);
        assert_eq!(found, fewer.all_within(1, 2, Fill::Zero));
    }

    #[test]
    fn work_counts_the_layers_after_the_pair() {
        let net = net(&[4, 6, 5, 2], Activation::Relu, false);
        let labels = [0];
        let removal = UnitRemoval::new(&net, wave(4, 0.0), 4, &labels);
        let after_second = 5 + 5 * 2 + EXPONENTIAL * 2;
        assert_eq!(removal.pair_work(1, false), 15 * after_second);
        let after_head = 2 + EXPONENTIAL * 2;
        assert_eq!(removal.pair_work(2, false), 10 * after_head);
        assert_eq!(removal.pair_work(1, true), 6 * (2 * 10 + 5 * after_head));
    }
}
