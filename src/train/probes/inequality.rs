//! How unequally a quantity is spread over its bearers.

/// The Gini coefficient of sizes: 0 where all are equal, `(n - 1) / n` where one of `n` has all.
/// `None` without values, where one is negative or not finite, or where all are 0.
pub(super) fn gini(sizes: &[f64]) -> Option<f64> {
    let sorted = ascending(sizes)?;
    let (n, total) = (sorted.len() as f64, sorted.iter().sum::<f64>());
    let ranked = sorted.iter().zip(1..);
    let weighted: f64 = ranked.map(|(x, rank)| f64::from(rank) * x).sum();
    Some(2.0 * weighted / (n * total) - (n + 1.0) / n)
}

/// The Lorenz curve: the share of the total that the smallest `0, 1/points, ..., 1` of the bearers
/// have, interpolated between bearers. `None` as for [`gini`].
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

/// Sorted; `None` where they are no sizes or have no total.
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
    fn equal_bearers_have_0_and_a_single_one_has_all_but_its_own_share() {
        assert!(gini(&[2.0; 8]).unwrap().abs() < 1e-15);
        let mut one = [0.0; 8];
        one[3] = 5.0;
        assert!((gini(&one).unwrap() - 7.0 / 8.0).abs() < 1e-15);
        // Mean absolute difference of 1, 2, 3 over all nine pairs is 8/9; half of it over the mean.
        assert!((gini(&[3.0, 1.0, 2.0]).unwrap() - 2.0 / 9.0).abs() < 1e-15);
        assert_eq!(gini(&[]), None);
        assert_eq!(gini(&[0.0; 3]), None);
        assert_eq!(gini(&[1.0, f64::NAN]), None);
        assert_eq!(gini(&[1.0, -1.0, 3.0]), None);
    }

    #[test]
    fn the_lorenz_curve_of_equals_is_the_diagonal_and_that_of_one_lies_on_the_axis() {
        assert_eq!(lorenz(&[3.0; 4], 4), Some(vec![0.0, 0.25, 0.5, 0.75, 1.0]));
        assert_eq!(lorenz(&[0.0, 1.0], 4), Some(vec![0.0, 0.0, 0.0, 0.5, 1.0]));
        assert_eq!(lorenz(&[1.0, 3.0], 2), Some(vec![0.0, 0.25, 1.0]));
    }
}
