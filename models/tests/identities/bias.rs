//! `BN(W u + b) = BN(W u)`: a bias directly before a batch norm has no effect, also in training.

use crate::support::testing::{assert_close, distance, for_each_device};
use crate::support::training::{Optimizer, Rule, Trial};
use crate::support::{ByPath, cnn, double, edit, mlp, normed, parameters, tensors};
use ablate_models::Activation;
use ablate_models::block::{Bias, BlockConfig, InitConfig, Position};
use ablate_models::cnn::Pool;
use ablate_models::norm::{LayerNormConfig, NormConfig};
use ablate_models::zoo::ModelConfig;
use burn::tensor::Device;

const ROWS: usize = 8;
const STEPS: usize = 6;
const MOMENTUM: Rule = Rule::Sgd { momentum: 0.9 };
/// Optimizer, learning rate, weight decay, and a bound on rounding errors. Adam divides by the size of
/// the gradient and therefore amplifies rounding errors of small gradients.
const CASES: [(Rule, f64, f64, f64); 3] = [
    (MOMENTUM, 0.05, 0.01, 1e-12),
    (Rule::Adam, 0.01, 0.0, 1e-7),
    (Rule::Adam, 0.01, 0.01, 1e-7),
];

fn models(block: &BlockConfig) -> [ModelConfig; 2] {
    [mlp(block.clone()), cnn(Pool::Max, block.clone())]
}

fn with_bias(block: &BlockConfig, bias: Bias) -> BlockConfig {
    BlockConfig {
        bias,
        ..block.clone()
    }
}

/// Two trials that differ only in whether hidden blocks have biases.
fn with_and_without_bias(
    model: fn(BlockConfig) -> ModelConfig,
    block: &BlockConfig,
    device: &Device,
) -> [Trial; 2] {
    [Bias::On, Bias::Off].map(|bias| {
        let optimizer = Optimizer::new(MOMENTUM, 0.05, 0.01);
        Trial::new(&model(with_bias(block, bias)), &double(device), optimizer)
    })
}

/// The largest difference of a logit in training.
fn largest_difference(trials: &mut [Trial; 2]) -> f64 {
    let step = |trial: &mut Trial| trial.step(ROWS).logits;
    let [a, b] = trials;
    let each = (0..STEPS).map(|_| distance(&step(a), &step(b)));
    each.fold(0.0, f64::max)
}

fn hidden_biases(all: ByPath) -> ByPath {
    let hidden = |path: &String| path.ends_with("bias") && !path.contains("head");
    all.into_iter().filter(|(path, _)| hidden(path)).collect()
}

fn largest(all: &ByPath) -> f64 {
    let sizes = all.values().flatten().map(|value| value.abs());
    sizes.fold(0.0, f64::max)
}

#[test]
fn bias_before_batch_norm_has_no_effect_and_no_gradient() {
    for_each_device(|device| {
        for (scale, center) in [(false, false), (false, true), (true, false), (true, true)] {
            for (rule, rate, decay, bound) in CASES {
                let block = BlockConfig {
                    init: InitConfig {
                        bias: 0.3,
                        ..InitConfig::default()
                    },
                    ..normed(Activation::Relu, scale, center)
                };
                let with = models(&with_bias(&block, Bias::On));
                let without = models(&with_bias(&block, Bias::Off));
                for (with, without) in with.iter().zip(&without) {
                    let trial = |config| {
                        let optimizer = Optimizer::new(rule, rate, decay);
                        Trial::new(config, &double(device), optimizer)
                    };
                    let (mut with, mut without) = (trial(with), trial(without));
                    for _ in 0..STEPS {
                        let (a, b) = (with.step(ROWS), without.step(ROWS));
                        assert_close(&a.logits, &b.logits, bound);
                        let biases = hidden_biases(a.gradients);
                        assert!(biases.len() > 1 && hidden_biases(b.gradients).is_empty());
                        assert!(largest(&biases) < 1e-13, "{biases:?}");
                    }
                    let ours = parameters(&with.model);
                    for (path, expected) in parameters(&without.model) {
                        assert_close(&ours[&path], &expected, bound);
                    }
                    for bias in hidden_biases(ours).values() {
                        assert_close(bias, &vec![0.3; bias.len()], bound);
                    }
                }
            }
        }
    });
}

#[test]
fn bias_in_evaluation_acts_through_the_lagging_running_mean() {
    for_each_device(|device| {
        for corrected in [false, true] {
            let mut block = normed(Activation::Relu, true, true);
            block.init.bias = 0.3;
            if let NormConfig::Batch(c) = &mut block.norm {
                c.bias_correction = corrected;
            }
            let mut trials = with_and_without_bias(mlp, &block, device);
            assert!(largest_difference(&mut trials) < 1e-12);
            let [with, without] = trials;
            let running = |trial: &Trial| {
                let valid = burn::module::Module::valid(&trial.model);
                tensors(&valid)["Mlp.blocks.0.epilogue.norm.Batch.running.mean"].clone()
            };
            let share = 1.0 - 0.9f64.powi(STEPS as i32);
            let lead: Vec<f64> = running(&without).iter().map(|m| m + 0.3 * share).collect();
            assert_close(&running(&with), &lead, 1e-12);
            let gap = distance(&with.evaluate(ROWS), &without.evaluate(ROWS));
            if corrected {
                assert!(gap < 1e-12, "{gap:e}");
            } else {
                assert!(gap > 1e-3, "{gap:e}");
            }
        }
    });
}

#[test]
fn bias_has_an_effect_if_the_norm_is_after_the_activation() {
    for_each_device(|device| {
        let block = BlockConfig {
            position: Position::After,
            ..normed(Activation::Relu, true, true)
        };
        for model in [mlp, |block| cnn(Pool::Max, block)] {
            let apart = largest_difference(&mut with_and_without_bias(model, &block, device));
            assert!(apart > 1e-3, "{apart:e}");
        }
    });
}

#[test]
fn bias_has_an_effect_before_layer_norm() {
    for_each_device(|device| {
        let block = BlockConfig {
            norm: NormConfig::Layer(LayerNormConfig::default()),
            ..BlockConfig::default()
        };
        let apart = largest_difference(&mut with_and_without_bias(mlp, &block, device));
        assert!(apart > 1e-3, "{apart:e}");
    });
}

#[test]
fn bias_does_not_replace_a_missing_center() {
    for_each_device(|device| {
        for model in [mlp, |block| cnn(Pool::Max, block)] {
            let mut without_center =
                with_and_without_bias(model, &normed(Activation::Relu, true, false), device);
            let apart = largest_difference(&mut without_center);
            assert!(
                apart < 1e-12,
                "the bias has an effect without a center: {apart:e}"
            );
            let [_, centered] =
                with_and_without_bias(model, &normed(Activation::Relu, true, true), device);
            let [biased, _] =
                with_and_without_bias(model, &normed(Activation::Relu, true, false), device);
            let apart = largest_difference(&mut [biased, centered]);
            assert!(apart > 1e-3, "the center has no effect: {apart:e}");
        }
    });
}

#[test]
fn offset_has_an_effect_in_the_center_only() {
    for_each_device(|device| {
        let block = with_bias(&normed(Activation::Relu, true, true), Bias::On);
        let logits = |suffix: &str| {
            let optimizer = Optimizer::new(MOMENTUM, 0.0, 0.0);
            let mut trial = Trial::new(&mlp(block.clone()), &double(device), optimizer);
            trial.model = edit(trial.model, |path, list| {
                if path.ends_with(suffix) && !path.contains("head") {
                    list.iter_mut().for_each(|value| *value += 0.5);
                }
            });
            trial.step(ROWS).logits
        };
        let plain = logits("nothing");
        assert_close(&logits("bias"), &plain, 1e-12);
        assert!(distance(&logits("center"), &plain) > 1e-3);
    });
}
