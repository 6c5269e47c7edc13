//! Measures of inequality: Gini coefficient and Lorenz curve.

/// Gini coefficient: 0 if all sizes are equal, `(n - 1) / n` if one of `n` has everything. Returns
/// `None` if there are no values, if a value is negative or not finite, or if all are 0.
pub(super) fn gini(sizes: &[f64]) -> Option<f64> {
    let sorted = ascending(sizes)?;
    let (n, total) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    let ranked = sorted.iter().zip(1..);
    let weighted: f64 = ranked.map(|(x, rank)| f64::from(rank) * x).sum();
    Some(2.0 * weighted / (n * total) - (n + 1.0) / n)
}

/// Lorenz curve: the shares of the total that the smallest `0, 1/points, ..., 1` of the sizes have,
/// linearly interpolated. Returns `None` as for [`gini`].
pub(super) fn lorenz(sizes: &[f64], points: usize) -> Option<Vec<f64>> {
    let sorted = ascending(sizes)?;
    let total: f64 = sorted.iter().sum();
    let mut sums = vec![0.0];
    for x in &sorted {
        sums.push(sums[sums.len() - 1] + x);
    }
    let share = |k: usize| {
        let at = (k * sorted.len()) as f64 / points as f64;
        let (below, part) = (at.floor() as usize, at.fract());
        let above = sums.get(below + 1).unwrap_or(&sums[below]);
        (sums[below] + part * (above - sums[below])) / total
    };
    Some((0..=points).map(share).collect())
}

/// Sorts the sizes; `None` if a size is invalid or their sum is 0.
fn ascending(sizes: &[f64]) -> Option<Vec<f64>> {
    let mut sorted = sizes.to_vec();
    sorted.sort_by(f64::total_cmp);
    let valid = sorted.iter().all(|x| *x >= 0.0 && x.is_finite());
    (valid && sorted.iter().sum::<f64>() > 0.0).then_some(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gini_of_equal_single_and_invalid_sizes() {
        assert!(gini(&[2.0; 8]).unwrap().abs() < 1e-15);
        let mut one = [0.0; 8];
        one[3] = 5.0;
        assert!((gini(&one).unwrap() - 7.0 / 8.0).abs() < 1e-15);
        // The mean absolute difference of 1, 2, 3 over all nine pairs is 8/9. The Gini coefficient
        // is half of it, divided by the mean.
        assert!((gini(&[3.0, 1.0, 2.0]).unwrap() - 2.0 / 9.0).abs() < 1e-15);
        assert_eq!(gini(&[]), None);
        assert_eq!(gini(&[0.0; 3]), None);
        assert_eq!(gini(&[1.0, f64::NAN]), None);
        assert_eq!(gini(&[1.0, -1.0, 3.0]), None);
    }

    #[test]
    fn lorenz_curve_of_equal_and_unequal_sizes() {
        assert_eq!(lorenz(&[3.0; 4], 4), Some(vec![0.0, 0.25, 0.5, 0.75, 1.0]));
        assert_eq!(lorenz(&[0.0, 1.0], 4), Some(vec![0.0, 0.0, 0.0, 0.5, 1.0]));
        assert_eq!(lorenz(&[1.0, 3.0], 2), Some(vec![0.0, 0.25, 1.0]));
    }
}
