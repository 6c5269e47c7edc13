//! Every kernel against its plain burn version: values and gradients, over odd shapes, in both
//! precisions, on both CPU devices.

use ablate_models::activation::Activation;
use ablate_models::block::Position;
use ablate_models::ops::{self, AdamStep, Masks, TailSpec, plain};
use ablate_models::streams::{Purpose, Stream};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use proptest::prelude::*;

fn devices() -> [Device; 2] {
    #[expect(
        deprecated,
        reason = "burn-ndarray is deprecated upstream; it is supported here"
    )]
    let ndarray = Device::ndarray();
    [Device::flex().autodiff(), ndarray.autodiff()]
}

/// Both precisions with the largest relative difference allowed.
const PRECISIONS: [(DType, f64); 2] = [(DType::F32, 1e-5), (DType::F64, 1e-12)];

fn tensor<const D: usize>(shape: [usize; D], tag: u64, device: &Device, dtype: DType) -> Tensor<D> {
    let n = shape.iter().product();
    let stream = Stream::new(tag, Purpose::Init, "test");
    let values: Vec<f64> = stream.normals(0).take(n).collect();
    let data = TensorData::new(values, shape).convert_dtype(dtype);
    Tensor::from_data(data, (device, dtype))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.try_into_vec_as::<f64>().unwrap()
}

/// Differences are relative to the largest value.
fn assert_close(name: &str, ours: &[f64], theirs: &[f64], bound: f64) {
    assert_eq!(ours.len(), theirs.len(), "{name}: sizes");
    let size = theirs.iter().fold(1e-3f64, |a, b| a.max(b.abs()));
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let difference = (a - b).abs() / size;
        assert!(
            difference <= bound,
            "{name}[{i}]: {a} against {b} ({difference:e})"
        );
    }
}

/// Value of `f`, and the gradients of its weighted sum by every input.
fn run<const D: usize>(
    inputs: &[Tensor<3>],
    f: impl Fn(&[Tensor<3>]) -> Tensor<D>,
) -> Vec<Vec<f64>> {
    let inputs: Vec<_> = inputs.iter().map(|t| t.clone().require_grad()).collect();
    let out = f(&inputs);
    let weights = tensor(out.dims(), 99, &out.device(), out.dtype());
    let gradients = (out.clone() * weights).sum().backward();
    let mut all = vec![values(out.inner())];
    for input in &inputs {
        let gradient = input.grad(&gradients);
        all.push(values(gradient.expect("every input has a gradient")));
    }
    all
}

fn compare<const D: usize>(
    name: &str,
    inputs: &[Tensor<3>],
    bound: f64,
    ours: impl Fn(&[Tensor<3>]) -> Tensor<D>,
    reference: impl Fn(&[Tensor<3>]) -> Tensor<D>,
) {
    let (ours, theirs) = (run(inputs, ours), run(inputs, reference));
    for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert_close(&format!("{name} {i}"), a, b, bound);
    }
}

fn on_every_device(mut f: impl FnMut(&Device, DType, f64)) {
    for device in devices() {
        assert!(ops::has_kernels(&device));
        for (dtype, bound) in PRECISIONS {
            f(&device, dtype, bound);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn linear_maps_equal_the_plain_version(
        r in 1usize..4, rows in 1usize..40, inputs in 1usize..40, outputs in 1usize..40,
        bias: bool,
    ) {
        on_every_device(|device, dtype, bound| {
            let inputs = [
                tensor([r, rows, inputs], 1, device, dtype),
                tensor([r, inputs, outputs], 2, device, dtype),
                tensor([r, 1, outputs], 3, device, dtype),
            ];
            let b = |t: &[Tensor<3>]| t.get(2).map(|b| b.clone().squeeze_dim(1));
            let used = if bias { &inputs[..] } else { &inputs[..2] };
            compare(
                "linear",
                used,
                bound,
                |t| ops::linear(t[0].clone(), t[1].clone(), b(t)),
                |t| plain::linear(t[0].clone(), t[1].clone(), b(t)),
            );
        });
    }

    #[test]
    fn convolutions_equal_the_plain_version(
        r in 1usize..3, n in 1usize..4, h in 1usize..8, w in 1usize..8, c in 1usize..6,
        outputs in 1usize..7, kernel in 1usize..6, bias: bool,
    ) {
        on_every_device(|device, dtype, bound| {
            let inputs = [
                tensor([r, n, h * w * c], 1, device, dtype),
                tensor([r, kernel * kernel * c, outputs], 2, device, dtype),
                tensor([r, 1, outputs], 3, device, dtype),
            ];
            let x = |t: &[Tensor<3>]| t[0].clone().reshape([r, n, h, w, c]);
            let b = |t: &[Tensor<3>]| t.get(2).map(|b| b.clone().squeeze_dim(1));
            let used = if bias { &inputs[..] } else { &inputs[..2] };
            compare(
                "conv",
                used,
                bound,
                |t| ops::conv2d(x(t), t[1].clone(), b(t), kernel),
                |t| plain::conv2d(x(t), t[1].clone(), b(t), kernel),
            );
        });
    }

    #[test]
    fn max_pooling_equals_the_plain_version(
        r in 1usize..3, n in 1usize..4, h in 2usize..9, w in 2usize..9, c in 1usize..20,
    ) {
        on_every_device(|device, dtype, bound| {
            // Rounded to halves, so that windows have ties.
            let x = (tensor([r, n, h * w * c], 1, device, dtype) * 2.0).round();
            let images = |t: &[Tensor<3>]| t[0].clone().reshape([r, n, h, w, c]);
            compare(
                "pool",
                &[x],
                bound,
                |t| ops::max_pool2d(images(t)),
                |t| plain::max_pool2d(images(t)),
            );
        });
    }

    #[test]
    fn the_loss_equals_the_plain_version(r in 1usize..4, n in 1usize..20, classes in 2usize..12) {
        on_every_device(|device, dtype, bound| {
            let logits = tensor([r, n, classes], 1, device, dtype) * 5.0;
            let labels: Vec<i64> = (0..r * n).map(|i| (i * 7 % classes) as i64).collect();
            let labels = Tensor::<1, Int>::from_data(labels.as_slice(), device).reshape([r, n]);
            compare(
                "loss",
                &[logits.detach()],
                bound,
                |t| ops::cross_entropy(t[0].clone(), labels.clone()),
                |t| plain::cross_entropy(t[0].clone(), labels.clone()),
            );
        });
    }

    #[test]
    fn tails_equal_the_layers_one_by_one(
        r in 1usize..4, rows in 2usize..70, c in 1usize..70,
        activation in prop::sample::select(Activation::ALL.to_vec()),
        norm: bool, scale: bool, center: bool, after: bool, drops: bool,
    ) {
        let position = if after { Position::After } else { Position::Before };
        on_every_device(|device, dtype, bound| {
            let stream = |seed| Stream::new(seed, Purpose::Mask, "d");
            let masks = Masks {
                streams: (0..r as u64).map(stream).collect(),
                step: 3,
                threshold: 20_000,
                shared_rows: 1,
            };
            let spec = TailSpec {
                activation,
                epsilon: norm.then_some(1e-5),
                position,
                dropout: drops.then_some(masks),
            };
            let mut inputs = vec![tensor([r, rows, c], 1, device, dtype)];
            if norm && scale {
                inputs.push(tensor([r, 1, c], 2, device, dtype));
            }
            if norm && center {
                inputs.push(tensor([r, 1, c], 3, device, dtype));
            }
            let affine = |t: &[Tensor<3>]| {
                let flat = |i: usize| t[i].clone().squeeze_dim(1);
                let scales = (norm && scale).then(|| flat(1));
                (scales, (norm && center).then(|| flat(1 + usize::from(scale))))
            };
            // Statistics over few rows amplify rounding where a channel hardly varies.
            let bound = if norm { 30.0 * bound } else { bound };
            compare(
                "tail",
                &inputs,
                bound,
                |t| {
                    let (scale, center) = affine(t);
                    ops::tail(t[0].clone(), scale, center, spec.clone()).y
                },
                |t| {
                    let (scale, center) = affine(t);
                    reference_tail(t[0].clone(), scale, center, &spec)
                },
            );
        });
    }

    #[test]
    fn adam_equals_the_plain_version(r in 1usize..4, n in 1usize..100, step in 1i32..50) {
        on_every_device(|device, dtype, bound| {
            let draw = |tag| tensor([r, n], tag, device, dtype).inner();
            let settings = AdamStep {
                rates: (1..=r).map(|i| 0.01 * i as f64).collect(),
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                penalty: 0.01,
                shrinkage: 0.02,
                step,
            };
            let (w, m, v, g) = (draw(1), draw(2), draw(3).abs(), draw(4));
            let ours = ops::adam_step(w.clone(), m.clone(), v.clone(), g.clone(), settings.clone());
            let theirs = plain::adam_step(w, m, v, g, &settings);
            for (a, b) in ours.into_iter().zip(theirs) {
                assert_close("adam", &values(a), &values(b), bound);
            }
        });
    }
}

/// Norm, activation and dropout as burn operations.
fn reference_tail(
    x: Tensor<3>,
    scale: Option<Tensor<2>>,
    center: Option<Tensor<2>>,
    spec: &TailSpec,
) -> Tensor<3> {
    let norm = |x: Tensor<3>| {
        let Some(epsilon) = spec.epsilon else {
            return x;
        };
        let centered = x.clone() - x.mean_dim(1);
        let variance = centered.clone().square().mean_dim(1);
        let mut y = centered / (variance + epsilon).sqrt();
        if let Some(scale) = scale {
            y = y * scale.unsqueeze_dim(1);
        }
        if let Some(center) = center {
            y = y + center.unsqueeze_dim(1);
        }
        y
    };
    let y = match spec.position {
        Position::Before => spec.activation.forward(norm(x)),
        Position::After => norm(spec.activation.forward(x)),
    };
    let Some(masks) = &spec.dropout else {
        return y;
    };
    let [_, rows, c] = y.dims();
    let keep = 1.0 / (1.0 - f64::from(masks.threshold) / 65536.0);
    let mut factors = Vec::new();
    for stream in &masks.streams {
        let numbers = (0..).flat_map(|chunk| stream.half_words(masks.step, chunk));
        let factor = |u| {
            if u32::from(u) < masks.threshold {
                0.0
            } else {
                keep
            }
        };
        factors.extend(numbers.take(rows * c).map(factor));
    }
    let data = TensorData::new(factors, y.dims()).convert_dtype(y.dtype());
    let mask = Tensor::<3>::from_data(data, (&y.device(), y.dtype()));
    y * mask
}

#[test]
fn a_nan_reaches_the_output_of_every_kernel() {
    let device = Device::flex().autodiff();
    let nan = |shape: [usize; 3]| Tensor::<3>::full(shape, f32::NAN, &device);
    let any_nan = |v: Vec<f64>| v.iter().any(|x| x.is_nan());
    for activation in Activation::ALL {
        let spec = TailSpec {
            activation,
            epsilon: None,
            position: Position::Before,
            dropout: None,
        };
        let y = ops::tail(nan([1, 2, 40]), None, None, spec).y;
        assert!(any_nan(values(y.inner())), "{}", activation.name());
    }
    let pooled = ops::max_pool2d(nan([1, 1, 4]).reshape([1, 1, 2, 2, 1]));
    assert!(any_nan(values(pooled.inner())));
    let labels = Tensor::<2, Int>::zeros([1, 2], &device);
    let losses = ops::cross_entropy(nan([1, 2, 3]), labels);
    assert!(any_nan(values(losses.inner())));
}
