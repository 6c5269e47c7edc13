//! Gradients of every layer and operation against central differences in double precision.

#[expect(dead_code, reason = "each test uses a part of it")]
mod support;

use ablate_kernels::{Geometry, Padding};
use ablate_models::block::{Bias, BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::conv::Conv2dConfig;
use ablate_models::dropout::{Dropout, DropoutConfig, DropoutKind, Placement};
use ablate_models::init::WeightInit;
use ablate_models::linear::LinearConfig;
use ablate_models::resnet::ResnetConfig;
use ablate_models::zoo::ModelConfig;
use ablate_models::{Activation, Pass, Start};
use ablate_streams::{Purpose, Stream};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Int, Tensor, TensorData};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::testing::{for_each_device, values};
use support::{double, is_trained, mlp, normals, normed, norms, parameters};

/// Step of the central differences.
const H: f64 = 1e-5;

/// Number of entries of a gradient that are checked. Longer gradients are sampled.
const ENTRIES: usize = 32;

/// Asserts that the gradient of a fixed random combination of the values of `f` at `point` agrees with
/// central differences to 1e-6 of its largest entry.
#[track_caller]
fn check(start: &Start, point: &[f64], f: impl Fn(Tensor<1>) -> Tensor<1>) {
    let combined = |y: Tensor<1>| {
        let n = y.dims()[0];
        (y * start.tensor(normals("pull", n), [n])).sum()
    };
    let leaf = start
        .tensor::<1>(point.to_vec(), [point.len()])
        .require_grad();
    let gradients = combined(f(leaf.clone())).backward();
    let exact = values(leaf.grad(&gradients).expect("the point has a gradient"));
    let at = |i: usize, h: f64| {
        let mut near = point.to_vec();
        near[i] += h;
        let y = combined(f(start.tensor(near, [point.len()])));
        values(y)[0]
    };
    let size = exact.iter().fold(0.0f64, |size, g| size.max(g.abs()));
    assert!(
        size > 1e-3,
        "the gradient is too small to distinguish it from rounding errors"
    );
    let order = Stream::new(0, Purpose::Resample, "entries").permutation(0, exact.len());
    for i in order.into_iter().take(ENTRIES).map(|i| i as usize) {
        let numeric = (at(i, H) - at(i, -H)) / (2.0 * H);
        let off = (numeric - exact[i]).abs();
        assert!(off <= 1e-6 * size, "entry {i}: {}, not {numeric}", exact[i]);
    }
}

/// [`check_module_at`] a random normal input.
#[track_caller]
fn check_module<M: Module, const D: usize, const E: usize>(
    start: &Start,
    module: &M,
    shape: [usize; D],
    forward: impl Fn(&M, Tensor<D>) -> Tensor<E>,
) {
    let input = normals("input", shape.iter().product());
    check_module_at(start, module, shape, input, forward);
}

/// [`check`] of a module with respect to its parameters and its input of `shape`. Noise is added to the
/// parameters so that no scale is 1 and no center 0.
#[track_caller]
fn check_module_at<M: Module, const D: usize, const E: usize>(
    start: &Start,
    module: &M,
    shape: [usize; D],
    input: Vec<f64>,
    forward: impl Fn(&M, Tensor<D>) -> Tensor<E>,
) {
    let mut point: Vec<f64> = parameters(module).into_values().flatten().collect();
    for (value, noise) in point.iter_mut().zip(normals("noise", 4096)) {
        *value += 0.2 * noise;
    }
    let (trained, count) = (point.len(), input.len());
    point.extend(input);
    check(start, &point, |flat| {
        let x = flat.clone().narrow(0, trained, count).reshape(shape);
        let module = with_parameters(module.clone(), flat);
        flatten(forward(&module, x))
    });
}

fn flatten<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let n = x.shape().num_elements();
    x.reshape([n])
}

/// `module` with its parameters taken from `flat` in order, as part of the graph.
fn with_parameters<M: Module>(module: M, flat: Tensor<1>) -> M {
    struct Load {
        flat: Tensor<1>,
        from: usize,
        name: String,
    }
    impl ModuleMapper for Load {
        fn enter_module(&mut self, name: &str, _container: &str) {
            name.clone_into(&mut self.name);
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !is_trained(&self.name) {
                return param;
            }
            param.map(|old| {
                let (shape, n) = (old.dims(), old.shape().num_elements());
                let new = self.flat.clone().narrow(0, self.from, n).reshape(shape);
                self.from += n;
                new
            })
        }
    }
    module.map(&mut Load {
        flat,
        from: 0,
        name: String::new(),
    })
}

/// Two replicas, so that confusing them fails the test.
fn pair(device: &burn::tensor::Device) -> Start {
    Start {
        seeds: vec![1, 2],
        ..double(device)
    }
}

#[test]
fn linear_layers() {
    for_each_device(|device| {
        let start = pair(device);
        for (inputs, outputs, rows) in [(3, 4, 5), (1, 1, 1), (4, 1, 2), (1, 3, 2)] {
            for bias in [None, Some(0.1)] {
                let config = LinearConfig {
                    inputs,
                    outputs,
                    bias,
                    init: WeightInit::GlorotUniform,
                };
                let layer = config.init("layer", &start);
                check_module(&start, &layer, [2, rows, inputs], |l, x| l.forward(x));
            }
        }
    });
}

#[test]
fn convolutions() {
    for_each_device(|device| {
        let start = pair(device);
        let mut geometries = [1, 2, 3, 5].map(Geometry::same).to_vec();
        for (kernel, stride, padding) in [
            (1, 2, Padding::Same),
            (3, 2, Padding::Same),
            (2, 1, Padding::Valid),
            (3, 2, Padding::Valid),
        ] {
            geometries.push(Geometry {
                kernel,
                stride,
                padding,
            });
        }
        for geometry in geometries {
            for [n, h, w, inputs, outputs] in [
                [2, 4, 3, 2, 3],
                [1, 1, 1, 1, 1],
                [1, 3, 5, 1, 2],
                [1, 2, 1, 3, 1],
            ] {
                if geometry.output(h) * geometry.output(w) == 0 {
                    continue;
                }
                for bias in [None, Some(0.1)] {
                    let config = Conv2dConfig {
                        inputs,
                        outputs,
                        geometry,
                        bias,
                        init: WeightInit::HeNormal,
                    };
                    let layer = config.init("layer", &start);
                    check_module(&start, &layer, [2, n, h, w, inputs], |l, x| l.forward(x));
                }
            }
        }
    });
}

#[test]
fn pooling() {
    for_each_device(|device| {
        let start = pair(device);
        for [n, h, w, c] in [[2, 4, 4, 2], [1, 2, 2, 1], [2, 5, 3, 2], [1, 3, 2, 3]] {
            let shape = [2, n, h, w, c];
            let x = normals("x", shape.iter().product());
            check(&start, &x, |x| {
                flatten(ablate_kernels::max_pool2d(x.reshape(shape)))
            });
            check(&start, &x, |x| {
                flatten(ablate_kernels::avg_pool2d(x.reshape(shape)))
            });
        }
    });
}

#[test]
fn cross_entropy() {
    for_each_device(|device| {
        let start = pair(device);
        for (rows, classes) in [(1, 2), (5, 4), (3, 10)] {
            let labels = (0..2 * rows).map(|i| (i * 7 % classes) as i64);
            let labels = TensorData::new(labels.collect::<Vec<_>>(), [2, rows]);
            let labels = Tensor::<2, Int>::from_data(labels, &start.device);
            let x = normals("logits", 2 * rows * classes);
            check(&start, &x, |x| {
                ablate_kernels::cross_entropy(x.reshape([2, rows, classes]), labels.clone())
            });
        }
    });
}

#[test]
fn norms_in_every_mode() {
    for_each_device(|device| {
        let start = pair(device);
        for config in norms() {
            let norm = config.init(4, 0.0, &start).expect("can be built");
            let norm = norm.expect("a norm");
            for pass in [Pass::train_at(0), Pass::evaluate_on_batch()] {
                check_module(&start, &norm, [2, 6, 4], |norm, x| {
                    norm.forward(x, 3, &pass)
                });
            }
            // The training passes above moved the running averages; evaluation does not.
            let pass = Pass::evaluate();
            check_module(&start, &norm, [2, 6, 4], |norm, x| {
                norm.forward(x, 3, &pass)
            });
        }
    });
}

#[test]
fn dropout_at_a_fixed_step() {
    for_each_device(|device| {
        let start = pair(device);
        for kind in [DropoutKind::Bernoulli, DropoutKind::Gaussian] {
            for spatial in [false, true] {
                let dropout = Dropout::of_kind(kind, 0.4, spatial, "dropout", &start);
                let dropout = dropout.expect("it drops");
                check_module(&start, &dropout, [2, 6, 3], |dropout, x| {
                    dropout.forward(x, 2, &Pass::train_at(5))
                });
            }
        }
    });
}

#[test]
fn activations_away_from_their_kinks() {
    for_each_device(|device| {
        let start = pair(device);
        let points = [-6.0, -2.5, -1.0, -0.3, -0.01, 0.01, 0.4, 1.0, 2.5, 6.0];
        for activation in Activation::ALL {
            check(&start, &points, |x| activation.forward(x));
        }
    });
}

/// Blocks with both positions of the norm and both placements of dropout.
fn blocks() -> Vec<BlockConfig> {
    let mut blocks = Vec::new();
    for position in [Position::Before, Position::After] {
        for placement in [Placement::End, Placement::BeforeNorm] {
            for activation in [Activation::Relu, Activation::Gelu] {
                blocks.push(BlockConfig {
                    position,
                    bias: Bias::Auto,
                    dropout: DropoutConfig {
                        kind: DropoutKind::Bernoulli,
                        rate: 0.3,
                        conv_rate: 0.2,
                        input_rate: 0.1,
                        placement,
                        spatial: placement == Placement::BeforeNorm,
                    },
                    ..normed(activation, true, true)
                });
            }
        }
    }
    blocks
}

/// The kernels skip the most frequent input value.
#[test]
fn dense_blocks_of_mostly_equal_inputs() {
    for_each_device(|device| {
        let start = double(device);
        let shape = [1, 17, 66];
        let block = normed(Activation::Tanh, true, true);
        let block = block
            .dense("block", shape[2], 65, &start)
            .expect("can be built");
        for background in [0.0, -0.42] {
            let mut input = normals("input", shape.iter().product());
            for (_, x) in input.iter_mut().enumerate().filter(|(i, _)| i % 4 < 3) {
                *x = background;
            }
            check_module_at(&start, &block, shape, input, |b, x| {
                b.forward(x, &Pass::train_at(0))
            });
        }
    });
}

#[test]
fn whole_mlps() {
    for_each_device(|device| {
        let start = pair(device);
        for block in blocks() {
            let model = mlp(block).init([1, 1, 3], 2, &start).expect("can be built");
            let forward =
                |model: &_, x| ablate_models::zoo::Model::forward(model, x, &Pass::train_at(1));
            check_module(&start, &model, [2, 4, 3], forward);
        }
    });
}

#[test]
fn whole_convolutional_nets_plain_and_residual() {
    for_each_device(|device| {
        let start = pair(device);
        let shapes = [
            (Pool::Max, false),
            (Pool::Average, true),
            (Pool::Stride, true),
        ];
        for (block, (pool, residual)) in blocks().into_iter().zip(shapes.into_iter().cycle()) {
            let config = ModelConfig::Cnn(CnnConfig {
                channels: vec![2],
                convs: 2,
                kernel: 3,
                padding: Padding::Same,
                first_padding: None,
                pool,
                residual,
                dense: vec![3],
                block,
            });
            let model = config.init([3, 4, 1], 2, &start).expect("can be built");
            let forward =
                |model: &_, x| ablate_models::zoo::Model::forward(model, x, &Pass::train_at(1));
            check_module(&start, &model, [2, 2, 12], forward);
        }
    });
}

#[test]
fn whole_residual_nets() {
    for_each_device(|device| {
        let start = pair(device);
        for mut block in blocks() {
            block.dropout.rate = 0.0;
            let config = ModelConfig::Resnet(ResnetConfig {
                block,
                ..ResnetConfig::new([2, 4])
            });
            let model = config.init([3, 4, 1], 2, &start).expect("can be built");
            let forward =
                |model: &_, x| ablate_models::zoo::Model::forward(model, x, &Pass::train_at(1));
            check_module(&start, &model, [2, 2, 12], forward);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn convolutions_of_any_shape(
        [n, h, w] in [1usize..3, 1..6, 1..6],
        [inputs, outputs] in [1usize..4, 1..4],
        kernel in 1usize..6,
        stride in 1usize..4,
        valid in any::<bool>(),
        bias in any::<bool>(),
    ) {
        let padding = if valid { Padding::Valid } else { Padding::Same };
        let geometry = Geometry { kernel, stride, padding };
        prop_assume!(geometry.output(h) * geometry.output(w) > 0);
        for_each_device(|device| {
            let start = double(device);
            let config = Conv2dConfig {
                inputs,
                outputs,
                geometry,
                bias: bias.then_some(0.0),
                init: WeightInit::HeUniform,
            };
            let layer = config.init("layer", &start);
            check_module(&start, &layer, [1, n, h, w, inputs], |l, x| l.forward(x));
        });
    }

    #[test]
    fn pooling_of_any_shape([n, h, w, c] in [1usize..3, 2..7, 2..7, 1..4]) {
        for_each_device(|device| {
            let start = double(device);
            let shape = [1, n, h, w, c];
            let x = normals("x", shape.iter().product());
            check(&start, &x, |x| flatten(ablate_kernels::max_pool2d(x.reshape(shape))));
            check(&start, &x, |x| flatten(ablate_kernels::avg_pool2d(x.reshape(shape))));
        });
    }

    #[test]
    fn dense_blocks_of_any_shape(
        [rows, inputs, outputs] in [3usize..9, 1..6, 1..6],
        after in any::<bool>(),
        activation in prop::sample::select(vec![Activation::Tanh, Activation::Silu]),
    ) {
        for_each_device(|device| {
            let start = double(device);
            let block = BlockConfig {
                position: if after { Position::After } else { Position::Before },
                ..normed(activation, true, true)
            };
            let block = block.dense("block", inputs, outputs, &start).expect("can be built");
            check_module(&start, &block, [1, rows, inputs], |b, x| b.forward(x, &Pass::train_at(0)));
        });
    }

    #[test]
    fn gaussian_noise_of_any_shape(
        [rows, inputs, outputs] in [3usize..9, 1..6, 1..6],
        early in any::<bool>(),
        rate in 0.05f64..0.9,
    ) {
        for_each_device(|device| {
            let start = pair(device);
            let block = BlockConfig {
                dropout: DropoutConfig {
                    kind: DropoutKind::Gaussian,
                    rate,
                    placement: if early { Placement::BeforeNorm } else { Placement::End },
                    ..DropoutConfig::default()
                },
                ..normed(Activation::Tanh, true, true)
            };
            let block = block.dense("block", inputs, outputs, &start).expect("can be built");
            check_module(&start, &block, [2, rows, inputs], |b, x| b.forward(x, &Pass::train_at(0)));
        });
    }
}
