//! Batch normalization, with every part on a switch.

use super::affine::{Affine, AffineConfig};
use super::interface::{BuildNorm, NormLayer, NormSettings};
use super::running::{Averaging, RunningAverages, RunningVariance};
use crate::error::{ConfigError, check_positive};
use crate::init::Start;
use crate::pass::{Mode, Pass, StepCounter};
use crate::training_flag::TrainingFlag;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Settings of batch normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNormConfig {
    /// Learn a scale (gamma) per channel; without it there is no scale parameter. Default: on.
    pub scale: bool,
    /// Learn a center (beta) per channel; without it there is no center parameter. Default: on.
    pub center: bool,
    /// Weight of the new batch in the running averages, in `(0, 1]`. Default: 0.1.
    pub momentum: f64,
    /// Added to the variance before the square root. Default: 1e-5.
    pub epsilon: f64,
    /// Correct the running averages for their start value, as Adam does with its moments (Kingma and
    /// Ba 2015, section 3). Default: off.
    pub bias_correction: bool,
    /// Which variance enters the running average: the unbiased one (divided by `n - 1`), as in
    /// PyTorch, or the biased one (divided by `n`), as in burn. Default: biased.
    pub running_variance: RunningVariance,
    /// How the weight of the new batch changes over the steps. Default: constant.
    pub averaging: Averaging,
    /// Number of examples per ghost batch (Hoffer et al. 2017); must divide the batch size. Default:
    /// the whole batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghost: Option<usize>,
}

impl Default for BatchNormConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            momentum: 0.1,
            epsilon: 1e-5,
            bias_correction: false,
            running_variance: RunningVariance::default(),
            averaging: Averaging::default(),
            ghost: None,
        }
    }
}

impl NormSettings for BatchNormConfig {
    fn affine(&self) -> AffineConfig {
        AffineConfig {
            scale: self.scale,
            center: self.center,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(ConfigError::new(
                "norm.momentum",
                format!("must be above 0 and at most 1, not {}", self.momentum),
            ));
        }
        if self.ghost == Some(0) {
            return Err(ConfigError::new(
                "norm.ghost",
                "must be at least 1; leave it out for the whole batch",
            ));
        }
        check_positive("norm.epsilon", self.epsilon)
    }

    fn replaces_bias(&self) -> bool {
        self.center
    }
}

impl BuildNorm for BatchNormConfig {
    type Layer = BatchNorm;

    fn build(
        &self,
        channels: usize,
        affine: Affine,
        start: &Start,
    ) -> Result<BatchNorm, ConfigError> {
        Ok(BatchNorm {
            affine,
            running: RunningAverages::new(channels, self.bias_correction, start),
            config: self.clone(),
            training: TrainingFlag::enabled(),
            steps: StepCounter::default(),
        })
    }
}

/// Batch normalization (Ioffe and Szegedy 2015, algorithm 1) for a stack of replicas.
///
/// In training, the mean and the biased variance of the batch normalize; in evaluation, their running
/// averages (section 3.1). A frozen layer (`freeze()`) uses them in training, too, and keeps them.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// The learned scale and center.
    pub affine: Affine,
    /// The running averages of mean and variance.
    pub running: RunningAverages,
    /// The settings.
    #[module(skip)]
    pub config: BatchNormConfig,
    training: TrainingFlag,
    #[module(skip)]
    steps: StepCounter,
}

impl BatchNorm {
    /// Normalizes rows that are examples: `[replicas, rows, channels]` to the same shape.
    ///
    /// # Panics
    /// If the ghost batches do not divide the rows.
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.normalize(x, 1, pass)
    }

    /// Updates the running averages with mean and variance, `[replicas, channels]` each, of a batch
    /// of `rows` rows.
    pub(crate) fn update_running(
        &self,
        statistics: [Tensor<2>; 2],
        rows: usize,
        step: Option<u64>,
    ) {
        let config = &self.config;
        let step = self.steps.advance(step);
        let weight = config.averaging.weight(config.momentum, step);
        let factor = config.running_variance.factor(rows);
        self.running.update(statistics, weight, factor);
    }

    /// The mode of `pass` in this layer: a frozen layer evaluates where others train.
    pub(crate) fn mode(&self, pass: &Pass) -> Mode {
        match pass.mode() {
            Mode::Train { .. } if !self.training.is_enabled() => Mode::Evaluate,
            mode => mode,
        }
    }

    fn divide(&self, centered: Tensor<3>, variance: Tensor<3>) -> Tensor<3> {
        let inverse = (variance + self.config.epsilon).sqrt().recip();
        centered * inverse
    }
}

impl NormLayer for BatchNorm {
    /// # Panics
    /// If the ghost batches do not divide the rows.
    fn normalize(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        let normal = match (self.mode(pass), self.config.ghost) {
            (Mode::Evaluate, _) => {
                let (mean, variance) = self.running.estimates_on(&x.device());
                self.divide(x - mean.unsqueeze_dim(1), variance.unsqueeze_dim(1))
            }
            (Mode::EvaluateOnBatch, _) => {
                let (centered, _, variance) = moments(x);
                self.divide(centered, variance)
            }
            (Mode::Train { step }, ghost) => {
                let [r, rows, c] = x.dims();
                let part = ghost.map_or(rows, |examples| examples * positions);
                assert!(
                    rows.is_multiple_of(part),
                    "ghost batches of {part} rows do not divide {rows} rows"
                );
                // Each ghost batch counts as a replica.
                let ghosts = rows / part;
                let (centered, mean, variance) = moments(x.reshape([r * ghosts, part, c]));
                let over_ghosts = |t: &Tensor<3>| -> Tensor<2> {
                    let each: Tensor<3> = t.clone().reshape([r, ghosts, c]);
                    each.mean_dim(1).squeeze_dim(1)
                };
                let statistics = [over_ghosts(&mean), over_ghosts(&variance)];
                self.update_running(statistics, part, step);
                self.divide(centered, variance).reshape([r, rows, c])
            }
        };
        self.affine.forward(normal)
    }

    fn affine(&self) -> &Affine {
        &self.affine
    }

    fn affine_mut(&mut self) -> &mut Affine {
        &mut self.affine
    }
}

/// `x` minus the mean of each channel, the mean, and the biased variance.
fn moments(x: Tensor<3>) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let mean = x.clone().mean_dim(1);
    let centered = x - mean.clone();
    let variance = centered.clone().square().mean_dim(1);
    (centered, mean, variance)
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{Norm, NormConfig};
    use super::*;
    use crate::testing::{assert_close, for_each_device, values};
    use burn::module::{ModuleVisitor, Param};
    use burn::tensor::Device;

    fn start(device: &Device) -> Start {
        Start::new([1], &device.clone().autodiff()).double()
    }

    fn batch_norm(config: &BatchNormConfig, channels: usize, start: &Start) -> BatchNorm {
        match NormConfig::Batch(config.clone()).init(channels, 0.0, start) {
            Ok(Some(Norm::Batch(norm))) => norm,
            other => panic!("not a batch norm: {other:?}"),
        }
    }

    fn estimates(norm: &BatchNorm) -> [Vec<f64>; 2] {
        let (mean, variance) = norm.running.estimates();
        [values(mean), values(variance)]
    }

    fn set(affine: &mut Affine, scale: Vec<f64>, center: Vec<f64>, start: &Start) {
        let param = |list: Vec<f64>| {
            let n = list.len();
            Some(Param::from_tensor(start.tensor(list, [1, n])))
        };
        affine.scale = param(scale);
        affine.center = param(center);
    }

    // import torch; torch.set_default_dtype(torch.float64)
    // bn = torch.nn.BatchNorm1d(2, eps=1e-3, momentum=0.3)
    // with torch.no_grad():
    //     bn.weight.copy_(torch.tensor([1.5, -.5])); bn.bias.copy_(torch.tensor([.25, 2.]))
    // x = torch.tensor([[1., -2.], [.5, 4.], [-1.5, 0.], [3., 1.]], requires_grad=True)
    // y = bn(x); (y * torch.tensor([[1., 2.], [-1., .5], [.25, -3.], [2., 1.]])).sum().backward()
    // print(y, x.grad, bn.weight.grad, bn.bias.grad, bn.running_mean, bn.running_var)
    // print(bn.eval()(x))
    #[test]
    fn values_and_gradients_match_pytorch() {
        for_each_device(|device| {
            let start = start(device);
            let config = BatchNormConfig {
                momentum: 0.3,
                epsilon: 1e-3,
                running_variance: RunningVariance::Unbiased,
                ..BatchNormConfig::default()
            };
            let mut norm = batch_norm(&config, 2, &start);
            set(&mut norm.affine, vec![1.5, -0.5], vec![0.25, 2.0], &start);
            let x = vec![1.0, -2.0, 0.5, 4.0, -1.5, 0.0, 3.0, 1.0];
            let x: Tensor<3> = start.tensor(x, [1, 4, 2]).require_grad();
            let pull = vec![1.0, 2.0, -1.0, 0.5, 0.25, -3.0, 2.0, 1.0];
            let pull: Tensor<3> = start.tensor(pull, [1, 4, 2]);

            let y = norm.forward(x.clone(), &Pass::train_at(0));
            let gradients = (y.clone() * pull).sum().backward();
            let gradient = |param: &Option<Param<Tensor<2>>>| {
                let param = param.as_ref().expect("a parameter").val();
                values(param.grad(&gradients).expect("a gradient"))
            };
            let expected = [
                0.484_214_946_813_195_55,
                2.635_017_564_513_866,
                0.015_785_053_186_804_4,
                1.249_524_696_483_612_9,
                -1.857_934_521_318_760_1,
                2.173_186_608_503_781_4,
                2.357_934_521_318_76,
                1.942_271_130_498_739_2,
            ];
            assert_close(&values(y), &expected, 1e-14);
            let expected = [
                0.308_517_777_121_692_26,
                -0.386_408_498_906_539_17,
                -1.362_485_037_781_072_4,
                -0.141_616_421_578_062_92,
                0.619_456_734_696_105_5,
                0.734_308_511_225_642_6,
                0.434_510_525_963_274_55,
                -0.206_283_590_741_040_5,
            ];
            let dx = x.grad(&gradients).expect("a gradient");
            assert_close(&values(dx), &expected, 1e-14);
            let (scale, center) = (gradient(&norm.affine.scale), gradient(&norm.affine.center));
            let expected = [2.771_543_537_289_480_8, -0.635_017_564_513_865_9];
            assert_close(&scale, &expected, 1e-14);
            assert_close(&center, &[2.25, 0.5], 1e-14);
            let [mean, variance] = estimates(&norm);
            assert_close(&mean, &[0.225, 0.225], 1e-15);
            assert_close(&variance, &[1.725, 2.575], 1e-15);
            let expected = [
                1.134_855_930_296_694_3,
                2.693_149_780_919_55,
                0.563_981_136_556_891_1,
                0.823_981_832_372_449_3,
                -1.719_518_038_402_319_4,
                2.070_093_798_070_516_3,
                3.418_355_105_255_905_4,
                1.758_565_806_645_999_5,
            ];
            assert_close(
                &values(norm.forward(x, &Pass::evaluate())),
                &expected,
                1e-14,
            );
        });
    }

    /// The estimates of one channel after the batches (0, 2) and (3, 3, 9), which have means 1 and 5 and
    /// variances 1 and 8.
    fn two_batches(config: &BatchNormConfig, start: &Start) -> [Vec<f64>; 2] {
        let norm = batch_norm(config, 1, start);
        norm.forward(start.tensor(vec![0.0, 2.0], [1, 2, 1]), &Pass::train_at(0));
        let second = start.tensor(vec![3.0, 3.0, 9.0], [1, 3, 1]);
        norm.forward(second, &Pass::train_at(1));
        estimates(&norm)
    }

    #[test]
    fn running_averages_match_a_hand_computation() {
        for_each_device(|device| {
            let start = start(device);
            let biased = BatchNormConfig {
                momentum: 0.25,
                ..BatchNormConfig::default()
            };
            let unbiased = BatchNormConfig {
                running_variance: RunningVariance::Unbiased,
                ..biased.clone()
            };
            let corrected = BatchNormConfig {
                bias_correction: true,
                ..biased.clone()
            };
            // Weights: 9/16 of the start value, 3/16 of the first batch, 1/4 of the second.
            let mean = 3.0 / 16.0 + 5.0 / 4.0;
            let variance = 3.0 / 16.0 + 8.0 / 4.0;
            for (config, expected) in [
                (biased, [mean, 9.0 / 16.0 + variance]),
                (unbiased, [mean, 9.0 / 16.0 + 2.0 * 3.0 / 16.0 + 12.0 / 4.0]),
                (corrected, [mean * 16.0 / 7.0, variance * 16.0 / 7.0]),
            ] {
                let [mean, variance] = two_batches(&config, &start);
                assert_close(&[mean[0], variance[0]], &expected, 1e-14);
            }
        });
    }

    #[test]
    fn estimates_start_at_mean_0_and_variance_1() {
        for_each_device(|device| {
            for bias_correction in [false, true] {
                let config = BatchNormConfig {
                    bias_correction,
                    ..BatchNormConfig::default()
                };
                let norm = batch_norm(&config, 2, &start(device));
                assert_eq!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            }
        });
    }

    #[test]
    fn unbiased_variance_of_one_row_is_zero() {
        for_each_device(|device| {
            let start = start(device);
            let config = BatchNormConfig {
                momentum: 1.0,
                running_variance: RunningVariance::Unbiased,
                ..BatchNormConfig::default()
            };
            let norm = batch_norm(&config, 1, &start);
            norm.forward(start.tensor(vec![4.0], [1, 1, 1]), &Pass::train_at(0));
            assert_eq!(estimates(&norm), [[4.0], [0.0]]);
        });
    }

    #[test]
    fn evaluating_on_a_batch_keeps_the_running_averages() {
        for_each_device(|device| {
            let start = start(device);
            let norm = batch_norm(&BatchNormConfig::default(), 2, &start);
            let x: Tensor<3> = start.tensor(vec![1.0, 5.0, 2.0, -3.0, 6.0, 0.5], [1, 3, 2]);
            let on_batch = values(norm.forward(x.clone(), &Pass::evaluate_on_batch()));
            assert_eq!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            let evaluated = values(norm.forward(x.clone(), &Pass::evaluate()));
            assert_eq!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            assert_eq!(on_batch, values(norm.forward(x, &Pass::train_at(0))));
            assert_ne!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            assert_ne!(on_batch, evaluated);
        });
    }

    #[test]
    fn each_ghost_batch_has_its_own_statistics() {
        for_each_device(|device| {
            let start = start(device);
            let config = BatchNormConfig {
                momentum: 1.0,
                epsilon: 1e-300,
                ghost: Some(2),
                ..BatchNormConfig::default()
            };
            let norm = batch_norm(&config, 1, &start);
            // Pairs with means 2 and 10 and deviations 1 and 4; all four have mean 6 and variance 24.5.
            let x: Tensor<3> = start.tensor(vec![1.0, 3.0, 6.0, 14.0], [1, 4, 1]);
            let y = values(norm.forward(x.clone(), &Pass::train_at(0)));
            assert_close(&y, &[-1.0, 1.0, -1.0, 1.0], 1e-14);
            let [mean, variance] = estimates(&norm);
            assert_close(&mean, &[6.0], 1e-14);
            assert_close(&variance, &[(1.0 + 16.0) / 2.0], 1e-14);
            let whole = values(norm.forward(x, &Pass::evaluate_on_batch()));
            assert_close(&whole[..1], &[-5.0 / 24.5f64.sqrt()], 1e-14);
        });
    }

    #[test]
    fn ghost_batches_of_images_include_all_positions() {
        for_each_device(|device| {
            let start = start(device);
            let of = |ghost| BatchNormConfig {
                ghost,
                ..BatchNormConfig::default()
            };
            let norm = |ghost| Norm::Batch(batch_norm(&of(ghost), 1, &start));
            let numbers: Vec<f64> = (0..12).map(|i| f64::from(i * i)).collect();
            // Two replicas of two images of three positions.
            let x: Tensor<3> = start.tensor(numbers.clone(), [2, 6, 1]);
            let ghosts = norm(Some(1)).forward(x.clone(), 3, &Pass::train_at(0));
            let images: Tensor<3> = start.tensor(numbers, [4, 3, 1]);
            let alone = norm(None).forward(images, 3, &Pass::train_at(0));
            assert_close(&values(ghosts), &values(alone), 1e-14);
            let both = norm(Some(2)).forward(x.clone(), 3, &Pass::train_at(0));
            let whole = norm(None).forward(x, 3, &Pass::train_at(0));
            assert_eq!(values(both), values(whole));
        });
    }

    #[test]
    fn ramp_weights_match_tensorflow() {
        // Decays (1 + t) / (10 + t): 1/10 at the first batch, 2/11 at the second.
        assert!((Averaging::Ramp.weight(0.002, 0) - 0.9).abs() < 1e-15);
        assert!((Averaging::Ramp.weight(0.002, 1) - 9.0 / 11.0).abs() < 1e-15);
        // The weight stays at 0.002 from 9 / (10 + t) = 0.002 on.
        assert!(Averaging::Ramp.weight(0.002, 4489) > 0.002);
        assert_eq!(Averaging::Ramp.weight(0.002, 4490), 0.002);
        assert_eq!(Averaging::Constant.weight(0.002, 0), 0.002);
        for_each_device(|device| {
            let config = BatchNormConfig {
                momentum: 0.002,
                averaging: Averaging::Ramp,
                ..BatchNormConfig::default()
            };
            let [mean, variance] = two_batches(&config, &start(device));
            // The batches have means 1 and 5 and variances 1 and 8; the averages start at 0 and 1.
            let second = 9.0 / 11.0;
            let expected = [
                2.0 / 11.0 * 0.9 * 1.0 + second * 5.0,
                2.0 / 11.0 * (0.1 * 1.0 + 0.9 * 1.0) + second * 8.0,
            ];
            assert_close(&[mean[0], variance[0]], &expected, 1e-14);
        });
    }

    #[test]
    fn module_visitors_see_the_updated_averages() {
        struct Last(Vec<f64>);
        impl ModuleVisitor for Last {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0 = values(param.val());
            }
        }
        for_each_device(|device| {
            let start = start(device);
            let config = BatchNormConfig {
                scale: false,
                center: false,
                momentum: 1.0,
                ..BatchNormConfig::default()
            };
            let norm = batch_norm(&config, 1, &start);
            norm.forward(start.tensor(vec![0.0, 4.0], [1, 2, 1]), &Pass::train_at(0));
            let mut seen = Last(Vec::new());
            norm.visit(&mut seen);
            assert_eq!(seen.0, [4.0]);
        });
    }

    #[test]
    fn evaluation_uses_estimates_that_were_set() {
        for_each_device(|device| {
            let start = start(device);
            for bias_correction in [false, true] {
                let config = BatchNormConfig {
                    epsilon: 1.0,
                    bias_correction,
                    ..BatchNormConfig::default()
                };
                let norm = batch_norm(&config, 2, &start);
                let x = || start.tensor(vec![1.0, -2.0, 0.5, 4.0], [1, 2, 2]);
                norm.forward(x(), &Pass::train_at(0));
                let row = |list: [f64; 2]| start.tensor(list.to_vec(), [1, 2]);
                norm.running.set(row([1.0, 2.0]), row([3.0, 8.0]));
                let [mean, variance] = estimates(&norm);
                assert_eq!((mean, variance), (vec![1.0, 2.0], vec![3.0, 8.0]));
                let y = values(norm.forward(x(), &Pass::evaluate()));
                let expected = [0.0, -4.0 / 3.0, -0.25, 2.0 / 3.0];
                assert_close(&y, &expected, 1e-15);
            }
        });
    }
}
