//! The paired design: models of one seed share start weights and masks, and a replica of a stack is
//! bit-identical to the same seed alone.

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_kernels::Padding;
use ablate_models::block::{Bias, BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::dropout::{Dropout, DropoutConfig, DropoutKind};
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::{LayerNormConfig, NormConfig};
use ablate_models::resnet::ResnetConfig;
use ablate_models::zoo::{Model, ModelConfig};
use ablate_models::{Activation, Pass, Start};
use burn::tensor::{DType, Device, Tensor};
use support::testing::{for_each_device, values};
use support::training::{Optimizer, Rule, Trial};
use support::{ByPath, CLASSES, INPUT, cnn, mlp, normed, parameters, tensors};

const ROWS: usize = 8;

fn build(config: &ModelConfig, start: &Start) -> Model {
    config.init(INPUT, CLASSES, start).expect("can be built")
}

fn dropping() -> DropoutConfig {
    DropoutConfig {
        rate: 0.5,
        conv_rate: 0.25,
        input_rate: 0.1,
        ..DropoutConfig::default()
    }
}

/// Arms that differ from plain ReLU blocks in one setting each.
fn arms() -> Vec<BlockConfig> {
    let plain = BlockConfig::default;
    vec![
        BlockConfig {
            bias: Bias::Off,
            ..plain()
        },
        BlockConfig {
            dropout: dropping(),
            ..plain()
        },
        BlockConfig {
            activation: Activation::Tanh,
            ..plain()
        },
        normed(Activation::Relu, true, true),
        normed(Activation::Relu, false, false),
        BlockConfig {
            position: Position::After,
            ..normed(Activation::Relu, true, true)
        },
        BlockConfig {
            norm: NormConfig::Layer(LayerNormConfig::default()),
            ..plain()
        },
    ]
}

/// Asserts that `arm` has every weight of `base`, and that shared parameters are equal.
#[track_caller]
fn assert_shared(base: &ByPath, arm: &ByPath) {
    for (path, list) in base {
        match arm.get(path) {
            Some(other) => assert_eq!(list, other, "{path} differs"),
            None => assert!(path.ends_with("bias"), "{path} is missing"),
        }
    }
}

#[test]
fn changing_one_setting_keeps_the_other_start_values() {
    for_each_device(|device| {
        let start = Start::new([3, 4], device);
        for model in [mlp, |block| cnn(Pool::Max, block)] {
            let base = parameters(&build(&model(BlockConfig::default()), &start));
            for arm in arms() {
                assert_shared(&base, &parameters(&build(&model(arm), &start)));
            }
            let other = Start::new([5, 6], device);
            let moved = parameters(&build(&model(BlockConfig::default()), &other));
            let weights = base.iter().filter(|(path, _)| path.ends_with("weight"));
            for (path, list) in weights {
                assert_ne!(list, &moved[path], "{path} does not depend on the seed");
            }
        }
    });
}

#[test]
fn adding_a_layer_keeps_the_other_start_values() {
    for_each_device(|device| {
        let start = Start::new([3], device);
        let of = |hidden: &[usize]| {
            let config = ModelConfig::Mlp(MlpConfig {
                hidden: hidden.to_vec(),
                block: BlockConfig::default(),
                last_block: None,
            });
            parameters(&build(&config, &start))
        };
        assert_shared(&of(&[7, 6]), &of(&[7, 6, 6]));
    });
}

#[test]
fn start_values_are_bit_identical_on_all_devices() {
    let starts = std::cell::RefCell::new(Vec::new());
    for_each_device(|device| {
        for start in [
            Start::new([3, 4], device),
            Start::new([3, 4], device).double(),
        ] {
            for config in [
                mlp(normed(Activation::Relu, true, true)),
                cnn(Pool::Max, arms().remove(1)),
            ] {
                let key = (
                    format!("{:?} {config:?}", start.dtype),
                    tensors(&build(&config, &start)),
                );
                starts.borrow_mut().push(key);
            }
        }
    });
    let starts = starts.into_inner();
    for (key, tensors) in &starts {
        let twin = starts.iter().rfind(|(other, _)| other == key);
        assert_eq!(Some(tensors), twin.map(|(_, tensors)| tensors));
    }
}

/// The masks of every dropout layer of `model` for a batch of `rows` examples.
fn masks(model: &Model, rows: usize, pass: &Pass) -> Vec<Vec<f64>> {
    let conv = model.conv_blocks().map(|block| &block.epilogue.dropout);
    let dense = model
        .dense_blocks()
        .iter()
        .map(|block| &block.epilogue.dropout);
    let mask = |dropout: &Dropout| {
        let weight = model.head().expect("a head").weight.val();
        let shape = [weight.dims()[0], rows, 5];
        let ones = Tensor::<3>::ones(shape, (&weight.device(), weight.dtype()));
        values(dropout.forward(ones, 1, pass))
    };
    conv.chain(dense).flatten().map(mask).collect()
}

#[test]
fn arms_of_one_seed_have_the_same_masks() {
    for_each_device(|device| {
        let start = Start::new([3, 4], device);
        for model in [mlp, |block| cnn(Pool::Max, block)] {
            let of = |block: BlockConfig| {
                let block = BlockConfig {
                    dropout: dropping(),
                    ..block
                };
                masks(&build(&model(block), &start), ROWS, &Pass::train_at(7))
            };
            let base = of(BlockConfig::default());
            assert!(base.len() > 1 && base[0] != base[1]);
            for arm in arms() {
                assert_eq!(of(arm), base);
            }
        }
    });
}

#[test]
fn masks_depend_only_on_seed_path_step_and_index() {
    for kind in [DropoutKind::Bernoulli, DropoutKind::Gaussian] {
        let seen = std::cell::RefCell::new(Vec::new());
        for_each_device(|device| {
            let single = Start::new([3], device);
            let mask = |start: &Start, path: &str, rows: usize, step: u64| {
                let dropout = Dropout::of_kind(kind, 0.5, false, path, start).expect("it drops");
                let ones = vec![1.0; start.replicas() * rows * 10];
                let ones = start.tensor(ones, [start.replicas(), rows, 10]);
                values(dropout.forward(ones, 1, &Pass::train_at(step)))
            };
            let base = mask(&single, "a", 30, 7);
            assert_eq!(mask(&single, "a", 30, 7), base);
            assert_eq!(mask(&single.clone().double(), "a", 30, 7), base);
            assert_eq!(mask(&single, "a", 20, 7), base[..200]);
            assert_eq!(mask(&Start::new([9, 3], device), "a", 30, 7)[300..], base);
            assert_ne!(mask(&Start::new([4], device), "a", 30, 7), base);
            assert_ne!(mask(&single, "b", 30, 7), base);
            assert_ne!(mask(&single, "a", 30, 8), base);
            seen.borrow_mut().push(base);
        });
        let seen = seen.into_inner();
        assert!(seen.iter().all(|mask| *mask == seen[0]));
    }
}

/// MLPs and convolutional nets with batch norm and dropout, each with a batch size. The last two are
/// large enough for kernels to use several threads.
fn stacked_models() -> Vec<(ModelConfig, usize)> {
    let block = BlockConfig {
        dropout: dropping(),
        ..normed(Activation::Relu, true, true)
    };
    let convolutions = |channels: &[usize], pool, convs| {
        ModelConfig::Cnn(CnnConfig {
            channels: channels.to_vec(),
            convs,
            kernel: 3,
            padding: Padding::Same,
            first_padding: None,
            pool,
            residual: convs > 1,
            dense: vec![],
            block: block.clone(),
        })
    };
    let residual = |channels: &[usize]| {
        let mut block = block.clone();
        block.dropout.rate = 0.0;
        ModelConfig::Resnet(ResnetConfig {
            block,
            ..ResnetConfig::new(channels)
        })
    };
    let wide = ModelConfig::Mlp(MlpConfig {
        hidden: vec![160, 130],
        block: block.clone(),
        last_block: None,
    });
    let noisy = BlockConfig {
        dropout: DropoutConfig {
            kind: DropoutKind::Gaussian,
            ..dropping()
        },
        ..block.clone()
    };
    vec![
        (mlp(block.clone()), ROWS),
        (mlp(noisy), ROWS),
        (cnn(Pool::Max, block.clone()), ROWS),
        (convolutions(&[4], Pool::Average, 2), ROWS),
        (residual(&[4, 6]), ROWS),
        (wide, 96),
        (convolutions(&[16, 32], Pool::Max, 1), 96),
        (residual(&[16, 32]), 96),
    ]
}

/// Number of values of replica `r` of `stacked` that are not bit-identical to `alone`.
fn differing(stacked: &[f64], alone: &[f64], r: usize) -> usize {
    let mine = &stacked[r * alone.len()..(r + 1) * alone.len()];
    let pairs = mine.iter().zip(alone);
    pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count()
}

fn all_differing(stacked: &ByPath, alone: &ByPath, r: usize) -> usize {
    assert!(stacked.keys().eq(alone.keys()));
    let pairs = stacked.values().zip(alone.values());
    pairs.map(|(all, one)| differing(all, one, r)).sum()
}

/// Number of logits, gradients, parameters and running averages that differ between stacked and single
/// training over several steps.
fn replica_errors(
    (config, rows): &(ModelConfig, usize),
    rule: Rule,
    dtype: DType,
    device: &Device,
) -> usize {
    let seeds = [5, 1, 8];
    let trial = |seeds: &[u64]| {
        let start = Start {
            dtype,
            ..Start::new(seeds, &device.clone().autodiff())
        };
        Trial::new(config, &start, Optimizer::new(rule, 0.02, 1e-3))
    };
    let mut stack = trial(&seeds);
    let mut alone = seeds.map(|seed| trial(&[seed]));
    let mut errors = 0;
    for _ in 0..4 {
        let all = stack.step(*rows);
        for (r, one) in alone.iter_mut().enumerate() {
            let one = one.step(*rows);
            errors += differing(&all.logits, &one.logits, r);
            errors += all_differing(&all.gradients, &one.gradients, r);
        }
    }
    let (all, logits) = (tensors(&stack.model), stack.evaluate(*rows));
    for (r, one) in alone.iter().enumerate() {
        errors += all_differing(&all, &tensors(&one.model), r);
        errors += differing(&logits, &one.evaluate(*rows), r);
    }
    errors
}

#[test]
fn replicas_are_bit_identical_to_single_seeds() {
    for_each_device(|device| {
        for model in stacked_models() {
            for rule in [Rule::Sgd { momentum: 0.9 }, Rule::Adam] {
                for dtype in [DType::F32, DType::F64] {
                    let errors = replica_errors(&model, rule, dtype, device);
                    assert_eq!(errors, 0, "{device:?} {dtype:?} {rule:?} {model:?}");
                }
            }
        }
    });
}
