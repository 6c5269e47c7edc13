//! Groups of items that are not shown to differ (compact letter display; Piepho, "An algorithm for a
//! letter-based representation of all-pairwise comparisons", 2004).

use std::collections::BTreeSet;

/// Most groups. More would say less than the comparisons themselves.
const MOST_GROUPS: usize = 26;

/// The fewest groups found by splitting, such that two of `count` items share a group exactly if
/// `differ` does not hold for them. Each group lists its items in ascending order; groups are ordered
/// by their first items. `None` if there are more than 26 groups.
pub fn tie_groups(count: usize, differ: impl Fn(usize, usize) -> bool) -> Option<Vec<Vec<usize>>> {
    let mut groups: Vec<BTreeSet<usize>> = vec![(0..count).collect()];
    for first in 0..count {
        for second in first + 1..count {
            if differ(first, second) {
                groups = split(groups, first, second);
            }
            if groups.len() > MOST_GROUPS {
                return None;
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = (groups.into_iter())
        .map(|group| group.into_iter().collect())
        .collect();
    groups.sort();
    Some(groups)
}

/// Separates two items in every group, and drops the groups that are part of others.
fn split(groups: Vec<BTreeSet<usize>>, first: usize, second: usize) -> Vec<BTreeSet<usize>> {
    let mut out: Vec<BTreeSet<usize>> = Vec::new();
    for group in groups {
        if !(group.contains(&first) && group.contains(&second)) {
            out.push(group);
            continue;
        }
        for left_out in [first, second] {
            let mut part = group.clone();
            part.remove(&left_out);
            out.push(part);
        }
    }
    // The larger group comes first, so that a group never hides one that holds it.
    out.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut kept: Vec<BTreeSet<usize>> = Vec::new();
    for group in out {
        if !kept.iter().any(|larger| group.is_subset(larger)) {
            kept.push(group);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_items_share_one_group() {
        assert_eq!(tie_groups(3, |_, _| false), Some(vec![vec![0, 1, 2]]));
    }

    #[test]
    fn different_items_have_a_group_each() {
        assert_eq!(
            tie_groups(3, |_, _| true),
            Some(vec![vec![0], vec![1], vec![2]])
        );
    }

    #[test]
    fn middle_item_is_tied_with_both_ends() {
        let far = |a: usize, b: usize| a.abs_diff(b) > 1;
        assert_eq!(tie_groups(3, far), Some(vec![vec![0, 1], vec![1, 2]]));
    }

    #[test]
    fn more_groups_than_letters_are_no_display() {
        assert_eq!(tie_groups(27, |_, _| true), None);
    }

    proptest! {
        #[test]
        fn items_share_a_group_unless_they_differ(
            count in 1usize..9, bits in prop::collection::vec(any::<bool>(), 81)
        ) {
            let differ = |a: usize, b: usize| bits[9 * a.min(b) + a.max(b)];
            let groups = tie_groups(count, differ).unwrap();
            for a in 0..count {
                prop_assert!(groups.iter().any(|group| group.contains(&a)));
                for b in a + 1..count {
                    let share = groups.iter().any(|g| g.contains(&a) && g.contains(&b));
                    prop_assert_eq!(share, !differ(a, b));
                }
            }
        }
    }
}
