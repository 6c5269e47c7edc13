//! The size at which a size-dependent ratio crosses one.

/// Sizes at which a ratio is above one.
#[derive(Clone, Debug, PartialEq)]
pub enum Crossing {
    /// At every size.
    Throughout,
    /// From this size up, interpolated on logarithmic axes between the two nearest measured sizes.
    At(f64),
    /// At these sizes, but not at the largest.
    Only(Vec<f64>),
    /// At no size.
    Nowhere,
}

/// The size from which on the ratio stays above one.
///
/// `points` are pairs of size and ratio, both positive, in ascending order of size. Returns `None`
/// for an empty slice.
pub fn crossing(points: &[(f64, f64)]) -> Option<Crossing> {
    let above = |point: &&(f64, f64)| point.1 > 1.0;
    let last = points.last()?;
    if !above(&last) {
        let sizes: Vec<f64> = points.iter().filter(above).map(|p| p.0).collect();
        return Some(match sizes.is_empty() {
            true => Crossing::Nowhere,
            false => Crossing::Only(sizes),
        });
    }
    let below = points.iter().rposition(|point| !above(&point));
    Some(match below {
        None => Crossing::Throughout,
        Some(k) => Crossing::At(interpolated(points[k], points[k + 1])),
    })
}

/// The size at which the line from `a` to `b` on logarithmic axes has a ratio of one.
fn interpolated(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (from, to) = (a.1.ln(), b.1.ln());
    (a.0.ln() + (b.0 / a.0).ln() * -from / (to - from)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(points: &[(f64, f64)]) -> f64 {
        match crossing(points) {
            Some(Crossing::At(size)) => size,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn power_law_crosses_where_it_is_one() {
        // (size / 10)^0.7 is one at size 10.
        let law = |size: f64| (size, (size / 10.0).powf(0.7));
        for sizes in [[1.0, 4.0, 16.0, 64.0], [2.0, 9.0, 11.0, 500.0]] {
            assert!((at(&sizes.map(law)) - 10.0).abs() < 1e-9);
        }
    }

    #[test]
    fn midpoint_is_the_geometric_mean() {
        assert!((at(&[(1.0, 0.5), (16.0, 2.0)]) - 4.0).abs() < 1e-12);
        assert_eq!(at(&[(1.0, 0.5), (4.0, 1.0), (16.0, 2.0)]), 4.0);
    }

    #[test]
    fn last_crossing_counts() {
        let points = [(1.0, 0.5), (2.0, 1.5), (4.0, 0.5), (8.0, 2.0)];
        assert!(
            (4.0..8.0).contains(&at(&points)),
            "the last of two crossings"
        );
        let fades = crossing(&[(1.0, 0.5), (2.0, 1.5), (4.0, 0.5)]);
        assert_eq!(fades, Some(Crossing::Only(vec![2.0])));
    }

    #[test]
    fn nothing_is_extrapolated() {
        assert_eq!(
            crossing(&[(1.0, 2.0), (4.0, 1.1)]),
            Some(Crossing::Throughout)
        );
        assert_eq!(
            crossing(&[(1.0, 0.2), (64.0, 0.9)]),
            Some(Crossing::Nowhere)
        );
        assert_eq!(crossing(&[(1.0, 2.0)]), Some(Crossing::Throughout));
        assert_eq!(crossing(&[]), None);
    }
}
