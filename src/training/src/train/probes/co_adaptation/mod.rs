//! Co-adaptation of units: the loss of a net when single units, pairs and growing sets of units are
//! removed, in evaluation mode on held-out examples.
//!
//! The units are those of the dense blocks and, for a convolutional net, the channels that enter
//! the first dense block. Interactions are measured for all pairs ([`all_pairs`]) and for a few drawn
//! pairs. Drawn pairs and orders of removal are the same after every epoch and in arms of equal width.
//!
//! Curves of cumulative removal, with units set to zero or to their mean, follow Morcos et al.
//! 2018, "On the importance of single directions for generalization".

mod all_pairs;
mod matrices;

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::net::{for_each_chunk, host_f64};
use ablate_models::Pass;
use ablate_models::inspect::HostMlp;
use ablate_models::inspect::{Fill, Unit, UnitRemoval, area, negative_share};
use ablate_models::zoo::Model;
use ablate_streams::{Purpose, Stream};
use burn::module::Module;
use rayon::prelude::*;

/// Number of examples for losses.
const EXAMPLES: usize = 128;
/// Number of pairs per layer, and per pair of adjacent layers.
const PAIRS: usize = 64;
/// Steps of a removal curve, and number of random orders that are averaged.
const POINTS: usize = 8;
const ORDERS: usize = 2;
/// Intervals between the recorded quantiles of the interactions.
const QUANTILES: usize = 32;

const FILLS: [(Fill, &str); 2] = [(Fill::Zero, ""), (Fill::Mean, "_mean")];

pub(super) struct CoAdaptation {
    samples: Vec<UnitSample>,
}

/// Units, pairs and orders of removal drawn for one replica.
struct UnitSample {
    /// Path of each layer of units, and index of the layer that reads it.
    layers: Vec<(String, usize)>,
    /// Pairs within a layer.
    within: Vec<[Unit; 2]>,
    /// Pairs with one unit in a layer and one in the next.
    across: Vec<[Unit; 2]>,
    /// Orders of removal per layer.
    orders: Vec<Vec<Vec<Unit>>>,
}

/// Input of the dense layers of one replica, and the labels.
struct HeldOutFeatures {
    features: Vec<f64>,
    labels: Vec<usize>,
}

impl CoAdaptation {
    pub(super) fn begin(context: &ProbeContext<'_>) -> Self {
        let layers = layers(context.net.model());
        let cells = context.job.cells.iter();
        let sample = |cell: &crate::trainer::JobCell| UnitSample::draw(&layers, cell.seed);
        Self {
            samples: cells.map(sample).collect(),
        }
    }

    /// Calls `measure` for every replica in parallel. Returns `None` for models that the host
    /// implementation does not support.
    fn measure<T: Send>(
        &self,
        context: &ProbeContext<'_>,
        measure: impl Fn(&UnitSample, &UnitRemoval<'_>) -> T + Sync,
    ) -> Option<Vec<T>> {
        let model = context.net.model().valid();
        let chains = HostMlp::replicas_of(&model)?;
        let channels = channels(&model);
        let features_of = held_out_features(context, &model);
        let replicas = self.samples.par_iter().zip(&chains).zip(features_of);
        let measure =
            |((sample, chain), features_of): ((&UnitSample, &HostMlp), HeldOutFeatures)| {
                measure(
                    sample,
                    &UnitRemoval::new(chain, features_of.features, channels, &features_of.labels),
                )
            };
        Some(replicas.map(measure).collect())
    }
}

/// Path of a layer of units, index of the layer that reads it, and number of units.
type LayerOfUnits = (String, usize, usize);

/// The layers of units: the channels that enter the dense blocks from a convolution, and the
/// outputs of each dense block.
fn layers(model: &Model) -> Vec<LayerOfUnits> {
    let conv = model.conv_blocks().last();
    let conv = conv.map(|block| (block.epilogue.path().to_owned(), 0, channels(model)));
    let dense = model.dense_blocks().iter().zip(1..).map(|(block, feeds)| {
        let units = block.linear.weight.dims()[2];
        (block.epilogue.path().to_owned(), feeds, units)
    });
    conv.into_iter().chain(dense).collect()
}

/// Number of channels that enter the dense layers; each pixel counts as one channel.
fn channels(model: &Model) -> usize {
    let conv = model
        .conv_blocks()
        .last()
        .map(|block| block.conv.weight.dims()[2]);
    let first = model.dense_blocks().first().map(|block| &block.linear);
    let inputs = first.or(model.head()).map(|layer| layer.weight.dims()[1]);
    conv.or(inputs).unwrap_or_default()
}

/// Features and labels of every replica.
fn held_out_features(context: &ProbeContext<'_>, model: &Model) -> Vec<HeldOutFeatures> {
    let part = context.batches.held_out();
    let replicas = context.job.cells.len();
    let mut features_of: Vec<HeldOutFeatures> = Vec::new();
    for_each_chunk(context.batches, part, EXAMPLES, |from, pixels| {
        let features = model.features(pixels, &Pass::evaluate());
        let n = features.dims()[1];
        let values = host_f64(features);
        for (r, values) in values.chunks_exact(values.len() / replicas).enumerate() {
            if features_of.len() == r {
                features_of.push(HeldOutFeatures {
                    features: Vec::new(),
                    labels: Vec::new(),
                });
            }
            features_of[r].features.extend_from_slice(values);
            let labels = (from..from + n).map(|i| context.batches.label(part, r, i));
            features_of[r].labels.extend(labels);
        }
    });
    features_of
}

impl UnitSample {
    fn draw(layers: &[LayerOfUnits], seed: u64) -> Self {
        let stream = |path: &str| Stream::new(seed, Purpose::Probe, path);
        let unit = |feeds: usize| {
            move |index: u32| Unit {
                feeds,
                index: index as usize,
            }
        };
        let (mut within, mut across, mut orders) = (Vec::new(), Vec::new(), Vec::new());
        for (path, feeds, units) in layers {
            let path = format!("co_adaptation.{path}");
            if *units > 1 {
                let mut draw = stream(&path).indices(0);
                within.extend((0..PAIRS).map(|_| {
                    let first = draw.below(*units as u32);
                    // The second unit is uniform over the other units.
                    let second = draw.below(*units as u32 - 1);
                    [first, second + u32::from(second >= first)].map(unit(*feeds))
                }));
            }
            let order = |k: usize| stream(&path).permutation(1 + k as u64, *units);
            let in_order = |k| order(k).into_iter().map(unit(*feeds)).collect();
            orders.push((0..ORDERS).map(in_order).collect());
        }
        for pair in layers.windows(2) {
            let [(path, lower, many), (_, upper, others)] = pair else {
                unreachable!("windows are of two")
            };
            let mut draw = stream(&format!("co_adaptation.across.{path}")).indices(0);
            across.extend((0..PAIRS).map(|_| {
                let (i, j) = (draw.below(*many as u32), draw.below(*others as u32));
                [unit(*lower)(i), unit(*upper)(j)]
            }));
        }
        let layers = layers.iter();
        Self {
            layers: layers
                .map(|(path, feeds, _)| (path.clone(), *feeds))
                .collect(),
            within,
            across,
            orders,
        }
    }

    /// Mean removal curve of each layer of units.
    fn curves(&self, subject: &UnitRemoval<'_>, fill: Fill) -> Vec<Vec<f64>> {
        let curve = |orders: &Vec<Vec<Unit>>| {
            let mut sum = vec![0.0; POINTS + 1];
            for order in orders {
                let curve = subject.accuracy_curve(order, POINTS, fill);
                sum.iter_mut()
                    .zip(curve)
                    .for_each(|(s, c)| *s += c / ORDERS as f64);
            }
            sum
        };
        self.orders.iter().map(curve).collect()
    }

    /// Values measured after every epoch.
    fn trace(&self, subject: &UnitRemoval<'_>) -> Vec<(String, f64)> {
        let share = |interactions: &[f64]| negative_share(interactions).unwrap_or(f64::NAN);
        let mut out = Vec::new();
        for (fill, suffix) in FILLS {
            let mut all = subject.interactions(&self.within, fill);
            let across = subject.interactions(&self.across, fill);
            if fill == Fill::Zero {
                out.push(("negative_within".to_owned(), share(&all)));
                out.extend(
                    (!across.is_empty()).then(|| ("negative_across".to_owned(), share(&across))),
                );
            }
            all.extend(across);
            out.push((format!("negative_share{suffix}"), share(&all)));
            out.push((format!("interaction{suffix}"), mean(all.into_iter())));
            out.extend(all_pairs::of(self, subject, fill, suffix));
            let areas = self.curves(subject, fill);
            let areas = areas.iter().map(|curve| area(curve));
            out.push((format!("ablation_area{suffix}"), mean(areas)));
        }
        let feeds = || self.layers.iter().map(|(_, feeds)| *feeds);
        let cancellation = mean(feeds().map(|feeds| subject.cancellation(feeds)));
        out.push(("cancellation".to_owned(), cancellation));
        let correlations = feeds().filter_map(|feeds| subject.correlation(feeds));
        out.push(("correlation".to_owned(), mean(correlations)));
        out
    }

    /// Series measured on the trained net.
    fn series(&self, subject: &UnitRemoval<'_>) -> Vec<(String, Vec<f64>)> {
        let mut out = Vec::new();
        for (fill, suffix) in FILLS {
            let curves = self.layers.iter().zip(self.curves(subject, fill));
            let named =
                curves.map(|((path, _), curve)| (format!("ablation_curve{suffix}.{path}"), curve));
            out.extend(named);
        }
        let mut all = subject.interactions(&self.within, Fill::Zero);
        all.extend(subject.interactions(&self.across, Fill::Zero));
        all.sort_by(f64::total_cmp);
        let last = all.len().saturating_sub(1);
        let quantile = |k: usize| all.get(k * last / QUANTILES).copied();
        out.push((
            "interaction_quantiles".to_owned(),
            (0..=QUANTILES).filter_map(quantile).collect(),
        ));
        out.extend(matrices::of(self, subject));
        out
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    sum / n
}

impl ProbeHooks for CoAdaptation {
    fn epoch_done(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let traces = self.measure(context, UnitSample::trace);
        for (result, traces) in results.iter_mut().zip(traces.into_iter().flatten()) {
            for (name, value) in traces {
                result.push_trace(&name, value);
            }
        }
    }

    fn finish(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let series = self.measure(context, UnitSample::series);
        for (result, series) in results.iter_mut().zip(series.into_iter().flatten()) {
            for (name, values) in series {
                result.put_series(&name, values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_distinct_units_in_the_right_layers() {
        let layers = [("blocks.0".to_owned(), 1, 3), ("blocks.1".to_owned(), 2, 2)];
        let sample = UnitSample::draw(&layers, 7);
        assert_eq!(
            (sample.within.len(), sample.across.len()),
            (2 * PAIRS, PAIRS)
        );
        for [a, b] in &sample.within {
            assert!(a.feeds == b.feeds && a.index != b.index);
            assert!(a.index.max(b.index) < if a.feeds == 1 { 3 } else { 2 });
        }
        for [a, b] in &sample.across {
            assert_eq!((a.feeds, b.feeds), (1, 2));
        }
        // All six ordered pairs of the three units occur.
        let mut first: Vec<_> = sample.within[..PAIRS].to_vec();
        first.sort();
        first.dedup();
        assert_eq!(first.len(), 6);
    }

    #[test]
    fn every_order_is_a_permutation_of_the_units() {
        let sample = UnitSample::draw(&[("blocks.0".to_owned(), 1, 5)], 0);
        for order in &sample.orders[0] {
            let mut indices: Vec<usize> = order.iter().map(|unit| unit.index).collect();
            indices.sort_unstable();
            assert_eq!(indices, [0, 1, 2, 3, 4]);
        }
        assert_ne!(sample.orders[0][0], sample.orders[0][1]);
    }
}
