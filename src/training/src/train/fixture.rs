//! Test fixtures: data, jobs and nets small enough to verify by hand.

use super::batch::Batches;
use super::net::Net;
use super::optimizer::Optimizer;
use crate::data::{Dataset, Examples, PixelScaling, Prepared, Split, TestSource};
use crate::recipe::{Augmentation, DataConfig, DataName, Length, NetRecipe, Recipe, TrainConfig};
use crate::trainer::{Job, JobCell, NetJob, Progress};
use ablate_models::block::{Bias, BlockConfig};
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::zoo::{Model, ModelConfig};
use ablate_models::{Activation, Start};
use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::ops::Range;
use std::sync::Arc;

/// Device of all fixtures, with gradients.
pub(crate) fn device() -> Device {
    crate::device::open("flex")
        .expect("the default device")
        .autodiff()
}

/// One replica with seed 0 and images of two unscaled pixels, in double precision. All examples are
/// both trained and tested on.
pub(crate) fn batches(images: &[[u8; 2]], labels: &[u8]) -> Batches {
    let dataset = Dataset {
        name: DataName::Digits,
        height: 1,
        width: 2,
        channels: 1,
        classes: 2,
        max_pixel: 1.0,
        train: Examples::images(images.concat(), labels.to_vec()),
        test: None,
    };
    let all: Vec<u32> = (0..labels.len() as u32).collect();
    let prepared = Prepared {
        dataset: Arc::new(dataset),
        split: Split {
            train: all.clone(),
            train_labels: labels.to_vec(),
            validation: Vec::new(),
            test: all,
            test_source: TestSource::TrainFile,
        },
        affine: PixelScaling {
            scale: vec![1.0],
            shift: vec![0.0],
        },
        augment: Augmentation::default(),
    };
    Batches::new(vec![(0, Arc::new(prepared))], &device(), DType::F64)
}

/// A job of one cell with seed 0 that trains `model` with learning rate 0.1 and the given batch
/// size. It lives as long as the tests.
pub(crate) fn job(model: &ModelConfig, batch: usize) -> NetJob<'static> {
    let net = NetRecipe {
        data: DataConfig::whole(DataName::Digits),
        model: model.clone(),
        train: TrainConfig::new(Length::Epochs(2), batch),
        probes: Vec::new(),
    };
    let job = Box::leak(Box::new(stack(net, 0..1, 0.1)));
    job.net().expect("it trains a net")
}

/// A job that trains `net` with `seeds` and one learning rate as one stack.
pub(crate) fn stack(net: NetRecipe, seeds: Range<u64>, learning_rate: f64) -> Job {
    // As those of plans, ids differ where recipes do.
    let recipe = format!("{net:?}");
    let cell = |seed| JobCell {
        id: format!("{recipe} {seed}"),
        seed,
        learning_rate: Some(learning_rate),
    };
    Job {
        arm: "a".to_owned(),
        device: "flex".to_owned(),
        recipe: Recipe::Net(net),
        cells: seeds.map(cell).collect(),
        until: None,
    }
}

/// Ignores the progress of jobs.
pub(crate) struct Silent;

impl Progress for Silent {
    fn advanced(&self, _job: &Job, _done: usize) {}
}

/// A net of `job` for images of two pixels and two classes. Parameters are zero except those in
/// `values`, which are given by path.
pub(crate) fn net(job: &NetJob<'_>, values: &[(&str, &[f64])]) -> Net {
    let start = Start::new([0], &device()).double();
    let model = job.model.init([1, 2, 1], 2, &start);
    let model = set(model.expect("can be built"), values);
    let optimizer = Optimizer::new(job.train, &[0.1], &model, &[0]);
    Net::new(model, optimizer, 1.0)
}

/// Sets the trained parameters of `model`: those in `values` (by path) to the given values, all
/// others to zero.
pub(crate) fn set(model: Model, values: &[(&str, &[f64])]) -> Model {
    struct Set<'a> {
        values: &'a [(&'a str, &'a [f64])],
        path: Vec<String>,
    }
    impl ModuleMapper for Set<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.path.iter().any(|part| part == "running") {
                return param;
            }
            let path = self.path[1..].join(".");
            let named = self.values.iter().find(|(name, _)| *name == path);
            param.map(|tensor| {
                let n = tensor.shape().num_elements();
                let values = named.map_or_else(|| vec![0.0; n], |(_, list)| list.to_vec());
                let data = TensorData::new(values, tensor.dims()).convert_dtype(tensor.dtype());
                let new = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
                new.set_require_grad(tensor.is_require_grad())
            })
        }
    }
    burn::module::Module::map(
        model,
        &mut Set {
            values,
            path: Vec::new(),
        },
    )
}

/// An MLP with `hidden` units, `norm` before `activation`, and no biases in its blocks.
pub(crate) fn mlp(hidden: &[usize], norm: NormConfig, activation: Activation) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig {
        hidden: hidden.to_vec(),
        block: BlockConfig {
            activation,
            norm,
            bias: Bias::Off,
            ..BlockConfig::default()
        },
        last_block: None,
    })
}

/// Batch norm without scale and center, with a negligible epsilon.
pub(crate) fn bare(momentum: f64) -> NormConfig {
    NormConfig::Batch(BatchNormConfig {
        scale: false,
        center: false,
        epsilon: 1e-300,
        momentum,
        ..BatchNormConfig::default()
    })
}

/// Asserts that two numbers differ by at most `tolerance`.
#[track_caller]
pub(crate) fn assert_near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}
