//! Simulated coverage of intervals, and the power of the rule. `error_rates` has its error rates.
//!
//! Samples are drawn from known distributions at fixed seeds, so every rate is a fixed number.

use super::{MinimumDetectable, Sample, bca_interval, decisive_interval, t_interval};
use ablate_streams::{Purpose, Stream};

fn stream(name: &str) -> Stream {
    Stream::new(2024, Purpose::Resample, name)
}

/// `rounds` samples of `n` standard normal values.
fn normal_samples(name: &str, rounds: usize, n: usize) -> impl Iterator<Item = Vec<f64>> {
    let mut normals = stream(name).normals(0);
    (0..rounds).map(move |_| normals.by_ref().take(n).collect())
}

fn share(hits: usize, rounds: usize) -> f64 {
    hits as f64 / rounds as f64
}

#[test]
fn t_intervals_have_nominal_coverage() {
    let rounds = 20_000;
    for n in [2, 5, 10] {
        let covered = normal_samples("t", rounds, n)
            .filter(|values| {
                let sample = Sample::new(values.clone()).unwrap();
                t_interval(&sample, 0.95).unwrap().contains(0.0)
            })
            .count();
        let coverage = share(covered, rounds);
        // Three standard errors are 0.0046.
        assert!((coverage - 0.95).abs() < 0.0046, "{n}: {coverage}");
    }
}

#[test]
fn bca_intervals_of_ten_values_cover_ninety_percent() {
    let rounds = 4000;
    let covered = normal_samples("coverage", rounds, 10)
        .enumerate()
        .filter(|(round, values)| {
            let sample = Sample::new(values.clone()).unwrap();
            let stream = Stream::new(*round as u64, Purpose::Resample, "bca");
            bca_interval(&sample, 0.95, 1000, &stream).contains(0.0)
        })
        .count();
    let coverage = share(covered, rounds);
    assert!((0.89..0.915).contains(&coverage), "{coverage}");
}

#[test]
fn detectable_sizes_are_shown_with_the_stated_power() {
    let rounds = 4000;
    for (n, confidence) in [(6, 0.95), (10, 0.95), (20, 0.9875)] {
        let minimum = MinimumDetectable::new(n, Some(1.0), confidence, 0.8);
        let (delta, margin) = (minimum.difference.unwrap(), minimum.margin.unwrap());
        let (mut shown, mut inside) = (0, 0);
        for values in normal_samples("power", rounds, n) {
            let sample = Sample::new(values).unwrap();
            let interval = decisive_interval(&sample, confidence).unwrap();
            shown += usize::from(interval.low + delta > 0.0);
            inside += usize::from(-margin < interval.low && interval.high < margin);
        }
        for power in [share(shown, rounds), share(inside, rounds)] {
            // Three standard errors are 0.019.
            assert!((power - 0.8).abs() < 0.019, "{n}: {power}");
        }
    }
}
