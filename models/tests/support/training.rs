//! A small training loop, independent of the suite.

use super::testing::values;
use super::{ByPath, CLASSES, INPUT, batch, gradients};
use ablate_models::zoo::{Model, ModelConfig};
use ablate_models::{Pass, Start};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, Tensor};
use std::collections::HashMap;

/// Optimizer rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Gradient descent with momentum; plain if it is 0.
    Sgd { momentum: f64 },
    /// Adam (Kingma and Ba 2015) with its default constants.
    Adam,
}

/// Optimizer of any module, with weight decay as an L2 penalty.
#[derive(Clone, Debug)]
pub(crate) struct Optimizer {
    rule: Rule,
    rate: f64,
    decay: f64,
    step: i32,
    moments: HashMap<String, [Tensor<1>; 2]>,
}

impl Optimizer {
    pub(crate) fn new(rule: Rule, rate: f64, decay: f64) -> Self {
        Self {
            rule,
            rate,
            decay,
            step: 0,
            moments: HashMap::new(),
        }
    }

    /// Updates every parameter of `module` that has a gradient.
    pub(crate) fn step<M: Module>(&mut self, module: M, gradients: &Gradients) -> M {
        self.step += 1;
        module.map(&mut Walk {
            optimizer: self,
            gradients,
            path: Vec::new(),
        })
    }

    fn direction(&mut self, path: &str, gradient: Tensor<1>) -> Tensor<1> {
        let zero = || [gradient.zeros_like(), gradient.zeros_like()];
        let [first, second] = self.moments.remove(path).unwrap_or_else(zero);
        let (moments, direction) = match self.rule {
            Rule::Sgd { momentum } => {
                let velocity = first * momentum + gradient;
                ([velocity.clone(), second], velocity)
            }
            Rule::Adam => {
                let first = first * 0.9 + gradient.clone() * 0.1;
                let second = second * 0.999 + gradient.square() * 0.001;
                let corrected = second.clone() / (1.0 - 0.999f64.powi(self.step));
                let size = corrected.sqrt() + 1e-8;
                let mean = first.clone() / (1.0 - 0.9f64.powi(self.step));
                ([first, second], mean / size)
            }
        };
        self.moments.insert(path.to_owned(), moments);
        direction
    }
}

struct Walk<'a> {
    optimizer: &'a mut Optimizer,
    gradients: &'a Gradients,
    path: Vec<String>,
}

impl ModuleMapper for Walk<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = param.val().grad(self.gradients) else {
            return param;
        };
        let path = self.path.join(".");
        let decay = if path.ends_with("weight") {
            self.optimizer.decay
        } else {
            0.0
        };
        param.map(|tensor| {
            let value = tensor.inner();
            let shape = value.dims();
            let flat: Tensor<1> = (gradient + value.clone() * decay).flatten(0, D - 1);
            let direction = self.optimizer.direction(&path, flat).reshape(shape);
            Tensor::from_inner(value - direction * self.optimizer.rate).require_grad()
        })
    }
}

/// A model in training on random batches.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) model: Model,
    pub(crate) start: Start,
    optimizer: Optimizer,
    step: u64,
}

/// Results of a training step, from before the update.
pub(crate) struct Step {
    pub(crate) logits: Vec<f64>,
    /// One loss per replica.
    pub(crate) losses: Vec<f64>,
    pub(crate) gradients: ByPath,
}

impl Trial {
    pub(crate) fn new(config: &ModelConfig, start: &Start, optimizer: Optimizer) -> Self {
        let model = config.init(INPUT, CLASSES, start);
        Self {
            model: model.expect("the test's model can be built"),
            start: start.clone(),
            optimizer,
            step: 0,
        }
    }

    /// One step on a batch of `rows` examples.
    pub(crate) fn step(&mut self, rows: usize) -> Step {
        let (pixels, labels) = batch(&self.start, self.step, rows);
        let logits = self.model.forward(pixels, &Pass::train_at(self.step));
        let losses = ablate_kernels::cross_entropy(logits.clone(), labels);
        let all = losses.clone().sum().backward();
        let seen = Step {
            logits: values(logits),
            losses: values(losses),
            gradients: gradients(&self.model, &all),
        };
        self.model = self.optimizer.step(self.model.clone(), &all);
        self.step += 1;
        seen
    }

    /// Several steps on batches of `rows` examples.
    pub(crate) fn steps(&mut self, steps: usize, rows: usize) {
        for _ in 0..steps {
            self.step(rows);
        }
    }

    /// Logits in evaluation on new examples.
    pub(crate) fn evaluate(&self, rows: usize) -> Vec<f64> {
        self.evaluate_in(&Pass::evaluate(), rows)
    }

    /// Logits in `pass` on new examples.
    pub(crate) fn evaluate_in(&self, pass: &Pass, rows: usize) -> Vec<f64> {
        let (pixels, _) = batch(&self.start, 1 << 20, rows);
        values(self.model.valid().forward(pixels.inner(), pass))
    }
}
