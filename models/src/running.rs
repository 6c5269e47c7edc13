//! Running averages of a batch norm's statistics.

use crate::init::Start;
use crate::norm::{BatchNormConfig, RunningVariance};
use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param,
    ParamId,
};
use burn::tensor::{Device, Tensor};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Exponential running averages of a batch norm's statistics.
///
/// After `t` batches the start value has the weight `(1 - momentum)^t` in them (with
/// [`Averaging::Ramp`](crate::norm::Averaging::Ramp) far less); bias correction divides by what remains, as Adam does (Kingma and Ba 2015, section 3).
#[derive(Module, Debug)]
pub struct Running {
    mean: Average,
    variance: Average,
    /// Weight that data has in the averages, `[replicas, 1]`; kept only for bias correction.
    weight: Option<Average>,
}

impl Running {
    pub(crate) fn new(config: &BatchNormConfig, channels: usize, start: &Start) -> Self {
        // A corrected average starts from nothing; an uncorrected one from a standard normal.
        let variance = if config.bias_correction { 0.0 } else { 1.0 };
        Self {
            mean: Average::new(start.filled(0.0, channels)),
            variance: Average::new(start.filled(variance, channels)),
            weight: config
                .bias_correction
                .then(|| Average::new(start.filled(0.0, 1))),
        }
    }

    /// Estimates of the population's mean and variance, `[replicas, channels]` each. With bias
    /// correction and before any batch they are 0 and 1.
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

    /// Puts `mean` and `variance`, `[replicas, channels]` each, in the place of the estimates.
    pub fn set(&self, mean: Tensor<2>, variance: Tensor<2>) {
        if let Some(weight) = &self.weight {
            weight.change(|old| old.ones_like());
        }
        self.mean.change(|_| mean.inner());
        self.variance.change(|_| variance.inner());
    }

    /// Takes in mean and variance of a batch, `[replicas, channels]` each, taken over `rows` rows
    /// at `step`. Statistics of ghost batches come as their means.
    pub(crate) fn update(
        &self,
        config: &BatchNormConfig,
        [mean, variance]: [Tensor<2>; 2],
        rows: usize,
        step: u64,
    ) {
        let m = config.averaging.weight(config.momentum, step);
        let spread = match config.running_variance {
            RunningVariance::Biased => 1.0,
            // One row has no unbiased variance; it enters as it is.
            RunningVariance::Unbiased => rows as f64 / rows.saturating_sub(1).max(1) as f64,
        };
        if let Some(weight) = &self.weight {
            weight.change(|old| {
                let ones = old.ones_like();
                ablate_kernels::average_step(old, ones, [1.0 - m, m])
            });
        }
        self.mean
            .change(|old| ablate_kernels::average_step(old, mean.inner(), [1.0 - m, m]));
        self.variance.change(|old| {
            ablate_kernels::average_step(old, variance.inner(), [1.0 - m, m * spread])
        });
    }
}

/// One running average, shared by its clones. burn's `RunningState` averages over threads beside that
/// and records its changes for gradients, which a step of a small net feels.
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
        // It is replaced whole, so it is whole after a panic, too.
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> Tensor<2> {
        self.lock().clone()
    }

    /// Puts `f` of the value in its place, both without gradients.
    fn change(&self, f: impl FnOnce(Tensor<2>) -> Tensor<2>) {
        let mut value = self.lock();
        let new = f(value.clone().inner());
        *value = match value.device().is_autodiff() {
            true => Tensor::from_inner(new),
            false => new,
        };
    }

    /// Puts `f` of the value in its place.
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
            // Nothing learns it, whatever a mapper says.
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
