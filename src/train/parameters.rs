//! The parameters of a net one by one: their gradients, and copies of the net in which they moved.

use ablate_models::zoo::Model;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

/// Whether a path leads to something trained, not to a running average, whose parts are called alike.
fn is_trained(path: &[String]) -> bool {
    let trained = ["weight", "bias", "scale", "center"];
    let last = path
        .last()
        .is_some_and(|name| trained.contains(&name.as_str()));
    last && !path.iter().any(|part| part == "running")
}

/// The gradient of every parameter of `model`, in the order of the net, `[replicas, elements]` each.
pub(crate) fn gradients(model: &Model, gradients: &Gradients) -> Vec<Tensor<2>> {
    struct Collect<'a> {
        gradients: &'a Gradients,
        path: Vec<String>,
        found: Vec<Tensor<2>>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !is_trained(&self.path) {
                return;
            }
            let value = param.val();
            let gradient = value.grad(self.gradients);
            let gradient = gradient.unwrap_or_else(|| value.inner().zeros_like());
            self.found.push(flat(gradient));
        }
    }
    let mut collect = Collect {
        gradients,
        path: Vec::new(),
        found: Vec::new(),
    };
    model.visit(&mut collect);
    collect.found
}

/// A copy of `model`, running averages included, that shares nothing with it and whose parameters
/// are `change` of the old ones: of their number in the order of the net, their path, and their
/// value, `[replicas, elements]`. It records gradients where `model` does.
pub(crate) fn changed(
    model: &Model,
    change: impl FnMut(usize, &str, Tensor<2>) -> Tensor<2>,
) -> Model {
    struct Change<F> {
        change: F,
        path: Vec<String>,
        index: usize,
    }
    impl<F: FnMut(usize, &str, Tensor<2>) -> Tensor<2>> ModuleMapper for Change<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !is_trained(&self.path) {
                return param;
            }
            let (index, path) = (self.index, self.path[1..].join("."));
            self.index += 1;
            param.map(|tensor| {
                let shape = tensor.dims();
                (self.change)(index, &path, flat(tensor)).reshape(shape)
            })
        }
    }
    let records = model.head().weight.val().device().is_autodiff();
    let copy = model.valid().map(&mut Change {
        change,
        path: Vec::new(),
        index: 0,
    });
    if records { copy.train() } else { copy }
}

/// `[replicas, ..]` to `[replicas, elements]`.
fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let shape = tensor.dims();
    tensor.reshape([shape[0], shape[1..].iter().product()])
}

/// The paths of the hidden blocks of `model`, from the input on.
pub(crate) fn block_paths(model: &Model) -> Vec<String> {
    let conv = model.conv_blocks().map(|block| &block.tail);
    let tails = conv.chain(model.dense_blocks().iter().map(|block| &block.tail));
    tails.map(|tail| tail.path().to_owned()).collect()
}

/// The weights of the hidden blocks of `model`, from the input on.
pub(crate) fn block_weights(model: &Model) -> Vec<&Param<Tensor<3>>> {
    let conv = model.conv_blocks().map(|block| &block.conv.weight);
    let dense = model.dense_blocks().iter();
    conv.chain(dense.map(|block| &block.linear.weight))
        .collect()
}
