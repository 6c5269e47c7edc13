//! Weights in PyTorch's names and layouts: a plain interpreter of the exported layers computes the same
//! logits, and what is not the model's is refused.

#[expect(dead_code, reason = "each test uses a part of it")]
#[path = "../support/mod.rs"]
mod support;

mod damaged;
mod reference;

use ablate_kernels::{Activation, Padding};
use ablate_models::block::{Bias, BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::dropout::{DropoutConfig, Placement};
use ablate_models::interchange::{LayerKind, Network, Weights, WeightsError};
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::resnet::ResnetConfig;
use ablate_models::zoo::{Model, ModelConfig, PRESETS};
use ablate_models::{Pass, Start};
use burn::tensor::Tensor;
use support::normals;
use support::testing::{for_each_device, values};

const INPUT: [usize; 3] = [6, 5, 2];
const CLASSES: usize = 3;

/// Batch, layer and group norm and scale and center alone, with every combination of scale and center.
fn norms() -> Vec<NormConfig> {
    let mut norms = vec![
        NormConfig::None,
        NormConfig::Batch(BatchNormConfig {
            bias_correction: true,
            epsilon: 1e-3,
            ..BatchNormConfig::default()
        }),
    ];
    norms.extend(support::norms());
    norms
}

fn blocks() -> Vec<BlockConfig> {
    let mut activations = Activation::ALL.into_iter().cycle();
    let mut blocks = Vec::new();
    for norm in norms() {
        for position in [Position::Before, Position::After] {
            for bias in [Bias::On, Bias::Off] {
                let placement = match norm.is_some() && bias == Bias::On {
                    true => Placement::BeforeNorm,
                    false => Placement::End,
                };
                blocks.push(BlockConfig {
                    activation: activations.next().unwrap_or_default(),
                    norm: norm.clone(),
                    position,
                    bias,
                    dropout: DropoutConfig {
                        rate: 0.25,
                        conv_rate: 0.25,
                        input_rate: 0.1,
                        placement,
                        ..DropoutConfig::default()
                    },
                    ..BlockConfig::default()
                });
            }
        }
    }
    blocks
}

fn mlp(block: BlockConfig) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig {
        hidden: vec![8, 6],
        block,
        last_block: None,
    })
}

fn cnn(block: BlockConfig, kernel: usize, pool: Pool, residual: bool) -> ModelConfig {
    ModelConfig::Cnn(CnnConfig {
        channels: vec![4, 6],
        convs: 2,
        kernel,
        padding: Padding::Same,
        first_padding: None,
        pool,
        residual,
        dense: vec![8],
        block,
    })
}

fn resnet(mut block: BlockConfig, kernel: usize) -> ModelConfig {
    block.dropout.rate = 0.0;
    ModelConfig::Resnet(ResnetConfig {
        channels: vec![4, 6],
        units: 2,
        kernel,
        block,
    })
}

fn models() -> Vec<ModelConfig> {
    let mut models = Vec::new();
    for (i, block) in blocks().into_iter().enumerate() {
        models.push(mlp(block.clone()));
        models.push(resnet(block.clone(), 3 + i % 3));
        models.push(match i % 4 {
            0 => cnn(block, 3, Pool::Max, false),
            1 => cnn(block, 2, Pool::Average, true),
            2 => cnn(block, 3, Pool::Stride, true),
            _ => cnn(block, 4, Pool::Max, true),
        });
    }
    let valid = cnn(BlockConfig::default(), 2, Pool::None, false);
    if let ModelConfig::Cnn(config) = valid {
        models.push(ModelConfig::Cnn(CnnConfig {
            padding: Padding::Valid,
            dense: Vec::new(),
            ..config
        }));
    }
    models.push(ModelConfig::Mlp(MlpConfig {
        hidden: Vec::new(),
        block: BlockConfig::default(),
        last_block: None,
    }));
    models
}

/// Weights of `network` with random values wherever the model has a parameter.
fn random(network: &Network, start: &Start) -> Weights {
    let model = build(network, start);
    let mut weights = network.export(&model, 0).expect("can be exported");
    let layers = network.layers().iter().flat_map(|layer| layer.flat());
    for layer in layers {
        let (scale, center) = match layer.kind {
            LayerKind::Norm { scale, center, .. } => (scale, center),
            _ => (true, true),
        };
        for (part, learned) in [
            ("weight", scale),
            ("bias", center),
            ("running_mean", true),
            ("running_var", true),
        ] {
            let name = format!("{}.{part}", layer.name);
            let Some(tensor) = weights.0.get_mut(&name).filter(|_| learned) else {
                continue;
            };
            let draws = normals(&name, tensor.values.len());
            for (value, draw) in tensor.values.iter_mut().zip(draws) {
                *value = match part {
                    "running_var" => (0.3 + draw * draw) as f32,
                    _ => draw as f32,
                };
            }
        }
    }
    weights
}

fn build(network: &Network, start: &Start) -> Model {
    let (input, classes) = (network.input(), network.classes());
    let model = network.config().init(input, classes, start);
    model.expect("can be built")
}

fn network(config: ModelConfig) -> Network {
    Network::new(config, INPUT, CLASSES).expect("a valid model")
}

fn images(start: &Start, rows: usize) -> Tensor<3> {
    let features: usize = INPUT.iter().product();
    start.tensor(normals("images", rows * features), [1, rows, features])
}

#[test]
fn exported_layers_compute_the_logits_of_the_model() {
    const ROWS: usize = 3;
    for_each_device(|device| {
        let start = Start::new([3], device).double();
        for config in models() {
            let network = network(config);
            let weights = random(&network, &start);
            let model = network.import(&weights, &start).expect("fits");
            let x = images(&start, ROWS);
            let ours = values(model.forward(x.clone(), &Pass::evaluate()));
            for (row, image) in values(x).chunks(INPUT.iter().product()).enumerate() {
                let theirs = reference::logits(&network, &weights, image);
                for (a, b) in ours[row * CLASSES..].iter().zip(&theirs) {
                    let bound = 1e-9 * (1.0 + b.abs());
                    assert!(
                        (a - b).abs() < bound,
                        "{a} against {b}: {:?}",
                        network.config()
                    );
                }
            }
        }
    });
}

#[test]
fn weights_return_with_every_bit() {
    for_each_device(|device| {
        let start = Start::new([3], device);
        for config in models() {
            let network = network(config);
            let weights = random(&network, &start);
            let bytes = weights.to_safetensors().expect("small");
            let read = Weights::from_safetensors(&bytes).expect("as written");
            assert_eq!(read, weights);
            let model = network.import(&read, &start).expect("fits");
            let again = network.export(&model, 0).expect("can be exported");
            assert_eq!(again, weights, "{:?}", network.config());
            assert_eq!(again.to_safetensors().expect("small"), bytes);
        }
    });
}

#[test]
fn a_replica_of_a_stack_is_exported_as_if_alone() {
    for_each_device(|device| {
        let network = network(cnn(BlockConfig::default(), 3, Pool::Max, false));
        let stack = build(&network, &Start::new([5, 8], device));
        let alone = build(&network, &Start::new([8], device));
        let weights = network.export(&stack, 1).expect("two replicas");
        assert_eq!(weights, network.export(&alone, 0).expect("one replica"));
        let error = network.export(&stack, 2).expect_err("no third replica");
        assert!(matches!(error, WeightsError::OtherModel(_)), "{error}");
    });
}

#[test]
fn layers_have_the_parameters_and_arithmetic_of_the_model() {
    let presets = PRESETS.iter().map(|p| (p.config(), p.input, p.classes));
    let own = models().into_iter().map(|config| (config, INPUT, CLASSES));
    for (config, input, classes) in presets.chain(own) {
        let network = Network::new(config, input, classes).expect("a valid model");
        let cost = network
            .config()
            .cost(input, classes)
            .expect("a valid model");
        let layers = network.layers().iter();
        let found = layers.fold((0, 0), |(parameters, multiply_adds), layer| {
            (
                parameters + layer.parameters(),
                multiply_adds + layer.multiply_adds(),
            )
        });
        let expected = (cost.parameters, cost.multiply_adds);
        assert_eq!(found, expected, "{:?}", network.config());
    }
}

#[test]
fn python_code_has_the_layers_in_order() {
    let block = BlockConfig {
        norm: NormConfig::Batch(BatchNormConfig {
            scale: false,
            center: false,
            ..BatchNormConfig::default()
        }),
        ..BlockConfig::default()
    };
    let network = network(cnn(block, 3, Pool::Max, true));
    let expected = "\
from torch import nn


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


model = nn.Sequential(
    nn.Conv2d(2, 4, 3, padding=1),  # 0
    nn.BatchNorm2d(4, eps=1e-5, momentum=0.1, affine=False),  # 1
    nn.ReLU(),  # 2
    Residual(  # 3
        nn.Conv2d(4, 4, 3, padding=1),  # 3.0
        nn.BatchNorm2d(4, eps=1e-5, momentum=0.1, affine=False),  # 3.1
        nn.ReLU(),  # 3.2
    ),
    nn.MaxPool2d(2),  # 4
    nn.Conv2d(4, 6, 3, padding=1),  # 5
    nn.BatchNorm2d(6, eps=1e-5, momentum=0.1, affine=False),  # 6
    nn.ReLU(),  # 7
    Residual(  # 8
        nn.Conv2d(6, 6, 3, padding=1),  # 8.0
        nn.BatchNorm2d(6, eps=1e-5, momentum=0.1, affine=False),  # 8.1
        nn.ReLU(),  # 8.2
    ),
    nn.MaxPool2d(2),  # 9
    nn.Flatten(),  # 10
    nn.Linear(6, 8),  # 11
    nn.BatchNorm1d(8, eps=1e-5, momentum=0.1, affine=False),  # 12
    nn.ReLU(),  # 13
    nn.Linear(8, 3),  # 14
)
";
    assert_eq!(network.python(), expected);
}

#[test]
fn python_code_of_a_residual_net_has_both_kinds_of_shortcut() {
    let network = network(ModelConfig::Resnet(ResnetConfig::new([4, 6])));
    let expected = "\
from torch import nn


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Projected(nn.ModuleList):
    def forward(self, x):
        return self[1](x) + self[0](x)


model = nn.Sequential(
    nn.Conv2d(2, 4, 3, padding=1),  # 0
    nn.ReLU(),  # 1
    Residual(  # 2
        nn.Conv2d(4, 4, 3, padding=1),  # 2.0
        nn.ReLU(),  # 2.1
        nn.Conv2d(4, 4, 3, padding=1),  # 2.2
    ),
    nn.ReLU(),  # 3
    Projected([  # 4
        nn.Sequential(  # 4.0
            nn.Conv2d(4, 6, 3, stride=2, padding=1),  # 4.0.0
            nn.ReLU(),  # 4.0.1
            nn.Conv2d(6, 6, 3, padding=1),  # 4.0.2
        ),
        nn.Conv2d(4, 6, 1, stride=2, bias=False),  # 4.1
    ]),
    nn.ReLU(),  # 5
    nn.AdaptiveAvgPool2d(1),  # 6
    nn.Flatten(),  # 7
    nn.Linear(6, 3),  # 8
)
";
    assert_eq!(network.python(), expected);
}
