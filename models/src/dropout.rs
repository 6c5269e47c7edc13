//! Inverted dropout (Srivastava et al. 2014) with masks from named streams.

use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::{Mode, Pass};
use ablate_kernels::Masks;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use ablate_kernels::{gpu, has_kernels};
use ablate_streams::{Purpose, Stream};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Where dropout acts and how often it drops. All rates default to 0, which means none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropoutConfig {
    /// Probability of dropping a unit of a hidden dense block, in `[0, 1)`.
    pub rate: f64,
    /// Probability of dropping a unit of a convolution block, in `[0, 1)`.
    pub conv_rate: f64,
    /// Probability of dropping an input, in `[0, 1)`.
    pub input_rate: f64,
    /// Where in the block. Default: at its end.
    pub placement: Placement,
    /// In convolution blocks, drop whole feature maps (Tompson et al. 2015). Default: off.
    pub spatial: bool,
}

/// Where in a block dropout acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// After everything else in the block.
    #[default]
    End,
    /// Directly before the block's norm.
    BeforeNorm,
}

impl Default for DropoutConfig {
    fn default() -> Self {
        Self {
            rate: 0.0,
            conv_rate: 0.0,
            input_rate: 0.0,
            placement: Placement::End,
            spatial: false,
        }
    }
}

impl DropoutConfig {
    /// # Errors
    /// If a rate is outside `[0, 1)` or rounds to 1 in multiples of `2^-16`.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (key, rate) in [
            ("rate", self.rate),
            ("conv_rate", self.conv_rate),
            ("input_rate", self.input_rate),
        ] {
            if !(0.0..1.0).contains(&rate) {
                return Err(ConfigError::new(
                    format!("dropout.{key}"),
                    format!("must be at least 0 and below 1, not {rate}"),
                ));
            }
            if threshold(rate) == 1 << 16 {
                return Err(ConfigError::new(
                    format!("dropout.{key}"),
                    format!("is {rate}, which the 16 bits of a mask round to 1"),
                ));
            }
        }
        Ok(())
    }
}

/// How many of the 16-bit numbers drop an element.
fn threshold(rate: f64) -> u32 {
    (rate * 65536.0).round() as u32
}

/// Inverted dropout for a stack of replicas: a kept value is divided by the probability of keeping
/// it, so that evaluation needs no change.
///
/// Element `i` of a mask is dropped where the `i`-th 16-bit number of the layer's stream at the
/// training step ([`Stream::half_words`]) is below `round(rate * 65536)`.
#[derive(Module, Debug)]
pub struct Dropout {
    /// Probability of dropping, in multiples of `2^-16`.
    pub rate: f64,
    #[module(skip)]
    threshold: u32,
    #[module(skip)]
    streams: Vec<Stream>,
    /// Drop whole feature maps.
    pub spatial: bool,
}

impl Dropout {
    /// Dropout at `path`, whose name addresses the masks; nothing at rate 0.
    pub fn new(rate: f64, spatial: bool, path: &str, start: &Start) -> Option<Self> {
        let threshold = threshold(rate);
        (threshold > 0).then(|| Self {
            rate: f64::from(threshold) / 65536.0,
            threshold,
            streams: start.streams(Purpose::Mask, path),
            spatial,
        })
    }

    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    pub fn forward(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        let Mode::Train { step } = pass.mode() else {
            return x;
        };
        let [r, rows, c] = x.dims();
        if self.spatial {
            let n = rows / positions;
            let mask: Tensor<4> = self.mask(step, n * c, &x).reshape([r, n, 1, c]);
            let x: Tensor<4> = x.reshape([r, n, positions, c]);
            return (x * mask).reshape([r, rows, c]);
        }
        let mask = self.mask(step, rows * c, &x).reshape([r, rows, c]);
        x * mask
    }

    /// Where a fused kernel finds the masks of `step`.
    pub(crate) fn masks(&self, positions: usize, step: u64) -> Masks {
        Masks {
            streams: self.streams.clone(),
            step,
            threshold: self.threshold,
            shared_rows: if self.spatial { positions } else { 1 },
        }
    }

    /// The factors of every replica's first `n` elements at `step`, 0 or `1 / (1 - rate)`, where
    /// and in the precision that `x` is.
    fn mask(&self, step: u64, n: usize, x: &Tensor<3>) -> Tensor<2> {
        let (device, dtype) = (x.device(), x.dtype());
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if !has_kernels(&device) {
            let draw = gpu::MaskDraw {
                step,
                threshold: self.threshold,
                kept: self.kept(),
                columns: n,
            };
            return gpu::mask(&self.streams, draw, device).cast(dtype);
        }
        let mask = self.mask_on_host(step, n).convert_dtype(dtype);
        Tensor::from_data(mask, (&device, dtype))
    }

    /// The factor of a kept element.
    fn kept(&self) -> f32 {
        (1.0 / (1.0 - self.rate)) as f32
    }

    /// [`Self::mask`] for a device that has no kernel for it, and what the kernels draw.
    fn mask_on_host(&self, step: u64, n: usize) -> TensorData {
        let keep = self.kept();
        let mut values: Vec<f32> = Vec::with_capacity(self.streams.len() * n);
        for stream in &self.streams {
            for chunk in 0..n.div_ceil(128) {
                let numbers = stream.half_words(step, chunk as u64);
                let factor = |u| {
                    if u32::from(u) < self.threshold {
                        0.0
                    } else {
                        keep
                    }
                };
                values.extend(numbers.into_iter().map(factor).take(n - 128 * chunk));
            }
        }
        TensorData::new(values, [self.streams.len(), n])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{for_each_device, values};

    const CHANNELS: usize = 10;

    fn masked(dropout: &Dropout, start: &Start, rows: usize, positions: usize) -> Vec<f64> {
        let shape = [start.replicas(), rows, CHANNELS];
        let ones = start.tensor(vec![1.0; shape.iter().product()], shape);
        values(dropout.forward(ones, positions, &Pass::train(3)))
    }

    #[test]
    fn a_mask_is_the_stream_compared_with_the_rate() {
        for_each_device(|device| {
            let start = Start::new([5], device);
            let dropout = Dropout::new(0.3, false, "layer", &start).expect("it drops");
            let stream = Stream::new(5, Purpose::Mask, "layer");
            let numbers = (0..3).flat_map(|chunk| stream.half_words(3, chunk));
            let bound = (0.3f64 * 65536.0).round() as u32;
            let expected: Vec<bool> = numbers.map(|u| u32::from(u) < bound).take(300).collect();
            let mask = masked(&dropout, &start, 30, 1);
            let dropped: Vec<bool> = mask.iter().map(|&m| m == 0.0).collect();
            assert_eq!(dropped, expected);
        });
    }

    #[test]
    fn the_rate_is_exact_in_multiples_of_two_to_the_minus_16() {
        for_each_device(|device| {
            let start = Start::new([1], device);
            for rate in [0.5, 0.25, 3.0 / 65536.0] {
                let dropout = Dropout::new(rate, false, "layer", &start).expect("it drops");
                assert_eq!(dropout.rate, rate);
            }
            let dropout = Dropout::new(0.1, false, "layer", &start).expect("it drops");
            assert_eq!(dropout.rate, 6554.0 / 65536.0);
            assert!(Dropout::new(0.0, false, "layer", &start).is_none());
        });
    }

    #[test]
    fn kept_values_are_scaled_so_that_the_mean_stays() {
        for_each_device(|device| {
            let start = Start::new([1, 2], device);
            for rate in [0.1, 0.5, 0.8] {
                let dropout = Dropout::new(rate, false, "layer", &start).expect("it drops");
                let mask = masked(&dropout, &start, 5000, 1);
                let keep = f64::from((1.0 / (1.0 - dropout.rate)) as f32);
                assert!(mask.iter().all(|&m| m == 0.0 || m == keep));
                let n = mask.len() as f64;
                let mean = mask.iter().sum::<f64>() / n;
                let error = (dropout.rate / (1.0 - dropout.rate) / n).sqrt();
                assert!((mean - 1.0).abs() < 5.0 * error, "rate {rate}: {mean}");
            }
        });
    }

    #[test]
    fn spatial_dropout_drops_whole_maps_of_one_image() {
        const POSITIONS: usize = 4;
        const IMAGES: usize = 200;
        for_each_device(|device| {
            let start = Start::new([1, 2], device);
            let dropout = Dropout::new(0.5, true, "layer", &start).expect("it drops");
            let mask = masked(&dropout, &start, IMAGES * POSITIONS, POSITIONS);
            let mut first_positions: Vec<f64> = Vec::new();
            for image in mask.chunks(POSITIONS * CHANNELS) {
                let (first, _) = image.split_at(CHANNELS);
                assert!(image.chunks(CHANNELS).all(|position| position == first));
                first_positions.extend(first);
            }
            let n = first_positions.len() as f64;
            let dropped = first_positions.iter().filter(|&&m| m == 0.0).count() as f64;
            assert!(
                (dropped - 0.5 * n).abs() < 5.0 * (0.25 * n).sqrt(),
                "{dropped} of {n}"
            );
        });
    }

    #[test]
    fn without_training_dropout_passes_everything_on() {
        for_each_device(|device| {
            let start = Start::new([1], device);
            let dropout = Dropout::new(0.5, false, "layer", &start).expect("it drops");
            for pass in [Pass::evaluate(), Pass::evaluate_on_batch()] {
                let x = start.tensor(vec![1.5, -2.0, 0.0], [1, 1, 3]);
                assert_eq!(values(dropout.forward(x, 1, &pass)), [1.5, -2.0, 0.0]);
            }
        });
    }

    #[test]
    fn rates_that_drop_everything_are_refused() {
        let check = |rate| {
            let config = DropoutConfig {
                rate,
                ..DropoutConfig::default()
            };
            config.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(0.0), Ok(()));
        assert_eq!(check(65535.0 / 65536.0), Ok(()));
        let error = check(0.999_999).expect_err("rounds to 1");
        assert_eq!(
            error,
            "`dropout.rate` is 0.999999, which the 16 bits of a mask round to 1"
        );
        let error = check(1.0).expect_err("drops everything");
        assert_eq!(
            error,
            "`dropout.rate` must be at least 0 and below 1, not 1"
        );
    }
}
