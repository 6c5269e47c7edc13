//! Everything that a training needs to go on as if it had never stopped.

use super::TrainError;
use super::net::host;
use crate::record::CellRecord;
use ablate_models::interchange::{HostTensor, Weights};
use ablate_models::zoo::Model;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The state of a training after an evaluation; its tensors are kept apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Evaluations done.
    pub evaluations: usize,
    /// Steps done.
    pub steps: usize,
    /// Steps that the optimizer counts.
    pub optimizer_steps: i32,
    /// One record per seed, with its cell's id.
    pub records: Vec<CellRecord>,
    /// Early stopping of each seed.
    pub seeds: Vec<SeedProgress>,
}

/// Early stopping of a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedProgress {
    /// Index of the evaluation whose weights are kept.
    pub kept: usize,
    /// Whether it is stopped.
    pub stopped: bool,
}

/// The tensors of `all` whose names start with `prefix` and a dot, without both.
pub(super) fn below(all: &Weights, prefix: &str) -> BTreeMap<String, HostTensor> {
    let inside = all.0.iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix(prefix)?.strip_prefix('.')?;
        Some((name.to_owned(), tensor.clone()))
    });
    inside.collect()
}

/// `tensors` with `prefix` and a dot before their names.
pub(super) fn under(
    prefix: &str,
    tensors: BTreeMap<String, HostTensor>,
) -> impl Iterator<Item = (String, HostTensor)> {
    let named = move |(name, tensor)| (format!("{prefix}.{name}"), tensor);
    tensors.into_iter().map(named)
}

/// Every tensor of `model` by its path, running averages included.
pub(super) fn tensors(model: &Model) -> BTreeMap<String, HostTensor> {
    #[derive(Default)]
    struct Collect {
        path: Vec<String>,
        found: BTreeMap<String, HostTensor>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let tensor = HostTensor {
                shape: value.dims().to_vec(),
                values: host(value),
            };
            self.found.insert(self.path.join("."), tensor);
        }
    }
    let mut collect = Collect::default();
    model.visit(&mut collect);
    collect.found
}

/// `model` with the tensors that [`tensors`] gave.
///
/// # Errors
/// If they are not those of such a model.
pub(super) fn with_tensors(
    model: Model,
    tensors: BTreeMap<String, HostTensor>,
) -> Result<Model, TrainError> {
    struct Set {
        path: Vec<String>,
        tensors: BTreeMap<String, HostTensor>,
        wrong: Option<String>,
    }
    impl ModuleMapper for Set {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let path = self.path.join(".");
            let shape = param.val().dims().to_vec();
            let tensor = self.tensors.remove(&path);
            let Some(tensor) = tensor.filter(|tensor| tensor.shape == shape) else {
                self.wrong = Some(path);
                return param;
            };
            param.map(|old| {
                let data = TensorData::new(tensor.values, tensor.shape);
                let trains = old.is_require_grad();
                Tensor::from_data(data, (&old.device(), old.dtype())).set_require_grad(trains)
            })
        }
    }
    let mut set = Set {
        path: Vec::new(),
        tensors,
        wrong: None,
    };
    let model = model.map(&mut set);
    let unknown = set.tensors.into_keys().next();
    match set.wrong.or(unknown) {
        None => Ok(model),
        Some(path) => {
            let message = format!("the tensor `{path}` is not that of the model");
            Err(TrainError::Checkpoint(message))
        }
    }
}
