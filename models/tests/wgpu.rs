//! The zoo on the first wgpu adapter against the CPU kernels.
//!
//! These tests fail without an adapter; Mesa's software adapter is sufficient.
#![cfg(all(feature = "wgpu", feature = "flex"))]

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_kernels::activation::Activation;
use ablate_kernels::{AdamStep, SgdStep};
use ablate_models::Pass;
use ablate_models::Start;
use ablate_models::block::BlockConfig;
use ablate_models::cnn::Pool;
use ablate_models::dropout::{Dropout, DropoutConfig};
use ablate_models::zoo::ModelConfig;
use ablate_streams::{Purpose, Stream};
use burn::tensor::{DType, Device, Tensor};
use support::testing::{adapter, distance, values};
use support::training::{Optimizer, Rule, Trial};
use support::{ByPath, cnn, mlp, normals, normed, parameters, tensors};

/// Bound on the effect of the order of summation in single precision after [`STEPS`] steps, relative to
/// the largest value of the tensor.
const BOUND: f64 = 2e-5;
const STEPS: usize = 5;
const ROWS: usize = 12;

/// The largest difference of two tensors, relative to the largest value of the first.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let largest = a.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    match distance(a, b) {
        0.0 => 0.0,
        distance => distance / largest,
    }
}

#[track_caller]
fn near(what: &str, a: &[f64], b: &[f64]) {
    let difference = difference(a, b);
    println!("{what}: {difference:.1e}");
    assert!(difference <= BOUND, "{what}: {difference:e}");
}

#[track_caller]
fn all_near(what: &str, a: &ByPath, b: &ByPath) {
    assert!(a.keys().eq(b.keys()) && !a.is_empty());
    for (path, list) in a {
        near(&format!("{what} {path}"), list, &b[path]);
    }
}

fn start(device: &Device) -> Start {
    Start::new([1, 2, 3], &device.clone().autodiff())
}

/// A block with batch norm and dropout.
fn block() -> BlockConfig {
    BlockConfig {
        dropout: DropoutConfig {
            rate: 0.3,
            conv_rate: 0.2,
            input_rate: 0.1,
            ..DropoutConfig::default()
        },
        ..normed(Activation::Relu, true, true)
    }
}

/// Trains `config` on CPU and adapter and compares every step.
fn assert_same_training(config: &ModelConfig) {
    // SGD, because optimizers that divide by the size of the gradient amplify rounding errors.
    let rule = Optimizer::new(Rule::Sgd { momentum: 0.9 }, 0.05, 0.001);
    let mut here = Trial::new(config, &start(&Device::flex()), rule.clone());
    let mut there = Trial::new(config, &start(adapter()), rule);
    assert_eq!(tensors(&here.model), tensors(&there.model), "start weights");
    for step in 0..STEPS {
        let (a, b) = (here.step(ROWS), there.step(ROWS));
        near(&format!("step {step}: logits"), &a.logits, &b.logits);
        near(&format!("step {step}: losses"), &a.losses, &b.losses);
        all_near(
            &format!("step {step}: gradient of"),
            &a.gradients,
            &b.gradients,
        );
        let (a, b) = (parameters(&here.model), parameters(&there.model));
        all_near(&format!("step {step}:"), &a, &b);
    }
    all_near(
        "running averages and",
        &tensors(&here.model),
        &tensors(&there.model),
    );
    for pass in [Pass::evaluate(), Pass::evaluate_on_batch()] {
        let [a, b] = [&here, &there].map(|trial| trial.evaluate_in(&pass, ROWS));
        near("evaluation", &a, &b);
    }
}

#[test]
fn dense_net_trains_as_on_the_cpu() {
    assert_same_training(&mlp(block()));
}

#[test]
fn convolutional_net_trains_as_on_the_cpu() {
    assert_same_training(&cnn(Pool::Max, block()));
}

/// Random numbers per call of a stream.
const CHUNK: usize = 128;

/// The documented mask at `step`, `[replicas, rows, channels]`.
fn expected(seeds: &[u64], rate: f64, [rows, channels]: [usize; 2], step: u64) -> Vec<f64> {
    let threshold = (rate * 65536.0).round();
    let kept = (1.0 / (1.0 - threshold / 65536.0)) as f32;
    let mut mask = Vec::new();
    for &seed in seeds {
        let stream = Stream::new(seed, Purpose::Mask, "layer");
        let chunks = 0..(rows * channels).div_ceil(CHUNK) as u64;
        let numbers = chunks.flat_map(|chunk| stream.half_words(step, chunk));
        let dropped = numbers.map(|u| f64::from(u) < threshold);
        let factors = dropped.map(|dropped| if dropped { 0.0 } else { f64::from(kept) });
        mask.extend(factors.take(rows * channels));
    }
    mask
}

/// The mask that the adapter draws.
fn mask(
    seeds: &[u64],
    rate: f64,
    [rows, channels]: [usize; 2],
    positions: Option<usize>,
    step: u64,
) -> Tensor<3> {
    let start = Start::new(seeds, adapter());
    let dropout = Dropout::new(rate, positions.is_some(), "layer", &start).expect("it drops");
    let ones = Tensor::ones([seeds.len(), rows, channels], adapter());
    dropout.forward(ones, positions.unwrap_or(1), &Pass::train_at(step))
}

#[test]
fn masks_are_bit_identical_for_all_shapes() {
    let many: Vec<u64> = (0..64).map(|r| r << r).collect();
    for seeds in [&[7][..], &[5, 6, u64::MAX], &many] {
        for shape in [
            [1, 1],
            [1, 2],
            [1, 127],
            [2, 64],
            [3, 43],
            [11, 93],
            [40, 77],
        ] {
            let drawn = values(mask(seeds, 0.3, shape, None, 2));
            let replicas = seeds.len();
            assert_eq!(
                drawn,
                expected(seeds, 0.3, shape, 2),
                "{replicas} replicas, {shape:?}"
            );
        }
    }
}

#[test]
fn masks_are_bit_identical_for_all_steps_and_rates() {
    const SHAPE: [usize; 2] = [100, 401];
    for rate in [1.0 / 65536.0, 0.5, 65535.0 / 65536.0] {
        let mut all = Vec::new();
        for step in [0, u64::from(u32::MAX), 1 << 32, (9 << 40) + 5, u64::MAX] {
            let drawn = values(mask(&[1, 2], rate, SHAPE, None, step));
            let same = drawn == expected(&[1, 2], rate, SHAPE, step);
            assert!(same, "rate {rate}, step {step}");
            all.extend(drawn);
        }
        let dropped = all.iter().filter(|&&factor| factor == 0.0).count();
        assert!(0 < dropped && dropped < all.len(), "rate {rate}");
    }
}

#[test]
fn spatial_masks_are_bit_identical() {
    const POSITIONS: usize = 9;
    for (images, channels) in [(1, 1), (7, 43), (13, 32)] {
        let shape = [images * POSITIONS, channels];
        let drawn = values(mask(&[3, 4], 0.4, shape, Some(POSITIONS), 1 << 33));
        let maps = expected(&[3, 4], 0.4, [images, channels], 1 << 33);
        let images = maps.chunks(channels);
        let wanted: Vec<f64> = images.flat_map(|maps| maps.repeat(POSITIONS)).collect();
        assert_eq!(drawn, wanted, "{shape:?}");
    }
}

#[test]
fn masks_do_not_depend_on_the_precision() {
    if !adapter().supports_dtype(DType::F64) {
        println!("the adapter has no double precision");
        return;
    }
    let start = Start::new([8, 9], adapter()).double();
    let dropout = Dropout::new(0.3, false, "layer", &start).expect("it drops");
    let ones = start.tensor(vec![1.0; 2 * 20 * 31], [2, 20, 31]);
    let mask = dropout.forward(ones, 1, &Pass::train_at(4));
    assert_eq!(mask.dtype(), DType::F64);
    assert_eq!(values(mask), expected(&[8, 9], 0.3, [20, 31], 4));
}

#[test]
fn masks_of_queued_steps_are_not_mixed_up() {
    let drawn: Vec<Tensor<3>> = (0..40)
        .map(|step| mask(&[1, 2], 0.5, [3, 50], None, step) * 2.0 + 1.0)
        .collect();
    for (step, drawn) in (0..).zip(drawn) {
        let mask = expected(&[1, 2], 0.5, [3, 50], step);
        let wanted: Vec<f64> = mask.iter().map(|factor| 2.0 * factor + 1.0).collect();
        assert_eq!(values(drawn), wanted, "step {step}");
    }
}

#[test]
fn dropout_and_its_gradient_match_the_cpu() {
    const SHAPE: [usize; 3] = [3, 24, 17];
    const COUNT: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
    for spatial in [false, true] {
        let both = |device: &Device| {
            let start = start(device);
            let dropout = Dropout::new(0.3, spatial, "layer", &start).expect("it drops");
            let x = start.tensor(normals("x", COUNT), SHAPE).require_grad();
            let weight = start.tensor(normals("weight", COUNT), SHAPE);
            // Doubling and ReLU are exact, so the result does not depend on the order of operations.
            let y = dropout.forward((x.clone() * 2.0).clamp_min(0.0), 4, &Pass::train_at(11));
            let gradients = (y.clone() * weight).sum().backward();
            let gradient = x.grad(&gradients).expect("x is behind the sum");
            [values(y), values(gradient)]
        };
        let (here, there) = (both(&Device::flex()), both(adapter()));
        assert!(here[1].contains(&0.0));
        assert_eq!(here, there, "spatial {spatial}");
    }
}

/// Two replicas of 35 normal numbers on `device`, which depend on `name`.
fn numbers(name: &str, device: &Device) -> Tensor<2> {
    Start::new([0, 1], device).tensor(normals(name, 70), [2, 35])
}

#[test]
fn optimizers_take_the_same_step() {
    let sgd = |device: &Device| {
        let of = |name: &str| numbers(name, device);
        let step = SgdStep {
            rates: vec![0.1, 0.01],
            momentum: 0.9,
            nesterov: true,
            penalty: 0.01,
        };
        let (value, velocity) =
            ablate_kernels::sgd_step(of("value"), Some(of("velocity")), of("gradient"), step);
        [value, velocity.expect("it had one")].map(values)
    };
    let adam = |device: &Device| {
        let of = |name: &str| numbers(name, device);
        let step = AdamStep {
            rates: vec![0.1, 0.01],
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            penalty: 0.0,
            shrinkage: 0.01,
            step: 7,
        };
        let second = of("second").square();
        ablate_kernels::adam_step(of("value"), of("first"), second, of("gradient"), step)
            .map(values)
    };
    let (here, there) = (Device::flex(), adapter());
    for (a, b) in sgd(&here).iter().zip(&sgd(there)) {
        near("sgd", a, b);
    }
    for (a, b) in adam(&here).iter().zip(&adam(there)) {
        near("adam", a, b);
    }
}
