//! Law of total variance for batches: `Var_population = E[var_batch] + Var[mean_batch]`.

use super::{DeviceResults, IdentitySetup, evaluation_copy, largest};
use crate::train::batch::SplitPart;
use crate::train::net::Net;
use crate::train::statistics::{ChannelStatistics, StatisticsRecorder, batch_norms};
use ablate_models::Pass;
use ablate_models::pass::Point;

/// Compares the variance of the input of each norm over all full batches of the training split
/// together with the variances of the single batches. The net is in evaluation mode, so that a
/// batch does not normalize its own values.
pub(super) fn measure(setup: &IdentitySetup<'_>, net: &Net, out: &mut DeviceResults<'_>) {
    let model = evaluation_copy(net);
    let n = setup.job.train.batch_size;
    let count = setup.batches.len(SplitPart::Train) / n;
    let (pixels, _) = setup.batches.train(&setup.orders, 0, count * n);
    let whole = StatisticsRecorder::at(&[Point::NormInput]);
    model.forward(pixels.inner(), &Pass::evaluate().observed_by(&whole));
    let parts: Vec<StatisticsRecorder> = (0..count)
        .map(|i| {
            let recorder = StatisticsRecorder::at(&[Point::NormInput]);
            let (pixels, _) = setup.batch(i, n);
            model.forward(pixels.inner(), &Pass::evaluate().observed_by(&recorder));
            recorder
        })
        .collect();
    let (mut identity, mut within) = (vec![0.0; setup.replicas()], vec![0.0; setup.replicas()]);
    for (path, _) in batch_norms(&model) {
        let of = |recorder: &StatisticsRecorder| recorder.statistics(path, Point::NormInput);
        let parts: Option<Vec<ChannelStatistics>> = parts.iter().map(of).collect();
        let (Some(whole), Some(parts)) = (of(&whole), parts) else {
            continue;
        };
        let errors = errors(&whole, &parts);
        for (i, [all, some]) in errors.into_iter().enumerate() {
            let r = i / whole.channels();
            identity[r] = largest([identity[r], all].into_iter());
            within[r] = largest([within[r], some].into_iter());
        }
    }
    if !batch_norms(&model).is_empty() {
        out.put("population_variance", &identity);
        out.put("population_within", &within);
    }
}

/// Relative errors per channel: of mean batch variance plus variance of batch means, and of the
/// mean batch variance alone.
pub(super) fn errors(whole: &ChannelStatistics, parts: &[ChannelStatistics]) -> Vec<[f64; 2]> {
    let count = parts.len() as f64;
    let variances: Vec<Vec<f64>> = parts.iter().map(ChannelStatistics::variance).collect();
    let variance = whole.variance();
    let of = |i: usize| {
        let within = variances.iter().map(|v| v[i]).sum::<f64>() / count;
        let mean = parts.iter().map(|p| p.mean()[i]).sum::<f64>() / count;
        let between = parts.iter().map(|p| (p.mean()[i] - mean).powi(2));
        let between = between.sum::<f64>() / count;
        let relative = |estimate: f64| match variance[i] {
            0.0 => estimate,
            variance => (estimate / variance - 1.0).abs(),
        };
        [relative(within + between), relative(within)]
    };
    (0..variance.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_batch_variance_misses_variance_between_batches() {
        // 0, 2, 4, 6: variance 5. The pairs have variance 1, and means 1 and 5, variance 4.
        let of = |values: &[f64]| {
            let mut moments = ChannelStatistics::default();
            moments.add(values, values.len(), 1);
            moments
        };
        let errors = errors(
            &of(&[0.0, 2.0, 4.0, 6.0]),
            &[of(&[0.0, 2.0]), of(&[4.0, 6.0])],
        );
        assert_eq!(errors, [[0.0, 0.8]]);
    }
}
