//! Start values from named streams: a parameter's draw depends on its seed and its path alone.

use crate::streams::{Purpose, Stream};
use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Where and for which seeds a model is built.
#[derive(Clone, Debug)]
pub struct Start {
    /// One seed a replica.
    pub seeds: Vec<u64>,
    /// The device.
    pub device: Device,
    /// Element type of every parameter.
    pub dtype: DType,
}

/// Distribution of start weights.
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
    /// Normal with standard deviation 0.1, redrawn beyond two standard deviations.
    #[serde(rename = "truncated_normal_0.1")]
    TruncatedNormal,
}

impl WeightInit {
    /// `n` values of `stream`.
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
    /// Single precision on `device`, one replica a seed.
    pub fn new(seeds: impl Into<Vec<u64>>, device: &Device) -> Self {
        Self {
            seeds: seeds.into(),
            device: device.clone(),
            dtype: DType::F32,
        }
    }

    /// The same in double precision.
    #[must_use]
    pub fn double(mut self) -> Self {
        self.dtype = DType::F64;
        self
    }

    /// Number of replicas.
    pub fn replicas(&self) -> usize {
        self.seeds.len()
    }

    /// One stream a replica.
    pub fn streams(&self, purpose: Purpose, path: &str) -> Vec<Stream> {
        let stream = |&seed| Stream::new(seed, purpose, path);
        self.seeds.iter().map(stream).collect()
    }

    /// A tensor of shape `[replicas, ..]` from host values, in the model's precision.
    pub fn tensor<const D: usize>(&self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(values, shape).convert_dtype(self.dtype);
        Tensor::from_data(data, (&self.device, self.dtype))
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
