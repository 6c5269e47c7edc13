//! Convolution, dense layers, pooling and loss against plain loops and hand-computed examples.

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_kernels::{Geometry, Padding};
use ablate_models::Start;
use ablate_models::init::WeightInit;
use ablate_models::linear::LinearConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use support::normals;
use support::testing::{assert_close, for_each_device, values};

/// Two replicas in single and in double precision, each with its error bound.
fn starts(device: &Device) -> [(Start, f64); 2] {
    let start = Start::new([1, 2], &device.clone().autodiff());
    [(start.clone(), 1e-5), (start.double(), 1e-13)]
}

/// The convolution by its definition.
fn naive_conv(
    x: &[f64],
    weight: &[f64],
    bias: Option<&[f64]>,
    [replicas, n, h, w, inputs, outputs]: [usize; 6],
    geometry: Geometry,
) -> Vec<f64> {
    let (kernel, before) = (geometry.kernel, geometry.around().0);
    let (height, width) = (geometry.output(h), geometry.output(w));
    let mut y = Vec::new();
    for at in 0..replicas * n * height * width * outputs {
        let (o, place) = (at % outputs, at / outputs);
        let (column, row, image) = (
            place % width,
            place / width % height,
            place / (width * height),
        );
        let r = image / n;
        let mut sum = bias.map_or(0.0, |bias| bias[r * outputs + o]);
        for patch in 0..kernel * kernel * inputs {
            let (c, k) = (patch % inputs, patch / inputs);
            let from = |place: usize, k: usize| (place * geometry.stride + k).checked_sub(before);
            let (Some(i), Some(j)) = (from(row, k / kernel), from(column, k % kernel)) else {
                continue;
            };
            if i < h && j < w {
                let factor = weight[(r * kernel * kernel * inputs + patch) * outputs + o];
                sum += factor * x[((image * h + i) * w + j) * inputs + c];
            }
        }
        y.push(sum);
    }
    y
}

#[test]
fn convolutions_match_a_plain_loop() {
    for_each_device(|device| {
        for (start, bound) in starts(device) {
            for geometry in geometries(&[1, 2, 3, 4, 5, 7]) {
                for [n, h, w, inputs, outputs] in [
                    [2, 4, 5, 3, 2],
                    [1, 1, 1, 1, 1],
                    [3, 1, 6, 1, 4],
                    [1, 7, 2, 2, 1],
                    [5, 9, 8, 4, 17],
                ] {
                    if geometry.output(h) * geometry.output(w) == 0 {
                        continue;
                    }
                    let rows = geometry.kernel.pow(2) * inputs;
                    let x = normals("x", 2 * n * h * w * inputs);
                    let weight = normals("weight", 2 * rows * outputs);
                    let bias = normals("bias", 2 * outputs);
                    for bias in [None, Some(bias)] {
                        let y = ablate_kernels::conv2d(
                            start.tensor(x.clone(), [2, n, h, w, inputs]),
                            start.tensor(weight.clone(), [2, rows, outputs]),
                            bias.clone().map(|bias| start.tensor(bias, [2, outputs])),
                            geometry,
                        );
                        let size = [geometry.output(h), geometry.output(w)];
                        assert_eq!(y.dims(), [2, n, size[0], size[1], outputs]);
                        let sizes = [2, n, h, w, inputs, outputs];
                        let expected = naive_conv(&x, &weight, bias.as_deref(), sizes, geometry);
                        assert_close(&values(y), &expected, bound * 10.0);
                    }
                }
            }
        }
    });
}

/// Every stride up to 3 and every padding, for kernels of these sizes.
fn geometries(kernels: &[usize]) -> Vec<Geometry> {
    let mut all = Vec::new();
    for &kernel in kernels {
        for stride in 1..=3 {
            for padding in [Padding::Same, Padding::Valid] {
                all.push(Geometry {
                    kernel,
                    stride,
                    padding,
                });
            }
        }
    }
    all
}

#[test]
fn linear_layers_match_a_plain_loop() {
    for_each_device(|device| {
        for (start, bound) in starts(device) {
            for [rows, inputs, outputs] in [[1, 1, 1], [5, 3, 4], [33, 17, 9]] {
                let config = LinearConfig {
                    inputs,
                    outputs,
                    bias: Some(0.5),
                    init: WeightInit::HeNormal,
                };
                let layer = config.init("layer", &start);
                let (x, weight) = (normals("x", 2 * rows * inputs), values(layer.weight.val()));
                let y = layer.forward(start.tensor(x.clone(), [2, rows, inputs]));
                let expected = (0..2 * rows * outputs).map(|at| {
                    let (o, row) = (at % outputs, at / outputs);
                    let weight = &weight[row / rows * inputs * outputs..];
                    let term = |i: usize| x[row * inputs + i] * weight[i * outputs + o];
                    0.5 + (0..inputs).map(term).sum::<f64>()
                });
                assert_close(&values(y), &expected.collect::<Vec<_>>(), bound);
            }
        }
    });
}

#[test]
#[should_panic(expected = "shape")]
fn linear_layer_rejects_inputs_of_another_width() {
    for_each_device(|device| {
        let start = Start::new([1], device);
        let config = LinearConfig {
            inputs: 3,
            outputs: 2,
            bias: None,
            init: WeightInit::HeNormal,
        };
        let x = start.tensor(vec![0.0; 4], [1, 1, 4]);
        config.init("layer", &start).forward(x);
    });
}

/// The pooled values of an image with one channel, and the gradient of their sum with weights 1, 2, 3, ...
fn pooled(
    pool: fn(Tensor<5>) -> Tensor<5>,
    image: &[f64],
    [h, w]: [usize; 2],
    start: &Start,
) -> [Vec<f64>; 2] {
    let both = [image, image].concat();
    let x: Tensor<5> = start.tensor(both, [2, 1, h, w, 1]).require_grad();
    let y = pool(x.clone());
    assert_eq!(y.dims(), [2, 1, h / 2, w / 2, 1]);
    let n = (h / 2) * (w / 2);
    let pull: Vec<f64> = (1..=n).map(|i| i as f64).collect();
    let pull = start.tensor([pull.clone(), pull].concat(), [2, 1, h / 2, w / 2, 1]);
    let gradients = (y.clone() * pull).sum().backward();
    let dx = values(x.grad(&gradients).expect("a gradient"));
    // Both replicas have the same image.
    let (y, (first, second)) = (values(y), dx.split_at(h * w));
    assert_eq!(first, second);
    assert_eq!(y[..n], y[n..]);
    [y[..n].to_vec(), first.to_vec()]
}

#[test]
fn pooling_matches_a_hand_computed_example() {
    #[rustfmt::skip]
    let image = [
        1.0, 5.0, -2.0, -8.0, 99.0,
        3.0, 2.0, -4.0, -6.0, 99.0,
        99.0, 99.0, 99.0, 99.0, 99.0,
    ];
    for_each_device(|device| {
        for (start, _) in starts(device) {
            let [y, dx] = pooled(ablate_kernels::max_pool2d, &image, [3, 5], &start);
            assert_eq!(y, [5.0, -2.0]);
            #[rustfmt::skip]
            let expected = [
                0.0, 1.0, 2.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0,
            ];
            assert_eq!(dx, expected);
            let [y, dx] = pooled(ablate_kernels::avg_pool2d, &image, [3, 5], &start);
            assert_eq!(y, [2.75, -5.0]);
            #[rustfmt::skip]
            let expected = [
                0.25, 0.25, 0.5, 0.5, 0.0,
                0.25, 0.25, 0.5, 0.5, 0.0,
                0.0, 0.0, 0.0, 0.0, 0.0,
            ];
            assert_eq!(dx, expected);
        }
    });
}

#[test]
fn ties_in_max_pooling_go_to_the_first_value() {
    for_each_device(|device| {
        for (start, _) in starts(device) {
            for (image, winner) in [
                ([7.0, 7.0, 7.0, 7.0], 0),
                ([1.0, 7.0, 7.0, 7.0], 1),
                ([1.0, 2.0, 7.0, 7.0], 2),
                ([1.0, 7.0, 7.0, 2.0], 1),
                ([0.0, -0.0, -1.0, 0.0], 0),
            ] {
                let [_, dx] = pooled(ablate_kernels::max_pool2d, &image, [2, 2], &start);
                let mut expected = [0.0; 4];
                expected[winner] = 1.0;
                assert_eq!(dx, expected, "{image:?}");
            }
        }
    });
}

#[test]
fn cross_entropy_matches_a_hand_computation() {
    for_each_device(|device| {
        for (start, bound) in starts(device) {
            // Probabilities (1/4, 3/4) and (1/2, 1/2); then logits too large to exponentiate.
            let ln3 = 3.0f64.ln();
            let logits = vec![0.0, ln3, 2.0, 2.0, 800.0, 0.0, -800.0, 0.0];
            let logits: Tensor<3> = start.tensor(logits, [2, 2, 2]);
            let labels = TensorData::new(vec![1i64, 0, 0, 0], [2, 2]);
            let labels = Tensor::<2, Int>::from_data(labels, &start.device);
            let losses = values(ablate_kernels::cross_entropy(logits, labels));
            let first = (2.0f64.ln() - 0.75f64.ln()) / 2.0;
            assert_close(&losses, &[first, 400.0], bound);
        }
    });
}
