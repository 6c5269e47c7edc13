//! Running averages of a batch norm's statistics.

use crate::init::Start;
use crate::norm::{BatchNormConfig, RunningVariance};
use burn::module::{Module, RunningState};
use burn::tensor::Tensor;

/// Exponential running averages of a batch norm's statistics.
///
/// After `t` batches the start value has the weight `(1 - momentum)^t` in them (with
/// [`Averaging::Ramp`](crate::norm::Averaging::Ramp) far less); bias correction divides by what remains, as Adam does (Kingma and Ba 2015, section 3).
#[derive(Module, Debug)]
pub struct Running {
    mean: RunningState<Tensor<2>>,
    variance: RunningState<Tensor<2>>,
    /// Weight that data has in the averages, `[replicas, 1]`; kept only for bias correction.
    weight: Option<RunningState<Tensor<2>>>,
}

impl Running {
    pub(crate) fn new(config: &BatchNormConfig, channels: usize, start: &Start) -> Self {
        // A corrected average starts from nothing; an uncorrected one from a standard normal.
        let variance = if config.bias_correction { 0.0 } else { 1.0 };
        Self {
            mean: RunningState::new(start.filled(0.0, channels)),
            variance: RunningState::new(start.filled(variance, channels)),
            weight: config
                .bias_correction
                .then(|| RunningState::new(start.filled(0.0, 1))),
        }
    }

    /// Estimates of the population's mean and variance, `[replicas, channels]` each. With bias
    /// correction and before any batch they are 0 and 1.
    pub fn estimates(&self) -> (Tensor<2>, Tensor<2>) {
        let (mean, variance) = (self.mean.value_sync(), self.variance.value_sync());
        let Some(weight) = &self.weight else {
            return (mean, variance);
        };
        let weight = weight.value_sync();
        let empty = weight.clone().equal_scalar(0.0);
        let share = weight.mask_fill(empty.clone(), 1.0);
        let start = share.zeros_like().mask_fill(empty, 1.0);
        (mean / share.clone(), variance / share + start)
    }

    /// Puts `mean` and `variance`, `[replicas, channels]` each, in the place of the estimates.
    pub fn set(&self, mean: Tensor<2>, variance: Tensor<2>) {
        let put = |state: &RunningState<Tensor<2>>, value: Tensor<2>| {
            state.update(value.detach());
            state.value_sync();
        };
        if let Some(weight) = &self.weight {
            put(weight, weight.value_sync().ones_like());
        }
        put(&self.mean, mean);
        put(&self.variance, variance);
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
        let mix = |state: &RunningState<Tensor<2>>, new: Tensor<2>, factor: f64| {
            let old = state.value_sync().detach();
            state.update(old * (1.0 - m) + new.detach() * (m * factor));
            // Without a look, burn keeps the update from visitors (and so from saved weights) and
            // from other threads.
            state.value_sync();
        };
        if let Some(weight) = &self.weight {
            let ones = Tensor::ones([mean.dims()[0], 1], (&mean.device(), mean.dtype()));
            mix(weight, ones, 1.0);
        }
        mix(&self.mean, mean, 1.0);
        mix(&self.variance, variance, spread);
    }
}
