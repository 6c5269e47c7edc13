//! GPU kernels on the first adapter that wgpu finds, against plain burn in double precision on the
//! CPU. These tests fail without an adapter; Mesa's software adapter is enough.

use super::api::{self, add_bias, normed_activation};
use super::arguments::NormSpec;
use super::extension::GpuKernels;
use crate::activation::Activation;
use crate::geometry::{Geometry, Padding};
use crate::operations::has_kernels;
use crate::plain;
use crate::position::Position;
use crate::testing::{adapter, distance, values};
use ablate_streams::{Purpose, Stream};
use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Normal random numbers of the stream `name`, the same on all devices.
fn normals<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let stream = Stream::new(0, Purpose::Resample, name);
    let numbers = stream.normals(0).take(shape.iter().product());
    // Rounded to single precision, so that all devices get the same values.
    let numbers: Vec<f64> = numbers.map(|x| f64::from(x as f32)).collect();
    let dtype = if has_kernels(device) {
        DType::F64
    } else {
        DType::F32
    };
    let data = TensorData::new(numbers, shape).convert_dtype(dtype);
    Tensor::from_data(data, (device, dtype))
}

/// Results of `f` on the reference device and on the adapter, both with gradients.
fn both<T>(f: impl Fn(&Device) -> T) -> [T; 2] {
    [Device::flex(), adapter().clone()].map(|device| f(&device.autodiff()))
}

#[track_caller]
fn near(what: &str, [there, here]: [&[f64]; 2], bound: f64) {
    let largest = there.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    let distance = distance(there, here);
    assert!(distance <= bound * largest, "{what}: {distance:e}");
}

#[track_caller]
fn all_near(lists: &[Vec<Vec<f64>>; 2], bound: f64) {
    let [there, here] = lists;
    assert_eq!(there.len(), here.len());
    for (i, (a, b)) in there.iter().zip(here).enumerate() {
        near(&format!("{i}"), [a, b], bound);
    }
}

fn geometry() -> impl Strategy<Value = Geometry> {
    let padding = prop_oneof![Just(Padding::Same), Just(Padding::Valid)];
    (1usize..6, 1usize..4, padding).prop_map(|(kernel, stride, padding)| Geometry {
        kernel,
        stride,
        padding,
    })
}

fn activation() -> impl Strategy<Value = Activation> {
    let all = Activation::ALL.into_iter();
    let with_kernel = all.filter(|activation| super::has_kernel(*activation));
    proptest::sample::select(with_kernel.collect::<Vec<_>>())
}

/// Few cases, because each compiles its kernels. The seed is fixed: in single precision a value close
/// to a kink can correctly have the other slope.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 16,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn patches_and_their_adjoint_match_plain_version(
        r in 1usize..3, n in 1usize..4, h in 1usize..8, w in 1usize..8, c in 1usize..10,
        geometry in geometry(),
    ) {
        prop_assume!(geometry.output(h) * geometry.output(w) > 0);
        let images = [r, n, h, w, c];
        let rows = n * geometry.output(h) * geometry.output(w);
        let columns = geometry.kernel.pow(2) * c;
        let (cpu, gpu) = (Device::flex().autodiff(), adapter());
        let x = normals("x", images, &cpu).require_grad();
        let pull = "pull";
        let patches = plain::patches(x.clone(), geometry).reshape([r, rows, columns]);
        let sums = patches.clone() * normals(pull, [r, rows, columns], &cpu);
        let gradient = x.grad(&sums.sum().backward()).expect("x has a gradient");

        let gathered = Dispatch::zoo_patches(normals("x", images, gpu).into_dispatch(), geometry);
        prop_assert_eq!(values(patches), values(Tensor::<3>::from_dispatch(gathered)));
        let pull = normals(pull, [r, rows, columns], gpu).into_dispatch();
        let added = Dispatch::zoo_unpatch(pull, images.into(), geometry);
        near("sums", [&values(gradient), &values(Tensor::<5>::from_dispatch(added))], 1e-6);
    }

    #[test]
    fn max_pooling_matches_plain_version(
        r in 1usize..3, n in 1usize..4, h in 2usize..9, w in 2usize..9, c in 1usize..10,
    ) {
        let [there, here] = both(|device| {
            // Rounded, so that windows have ties.
            let x = normals("x", [r, n, h, w, c], device).round().require_grad();
            let y = match has_kernels(device) {
                true => plain::max_pool2d(x.clone()),
                false => api::max_pool2d(x.clone()),
            };
            let pull = normals("pull", y.dims(), device);
            let gradients = (y.clone() * pull).sum().backward();
            [values(y), values(x.grad(&gradients).expect("x has a gradient"))]
        });
        prop_assert_eq!(there, here);
    }

    #[test]
    fn norm_with_activation_matches_burn(
        r in 1usize..4, rows in prop_oneof![8usize..40, 1000usize..3000], c in 1usize..70,
        activation in activation(), after: bool, has: [bool; 2],
    ) {
        let position = if after { Position::After } else { Position::Before };
        all_near(&both(|device| {
            // With means away from zero.
            let x = (normals("x", [r, rows, c], device) + 3.0).require_grad();
            let scale = (normals("scale", [r, c], device) + 0.5).require_grad();
            let center = normals("center", [r, c], device).require_grad();
            let given = [has[0].then(|| scale.clone()), has[1].then(|| center.clone())];
            let spec = NormSpec { activation, position, epsilon: 1e-5 };
            let (y, moments) = match has_kernels(device) {
                true => layers(x.clone(), given, &spec),
                false => {
                    let out = normed_activation(x.clone(), given, spec);
                    (out.y, [values(out.mean), values(out.variance)])
                }
            };
            let gradients = (y.clone() * normals("pull", [r, rows, c], device)).sum().backward();
            let mut lists = vec![values(y)];
            lists.extend(moments);
            lists.push(values(x.grad(&gradients).expect("x has a gradient")));
            for (_, parameter) in has.iter().zip([&scale, &center]).filter(|(has, _)| **has) {
                lists.push(values(parameter.grad(&gradients).expect("the parameter has a gradient")));
            }
            lists
        }), 3e-5);
    }
}

#[test]
fn sums_over_many_rows_are_accurate() {
    // More rows than Mesa's software adapter allows iterations of a loop, with similar values.
    let [r, rows, c] = [1, 140_000, 3];
    let [there, here] = both(|device| {
        let x = normals("x", [r, rows, c], device).round() * 1e-3 + 0.1;
        let bias = normals("bias", [r, c], device).require_grad();
        let y = match has_kernels(device) {
            true => x.clone() + bias.clone().unsqueeze_dim(1),
            false => add_bias(x.clone(), bias.clone()),
        };
        let gradients = (y.clone() * x.clone()).sum().backward();
        let spec = NormSpec {
            activation: Activation::Linear,
            position: Position::Before,
            epsilon: 1e-5,
        };
        let moments = match has_kernels(device) {
            true => layers(x, [None, None], &spec).1,
            false => {
                let out = normed_activation(x, [None, None], spec);
                [out.mean, out.variance].map(values)
            }
        };
        let gradient = values(bias.grad(&gradients).expect("the parameter has a gradient"));
        [moments.to_vec(), vec![gradient]].concat()
    });
    for (a, b) in there.iter().zip(&here) {
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() <= 1e-6 * a.abs(), "{a} and {b}");
        }
    }
}

/// Batch norm and activation by burn operations, and the norm's mean and variance.
fn layers(
    x: Tensor<3>,
    [scale, center]: [Option<Tensor<2>>; 2],
    spec: &NormSpec,
) -> (Tensor<3>, [Vec<f64>; 2]) {
    let after = spec.position == Position::After;
    let x = if after { spec.activation.forward(x) } else { x };
    let mean = x.clone().mean_dim(1);
    let off = x - mean.clone();
    let variance = off.clone().square().mean_dim(1);
    let mut y = off / (variance.clone() + spec.epsilon).sqrt();
    if let Some(scale) = scale {
        y = y * scale.unsqueeze_dim(1);
    }
    if let Some(center) = center {
        y = y + center.unsqueeze_dim(1);
    }
    let y = if after { y } else { spec.activation.forward(y) };
    (y, [values(mean), values(variance)])
}

/// Few cases, because burn tunes products of each shape for seconds.
#[test]
fn convolutions_match_plain_version() {
    let strided = Geometry {
        kernel: 2,
        stride: 2,
        padding: Padding::Valid,
    };
    for (images, outputs, geometry) in [
        ([2, 3, 7, 5, 1], 6, Geometry::same(3)),
        ([1, 1, 1, 1, 1], 1, Geometry::same(1)),
        ([3, 4, 6, 9, 8], 5, strided),
    ] {
        let [r, _, _, _, c] = images;
        all_near(
            &both(|device| {
                let x = normals("x", images, device).require_grad();
                let shape = [r, geometry.kernel.pow(2) * c, outputs];
                let weight = normals("weight", shape, device).require_grad();
                let bias = normals("bias", [r, outputs], device).require_grad();
                let conv2d = match has_kernels(device) {
                    true => plain::conv2d,
                    false => api::conv2d,
                };
                let y = conv2d(x.clone(), weight.clone(), Some(bias.clone()), geometry);
                let pull = normals("pull", y.dims(), device);
                let gradients = (y.clone() * pull).sum().backward();
                let tracked = "every input has a gradient";
                vec![
                    values(y),
                    values(x.grad(&gradients).expect(tracked)),
                    values(weight.grad(&gradients).expect(tracked)),
                    values(bias.grad(&gradients).expect(tracked)),
                ]
            }),
            1e-5,
        );
    }
}

#[test]
fn norm_of_constant_input_gives_center_and_no_gradient() {
    let device = adapter().clone().autodiff();
    let x = Tensor::<3>::full([2, 50, 6], 7.25, (&device, DType::F32)).require_grad();
    let center = normals("center", [2, 6], &device);
    let spec = NormSpec {
        activation: Activation::Linear,
        position: Position::Before,
        epsilon: 1e-5,
    };
    let out = normed_activation(x.clone(), [None, Some(center.clone())], spec);
    assert_eq!(values(out.variance), [0.0; 12]);
    let each: Tensor<3> = center.unsqueeze_dim(1);
    assert_eq!(values(out.y.clone()), values(each.expand([2, 50, 6])));
    let gradient = x.grad(&out.y.sum().backward()).expect("x has a gradient");
    assert!(values(gradient).iter().all(|g| g.abs() < 1e-3));
}
