//! Whether seeds pair the arms.

use super::cells::{ArmScores, Scores};
use crate::text::counted;

/// Fewest pairs that have a standard deviation.
const MIN_PAIRS: usize = 2;

impl Scores {
    /// Whether every arm shares enough seeds with the arm with index `control` to compare them seed by seed:
    /// at least two, and at least half of the seeds of the arm that has fewer.
    pub fn seeds_pair(&self, control: usize) -> bool {
        self.pairs(control).all(|(arm, control, shared)| {
            let fewer = arm.seeds.len().min(control.seeds.len());
            shared >= MIN_PAIRS && 2 * shared >= fewer
        })
    }

    /// An arm that has fewer than two seeds in common with the control, and their number.
    pub fn without_pairs(&self, control: usize) -> Option<(&ArmScores, usize)> {
        let mut pairs = self.pairs(control).map(|(arm, _, shared)| (arm, shared));
        pairs.find(|(_, shared)| *shared < MIN_PAIRS)
    }

    /// Every other arm with the control and the number of seeds that both have.
    fn pairs(&self, control: usize) -> impl Iterator<Item = (&ArmScores, &ArmScores, usize)> {
        let reference = &self.arms[control];
        let others = self.arms.iter().enumerate();
        let others = others.filter(move |(i, _)| *i != control);
        others.map(move |(_, arm)| {
            let shared = arm.seeds.keys();
            let shared = shared.filter(|seed| reference.seeds.contains_key(seed));
            (arm, reference, shared.count())
        })
    }

    /// How the arms are compared with the control, in a sentence.
    pub fn matching(&self, control: usize, paired: bool) -> String {
        let name = &self.arms[control].label;
        let pairs = self
            .pairs(control)
            .map(|(arm, control, shared)| match paired {
                true => format!(
                    "{} of `{}` and `{name}`",
                    counted(shared, "pair"),
                    arm.label
                ),
                false => format!(
                    "`{}` has {} and `{name}` {}, {shared} in common",
                    arm.label,
                    counted(arm.seeds.len(), "seed"),
                    control.seeds.len()
                ),
            });
        let pairs = pairs.collect::<Vec<_>>().join("; ");
        match paired {
            true => format!("Arms are compared seed by seed: {pairs}."),
            false => format!("Arms are compared as independent samples (Welch): {pairs}."),
        }
    }

    /// The same scores with seeds 0, 1 and so on in each arm, for arms whose seeds mean nothing to each
    /// other.
    #[must_use]
    pub fn renumbered(self) -> Self {
        let arms = self.arms.into_iter().map(|arm| ArmScores {
            seeds: (0..).zip(arm.seeds.into_values()).collect(),
            ..arm
        });
        Self {
            arms: arms.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arms `a`, `b`, ... with these seeds.
    fn scores(seeds: &[&[u64]]) -> Scores {
        let arm = |(label, seeds): (char, &&[u64])| ArmScores {
            label: label.to_string(),
            seeds: seeds.iter().map(|&seed| (seed, Vec::new())).collect(),
        };
        Scores {
            arms: ('a'..).zip(seeds).map(arm).collect(),
        }
    }

    #[test]
    fn half_of_the_seeds_in_common_pair() {
        for (a, b, pairs) in [
            (&[1, 2, 3][..], &[1, 2, 3][..], true),
            (&[1, 2, 3, 4], &[3, 4, 5, 6], true),
            (&[1, 2, 3, 4], &[4, 5, 6, 7], false),
            (&[1, 2], &[1, 3], false),
            (&[1, 2, 3], &[4, 5, 6], false),
        ] {
            assert_eq!(scores(&[a, b]).seeds_pair(0), pairs, "{a:?} {b:?}");
        }
        let three = scores(&[&[1, 2], &[1, 2], &[3, 4]]);
        assert!(!three.seeds_pair(0) && !three.seeds_pair(1));
        assert_eq!(three.without_pairs(0).unwrap().0.label, "c");
    }

    #[test]
    fn matching_is_told_with_its_numbers() {
        let found = scores(&[&[1, 2, 3], &[2, 3]]);
        let paired = "Arms are compared seed by seed: 2 pairs of `b` and `a`.";
        assert_eq!(found.matching(0, true), paired);
        let independent = "Arms are compared as independent samples (Welch): `b` has 2 seeds and `a` 3, 2 in \
                           common.";
        assert_eq!(found.matching(0, false), independent);
        assert_eq!(found.renumbered().seeds(), [0, 1, 2]);
    }
}
