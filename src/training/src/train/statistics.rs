//! Means and variances inside a net: over a whole split, and in place of the running averages of
//! batch norms.

use super::batch::{Batches, SplitPart};
use super::net::{for_each_chunk, host_f64};
use super::parameters::hidden_blocks;
use crate::recipe::Statistics;
use crate::trainer::NetJob;
use ablate_models::Pass;
use ablate_models::norm::{BatchNorm, Norm};
use ablate_models::pass::{Observer, Point};
use ablate_models::zoo::Model;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Mean and variance per channel and replica, accumulated over chunks in double precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ChannelStatistics {
    rows: f64,
    /// Means, `[replicas * channels]`.
    mean: Vec<f64>,
    /// Sum of squared deviations from the mean, `[replicas * channels]`.
    scatter: Vec<f64>,
    channels: usize,
}

impl ChannelStatistics {
    /// Adds `rows` rows per replica; `values` is `[replicas, rows, channels]`. The update is
    /// equation 2.1 of Chan, Golub and LeVeque 1983.
    pub(crate) fn add(&mut self, values: &[f64], rows: usize, channels: usize) {
        let replicas = values.len() / (rows * channels);
        self.channels = channels;
        self.mean.resize(replicas * channels, 0.0);
        self.scatter.resize(replicas * channels, 0.0);
        let (old, new) = (self.rows, rows as f64);
        for (r, block) in values.chunks(rows * channels).enumerate() {
            for c in 0..channels {
                let column = || block.iter().skip(c).step_by(channels);
                let mean = column().sum::<f64>() / new;
                let scatter: f64 = column().map(|x| (x - mean).powi(2)).sum();
                let at = r * channels + c;
                let delta = mean - self.mean[at];
                self.mean[at] += delta * new / (old + new);
                self.scatter[at] += scatter + delta.powi(2) * old * new / (old + new);
            }
        }
        self.rows += new;
    }

    /// Returns the means, `[replicas * channels]`.
    pub(crate) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Biased variances, `[replicas * channels]`.
    pub(crate) fn variance(&self) -> Vec<f64> {
        self.scatter.iter().map(|s| s / self.rows).collect()
    }

    /// Mean squares, `[replicas * channels]`.
    pub(crate) fn mean_square(&self) -> Vec<f64> {
        let variance = self.variance();
        let pairs = variance.iter().zip(&self.mean);
        pairs.map(|(v, m)| v + m * m).collect()
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }
}

/// Observer that records channel statistics at some points of every block.
#[derive(Debug)]
pub(crate) struct StatisticsRecorder {
    points: &'static [Point],
    /// Records only this block; `None` records all blocks.
    path: Option<String>,
    recorded: RefCell<BTreeMap<String, BTreeMap<usize, ChannelStatistics>>>,
}

impl StatisticsRecorder {
    /// Records at `points` of every block.
    pub(crate) fn at(points: &'static [Point]) -> Self {
        Self {
            points,
            path: None,
            recorded: RefCell::default(),
        }
    }

    /// Records the input of the norm of the block at `path`.
    fn norm_input(path: &str) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..Self::at(&[Point::NormInput])
        }
    }

    /// Returns the statistics at `point` of the block at `path`, if that point was reached.
    pub(crate) fn statistics(&self, path: &str, point: Point) -> Option<ChannelStatistics> {
        let index = self.points.iter().position(|p| *p == point)?;
        self.recorded.borrow().get(path)?.get(&index).cloned()
    }
}

impl Observer for StatisticsRecorder {
    fn observe(&self, path: &str, point: Point, value: &Tensor<3>) {
        let Some(index) = self.points.iter().position(|p| *p == point) else {
            return;
        };
        if self.path.as_ref().is_some_and(|wanted| wanted != path) {
            return;
        }
        let [_, rows, channels] = value.dims();
        let mut recorded = self.recorded.borrow_mut();
        let moments = recorded.entry(path.to_owned()).or_default();
        let moments = moments.entry(index).or_default();
        moments.add(&host_f64(value.clone()), rows, channels);
    }
}

/// The batch norms of `model` with their paths, starting at the input.
pub(crate) fn batch_norms(model: &Model) -> Vec<(&str, &BatchNorm)> {
    let norms = hidden_blocks(model).filter_map(|block| match &block.epilogue.norm {
        Some(Norm::Batch(norm)) => Some((block.epilogue.path(), norm)),
        _ => None,
    });
    norms.collect()
}

/// Returns a copy of the model for evaluation, with the batch norm statistics that the recipe of
/// `job` asks for.
pub(crate) fn evaluation_model(job: &NetJob<'_>, model: &Model, batches: &Batches) -> Model {
    match job.train.evaluate_by {
        Statistics::Running => model.valid(),
        Statistics::Cumulative => {
            let n = job.train.batch_size;
            with_cumulative_statistics(model, batches, &batches.orders(0), n)
        }
        Statistics::Exact => with_exact_statistics(model, batches),
    }
}

/// Returns a copy of `model` for evaluation whose batch norms use the mean and variance of the
/// training split. Each is computed with the earlier norms already replaced.
pub(crate) fn with_exact_statistics(model: &Model, batches: &Batches) -> Model {
    let model = model.valid();
    for (path, norm) in batch_norms(&model) {
        let recorder = StatisticsRecorder::norm_input(path);
        for_each_chunk(batches, SplitPart::Train, usize::MAX, |_, pixels| {
            model.forward(pixels, &Pass::evaluate().observed_by(&recorder));
        });
        if let Some(moments) = recorder.statistics(path, Point::NormInput) {
            set_running_statistics(norm, moments.mean(), &moments.variance());
        }
    }
    model
}

/// Returns a copy of `model` for evaluation whose batch norms use the mean of the batch means and
/// the mean of the unbiased batch variances over the batches of `orders`, with `n` examples each
/// (Ioffe and Szegedy 2015, algorithm 2). Each batch is normalized by its own statistics.
pub(crate) fn with_cumulative_statistics(
    model: &Model,
    batches: &Batches,
    orders: &[Vec<u32>],
    n: usize,
) -> Model {
    let model = model.valid();
    let mut sums: BTreeMap<String, [Vec<f64>; 2]> = BTreeMap::new();
    let count = batches.len(SplitPart::Train) / n;
    for i in 0..count {
        let (pixels, _) = batches.train(orders, i * n, n);
        let recorder = StatisticsRecorder::at(&[Point::NormInput]);
        model.forward(
            pixels.inner(),
            &Pass::evaluate_on_batch().observed_by(&recorder),
        );
        for (path, _) in batch_norms(&model) {
            let Some(moments) = recorder.statistics(path, Point::NormInput) else {
                continue;
            };
            let unbiased = moments.rows / (moments.rows - 1.0).max(1.0);
            let variance: Vec<f64> = moments.variance().iter().map(|v| v * unbiased).collect();
            let sum = sums.entry(path.to_owned()).or_default();
            for (sum, new) in sum.iter_mut().zip([moments.mean(), &variance]) {
                sum.resize(new.len(), 0.0);
                sum.iter_mut()
                    .zip(new)
                    .for_each(|(s, x)| *s += x / count as f64);
            }
        }
    }
    for (path, norm) in batch_norms(&model) {
        if let Some([mean, variance]) = sums.get(path) {
            set_running_statistics(norm, mean, variance);
        }
    }
    model
}

/// Replaces the running averages of `norm` by the given statistics, `[replicas * channels]` each.
pub(crate) fn set_running_statistics(norm: &BatchNorm, mean: &[f64], variance: &[f64]) {
    let options = norm.running.estimates().0;
    let shape: [usize; 2] = options.dims();
    let tensor = |list: &[f64]| -> Tensor<2> {
        let data = TensorData::new(list.to_vec(), shape).convert_dtype(options.dtype());
        Tensor::from_data(data, (&options.device(), options.dtype()))
    };
    norm.running.set(tensor(mean), tensor(variance));
}

/// Returns the mean and variance that `norm` uses in evaluation, `[replicas * channels]` each.
pub(crate) fn running_statistics(norm: &BatchNorm) -> [Vec<f64>; 2] {
    let (mean, variance) = norm.running.estimates();
    [host_f64(mean), host_f64(variance)]
}

/// Returns the mean per replica of `value(i)` over the channels, where `i` counts
/// `[replicas * channels]`.
pub(crate) fn over_channels(
    replicas: usize,
    channels: usize,
    value: impl Fn(usize) -> f64,
) -> Vec<f64> {
    let of = |r: usize| {
        let sum: f64 = (r * channels..(r + 1) * channels).map(&value).sum();
        sum / channels as f64
    };
    (0..replicas).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::TrainConfig;
    use crate::train::fixture::{self, assert_near};
    use ablate_models::Activation;

    /// One unit that doubles the first pixel: its values are 2, 6, 10, 14.
    fn net() -> (NetJob<'static>, Batches) {
        let images = [[1, 9], [3, 9], [5, 9], [7, 9]];
        let batches = fixture::batches(&images, &[0, 0, 1, 1]);
        let model = fixture::mlp(&[1], fixture::bare(0.1), Activation::Linear);
        (fixture::job(&model, 2), batches)
    }

    const WEIGHTS: (&str, &[f64]) = ("blocks.0.linear.weight", &[2.0, 0.0]);

    #[test]
    fn statistics_of_chunks_equal_those_of_the_whole() {
        // Two replicas of one channel: 1, 2, 6 (mean 3, variance 14/3) and 0, 0, 3 (1, 2).
        let mut pieces = ChannelStatistics::default();
        pieces.add(&[1.0, 2.0, 0.0, 0.0], 2, 1);
        pieces.add(&[6.0, 3.0], 1, 1);
        for (found, known) in [
            (pieces.mean().to_vec(), [3.0, 1.0]),
            (pieces.variance(), [14.0 / 3.0, 2.0]),
            (pieces.mean_square(), [41.0 / 3.0, 3.0]),
        ] {
            assert_near(found[0], known[0], 1e-14);
            assert_near(found[1], known[1], 1e-14);
        }
    }

    #[test]
    fn exact_statistics_cover_all_training_examples() {
        let (job, batches) = net();
        let net = fixture::net(&job, &[WEIGHTS]);
        let model = with_exact_statistics(net.model(), &batches);
        let [mean, variance] = running_statistics(batch_norms(&model)[0].1);
        // 2, 6, 10, 14.
        assert_eq!((mean, variance), (vec![8.0], vec![20.0]));
        // The net itself is unchanged.
        let [mean, variance] = running_statistics(batch_norms(net.model())[0].1);
        assert_eq!((mean, variance), (vec![0.0], vec![1.0]));
    }

    #[test]
    fn cumulative_statistics_average_unbiased_batch_variances() {
        let (job, batches) = net();
        let net = fixture::net(&job, &[WEIGHTS]);
        let orders = [vec![0, 3, 1, 2]];
        let model = with_cumulative_statistics(net.model(), &batches, &orders, 2);
        let [mean, variance] = running_statistics(batch_norms(&model)[0].1);
        // 2 and 14, 6 and 10: means 8 and 8, unbiased variances 72 and 8.
        assert_eq!((mean, variance), (vec![8.0], vec![40.0]));
    }

    #[test]
    fn recipe_selects_evaluation_statistics() {
        let (job, batches) = net();
        let net = fixture::net(&job, &[WEIGHTS]);
        for (by, expected) in [
            (Statistics::Running, [0.0, 1.0]),
            (Statistics::Exact, [8.0, 20.0]),
        ] {
            let train = TrainConfig {
                evaluate_by: by,
                ..job.train.clone()
            };
            let job = NetJob {
                train: &train,
                ..job
            };
            let model = evaluation_model(&job, net.model(), &batches);
            let [mean, variance] = running_statistics(batch_norms(&model)[0].1);
            assert_eq!([mean[0], variance[0]], expected, "{by:?}");
        }
    }

    #[test]
    fn exact_statistics_equal_full_batch_statistics() {
        let images: Vec<[u8; 2]> = (0..20).map(|i| [i * 7 % 11, i * 5 % 13]).collect();
        let labels: Vec<u8> = (0..20).map(|i| i % 2).collect();
        let batches = fixture::batches(&images, &labels);
        let model = fixture::mlp(&[3, 2], fixture::bare(0.1), Activation::Tanh);
        let job = fixture::job(&model, 4);
        let weights: [(&str, &[f64]); 3] = [
            ("blocks.0.linear.weight", &[0.3, -0.2, 0.5, 0.1, 0.4, -0.6]),
            ("blocks.1.linear.weight", &[1.0, -0.5, 0.2, 0.7, -0.3, 0.9]),
            ("head.weight", &[1.0, 0.5, -0.4, 2.0]),
        ];
        let net = fixture::net(&job, &weights);
        let (pixels, _) = batches.slice(SplitPart::Train, 0, 20);
        let pixels = pixels.inner();
        let by_exact =
            with_exact_statistics(net.model(), &batches).forward(pixels.clone(), &Pass::evaluate());
        let at_once = net
            .model()
            .valid()
            .forward(pixels, &Pass::evaluate_on_batch());
        for (a, b) in host_f64(by_exact).into_iter().zip(host_f64(at_once)) {
            assert_near(a, b, 1e-13);
        }
    }
}
