//! Inverted dropout (Srivastava et al. 2014) with masks from named random streams, and Gaussian noise
//! of the same variance.

mod noise;

pub use noise::DropoutKind;

use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::{Mode, Pass, StepCounter};
use crate::training_flag::TrainingFlag;
use ablate_kernels::Masks;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
use ablate_kernels::{gpu, has_kernels};
use ablate_streams::{Purpose, Stream};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Kind, rates and placement of dropout. All rates default to 0, which means no dropout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropoutConfig {
    /// Distribution of the noise. Gaussian noise drops nothing; each rate then gives its variance,
    /// `rate / (1 - rate)`. Default: `bernoulli`.
    #[serde(skip_serializing_if = "DropoutKind::is_bernoulli")]
    pub kind: DropoutKind,
    /// Probability of dropping a unit of a hidden dense block, in `[0, 1)`.
    pub rate: f64,
    /// Probability of dropping a unit of a convolution block, in `[0, 1)`.
    pub conv_rate: f64,
    /// Probability of dropping an input, in `[0, 1)`.
    pub input_rate: f64,
    /// Where in the block dropout acts. Default: at its end.
    pub placement: Placement,
    /// Drop whole feature maps in convolution blocks (Tompson et al. 2015). Default: off.
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
            kind: DropoutKind::Bernoulli,
            rate: 0.0,
            conv_rate: 0.0,
            input_rate: 0.0,
            placement: Placement::End,
            spatial: false,
        }
    }
}

impl DropoutConfig {
    /// Checks the rates.
    ///
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
                    format!("is {rate}, which rounds to 1 in the 16 bits of a mask"),
                ));
            }
        }
        Ok(())
    }
}

/// The 16-bit threshold for `rate`: an element is dropped if its random number is below it.
fn threshold(rate: f64) -> u32 {
    (rate * 65536.0).round() as u32
}

/// Inverted dropout for a stack of replicas.
///
/// In training, kept values are divided by the probability of keeping them; in evaluation, dropout is
/// the identity. Element `i` of a mask is dropped if the `i`-th 16-bit number of the layer's stream at
/// the training step ([`Stream::half_words`]) is below `round(rate * 65536)`.
///
/// With [`DropoutKind::Gaussian`] the mask holds normal factors of mean 1 and variance
/// `rate / (1 - rate)` instead, from [`Stream::normals`] of a stream of its own. No fused kernel draws
/// them: on every device a block with Gaussian noise trains operation by operation, and the factors
/// are drawn on the host.
#[derive(Module, Debug)]
pub struct Dropout {
    /// Distribution of the factors.
    #[module(skip)]
    pub kind: DropoutKind,
    /// Probability of dropping, rounded to a multiple of `2^-16`.
    pub rate: f64,
    #[module(skip)]
    threshold: u32,
    #[module(skip)]
    streams: Vec<Stream>,
    /// Drop whole feature maps.
    pub spatial: bool,
    training: TrainingFlag,
    #[module(skip)]
    steps: StepCounter,
}

impl Dropout {
    /// Builds dropout with Bernoulli noise; `None` for rate 0. `path` is its module path, which names
    /// the random stream of its masks.
    pub fn new(rate: f64, spatial: bool, path: &str, start: &Start) -> Option<Self> {
        Self::of_kind(DropoutKind::Bernoulli, rate, spatial, path, start)
    }

    /// Builds dropout with noise of `kind`; otherwise as [`Self::new`].
    pub fn of_kind(
        kind: DropoutKind,
        rate: f64,
        spatial: bool,
        path: &str,
        start: &Start,
    ) -> Option<Self> {
        let threshold = threshold(rate);
        let purpose = match kind {
            DropoutKind::Bernoulli => Purpose::Mask,
            DropoutKind::Gaussian => Purpose::Noise,
        };
        (threshold > 0).then(|| Self {
            kind,
            rate: f64::from(threshold) / 65536.0,
            threshold,
            streams: start.streams(purpose, path),
            spatial,
            training: TrainingFlag::enabled(),
            steps: StepCounter::default(),
        })
    }

    /// Applies the mask of the training step; returns `x` in evaluation, and if the layer is frozen.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch * positions, channels]`, positions fastest
    /// - output: as `x`
    ///
    /// # Panics
    /// If `x` has another number of replicas than the layer.
    pub fn forward(&self, x: Tensor<3>, positions: usize, pass: &Pass) -> Tensor<3> {
        let [r, rows, c] = x.dims();
        let Some(step) = self.step(pass, r) else {
            return x;
        };
        if self.spatial {
            let n = rows / positions;
            let mask: Tensor<4> = self.mask(step, n * c, &x).reshape([r, n, 1, c]);
            let x: Tensor<4> = x.reshape([r, n, positions, c]);
            return (x * mask).reshape([r, rows, c]);
        }
        let mask = self.mask(step, rows * c, &x).reshape([r, rows, c]);
        x * mask
    }

    /// The masks of a training pass, for a fused kernel, which draws Bernoulli masks only. `None` in
    /// evaluation and for a frozen layer.
    pub(crate) fn masks(&self, positions: usize, pass: &Pass, replicas: usize) -> Option<Masks> {
        self.step(pass, replicas).map(|step| Masks {
            streams: self.streams.clone(),
            step,
            threshold: self.threshold,
            shared_rows: if self.spatial { positions } else { 1 },
        })
    }

    /// Keeps the streams of the replicas in `kept`, in this order.
    pub(crate) fn keep_streams(&mut self, kept: &[usize]) {
        self.streams = kept.iter().map(|&i| self.streams[i]).collect();
    }

    /// Adds the streams of `other` behind those of this layer.
    pub(crate) fn append_streams(&mut self, other: &Self) {
        self.streams.extend(&other.streams);
    }

    /// The step of a training pass; `None` in evaluation, and if the layer is frozen.
    fn step(&self, pass: &Pass, replicas: usize) -> Option<u64> {
        let Mode::Train { step } = pass.mode() else {
            return None;
        };
        if !self.training.is_enabled() {
            return None;
        }
        assert_eq!(
            replicas,
            self.streams.len(),
            "a dropout layer with mask streams for {} replicas got an input of {replicas}; take replicas \
             out of a stack with `Stacked::replica`",
            self.streams.len()
        );
        Some(self.steps.advance(step))
    }

    /// The mask of `step`, `[replicas, n]`: the factors of all elements, on the device and in the
    /// precision of `x`.
    fn mask(&self, step: u64, n: usize, x: &Tensor<3>) -> Tensor<2> {
        let (device, dtype) = (x.device(), x.dtype());
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if self.kind.is_bernoulli() && !has_kernels(&device) {
            let draw = gpu::MaskDraw {
                step,
                threshold: self.threshold,
                kept: self.kept(),
                columns: n,
            };
            return gpu::mask(&self.streams, draw, device).cast(dtype);
        }
        let mask = match self.kind {
            DropoutKind::Bernoulli => self.mask_on_host(step, n),
            DropoutKind::Gaussian => noise::gaussian_factors(&self.streams, step, self.rate, n),
        };
        let mask = mask.convert_dtype(dtype);
        Tensor::from_data(mask, (&device, dtype))
    }

    /// The factor for kept elements.
    fn kept(&self) -> f32 {
        (1.0 / (1.0 - self.rate)) as f32
    }

    /// The Bernoulli mask drawn on the host, for devices without a kernel. Kernels draw the same mask.
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
        values(dropout.forward(ones, positions, &Pass::train_at(3)))
    }

    #[test]
    fn mask_is_the_stream_compared_with_the_rate() {
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
    fn rate_is_rounded_to_16_bits() {
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
    fn scaling_kept_values_preserves_the_mean() {
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
    fn spatial_dropout_drops_whole_feature_maps() {
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
    fn dropout_is_the_identity_in_evaluation() {
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
    fn counted_steps_draw_new_masks() {
        for_each_device(|device| {
            let start = Start::new([1], device);
            let dropout = Dropout::new(0.5, false, "layer", &start).expect("it drops");
            let ones = || start.tensor(vec![1.0; 200], [1, 20, 10]);
            let mask = |layer: &Dropout, pass| values(layer.forward(ones(), 1, &pass));
            let first = mask(&dropout, Pass::train());
            let copy = dropout.clone();
            let second = mask(&dropout, Pass::train());
            assert_ne!(first, second);
            assert_eq!(mask(&copy, Pass::train()), second);
            assert_eq!(mask(&dropout, Pass::train_at(0)), first);
            assert_eq!(mask(&dropout, Pass::train()), second);
        });
    }

    #[test]
    fn frozen_dropout_is_the_identity() {
        for_each_device(|device| {
            let start = Start::new([1], &device.clone().autodiff());
            let dropout = Dropout::new(0.5, false, "layer", &start).expect("it drops");
            let ones: Tensor<3> = start.tensor(vec![1.0; 50], [1, 5, 10]);
            let frozen = dropout.clone().freeze();
            let y = values(frozen.clone().forward(ones.clone(), 1, &Pass::train()));
            assert_eq!(y, [1.0; 50]);
            let again = values(frozen.unfreeze().forward(ones, 1, &Pass::train()));
            assert!(again.contains(&0.0));
        });
    }

    #[test]
    fn rates_that_round_to_1_are_rejected() {
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
            "`dropout.rate` is 0.999999, which rounds to 1 in the 16 bits of a mask"
        );
        let error = check(1.0).expect_err("drops everything");
        assert_eq!(
            error,
            "`dropout.rate` must be at least 0 and below 1, not 1"
        );
    }
}
