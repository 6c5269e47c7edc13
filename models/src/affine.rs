//! A learned scale and center for each channel: the last step of every norm, and a level of its own.

use crate::init::Start;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which of the two are learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AffineConfig {
    /// Learn a scale (gamma); absent when off, not frozen at one. Default: on.
    pub scale: bool,
    /// Learn a center (beta); absent when off, not frozen at zero. Default: on.
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
    /// Scales of one and centers of `center` for `channels` channels.
    pub(crate) fn init(&self, channels: usize, center: f64, start: &Start) -> Affine {
        Affine {
            scale: self.scale.then(|| start.constant(1.0, channels)),
            center: self.center.then(|| start.constant(center, channels)),
        }
    }
}

/// A learned scale and center for each channel; what is switched off is absent.
#[derive(Module, Debug)]
pub struct Affine {
    /// Scale (gamma), `[replicas, channels]`.
    pub scale: Option<Param<Tensor<2>>>,
    /// Center (beta), `[replicas, channels]`.
    pub center: Option<Param<Tensor<2>>>,
}

impl Affine {
    /// # Shapes
    /// `[replicas, rows, channels]` to the same.
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
    fn what_is_learned_acts_and_what_is_not_is_absent() {
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
    fn it_starts_as_the_identity_but_for_the_start_of_the_center() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            let affine = AffineConfig::default().init(2, 0.1, &start);
            let x = start.tensor(vec![1.0, 2.0], [1, 1, 2]);
            assert_eq!(values(affine.forward(x)), [1.1, 2.1]);
        });
    }
}
