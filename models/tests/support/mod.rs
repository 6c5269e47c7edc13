//! Shared test support: small models, random data, parameters by path, and training.

#[path = "../../kernels/tests/support/testing.rs"]
pub(crate) mod testing;
pub(crate) mod training;

use ablate_kernels::Padding;
use ablate_kernels::activation::Activation;
use ablate_models::Start;
use ablate_models::block::BlockConfig;
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::{
    AffineConfig, BatchNormConfig, GroupNormConfig, LayerNormConfig, NormConfig,
};
use ablate_models::zoo::ModelConfig;
use ablate_streams::{Purpose, Stream};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use std::collections::BTreeMap;
use testing::values;

/// Image size of the small test models.
pub(crate) const INPUT: [usize; 3] = [6, 5, 2];
/// Number of classes of the small test models.
pub(crate) const CLASSES: usize = 3;

/// Values by the path of their parameter.
pub(crate) type ByPath = BTreeMap<String, Vec<f64>>;

/// `n` standard normal numbers that depend only on `name`.
pub(crate) fn normals(name: &str, n: usize) -> Vec<f64> {
    let stream = Stream::new(0, Purpose::Resample, name);
    stream.normals(0).take(n).collect()
}

/// One replica in double precision with gradients.
pub(crate) fn double(device: &Device) -> Start {
    Start::new([1], &device.clone().autodiff()).double()
}

/// A batch of random examples that depends only on the seeds and `step`.
pub(crate) fn batch(start: &Start, step: u64, rows: usize) -> (Tensor<3>, Tensor<2, Int>) {
    let features: usize = INPUT.iter().product();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for stream in start.streams(Purpose::Resample, "batch") {
        pixels.extend(stream.normals(step).take(rows * features));
        let mut classes = stream.indices(step + (1 << 32));
        labels.extend((0..rows).map(|_| i64::from(classes.below(CLASSES as u32))));
    }
    let replicas = start.replicas();
    let labels = TensorData::new(labels, [replicas, rows]);
    (
        start.tensor(pixels, [replicas, rows, features]),
        Tensor::from_data(labels, &start.device),
    )
}

/// Every kind of norm, with and without scale and center.
pub(crate) fn norms() -> Vec<NormConfig> {
    let mut norms = Vec::new();
    for (scale, center) in [(false, false), (false, true), (true, false), (true, true)] {
        norms.push(NormConfig::Batch(BatchNormConfig {
            scale,
            center,
            ..BatchNormConfig::default()
        }));
        norms.push(NormConfig::Layer(LayerNormConfig {
            scale,
            center,
            ..LayerNormConfig::default()
        }));
        norms.push(NormConfig::Group(GroupNormConfig {
            groups: 2,
            scale,
            center,
            ..GroupNormConfig::default()
        }));
        norms.push(NormConfig::Affine(AffineConfig { scale, center }));
    }
    norms
}

/// An MLP with two hidden blocks.
pub(crate) fn mlp(block: BlockConfig) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig {
        hidden: vec![7, 6],
        block,
        last_block: None,
    })
}

/// A CNN with two convolution stages and a dense block.
pub(crate) fn cnn(pool: Pool, block: BlockConfig) -> ModelConfig {
    ModelConfig::Cnn(CnnConfig {
        channels: vec![3, 4],
        convs: 1,
        kernel: 3,
        padding: Padding::Same,
        first_padding: None,
        pool,
        residual: false,
        dense: vec![5],
        block,
    })
}

/// A block with batch norm.
pub(crate) fn normed(activation: Activation, scale: bool, center: bool) -> BlockConfig {
    BlockConfig {
        activation,
        norm: NormConfig::Batch(BatchNormConfig {
            scale,
            center,
            ..BatchNormConfig::default()
        }),
        ..BlockConfig::default()
    }
}

/// True if `path` is that of a trained parameter, not of a running average.
pub(crate) fn is_trained(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    ["weight", "bias", "scale", "center"].contains(&name)
}

/// Every float tensor of `module`, including running averages.
pub(crate) fn tensors(module: &impl Module) -> ByPath {
    let all = visit(module, None).into_iter();
    all.map(|seen| (seen.path, seen.values)).collect()
}

/// Every trained parameter of `module`.
pub(crate) fn parameters(module: &impl Module) -> ByPath {
    let mut tensors = tensors(module);
    tensors.retain(|path, _| is_trained(path));
    tensors
}

/// The gradient of every tensor of `module` that has one.
pub(crate) fn gradients(module: &impl Module, gradients: &Gradients) -> ByPath {
    let all = visit(module, Some(gradients)).into_iter();
    all.filter_map(|seen| Some((seen.path, seen.gradient?)))
        .collect()
}

struct Seen {
    path: String,
    values: Vec<f64>,
    gradient: Option<Vec<f64>>,
}

fn visit(module: &impl Module, gradients: Option<&Gradients>) -> Vec<Seen> {
    struct Walk<'a> {
        path: Vec<String>,
        gradients: Option<&'a Gradients>,
        seen: Vec<Seen>,
    }
    impl ModuleVisitor for Walk<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.gradients.and_then(|all| param.val().grad(all));
            self.seen.push(Seen {
                path: self.path.join("."),
                values: values(param.val()),
                gradient: gradient.map(values),
            });
        }
    }
    let mut walk = Walk {
        path: Vec::new(),
        gradients,
        seen: Vec::new(),
    };
    module.visit(&mut walk);
    walk.seen
}

/// `module` with `change` applied to every trained parameter.
pub(crate) fn edit<M: Module>(module: M, change: impl FnMut(&str, &mut Vec<f64>)) -> M {
    struct Walk<F> {
        path: Vec<String>,
        change: F,
    }
    impl<F: FnMut(&str, &mut Vec<f64>)> ModuleMapper for Walk<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = self.path.join(".");
            if !is_trained(&path) {
                return param;
            }
            param.map(|tensor| {
                let mut list = values(tensor.clone());
                (self.change)(&path, &mut list);
                let data = TensorData::new(list, tensor.dims()).convert_dtype(tensor.dtype());
                let new = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
                new.set_require_grad(tensor.is_require_grad())
            })
        }
    }
    module.map(&mut Walk {
        path: Vec::new(),
        change,
    })
}
