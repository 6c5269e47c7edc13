//! Normalization: batch norm with every part on a switch, and layer and group norm, or a learned
//! scale and center alone, to compare with.

use crate::affine::{Affine, AffineConfig};
use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::{Mode, Pass};
use crate::running::Running;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which normalization a block has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", from = "Wire")]
pub enum NormConfig {
    /// No normalization.
    #[default]
    None,
    /// Batch normalization (Ioffe and Szegedy 2015).
    Batch(BatchNormConfig),
    /// Layer normalization (Ba, Kiros and Hinton 2016): over the features of one example.
    Layer(LayerNormConfig),
    /// Group normalization (Wu and He 2018): over groups of channels of one example.
    Group(GroupNormConfig),
    /// A learned scale and center without any normalization: what is left of a norm without its
    /// statistics.
    Affine(AffineConfig),
}

/// [`NormConfig`] as it is read: serde accepts any key beside the tag of a variant without braces.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Wire {
    None {},
    Batch(BatchNormConfig),
    Layer(LayerNormConfig),
    Group(GroupNormConfig),
    Affine(AffineConfig),
}

impl From<Wire> for NormConfig {
    fn from(wire: Wire) -> Self {
        match wire {
            Wire::None {} => Self::None,
            Wire::Batch(c) => Self::Batch(c),
            Wire::Layer(c) => Self::Layer(c),
            Wire::Group(c) => Self::Group(c),
            Wire::Affine(c) => Self::Affine(c),
        }
    }
}

impl NormConfig {
    /// Whether the norm subtracts a mean and then adds a learned center, so that a bias directly
    /// before it can do nothing that the center does not.
    pub fn replaces_bias(&self) -> bool {
        matches!(self, Self::Batch(c) if c.center)
    }

    /// How many numbers it learns for each channel.
    pub fn learned_vectors(&self) -> usize {
        usize::from(self.has_scale()) + usize::from(self.has_center())
    }

    /// Whether there is a norm, or what stands in its place.
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether it learns a scale.
    pub const fn has_scale(&self) -> bool {
        self.learned()[0]
    }

    /// Whether it learns a center.
    pub const fn has_center(&self) -> bool {
        self.learned()[1]
    }

    const fn learned(&self) -> [bool; 2] {
        match self {
            Self::None => [false, false],
            Self::Batch(c) => [c.scale, c.center],
            Self::Layer(c) => [c.scale, c.center],
            Self::Group(c) => [c.scale, c.center],
            Self::Affine(c) => [c.scale, c.center],
        }
    }

    /// # Errors
    /// If a number is out of its range.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::None | Self::Affine(_) => Ok(()),
            Self::Batch(c) => c.check(),
            Self::Layer(c) => positive("norm.epsilon", c.epsilon),
            Self::Group(c) => {
                if c.groups == 0 {
                    return Err(ConfigError::new("norm.groups", "must be at least 1"));
                }
                positive("norm.epsilon", c.epsilon)
            }
        }
    }
}

/// Batch normalization over the batch (and, for images, the positions) of each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchNormConfig {
    /// Learn a scale (gamma); absent when off, not frozen at one. Default: on.
    pub scale: bool,
    /// Learn a center (beta); absent when off, not frozen at zero. Default: on.
    pub center: bool,
    /// Weight of the new batch in the running averages, in `(0, 1]`. Default: 0.1.
    pub momentum: f64,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
    /// Divide the running averages by the weight that data has in them, as Adam does with its
    /// moments, so that the start value has no weight. Default: off.
    pub bias_correction: bool,
    /// Average the unbiased variance (`n - 1`), as PyTorch does, or the biased one (`n`), as burn
    /// and the paper's training step do. Default: biased.
    pub running_variance: RunningVariance,
    /// How the weight of the new batch goes over the steps. Default: constant.
    pub averaging: Averaging,
    /// Examples of which the training statistics are taken together (ghost batch normalization,
    /// Hoffer et al. 2017); must divide the batch. Default: the whole batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghost: Option<usize>,
}

/// How the weight of the new batch in a running average goes over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// It is the momentum throughout.
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

/// Which variance estimate enters the running average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningVariance {
    /// Divided by `n`.
    #[default]
    Biased,
    /// Divided by `n - 1`.
    Unbiased,
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

impl BatchNormConfig {
    /// # Errors
    /// If `momentum` is outside `(0, 1]`, `epsilon` is not positive and finite, or `ghost` is 0.
    pub fn check(&self) -> Result<(), ConfigError> {
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
        positive("norm.epsilon", self.epsilon)
    }
}

/// Layer normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNormConfig {
    /// Learn a scale for each channel. Default: on.
    pub scale: bool,
    /// Learn a center for each channel. Default: on.
    pub center: bool,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
}

impl Default for LayerNormConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
            epsilon: 1e-5,
        }
    }
}

/// Group normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupNormConfig {
    /// Number of groups; must divide the channels. Default: 8.
    pub groups: usize,
    /// Learn a scale for each channel. Default: on.
    pub scale: bool,
    /// Learn a center for each channel. Default: on.
    pub center: bool,
    /// Added to the variance under the root. Default: 1e-5.
    pub epsilon: f64,
}

impl Default for GroupNormConfig {
    fn default() -> Self {
        Self {
            groups: 8,
            scale: true,
            center: true,
            epsilon: 1e-5,
        }
    }
}

fn positive(key: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(ConfigError::new(
        key,
        format!("must be positive and finite, not {value}"),
    ))
}

/// The normalization of a block.
#[derive(Module, Debug)]
pub enum Norm {
    /// Over the batch.
    Batch(BatchNorm),
    /// Over groups of channels of one example; layer norm is one group.
    Group(GroupNorm),
    /// Over nothing.
    Affine(Affine),
}

impl NormConfig {
    /// Builds the norm over `channels`, or nothing.
    ///
    /// # Errors
    /// If the groups do not divide the channels.
    pub fn init(
        &self,
        channels: usize,
        center: f64,
        start: &Start,
    ) -> Result<Option<Norm>, ConfigError> {
        let [scale, has_center] = self.learned();
        let config = AffineConfig {
            scale,
            center: has_center,
        };
        let affine = config.init(channels, center, start);
        Ok(match self {
            Self::None => None,
            Self::Affine(_) => Some(Norm::Affine(affine)),
            Self::Batch(c) => Some(Norm::Batch(BatchNorm {
                affine,
                running: Running::new(c, channels, start),
                config: c.clone(),
            })),
            Self::Layer(c) => Some(Norm::Group(GroupNorm {
                affine,
                groups: 1,
                epsilon: c.epsilon,
            })),
            Self::Group(c) => {
                if !channels.is_multiple_of(c.groups) {
                    return Err(ConfigError::new(
                        "norm.groups",
                        format!("is {}, which does not divide {channels} channels", c.groups),
                    ));
                }
                Some(Norm::Group(GroupNorm {
                    affine,
                    groups: c.groups,
                    epsilon: c.epsilon,
                }))
            }
        })
    }
}

impl Norm {
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    pub fn forward(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Batch(norm) => norm.forward_images(x, positions, pass),
            Self::Group(norm) => norm.forward(x, positions),
            Self::Affine(affine) => affine.forward(x),
        }
    }

    /// The learned scale and center.
    pub const fn affine(&self) -> &Affine {
        match self {
            Self::Batch(norm) => &norm.affine,
            Self::Group(norm) => &norm.affine,
            Self::Affine(affine) => affine,
        }
    }

    /// The learned scale and center, to be changed.
    pub const fn affine_mut(&mut self) -> &mut Affine {
        match self {
            Self::Batch(norm) => &mut norm.affine,
            Self::Group(norm) => &mut norm.affine,
            Self::Affine(affine) => affine,
        }
    }
}

/// Batch normalization (Ioffe and Szegedy 2015, algorithm 1) for a stack of replicas.
///
/// Training normalizes with the mean and the biased variance of the batch; evaluation with running
/// averages of both (section 3.1).
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// The learned scale and center.
    pub affine: Affine,
    /// The running averages.
    pub running: Running,
    /// The configuration.
    #[module(skip)]
    pub config: BatchNormConfig,
}

impl BatchNorm {
    /// # Shapes
    /// `[replicas, rows, channels]` to the same; statistics are over the rows, in training with
    /// ghost batches over the rows of each of them.
    ///
    /// # Panics
    /// If the ghost batches do not divide the rows.
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.forward_images(x, 1, pass)
    }

    /// The same for `[replicas, batch * positions, channels]`, positions fastest.
    fn forward_images(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        match (pass.mode(), self.config.ghost) {
            (Mode::Evaluate, _) => {
                let (mean, variance) = self.running.estimates();
                self.normalize(x - mean.unsqueeze_dim(1), variance.unsqueeze_dim(1))
            }
            (Mode::EvaluateOnBatch, _) => {
                let (centered, _, variance) = standardized(x);
                self.normalize(centered, variance)
            }
            (Mode::Train { step }, ghost) => {
                let [r, rows, c] = x.dims();
                let part = ghost.map_or(rows, |examples| examples * positions);
                assert!(
                    rows.is_multiple_of(part),
                    "ghost batches of {part} rows do not divide {rows}"
                );
                // Each ghost batch passes as a replica of its own.
                let ghosts = rows / part;
                let (centered, mean, variance) = standardized(x.reshape([r * ghosts, part, c]));
                let over_ghosts = |t: &Tensor<3>| -> Tensor<2> {
                    let each: Tensor<3> = t.clone().reshape([r, ghosts, c]);
                    each.mean_dim(1).squeeze_dim(1)
                };
                let seen = [over_ghosts(&mean), over_ghosts(&variance)];
                self.running.update(&self.config, seen, part, step);
                let inverse = (variance + self.config.epsilon).sqrt().recip();
                self.affine
                    .forward((centered * inverse).reshape([r, rows, c]))
            }
        }
    }

    fn normalize(&self, centered: Tensor<3>, variance: Tensor<3>) -> Tensor<3> {
        let inverse = (variance + self.config.epsilon).sqrt().recip();
        self.affine.forward(centered * inverse)
    }
}

/// What is left of the rows without their mean, the mean, and the biased variance.
fn standardized(x: Tensor<3>) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let mean = x.clone().mean_dim(1);
    let centered = x - mean.clone();
    let variance = centered.clone().square().mean_dim(1);
    (centered, mean, variance)
}

/// Group normalization (Wu and He 2018, section 3.1); with one group, layer normalization.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// The learned scale and center.
    pub affine: Affine,
    /// Number of groups.
    pub groups: usize,
    /// Added to the variance under the root.
    pub epsilon: f64,
}

impl GroupNorm {
    /// # Shapes
    /// `[replicas, batch * positions, channels]` to the same; statistics are over the positions
    /// and a group's channels of one example.
    pub fn forward(&self, x: Tensor<3>, positions: usize) -> Tensor<3> {
        let [r, rows, c] = x.dims();
        let shape = [r, rows / positions, positions, self.groups, c / self.groups];
        let x: Tensor<5> = x.reshape(shape);
        let mean = x.clone().mean_dim(4).mean_dim(2);
        let centered = x - mean;
        let variance = centered.clone().square().mean_dim(4).mean_dim(2);
        let normal = centered * (variance + self.epsilon).sqrt().recip();
        self.affine.forward(normal.reshape([r, rows, c]))
    }
}

#[cfg(test)]
mod tests {
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
            other => panic!("a batch norm, not {other:?}"),
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
    fn batch_norm_gives_the_numbers_of_pytorch() {
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

            let y = norm.forward(x.clone(), &Pass::train(0));
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

    // gn = torch.nn.GroupNorm(2, 4, eps=1e-3)
    // with torch.no_grad():
    //     gn.weight.copy_(torch.tensor([1.5, -.5, 1., 2.]))
    //     gn.bias.copy_(torch.tensor([.25, 2., 0., -1.]))
    // x = torch.tensor([[[1., -2.], [.5, 4.], [-1.5, 0.], [3., 1.]]])  # one image, 4 x 2
    // print(gn(x).transpose(1, 2))
    // ln = torch.nn.LayerNorm(4, eps=1e-3)
    // print(ln(torch.tensor([[1., -2., .5, 4.], [-1.5, 0., 3., 1.]])))
    #[test]
    fn group_and_layer_norm_give_the_numbers_of_pytorch() {
        for_each_device(|device| {
            let start = start(device);
            let config = NormConfig::Group(GroupNormConfig {
                groups: 2,
                epsilon: 1e-3,
                ..GroupNormConfig::default()
            });
            let Ok(Some(Norm::Group(mut norm))) = config.init(4, 0.0, &start) else {
                panic!("a group norm");
            };
            let (scale, center) = (vec![1.5, -0.5, 1.0, 2.0], vec![0.25, 2.0, 0.0, -1.0]);
            set(&mut norm.affine, scale, center, &start);
            // Two positions of one image, channels last.
            let x = vec![1.0, 0.5, -1.5, 3.0, -2.0, 4.0, 0.0, 1.0];
            let expected = [
                0.337_921_889_409_154_8,
                2.087_921_889_409_154_5,
                -1.299_779_281_137_933_6,
                1.905_388_981_367_145_9,
                -1.772_203_456_410_560_2,
                1.267_317_588_257_043,
                -0.382_288_023_864_098_1,
                -0.541_254_371_363_082_2,
            ];
            let y = norm.forward(start.tensor(x, [1, 2, 4]), 2);
            assert_close(&values(y), &expected, 1e-14);

            let config = NormConfig::Layer(LayerNormConfig {
                epsilon: 1e-3,
                ..LayerNormConfig::default()
            });
            let norm = config.init(4, 0.0, &start).expect("any channels will do");
            let x = vec![1.0, -2.0, 0.5, 4.0, -1.5, 0.0, 3.0, 1.0];
            let expected = [
                0.058_614_592_939_436_536,
                -1.348_135_637_607_040_6,
                -0.175_843_778_818_309_6,
                1.465_364_823_485_913_3,
                -1.299_779_281_137_933_6,
                -0.382_288_023_864_098_1,
                1.452_694_490_683_572_8,
                0.229_372_814_318_458_88,
            ];
            let x = start.tensor(x, [1, 2, 4]);
            let y = norm.expect("a norm").forward(x, 1, &Pass::evaluate());
            assert_close(&values(y), &expected, 1e-14);
        });
    }

    /// One channel with the batches (0, 2) and then (3, 3, 9): means 1 and 5, variances 1 and 8.
    fn two_batches(config: &BatchNormConfig, start: &Start) -> [Vec<f64>; 2] {
        let norm = batch_norm(config, 1, start);
        norm.forward(start.tensor(vec![0.0, 2.0], [1, 2, 1]), &Pass::train(0));
        let second = start.tensor(vec![3.0, 3.0, 9.0], [1, 3, 1]);
        norm.forward(second, &Pass::train(1));
        estimates(&norm)
    }

    #[test]
    fn running_averages_are_those_computed_by_hand() {
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
            // Weights: 9/16 for the start, 3/16 for the first batch, 1/4 for the second.
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
    fn before_any_batch_the_estimates_are_those_of_a_standard_normal() {
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
    fn the_unbiased_variance_of_one_row_is_zero_and_not_nan() {
        for_each_device(|device| {
            let start = start(device);
            let config = BatchNormConfig {
                momentum: 1.0,
                running_variance: RunningVariance::Unbiased,
                ..BatchNormConfig::default()
            };
            let norm = batch_norm(&config, 1, &start);
            norm.forward(start.tensor(vec![4.0], [1, 1, 1]), &Pass::train(0));
            assert_eq!(estimates(&norm), [[4.0], [0.0]]);
        });
    }

    #[test]
    fn evaluation_on_a_batch_uses_its_statistics_and_leaves_the_running_ones_alone() {
        for_each_device(|device| {
            let start = start(device);
            let norm = batch_norm(&BatchNormConfig::default(), 2, &start);
            let x: Tensor<3> = start.tensor(vec![1.0, 5.0, 2.0, -3.0, 6.0, 0.5], [1, 3, 2]);
            let on_batch = values(norm.forward(x.clone(), &Pass::evaluate_on_batch()));
            assert_eq!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            let evaluated = values(norm.forward(x.clone(), &Pass::evaluate()));
            assert_eq!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            assert_eq!(on_batch, values(norm.forward(x, &Pass::train(0))));
            assert_ne!(estimates(&norm), [[0.0, 0.0], [1.0, 1.0]]);
            assert_ne!(on_batch, evaluated);
        });
    }

    #[test]
    fn ghost_batches_are_normalized_each_by_its_own_statistics() {
        for_each_device(|device| {
            let start = start(device);
            let config = BatchNormConfig {
                momentum: 1.0,
                epsilon: 1e-300,
                ghost: Some(2),
                ..BatchNormConfig::default()
            };
            let norm = batch_norm(&config, 1, &start);
            // Pairs around 2 and 10 with deviations 1 and 4; all four have mean 6 and variance 24.5.
            let x: Tensor<3> = start.tensor(vec![1.0, 3.0, 6.0, 14.0], [1, 4, 1]);
            let y = values(norm.forward(x.clone(), &Pass::train(0)));
            assert_close(&y, &[-1.0, 1.0, -1.0, 1.0], 1e-14);
            let [mean, variance] = estimates(&norm);
            assert_close(&mean, &[6.0], 1e-14);
            assert_close(&variance, &[(1.0 + 16.0) / 2.0], 1e-14);
            let whole = values(norm.forward(x, &Pass::evaluate_on_batch()));
            assert_close(&whole[..1], &[-5.0 / 24.5f64.sqrt()], 1e-14);
        });
    }

    #[test]
    fn a_ghost_batch_of_images_holds_all_their_positions() {
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
            let ghosts = norm(Some(1)).forward(x.clone(), 3, &Pass::train(0));
            let images: Tensor<3> = start.tensor(numbers, [4, 3, 1]);
            let alone = norm(None).forward(images, 3, &Pass::train(0));
            assert_close(&values(ghosts), &values(alone), 1e-14);
            let both = norm(Some(2)).forward(x.clone(), 3, &Pass::train(0));
            let whole = norm(None).forward(x, 3, &Pass::train(0));
            assert_eq!(values(both), values(whole));
        });
    }

    #[test]
    fn a_ramp_takes_the_first_batches_with_the_weights_of_its_decay() {
        // Decays (1 + t) / (10 + t): 1/10 at the first batch, 2/11 at the second.
        assert!((Averaging::Ramp.weight(0.002, 0) - 0.9).abs() < 1e-15);
        assert!((Averaging::Ramp.weight(0.002, 1) - 9.0 / 11.0).abs() < 1e-15);
        // 0.998 is reached where 9 / (10 + t) is 0.002.
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
            // Batches of mean 1 and 5 and variance 1 and 8, the start at 0 and 1.
            let second = 9.0 / 11.0;
            let expected = [
                2.0 / 11.0 * 0.9 * 1.0 + second * 5.0,
                2.0 / 11.0 * (0.1 * 1.0 + 0.9 * 1.0) + second * 8.0,
            ];
            assert_close(&[mean[0], variance[0]], &expected, 1e-14);
        });
    }

    #[test]
    fn what_visits_the_module_sees_the_last_batch() {
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
            norm.forward(start.tensor(vec![0.0, 4.0], [1, 2, 1]), &Pass::train(0));
            let mut seen = Last(Vec::new());
            norm.visit(&mut seen);
            assert_eq!(seen.0, [4.0]);
        });
    }

    #[test]
    fn what_is_switched_off_is_absent() {
        for_each_device(|device| {
            let start = start(device);
            for (scale, center) in [(false, false), (false, true), (true, false), (true, true)] {
                for config in [
                    NormConfig::Batch(BatchNormConfig {
                        scale,
                        center,
                        ..BatchNormConfig::default()
                    }),
                    NormConfig::Layer(LayerNormConfig {
                        scale,
                        center,
                        ..LayerNormConfig::default()
                    }),
                ] {
                    let norm = config.init(3, 0.5, &start).expect("can be built");
                    let norm = norm.expect("a norm");
                    let list = |param: &Option<Param<Tensor<2>>>| {
                        param.as_ref().map(|param| values(param.val()))
                    };
                    let affine = norm.affine();
                    assert_eq!(list(&affine.scale), scale.then(|| vec![1.0; 3]));
                    assert_eq!(list(&affine.center), center.then(|| vec![0.5; 3]));
                }
            }
        });
    }

    #[test]
    fn estimates_that_are_set_are_those_that_evaluation_uses() {
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
                norm.forward(x(), &Pass::train(0));
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
