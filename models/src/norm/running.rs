//! Running averages of the mean and variance of a batch norm.

use crate::init::Start;
use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
    ParamId,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How the weight of the new batch in a running average changes over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// It is always the momentum.
    #[default]
    Constant,
    /// It falls to the momentum: the decay at step `t` (from 0) is
    /// `min(1 - momentum, (1 + t) / (10 + t))`, as in TensorFlow's `ExponentialMovingAverage` with
    /// `num_updates`.
    Ramp,
}

impl Averaging {
    /// The weight of the batch of step `step` (from 0).
    pub fn weight(self, momentum: f64, step: u64) -> f64 {
        match self {
            Self::Constant => momentum,
            Self::Ramp => momentum.max(9.0 / (10.0 + step as f64)),
        }
    }
}

/// Which estimate of the variance enters the running average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningVariance {
    /// Divided by `n`.
    #[default]
    Biased,
    /// Divided by `n - 1`.
    Unbiased,
}

impl RunningVariance {
    /// The factor from the biased variance of `rows` rows to this estimate.
    pub(super) fn factor(self, rows: usize) -> f64 {
        match self {
            Self::Biased => 1.0,
            // One row has no unbiased variance; its biased variance, 0, is used.
            Self::Unbiased => rows as f64 / rows.saturating_sub(1).max(1) as f64,
        }
    }
}

/// Exponential running averages of mean and variance. A clone has its own from then on.
///
/// After `t` batches the start value still has the weight `(1 - momentum)^t` (far less with
/// [`Averaging::Ramp`]). Bias correction divides by the weight of the batches, as in Adam (Kingma and
/// Ba 2015, section 3).
#[derive(Module, Debug)]
pub struct RunningAverages {
    mean: Average,
    variance: Average,
    /// Total weight of the batches, `[replicas, 1]`; only with bias correction.
    weight: Option<Average>,
}

impl RunningAverages {
    pub(super) fn new(channels: usize, bias_correction: bool, start: &Start) -> Self {
        // With bias correction both averages start at zero; without, at mean 0 and variance 1.
        let variance = if bias_correction { 0.0 } else { 1.0 };
        Self {
            mean: Average::new(start.filled(0.0, channels)),
            variance: Average::new(start.filled(variance, channels)),
            weight: bias_correction.then(|| Average::new(start.filled(0.0, 1))),
        }
    }

    /// Estimates of the population's mean and variance, `[replicas, channels]` each. Before the first
    /// batch they are 0 and 1.
    pub fn estimates(&self) -> (Tensor<2>, Tensor<2>) {
        self.estimates_on(&self.mean.device())
    }

    /// [`Self::estimates`] on `device`, that of the input they normalize.
    pub(crate) fn estimates_on(&self, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let on_device = |average: &Average| on(average.get(), device);
        let (mean, variance) = (on_device(&self.mean), on_device(&self.variance));
        let Some(weight) = &self.weight else {
            return (mean, variance);
        };
        let weight = on_device(weight);
        let empty = weight.clone().equal_scalar(0.0);
        let share = weight.mask_fill(empty.clone(), 1.0);
        let start = share.zeros_like().mask_fill(empty, 1.0);
        (mean / share.clone(), variance / share + start)
    }

    /// Sets the estimates to `mean` and `variance`, `[replicas, channels]` each.
    pub fn set(&self, mean: Tensor<2>, variance: Tensor<2>) {
        if let Some(weight) = &self.weight {
            weight.change(|old| old.ones_like());
        }
        self.mean.change(|_| mean.inner());
        self.variance.change(|_| variance.inner());
    }

    /// Adds `mean` and `factor * variance` of a batch, `[replicas, channels]` each, with `weight`.
    pub(super) fn update(&self, [mean, variance]: [Tensor<2>; 2], weight: f64, factor: f64) {
        let m = weight;
        let (mean, variance) = (mean.inner(), variance.inner());
        let device = mean.device();
        if let Some(weight) = &self.weight {
            weight.change(|old| {
                let old = on(old, &device);
                let ones = old.ones_like();
                ablate_kernels::average_step(old, ones, [1.0 - m, m])
            });
        }
        self.mean
            .change(|old| ablate_kernels::average_step(on(old, &device), mean, [1.0 - m, m]));
        self.variance.change(|old| {
            let weights = [1.0 - m, m * factor];
            ablate_kernels::average_step(on(old, &device), variance, weights)
        });
    }
}

/// `tensor` on `device`; moved only if it is elsewhere.
fn on(tensor: Tensor<2>, device: &Device) -> Tensor<2> {
    match tensor.device() == *device {
        true => tensor,
        false => tensor.to_device(device),
    }
}

/// One running average.
///
/// burn's `RunningState` is shared by clones, averages over threads and tracks gradients, which costs
/// noticeable time per step in a small net.
#[derive(Debug)]
struct Average {
    id: ParamId,
    /// Boxed, because a tensor takes hundreds of bytes and a norm has up to three.
    value: Box<Mutex<Tensor<2>>>,
}

impl Clone for Average {
    fn clone(&self) -> Self {
        Self::with_id(self.id, self.get())
    }
}

impl Average {
    fn new(value: Tensor<2>) -> Self {
        Self::with_id(ParamId::new(), value)
    }

    fn with_id(id: ParamId, value: Tensor<2>) -> Self {
        Self {
            id,
            value: Box::new(Mutex::new(value)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tensor<2>> {
        // The value is replaced as a whole, so a panic elsewhere cannot leave it half written.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> Tensor<2> {
        self.lock().clone()
    }

    fn device(&self) -> Device {
        self.lock().device()
    }

    /// Replaces the value by `f` of it, without tracking gradients.
    fn change(&self, f: impl FnOnce(Tensor<2>) -> Tensor<2>) {
        let mut value = self.lock();
        let new = f(value.clone().inner());
        *value = match value.device().is_autodiff() {
            true => Tensor::from_inner(new),
            false => new,
        };
    }

    /// Replaces the value by `f` of it.
    fn replace(&self, f: impl FnOnce(Tensor<2>) -> Tensor<2>) {
        let mut value = self.lock();
        *value = f(value.clone());
    }
}

impl Module for Average {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_float(&Param::initialized(self.id, self.get()));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.replace(|value| {
            let param = mapper.map_float(Param::initialized(self.id, value));
            // A running average is never trained, even if the mapper asks for gradients.
            param.into_value().set_require_grad(false)
        });
        self
    }

    fn to_device(self, device: &Device) -> Self {
        self.replace(|value| value.to_device(device));
        self
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn collect_devices(&self, mut devices: Vec<Device>) -> Vec<Device> {
        let device = self.device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn materialize(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        Self::with_id(self.id, self.get().inner())
    }

    fn train(self) -> Self {
        Self::with_id(self.id, Tensor::from_inner(self.get()))
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Average(id={})", self.id)
    }
}

impl ModuleDisplayDefault for Average {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&"Average".to_owned()).optional()
    }
}

impl ModuleDisplay for Average {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::norm::{BatchNorm, BatchNormConfig, Norm, NormConfig};
    use crate::pass::Pass;
    use crate::testing::{for_each_device, values};

    fn norm(device: &Device) -> BatchNorm {
        let start = Start::new([1], &device.clone().autodiff());
        let config = BatchNormConfig {
            averaging: Averaging::Ramp,
            ..BatchNormConfig::default()
        };
        match NormConfig::Batch(config).init(1, 0.0, &start) {
            Ok(Some(Norm::Batch(norm))) => norm,
            other => panic!("not a batch norm: {other:?}"),
        }
    }

    /// A batch of mean `mean` and variance 1.
    fn batch(mean: f64, device: &Device) -> Tensor<3> {
        let start = Start::new([1], &device.clone().autodiff());
        start.tensor(vec![mean - 1.0, mean + 1.0], [1, 2, 1])
    }

    fn mean(norm: &BatchNorm) -> f64 {
        values(norm.running.estimates().0)[0]
    }

    #[test]
    fn clone_has_averages_and_steps_of_its_own() {
        for_each_device(|device| {
            let norm = norm(device);
            norm.forward(batch(10.0, device), &Pass::train());
            let copy = norm.clone();
            let before = mean(&norm);
            copy.forward(batch(20.0, device), &Pass::train());
            assert_eq!(mean(&norm), before);
            // It is at the same step as its original: the weight of the batch has fallen to 9/11.
            let expected = before + 9.0 / 11.0 * (20.0 - before);
            assert!((mean(&copy) - expected).abs() < 1e-5, "{}", mean(&copy));
            norm.forward(batch(20.0, device), &Pass::train());
            assert_eq!(mean(&norm), mean(&copy));
        });
    }

    #[test]
    fn counted_steps_equal_explicit_ones() {
        for_each_device(|device| {
            let (counted, explicit) = (norm(device), norm(device));
            for step in 0..4 {
                let x = batch(step as f64, device);
                counted.forward(x.clone(), &Pass::train());
                explicit.forward(x, &Pass::train_at(step));
                assert_eq!(mean(&counted), mean(&explicit));
            }
        });
    }

    #[test]
    fn moving_a_clone_leaves_the_original_in_place() {
        for_each_device(|device| {
            let norm = norm(device);
            let x = batch(3.0, device);
            let expected = values(norm.clone().forward(x.clone(), &Pass::train()));
            // Without gradients is another device to burn.
            let moved = norm.clone().to_device(device);
            assert_eq!(moved.devices(), vec![device.clone()]);
            assert_eq!(values(norm.forward(x.clone(), &Pass::train())), expected);
            norm.forward(x, &Pass::evaluate());
        });
    }

    #[test]
    fn frozen_norm_uses_its_averages_and_keeps_them() {
        for_each_device(|device| {
            let norm = norm(device);
            norm.forward(batch(10.0, device), &Pass::train());
            let frozen = norm.clone().freeze();
            let x = batch(20.0, device).require_grad();
            let y = frozen.forward(x.clone(), &Pass::train());
            let evaluated = frozen.forward(x.clone(), &Pass::evaluate());
            assert_eq!(values(y.clone()), values(evaluated));
            assert_eq!(mean(&frozen), mean(&norm));
            let gradient = x.grad(&y.sum().backward()).expect("of the input");
            assert!(values(gradient).iter().all(|&g| g > 0.0));
            let thawed = frozen.unfreeze();
            thawed.forward(batch(20.0, device), &Pass::train());
            assert_ne!(mean(&thawed), mean(&norm));
        });
    }
}
