//! Requirements on every preset and every combination of norm, position, bias and dropout.

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_kernels::Padding;
use ablate_kernels::activation::Activation;
use ablate_models::Pass;
use ablate_models::Start;
use ablate_models::block::{Bias, BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::dropout::{DropoutConfig, DropoutKind, Placement};
use ablate_models::inspect::{Fill, HostMlp, Unit, UnitRemoval};
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::AffineConfig;
use ablate_models::norm::{BatchNormConfig, GroupNormConfig, LayerNormConfig, NormConfig};
use ablate_models::resnet::ResnetConfig;
use ablate_models::zoo::{Model, ModelConfig, PRESETS, preset};
use burn::tensor::{DType, Int, Tensor};
use support::testing::{distance, for_each_device, values};
use support::{edit, gradients, normals, parameters, tensors};

const INPUT: [usize; 3] = [5, 4, 2];
const CLASSES: usize = 3;
const ROWS: usize = 8;

fn norms() -> Vec<NormConfig> {
    let batch = |scale, center| {
        NormConfig::Batch(BatchNormConfig {
            scale,
            center,
            ..BatchNormConfig::default()
        })
    };
    vec![
        NormConfig::None,
        batch(true, true),
        batch(true, false),
        batch(false, true),
        batch(false, false),
        NormConfig::Batch(BatchNormConfig {
            ghost: Some(ROWS / 2),
            ..BatchNormConfig::default()
        }),
        NormConfig::Layer(LayerNormConfig::default()),
        NormConfig::Group(GroupNormConfig {
            groups: 2,
            scale: false,
            ..GroupNormConfig::default()
        }),
        NormConfig::Affine(AffineConfig::default()),
    ]
}

fn dropouts() -> [DropoutConfig; 4] {
    let of = |rate, placement, spatial| DropoutConfig {
        kind: DropoutKind::Bernoulli,
        rate,
        conv_rate: rate,
        input_rate: rate / 2.0,
        placement,
        spatial,
    };
    [
        of(0.0, Placement::End, false),
        of(0.2, Placement::End, true),
        of(0.2, Placement::BeforeNorm, false),
        DropoutConfig {
            kind: DropoutKind::Gaussian,
            ..of(0.2, Placement::End, true)
        },
    ]
}

/// Every valid combination of norm, position, bias and dropout. The activations take turns, except
/// `linear`, after which the next batch norm would cancel centers.
fn blocks() -> Vec<BlockConfig> {
    let mut blocks = Vec::new();
    let nonlinear = |activation: &Activation| *activation != Activation::Linear;
    let mut activations = Activation::ALL.into_iter().filter(nonlinear).cycle();
    for norm in norms() {
        for position in [Position::Before, Position::After] {
            for bias in [Bias::Auto, Bias::On, Bias::Off] {
                for dropout in dropouts() {
                    let block = BlockConfig {
                        activation: activations.next().unwrap_or_default(),
                        norm: norm.clone(),
                        position,
                        bias,
                        dropout,
                        ..BlockConfig::default()
                    };
                    blocks.extend(block.check().is_ok().then_some(block));
                }
            }
        }
    }
    blocks
}

fn models() -> Vec<ModelConfig> {
    let cnn = |block: &BlockConfig, pool, residual: bool| {
        ModelConfig::Cnn(CnnConfig {
            channels: vec![6],
            convs: 1 + usize::from(residual),
            kernel: 3,
            padding: Padding::Same,
            first_padding: None,
            pool,
            residual,
            dense: vec![8],
            block: block.clone(),
        })
    };
    let of = |block: &BlockConfig| {
        let mlp = ModelConfig::Mlp(MlpConfig {
            hidden: vec![8, 6],
            block: block.clone(),
            last_block: None,
        });
        [
            mlp,
            cnn(block, Pool::Max, false),
            cnn(block, Pool::Average, true),
        ]
    };
    blocks().iter().flat_map(of).collect()
}

fn labels(start: &Start, classes: usize) -> Tensor<2, Int> {
    let n = start.replicas() * ROWS;
    let labels: Vec<i64> = (0..n).map(|i| (i * 7 % classes) as i64).collect();
    let data = burn::tensor::TensorData::new(labels, [start.replicas(), ROWS]);
    Tensor::from_data(data, &start.device)
}

/// True if a batch norm follows the bias at `path` and cancels it. In a residual net only the inner
/// convolutions of units have dropout.
fn is_redundant(path: &str, block: &BlockConfig) -> bool {
    let has_dropout = !["stem", "outer"].iter().any(|part| path.contains(part));
    let drops = has_dropout
        && block.dropout.conv_rate > 0.0
        && block.dropout.placement == Placement::BeforeNorm;
    matches!(block.norm, NormConfig::Batch(_)) && block.position == Position::Before && !drops
}

/// Residual nets with every block that has a meaning for them.
fn resnets() -> Vec<ModelConfig> {
    let of = |mut block: BlockConfig| {
        block.dropout.rate = 0.0;
        ModelConfig::Resnet(ResnetConfig {
            units: 2,
            block,
            ..ResnetConfig::new([4, 6])
        })
    };
    blocks().into_iter().map(of).collect()
}

/// Asserts shapes, finite values, gradients of exactly the trained parameters, cost, and a difference
/// between training and evaluation exactly if the model has batch norm or dropout.
fn conforms(config: &ModelConfig, input: [usize; 3], classes: usize, start: &Start) {
    let rounding = if start.dtype == DType::F64 {
        1e-12
    } else {
        1e-4
    };
    let model = config.init(input, classes, start).expect("can be built");
    let features: usize = input.iter().product();
    let replicas = start.replicas();
    let x = normals("x", replicas * ROWS * features);
    let x: Tensor<3> = start.tensor(x, [replicas, ROWS, features]);

    let logits = model.forward(x.clone(), &Pass::train_at(0));
    assert_eq!(logits.dims(), [replicas, ROWS, classes]);
    let trained = values(logits.clone());
    let evaluated = values(model.forward(x, &Pass::evaluate()));
    assert_eq!(evaluated.len(), trained.len());
    assert!(trained.iter().chain(&evaluated).all(|x| x.is_finite()));
    let block = config.block().expect("a model of the zoo");
    let drops = block.dropout.rate.max(block.dropout.conv_rate) > 0.0;
    let modes_differ = drops || matches!(block.norm, NormConfig::Batch(_));
    let has_blocks = config.conv_widths().len() + config.dense_widths().len() > 0;
    let apart = distance(&trained, &evaluated);
    if modes_differ && has_blocks {
        assert!(apart > 1e-3, "training and evaluation agree: {apart:e}");
    } else {
        // In training a fused kernel may run, with other rounding in its elementary functions.
        assert!(apart <= rounding, "training is not evaluation: {apart:e}");
    }

    let loss = ablate_kernels::cross_entropy(logits, labels(start, classes)).sum();
    let found = gradients(&model, &loss.backward());
    let expected = parameters(&model);
    assert!(
        found.keys().eq(expected.keys()),
        "gradients of {:?}",
        found.keys()
    );
    for (path, gradient) in found {
        let size = gradient.iter().fold(0.0f64, |size, g| size.max(g.abs()));
        if path.ends_with("bias") && !path.contains("head") && is_redundant(&path, block) {
            assert!(size < 1e-6, "{path} has a gradient of {size:e}");
        } else {
            assert!(size > 1e-6, "{path} has no gradient to speak of: {size:e}");
        }
    }

    let cost = config.cost(input, classes).expect("can be built");
    assert_eq!(model.trained_parameters(), replicas * cost.parameters);
    let numbers: usize = expected.values().map(Vec::len).sum();
    assert_eq!(model.trained_parameters(), numbers);
}

#[test]
fn every_preset_conforms() {
    for_each_device(|device| {
        let start = Start::new([1, 2], &device.clone().autodiff());
        for preset in PRESETS {
            conforms(&preset.config(), preset.input, preset.classes, &start);
        }
    });
}

#[test]
fn every_combination_of_parts_conforms() {
    for_each_device(|device| {
        let start = Start::new([1, 2], &device.clone().autodiff()).double();
        for config in models().into_iter().chain(resnets()) {
            config.check().expect("the grid holds valid models");
            conforms(&config, INPUT, CLASSES, &start);
        }
    });
}

#[test]
fn only_batch_norm_has_running_averages() {
    for_each_device(|device| {
        let start = Start::new([1], device);
        for config in models() {
            let model = config.init(INPUT, CLASSES, &start).expect("can be built");
            let averages = tensors(&model).len() - parameters(&model).len();
            let layers = model.conv_blocks().count() + model.dense_blocks().len();
            let batch = matches!(config.block().unwrap().norm, NormConfig::Batch(_));
            assert_eq!(averages, if batch { 2 * layers } else { 0 });
        }
    });
}

#[test]
fn presets_are_listed_once_and_found_by_name() {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    let expected = [
        "linear",
        "mlp-digits",
        "mlp-digits-bn",
        "cnn-digits",
        "cnn-digits-bn",
        "mlp-mnist-bn",
        "cnn-mnist-bn",
        "resnet-mnist",
        "lenet5-mnist",
        "lenet5-cifar",
        "vgg-mnist",
        "vgg-cifar",
        "preact-resnet8-mnist",
        "preact-resnet20-cifar",
    ];
    assert_eq!(names, expected);
    for listed in PRESETS {
        let found = preset(listed.name).expect("listed presets are found");
        assert_eq!(found.config(), listed.config());
        assert_eq!(listed.config().check(), Ok(()));
        assert!(!listed.about.is_empty());
    }
    assert!(preset("mlp").is_none());
}

#[test]
fn costs_match_a_hand_computation() {
    let cost = |name: &str| {
        let preset = preset(name).expect("a preset");
        let cost = preset.config().cost(preset.input, preset.classes);
        let cost = cost.expect("presets can be built");
        (cost.parameters, cost.multiply_adds)
    };
    assert_eq!(cost("linear"), (650, 640));
    // 64 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10; batch norm adds one vector per layer.
    assert_eq!(cost("mlp-digits"), (26_122, 25_856));
    assert_eq!(cost("mlp-digits-bn"), (26_378, 25_856));
    // 9 * 16 + 16, 9 * 16 * 32 + 32, 2 * 2 * 32 * 64 + 64, 64 * 10 + 10.
    assert_eq!(
        cost("cnn-digits"),
        (13_706, 9 * 16 * 64 + 9 * 512 * 16 + 8192 + 640)
    );
    // LeCun et al. 1998, section II.B, with full connections in the second stage: 156 + 2,416 + 48,120 +
    // 10,164 + 850.
    let maps = 150 * 784 + 2_400 * 100;
    assert_eq!(cost("lenet5-mnist"), (61_706, maps + 48_000 + 10_080 + 840));
    // The first layer has three input channels: 456 in place of 156.
    let maps = 450 * 784 + 2_400 * 100;
    assert_eq!(cost("lenet5-cifar"), (62_006, maps + 48_000 + 10_080 + 840));
    // Convolutions of 9 weights per pair of channels at 28x28, 14x14 and 7x7, two projections, the head.
    let convolutions = 9 * (16 + 2 * 256) * 784
        + (9 * (512 + 1_024) + 512) * 196
        + (9 * (2_048 + 4_096) + 2_048) * 49;
    let weights = 9 * (16 + 512 + 512 + 1_024 + 2_048 + 4_096) + 512 + 2_048 + 640;
    // Scale and center behind the stem, in each unit, before the second and third unit, and at the end.
    let norms = 2 * (16 + (16 + 32 + 64) + 16 + 32 + 64);
    assert_eq!(
        cost("preact-resnet8-mnist"),
        (weights + norms + 10, convolutions + 640)
    );
}

#[test]
fn pooling_determines_the_head_size() {
    for_each_device(|device| {
        let start = Start::new([1], device);
        for (pool, input, expected) in [
            (Pool::Max, [28, 28, 1], [7, 7]),
            (Pool::Average, [29, 31, 3], [7, 7]),
            (Pool::Max, [7, 4, 1], [1, 1]),
            (Pool::None, [5, 3, 2], [5, 3]),
            (Pool::Stride, [9, 8, 1], [3, 2]),
        ] {
            let config = CnnConfig {
                channels: vec![2, 5],
                convs: 1,
                kernel: 3,
                padding: Padding::Same,
                first_padding: None,
                pool,
                residual: false,
                dense: vec![],
                block: BlockConfig::default(),
            };
            let [h, w] = expected;
            let sizes = config.sizes(input).expect("large enough");
            assert_eq!(sizes.concat().last(), Some(&[h, w, 5]));
            let model = ModelConfig::Cnn(config).init(input, 4, &start);
            let model: Model = model.expect("large enough");
            assert_eq!(model.head().unwrap().weight.val().dims(), [1, h * w * 5, 4]);
        }
    });
}

/// Mean loss of each replica in evaluation.
fn losses(model: &Model, x: Tensor<3>, labels: Tensor<2, Int>) -> Vec<f64> {
    values(ablate_kernels::cross_entropy(
        model.forward(x, &Pass::evaluate()),
        labels,
    ))
}

#[test]
fn host_mlp_matches_the_model_with_and_without_a_unit() {
    let device = burn::tensor::Device::flex();
    let start = Start::new([1, 2], &device).double();
    let features: usize = INPUT.iter().product();
    let x = || start.tensor(normals("x", 2 * ROWS * features), [2, ROWS, features]);
    let labels = || labels(&start, CLASSES);
    let numbers: Vec<usize> = (0..2 * ROWS).map(|i| i * 7 % CLASSES).collect();
    for config in models() {
        let model = config.init(INPUT, CLASSES, &start).expect("can be built");
        // Moves the running averages off their start values.
        model.forward(x(), &Pass::train_at(0));
        let norm = &config.block().unwrap().norm;
        let of_examples = matches!(norm, NormConfig::Layer(_) | NormConfig::Group(_));
        let Some(nets) = HostMlp::replicas_of(&model) else {
            assert!(of_examples, "{config:?} has no host MLP");
            continue;
        };
        assert!(!of_examples, "{config:?} has a host MLP");
        let inputs = values(model.features(x(), &Pass::evaluate()));
        let feeds = model.dense_blocks().len();
        let removed = Unit { feeds, index: 2 };
        let removals = nets.iter().zip(inputs.chunks_exact(inputs.len() / 2));
        let removals: Vec<UnitRemoval<'_>> = removals
            .zip(numbers.chunks_exact(ROWS))
            .map(|((net, inputs), labels)| UnitRemoval::new(net, inputs.to_vec(), 1, labels))
            .collect();
        let ours: Vec<f64> = removals.iter().map(|s| s.intact().nll).collect();
        assert!(distance(&ours, &losses(&model, x(), labels())) < 1e-9);
        let without = edit(model, |path, weight| {
            if path.ends_with("head.weight") {
                let rows = weight.len() / 2 / CLASSES;
                for row in [2, rows + 2] {
                    weight[row * CLASSES..(row + 1) * CLASSES].fill(0.0);
                }
            }
        });
        let less = removals
            .iter()
            .map(|s| s.without(&[removed], Fill::Zero).nll);
        let less: Vec<f64> = less.collect();
        assert!(distance(&less, &losses(&without, x(), labels())) < 1e-9);
        assert!(distance(&less, &ours) > 1e-6, "the unit does nothing");
    }
}

#[test]
fn last_block_changes_only_the_last_block() {
    for_each_device(|device| {
        let start = Start::new([1, 2], &device.clone().autodiff()).double();
        let norm = |scale| {
            NormConfig::Batch(BatchNormConfig {
                scale,
                ..BatchNormConfig::default()
            })
        };
        let block = |scale| BlockConfig {
            norm: norm(scale),
            ..BlockConfig::default()
        };
        let of = |last_block| {
            ModelConfig::Mlp(MlpConfig {
                hidden: vec![8, 7, 6],
                block: block(false),
                last_block,
            })
        };
        let (own, same) = (of(Some(block(true))), of(None));
        conforms(&own, INPUT, CLASSES, &start);
        let build = |config: &ModelConfig| config.init(INPUT, CLASSES, &start).expect("built");
        let scales = |model: &Model| -> Vec<bool> {
            let blocks = model.dense_blocks().iter();
            blocks
                .map(|b| {
                    b.epilogue
                        .norm
                        .as_ref()
                        .is_some_and(|n| n.affine().scale.is_some())
                })
                .collect()
        };
        assert_eq!(scales(&build(&own)), [false, false, true]);
        assert_eq!(scales(&build(&same)), [false; 3]);
        let parameters = |config: &ModelConfig| config.cost(INPUT, CLASSES).unwrap().parameters;
        assert_eq!(parameters(&own), parameters(&same) + 6);
        let weights = |config: &ModelConfig| -> Vec<Vec<f64>> {
            let model = build(config);
            let blocks = model.dense_blocks().iter();
            blocks.map(|b| values(b.linear.weight.val())).collect()
        };
        assert_eq!(weights(&own), weights(&same));
    });
}
