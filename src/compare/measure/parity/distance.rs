//! Distances between the values of a step and the reference.

use super::steps::StepValues;
use crate::compare::results::{Distances, NOT_COMPARABLE, ParameterDistances};

/// Distances of one step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StepDistances {
    pub(super) loss: f64,
    pub(super) gradients: Vec<f64>,
    pub(super) values: Vec<f64>,
}

impl StepDistances {
    pub(super) fn of(exact: &StepValues, other: &StepValues) -> Self {
        Self {
            loss: relative(&[exact.loss], &[other.loss]),
            gradients: each(&exact.gradients, &other.gradients),
            values: each(&exact.values, &other.values),
        }
    }

    /// The medians over one or more runs of a step. A single run at a kink does not change them.
    pub(super) fn median(runs: &[Self]) -> Self {
        let of = |distance: &dyn Fn(&Self) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(distance).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let parameters = 0..runs[0].gradients.len();
        Self {
            loss: of(&|run| run.loss),
            gradients: parameters
                .clone()
                .map(|k| of(&|run| run.gradients[k]))
                .collect(),
            values: parameters.map(|k| of(&|run| run.values[k])).collect(),
        }
    }

    /// The elementwise maximum.
    pub(super) fn larger(&self, other: &Self) -> Self {
        Self {
            loss: self.loss.max(other.loss),
            gradients: larger(&self.gradients, &other.gradients),
            values: larger(&self.values, &other.values),
        }
    }
}

pub(super) fn larger(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a.max(*b)).collect()
}

/// The distance of each tensor.
pub(super) fn each(exact: &[Vec<f64>], other: &[Vec<f64>]) -> Vec<f64> {
    let pairs = exact.iter().zip(other);
    pairs.map(|(exact, other)| relative(exact, other)).collect()
}

/// The largest absolute difference divided by the largest absolute value of `exact`; 0 if both are
/// equal, at most [`NOT_COMPARABLE`], which also stands for NaN.
pub(super) fn relative(exact: &[f64], other: &[f64]) -> f64 {
    let differences = exact.iter().zip(other).map(|(a, b)| (a - b).abs());
    let most = differences.fold(0.0, |most: f64, d| if d.is_nan() { d } else { most.max(d) });
    if most == 0.0 {
        return 0.0;
    }
    let quotient = most / largest(exact);
    if quotient.is_nan() {
        NOT_COMPARABLE
    } else {
        short(quotient.min(NOT_COMPARABLE))
    }
}

/// The largest absolute value.
pub(super) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// `x` with three significant digits, which is all that matters here and keeps the file small.
pub(super) fn short(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

impl Distances {
    /// Distances of no steps, for the parameters at `paths`.
    pub(super) fn none(paths: &[String]) -> Self {
        let parameter = |path: &String| ParameterDistances {
            path: path.clone(),
            gradient: Vec::new(),
            value: Vec::new(),
        };
        Self {
            loss: Vec::new(),
            parameters: paths.iter().map(parameter).collect(),
        }
    }

    /// Appends a step.
    pub(super) fn push(&mut self, step: &StepDistances) {
        self.loss.push(step.loss);
        let both = step.gradients.iter().zip(&step.values);
        for (parameter, (gradient, value)) in self.parameters.iter_mut().zip(both) {
            parameter.gradient.push(*gradient);
            parameter.value.push(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_relative_to_the_largest_exact_value() {
        assert_eq!(relative(&[0.0, -4.0, 1.0], &[0.5, -4.0, 1.25]), 0.125);
        assert_eq!(relative(&[0.0, 0.0], &[0.0, 0.0]), 0.0);
    }

    #[test]
    fn nan_and_zero_scale_are_not_comparable() {
        assert_eq!(relative(&[1.0, 2.0], &[1.0, f64::NAN]), NOT_COMPARABLE);
        assert_eq!(relative(&[1.0], &[f64::INFINITY]), NOT_COMPARABLE);
        assert_eq!(relative(&[0.0], &[1e-30]), NOT_COMPARABLE);
    }

    #[test]
    fn one_run_at_a_kink_keeps_the_median() {
        let run = |gradient: f64| StepDistances {
            loss: 1.0,
            gradients: vec![gradient],
            values: vec![2.0],
        };
        let median = StepDistances::median(&[run(1e-6), run(0.5), run(2e-6)]);
        assert_eq!(median, run(2e-6));
    }

    #[test]
    fn three_digits_are_kept() {
        assert_eq!(short(1.234_567e-7), 1.23e-7);
        assert_eq!(short(NOT_COMPARABLE), NOT_COMPARABLE);
    }
}
