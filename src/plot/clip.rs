//! Clipping of lines and bands at the ends of the vertical axis.

use super::axis::Range;

/// The point between `a` and `b` at height `y`.
fn crossing(a: (f64, f64), b: (f64, f64), y: f64) -> (f64, f64) {
    (a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0), y)
}

/// The parts of a polyline inside `range`.
pub(super) fn polyline(points: &[(f64, f64)], range: Range) -> Vec<Vec<(f64, f64)>> {
    let inside = |p: (f64, f64)| (range.low..=range.high).contains(&p.1);
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut open = false;
    for (i, &b) in points.iter().enumerate() {
        if let Some(&a) = i.checked_sub(1).and_then(|k| points.get(k)) {
            let mut ends: Vec<(f64, f64)> = [range.low, range.high]
                .into_iter()
                .filter(|y| (a.1 < *y && *y < b.1) || (b.1 < *y && *y < a.1))
                .map(|y| crossing(a, b, y))
                .collect();
            ends.sort_by(|p, q| p.0.total_cmp(&q.0));
            for end in ends {
                if open {
                    parts.last_mut().into_iter().for_each(|part| part.push(end));
                } else {
                    parts.push(vec![end]);
                }
                open = !open;
            }
        }
        if inside(b) {
            if open {
                parts.last_mut().into_iter().for_each(|part| part.push(b));
            } else {
                parts.push(vec![b]);
                open = true;
            }
        } else {
            open = false;
        }
    }
    parts.retain(|part| part.len() > 1);
    parts
}

/// The part of a polygon inside `range` (Sutherland and Hodgman 1974, for two half planes).
pub(super) fn polygon(points: &[(f64, f64)], range: Range) -> Vec<(f64, f64)> {
    let above = half(points, range.low, |y| y >= range.low);
    half(&above, range.high, |y| y <= range.high)
}

fn half(points: &[(f64, f64)], edge: f64, inside: impl Fn(f64) -> bool) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    let previous = points.iter().cycle().skip(points.len().saturating_sub(1));
    for (&b, &a) in points.iter().zip(previous) {
        if inside(a.1) != inside(b.1) {
            out.push(crossing(a, b, edge));
        }
        if inside(b.1) {
            out.push(b);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range {
        low: 0.0,
        high: 10.0,
    };

    #[test]
    fn line_that_enters_the_range_starts_at_its_edge() {
        let parts = polyline(&[(0.0, -10.0), (1.0, 10.0), (2.0, 5.0)], RANGE);
        assert_eq!(parts, [vec![(0.5, 0.0), (1.0, 10.0), (2.0, 5.0)]]);
    }

    #[test]
    fn line_that_leaves_and_returns_is_two_parts() {
        let parts = polyline(&[(0.0, 5.0), (1.0, -5.0), (2.0, -5.0), (3.0, 5.0)], RANGE);
        assert_eq!(
            parts,
            [vec![(0.0, 5.0), (0.5, 0.0)], vec![(2.5, 0.0), (3.0, 5.0)]]
        );
    }

    #[test]
    fn line_across_the_range_keeps_its_middle() {
        let parts = polyline(&[(0.0, -10.0), (4.0, 30.0)], RANGE);
        assert_eq!(parts, [vec![(1.0, 0.0), (2.0, 10.0)]]);
        assert!(polyline(&[(0.0, -1.0), (1.0, -2.0)], RANGE).is_empty());
    }

    #[test]
    fn polygon_is_cut_at_both_edges() {
        let cut = polygon(&[(0.0, -10.0), (1.0, 10.0), (2.0, 20.0), (2.0, 5.0)], RANGE);
        assert!(cut.iter().all(|p| (0.0..=10.0).contains(&p.1)), "{cut:?}");
        assert!(cut.contains(&(0.5, 0.0)), "{cut:?}");
        assert!(polygon(&[(0.0, -3.0), (1.0, -2.0), (2.0, -1.0)], RANGE).is_empty());
    }
}
