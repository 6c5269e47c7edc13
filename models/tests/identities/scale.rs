//! Folding of learned scales and centers, and invariance to the size of normalized weights.

use crate::support::testing::{assert_close, distance, for_each_device, values};
use crate::support::training::{Optimizer, Rule, Trial};
use crate::support::{ByPath, batch, cnn, double, edit, mlp, normals, normed, parameters};
use ablate_kernels::Padding;
use ablate_models::block::{BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::dropout::DropoutConfig;
use ablate_models::init::WeightInit;
use ablate_models::inspect::{FoldError, fold_centers_after, fold_scales, fold_scales_after};
use ablate_models::linear::LinearConfig;
use ablate_models::norm::{BatchNormConfig, Norm, NormConfig};
use ablate_models::zoo::{Model, ModelConfig};
use ablate_models::{Activation, Pass, Start};
use burn::module::Module;
use burn::tensor::{Tensor, activation};

const ROWS: usize = 8;

/// Both kinds of model, with every operation that commutes with folding.
fn models(block: &BlockConfig) -> [ModelConfig; 3] {
    [
        mlp(block.clone()),
        cnn(Pool::Max, block.clone()),
        cnn(Pool::Average, block.clone()),
    ]
}

/// A trained net with start scales of both signs and absolute values from 0.4 to 2.5.
fn trained(config: &ModelConfig, start: &Start) -> Trial {
    let optimizer = Optimizer::new(Rule::Sgd { momentum: 0.9 }, 0.05, 0.01);
    let mut trial = Trial::new(config, start, optimizer);
    trial.model = edit(trial.model, |path, list| {
        if path.ends_with("scale") {
            let factors = [-0.4, 2.5, 0.7, -1.8];
            list.iter_mut()
                .zip(factors.iter().cycle())
                .for_each(|(g, f)| *g *= f);
        }
    });
    trial.steps(5, ROWS);
    trial
}

/// The largest difference of a logit on the same examples, relative to the largest logit.
fn relative_distance(a: &Model, b: &Model, start: &Start, pass: &Pass) -> f64 {
    let logits = |model: &Model| values(model.forward(batch(start, 99, ROWS).0, pass));
    let (a, b) = (logits(a), logits(b));
    let size = a.iter().fold(0.0f64, |size, x| size.max(x.abs()));
    distance(&a, &b) / size
}

fn with_dropout(activation: Activation) -> BlockConfig {
    BlockConfig {
        dropout: DropoutConfig {
            rate: 0.25,
            conv_rate: 0.25,
            ..DropoutConfig::default()
        },
        ..normed(activation, true, true)
    }
}

#[test]
fn scales_fold_exactly_if_the_activation_is_homogeneous() {
    for_each_device(|device| {
        let start = double(device);
        for activation in Activation::ALL {
            for config in models(&with_dropout(activation)) {
                let model = trained(&config, &start).model;
                let folded = fold_scales(model.clone()).expect("the net has scales");
                for (path, scales) in parameters(&folded) {
                    let ones = scales.iter().all(|g| g.abs() == 1.0);
                    assert!(ones || !path.ends_with("scale"), "{path}: {scales:?}");
                }
                let apart = relative_distance(&model, &folded, &start, &Pass::evaluate());
                if activation.is_positively_homogeneous() {
                    assert!(apart < 1e-12, "{activation:?}: {apart:e}");
                    // Dropout masks commute with folding, too.
                    let apart = relative_distance(&model, &folded, &start, &Pass::train_at(3));
                    assert!(apart < 1e-12, "{activation:?} in training: {apart:e}");
                } else {
                    assert!(apart > 1e-3, "{activation:?}: {apart:e}");
                }
            }
        }
    });
}

#[test]
fn zero_scales_are_not_folded() {
    for_each_device(|device| {
        let start = double(device);
        let mut model = trained(&mlp(normed(Activation::Relu, true, true)), &start).model;
        model = edit(model, |path, list| {
            if path.ends_with("scale") {
                list[1] = 0.0;
            }
        });
        let folded = fold_scales(model.clone()).expect("the net has scales");
        let apart = relative_distance(&model, &folded, &start, &Pass::evaluate());
        assert!(apart < 1e-12, "{apart:e}");
    });
}

#[test]
fn folding_is_exact_for_abs_but_not_for_softmax() {
    type Function = fn(Tensor<2>) -> Tensor<2>;
    let cases: [(Function, bool); 3] = [
        (|x| activation::relu(x), true),
        (|x| x.abs(), true),
        (|x| activation::softmax(x, 1), false),
    ];
    for_each_device(|device| {
        let start = double(device);
        let z: Tensor<2> = start.tensor(normals("z", 20), [5, 4]);
        let gamma: Tensor<2> = start.tensor(vec![-0.4, 2.5, 0.7, -1.8], [1, 4]);
        let beta: Tensor<2> = start.tensor(vec![0.3, -0.2, 0.1, 0.5], [1, 4]);
        let weight: Tensor<2> = start.tensor(normals("weight", 12), [4, 3]);
        for (f, holds) in cases {
            let plain = f(z.clone() * gamma.clone() + beta.clone()).matmul(weight.clone());
            let size = gamma.clone().abs();
            let inner = z.clone() * gamma.clone().sign() + beta.clone() / size.clone();
            let folded = f(inner).matmul(weight.clone() * size.transpose());
            let apart = distance(&values(plain), &values(folded));
            assert!(
                if holds { apart < 1e-13 } else { apart > 1e-3 },
                "{apart:e}"
            );
        }
    });
}

#[test]
fn residual_connections_and_other_positions_are_rejected() {
    for_each_device(|device| {
        let start = double(device);
        let fold = |config: ModelConfig| {
            let model = config.init([8, 8, 1], 3, &start).expect("can be built");
            fold_scales(model).map(drop)
        };
        let block = normed(Activation::Relu, true, true);
        let residual = ModelConfig::Cnn(CnnConfig {
            channels: vec![2],
            convs: 2,
            kernel: 3,
            padding: Padding::Same,
            first_padding: None,
            pool: Pool::Max,
            residual: true,
            dense: vec![],
            block: block.clone(),
        });
        let after = mlp(BlockConfig {
            position: Position::After,
            ..block
        });
        let unscaled = mlp(normed(Activation::Relu, false, true));
        assert_eq!(fold(residual), Err(FoldError::Residual));
        assert_eq!(fold(after), Err(FoldError::Position));
        assert_eq!(fold(unscaled), Err(FoldError::Nothing("scale")));
        assert_eq!(
            fold(mlp(BlockConfig::default())),
            Err(FoldError::Nothing("scale"))
        );
    });
}

#[test]
fn weight_decay_acts_differently_on_the_folded_net() {
    for_each_device(|device| {
        let start = double(device);
        let config = mlp(normed(Activation::Relu, true, true));
        let net = trained(&config, &start).model;
        let folded = parameters(&fold_scales(net.clone()).expect("the net has scales"));
        let penalty = |all: &ByPath| -> f64 { all["Mlp.head.weight"].iter().map(|w| w * w).sum() };
        let (ours, theirs) = (penalty(&parameters(&net)), penalty(&folded));
        assert!((ours / theirs - 1.0).abs() > 0.05, "{ours} and {theirs}");

        // Both nets compute the same function before a step, but not after it.
        let step = |all: &ByPath| {
            let optimizer = Optimizer::new(Rule::Sgd { momentum: 0.0 }, 0.05, 0.5);
            let mut trial = Trial::new(&config, &start, optimizer);
            trial.model = edit(trial.model, |path, list| list.clone_from(&all[path]));
            [trial.step(ROWS).logits, trial.step(ROWS).logits]
        };
        let (ours, theirs) = (step(&parameters(&net)), step(&folded));
        assert_close(&ours[0], &theirs[0], 1e-12);
        assert!(distance(&ours[1], &theirs[1]) > 1e-3);
    });
}

/// Relative distance of a trained net with norms after the activation from the folded net.
fn fold_after(config: &ModelConfig, start: &Start, center: bool) -> f64 {
    let net = edit(trained(config, start).model, |path, list| {
        if path.ends_with("center") {
            list.iter_mut().for_each(|beta| *beta += 0.4);
        }
    });
    let mut folded = fold_scales_after(net.clone()).expect("the net has scales");
    if center {
        folded = fold_centers_after(folded).expect("the net has centers");
    }
    relative_distance(&net, &folded, start, &Pass::evaluate())
}

#[test]
fn norms_after_the_activation_fold_into_a_dense_layer() {
    for_each_device(|device| {
        for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
            let config = mlp(BlockConfig {
                position: Position::After,
                ..normed(activation, true, true)
            });
            for center in [false, true] {
                let apart = fold_after(&config, &double(device), center);
                assert!(apart < 1e-12, "{activation:?}: {apart:e}");
            }
        }
    });
}

#[test]
fn only_scales_fold_into_a_zero_padded_convolution() {
    for_each_device(|device| {
        for (kernel, pool, center, holds) in [
            (3, Pool::None, false, true),
            (3, Pool::Max, false, true),
            (3, Pool::None, true, false),
            (1, Pool::None, true, true),
            (1, Pool::Max, true, true),
        ] {
            let config = ModelConfig::Cnn(CnnConfig {
                channels: vec![3, 4],
                convs: 1,
                kernel,
                padding: Padding::Same,
                first_padding: None,
                pool,
                residual: false,
                dense: vec![5],
                block: BlockConfig {
                    position: Position::After,
                    ..normed(Activation::Relu, true, true)
                },
            });
            let apart = fold_after(&config, &double(device), center);
            let as_expected = if holds { apart < 1e-12 } else { apart > 1e-3 };
            assert!(as_expected, "kernel {kernel}, center {center}: {apart:e}");
        }
    });
}

/// A batch norm without scale and center.
fn bare(epsilon: f64, start: &Start) -> Norm {
    let config = NormConfig::Batch(BatchNormConfig {
        scale: false,
        center: false,
        epsilon,
        ..BatchNormConfig::default()
    });
    let norm = config.init(4, 0.0, start).expect("any channels will do");
    norm.expect("a batch norm")
}

#[test]
fn batch_norm_cancels_the_size_of_the_weights() {
    for_each_device(|device| {
        let start = double(device);
        let wu: Tensor<3> = start.tensor(normals("wu", 36), [1, 9, 4]);
        let normal = |factor: f64, epsilon: f64| {
            let x = wu.clone() * factor;
            values(bare(epsilon, &start).forward(x, 1, &Pass::evaluate_on_batch()))
        };
        for a in [0.01, 0.5, 3.0, 100.0] {
            assert_close(&normal(a, 0.0), &normal(1.0, 0.0), 1e-13);
            // A factor acts exactly like an epsilon divided by its square.
            assert_close(&normal(a, 1e-3), &normal(1.0, 1e-3 / (a * a)), 1e-13);
        }
        assert!(distance(&normal(0.01, 1e-3), &normal(1.0, 1e-3)) > 1e-1);
        assert!(distance(&normal(100.0, 1e-3), &normal(1.0, 1e-3)) > 1e-5);
    });
}

#[test]
fn gradient_is_orthogonal_to_normalized_weights() {
    for_each_device(|device| {
        let start = double(device);
        let config = LinearConfig {
            inputs: 5,
            outputs: 4,
            bias: None,
            init: WeightInit::HeNormal,
        };
        let linear = config.init("linear", &start);
        let inner_products = |epsilon: f64| {
            let u = start.tensor(normals("u", 45), [1, 9, 5]);
            let pull = start.tensor(normals("pull", 36), [1, 9, 4]);
            let y = bare(epsilon, &start).forward(linear.forward(u), 1, &Pass::train_at(0));
            let gradients = (y.tanh() * pull).sum().backward();
            let dw = linear.weight.val().grad(&gradients).expect("a gradient");
            let products = linear.weight.val().inner() * dw;
            values(products.sum_dim(1))
        };
        assert_close(&inner_products(0.0), &[0.0; 4], 1e-14);
        let off = distance(&inner_products(1e-2), &[0.0; 4]);
        assert!(off > 1e-4, "{off:e}");
    });
}

#[test]
fn trained_net_is_invariant_to_the_size_of_normalized_weights() {
    for_each_device(|device| {
        let start = double(device);
        let block = BlockConfig {
            norm: NormConfig::Batch(BatchNormConfig {
                epsilon: 1e-14,
                ..BatchNormConfig::default()
            }),
            ..BlockConfig::default()
        };
        let net = trained(&mlp(block), &start).model;
        let scaled = edit(net.clone(), |path, list| {
            if path.contains("blocks") && path.ends_with("weight") {
                list.iter_mut().for_each(|w| *w *= 3.0);
            }
        });
        let pass = Pass::evaluate_on_batch();
        let apart = relative_distance(&net, &scaled, &start, &pass);
        assert!(apart < 1e-11, "{apart:e}");
        // The running averages still belong to the old size.
        let (net, scaled) = (net.valid(), scaled.valid());
        let apart = relative_distance(&net, &scaled, &start, &Pass::evaluate());
        assert!(apart > 1e-2, "{apart:e}");
    });
}
