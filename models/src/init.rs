//! Initialization from named random streams.
//!
//! The start value of a parameter depends only on its replica's seed and its module path.

use ablate_streams::{Purpose, Stream};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Seeds, device and precision with which a model is built.
#[derive(Clone, Debug)]
pub struct Start {
    /// One seed per replica.
    pub seeds: Vec<u64>,
    /// Device of the parameters.
    pub device: Device,
    /// Element type of the parameters.
    pub dtype: DType,
}

/// Distribution of the initial weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightInit {
    /// Normal with variance `2 / fan_in` (He et al. 2015, equation 10).
    #[default]
    HeNormal,
    /// Uniform with variance `2 / fan_in`.
    HeUniform,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010, equation 16).
    GlorotNormal,
    /// Uniform with variance `2 / (fan_in + fan_out)`.
    GlorotUniform,
    /// Normal with standard deviation 0.1, truncated at two standard deviations.
    #[serde(rename = "truncated_normal_0.1")]
    TruncatedNormal,
}

impl WeightInit {
    /// Draws `n` weights from `stream`.
    fn draw(self, stream: &Stream, fan_in: usize, fan_out: usize, n: usize) -> Vec<f64> {
        let he = 2.0 / fan_in as f64;
        let glorot = 2.0 / (fan_in + fan_out) as f64;
        let normal = |sd: f64| stream.normals(0).map(|z| z * sd).take(n).collect();
        let uniform = |variance: f64| {
            let bound = (3.0 * variance).sqrt();
            let values = stream.uniforms(0).map(|u| (2.0 * u - 1.0) * bound);
            values.take(n).collect()
        };
        match self {
            Self::HeNormal => normal(he.sqrt()),
            Self::HeUniform => uniform(he),
            Self::GlorotNormal => normal(glorot.sqrt()),
            Self::GlorotUniform => uniform(glorot),
            Self::TruncatedNormal => stream
                .normals(0)
                .filter(|z| z.abs() <= 2.0)
                .map(|z| 0.1 * z)
                .take(n)
                .collect(),
        }
    }
}

impl Start {
    /// Single precision on `device`, with one replica per seed.
    pub fn new(seeds: impl Into<Vec<u64>>, device: &Device) -> Self {
        Self {
            seeds: seeds.into(),
            device: device.clone(),
            dtype: DType::F32,
        }
    }

    /// The same seeds and device in double precision.
    #[must_use]
    pub fn double(mut self) -> Self {
        self.dtype = DType::F64;
        self
    }

    /// Number of replicas.
    pub fn replicas(&self) -> usize {
        self.seeds.len()
    }

    /// The random stream of `purpose` and module path `path` of every replica.
    pub fn streams(&self, purpose: Purpose, path: &str) -> Vec<Stream> {
        let stream = |&seed| Stream::new(seed, purpose, path);
        self.seeds.iter().map(stream).collect()
    }

    /// A tensor of `values`, row-major, on the device and in the precision of the model.
    pub fn tensor<const D: usize>(&self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(values, shape).convert_dtype(self.dtype);
        Tensor::from_data(data, (&self.device, self.dtype))
    }

    /// `module` with start values from the streams of the first seed, in place of those that burn's
    /// layers draw from a generator for the whole process.
    ///
    /// Trained parameters with two or more axes are weights, drawn from `init`: `[inputs, outputs]` as in
    /// burn's dense layers, or `[outputs, inputs, ..]` as in its convolutions. Vectors called `bias`
    /// start at 0. All others keep their values.
    #[must_use]
    pub fn redraw<M: Module>(&self, module: M, init: WeightInit) -> M {
        // Only on a device that records gradients do running averages differ from parameters.
        let drawn = module.train().map(&mut Redraw {
            start: self,
            init,
            path: Vec::new(),
        });
        match self.device.is_autodiff() {
            true => drawn,
            false => drawn.valid(),
        }
    }

    pub(crate) fn weights(
        &self,
        path: &str,
        init: WeightInit,
        [rows, columns]: [usize; 2],
        fan_in: usize,
        fan_out: usize,
    ) -> Param<Tensor<3>> {
        let mut values = Vec::with_capacity(self.replicas() * rows * columns);
        for stream in self.streams(Purpose::Init, path) {
            values.extend(init.draw(&stream, fan_in, fan_out, rows * columns));
        }
        Param::from_tensor(self.tensor(values, [self.replicas(), rows, columns]))
    }

    pub(crate) fn constant(&self, value: f64, n: usize) -> Param<Tensor<2>> {
        Param::from_tensor(self.filled(value, n))
    }

    pub(crate) fn filled(&self, value: f64, n: usize) -> Tensor<2> {
        self.tensor(vec![value; self.replicas() * n], [self.replicas(), n])
    }
}

/// Draws the weights of a module; see [`Start::redraw`].
struct Redraw<'a> {
    start: &'a Start,
    init: WeightInit,
    path: Vec<String>,
}

impl ModuleMapper for Redraw<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let is_bias = self.path.last().is_some_and(|name| name == "bias");
        if !param.is_require_grad() || (D == 1 && !is_bias) {
            return param;
        }
        let path = self.path.join(".");
        param.map(|old| {
            let shape = old.dims();
            let n = shape.iter().product();
            let stream = Stream::new(self.start.seeds[0], Purpose::Init, &path);
            let values = match shape.as_slice() {
                [_] => vec![0.0; n],
                [inputs, outputs] => self.init.draw(&stream, *inputs, *outputs, n),
                [outputs, inputs, kernel @ ..] => {
                    let positions: usize = kernel.iter().product();
                    let fans = [inputs * positions, outputs * positions];
                    self.init.draw(&stream, fans[0], fans[1], n)
                }
                [] => return old,
            };
            let data = TensorData::new(values, shape).convert_dtype(old.dtype());
            Tensor::from_data(data, (&old.device(), old.dtype())).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv2dConfig;
    use crate::testing::{for_each_device, values};
    use ablate_kernels::Geometry;

    const ALL: [WeightInit; 5] = [
        WeightInit::HeNormal,
        WeightInit::HeUniform,
        WeightInit::GlorotNormal,
        WeightInit::GlorotUniform,
        WeightInit::TruncatedNormal,
    ];

    /// Variance of a standard normal truncated at two standard deviations:
    /// 1 - 2 * 2 phi(2) / (2 Phi(2) - 1).
    const TRUNCATED_VARIANCE: f64 = 0.773_741_3;

    /// Variance and kurtosis (fourth moment over squared variance).
    fn moments(init: WeightInit, fan_in: f64, fan_out: f64) -> (f64, f64) {
        match init {
            WeightInit::HeNormal => (2.0 / fan_in, 3.0),
            WeightInit::HeUniform => (2.0 / fan_in, 1.8),
            WeightInit::GlorotNormal => (2.0 / (fan_in + fan_out), 3.0),
            WeightInit::GlorotUniform => (2.0 / (fan_in + fan_out), 1.8),
            WeightInit::TruncatedNormal => (0.01 * TRUNCATED_VARIANCE, 3.0),
        }
    }

    #[test]
    fn weights_have_the_stated_mean_and_variance() {
        let n = 100_000;
        for init in ALL {
            let stream = Stream::new(1, Purpose::Init, "weight");
            let draws = init.draw(&stream, 50, 20, n);
            assert_eq!(draws.len(), n);
            let (expected, kurtosis) = moments(init, 50.0, 20.0);
            let mean = draws.iter().sum::<f64>() / n as f64;
            let variance = draws.iter().map(|x| x * x).sum::<f64>() / n as f64;
            assert!(
                mean.abs() < 5.0 * (expected / n as f64).sqrt(),
                "{init:?}: {mean}"
            );
            let error = ((kurtosis - 1.0) / n as f64).sqrt();
            let off = (variance / expected - 1.0).abs();
            assert!(off < 5.0 * error, "{init:?}: {variance}, not {expected}");
        }
    }

    #[test]
    fn bounded_distributions_keep_their_bounds() {
        for (init, bound) in [
            (WeightInit::HeUniform, (6.0f64 / 50.0).sqrt()),
            (WeightInit::GlorotUniform, (6.0f64 / 70.0).sqrt()),
            (WeightInit::TruncatedNormal, 0.2),
        ] {
            let draws = init.draw(&Stream::new(1, Purpose::Init, "w"), 50, 20, 20_000);
            let largest = draws.iter().fold(0.0f64, |size, x| size.max(x.abs()));
            assert!(
                largest <= bound && largest > 0.99 * bound,
                "{init:?}: {largest}"
            );
        }
    }

    #[test]
    fn convolution_fans_include_the_kernel_area() {
        for_each_device(|device| {
            for (init, fans) in [
                (WeightInit::HeUniform, 72),
                (WeightInit::GlorotUniform, 108),
            ] {
                let config = Conv2dConfig {
                    inputs: 8,
                    outputs: 4,
                    geometry: Geometry::same(3),
                    bias: Some(0.25),
                    init,
                };
                let layer = config.init("conv", &Start::new([1, 2, 3, 4], device).double());
                assert_eq!(layer.weight.val().dims(), [4, 72, 4]);
                let bound = (6.0 / f64::from(fans)).sqrt();
                let weights = values(layer.weight.val());
                let largest = weights.iter().fold(0.0f64, |size, x| size.max(x.abs()));
                assert!(
                    largest <= bound && largest > 0.97 * bound,
                    "{largest} of {bound}"
                );
                let bias = layer.bias.map(|bias| values(bias.val()));
                assert_eq!(bias, Some(vec![0.25; 16]));
            }
        });
    }

    #[test]
    fn names_in_files_are_as_documented() {
        let names = ALL.map(|init| serde_json::to_string(&init).expect("a name"));
        let expected = [
            "he_normal",
            "he_uniform",
            "glorot_normal",
            "glorot_uniform",
            "truncated_normal_0.1",
        ];
        assert_eq!(names, expected.map(|name| format!("\"{name}\"")));
    }
}
