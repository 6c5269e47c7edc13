//! The kinds of dropout noise, and the normal factors of Gaussian noise.

use ablate_streams::Stream;
use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

/// Distribution of the factors that dropout multiplies values by in training.
///
/// For one rate, both kinds have the same mean, 1, and the same variance, `rate / (1 - rate)`. They
/// differ in whether anything is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropoutKind {
    /// 0 with probability `rate`, otherwise `1 / (1 - rate)`.
    #[default]
    Bernoulli,
    /// Normal (Srivastava et al. 2014, section 10): noise that drops nothing.
    Gaussian,
}

impl DropoutKind {
    /// True for Bernoulli noise, the default, which specs leave out.
    pub fn is_bernoulli(&self) -> bool {
        *self == Self::Bernoulli
    }
}

/// Normal factors of `step` for every stream, `[streams, n]`, with mean 1 and the variance
/// `rate / (1 - rate)`. Factor `i` is `1 + sqrt(rate / (1 - rate)) z`, rounded to single precision,
/// where `z` is the `i`-th normal number of the stream at this step.
pub(super) fn gaussian_factors(streams: &[Stream], step: u64, rate: f64, n: usize) -> TensorData {
    let deviation = (rate / (1.0 - rate)).sqrt();
    let mut values: Vec<f32> = Vec::with_capacity(streams.len() * n);
    for stream in streams {
        let normals = stream.normals(step).take(n);
        values.extend(normals.map(|z| (1.0 + deviation * z) as f32));
    }
    TensorData::new(values, [streams.len(), n])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::Purpose;

    fn factors(rate: f64, n: usize) -> Vec<f64> {
        let streams = [1, 2].map(|seed| Stream::new(seed, Purpose::Noise, "layer"));
        let data = gaussian_factors(&streams, 3, rate, n);
        data.iter::<f32>().map(f64::from).collect()
    }

    #[test]
    fn factors_have_mean_1_and_the_variance_of_dropout() {
        for rate in [0.1, 0.5, 0.8] {
            let found = factors(rate, 50_000);
            let n = found.len() as f64;
            let expected = rate / (1.0 - rate);
            let mean = found.iter().sum::<f64>() / n;
            let variance = found.iter().map(|f| (f - 1.0).powi(2)).sum::<f64>() / n;
            assert!((mean - 1.0).abs() < 5.0 * (expected / n).sqrt(), "{mean}");
            let error = expected * (2.0 / n).sqrt();
            assert!((variance - expected).abs() < 5.0 * error, "{variance}");
        }
    }

    #[test]
    fn factors_are_the_normals_of_each_stream() {
        let found = factors(0.2, 5);
        let normals = [1, 2].map(|seed| Stream::new(seed, Purpose::Noise, "layer").normals(3));
        let expected = normals.into_iter().flat_map(|normals| normals.take(5));
        for (found, z) in found.into_iter().zip(expected) {
            assert!((found - (1.0 + 0.5 * z)).abs() < 1e-6);
        }
    }

    #[test]
    fn the_default_kind_is_left_out() {
        use crate::dropout::DropoutConfig;
        let json = |kind| {
            let config = DropoutConfig {
                kind,
                ..DropoutConfig::default()
            };
            serde_json::to_string(&config).expect("plain data")
        };
        assert!(!json(DropoutKind::Bernoulli).contains("kind"));
        let gaussian = json(DropoutKind::Gaussian);
        assert!(gaussian.contains(r#""kind":"gaussian""#), "{gaussian}");
        let read: DropoutConfig = serde_json::from_str(&gaussian).expect("what was written");
        assert_eq!(read.kind, DropoutKind::Gaussian);
        let unknown = serde_json::from_str::<DropoutConfig>(r#"{"kind": "uniform"}"#);
        assert!(unknown.is_err());
    }
}
