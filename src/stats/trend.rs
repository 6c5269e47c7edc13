//! Whether a difference still moves at the end of training.
//!
//! # Definition
//!
//! Each seed has one difference per evaluation. A straight line is fitted to the differences of one seed
//! over the last evaluations (least squares), and the seed contributes one number: the *change*, the slope
//! times the length of that window. The mean of the changes over seeds is the change of the line through
//! the mean differences. Its t interval treats seeds as independent, not evaluations: successive scores
//! of one net are correlated, and a line through all points at once would be too sure of its slope.
//!
//! The *limit* is half the margin. With the 95 % interval of the change, the difference
//!
//! - *moves* if the change is larger than the limit and the interval excludes 0,
//! - has *settled* if the interval lies inside the limit on both sides of 0,
//! - is *unclear* otherwise.
//!
//! # Error rates
//!
//! A difference that does not change is said to move in at most 5 % of cases, because the interval must
//! miss 0; the limit makes it rarer where the noise is small. A difference that changes by the limit or more
//! is said to have settled in at most 2.5 % of cases, because one end of the interval must miss the change.
//! So noise is not called a trend, and a trend that the seeds cannot see makes the result *unclear*, never
//! *settled*. The tests simulate both rates.

use super::decision::decisive_interval;
use super::interval::Interval;
use super::sample::Sample;
use serde::{Deserialize, Serialize};

/// Whether a difference still moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// It changes by less than the limit.
    Settled,
    /// It changes by more than the limit, and the change is not noise.
    Moves,
    /// Neither is shown.
    Unclear,
}

/// The mean change of a difference over a window, and what it shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Mean change over the window, in the unit of the differences.
    pub change: f64,
    /// Its interval; `None` for a few equal changes.
    pub interval: Option<Interval>,
    /// What they show.
    pub movement: Movement,
}

impl Trend {
    /// The trend of one change per seed; see [`fitted_change`]. `limit` is the largest change that does not
    /// matter; it is positive.
    pub fn of(changes: &Sample, confidence: f64, limit: f64) -> Self {
        let change = changes.mean();
        let interval = decisive_interval(changes, confidence);
        Self {
            change,
            interval,
            movement: Movement::of(change, interval, limit),
        }
    }
}

impl Movement {
    /// What a change with its interval shows.
    fn of(change: f64, interval: Option<Interval>, limit: f64) -> Self {
        let Some(interval) = interval else {
            return Self::Unclear;
        };
        if change.abs() > limit && !interval.contains(0.0) {
            Self::Moves
        } else if -limit < interval.low && interval.high < limit {
            Self::Settled
        } else {
            Self::Unclear
        }
    }
}

/// The change from the first to the last of the positions `at`, by the least-squares line through `values`.
///
/// Returns `None` unless there are at least two values, at positions that are not all the same.
///
/// # Panics
/// If the lengths differ.
pub fn fitted_change(at: &[f64], values: &[f64]) -> Option<f64> {
    assert_eq!(at.len(), values.len(), "one value per position");
    let (first, last) = (at.first()?, at.last()?);
    let middle = at.iter().sum::<f64>() / at.len() as f64;
    let spread: f64 = at.iter().map(|x| (x - middle).powi(2)).sum();
    let product: f64 = at.iter().zip(values).map(|(x, y)| (x - middle) * y).sum();
    (spread > 0.0).then(|| product / spread * (last - first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_streams::{Purpose, Stream};

    #[test]
    fn fitted_change_matches_the_closed_form() {
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}");
        };
        close(fitted_change(&[1.0, 2.0, 3.0], &[5.0, 7.0, 9.0]), 4.0);
        // Slope (-1 * 1 + 0 * 5 + 1 * 2) / 2 = 0.5 over a window of 2.
        close(fitted_change(&[8.0, 9.0, 10.0], &[1.0, 5.0, 2.0]), 1.0);
        // Unlike steps: the mean position is 4, slope (-3 * 0 - 2 * 1 + 5 * 3) / 38.
        let expected = 13.0 / 38.0 * 8.0;
        close(fitted_change(&[1.0, 2.0, 9.0], &[0.0, 1.0, 3.0]), expected);
        assert_eq!(fitted_change(&[3.0], &[1.0]), None);
        assert_eq!(fitted_change(&[], &[]), None);
    }

    #[test]
    fn every_position_of_the_interval_has_its_movement() {
        use Movement::{Moves, Settled, Unclear};
        for (low, high, expected) in [
            (0.5, 2.5, Moves),
            (-2.5, -0.5, Moves),
            (-0.9, 0.9, Settled),
            // Shown to change, by less than the limit.
            (0.1, 0.9, Settled),
            // Shown to change, perhaps by more than the limit.
            (0.1, 1.5, Unclear),
            // Larger than the limit, and compatible with no change.
            (-0.2, 3.0, Unclear),
            (-0.5, 1.0, Unclear),
            (0.0, 2.5, Unclear),
        ] {
            let interval = Some(Interval { low, high });
            let found = Movement::of((low + high) / 2.0, interval, 1.0);
            assert_eq!(found, expected, "{low} to {high}");
        }
        assert_eq!(Movement::of(0.0, None, 1.0), Unclear);
    }

    #[test]
    fn mean_of_the_changes_is_the_change_of_the_mean() {
        let at = [1.0, 2.0, 4.0, 5.0];
        let rows = [[0.0, 1.0, 3.0, 2.0], [5.0, -1.0, 0.5, 2.0]];
        let mean: Vec<f64> = (0..4).map(|k| (rows[0][k] + rows[1][k]) / 2.0).collect();
        let changes = rows.iter().map(|row| fitted_change(&at, row).unwrap());
        let changes = Sample::new(changes.collect()).unwrap();
        let found = Trend::of(&changes, 0.95, 1.0).change;
        assert!((found - fitted_change(&at, &mean).unwrap()).abs() < 1e-12);
    }

    /// Rates of *moves* and of *settled* for a margin of 1, six evaluations and noise with SD 1 whose
    /// successive values correlate by `correlation`, with a true change of `change` over the window.
    fn rates(seeds: usize, correlation: f64, change: f64) -> [f64; 2] {
        const ROUNDS: usize = 4000;
        let at: Vec<f64> = (0..6).map(f64::from).collect();
        let mut normals = Stream::new(5, Purpose::Resample, "trend").normals(0);
        let mut counts = [0usize; 2];
        for _ in 0..ROUNDS {
            let of_seed = |_| {
                let mut noise = normals.next().expect("streams do not end");
                let values = at.iter().map(|x| {
                    let fresh = normals.next().expect("streams do not end");
                    noise = correlation * noise + (1.0 - correlation.powi(2)).sqrt() * fresh;
                    noise + change * x / 5.0
                });
                fitted_change(&at, &values.collect::<Vec<_>>()).expect("six positions")
            };
            let changes = Sample::new((0..seeds).map(of_seed).collect()).unwrap();
            let movement = Trend::of(&changes, 0.95, 0.5).movement;
            counts[0] += usize::from(movement == Movement::Moves);
            counts[1] += usize::from(movement == Movement::Settled);
        }
        counts.map(|count| count as f64 / ROUNDS as f64)
    }

    /// Three standard errors of a rate of 5 % over the rounds.
    const SLACK: f64 = 0.011;

    #[test]
    fn noise_is_rarely_called_a_trend() {
        for (seeds, correlation) in [(5, 0.0), (20, 0.0), (5, 0.8), (20, 0.8), (80, 0.8)] {
            let [moves, _] = rates(seeds, correlation, 0.0);
            assert!(moves < 0.05 + SLACK, "{seeds} {correlation}: {moves}");
        }
    }

    #[test]
    fn trend_is_rarely_called_settled() {
        for (seeds, correlation) in [(5, 0.0), (20, 0.8), (80, 0.8), (200, 0.0)] {
            for change in [0.5, 1.0] {
                let [_, settled] = rates(seeds, correlation, change);
                let name = format!("{seeds} {correlation} {change}: {settled}");
                assert!(settled < 0.025 + SLACK, "{name}");
            }
        }
    }

    #[test]
    fn enough_seeds_tell_a_trend_from_rest() {
        let [moves, _] = rates(40, 0.0, 1.0);
        assert!(moves > 0.9, "{moves}");
        let [moves, settled] = rates(160, 0.0, 0.0);
        assert!(settled > 0.9 && moves < 0.01, "{settled} {moves}");
    }
}
