//! How many times as long the best peer takes, and how sure that is.

use ablate::stats::Sample;
use ablate_streams::{Purpose, Stream};

/// Resamples of the rounds.
const RESAMPLES: u64 = 2000;
/// Share of resamples inside the interval.
const CONFIDENCE: f64 = 0.95;

/// A ratio of medians with a percentile bootstrap interval over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The middle of `times` and the quartiles beside it; `None` without times.
pub(crate) fn quartiles(times: &[f64]) -> Option<[f64; 3]> {
    let sample = Sample::new(times.to_vec()).ok()?;
    Some([0.25, 0.5, 0.75].map(|share| sample.quantile(share)))
}

pub(crate) fn median(times: &[f64]) -> Option<f64> {
    quartiles(times).map(|[_, median, _]| median)
}

/// The smallest median among `others` over the median of `ours`. Rounds are drawn anew together, and
/// in each draw the best of the others is chosen anew, so the interval allows for that choice.
///
/// `None` where someone has no times, or their rounds differ in number.
pub(crate) fn ratio(others: &[&[f64]], ours: &[f64]) -> Option<Ratio> {
    let n = ours.len();
    if n == 0 || others.is_empty() || others.iter().any(|times| times.len() != n) {
        return None;
    }
    let of = |rounds: &[usize]| {
        let pick = |times: &[f64]| -> Vec<f64> { rounds.iter().map(|&i| times[i]).collect() };
        let medians = others.iter().map(|times| median(&pick(times)));
        let best = medians.flatten().fold(f64::INFINITY, f64::min);
        median(&pick(ours)).map(|ours| best / ours)
    };
    let value = of(&(0..n).collect::<Vec<_>>())?;
    let stream = Stream::new(0, Purpose::Resample, "speed");
    let draws = (0..RESAMPLES).map(|step| {
        let mut indices = stream.indices(step);
        let rounds: Vec<usize> = (0..n).map(|_| indices.below(n as u32) as usize).collect();
        of(&rounds)
    });
    let draws = Sample::new(draws.collect::<Option<_>>()?).ok()?;
    let epilogue = (1.0 - CONFIDENCE) / 2.0;
    Some(Ratio {
        value,
        low: draws.quantile(epilogue),
        high: draws.quantile(1.0 - epilogue),
    })
}

/// The slope of a line through `points` in logarithms, by least squares: the power of `x` with which
/// `y` grows. `None` for fewer than two different `x`.
pub(crate) fn power(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = (logs.iter()).fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let along: f64 = logs.iter().map(|(x, _)| (x - mx).powi(2)).sum();
    let across: f64 = logs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    (along > 0.0).then(|| across / along)
}
