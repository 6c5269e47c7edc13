//! Access to the trained parameters of a net one by one, in the order of the net and without
//! running averages.

use ablate_models::block::Epilogue;
use ablate_models::zoo::Model;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

/// Path and value of every parameter, as `[replicas, elements]`.
pub fn values(model: &Model) -> Vec<(String, Tensor<2>)> {
    collected(model, None)
}

/// Path and gradient of every parameter, as `[replicas, elements]`; zeros where there is no
/// gradient.
pub fn gradients(model: &Model, gradients: &Gradients) -> Vec<(String, Tensor<2>)> {
    collected(model, Some(gradients))
}

fn collected(model: &Model, gradients: Option<&Gradients>) -> Vec<(String, Tensor<2>)> {
    let mut collect = Collect {
        gradients,
        path: Vec::new(),
        found: Vec::new(),
    };
    model.visit(&mut collect);
    collect.found
}

/// Path of a trained parameter without the name of its model. `None` for running averages, which
/// contain tensors with the same names.
fn trained(path: &[String]) -> Option<String> {
    let names = ["weight", "bias", "scale", "center"];
    let last = path.last().is_some_and(|n| names.contains(&n.as_str()));
    let running = path.iter().any(|part| part == "running");
    (last && !running).then(|| path[1..].join("."))
}

struct Collect<'a> {
    gradients: Option<&'a Gradients>,
    path: Vec<String>,
    found: Vec<(String, Tensor<2>)>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(path) = trained(&self.path) else {
            return;
        };
        let value = param.val();
        let tensor = match self.gradients {
            None => value.inner(),
            Some(gradients) => {
                let gradient = value.grad(gradients);
                gradient.unwrap_or_else(|| value.inner().zeros_like())
            }
        };
        self.found.push((path, flat(tensor)));
    }
}

/// Replaces the gradient of every parameter by `change` of its index and of the gradient,
/// `[replicas, elements]`.
pub fn map_gradients(
    model: &Model,
    gradients: &mut Gradients,
    change: impl FnMut(usize, Tensor<2>) -> Tensor<2>,
) {
    struct Replace<'a, F> {
        gradients: &'a mut Gradients,
        change: F,
        path: Vec<String>,
        index: usize,
    }
    impl<F: FnMut(usize, Tensor<2>) -> Tensor<2>> ModuleVisitor for Replace<'_, F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if trained(&self.path).is_none() {
                return;
            }
            let index = self.index;
            self.index += 1;
            let value = param.val();
            let Some(old) = value.grad_remove(self.gradients) else {
                return;
            };
            let shape = old.dims();
            let new = (self.change)(index, flat(old)).reshape(shape);
            value.grad_replace(self.gradients, new);
        }
    }
    model.visit(&mut Replace {
        gradients,
        change,
        path: Vec::new(),
        index: 0,
    });
}

/// Replaces every parameter of `model` by `change` of its index, path and value,
/// `[replicas, elements]`, without gradients. The result records gradients if `model` did.
pub fn map_parameters(
    model: Model,
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
            let Some(path) = trained(&self.path) else {
                return param;
            };
            let index = self.index;
            self.index += 1;
            param.map(|tensor| {
                let (shape, trains) = (tensor.dims(), tensor.is_require_grad());
                if !tensor.device().is_autodiff() {
                    return (self.change)(index, &path, flat(tensor)).reshape(shape);
                }
                let new = (self.change)(index, &path, flat(tensor.inner()));
                Tensor::from_inner(new.reshape(shape)).set_require_grad(trains)
            })
        }
    }
    model.map(&mut Change {
        change,
        path: Vec::new(),
        index: 0,
    })
}

/// Reshapes `[replicas, ..]` to `[replicas, elements]`.
fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<2> {
    let shape = tensor.dims();
    tensor.reshape([shape[0], shape[1..].iter().product()])
}

/// A convolutional or dense block.
pub(crate) struct HiddenBlock<'a> {
    pub(crate) weight: &'a Param<Tensor<3>>,
    pub(crate) bias: Option<&'a Param<Tensor<2>>>,
    pub(crate) epilogue: &'a Epilogue,
}

impl HiddenBlock<'_> {
    pub(crate) fn path(&self) -> String {
        self.epilogue.path().to_owned()
    }
}

/// The hidden blocks of `model`, starting at the input.
pub(crate) fn hidden_blocks(model: &Model) -> impl Iterator<Item = HiddenBlock<'_>> {
    let conv = model.conv_blocks().map(|block| HiddenBlock {
        weight: &block.conv.weight,
        bias: block.conv.bias.as_ref(),
        epilogue: &block.epilogue,
    });
    let dense = model.dense_blocks().iter().map(|block| HiddenBlock {
        weight: &block.linear.weight,
        bias: block.linear.bias.as_ref(),
        epilogue: &block.epilogue,
    });
    conv.chain(dense)
}
