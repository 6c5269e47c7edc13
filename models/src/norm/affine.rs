//! A learned scale and center per channel: the last step of every norm.

use crate::init::Start;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which of scale and center are learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineConfig {
    /// Learn a scale (gamma) per channel; without it there is no scale parameter. Default: on.
    pub scale: bool,
    /// Learn a center (beta) per channel; without it there is no center parameter. Default: on.
    pub center: bool,
}

impl Default for AffineConfig {
    fn default() -> Self {
        Self {
            scale: true,
            center: true,
        }
    }
}

impl AffineConfig {
    /// Builds scales that start at 1 and centers that start at `center`.
    pub(crate) fn init(&self, channels: usize, center: f64, start: &Start) -> Affine {
        Affine {
            scale: self.scale.then(|| start.constant(1.0, channels)),
            center: self.center.then(|| start.constant(center, channels)),
        }
    }
}

/// A learned scale and center per channel.
#[derive(Module, Debug)]
pub struct Affine {
    /// Scale (gamma), `[replicas, channels]`, if learned.
    pub scale: Option<Param<Tensor<2>>>,
    /// Center (beta), `[replicas, channels]`, if learned.
    pub center: Option<Param<Tensor<2>>>,
}

impl Affine {
    /// Multiplies by the scale and adds the center.
    ///
    /// # Shapes
    /// - `x`: `[replicas, rows, channels]`
    /// - output: as `x`
    pub fn forward(&self, mut x: Tensor<3>) -> Tensor<3> {
        if let Some(scale) = &self.scale {
            x = x * scale.val().unsqueeze_dim(1);
        }
        if let Some(center) = &self.center {
            x = x + center.val().unsqueeze_dim(1);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{for_each_device, values};

    fn affine(scale: bool, center: bool, start: &Start) -> Affine {
        let mut affine = AffineConfig { scale, center }.init(2, 0.0, start);
        let set = |param: Option<Param<Tensor<2>>>, list: [f64; 2]| {
            param.map(|p| p.map(|_| start.tensor(list.to_vec(), [1, 2])))
        };
        affine.scale = set(affine.scale, [3.0, -0.5]);
        affine.center = set(affine.center, [10.0, 20.0]);
        affine
    }

    #[test]
    fn only_switched_on_parameters_exist_and_act() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            for (scale, center, expected) in [
                (false, false, [1.0, 2.0, -1.0, 4.0]),
                (true, false, [3.0, -1.0, -3.0, -2.0]),
                (false, true, [11.0, 22.0, 9.0, 24.0]),
                (true, true, [13.0, 19.0, 7.0, 18.0]),
            ] {
                let affine = affine(scale, center, &start);
                assert_eq!(
                    (affine.scale.is_some(), affine.center.is_some()),
                    (scale, center)
                );
                let x = start.tensor(vec![1.0, 2.0, -1.0, 4.0], [1, 2, 2]);
                assert_eq!(values(affine.forward(x)), expected);
            }
        });
    }

    #[test]
    fn initially_only_the_start_center_is_added() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            let affine = AffineConfig::default().init(2, 0.1, &start);
            let x = start.tensor(vec![1.0, 2.0], [1, 1, 2]);
            assert_eq!(values(affine.forward(x)), [1.1, 2.1]);
        });
    }
}
