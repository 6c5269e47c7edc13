//! The residual net against a version in plain burn operations, channels first as burn-nn has them.

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_kernels::Padding;
use ablate_models::block::{Bias, BlockConfig, Epilogue, Position};
use ablate_models::conv::Conv2d;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::resnet::{Resnet, ResnetConfig, Unit};
use ablate_models::{Activation, Pass, Start};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, activation};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::testing::{distance, for_each_device, values};
use support::{double, edit, normals};

const EPSILON: f64 = 1e-3;

/// burn's convolution with the weights of ours.
fn convolve(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let (k, stride) = (layer.geometry.kernel, layer.geometry.stride);
    assert_eq!(layer.geometry.padding, Padding::Same);
    let weight = layer.weight.val();
    let [_, rows, outputs] = weight.dims();
    let weight: Tensor<4> = weight.reshape([k, k, rows / (k * k), outputs]);
    let bias = layer.bias.as_ref().map(|bias| bias.val().squeeze_dim(0));
    let options = ConvOptions::new([stride; 2], [(k - 1) / 2; 2], [1, 1], 1);
    conv2d(x, weight.permute([3, 2, 0, 1]), bias, options)
}

/// Norm with the statistics of the batch, and ReLU, in the order of the block.
fn ready(epilogue: &Epilogue, x: Tensor<4>) -> Tensor<4> {
    match epilogue.position {
        Position::Before => activation::relu(normalize(epilogue, x)),
        Position::After => normalize(epilogue, activation::relu(x)),
    }
}

fn normalize(epilogue: &Epilogue, x: Tensor<4>) -> Tensor<4> {
    let Some(norm) = &epilogue.norm else {
        return x;
    };
    let c = x.dims()[1];
    let mean = |x: Tensor<4>| x.mean_dim(0).mean_dim(2).mean_dim(3);
    let centered = x.clone() - mean(x);
    let variance = mean(centered.clone() * centered.clone());
    let mut y = centered / (variance + EPSILON).sqrt();
    if let Some(scale) = &norm.affine().scale {
        y = y * scale.val().reshape([1, c, 1, 1]);
    }
    if let Some(center) = &norm.affine().center {
        y = y + center.val().reshape([1, c, 1, 1]);
    }
    y
}

/// He et al. 2016, figure 1 (b).
fn unit(unit: &Unit, x: Tensor<4>) -> Tensor<4> {
    let first = match &unit.ready {
        Some(epilogue) => ready(epilogue, x.clone()),
        None => x.clone(),
    };
    let second = ready(
        &unit.inner.epilogue,
        convolve(&unit.inner.conv, first.clone()),
    );
    let sum = convolve(&unit.outer, second);
    match &unit.projection {
        Some(projection) => sum + convolve(projection, first),
        None => sum + x,
    }
}

/// The logits of images `[batch, channels, height, width]` in a training pass.
fn reference(model: &Resnet, x: Tensor<4>) -> Tensor<2> {
    let mut x = ready(&model.stem.epilogue, convolve(&model.stem.conv, x));
    for block in &model.units {
        x = unit(block, x);
    }
    let x = ready(&model.last, x);
    let means: Tensor<2> = x.mean_dim(2).mean_dim(3).flatten(1, 3);
    let bias = model.head.bias.as_ref().expect("a head has a bias").val();
    let weight: Tensor<2> = model.head.weight.val().squeeze_dim(0);
    means.matmul(weight) + bias
}

fn built(config: &ResnetConfig, input: [usize; 3], start: &Start) -> Resnet {
    let model = config.init(input, 3, start).expect("can be built");
    // Scales, centers and biases off their start values.
    edit(model, |path, list| {
        if !path.ends_with("weight") {
            let draws = normals(path, list.len());
            list.iter_mut().zip(draws).for_each(|(x, z)| *x += 0.3 * z);
        }
    })
}

fn block(position: Position, [scale, center, normed]: [bool; 3], bias: Bias) -> BlockConfig {
    let batch = BatchNormConfig {
        scale,
        center,
        epsilon: EPSILON,
        ..BatchNormConfig::default()
    };
    BlockConfig {
        activation: Activation::Relu,
        norm: match normed {
            true => NormConfig::Batch(batch),
            false => NormConfig::None,
        },
        position,
        bias,
        ..BlockConfig::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_shape_matches_plain_burn(
        [n, h, w, c] in [2usize..5, 1..9, 1..9, 1..4],
        channels in prop::collection::vec(1usize..6, 1..4),
        units in 1usize..4,
        kernel in prop::sample::select(vec![1, 3, 5]),
        after in any::<bool>(),
        parts in any::<[bool; 3]>(),
        bias in prop::sample::select(vec![Bias::Auto, Bias::On, Bias::Off]),
    ) {
        let position = if after { Position::After } else { Position::Before };
        let config = ResnetConfig {
            units,
            kernel,
            block: block(position, parts, bias),
            ..ResnetConfig::new(channels)
        };
        for_each_device(|device| {
            let start = double(device);
            let model = built(&config, [h, w, c], &start);
            let pixels = normals("x", n * h * w * c);
            let x = start.tensor::<3>(pixels, [1, n, h * w * c]).require_grad();
            let images: Tensor<4> = x.clone().reshape([n, h, w, c]).permute([0, 3, 1, 2]);
            let ours = model.forward(x.clone(), &Pass::train_at(0)).squeeze_dim(0);
            let theirs = reference(&model, images);
            let pull = start.tensor::<2>(normals("pull", n * 3), [n, 3]);
            let gradients = |logits: Tensor<2>| {
                let all = (logits * pull.clone()).sum().backward();
                let inner = model.units[0].inner.conv.weight.val();
                let head = model.head.weight.val();
                [x.grad(&all), inner.grad(&all), head.grad(&all)]
                    .map(|gradient| values(gradient.expect("a gradient")))
            };
            let pairs = gradients(ours.clone()).into_iter().zip(gradients(theirs.clone()));
            let pairs = pairs.chain([(values(ours), values(theirs))]);
            for (ours, theirs) in pairs {
                let size = theirs.iter().fold(1.0f64, |size, x| size.max(x.abs()));
                let apart = distance(&ours, &theirs);
                assert!(apart <= 1e-9 * size, "{apart:e} of {size:e}: {config:?} {n}x{h}x{w}x{c}");
            }
        });
    }
}

#[test]
fn shapes_change_only_in_the_first_unit_of_later_stages() {
    for_each_device(|device| {
        let config = ResnetConfig {
            units: 2,
            ..ResnetConfig::new([4, 4, 6])
        };
        let model = config.init([9, 7, 1], 3, &Start::new([1], device));
        let model = model.expect("can be built");
        let projects: Vec<bool> = (model.units.iter())
            .map(|unit| unit.projection.is_some())
            .collect();
        assert_eq!(projects, [false, false, true, false, true, false]);
        let ready: Vec<bool> = model
            .units
            .iter()
            .map(|unit| unit.ready.is_some())
            .collect();
        assert_eq!(ready, [false, true, true, true, true, true]);
        let sizes = config.unit_sizes([9, 7]);
        let sizes: Vec<[usize; 2]> = sizes.iter().map(|unit| unit.size).collect();
        assert_eq!(sizes, [[9, 7], [9, 7], [5, 4], [5, 4], [3, 2], [3, 2]]);
    });
}

#[test]
fn dropout_acts_between_the_convolutions_only() {
    for_each_device(|device| {
        let mut config = ResnetConfig::new([4, 6]);
        config.block.dropout.conv_rate = 0.5;
        let model = config.init([4, 4, 1], 3, &Start::new([1], device));
        let model = model.expect("can be built");
        assert!(model.stem.epilogue.dropout.is_none() && model.last.dropout.is_none());
        for unit in &model.units {
            assert!(unit.inner.epilogue.dropout.is_some());
            assert!(unit.ready.iter().all(|ready| ready.dropout.is_none()));
        }
    });
}
