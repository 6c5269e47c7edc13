//! The zoo on the first adapter that wgpu reaches, against its kernels for the CPU. Without any
//! adapter these tests fail: Mesa's software adapter will do.
#![cfg(all(feature = "wgpu", feature = "flex"))]

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_models::Pass;
use ablate_models::Start;
use ablate_models::activation::Activation;
use ablate_models::block::BlockConfig;
use ablate_models::cnn::Pool;
use ablate_models::dropout::{Dropout, DropoutConfig};
use ablate_models::ops::{self, AdamStep, SgdStep};
use ablate_models::zoo::ModelConfig;
use burn::tensor::{Device, DeviceType, Tensor};
use std::sync::OnceLock;
use support::testing::{distance, values};
use support::training::{Optimizer, Rule, Trial};
use support::{ByPath, cnn, mlp, normals, normed, parameters, tensors};

/// Largest difference that the order of sums in single precision may make, relative to the largest
/// number of the tensor, over the steps below.
const BOUND: f64 = 2e-5;
const STEPS: usize = 5;
const ROWS: usize = 12;

/// The first adapter.
fn adapter() -> &'static Device {
    static ADAPTER: OnceLock<Device> = OnceLock::new();
    ADAPTER.get_or_init(|| {
        let found = Device::enumerate(DeviceType::Wgpu).into_vec();
        let first = found.into_iter().next().expect(
            "wgpu finds no adapter; `apt-get install mesa-vulkan-drivers libvulkan1` brings one",
        );
        let name = first.identity().expect("an adapter has a name").name;
        println!("on {name}");
        first
    })
}

/// The largest difference of two tensors, relative to the largest number of the first.
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

/// Batch norm and dropout.
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

/// Trains `config` on both and compares every step.
fn trains_alike(config: &ModelConfig) {
    // Steps in proportion to gradients: what divides by their size makes small differences large.
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
        "statistics and",
        &tensors(&here.model),
        &tensors(&there.model),
    );
    near("evaluation", &here.evaluate(ROWS), &there.evaluate(ROWS));
}

#[test]
fn a_dense_net_with_batch_norm_and_dropout_trains_alike() {
    trains_alike(&mlp(block()));
}

#[test]
fn a_convolutional_net_with_batch_norm_dropout_and_max_pooling_trains_alike() {
    trains_alike(&cnn(Pool::Max, block()));
}

#[test]
fn dropout_masks_are_the_same_bits() {
    for spatial in [false, true] {
        for step in [0, 1, 1 << 40] {
            let mask = |device: &Device| {
                let start = Start::new([5, 6], device);
                let dropout = Dropout::new(0.3, spatial, "layer", &start).expect("it drops");
                let ones = start.tensor(vec![1.0; 2 * 40 * 7], [2, 40, 7]);
                values(dropout.forward(ones, 4, &Pass::train(step)))
            };
            let (here, there) = (mask(&Device::flex()), mask(adapter()));
            assert!(here.contains(&0.0));
            assert_eq!(here, there, "spatial {spatial}, step {step}");
        }
    }
}

/// Two replicas of 35 numbers called `name` on `device`.
fn numbers(name: &str, device: &Device) -> Tensor<2> {
    Start::new([0, 1], device).tensor(normals(name, 70), [2, 35])
}

#[test]
fn the_optimizers_take_the_same_step() {
    let sgd = |device: &Device| {
        let of = |name: &str| numbers(name, device);
        let step = SgdStep {
            rates: vec![0.1, 0.01],
            momentum: 0.9,
            nesterov: true,
            penalty: 0.01,
        };
        let (value, velocity) =
            ops::sgd_step(of("value"), Some(of("velocity")), of("gradient"), step);
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
        ops::adam_step(of("value"), of("first"), second, of("gradient"), step).map(values)
    };
    let (here, there) = (Device::flex(), adapter());
    for (a, b) in sgd(&here).iter().zip(&sgd(there)) {
        near("sgd", a, b);
    }
    for (a, b) in adam(&here).iter().zip(&adam(there)) {
        near("adam", a, b);
    }
}
