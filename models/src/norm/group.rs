//! Group normalization, and layer normalization, which is group normalization with one group.

use super::affine::{Affine, AffineConfig};
use super::interface::{BuildNorm, NormLayer, NormSettings};
use crate::error::{ConfigError, check_positive};
use crate::init::Start;
use crate::pass::Pass;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Settings of layer normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerNormConfig {
    /// Learn a scale per channel. Default: on.
    pub scale: bool,
    /// Learn a center per channel. Default: on.
    pub center: bool,
    /// Added to the variance before the square root. Default: 1e-5.
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

impl NormSettings for LayerNormConfig {
    fn affine(&self) -> AffineConfig {
        AffineConfig {
            scale: self.scale,
            center: self.center,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_positive("norm.epsilon", self.epsilon)
    }
}

impl BuildNorm for LayerNormConfig {
    type Layer = GroupNorm;

    fn build(&self, _: usize, affine: Affine, _: &Start) -> Result<GroupNorm, ConfigError> {
        Ok(GroupNorm {
            affine,
            groups: 1,
            epsilon: self.epsilon,
        })
    }
}

/// Settings of group normalization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupNormConfig {
    /// Number of groups; must divide the channels. Default: 8.
    pub groups: usize,
    /// Learn a scale per channel. Default: on.
    pub scale: bool,
    /// Learn a center per channel. Default: on.
    pub center: bool,
    /// Added to the variance before the square root. Default: 1e-5.
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

impl NormSettings for GroupNormConfig {
    fn affine(&self) -> AffineConfig {
        AffineConfig {
            scale: self.scale,
            center: self.center,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.groups == 0 {
            return Err(ConfigError::new("norm.groups", "must be at least 1"));
        }
        check_positive("norm.epsilon", self.epsilon)
    }
}

impl BuildNorm for GroupNormConfig {
    type Layer = GroupNorm;

    fn build(&self, channels: usize, affine: Affine, _: &Start) -> Result<GroupNorm, ConfigError> {
        if !channels.is_multiple_of(self.groups) {
            return Err(ConfigError::new(
                "norm.groups",
                format!(
                    "is {}, which does not divide {channels} channels",
                    self.groups
                ),
            ));
        }
        Ok(GroupNorm {
            affine,
            groups: self.groups,
            epsilon: self.epsilon,
        })
    }
}

/// Group normalization (Wu and He 2018, section 3.1); with one group, layer normalization.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// The learned scale and center.
    pub affine: Affine,
    /// Number of groups.
    pub groups: usize,
    /// Added to the variance before the square root.
    pub epsilon: f64,
}

impl GroupNorm {
    /// Normalizes each group of channels of each example over all its positions.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
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

impl NormLayer for GroupNorm {
    fn normalize(&self, x: Tensor<3>, positions: usize, _: &Pass) -> Tensor<3> {
        self.forward(x, positions)
    }

    fn affine(&self) -> &Affine {
        &self.affine
    }

    fn affine_mut(&mut self) -> &mut Affine {
        &mut self.affine
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::{Norm, NormConfig};
    use super::*;
    use crate::testing::{assert_close, for_each_device, values};
    use burn::module::Param;

    fn set(affine: &mut Affine, scale: Vec<f64>, center: Vec<f64>, start: &Start) {
        let param = |list: Vec<f64>| {
            let n = list.len();
            Some(Param::from_tensor(start.tensor(list, [1, n])))
        };
        affine.scale = param(scale);
        affine.center = param(center);
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
    fn group_and_layer_norm_match_pytorch() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
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
}
