//! Which parameters move, where training is confined to some of them.

use super::optimizer::group;
use crate::recipe::{ParameterGroup, Trained};
use ablate_models::zoo::Model;
use ablate_streams::{Purpose, Stream};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// What may move.
#[derive(Debug)]
pub(super) struct Restriction {
    /// The groups that may; all where absent.
    only: Option<Vec<Trained>>,
    /// 1 where a weight may move and 0 elsewhere, `[replicas, elements]` for each tensor of weights,
    /// in the order in which they are visited. Empty where all of them may.
    masks: Vec<Tensor<2>>,
}

impl Restriction {
    /// For a model whose replicas have `seeds`, before it moved.
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

    /// Whether parameters of `group` move, some of them at least.
    pub(super) fn moves(&self, group: Option<ParameterGroup>) -> bool {
        match (&self.only, group) {
            (None, _) => true,
            (Some(only), Some(group)) => only.iter().any(|part| part.covers(group)),
            (Some(_), None) => false,
        }
    }

    /// `gradient` of the `index`th parameter that moves, without what may not.
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

/// Elements a replica of each tensor of weights, and of all scales and centers.
#[derive(Default)]
struct ParameterCounts {
    weights: Vec<usize>,
    affine: usize,
    path: Vec<String>,
}

impl ModuleVisitor for ParameterCounts {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let elements = param.val().dims()[1..].iter().product();
        match self.path.last().and_then(|name| group(name)) {
            Some(ParameterGroup::Weight) => self.weights.push(elements),
            Some(ParameterGroup::Scale | ParameterGroup::Center) => self.affine += elements,
            Some(ParameterGroup::Bias) | None => {}
        }
    }
}

/// As many weights as there are scales and centers, drawn evenly from all of them.
fn masks(model: &Model, seeds: &[u64]) -> Vec<Tensor<2>> {
    let mut sizes = ParameterCounts::default();
    model.visit(&mut sizes);
    let all: usize = sizes.weights.iter().sum();
    let mut chosen: Vec<Vec<f32>> = sizes
        .weights
        .iter()
        .map(|&n| Vec::with_capacity(n * seeds.len()))
        .collect();
    for &seed in seeds {
        let stream = Stream::new(seed, Purpose::Trained, "");
        let mut moves = vec![0.0; all];
        for &place in stream.permutation(0, all).iter().take(sizes.affine) {
            moves[place as usize] = 1.0;
        }
        let mut rest = moves.as_slice();
        for (mask, &n) in chosen.iter_mut().zip(&sizes.weights) {
            let (own, others) = rest.split_at(n);
            mask.extend(own);
            rest = others;
        }
    }
    let weight = model.head().weight.val().inner();
    let like = (&weight.device(), weight.dtype());
    let tensor = |(mask, n): (Vec<f32>, &usize)| {
        let data = TensorData::new(mask, [seeds.len(), *n]).convert_dtype(weight.dtype());
        Tensor::from_data(data, like)
    };
    chosen.into_iter().zip(&sizes.weights).map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Evaluate, Length, Optimizer as Config, Schedule, TrainConfig};
    use crate::train::net::{Net, host};
    use crate::train::optimizer::Optimizer;
    use crate::train::parameters;
    use crate::train::schedule::RateAdjustment;
    use ablate_models::Start;
    use ablate_models::block::BlockConfig;
    use ablate_models::mlp::MlpConfig;
    use ablate_models::norm::{BatchNormConfig, NormConfig};
    use burn::tensor::{Device, Int};

    const SEEDS: [u64; 2] = [3, 4];

    /// Every parameter by path.
    fn values(model: &Model) -> Vec<(String, Vec<f32>)> {
        let values = parameters::values(model).into_iter();
        values.map(|(path, value)| (path, host(value))).collect()
    }

    /// Parameters whose numbers moved in three steps, with how many of each replica's did.
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
    fn only_the_groups_that_are_named_move() {
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
    fn as_many_random_weights_move_as_there_are_scales_and_centers() {
        for optimizer in [adam(), sgd()] {
            let found = moved(Some(vec![Trained::RandomWeights]), optimizer);
            assert!(found.iter().all(|(path, _)| path.ends_with("weight")));
            let count: usize = found.iter().map(|(_, count)| count).sum();
            // 6 + 5 channels, a scale and a center each, two replicas. A weight behind a unit that
            // no example activates has no gradient, so that a few may stand still.
            assert!((30..=44).contains(&count), "{found:?}");
        }
    }

    #[test]
    fn the_draw_is_of_the_asked_for_size_and_differs_between_seeds() {
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
