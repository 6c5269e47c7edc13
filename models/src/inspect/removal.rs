//! Unit removal: loss and accuracy of a trained net without some of its units.
//!
//! The loss shows how units depend on each other. With `L(-i)` for the loss without unit `i`, the
//! *interaction* of two units is `L(-i, -j) - L(-i) - L(-j) + L`. It is negative if one unit corrects
//! the other, so that removing both costs less than the sum of removing each; it is positive if one
//! unit can replace the other.

use super::host_mlp::{HostLayer, HostMlp, add};

/// Replacement for the output of a removed unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zero, as dropout does.
    Zero,
    /// The unit's mean over the examples.
    Mean,
}

/// A unit, given by the layer that it feeds and its index among the inputs of that layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// Index of the layer that it feeds.
    pub feeds: usize,
    /// Index among the units that feed this layer.
    pub index: usize,
}

/// Loss and accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean negative log-likelihood in nats.
    pub nll: f64,
    /// Correctly classified examples in percent.
    pub accuracy: f64,
}

/// A net and examples, with all intermediate values, from which units can be removed.
#[derive(Clone, Debug)]
pub struct UnitRemoval<'a> {
    pub(super) net: &'a HostMlp,
    pub(super) labels: &'a [usize],
    /// Number of units that feed each layer. For images, the units of the first layer are channels.
    pub(super) units: Vec<usize>,
    /// Inputs of each layer, `[examples, inputs]`.
    pub(super) inputs: Vec<Vec<f64>>,
    /// Preactivations of each layer, `[examples, outputs]`.
    pub(super) preactivations: Vec<Vec<f64>>,
    /// Mean of each input over the examples.
    means: Vec<Vec<f64>>,
}

impl<'a> UnitRemoval<'a> {
    /// Evaluates `net` on `features`, `[examples, inputs]` with `channels` per position, channels
    /// fastest.
    ///
    /// # Panics
    /// If the number of examples differs from the number of labels.
    pub fn new(net: &'a HostMlp, features: Vec<f64>, channels: usize, labels: &'a [usize]) -> Self {
        let layers = net.layers();
        assert_eq!(features.len(), labels.len() * layers[0].inputs());
        let (mut inputs, mut preactivations) = (vec![features], Vec::new());
        for (k, layer) in layers.iter().enumerate() {
            let z = layer.preactivations(&inputs[k]);
            if k + 1 < layers.len() {
                let mut h = z.clone();
                layer.activate(&mut h);
                inputs.push(h);
            }
            preactivations.push(z);
        }
        let later = layers[1..].iter().map(HostLayer::inputs);
        Self {
            units: [channels].into_iter().chain(later).collect(),
            means: inputs.iter().map(|h| means(h, labels.len())).collect(),
            net,
            labels,
            inputs,
            preactivations,
        }
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.labels.len()
    }

    /// All units that feed layer `feeds`.
    pub fn units(&self, feeds: usize) -> impl Iterator<Item = Unit> + use<> {
        (0..self.units[feeds]).map(move |index| Unit { feeds, index })
    }

    /// The score of the intact net.
    pub fn intact(&self) -> Score {
        self.score(self.preactivations.last().expect("a net has a head"))
    }

    /// The score of the net without the units in `removed`.
    ///
    /// # Panics
    /// If `removed` is empty.
    pub fn without(&self, removed: &[Unit], fill: Fill) -> Score {
        let first = removed.iter().map(|unit| unit.feeds).min();
        let first = first.expect("at least one unit is removed");
        let layers = &self.net.layers()[first..];
        let mut z = self.preactivations[first].clone();
        self.remove_contributions(&mut z, removed, first, fill);
        for (k, (layer, next)) in layers.iter().zip(&layers[1..]).enumerate() {
            layer.activate(&mut z);
            self.replace(&mut z, removed, first + k + 1, fill);
            z = next.preactivations(&z);
        }
        self.score(&z)
    }

    /// Removes the contributions of the removed units from the preactivations `z` of layer `feeds`.
    fn remove_contributions(&self, z: &mut [f64], removed: &[Unit], feeds: usize, fill: Fill) {
        let layer = &self.net.layers()[feeds];
        let inputs = self.inputs[feeds].chunks_exact(layer.inputs());
        for (z, h) in z.chunks_exact_mut(layer.outputs()).zip(inputs) {
            for i in self.columns(removed, feeds) {
                add(z, self.replacement(feeds, i, fill) - h[i], layer.row(i));
            }
        }
    }

    /// Replaces the outputs `h` of the removed units that feed layer `feeds`.
    fn replace(&self, h: &mut [f64], removed: &[Unit], feeds: usize, fill: Fill) {
        for row in h.chunks_exact_mut(self.means[feeds].len()) {
            for i in self.columns(removed, feeds) {
                row[i] = self.replacement(feeds, i, fill);
            }
        }
    }

    pub(super) fn replacement(&self, feeds: usize, i: usize, fill: Fill) -> f64 {
        match fill {
            Fill::Zero => 0.0,
            Fill::Mean => self.means[feeds][i],
        }
    }

    /// The inputs of layer `feeds` that belong to removed units.
    fn columns<'u>(&self, removed: &'u [Unit], feeds: usize) -> impl Iterator<Item = usize> + 'u {
        let (units, inputs) = (self.units[feeds], self.means[feeds].len());
        let feeding = removed.iter().filter(move |unit| unit.feeds == feeds);
        feeding.flat_map(move |unit| (unit.index..inputs).step_by(units))
    }

    fn score(&self, logits: &[f64]) -> Score {
        let n = self.labels.len();
        let (mut nll, mut correct) = (0.0, 0);
        for (row, &label) in logits.chunks_exact(logits.len() / n).zip(self.labels) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|z| (z - largest).exp()).sum();
            nll += sum.ln() + largest - row[label];
            // With equal logits the first class is the prediction.
            correct += usize::from(row.iter().position(|z| *z == largest) == Some(label));
        }
        Score {
            nll: nll / n as f64,
            accuracy: 100.0 * correct as f64 / n as f64,
        }
    }

    /// The interaction of each of `pairs`, in nats.
    pub fn interactions(&self, pairs: &[[Unit; 2]], fill: Fill) -> Vec<f64> {
        let whole = self.intact().nll;
        let mut alone = std::collections::BTreeMap::new();
        for unit in pairs.iter().flatten() {
            let loss = || self.without(&[*unit], fill).nll;
            alone.entry(*unit).or_insert_with(loss);
        }
        let interaction = |pair: &[Unit; 2]| {
            let both = self.without(pair, fill).nll;
            both - alone[&pair[0]] - alone[&pair[1]] + whole
        };
        pairs.iter().map(interaction).collect()
    }

    /// Accuracy after removing the first 0, `1 / points`, `2 / points`, ... and all of the units in
    /// `order`.
    pub fn accuracy_curve(&self, order: &[Unit], points: usize, fill: Fill) -> Vec<f64> {
        let removed = |k: usize| &order[..order.len() * k / points];
        let accuracy = |k: usize| match removed(k) {
            [] => self.intact().accuracy,
            units => self.without(units, fill).accuracy,
        };
        (0..=points).map(accuracy).collect()
    }

    /// Degree of cancellation in the sums of layer `feeds`: `E sum_i |w_i h_i| / E |sum_i w_i h_i|` over
    /// examples and outputs, without biases. It is 1 if nothing cancels.
    pub fn cancellation(&self, feeds: usize) -> f64 {
        let layer = &self.net.layers()[feeds];
        let sizes: Vec<f64> = layer.weight.iter().map(|w| w.abs()).collect();
        let absolute = HostLayer::new(sizes, vec![0.0; layer.outputs()], layer.activation);
        let inputs = &self.inputs[feeds];
        let positive: Vec<f64> = inputs.iter().map(|h| h.abs()).collect();
        let terms: f64 = absolute.preactivations(&positive).iter().sum();
        let plain = HostLayer::new(
            layer.weight.clone(),
            absolute.bias.clone(),
            layer.activation,
        );
        let sums: f64 = plain.preactivations(inputs).iter().map(|z| z.abs()).sum();
        terms / sums
    }

    /// Mean absolute correlation over the examples of two inputs of layer `feeds`, over all pairs of
    /// inputs that are not constant. `None` if there is no such pair.
    pub fn correlation(&self, feeds: usize) -> Option<f64> {
        let (n, means) = (self.labels.len(), &self.means[feeds]);
        let columns: Vec<Vec<f64>> = (0..means.len())
            .filter_map(|i| {
                let column = (0..n).map(|row| self.inputs[feeds][row * means.len() + i] - means[i]);
                let column: Vec<f64> = column.collect();
                let size = column.iter().map(|x| x * x).sum::<f64>().sqrt();
                (size > 1e-9).then(|| column.iter().map(|x| x / size).collect())
            })
            .collect();
        let pairs = columns.len() * columns.len().saturating_sub(1) / 2;
        let mut total = 0.0;
        for (i, a) in columns.iter().enumerate() {
            for b in &columns[..i] {
                total += a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>().abs();
            }
        }
        (pairs > 0).then(|| total / pairs as f64)
    }
}

/// Share of the negative values in the sum of absolute values, in percent; `None` if all are 0.
pub fn negative_share(interactions: &[f64]) -> Option<f64> {
    let size: f64 = interactions.iter().map(|i| i.abs()).sum();
    let negative: f64 = interactions.iter().map(|i| (-i).max(0.0)).sum();
    (size > 0.0).then(|| 100.0 * negative / size)
}

/// Area under a curve of equally spaced points over the unit interval, by the trapezoidal rule.
pub fn area(curve: &[f64]) -> f64 {
    let slices = curve.windows(2).map(|pair| 0.5 * (pair[0] + pair[1]));
    slices.sum::<f64>() / (curve.len() - 1) as f64
}

fn means(values: &[f64], rows: usize) -> Vec<f64> {
    let mut sums = vec![0.0; values.len() / rows];
    for row in values.chunks_exact(sums.len()) {
        add(&mut sums, 1.0 / rows as f64, row);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_kernels::Activation::{Linear, Relu};

    const FIRST: Unit = Unit { feeds: 1, index: 0 };
    const SECOND: Unit = Unit { feeds: 1, index: 1 };

    /// A net of two units that are 1 on every example and add `v` to the logit of class 0. The logit of
    /// class 1 is 0, and every example belongs to class 0.
    fn two_units(v: [f64; 2]) -> HostMlp {
        let hidden = HostLayer::new(vec![1.0, 1.0], vec![0.0; 2], Relu);
        let head = HostLayer::new(vec![v[0], 0.0, v[1], 0.0], vec![0.0; 2], Linear);
        HostMlp::new(vec![hidden, head])
    }

    fn loss(margin: f64) -> f64 {
        (-margin).exp().ln_1p()
    }

    #[test]
    fn a_correcting_unit_has_a_negative_interaction() {
        let net = two_units([-3.0, 3.0]);
        let removal = UnitRemoval::new(&net, vec![1.0; 4], 1, &[0; 4]);
        assert!((removal.intact().nll - 2f64.ln()).abs() < 1e-15);
        // The margin is 3 without the harmful unit, -3 without the correcting unit and 0 without both.
        let without = |units: &[Unit]| removal.without(units, Fill::Zero).nll;
        assert!((without(&[FIRST]) - loss(3.0)).abs() < 1e-15);
        assert!((without(&[SECOND]) - loss(-3.0)).abs() < 1e-15);
        let found = removal.interactions(&[[FIRST, SECOND]], Fill::Zero);
        let expected = 2.0 * 2f64.ln() - loss(3.0) - loss(-3.0);
        assert!((found[0] - expected).abs() < 1e-14 && expected < -1.7);
        assert_eq!(negative_share(&found), Some(100.0));
        // Constant units equal their means, so replacing them by the mean changes nothing.
        assert_eq!(removal.interactions(&[[FIRST, SECOND]], Fill::Mean), [0.0]);
    }

    #[test]
    fn copies_of_a_unit_have_a_positive_interaction() {
        let net = two_units([3.0, 3.0]);
        let removal = UnitRemoval::new(&net, vec![1.0; 4], 1, &[0; 4]);
        let found = removal.interactions(&[[FIRST, SECOND]], Fill::Zero);
        let expected = 2f64.ln() - 2.0 * loss(3.0) + loss(6.0);
        assert!((found[0] - expected).abs() < 1e-14 && expected > 0.5);
        assert_eq!(negative_share(&found), Some(0.0));
        assert_eq!(negative_share(&[3.0, -1.0]), Some(25.0));
        assert_eq!(negative_share(&[0.0]), None);
    }

    #[test]
    fn a_correction_in_the_next_layer_is_negative_too() {
        // The first unit subtracts 3; an independent unit of the next layer adds 3.
        let first = HostLayer::new(vec![1.0], vec![0.0], Relu);
        let second = HostLayer::new(vec![1.0, 0.0], vec![0.0, 1.0], Relu);
        let head = HostLayer::new(vec![-3.0, 0.0, 3.0, 0.0], vec![0.0; 2], Linear);
        let net = HostMlp::new(vec![first, second, head]);
        let removal = UnitRemoval::new(&net, vec![1.0; 2], 1, &[0; 2]);
        let correction = Unit { feeds: 2, index: 1 };
        let found = removal.interactions(&[[FIRST, correction]], Fill::Zero);
        let expected = 2.0 * 2f64.ln() - loss(3.0) - loss(-3.0);
        assert!((found[0] - expected).abs() < 1e-14);
    }

    #[test]
    fn accuracy_falls_when_the_deciding_unit_is_removed() {
        // Only the first unit votes, for class 1, the class of all examples. Without it the logits are
        // equal and class 0 is the prediction.
        let hidden = HostLayer::new(vec![1.0, 1.0], vec![0.0; 2], Relu);
        let head = HostLayer::new(vec![0.0, 2.0, 0.0, 0.0], vec![0.0; 2], Linear);
        let net = HostMlp::new(vec![hidden, head]);
        let removal = UnitRemoval::new(&net, vec![1.0; 4], 1, &[1; 4]);
        assert_eq!(
            removal.accuracy_curve(&[FIRST, SECOND], 2, Fill::Zero),
            [100.0, 0.0, 0.0]
        );
        assert_eq!(
            removal.accuracy_curve(&[SECOND, FIRST], 2, Fill::Zero),
            [100.0, 100.0, 0.0]
        );
        assert_eq!(
            removal.accuracy_curve(&[SECOND, FIRST], 2, Fill::Mean),
            [100.0; 3]
        );
        assert_eq!(area(&[100.0, 0.0, 0.0]), 25.0);
        assert_eq!(area(&[100.0, 100.0, 0.0]), 75.0);
    }

    #[test]
    fn cancellation_of_3_and_minus_2_is_5() {
        let net = two_units([3.0, -2.0]);
        let removal = UnitRemoval::new(&net, vec![1.0; 4], 1, &[0; 4]);
        assert!((removal.cancellation(1) - 5.0).abs() < 1e-12);
        let net = two_units([3.0, 2.0]);
        let removal = UnitRemoval::new(&net, vec![1.0; 4], 1, &[0; 4]);
        assert!((removal.cancellation(1) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn correlation_is_1_for_copies_and_0_if_orthogonal() {
        let net = |weight: Vec<f64>| {
            let hidden = HostLayer::new(weight, vec![0.0; 2], Linear);
            HostMlp::new(vec![
                hidden,
                HostLayer::new(vec![0.0; 4], vec![0.0; 2], Linear),
            ])
        };
        let features = vec![1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0];
        let copies = net(vec![1.0, -2.0, 0.0, 0.0]);
        let removal = UnitRemoval::new(&copies, features.clone(), 2, &[0; 4]);
        assert!((removal.correlation(1).unwrap() - 1.0).abs() < 1e-12);
        let apart = net(vec![1.0, 0.0, 0.0, 1.0]);
        let removal = UnitRemoval::new(&apart, features.clone(), 2, &[0; 4]);
        assert!(removal.correlation(1).unwrap().abs() < 1e-12);
        // A constant unit has no correlation.
        let constant = net(vec![1.0, 0.0, 0.0, 0.0]);
        let removal = UnitRemoval::new(&constant, features, 2, &[0; 4]);
        assert_eq!(removal.correlation(1), None);
    }

    #[test]
    fn a_channel_is_removed_at_all_its_positions() {
        // Two positions with two channels; the second channel votes for class 1 at both positions.
        let head = HostLayer::new(
            vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            vec![0.0; 2],
            Linear,
        );
        let net = HostMlp::new(vec![head]);
        let removal = UnitRemoval::new(&net, vec![1.0; 4], 2, &[1]);
        let channel = Unit { feeds: 0, index: 1 };
        assert_eq!(removal.units(0).count(), 2);
        assert!((removal.intact().nll - loss(2.0)).abs() < 1e-15);
        assert!((removal.without(&[channel], Fill::Zero).nll - 2f64.ln()).abs() < 1e-15);
    }
}
