//! SGD, Adam, AdamW and RMSprop for a stack of replicas, each with its own learning rate.

mod state;

use super::restriction::Restriction;
use super::rmsprop;
use super::schedule::RateAdjustment;
use crate::recipe::{AdamMoments, Optimizer as Config, ParameterGroup, TrainConfig};
use ablate_kernels::{AdamStep, SgdStep};
use ablate_models::zoo::{Model, ParameterRules};
use burn::backend::DispatchTensor;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Gradients, Tensor};

/// An optimizer and its state per parameter.
#[derive(Clone, Debug)]
pub struct Optimizer {
    config: Config,
    weight_decay: f64,
    decay_on: Vec<ParameterGroup>,
    max_norm: Option<f64>,
    rates: Vec<f64>,
    rules: ParameterRules,
    restriction: Restriction,
    /// Path of the only layer that still trains; `None` if all do.
    only_layer: Option<String>,
    states: Vec<ParameterState>,
    step: i32,
}

/// State of one parameter: the two moments of Adam. SGD and RMSprop keep their velocity in the first,
/// RMSprop its mean square in the second. Tensors
/// are stored without their rank, so that one list holds the states of all parameters.
#[derive(Clone, Debug, Default)]
struct ParameterState {
    first: StoredMoment,
    second: StoredMoment,
}

#[derive(Clone, Debug, Default)]
struct StoredMoment(Option<DispatchTensor>);

impl StoredMoment {
    /// Takes the tensor out, or zeros in the shape of `value` before the first step.
    fn take<const D: usize>(&mut self, value: &Tensor<D>) -> Tensor<D> {
        match self.0.take() {
            Some(moment) => Tensor::from_dispatch(moment),
            None => value.zeros_like(),
        }
    }

    fn put<const D: usize>(&mut self, moment: Tensor<D>) {
        self.0 = Some(moment.into_dispatch());
    }
}

impl Optimizer {
    /// Creates an optimizer of `model`, given the seed and learning rate of each replica.
    pub fn new(config: &TrainConfig, learning_rates: &[f64], model: &Model, seeds: &[u64]) -> Self {
        Self {
            config: config.optimizer.clone(),
            weight_decay: config.weight_decay,
            decay_on: config.decay_on.clone(),
            max_norm: config.max_norm,
            rates: learning_rates.to_vec(),
            rules: model.rules(),
            restriction: Restriction::new(config.only.as_deref(), model, seeds),
            only_layer: None,
            states: Vec::new(),
            step: 0,
        }
    }

    /// Trains only the layer at `path` from now on.
    pub(crate) fn train_only(&mut self, path: String) {
        self.only_layer = Some(path);
    }

    /// Takes one step with the adjusted learning rates.
    pub fn step(
        &mut self,
        model: Model,
        gradients: &mut Gradients,
        adjustment: RateAdjustment,
    ) -> Model {
        self.step += 1;
        let mut updater = Updater {
            optimizer: self,
            gradients,
            adjustment,
            index: 0,
            path: Vec::new(),
        };
        model.map(&mut updater)
    }

    /// Returns the new value of a parameter of `group` that belongs to `replica`, or to all of them. All
    /// tensors keep the parameter's own shape, because reshaping copies on some devices.
    fn update<const D: usize>(
        &mut self,
        index: usize,
        group: Option<ParameterGroup>,
        replica: Option<usize>,
        value: Tensor<D>,
        gradient: Tensor<D>,
        adjustment: RateAdjustment,
    ) -> Tensor<D> {
        let decays = group.is_some_and(|g| self.decay_on.contains(&g));
        let decay = if decays { self.weight_decay } else { 0.0 };
        let rates = match replica {
            None => self.rates.as_slice(),
            Some(r) => &self.rates[r..=r],
        };
        let rates: Vec<f64> = rates.iter().map(|&rate| adjustment.apply(rate)).collect();
        let adam = |m: &AdamMoments, penalty: f64, shrinkage: f64| AdamStep {
            rates: rates.clone(),
            beta1: m.beta1,
            beta2: m.beta2,
            epsilon: m.epsilon,
            penalty,
            shrinkage,
            step: self.step,
        };
        let step = match &self.config {
            Config::Sgd { momentum, nesterov } => {
                let step = SgdStep {
                    rates,
                    momentum: *momentum,
                    nesterov: *nesterov,
                    penalty: decay,
                };
                let velocity = &mut self.states[index].first;
                let velocity_before = (*momentum > 0.0).then(|| velocity.take(&value));
                let (value, new) = ablate_kernels::sgd_step(value, velocity_before, gradient, step);
                if let Some(new) = new {
                    velocity.put(new);
                }
                return value;
            }
            Config::Adam(m) => adam(m, decay, 0.0),
            Config::Adamw(m) => adam(m, 0.0, decay),
            Config::RmsProp(config) => {
                let state = &mut self.states[index];
                let before = [
                    value.clone(),
                    state.first.take(&value),
                    state.second.take(&value),
                ];
                let [value, velocity, square] =
                    rmsprop::step(before, gradient, config, &rates, decay);
                state.first.put(velocity);
                state.second.put(square);
                return value;
            }
        };
        let state = &mut self.states[index];
        let (first, second) = (state.first.take(&value), state.second.take(&value));
        let [value, first, second] =
            ablate_kernels::adam_step(value, first, second, gradient, step);
        state.first.put(first);
        state.second.put(second);
        value
    }
}

/// Visits the parameters in order and updates those that have a gradient and may be trained.
struct Updater<'a> {
    optimizer: &'a mut Optimizer,
    gradients: &'a mut Gradients,
    adjustment: RateAdjustment,
    index: usize,
    path: Vec<String>,
}

impl ModuleMapper for Updater<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Without the name of the model's variant.
        let path = self.path.get(1..).unwrap_or_default();
        let ParameterRules { group, replica } = self.optimizer.rules;
        let (group, replica) = (group(path), replica(path));
        if !self.optimizer.restriction.may_train(group) {
            return param;
        }
        let hidden = !self.path.iter().any(|name| name == "head");
        let bound = self
            .optimizer
            .max_norm
            .filter(|_| hidden && group == Some(ParameterGroup::Weight));
        let Some(gradient) = param.val().grad_remove(self.gradients) else {
            return param;
        };
        let index = self.index;
        self.index += 1;
        if self.optimizer.states.len() == index {
            self.optimizer.states.push(ParameterState::default());
        }
        if let Some(layer) = &self.optimizer.only_layer {
            let path = format!(".{}.", self.path.join("."));
            if !path.contains(&format!(".{layer}.")) {
                return param;
            }
        }
        param.map(|tensor| {
            let optimizer = &mut *self.optimizer;
            let gradient = optimizer.restriction.mask(index, gradient);
            let new = optimizer.update(
                index,
                group,
                replica,
                tensor.inner(),
                gradient,
                self.adjustment,
            );
            let new = match bound {
                Some(max_norm) => limit_norms(new, max_norm),
                None => new,
            };
            Tensor::from_inner(new).require_grad()
        })
    }
}

/// Max-norm constraint (Srivastava et al. 2014, section 5.1): scales down the incoming weights of
/// units whose norm exceeds `max_norm`. `weight` is `[replicas, inputs, units]`.
fn limit_norms<const D: usize>(weight: Tensor<D>, max_norm: f64) -> Tensor<D> {
    let norms = weight.clone().square().sum_dim(1).sqrt();
    // The clamp avoids a division by zero for units whose weights are all zero.
    let factor = (norms.clamp_min(max_norm).recip() * max_norm).clamp_max(1.0);
    weight * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_norms_above_the_limit_are_scaled_down() {
        let device = crate::device::open("flex").unwrap();
        // Norms of the three units: 5, 1 and 0.
        let weight =
            burn::tensor::TensorData::new(vec![3.0f32, 0.6, 0.0, 4.0, 0.8, 0.0], [1, 2, 3]);
        let found = limit_norms(Tensor::<3>::from_data(weight, &device), 2.0);
        let found: Vec<f32> = crate::train::net::host(found);
        let expected = [1.2, 0.6, 0.0, 1.6, 0.8, 0.0];
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-6),
            "{found:?}"
        );
    }
}
