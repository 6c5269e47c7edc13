//! Every kernel against its plain burn version: values and gradients, for many shapes, in both
//! precisions, on both CPU devices.

use ablate_kernels::Position;
use ablate_kernels::activation::Activation;
use ablate_kernels::{
    AdamStep, BlockParameters, EpilogueSpec, Geometry, Masks, Padding, SgdStep, plain,
};
use ablate_streams::{Purpose, Stream};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use proptest::prelude::*;

fn devices() -> Vec<Device> {
    vec![
        Device::flex().autodiff(),
        #[cfg(feature = "ndarray")]
        #[expect(
            deprecated,
            reason = "burn-ndarray is deprecated upstream; it is supported here"
        )]
        Device::ndarray().autodiff(),
    ]
}

/// Both precisions, with the largest relative difference that is allowed.
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

/// Compares lists; differences are relative to the largest value.
fn assert_close(name: &str, ours: &[f64], theirs: &[f64], bound: f64) {
    assert_close_to(name, ours, theirs, bound, 1e-3);
}

/// Compares lists; differences are relative to the largest value, or to `least` if that is larger.
fn assert_close_to(name: &str, ours: &[f64], theirs: &[f64], bound: f64, least: f64) {
    assert_eq!(ours.len(), theirs.len(), "{name}: sizes");
    let size = theirs.iter().fold(least, |a, b| a.max(b.abs()));
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let difference = (a - b).abs() / size;
        assert!(
            difference <= bound,
            "{name}[{i}]: {a} against {b} ({difference:e})"
        );
    }
}

/// Value of `f`, and the gradients of its weighted sum with respect to all inputs.
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
    compare_to(name, inputs, bound, 1e-3, ours, reference);
}

/// [`compare`] for blocks. A norm cancels some gradients to zero (for example those of a bias before
/// it), so their rounding errors are relative to 1, the size of the inputs.
fn compare_blocks<const D: usize>(
    inputs: &[Tensor<3>],
    bound: f64,
    ours: impl Fn(&[Tensor<3>]) -> Tensor<D>,
    reference: impl Fn(&[Tensor<3>]) -> Tensor<D>,
) {
    compare_to("block", inputs, bound, 1.0, ours, reference);
}

fn compare_to<const D: usize>(
    name: &str,
    inputs: &[Tensor<3>],
    bound: f64,
    least: f64,
    ours: impl Fn(&[Tensor<3>]) -> Tensor<D>,
    reference: impl Fn(&[Tensor<3>]) -> Tensor<D>,
) {
    let (ours, theirs) = (run(inputs, ours), run(inputs, reference));
    for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert_close_to(&format!("{name} {i}"), a, b, bound, least);
    }
}

fn on_every_device(mut f: impl FnMut(&Device, DType, f64)) {
    for device in devices() {
        assert!(ablate_kernels::has_kernels(&device));
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
    fn linear_matches_plain(
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
                |t| ablate_kernels::linear(t[0].clone(), t[1].clone(), b(t)),
                |t| plain::linear(t[0].clone(), t[1].clone(), b(t)),
            );
        });
    }

    #[test]
    fn convolution_matches_plain(
        r in 1usize..3, n in 1usize..4, h in 1usize..8, w in 1usize..8, c in 1usize..6,
        outputs in 1usize..7, geometry in geometry(), bias: bool,
    ) {
        prop_assume!(geometry.output(h) * geometry.output(w) > 0);
        compare_convolutions([r, n, h, w, c], outputs, geometry, bias);
    }

    /// Shapes for which the Winograd algorithm is chosen, with and without partial tiles.
    #[test]
    fn winograd_convolution_matches_plain(
        r in 1usize..3, n in 1usize..7, h in 1usize..14, w in 1usize..14, c in 16usize..40,
        outputs in 16usize..40, padding in padding(), bias: bool,
    ) {
        let geometry = Geometry { kernel: 3, stride: 1, padding };
        prop_assume!(geometry.output(h) * geometry.output(w) > 0);
        compare_convolutions([r, n, h, w, c], outputs, geometry, bias);
    }

    #[test]
    fn max_pooling_matches_plain(
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
                |t| ablate_kernels::max_pool2d(images(t)),
                |t| plain::max_pool2d(images(t)),
            );
        });
    }

    /// With every bit, because both sum in the same order.
    #[test]
    fn average_pooling_equals_plain(
        r in 1usize..3, n in 1usize..40, h in 2usize..9, w in 2usize..9, c in 1usize..20,
    ) {
        on_every_device(|device, dtype, _| {
            let x = tensor([r, n, h * w * c], 1, device, dtype);
            let images = |t: &[Tensor<3>]| t[0].clone().reshape([r, n, h, w, c]);
            compare(
                "pool",
                &[x],
                0.0,
                |t| ablate_kernels::avg_pool2d(images(t)),
                |t| plain::avg_pool2d(images(t)),
            );
        });
    }

    #[test]
    fn cross_entropy_matches_plain(r in 1usize..4, n in 1usize..20, classes in 2usize..12) {
        on_every_device(|device, dtype, bound| {
            let logits = tensor([r, n, classes], 1, device, dtype) * 5.0;
            let labels: Vec<i64> = (0..r * n).map(|i| (i * 7 % classes) as i64).collect();
            let labels = Tensor::<1, Int>::from_data(labels.as_slice(), device).reshape([r, n]);
            compare(
                "loss",
                &[logits.detach()],
                bound,
                |t| ablate_kernels::cross_entropy(t[0].clone(), labels.clone()),
                |t| plain::cross_entropy(t[0].clone(), labels.clone()),
            );
        });
    }

    #[test]
    fn dense_blocks_match_separate_operations(
        [r, rows] in [1usize..4, 8..70], [inputs, c] in [4usize..12, 1..70],
        epilogue in epilogue(), has in parameters(),
    ) {
        compare_dense_blocks([r, rows, inputs, c], &epilogue, has, |x| x);
    }

    /// Inputs as after ReLU and dropout, and like images with a background.
    #[test]
    fn dense_blocks_of_sparse_inputs_match_separate_operations(
        [r, rows] in [1usize..3, 16..140], [inputs, c] in [30usize..140, 64..150],
        background in prop_oneof![Just(0.0), Just(-0.42)],
        epilogue in epilogue(), has in parameters(),
    ) {
        compare_dense_blocks([r, rows, inputs, c], &epilogue, has, |x| {
            let which = tensor(x.dims(), 9, &x.device(), x.dtype()).lower_elem(0.8);
            x.mask_fill(which, background)
        });
    }

    #[test]
    fn epilogues_match_separate_operations(
        [r, images, positions, c] in [1usize..4, 3..9, 2..9, 1..70],
        epilogue in epilogue(), spatial in any::<bool>(), [_, scale, center] in parameters(),
    ) {
        let shared = if spatial { positions } else { 1 };
        compare_epilogues([r, images, positions, c], shared, &epilogue, [scale, center]);
    }

    #[test]
    fn convolution_blocks_match_separate_operations(
        [r, n, h, w] in [1usize..3, 1..4, 2..9, 2..9], [inputs, c] in [1usize..4, 1..40],
        geometry in geometry(), epilogue in epilogue(), has in parameters(), pool: bool, spatial: bool,
    ) {
        let (height, width) = (geometry.output(h), geometry.output(w));
        let smallest = if pool { 2 } else { 1 };
        prop_assume!(height >= smallest && width >= smallest);
        // With few rows or short sums, variances close to zero amplify rounding errors without bound.
        let (rows, terms) = (n * height * width, geometry.kernel.pow(2) * inputs);
        prop_assume!(!epilogue.norm || (rows >= 8 && terms >= 4));
        on_every_device(|device, dtype, bound| {
            let mut spec = epilogue.spec(r, if spatial { height * width } else { 1 });
            spec.pool = pool && spec.dropout.is_none();
            let has = if spec.epsilon.is_some() { has } else { [has[0], false, false] };
            let patch = geometry.kernel.pow(2) * inputs;
            let inputs_of = inputs_of([r, n, h * w * inputs], [patch, c], has, device, dtype);
            let x = |t: &[Tensor<3>]| t[0].clone().reshape([r, n, h, w, inputs]);
            let bound = if spec.epsilon.is_some() { 30.0 * bound } else { bound };
            compare_blocks(
                &inputs_of,
                bound,
                |t| {
                    let p = parameters_of(t, has);
                    ablate_kernels::conv_block(x(t), t[1].clone(), p, geometry, spec.clone()).y
                },
                |t| {
                    let p = parameters_of(t, has);
                    let z = plain::conv2d(x(t), t[1].clone(), p.bias.clone(), geometry);
                    let rows = z.reshape([r, n * height * width, c]);
                    let y = reference_epilogue(rows, &p, &spec, height * width);
                    let y = y.reshape([r, n, height, width, c]);
                    if spec.pool { plain::max_pool2d(y) } else { y }
                },
            );
        });
    }

    #[test]
    fn adam_matches_plain(r in 1usize..4, n in 1usize..100, step in 1i32..50) {
        on_every_device(|device, dtype, bound| {
            let draw = |tag| tensor([r, n, 2], tag, device, dtype).inner();
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
            let ours = ablate_kernels::adam_step(w.clone(), m.clone(), v.clone(), g.clone(), settings.clone());
            let theirs = plain::adam_step(w, m, v, g, &settings);
            for (a, b) in ours.into_iter().zip(theirs) {
                assert_close("adam", &values(a), &values(b), bound);
            }
        });
    }

    #[test]
    fn sgd_matches_plain(
        r in 1usize..4, n in 1usize..100, nesterov: bool, has_velocity: bool,
    ) {
        on_every_device(|device, dtype, bound| {
            let draw = |tag| tensor([r, n], tag, device, dtype).inner();
            let settings = SgdStep {
                rates: (1..=r).map(|i| 0.01 * i as f64).collect(),
                momentum: 0.9,
                nesterov,
                penalty: 0.01,
            };
            let (w, g, v) = (draw(1), draw(2), has_velocity.then(|| draw(3)));
            let (w1, v1) = ablate_kernels::sgd_step(w.clone(), v.clone(), g.clone(), settings.clone());
            let (w2, v2) = plain::sgd_step(w, v, g, &settings);
            assert_close("sgd", &values(w1), &values(w2), bound);
            assert_eq!((v1.is_some(), v2.is_some()), (has_velocity, has_velocity));
            if let (Some(a), Some(b)) = (v1, v2) {
                assert_close("velocity", &values(a), &values(b), bound);
            }
        });
    }

    #[test]
    fn average_has_the_bits_of_plain(
        r in 1usize..4, n in 1usize..100, keep in 0.0f64..1.0,
    ) {
        on_every_device(|device, dtype, _| {
            let draw = |tag| tensor([r, n], tag, device, dtype).inner();
            let (average, new) = (draw(1), draw(2));
            let ours = ablate_kernels::average_step(average.clone(), new.clone(), [keep, 1.5 - keep]);
            let theirs = plain::average_step(average, new, [keep, 1.5 - keep]);
            assert_eq!(values(ours), values(theirs));
        });
    }
}

/// Compares dense blocks with `c` outputs with separate operations. Their inputs, `[replicas, rows,
/// inputs]`, are made by `of` from normal random numbers.
fn compare_dense_blocks(
    [r, rows, inputs, c]: [usize; 4],
    epilogue: &Epilogue,
    has: [bool; 3],
    of: impl Fn(Tensor<3>) -> Tensor<3>,
) {
    on_every_device(|device, dtype, bound| {
        let spec = epilogue.spec(r, 1);
        let has = if spec.epsilon.is_some() {
            has
        } else {
            [has[0], false, false]
        };
        let mut inputs = inputs_of([r, rows, inputs], [inputs, c], has, device, dtype);
        inputs[0] = of(inputs[0].clone());
        let bound = if spec.epsilon.is_some() {
            30.0 * bound
        } else {
            bound
        };
        compare_blocks(
            &inputs,
            bound,
            |t| {
                let p = parameters_of(t, has);
                ablate_kernels::dense_block(t[0].clone(), t[1].clone(), p, spec.clone()).y
            },
            |t| {
                let p = parameters_of(t, has);
                let z = plain::linear(t[0].clone(), t[1].clone(), p.bias.clone());
                reference_epilogue(z, &p, &spec, 1)
            },
        );
    });
}

/// Compares epilogues of `[replicas, images * positions, c]` with separate operations.
fn compare_epilogues(
    [r, images, positions, c]: [usize; 4],
    shared_rows: usize,
    epilogue: &Epilogue,
    has: [bool; 2],
) {
    on_every_device(|device, dtype, bound| {
        let spec = epilogue.spec(r, shared_rows);
        let norm = spec.epsilon.is_some();
        let bound = if norm { 100.0 * bound } else { bound };
        let mut inputs = vec![tensor([r, images * positions, c], 1, device, dtype)];
        let has = has.map(|has| has && norm);
        let tags = has.iter().zip(4..).filter(|(has, _)| **has);
        inputs.extend(tags.map(|(_, tag)| tensor([r, 1, c], tag, device, dtype)));
        let p = |t: &[Tensor<3>]| {
            let mut rest = t[1..].iter().map(|t| t.clone().squeeze_dim(1));
            let [scale, center] = has.map(|has| if has { rest.next() } else { None });
            BlockParameters {
                scale,
                center,
                ..BlockParameters::default()
            }
        };
        compare_blocks(
            &inputs,
            bound,
            |t| ablate_kernels::epilogue(t[0].clone(), p(t), spec.clone()).y,
            |t| reference_epilogue(t[0].clone(), &p(t), &spec, positions),
        );
    });
}

/// Compares convolutions of images `[replicas, batch, height, width, channels]` with the plain version.
fn compare_convolutions(
    [r, n, h, w, c]: [usize; 5],
    outputs: usize,
    geometry: Geometry,
    bias: bool,
) {
    on_every_device(|device, dtype, bound| {
        let inputs = [
            tensor([r, n, h * w * c], 1, device, dtype),
            tensor([r, geometry.kernel.pow(2) * c, outputs], 2, device, dtype),
            tensor([r, 1, outputs], 3, device, dtype),
        ];
        let x = |t: &[Tensor<3>]| t[0].clone().reshape([r, n, h, w, c]);
        let b = |t: &[Tensor<3>]| t.get(2).map(|b| b.clone().squeeze_dim(1));
        let used = if bias { &inputs[..] } else { &inputs[..2] };
        compare(
            "conv",
            used,
            bound,
            |t| ablate_kernels::conv2d(x(t), t[1].clone(), b(t), geometry),
            |t| plain::conv2d(x(t), t[1].clone(), b(t), geometry),
        );
    });
}

fn padding() -> impl Strategy<Value = Padding> {
    prop::sample::select(vec![Padding::Same, Padding::Valid])
}

fn geometry() -> impl Strategy<Value = Geometry> {
    (1usize..6, 1usize..4, padding()).prop_map(|(kernel, stride, padding)| Geometry {
        kernel,
        stride,
        padding,
    })
}

/// Epilogue of a block in a test.
#[derive(Clone, Debug)]
struct Epilogue {
    activation: Activation,
    norm: bool,
    after: bool,
    drops: bool,
}

/// Every activation with a kernel.
fn kernels() -> impl Iterator<Item = Activation> {
    let all = Activation::ALL.into_iter();
    all.filter(|activation| EpilogueSpec::has_kernel(*activation))
}

fn epilogue() -> impl Strategy<Value = Epilogue> {
    let activation = prop::sample::select(kernels().collect::<Vec<_>>());
    let all = (activation, any::<bool>(), any::<bool>(), any::<bool>());
    all.prop_map(|(activation, norm, after, drops)| Epilogue {
        activation,
        norm,
        after,
        drops,
    })
}

impl Epilogue {
    fn spec(&self, replicas: usize, shared_rows: usize) -> EpilogueSpec {
        let stream = |seed| Stream::new(seed, Purpose::Mask, "d");
        let masks = Masks {
            streams: (0..replicas as u64).map(stream).collect(),
            step: 3,
            threshold: 20_000,
            shared_rows,
        };
        EpilogueSpec {
            activation: self.activation,
            epsilon: self.norm.then_some(1e-5),
            position: if self.after {
                Position::After
            } else {
                Position::Before
            },
            dropout: self.drops.then_some(masks),
            pool: false,
        }
    }
}

/// Whether a block has bias, scale and center.
fn parameters() -> impl Strategy<Value = [bool; 3]> {
    prop::array::uniform3(any::<bool>())
}

/// Input, weights, and the parameters that are present.
fn inputs_of(
    x: [usize; 3],
    [rows, c]: [usize; 2],
    has: [bool; 3],
    device: &Device,
    dtype: DType,
) -> Vec<Tensor<3>> {
    let r = x[0];
    let mut inputs = vec![
        tensor(x, 1, device, dtype),
        tensor([r, rows, c], 2, device, dtype),
    ];
    for (i, has) in has.into_iter().enumerate() {
        if has {
            inputs.push(tensor([r, 1, c], 3 + i as u64, device, dtype));
        }
    }
    inputs
}

fn parameters_of(inputs: &[Tensor<3>], has: [bool; 3]) -> BlockParameters {
    let mut rest = inputs[2..].iter();
    let mut next = |has: bool| {
        let tensor = if has { rest.next() } else { None };
        tensor.map(|tensor| tensor.clone().squeeze_dim(1))
    };
    BlockParameters {
        bias: next(has[0]),
        scale: next(has[1]),
        center: next(has[2]),
        statistics: None,
    }
}

/// Norm, activation and dropout as burn operations.
fn reference_epilogue(
    x: Tensor<3>,
    p: &BlockParameters,
    spec: &EpilogueSpec,
    positions: usize,
) -> Tensor<3> {
    let norm = |x: Tensor<3>| {
        let Some(epsilon) = spec.epsilon else {
            return x;
        };
        let (mean, variance) = match &p.statistics {
            Some([mean, variance]) => (
                mean.clone().unsqueeze_dim(1),
                variance.clone().unsqueeze_dim(1),
            ),
            None => {
                let mean = x.clone().mean_dim(1);
                let variance = (x.clone() - mean.clone()).square().mean_dim(1);
                (mean, variance)
            }
        };
        let mut y = (x - mean) / (variance + epsilon).sqrt();
        if let Some(scale) = &p.scale {
            y = y * scale.clone().unsqueeze_dim(1);
        }
        if let Some(center) = &p.center {
            y = y + center.clone().unsqueeze_dim(1);
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
    let [r, rows, c] = y.dims();
    let shared = masks.shared_rows;
    assert!(shared == 1 || shared == positions);
    let keep = 1.0 / (1.0 - f64::from(masks.threshold) / 65536.0);
    let mut factors: Vec<f64> = Vec::new();
    for stream in &masks.streams {
        let numbers = (0..).flat_map(|chunk| stream.half_words(masks.step, chunk));
        let factor = |u| {
            if u32::from(u) < masks.threshold {
                0.0
            } else {
                keep
            }
        };
        let drawn: Vec<f64> = numbers.take(rows / shared * c).map(factor).collect();
        let rows = drawn
            .chunks(c)
            .flat_map(|row| std::iter::repeat_n(row, shared));
        factors.extend(rows.flatten());
    }
    let data = TensorData::new(factors, [r, rows, c]).convert_dtype(y.dtype());
    let mask = Tensor::<3>::from_data(data, (&y.device(), y.dtype()));
    y * mask
}

/// Three tiles of rows per replica.
#[test]
fn epilogues_with_several_tiles_match_separate_operations() {
    for (after, drops) in [(false, true), (true, false)] {
        let epilogue = Epilogue {
            activation: Activation::Silu,
            norm: true,
            after,
            drops,
        };
        compare_epilogues([2, 25, 70, 67], 70, &epilogue, [true, true]);
    }
}

/// Shapes with several tasks: column blocks of dense layers, tiles of images.
#[test]
fn blocks_with_several_tasks_match_separate_operations() {
    for (device, (dtype, bound)) in devices().into_iter().zip(PRECISIONS) {
        let epilogue = Epilogue {
            activation: Activation::Silu,
            norm: true,
            after: false,
            drops: true,
        };
        let spec = epilogue.spec(1, 1);
        let has = [true; 3];
        let inputs = inputs_of([1, 70, 300], [300, 650], has, &device, dtype);
        compare_blocks(
            &inputs,
            100.0 * bound,
            |t| {
                ablate_kernels::dense_block(
                    t[0].clone(),
                    t[1].clone(),
                    parameters_of(t, has),
                    spec.clone(),
                )
                .y
            },
            |t| {
                let p = parameters_of(t, has);
                let z = plain::linear(t[0].clone(), t[1].clone(), p.bias.clone());
                reference_epilogue(z, &p, &spec, 1)
            },
        );
        let geometry = Geometry::same(3);
        let (n, h, w, c) = (40, 13, 12, 7);
        let inputs = inputs_of([1, n, h * w * c], [9 * c, 20], has, &device, dtype);
        let x = |t: &[Tensor<3>]| t[0].clone().reshape([1, n, h, w, c]);
        for pool in [false, true] {
            let mut spec = spec.clone();
            spec.pool = pool;
            if pool {
                spec.dropout = None;
            }
            compare_blocks(
                &inputs,
                100.0 * bound,
                |t| {
                    ablate_kernels::conv_block(
                        x(t),
                        t[1].clone(),
                        parameters_of(t, has),
                        geometry,
                        spec.clone(),
                    )
                    .y
                },
                |t| {
                    let p = parameters_of(t, has);
                    let z = plain::conv2d(x(t), t[1].clone(), p.bias.clone(), geometry);
                    let y = reference_epilogue(z.reshape([1, n * h * w, 20]), &p, &spec, h * w);
                    let y = y.reshape([1, n, h, w, 20]);
                    if pool { plain::max_pool2d(y) } else { y }
                },
            );
        }
    }
}

#[test]
fn given_statistics_replace_those_of_the_batch() {
    let device = Device::flex();
    let draw = |shape: [usize; 3], tag| tensor(shape, tag, &device, DType::F32);
    let flat = |tag| -> Tensor<2> { draw([2, 1, 5], tag).squeeze_dim(1) };
    let p = BlockParameters {
        bias: Some(flat(3)),
        scale: Some(flat(4)),
        center: None,
        statistics: Some([flat(5), flat(6).abs()]),
    };
    for after in [false, true] {
        let spec = Epilogue {
            activation: Activation::Tanh,
            norm: true,
            after,
            drops: false,
        };
        let spec = spec.spec(2, 1);
        // A single row: its own variance would be zero.
        let (x, w) = (draw([2, 1, 4], 1), draw([2, 4, 5], 2));
        let ours = ablate_kernels::dense_block(x.clone(), w.clone(), p.clone(), spec.clone()).y;
        let theirs = reference_epilogue(plain::linear(x, w, p.bias.clone()), &p, &spec, 1);
        assert_close("dense", &values(ours), &values(theirs), 1e-5);
        let x = draw([2, 1, 5], 7);
        let without_bias = BlockParameters {
            bias: None,
            ..p.clone()
        };
        let ours = ablate_kernels::epilogue(x.clone(), without_bias, spec.clone()).y;
        let theirs = reference_epilogue(x, &p, &spec, 1);
        assert_close("epilogue", &values(ours), &values(theirs), 1e-5);
        let x = draw([2, 3, 4 * 4 * 2], 1).reshape([2, 3, 4, 4, 2]);
        let w = draw([2, 2 * 9, 5], 2);
        let geometry = Geometry::same(3);
        let ours =
            ablate_kernels::conv_block(x.clone(), w.clone(), p.clone(), geometry, spec.clone()).y;
        let z = plain::conv2d(x, w, p.bias.clone(), geometry).reshape([2, 48, 5]);
        let theirs = reference_epilogue(z, &p, &spec, 16);
        assert_close("convolution", &values(ours), &values(theirs), 1e-5);
    }
}

#[test]
fn every_kernel_keeps_nan() {
    let device = Device::flex().autodiff();
    let nan = |shape: [usize; 3]| Tensor::<3>::full(shape, f32::NAN, &device);
    let any_nan = |v: Vec<f64>| v.iter().any(|x| x.is_nan());
    for activation in kernels() {
        let epilogue = Epilogue {
            activation,
            norm: false,
            after: false,
            drops: false,
        };
        let none = BlockParameters::default;
        let w = Tensor::ones([1, 3, 40], &device);
        let y = ablate_kernels::dense_block(nan([1, 2, 3]), w, none(), epilogue.spec(1, 1)).y;
        assert!(any_nan(values(y.inner())), "{}", activation.name());
        let (x, w) = (
            nan([1, 1, 4]).reshape([1, 1, 2, 2, 1]),
            Tensor::ones([1, 1, 9], &device),
        );
        let mut spec = epilogue.spec(1, 1);
        spec.pool = true;
        let y = ablate_kernels::conv_block(x, w, none(), Geometry::same(1), spec).y;
        assert!(any_nan(values(y.inner())), "{} pooled", activation.name());
    }
    let pooled = ablate_kernels::max_pool2d(nan([1, 1, 4]).reshape([1, 1, 2, 2, 1]));
    assert!(any_nan(values(pooled.inner())));
    let labels = Tensor::<2, Int>::zeros([1, 2], &device);
    let losses = ablate_kernels::cross_entropy(nan([1, 2, 3]), labels);
    assert!(any_nan(values(losses.inner())));
}
