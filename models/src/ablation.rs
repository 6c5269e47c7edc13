//! A trained net without some of its units.
//!
//! Units that repair each other show in the loss `L`: with `L(-i)` the loss without unit `i`, the
//! *interaction* of two units is `L(-i, -j) - L(-i) - L(-j) + L`. It is negative where one undoes
//! what the other does, so that losing both costs less than losing each, and positive where one
//! stands in for the other.

use crate::chain::{Chain, Layer, add};

/// What stands in the place of a removed unit's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Zero, as dropout does.
    Zero,
    /// The unit's mean over the examples.
    Mean,
}

/// A unit: number `index` of those that enter layer `feeds` of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    /// The layer of the chain that it feeds.
    pub feeds: usize,
    /// Its number.
    pub index: usize,
}

/// Loss and accuracy of a net.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Mean negative log-likelihood in nats.
    pub nll: f64,
    /// Share of examples that are told rightly, in percent.
    pub accuracy: f64,
}

/// A net and the examples on which it is looked at.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    chain: &'a Chain,
    labels: &'a [usize],
    /// Units that enter each layer. Where the examples of the first are images, a unit is a channel.
    units: Vec<usize>,
    /// What enters each layer, `[examples, inputs]`.
    inputs: Vec<Vec<f64>>,
    /// What enters each layer's activation, `[examples, outputs]`.
    weighted: Vec<Vec<f64>>,
    /// Mean of each input over the examples.
    means: Vec<Vec<f64>>,
}

impl<'a> Subject<'a> {
    /// `features` enter the first layer, `[examples, inputs]`, channels fastest; `channels` of them
    /// are at each position.
    ///
    /// # Panics
    /// If there are not as many rows of features as labels.
    pub fn new(chain: &'a Chain, features: Vec<f64>, channels: usize, labels: &'a [usize]) -> Self {
        let layers = chain.layers();
        assert_eq!(features.len(), labels.len() * layers[0].inputs());
        let (mut inputs, mut weighted) = (vec![features], Vec::new());
        for (k, layer) in layers.iter().enumerate() {
            let z = layer.weighted(&inputs[k]);
            if k + 1 < layers.len() {
                let mut h = z.clone();
                layer.activate(&mut h);
                inputs.push(h);
            }
            weighted.push(z);
        }
        let later = layers[1..].iter().map(Layer::inputs);
        Self {
            units: [channels].into_iter().chain(later).collect(),
            means: inputs.iter().map(|h| means(h, labels.len())).collect(),
            chain,
            labels,
            inputs,
            weighted,
        }
    }

    /// The units that feed layer `feeds`.
    pub fn units(&self, feeds: usize) -> impl Iterator<Item = Unit> + use<> {
        (0..self.units[feeds]).map(move |index| Unit { feeds, index })
    }

    /// The net as it is.
    pub fn whole(&self) -> Outcome {
        self.outcome(self.weighted.last().expect("a net has a head"))
    }

    /// The net without the units in `removed`, of which there is at least one.
    ///
    /// # Panics
    /// If there is none.
    pub fn without(&self, removed: &[Unit], fill: Fill) -> Outcome {
        let first = removed.iter().map(|unit| unit.feeds).min();
        let first = first.expect("a unit is removed");
        let layers = &self.chain.layers()[first..];
        let mut z = self.weighted[first].clone();
        self.take_out(&mut z, removed, first, fill);
        for (k, (layer, next)) in layers.iter().zip(&layers[1..]).enumerate() {
            layer.activate(&mut z);
            self.fill(&mut z, removed, first + k + 1, fill);
            z = next.weighted(&z);
        }
        self.outcome(&z)
    }

    /// Takes what the removed units give to layer `feeds` out of what enters its activation.
    fn take_out(&self, z: &mut [f64], removed: &[Unit], feeds: usize, fill: Fill) {
        let layer = &self.chain.layers()[feeds];
        let inputs = self.inputs[feeds].chunks_exact(layer.inputs());
        for (z, h) in z.chunks_exact_mut(layer.outputs()).zip(inputs) {
            for i in self.columns(removed, feeds) {
                add(z, self.filled(feeds, i, fill) - h[i], layer.row(i));
            }
        }
    }

    /// Replaces the outputs of the removed units that feed layer `feeds`.
    fn fill(&self, h: &mut [f64], removed: &[Unit], feeds: usize, fill: Fill) {
        for row in h.chunks_exact_mut(self.means[feeds].len()) {
            for i in self.columns(removed, feeds) {
                row[i] = self.filled(feeds, i, fill);
            }
        }
    }

    fn filled(&self, feeds: usize, i: usize, fill: Fill) -> f64 {
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

    fn outcome(&self, logits: &[f64]) -> Outcome {
        let n = self.labels.len();
        let (mut nll, mut right) = (0.0, 0);
        for (row, &label) in logits.chunks_exact(logits.len() / n).zip(self.labels) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|z| (z - largest).exp()).sum();
            nll += sum.ln() + largest - row[label];
            // Among equal logits the first class counts as predicted.
            right += usize::from(row.iter().position(|z| *z == largest) == Some(label));
        }
        Outcome {
            nll: nll / n as f64,
            accuracy: 100.0 * right as f64 / n as f64,
        }
    }

    /// The interaction of each of `pairs`, in nats.
    pub fn interactions(&self, pairs: &[[Unit; 2]], fill: Fill) -> Vec<f64> {
        let whole = self.whole().nll;
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

    /// Accuracy with none, `1 / points`, `2 / points`, ... and all of the units in `order` removed,
    /// from the first on.
    pub fn curve(&self, order: &[Unit], points: usize, fill: Fill) -> Vec<f64> {
        let removed = |k: usize| &order[..order.len() * k / points];
        let accuracy = |k: usize| match removed(k) {
            [] => self.whole().accuracy,
            units => self.without(units, fill).accuracy,
        };
        (0..=points).map(accuracy).collect()
    }

    /// How much of what enters layer `feeds` cancels: the mean size of the terms of its sums over
    /// the mean size of the sums, `E sum_i |w_i h_i| / E |sum_i w_i h_i|` over examples and outputs,
    /// biases left out. 1 where nothing cancels.
    pub fn cancellation(&self, feeds: usize) -> f64 {
        let layer = &self.chain.layers()[feeds];
        let sizes: Vec<f64> = layer.weight.iter().map(|w| w.abs()).collect();
        let sized = Layer::new(sizes, vec![0.0; layer.outputs()], layer.activation);
        let inputs = &self.inputs[feeds];
        let positive: Vec<f64> = inputs.iter().map(|h| h.abs()).collect();
        let terms: f64 = sized.weighted(&positive).iter().sum();
        let plain = Layer::new(layer.weight.clone(), sized.bias.clone(), layer.activation);
        let sums: f64 = plain.weighted(inputs).iter().map(|z| z.abs()).sum();
        terms / sums
    }

    /// Mean size of the correlation of two different inputs of layer `feeds` over the examples, over
    /// all pairs of those that vary. `None` with fewer than two.
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

/// Share of the negative ones in the sum of sizes, in percent; `None` where all are 0.
pub fn negative_share(interactions: &[f64]) -> Option<f64> {
    let size: f64 = interactions.iter().map(|i| i.abs()).sum();
    let negative: f64 = interactions.iter().map(|i| (-i).max(0.0)).sum();
    (size > 0.0).then(|| 100.0 * negative / size)
}

/// The area under a curve of equally spaced points over the unit interval, by trapezes.
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
    use ablate_kernels::activation::Activation::{Linear, Relu};

    const FIRST: Unit = Unit { feeds: 1, index: 0 };
    const SECOND: Unit = Unit { feeds: 1, index: 1 };

    /// Two units that are 1 on every example, and give `v` to the logit of class 0; that of class 1
    /// is 0. Every example is of class 0.
    fn two_units(v: [f64; 2]) -> Chain {
        let hidden = Layer::new(vec![1.0, 1.0], vec![0.0; 2], Relu);
        let head = Layer::new(vec![v[0], 0.0, v[1], 0.0], vec![0.0; 2], Linear);
        Chain::new(vec![hidden, head])
    }

    fn loss(margin: f64) -> f64 {
        (-margin).exp().ln_1p()
    }

    #[test]
    fn a_unit_that_repairs_another_has_the_negative_interaction_computed_on_paper() {
        let chain = two_units([-3.0, 3.0]);
        let subject = Subject::new(&chain, vec![1.0; 4], 1, &[0; 4]);
        assert!((subject.whole().nll - 2f64.ln()).abs() < 1e-15);
        // Without the harmful unit the margin is 3, without its repair -3, without both 0 again.
        let without = |units: &[Unit]| subject.without(units, Fill::Zero).nll;
        assert!((without(&[FIRST]) - loss(3.0)).abs() < 1e-15);
        assert!((without(&[SECOND]) - loss(-3.0)).abs() < 1e-15);
        let found = subject.interactions(&[[FIRST, SECOND]], Fill::Zero);
        let expected = 2.0 * 2f64.ln() - loss(3.0) - loss(-3.0);
        assert!((found[0] - expected).abs() < 1e-14 && expected < -1.7);
        assert_eq!(negative_share(&found), Some(100.0));
        // Constant units are their means: nothing is lost, and nothing interacts.
        assert_eq!(subject.interactions(&[[FIRST, SECOND]], Fill::Mean), [0.0]);
    }

    #[test]
    fn copies_of_a_unit_have_a_positive_interaction() {
        let chain = two_units([3.0, 3.0]);
        let subject = Subject::new(&chain, vec![1.0; 4], 1, &[0; 4]);
        let found = subject.interactions(&[[FIRST, SECOND]], Fill::Zero);
        let expected = 2f64.ln() - 2.0 * loss(3.0) + loss(6.0);
        assert!((found[0] - expected).abs() < 1e-14 && expected > 0.5);
        assert_eq!(negative_share(&found), Some(0.0));
        assert_eq!(negative_share(&[3.0, -1.0]), Some(25.0));
        assert_eq!(negative_share(&[0.0]), None);
    }

    #[test]
    fn a_repair_in_the_next_layer_shows_across_layers() {
        // The first unit harms by -3; a unit of the next layer, which does not depend on it, adds 3.
        let first = Layer::new(vec![1.0], vec![0.0], Relu);
        let second = Layer::new(vec![1.0, 0.0], vec![0.0, 1.0], Relu);
        let head = Layer::new(vec![-3.0, 0.0, 3.0, 0.0], vec![0.0; 2], Linear);
        let chain = Chain::new(vec![first, second, head]);
        let subject = Subject::new(&chain, vec![1.0; 2], 1, &[0; 2]);
        let repair = Unit { feeds: 2, index: 1 };
        let found = subject.interactions(&[[FIRST, repair]], Fill::Zero);
        let expected = 2.0 * 2f64.ln() - loss(3.0) - loss(-3.0);
        assert!((found[0] - expected).abs() < 1e-14);
    }

    #[test]
    fn a_curve_falls_where_the_unit_that_matters_goes_and_its_area_follows() {
        // Class 0 wins by the first unit alone; with nothing left the first class of equals wins,
        // so the examples are of class 1 and the first unit speaks for it.
        let hidden = Layer::new(vec![1.0, 1.0], vec![0.0; 2], Relu);
        let head = Layer::new(vec![0.0, 2.0, 0.0, 0.0], vec![0.0; 2], Linear);
        let chain = Chain::new(vec![hidden, head]);
        let subject = Subject::new(&chain, vec![1.0; 4], 1, &[1; 4]);
        assert_eq!(
            subject.curve(&[FIRST, SECOND], 2, Fill::Zero),
            [100.0, 0.0, 0.0]
        );
        assert_eq!(
            subject.curve(&[SECOND, FIRST], 2, Fill::Zero),
            [100.0, 100.0, 0.0]
        );
        assert_eq!(subject.curve(&[SECOND, FIRST], 2, Fill::Mean), [100.0; 3]);
        assert_eq!(area(&[100.0, 0.0, 0.0]), 25.0);
        assert_eq!(area(&[100.0, 100.0, 0.0]), 75.0);
    }

    #[test]
    fn terms_of_3_and_minus_2_cancel_to_a_fifth() {
        let chain = two_units([3.0, -2.0]);
        let subject = Subject::new(&chain, vec![1.0; 4], 1, &[0; 4]);
        assert!((subject.cancellation(1) - 5.0).abs() < 1e-12);
        let chain = two_units([3.0, 2.0]);
        let subject = Subject::new(&chain, vec![1.0; 4], 1, &[0; 4]);
        assert!((subject.cancellation(1) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_units_correlate_fully_and_orthogonal_ones_not_at_all() {
        let through = |weight: Vec<f64>| {
            let hidden = Layer::new(weight, vec![0.0; 2], Linear);
            Chain::new(vec![hidden, Layer::new(vec![0.0; 4], vec![0.0; 2], Linear)])
        };
        let features = vec![1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0];
        let copies = through(vec![1.0, -2.0, 0.0, 0.0]);
        let subject = Subject::new(&copies, features.clone(), 2, &[0; 4]);
        assert!((subject.correlation(1).unwrap() - 1.0).abs() < 1e-12);
        let apart = through(vec![1.0, 0.0, 0.0, 1.0]);
        let subject = Subject::new(&apart, features.clone(), 2, &[0; 4]);
        assert!(subject.correlation(1).unwrap().abs() < 1e-12);
        // A unit that does not vary has no correlation.
        let constant = through(vec![1.0, 0.0, 0.0, 0.0]);
        let subject = Subject::new(&constant, features, 2, &[0; 4]);
        assert_eq!(subject.correlation(1), None);
    }

    #[test]
    fn a_channel_is_removed_at_all_its_positions() {
        // Two positions of two channels; the second channel speaks for class 1 at both.
        let head = Layer::new(
            vec![0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            vec![0.0; 2],
            Linear,
        );
        let chain = Chain::new(vec![head]);
        let subject = Subject::new(&chain, vec![1.0; 4], 2, &[1]);
        let channel = Unit { feeds: 0, index: 1 };
        assert_eq!(subject.units(0).count(), 2);
        assert!((subject.whole().nll - loss(2.0)).abs() < 1e-15);
        assert!((subject.without(&[channel], Fill::Zero).nll - 2f64.ln()).abs() < 1e-15);
    }
}
