//! Parameters and arithmetic of a model.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::Serialize;

/// Parameters and arithmetic of one replica of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Trained parameters. Running averages do not count.
    pub parameters: usize,
    /// Multiply-adds of dense layers and convolutions in the forward pass of one example.
    pub multiply_adds: usize,
}

impl Cost {
    pub(super) fn add(&mut self, weights: usize, positions: usize, vectors: usize) {
        self.parameters += weights + vectors;
        self.multiply_adds += weights * positions;
    }
}

/// Path and shape of every trained parameter of `model`.
pub(super) fn trained<M: Module>(model: &M) -> Vec<(Vec<String>, Vec<usize>)> {
    #[derive(Default)]
    struct Collect {
        path: Vec<String>,
        found: Vec<(Vec<String>, Vec<usize>)>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
                let shape = param.val().dims().to_vec();
                self.found.push((self.path.clone(), shape));
            }
        }
    }
    let mut collect = Collect::default();
    model.visit(&mut collect);
    collect.found
}

/// Counts the parameters of a `model` of one replica; `replica` is the rule that says whether a parameter
/// belongs to one. Those with two or more axes, beside that of the replicas, count as weights, which take
/// one multiply-add each.
pub(super) fn counted<M: Module>(model: &M, replica: fn(&[String]) -> Option<usize>) -> Cost {
    let mut cost = Cost::default();
    for (path, shape) in trained(model) {
        let axes = shape.len() - usize::from(replica(&path).is_none());
        let elements: usize = shape.iter().product();
        cost.parameters += elements;
        if axes > 1 {
            cost.multiply_adds += elements;
        }
    }
    cost
}
