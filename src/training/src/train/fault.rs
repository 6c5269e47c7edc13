//! Planting a fault in nets during training.

use super::net::host_f64;
use crate::recipe::{PlantedFault, Repair};
use ablate_models::zoo::Model;
use ablate_streams::{Purpose, Stream};
use burn::tensor::{Tensor, TensorData};

/// Random stream of a fault.
fn stream(seed: u64) -> Stream {
    Stream::new(seed, Purpose::Fault, "")
}

/// Returns the units that are corrupted in the net of `seed`.
pub(super) fn units(fault: &PlantedFault, seed: u64, width: usize) -> Vec<usize> {
    let order = stream(seed).permutation(0, width);
    order
        .iter()
        .take(fault.units)
        .map(|&unit| unit as usize)
        .collect()
}

/// Plants the fault in the replicas with a seed in `seeds`: replaces the incoming weights of the
/// chosen units by random ones of the same norm.
pub(super) fn plant(mut model: Model, fault: &PlantedFault, seeds: &[Option<u64>]) -> Model {
    let block = &mut model.dense_blocks_mut()[fault.layer];
    block.linear.weight = block.linear.weight.clone().map(|weight| {
        let weight = weight.inner();
        let [replicas, inputs, width] = weight.dims();
        let mut values = host_f64(weight.clone());
        for (values, seed) in values.chunks_exact_mut(inputs * width).zip(seeds) {
            let Some(seed) = *seed else {
                continue;
            };
            let mut normals = stream(seed).normals(1);
            for unit in units(fault, seed, width) {
                let drawn: Vec<f64> = normals.by_ref().take(inputs).collect();
                let norm = |column: &mut dyn Iterator<Item = f64>| {
                    column.map(|w| w * w).sum::<f64>().sqrt()
                };
                let old = norm(&mut (0..inputs).map(|i| values[i * width + unit]));
                let factor = old / norm(&mut drawn.iter().copied());
                for (i, draw) in drawn.iter().enumerate() {
                    values[i * width + unit] = factor * draw;
                }
            }
        }
        let like = (&weight.device(), weight.dtype());
        let data = TensorData::new(values, [replicas, inputs, width]).convert_dtype(like.1);
        Tensor::from_inner(Tensor::from_data(data, like)).require_grad()
    });
    model
}

/// Returns the path of the only layer that trains after `fault`, or `None` if all layers do.
pub(super) fn repairing_layer(fault: &PlantedFault, model: &Model) -> Option<String> {
    let path = |index: usize| match model.dense_blocks().get(index) {
        Some(block) => block.epilogue.path().to_owned(),
        None => "head".to_owned(),
    };
    match fault.repair {
        Repair::All => None,
        Repair::Offender => Some(path(fault.layer)),
        Repair::Next => Some(path(fault.layer + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_models::Start;
    use ablate_models::mlp::MlpConfig;

    fn weights(model: &Model, block: usize) -> Vec<f64> {
        host_f64(model.dense_blocks()[block].linear.weight.val())
    }

    #[test]
    fn only_chosen_units_change_and_keep_their_norm() {
        let device = crate::device::open("flex").unwrap().autodiff();
        let config = MlpConfig {
            hidden: vec![6, 5],
            block: Default::default(),
            last_block: None,
        };
        let start = Start::new([3, 4], &device);
        let model = Model::Mlp(config.init(4, 3, &start).unwrap());
        let fault = PlantedFault {
            after: 1,
            at_nll: None,
            layer: 0,
            units: 2,
            repair: Repair::Next,
        };
        assert_eq!(repairing_layer(&fault, &model).as_deref(), Some("blocks.1"));
        let (before, second) = (weights(&model, 0), weights(&model, 1));
        let untouched = plant(model.clone(), &fault, &[None, Some(4)]);
        let model = plant(model, &fault, &[Some(3), Some(4)]);
        let after = weights(&model, 0);
        assert_eq!(weights(&model, 1), second);
        let one = weights(&untouched, 0);
        assert_eq!((&one[..24], &one[24..]), (&before[..24], &after[24..]));
        for (r, seed) in [3, 4].into_iter().enumerate() {
            let chosen = units(&fault, seed, 6);
            let column = |all: &[f64], unit: usize| -> Vec<f64> {
                (0..4).map(|i| all[r * 24 + i * 6 + unit]).collect()
            };
            let norm = |column: Vec<f64>| column.iter().map(|w| w * w).sum::<f64>().sqrt();
            for unit in 0..6 {
                let changed = column(&before, unit) != column(&after, unit);
                assert_eq!(changed, chosen.contains(&unit), "seed {seed}, unit {unit}");
                let norms = (norm(column(&before, unit)), norm(column(&after, unit)));
                assert!((norms.0 - norms.1).abs() < 1e-6 * norms.0);
            }
            assert_eq!(chosen.len(), 2);
        }
        let weight = model.dense_blocks()[0].linear.weight.val();
        assert!(weight.is_require_grad());
    }
}
