//! Benchmarks of single kernels against their plain burn versions, and of complete training steps, on
//! the CPU devices.
//!
//! ```sh
//! cargo bench --profile dev --bench kernels            # all
//! cargo bench --profile dev --bench kernels -- conv2d  # benchmarks with this text in their name
//! ```
//!
//! A name has the operation, the shape, the device, `kernel` or `plain`, and `forward` or `both`
//! (forward and backward). Rates count multiply-adds for products and numbers otherwise. Criterion
//! compares with the previous run and keeps its data in `target/criterion`.

mod steps;

use ablate::device;
use ablate_kernels::{
    self, AdamStep, BlockParameters, EpilogueSpec, Geometry, Masks, SgdStep, plain,
};
use ablate_models::Activation;
use ablate_models::block::Position;
use ablate_streams::{Purpose, Stream};
use burn::tensor::{Device, Distribution, Int, Tensor};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use std::time::Duration;

/// A CPU device with its name.
type Named = (&'static str, Device);

fn devices() -> Vec<Named> {
    let open = |name| (name, device::open(name).expect("it is built in"));
    device::built_in_cpu().into_iter().map(open).collect()
}

fn tensor<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// A tensor that requires a gradient if the device supports autodiff.
fn parameter<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    let tensor = tensor(shape, device);
    match device.is_autodiff() {
        true => tensor.require_grad(),
        false => tensor,
    }
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    group
}

/// Waits until `tensor` is computed.
fn wait<const D: usize>(tensor: Tensor<D>) {
    drop(tensor.into_data());
}

/// Times `f` on `device` forward, and forward plus backward of the sum of its output.
fn both_ways<const D: usize>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    device: &Device,
    f: impl Fn(&Device) -> Box<dyn Fn() -> Tensor<D>>,
) {
    let forward = f(device);
    group.bench_function(format!("{name}/forward"), |b| b.iter(|| wait(forward())));
    let both = f(&device.clone().autodiff());
    group.bench_function(format!("{name}/both"), |b| {
        b.iter(|| both().sum().backward())
    });
}

fn linear(criterion: &mut Criterion) {
    let mut group = group(criterion, "linear");
    for [replicas, rows, inputs, outputs] in [
        [10, 32, 64, 128],
        [10, 32, 128, 128],
        [1, 128, 784, 512],
        [1, 128, 512, 512],
    ] {
        group.throughput(Throughput::Elements(
            (replicas * rows * inputs * outputs) as u64,
        ));
        for (name, device) in devices() {
            for (which, f) in [
                ("kernel", ablate_kernels::linear as fn(_, _, _) -> _),
                ("plain", plain::linear),
            ] {
                let name = format!("{replicas}x{rows}x{inputs}x{outputs}/{name}/{which}");
                both_ways(&mut group, &name, &device, |device| {
                    let x = tensor([replicas, rows, inputs], device);
                    let w = parameter([replicas, inputs, outputs], device);
                    let b = parameter([replicas, outputs], device);
                    Box::new(move || f(x.clone(), w.clone(), Some(b.clone())))
                });
            }
        }
    }
}

fn conv2d(criterion: &mut Criterion) {
    let mut group = group(criterion, "conv2d");
    for [batch, side, inputs, outputs, kernel] in [
        [128, 28, 1, 32, 3],
        [128, 14, 32, 64, 3],
        [32, 14, 32, 64, 5],
    ] {
        let products = batch * side * side * inputs * outputs * kernel * kernel;
        group.throughput(Throughput::Elements(products as u64));
        for (name, device) in devices() {
            for (which, f) in [
                ("kernel", ablate_kernels::conv2d as fn(_, _, _, _) -> _),
                ("plain", plain::conv2d),
            ] {
                let name =
                    format!("{batch}x{side}x{side}x{inputs}-{outputs}-k{kernel}/{name}/{which}");
                both_ways(&mut group, &name, &device, |device| {
                    let x = parameter([1, batch, side, side, inputs], device);
                    let w = parameter([1, kernel * kernel * inputs, outputs], device);
                    Box::new(move || f(x.clone(), w.clone(), None, Geometry::same(kernel)))
                });
            }
        }
    }
}

/// A dense layer, batch norm, activation and dropout in one operation.
fn dense_block(criterion: &mut Criterion) {
    let mut group = group(criterion, "dense_block");
    let [replicas, rows, inputs, outputs] = [10, 32, 128, 128];
    group.throughput(Throughput::Elements(
        (replicas * rows * inputs * outputs) as u64,
    ));
    let epilogues = [
        (Activation::Relu, Position::Before),
        (Activation::Gelu, Position::Before),
        (Activation::Gelu, Position::After),
    ];
    for ((name, device), (activation, position)) in
        (devices().into_iter()).flat_map(|d| epilogues.map(|epilogue| (d.clone(), epilogue)))
    {
        let name = format!(
            "{replicas}x{rows}x{inputs}x{outputs}/{activation:?}-{position:?}/{name}/kernel"
        );
        both_ways(&mut group, &name, &device, |device| {
            let x = tensor([replicas, rows, inputs], device);
            let w = parameter([replicas, inputs, outputs], device);
            let scale = parameter([replicas, outputs], device);
            let center = parameter([replicas, outputs], device);
            let streams = (0..replicas as u64).map(|seed| Stream::new(seed, Purpose::Mask, "a"));
            let epilogue = EpilogueSpec {
                activation,
                epsilon: Some(1e-5),
                position,
                dropout: Some(Masks {
                    streams: streams.collect(),
                    step: 1,
                    threshold: 1 << 15,
                    shared_rows: 1,
                }),
                pool: false,
            };
            Box::new(move || {
                let parameters = BlockParameters {
                    scale: Some(scale.clone()),
                    center: Some(center.clone()),
                    ..BlockParameters::default()
                };
                ablate_kernels::dense_block(x.clone(), w.clone(), parameters, epilogue.clone()).y
            })
        });
    }
}

fn max_pool2d(criterion: &mut Criterion) {
    let mut group = group(criterion, "max_pool2d");
    let shape = [1, 128, 28, 28, 32];
    group.throughput(Throughput::Elements(shape.iter().product::<usize>() as u64));
    for (name, device) in devices() {
        for (which, f) in [
            ("kernel", ablate_kernels::max_pool2d as fn(_) -> _),
            ("plain", plain::max_pool2d),
        ] {
            both_ways(
                &mut group,
                &format!("128x28x28x32/{name}/{which}"),
                &device,
                |device| {
                    let x = parameter(shape, device);
                    Box::new(move || f(x.clone()))
                },
            );
        }
    }
}

fn cross_entropy(criterion: &mut Criterion) {
    let mut group = group(criterion, "cross_entropy");
    let [replicas, rows, classes] = [10, 128, 10];
    group.throughput(Throughput::Elements((replicas * rows * classes) as u64));
    for (name, device) in devices() {
        for (which, f) in [
            ("kernel", ablate_kernels::cross_entropy as fn(_, _) -> _),
            ("plain", plain::cross_entropy),
        ] {
            both_ways(
                &mut group,
                &format!("10x128x10/{name}/{which}"),
                &device,
                |device| {
                    let logits = parameter([replicas, rows, classes], device);
                    let labels = Tensor::<2, Int>::zeros([replicas, rows], device);
                    Box::new(move || f(logits.clone(), labels.clone()))
                },
            );
        }
    }
}

fn optimizers(criterion: &mut Criterion) {
    let mut group = group(criterion, "optimizer");
    let shape = [1, 784 * 512];
    group.throughput(Throughput::Elements(shape.iter().product::<usize>() as u64));
    for (name, device) in devices() {
        let [value, first, gradient] = [0, 1, 2].map(|_| tensor(shape, &device));
        let second = first.clone().square();
        let adam = AdamStep {
            rates: vec![1e-3],
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            penalty: 0.0,
            shrinkage: 0.0,
            step: 10,
        };
        let sgd = SgdStep {
            rates: vec![0.1],
            momentum: 0.9,
            nesterov: false,
            penalty: 0.0,
        };
        let given = || {
            (
                value.clone(),
                first.clone(),
                second.clone(),
                gradient.clone(),
            )
        };
        group.bench_function(format!("adam/{name}/kernel"), |b| {
            b.iter(|| {
                let (value, first, second, gradient) = given();
                ablate_kernels::adam_step(value, first, second, gradient, adam.clone()).map(wait)
            });
        });
        group.bench_function(format!("adam/{name}/plain"), |b| {
            b.iter(|| {
                let (value, first, second, gradient) = given();
                plain::adam_step(value, first, second, gradient, &adam).map(wait)
            });
        });
        group.bench_function(format!("sgd/{name}/kernel"), |b| {
            b.iter(|| {
                let (value, first, _, gradient) = given();
                wait(ablate_kernels::sgd_step(value, Some(first), gradient, sgd.clone()).0)
            });
        });
        group.bench_function(format!("sgd/{name}/plain"), |b| {
            b.iter(|| {
                let (value, first, _, gradient) = given();
                wait(plain::sgd_step(value, Some(first), gradient, &sgd).0)
            });
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for bench in [
        linear,
        conv2d,
        dense_block,
        max_pool2d,
        cross_entropy,
        optimizers,
        steps::training_steps,
    ] {
        bench(&mut criterion);
    }
    criterion.final_summary();
}
