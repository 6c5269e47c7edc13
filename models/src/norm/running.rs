//! Running averages of the mean and variance of a batch norm.

use crate::init::Start;
use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
    ParamId,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// Exponential running averages of mean and variance, shared by all clones.
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
        let (mean, variance) = (self.mean.get(), self.variance.get());
        let Some(weight) = &self.weight else {
            return (mean, variance);
        };
        let weight = weight.get();
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
        if let Some(weight) = &self.weight {
            weight.change(|old| {
                let ones = old.ones_like();
                ablate_kernels::average_step(old, ones, [1.0 - m, m])
            });
        }
        self.mean
            .change(|old| ablate_kernels::average_step(old, mean.inner(), [1.0 - m, m]));
        self.variance.change(|old| {
            ablate_kernels::average_step(old, variance.inner(), [1.0 - m, m * factor])
        });
    }
}

/// One running average, shared by its clones.
///
/// burn's `RunningState` also averages over threads and tracks gradients, which costs noticeable time
/// per step in a small net.
#[derive(Clone, Debug)]
struct Average {
    id: ParamId,
    value: Arc<Mutex<Tensor<2>>>,
}

impl Average {
    fn new(value: Tensor<2>) -> Self {
        Self::with_id(ParamId::new(), value)
    }

    fn with_id(id: ParamId, value: Tensor<2>) -> Self {
        Self {
            id,
            value: Arc::new(Mutex::new(value)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tensor<2>> {
        // The value is replaced as a whole, so a panic elsewhere cannot leave it half written.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> Tensor<2> {
        self.lock().clone()
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
        let device = self.lock().device();
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
