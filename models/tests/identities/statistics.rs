//! Batch, running and population statistics, and the effect of dropout on them.

use crate::support::testing::{assert_close, for_each_device, values};
use crate::support::{double, mlp, normals, normed};
use ablate_models::block::BlockConfig;
use ablate_models::dropout::{Dropout, DropoutConfig, Placement};
use ablate_models::norm::{BatchNorm, BatchNormConfig, Norm, NormConfig};
use ablate_models::{Activation, Pass, Start};
use burn::tensor::{Device, Tensor};

const CHANNELS: usize = 3;

fn batch_norm(momentum: f64, bias_correction: bool, start: &Start) -> BatchNorm {
    let config = NormConfig::Batch(BatchNormConfig {
        momentum,
        bias_correction,
        ..BatchNormConfig::default()
    });
    match config.init(CHANNELS, 0.0, start) {
        Ok(Some(Norm::Batch(norm))) => norm,
        other => panic!("not a batch norm: {other:?}"),
    }
}

fn start(device: &Device) -> Start {
    Start::new([1], device).double()
}

/// The running averages: mean and variance per channel.
fn statistics(norm: &BatchNorm) -> [Vec<f64>; 2] {
    let (mean, variance) = norm.running.estimates();
    [values(mean), values(variance)]
}

fn mean(list: &[f64]) -> f64 {
    list.iter().sum::<f64>() / list.len() as f64
}

fn variance(list: &[f64]) -> f64 {
    let center = mean(list);
    list.iter().map(|x| (x - center).powi(2)).sum::<f64>() / list.len() as f64
}

/// Channel `c` of every list.
fn channel(lists: &[Vec<f64>], c: usize) -> Vec<f64> {
    lists.iter().map(|list| list[c]).collect()
}

#[test]
fn population_variance_is_within_plus_between_batches() {
    for_each_device(|device| {
        let start = start(device);
        let x: Tensor<3> = start.tensor(normals("population", 48 * CHANNELS), [1, 48, CHANNELS]);
        let of = |rows: Tensor<3>| {
            let norm = batch_norm(1.0, false, &start);
            norm.forward(rows, &Pass::train_at(0));
            statistics(&norm)
        };
        let [_, population] = of(x.clone());
        let batches: Vec<[Vec<f64>; 2]> =
            (0..6).map(|b| of(x.clone().narrow(1, 8 * b, 8))).collect();
        let means: Vec<Vec<f64>> = batches.iter().map(|[m, _]| m.clone()).collect();
        let variances: Vec<Vec<f64>> = batches.iter().map(|[_, v]| v.clone()).collect();
        for (c, population) in population.into_iter().enumerate() {
            let within = mean(&channel(&variances, c));
            let between = variance(&channel(&means, c));
            assert_close(&[within + between], &[population], 1e-14);
            // The average of the batch variances alone is too small.
            assert!(population - within > 1e-2, "{within} of {population}");
        }
    });
}

#[test]
fn start_value_decays_below_one_percent_as_computed() {
    for_each_device(|device| {
        let start = start(device);
        // Equal rows have variance 0, so the running variance is the weight of its start value, 1.
        let rows: Tensor<3> = start.tensor([2.0, -1.0, 0.5].repeat(2), [1, 2, CHANNELS]);
        for (momentum, steps) in [(0.1, 44), (0.01, 459), (0.001, 4603)] {
            let norm = batch_norm(momentum, false, &start);
            let forget = |steps: i32| {
                for _ in 0..steps {
                    norm.forward(rows.clone(), &Pass::train_at(0));
                }
                statistics(&norm)[1].clone()
            };
            let weight = |steps: i32| (1.0 - momentum).powi(steps);
            assert_close(&forget(steps - 1), &[weight(steps - 1); CHANNELS], 1e-13);
            assert!(weight(steps - 1) > 0.01);
            assert_close(&forget(1), &[weight(steps); CHANNELS], 1e-13);
            assert!(weight(steps) < 0.01);
            let share = 1.0 - weight(steps);
            let [means, _] = statistics(&norm);
            assert_close(&means, &[2.0 * share, -share, 0.5 * share], 1e-12);
        }
    });
}

#[test]
fn start_value_decays_equally_in_all_blocks() {
    for_each_device(|device| {
        let start = start(device);
        let config = mlp(normed(Activation::Relu, true, true));
        let model = config.init([1, 1, 4], 2, &start).expect("can be built");
        let rows: Tensor<3> = start.tensor([0.3, -1.0, 0.5, 2.0].repeat(4), [1, 4, 4]);
        for steps in 1..=44 {
            model.forward(rows.clone(), &Pass::train_at(steps));
            for block in model.dense_blocks() {
                let Some(Norm::Batch(norm)) = &block.epilogue.norm else {
                    panic!("every block has a batch norm");
                };
                let [_, variances] = statistics(norm);
                let expected = vec![0.9f64.powi(steps as i32); variances.len()];
                assert_close(&variances, &expected, 1e-13);
            }
        }
    });
}

#[test]
fn bias_correction_removes_the_start_value() {
    for_each_device(|device| {
        let start = start(device);
        let rows: Tensor<3> = start.tensor(normals("rows", 8 * CHANNELS), [1, 8, CHANNELS]);
        for momentum in [0.1, 0.001] {
            let (corrected, plain) = (
                batch_norm(momentum, true, &start),
                batch_norm(momentum, false, &start),
            );
            let exact = batch_norm(1.0, false, &start);
            exact.forward(rows.clone(), &Pass::train_at(0));
            let [means, variances] = statistics(&exact);
            for step in 0..20 {
                corrected.forward(rows.clone(), &Pass::train_at(step));
                plain.forward(rows.clone(), &Pass::train_at(step));
                let [m, v] = statistics(&corrected);
                assert_close(&m, &means, 1e-13);
                assert_close(&v, &variances, 1e-13);
            }
            let [m, _] = statistics(&plain);
            let left = (1.0 - momentum).powi(20);
            let gaps: Vec<f64> = means.iter().zip(&m).map(|(a, b)| a - b).collect();
            let expected: Vec<f64> = means.iter().map(|m| m * left).collect();
            assert_close(&gaps, &expected, 1e-13);
        }
    });
}

/// `Var(x) + (1 - p) / p E[x^2]` for each channel of `x`, row-major.
fn shifted(x: &[f64], p: f64) -> Vec<f64> {
    let of = |c: usize| {
        let list: Vec<f64> = x.iter().skip(c).step_by(CHANNELS).copied().collect();
        let squares: Vec<f64> = list.iter().map(|x| x * x).collect();
        variance(&list) + (1.0 - p) / p * mean(&squares)
    };
    (0..CHANNELS).map(of).collect()
}

/// Normal values with channel means 0, 1 and 2, so that `E[x^2]` and `Var(x)` differ.
fn offset_normals(rows: usize) -> Vec<f64> {
    let list = normals("x", rows * CHANNELS);
    let offset = |(i, x)| x + (i % CHANNELS) as f64;
    list.into_iter().enumerate().map(offset).collect()
}

#[test]
fn variance_after_inverted_dropout_matches_the_formula() {
    for_each_device(|device| {
        let start = start(device);
        let x = offset_normals(16);
        let dropout = Dropout::new(0.5, false, "dropout", &start).expect("it drops");
        let (p, mut seen) = (1.0 - dropout.rate, [false; 2]);
        for step in 0..20 {
            let input: Tensor<3> = start.tensor(x.clone(), [1, 16, CHANNELS]);
            let y = values(dropout.forward(input, 1, &Pass::train_at(step)));
            for (x, y) in x.iter().zip(y) {
                assert!(y == 0.0 || y == x / p, "{y} is no outcome of {x}");
                seen[usize::from(y == 0.0)] = true;
            }
        }
        assert_eq!(seen, [true; 2]);
        // The outcomes are 0 with probability 1 - p and x / p with probability p.
        let of = |c: usize| {
            let list: Vec<f64> = x.iter().skip(c).step_by(CHANNELS).copied().collect();
            let first: Vec<f64> = list.iter().map(|x| p * (x / p)).collect();
            let second: Vec<f64> = list.iter().map(|x| p * (x / p).powi(2)).collect();
            mean(&second) - mean(&first).powi(2)
        };
        let by_hand: Vec<f64> = (0..CHANNELS).map(of).collect();
        assert_close(&by_hand, &shifted(&x, p), 1e-13);
    });
}

#[test]
fn dropout_before_a_norm_shifts_the_variance_as_computed() {
    const STEPS: u64 = 300;
    const ROWS: usize = 64;
    for_each_device(|device| {
        let start = start(device);
        for rate in [0.25, 0.5] {
            let block = BlockConfig {
                activation: Activation::Linear,
                norm: NormConfig::Batch(BatchNormConfig {
                    momentum: 1.0,
                    ..BatchNormConfig::default()
                }),
                dropout: DropoutConfig {
                    rate,
                    placement: Placement::BeforeNorm,
                    ..DropoutConfig::default()
                },
                ..BlockConfig::default()
            };
            let block = block
                .dense("block", 2, CHANNELS, &start)
                .expect("can be built");
            let Some(Norm::Batch(norm)) = &block.epilogue.norm else {
                panic!("the block has a batch norm");
            };
            let x = offset_normals(ROWS);
            let (mut means, mut variances) = (Vec::new(), Vec::new());
            for step in 0..STEPS {
                let rows = start.tensor(x.clone(), [1, ROWS, CHANNELS]);
                block.epilogue.forward(rows, 1, &Pass::train_at(step));
                let [m, v] = statistics(norm);
                means.push(m);
                variances.push(v);
            }
            for (c, expected) in shifted(&x, 1.0 - rate).into_iter().enumerate() {
                let within = channel(&variances, c);
                let total = mean(&within) + variance(&channel(&means, c));
                let error = (variance(&within) / STEPS as f64).sqrt();
                let off = (total - expected).abs();
                assert!(off < 5.0 * error, "channel {c}: {total}, not {expected}");
                // The bound distinguishes the formula from Var(x), and E[x^2] from Var(x) in it.
                let plain: Vec<f64> = x.iter().skip(c).step_by(CHANNELS).copied().collect();
                assert!(expected - variance(&plain) > 10.0 * error);
                assert!(c == 0 || expected - variance(&plain) / (1.0 - rate) > 10.0 * error);
            }
        }
    });
}

#[test]
fn dropout_after_the_norm_keeps_its_statistics() {
    for_each_device(|device| {
        let start = double(device);
        let seen = |rate: f64, placement: Placement| {
            let mut block = normed(Activation::Relu, true, true);
            block.dropout = DropoutConfig {
                rate,
                placement,
                ..DropoutConfig::default()
            };
            let block = block
                .dense("block", 2, CHANNELS, &start)
                .expect("can be built");
            let rows = start.tensor(offset_normals(16), [1, 16, CHANNELS]);
            block.epilogue.forward(rows, 1, &Pass::train_at(0));
            match &block.epilogue.norm {
                Some(Norm::Batch(norm)) => statistics(norm),
                other => panic!("not a batch norm: {other:?}"),
            }
        };
        let plain = seen(0.0, Placement::End);
        assert_eq!(seen(0.5, Placement::End), plain);
        assert_ne!(seen(0.5, Placement::BeforeNorm), plain);
    });
}
