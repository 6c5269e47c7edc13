//! Restriction of training to some of the parameters.

use super::parameters;
use crate::recipe::{ParameterGroup, Trained};
use ablate_models::zoo::Model;
use ablate_streams::{Purpose, Stream};
use burn::tensor::{Tensor, TensorData};

/// Parameters that may be trained.
#[derive(Clone, Debug)]
pub(super) struct Restriction {
    /// Groups that may be trained; `None` for all.
    only: Option<Vec<Trained>>,
    /// 1 for weights that may be trained and 0 for others, `[replicas, elements]` per weight
    /// tensor, in visiting order. Empty if all weights may be trained.
    masks: Vec<Tensor<2>>,
}

impl Restriction {
    /// Creates the restriction for the initial `model`, whose replicas have the given seeds.
    pub(super) fn new(only: Option<&[Trained]>, model: &Model, seeds: &[u64]) -> Self {
        let random = only.is_some_and(|only| only.contains(&Trained::RandomWeights));
        Self {
            only: only.map(<[_]>::to_vec),
            masks: if random {
                masks(model, seeds)
            } else {
                Vec::new()
            },
        }
    }

    /// True if at least some parameters of `group` may be trained.
    pub(super) fn may_train(&self, group: Option<ParameterGroup>) -> bool {
        match (&self.only, group) {
            (None, _) => true,
            (Some(only), Some(group)) => only.iter().any(|part| part.covers(group)),
            (Some(_), None) => false,
        }
    }

    /// Sets the gradient of frozen elements to zero; `index` counts the parameters that may be
    /// trained.
    pub(super) fn mask<const D: usize>(&self, index: usize, gradient: Tensor<D>) -> Tensor<D> {
        match self.masks.get(index) {
            Some(mask) => {
                let shape = gradient.dims();
                gradient * mask.clone().reshape(shape)
            }
            None => gradient,
        }
    }
}

/// Draws as many weights as there are scales and centers, uniformly from all weights. It is a
/// control for training only scales and centers, like that of Frankle, Schwab and Morcos 2021
/// ("Training BatchNorm and only BatchNorm"), who draw two weights per channel.
fn masks(model: &Model, seeds: &[u64]) -> Vec<Tensor<2>> {
    let values = parameters::values(model);
    let Some((_, like)) = values.first() else {
        return Vec::new();
    };
    let options = (&like.device(), like.dtype());
    let (mut weights, mut affine) = (Vec::new(), 0);
    for (path, value) in &values {
        let elements = value.dims()[1];
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        match (model.rules().group)(&path) {
            Some(ParameterGroup::Weight) => weights.push(elements),
            Some(ParameterGroup::Scale | ParameterGroup::Center) => affine += elements,
            Some(ParameterGroup::Bias) | None => {}
        }
    }
    let all: usize = weights.iter().sum();
    let mut chosen: Vec<Vec<f32>> = weights
        .iter()
        .map(|&n| Vec::with_capacity(n * seeds.len()))
        .collect();
    for &seed in seeds {
        let stream = Stream::new(seed, Purpose::Trained, "");
        let mut drawn = vec![0.0; all];
        for &index in stream.permutation(0, all).iter().take(affine) {
            drawn[index as usize] = 1.0;
        }
        let mut rest = drawn.as_slice();
        for (mask, &n) in chosen.iter_mut().zip(&weights) {
            let (own, others) = rest.split_at(n);
            mask.extend(own);
            rest = others;
        }
    }
    let tensor = |(mask, n): (Vec<f32>, &usize)| {
        let data = TensorData::new(mask, [seeds.len(), *n]).convert_dtype(options.1);
        Tensor::from_data(data, options)
    };
    chosen.into_iter().zip(&weights).map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Evaluate, Length, Optimizer as Config, Schedule, TrainConfig};
    use crate::train::net::{Net, host};
    use crate::train::optimizer::Optimizer;
    use crate::train::schedule::RateAdjustment;
    use ablate_models::Start;
    use ablate_models::block::BlockConfig;
    use ablate_models::mlp::MlpConfig;
    use ablate_models::norm::{BatchNormConfig, NormConfig};
    use burn::tensor::{Device, Int};

    const SEEDS: [u64; 2] = [3, 4];

    /// Path and value of every parameter.
    fn values(model: &Model) -> Vec<(String, Vec<f32>)> {
        let values = parameters::values(model).into_iter();
        values.map(|(path, value)| (path, host(value))).collect()
    }

    /// Parameters that changed in three steps, with the number of changed elements over all
    /// replicas.
    fn moved(only: Option<Vec<Trained>>, optimizer: Config) -> Vec<(String, usize)> {
        let config = MlpConfig {
            hidden: vec![6, 5],
            block: BlockConfig {
                norm: NormConfig::Batch(BatchNormConfig::default()),
                ..BlockConfig::default()
            },
            last_block: None,
        };
        let device = Device::flex().autodiff();
        let start = Start::new(SEEDS, &device);
        let model = Model::Mlp(config.init(4, 3, &start).expect("can be built"));
        let train = TrainConfig {
            length: Length::Steps(3),
            evaluate: Evaluate::Usual,
            batch_size: 8,
            optimizer,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            decay_on: Vec::new(),
            evaluate_by: crate::recipe::Statistics::default(),
            max_norm: None,
            fault: None,
            loss_scale: 1.0,
            only,
        };
        let before = values(&model);
        let optimizer = Optimizer::new(&train, &[0.1, 0.1], &model, &SEEDS);
        let mut net = Net::new(model, optimizer, 1.0);
        for step in 0..3 {
            let draws = Stream::new(step, Purpose::Resample, "").normals(0);
            let pixels = start.tensor(draws.take(2 * 8 * 4).collect(), [2, 8, 4]);
            let labels: Vec<i64> = (0..16).map(|i| i % 3).collect();
            let labels = TensorData::new(labels, [2, 8]);
            let labels = Tensor::<2, Int>::from_data(labels, &device);
            net.step(pixels, labels, RateAdjustment::UNCHANGED, |_, _| ());
        }
        let after = values(net.model());
        let mut found = Vec::new();
        for ((path, old), (_, new)) in before.into_iter().zip(after) {
            let count = old.iter().zip(&new).filter(|(a, b)| a != b).count();
            if count > 0 {
                found.push((path, count));
            }
        }
        found
    }

    fn adam() -> Config {
        Config::default()
    }

    fn sgd() -> Config {
        Config::Sgd {
            momentum: 0.9,
            nesterov: false,
        }
    }

    #[test]
    fn only_named_groups_are_trained() {
        let all = moved(None, adam());
        let ends = |found: &[(String, usize)]| -> Vec<String> {
            let mut ends: Vec<String> = (found.iter())
                .filter_map(|(path, _)| Some(path.rsplit('.').next()?.to_owned()))
                .collect();
            ends.sort();
            ends.dedup();
            ends
        };
        assert_eq!(ends(&all), ["bias", "center", "scale", "weight"]);
        let affine = moved(Some(vec![Trained::Scale, Trained::Center]), adam());
        assert_eq!(ends(&affine), ["center", "scale"]);
        assert_eq!(affine.len(), 4, "two of each: {affine:?}");
        assert_eq!(ends(&moved(Some(vec![Trained::Bias]), sgd())), ["bias"]);
    }

    #[test]
    fn random_weights_match_the_number_of_scales_and_centers() {
        for optimizer in [adam(), sgd()] {
            let found = moved(Some(vec![Trained::RandomWeights]), optimizer);
            assert!(found.iter().all(|(path, _)| path.ends_with("weight")));
            let count: usize = found.iter().map(|(_, count)| count).sum();
            // 6 + 5 channels, one scale and one center each, two replicas. Weights of units that no
            // example activates have no gradient, so a few may stay unchanged.
            assert!((30..=44).contains(&count), "{found:?}");
        }
    }

    #[test]
    fn random_weights_have_exact_size_and_depend_on_seed() {
        let config = MlpConfig {
            hidden: vec![6, 5],
            block: BlockConfig {
                norm: NormConfig::Batch(BatchNormConfig::default()),
                ..BlockConfig::default()
            },
            last_block: None,
        };
        let model = config.init(4, 3, &Start::new(SEEDS, &Device::flex()));
        let masks = masks(&Model::Mlp(model.expect("can be built")), &SEEDS);
        let sizes: Vec<usize> = masks.iter().map(|mask| mask.dims()[1]).collect();
        assert_eq!(sizes, [4 * 6, 6 * 5, 5 * 3]);
        let mut by_seed = [Vec::new(), Vec::new()];
        for mask in masks {
            let n = mask.dims()[1];
            for (r, own) in host(mask).chunks(n).enumerate() {
                by_seed[r].extend(own.to_vec());
            }
        }
        for own in &by_seed {
            assert_eq!(own.iter().sum::<f32>(), 22.0);
            assert!(own.iter().all(|m| *m == 0.0 || *m == 1.0));
        }
        assert_ne!(by_seed[0], by_seed[1]);
    }
}
