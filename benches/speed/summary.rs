//! Medians, quartiles and growth of measured times.

use ablate::stats::Sample;

/// The quartiles of `times`, with the median in the middle; `None` without times.
pub(crate) fn quartiles(times: &[f64]) -> Option<[f64; 3]> {
    let sample = Sample::new(times.to_vec()).ok()?;
    Some([0.25, 0.5, 0.75].map(|share| sample.quantile(share)))
}

pub(crate) fn median(times: &[f64]) -> Option<f64> {
    quartiles(times).map(|[_, median, _]| median)
}

/// The exponent `p` of the power law `y = c x^p` through `points`, by least squares in logarithms.
/// `None` for fewer than two different `x`.
pub(crate) fn power(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = (logs.iter()).fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let variance: f64 = logs.iter().map(|(x, _)| (x - mx).powi(2)).sum();
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    (variance > 0.0).then(|| covariance / variance)
}
