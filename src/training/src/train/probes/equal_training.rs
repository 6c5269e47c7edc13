//! How evenly the units of a layer are trained.
//!
//! The *update* of a unit is the path length of its incoming weights: the sum over steps of the
//! norm of their change. Its *displacement* is the distance of these weights from their start, so
//! steps back and forth count in the update and cancel in the displacement. The *strength* of a unit is the norm of its incoming weights times the
//! norm of its outgoing weights. Rescaling a ReLU unit (incoming weights times `a`, outgoing
//! weights divided by `a`) does not change its strength.

use super::inequality::{gini, lorenz};
use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::net::host_f64;
use crate::train::parameters::hidden_blocks;
use ablate_models::zoo::Model;
use burn::tensor::Tensor;

/// Intervals of the Lorenz curve.
const POINTS: usize = 16;

pub(super) struct EqualTraining {
    layers: Vec<UpdateLengths>,
}

/// Path lengths of the units of one layer.
struct UpdateLengths {
    path: String,
    /// Weights before the first step, `[replicas, inputs, units]`.
    start: Tensor<3>,
    /// Weights after the last step, `[replicas, inputs, units]`.
    before: Tensor<3>,
    /// Path length so far, `[replicas, units]`.
    length: Tensor<2>,
}

impl UpdateLengths {
    fn new(path: String, weight: Tensor<3>) -> Self {
        let [replicas, _, units] = weight.dims();
        Self {
            path,
            length: Tensor::zeros([replicas, units], (&weight.device(), weight.dtype())),
            start: weight.clone(),
            before: weight,
        }
    }

    fn step(&mut self, weight: Tensor<3>) {
        let change = weight.clone() - std::mem::replace(&mut self.before, weight);
        self.length = self.length.clone() + norms(change, 1);
    }

    /// Displacement of every unit so far, `[replicas, units]`.
    fn displacement(&self) -> Tensor<2> {
        norms(self.before.clone() - self.start.clone(), 1)
    }
}

/// Norm of each column (`over` = 1, over inputs) or of each row (`over` = 2, over outputs).
fn norms(weight: Tensor<3>, over: usize) -> Tensor<2> {
    let [replicas, inputs, units] = weight.dims();
    let rows = if over == 1 { units } else { inputs };
    weight
        .square()
        .sum_dim(over)
        .sqrt()
        .reshape([replicas, rows])
}

/// Strength of every unit, `[replicas, units]`, given its incoming and outgoing weights. Rows of
/// `outgoing` run over (position, unit) with the unit fastest.
fn strengths(incoming: Tensor<3>, outgoing: Tensor<3>) -> Tensor<2> {
    let [replicas, _, units] = incoming.dims();
    let rows = norms(outgoing, 2).square();
    let positions = rows.dims()[1] / units;
    let out = norms(rows.reshape([replicas, positions, units]).sqrt(), 1);
    norms(incoming, 1) * out
}

/// Path and weights of every layer, the head last.
fn weights(model: &Model) -> Vec<(String, Tensor<3>)> {
    let hidden = hidden_blocks(model).map(|block| (block.path(), block.weight.val().inner()));
    let head = (model.head()).map(|head| ("head".to_owned(), head.weight.val().inner()));
    hidden.chain(head).collect()
}

impl EqualTraining {
    pub(super) fn begin(context: &ProbeContext<'_>) -> Self {
        let mut layers = weights(context.net.model());
        layers.pop();
        let updates = layers
            .into_iter()
            .map(|(path, weight)| UpdateLengths::new(path, weight));
        Self {
            layers: updates.collect(),
        }
    }
}

impl ProbeHooks for EqualTraining {
    fn after_step(&mut self, context: &ProbeContext<'_>) {
        let layers = weights(context.net.model());
        for (updates, (_, weight)) in self.layers.iter_mut().zip(layers) {
            updates.step(weight);
        }
    }

    fn epoch_done(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        let layers = weights(context.net.model());
        let strengths = layers.windows(2).map(|pair| {
            let [(_, incoming), (_, outgoing)] = pair else {
                unreachable!("windows are of two")
            };
            strengths(incoming.clone(), outgoing.clone())
        });
        let paths: Vec<&str> = (self.layers.iter())
            .map(|updates| updates.path.as_str())
            .collect();
        let updates = self.layers.iter().map(|updates| updates.length.clone());
        let updates = host_sizes(updates);
        let displacements = host_sizes(self.layers.iter().map(UpdateLengths::displacement));
        let inequality = |sizes: &[f64]| gini(sizes).unwrap_or(f64::NAN);
        let mean = |sizes: &[f64]| sizes.iter().sum::<f64>() / sizes.len() as f64;
        trace("update_gini", &paths, &updates, inequality, results);
        trace("update_length", &paths, &updates, mean, results);
        trace(
            "displacement_gini",
            &paths,
            &displacements,
            inequality,
            results,
        );
        trace("displacement", &paths, &displacements, mean, results);
        let strengths = host_sizes(strengths);
        trace("strength_gini", &paths, &strengths, inequality, results);
    }

    fn finish(&mut self, _context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        for updates in &self.layers {
            let name = format!("update_shares.{}", updates.path);
            for (result, lengths) in results.iter_mut().zip(by_replica(&updates.length)) {
                if let Some(curve) = lorenz(&lengths, POINTS) {
                    result.put_series(&name, curve);
                }
            }
        }
    }
}

/// Sizes of the units of one layer, per replica.
type LayerSizes = Vec<Vec<f64>>;

fn host_sizes(layers: impl Iterator<Item = Tensor<2>>) -> Vec<LayerSizes> {
    layers.map(|sizes| by_replica(&sizes)).collect()
}

/// Appends `summary` of the sizes of each layer and its mean over the layers to the traces.
fn trace(
    name: &str,
    paths: &[&str],
    layers: &[LayerSizes],
    summary: impl Fn(&[f64]) -> f64,
    results: &mut [ProbeResults],
) {
    for (r, result) in results.iter_mut().enumerate() {
        let values: Vec<f64> = layers.iter().map(|sizes| summary(&sizes[r])).collect();
        for (path, value) in paths.iter().zip(&values) {
            result.push_trace(&format!("{name}.{path}"), *value);
        }
        result.push_trace(name, values.iter().sum::<f64>() / values.len() as f64);
    }
}

fn by_replica(sizes: &Tensor<2>) -> Vec<Vec<f64>> {
    let units = sizes.dims()[1];
    let values = host_f64(sizes.clone());
    values.chunks_exact(units).map(<[f64]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    /// Weights of one replica, `[inputs, units]`.
    fn weight<const I: usize, const U: usize>(rows: [[f64; U]; I]) -> Tensor<3> {
        let device = crate::device::open("flex").unwrap();
        let flat: Vec<f32> = rows.iter().flatten().map(|&w| w as f32).collect();
        Tensor::from_data(TensorData::new(flat, [1, I, U]), &device)
    }

    fn gini_of(sizes: &Tensor<2>) -> f64 {
        gini(&by_replica(sizes)[0]).unwrap()
    }

    #[test]
    fn equal_path_lengths_have_gini_zero() {
        let mut updates = UpdateLengths::new("blocks.0".into(), weight([[0.0; 4]; 2]));
        updates.step(weight([[3.0, 0.0, 5.0, -3.0], [4.0, 5.0, 0.0, 4.0]]));
        updates.step(weight([[3.0, 0.0, 4.0, -3.0], [5.0, 6.0, 0.0, 3.0]]));
        assert_eq!(by_replica(&updates.length)[0], [6.0; 4]);
        assert!(gini_of(&updates.length).abs() < 1e-12);
    }

    #[test]
    fn single_updated_unit_has_maximal_gini() {
        let mut updates = UpdateLengths::new("blocks.0".into(), weight([[1.0; 4]; 2]));
        updates.step(weight([[1.0, 1.0, 4.0, 1.0], [1.0, 1.0, 5.0, 1.0]]));
        let moved = by_replica(&updates.displacement());
        assert_eq!(moved[0], [0.0, 0.0, 5.0, 0.0]);
        // Moving there and back counts twice, although the weights end where they started.
        updates.step(weight([[1.0; 4]; 2]));
        assert_eq!(by_replica(&updates.displacement())[0], [0.0; 4]);
        assert_eq!(by_replica(&updates.length)[0], [0.0, 0.0, 10.0, 0.0]);
        assert!((gini_of(&updates.length) - 0.75).abs() < 1e-12);
    }

    #[test]
    fn strength_multiplies_incoming_and_outgoing_norms() {
        let incoming = weight([[3.0, 1.0], [4.0, 0.0]]);
        let outgoing = weight([[0.0, 2.0], [6.0, 8.0]]);
        let results = by_replica(&strengths(incoming.clone(), outgoing));
        assert!((results[0][0] - 10.0).abs() < 1e-5 && (results[0][1] - 10.0).abs() < 1e-5);
        // Two positions of two units: the rows of unit 0 are the first and the third.
        let spread = weight([[3.0], [0.0], [4.0], [5.0]]);
        let results = by_replica(&strengths(incoming, spread));
        assert!((results[0][0] - 25.0).abs() < 1e-5 && (results[0][1] - 5.0).abs() < 1e-5);
    }
}
