//! Where a ratio that changes with size passes one.

/// From which size on a ratio is above one.
#[derive(Clone, Debug, PartialEq)]
pub enum Crossing {
    /// At every size.
    Throughout,
    /// From this size on, by a straight line in logarithms between the sizes around it.
    At(f64),
    /// At these sizes, but not at the largest.
    Only(Vec<f64>),
    /// At none.
    Nowhere,
}

/// From which size on the ratio is above one and stays so. `points` are pairs of a size and a ratio,
/// both positive, by ascending size. `None` without points.
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
        Some(k) => Crossing::At(between(points[k], points[k + 1])),
    })
}

/// Where the line from `a` to `b` in logarithms has a ratio of one.
fn between(a: (f64, f64), b: (f64, f64)) -> f64 {
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
    fn a_power_law_is_crossed_where_it_is_one() {
        // (size / 10)^0.7 is one at 10, however the sizes lie.
        let law = |size: f64| (size, (size / 10.0).powf(0.7));
        for sizes in [[1.0, 4.0, 16.0, 64.0], [2.0, 9.0, 11.0, 500.0]] {
            assert!((at(&sizes.map(law)) - 10.0).abs() < 1e-9);
        }
    }

    #[test]
    fn half_way_in_logarithms_is_the_geometric_mean() {
        assert!((at(&[(1.0, 0.5), (16.0, 2.0)]) - 4.0).abs() < 1e-12);
        assert_eq!(at(&[(1.0, 0.5), (4.0, 1.0), (16.0, 2.0)]), 4.0);
    }

    #[test]
    fn only_what_lasts_to_the_largest_size_counts() {
        let points = [(1.0, 0.5), (2.0, 1.5), (4.0, 0.5), (8.0, 2.0)];
        assert!(
            (4.0..8.0).contains(&at(&points)),
            "the last of two crossings"
        );
        let fades = crossing(&[(1.0, 0.5), (2.0, 1.5), (4.0, 0.5)]);
        assert_eq!(fades, Some(Crossing::Only(vec![2.0])));
    }

    #[test]
    fn outside_the_sizes_nothing_is_made_up() {
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
