//! Drawing examples so that every class keeps its share.

use ablate_streams::Stream;

/// Examples by class, each class in an order drawn from a stream.
///
/// The place of an example depends on the stream and the example alone: leaving another one out
/// does not move it against the rest.
#[derive(Clone, Debug)]
pub(crate) struct Strata {
    /// The examples of each class, shuffled; the classes are shuffled too, so that what rounding
    /// decides falls to no class in particular.
    classes: Vec<Vec<u32>>,
}

impl Strata {
    /// Sorts `examples` by their class in `labels` and shuffles both.
    pub(crate) fn new(examples: &[u32], labels: &[u8], classes: usize, stream: &Stream) -> Self {
        let mut members = vec![Vec::new(); classes];
        for example in shuffled(examples, stream) {
            members[usize::from(labels[example as usize])].push(example);
        }
        let order = stream.permutation(1, classes);
        Self {
            classes: (order.into_iter())
                .map(|class| std::mem::take(&mut members[class as usize]))
                .collect(),
        }
    }

    fn len(&self) -> usize {
        self.classes.iter().map(Vec::len).sum()
    }

    /// All examples in an order of which every prefix holds every class within one example of its
    /// share.
    ///
    /// This is the chairman assignment problem (Tijdeman 1980, "The chairman assignment problem",
    /// Discrete Mathematics 32): the `i`-th example of a class may not come before its share has
    /// passed `i - 1` and must come once its share reaches `i`; the earliest deadline goes first.
    pub(crate) fn order(&self) -> Vec<u32> {
        let total = self.len() as u64;
        let mut taken = vec![0u64; self.classes.len()];
        let mut order = Vec::with_capacity(self.len());
        for place in 1..=total {
            let due = (self.classes.iter().enumerate())
                .map(|(class, members)| (class, members.len() as u64))
                .filter(|&(class, size)| taken[class] * total < size * place)
                .min_by_key(|&(class, size)| ((taken[class] + 1) * total).div_ceil(size));
            let (class, _) = due.expect("the shares of a place exceed the examples before it");
            order.push(self.classes[class][taken[class] as usize]);
            taken[class] += 1;
        }
        order
    }

    /// Fold `fold` of `folds` equal ones of `n / folds` examples, where `n mod folds` examples are
    /// in no fold. Every fold holds `c / folds` of a class of `c` examples, rounded up or down.
    pub(crate) fn fold(&self, fold: usize, folds: usize) -> Vec<u32> {
        let mut chosen = Vec::with_capacity(self.len() / folds);
        let mut rest = Vec::new();
        let mut deal = |cards: &[u32]| {
            let (dealt, rest) = cards.split_at(cards.len() / folds * folds);
            chosen.extend(dealt.iter().skip(fold).step_by(folds));
            rest.to_vec()
        };
        for members in &self.classes {
            rest.extend(deal(members));
        }
        deal(&rest);
        chosen
    }
}

/// The examples by their keys in step 0 of the stream.
pub(crate) fn shuffled(examples: &[u32], stream: &Stream) -> Vec<u32> {
    let mut keyed: Vec<(u64, u32)> = (examples.iter())
        .map(|&example| {
            let [low, high, ..] = stream.block(0, u64::from(example));
            (u64::from(high) << 32 | u64::from(low), example)
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, example)| example).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::catalog::class_counts;
    use ablate_streams::Purpose;
    use proptest::prelude::*;

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, Purpose::Split, "test")
    }

    /// Labels with these class counts, and the strata of all of them.
    fn strata(counts: &[usize], seed: u64) -> (Vec<u8>, Strata) {
        let labels: Vec<u8> = (0u8..).zip(counts).flat_map(|(c, &n)| vec![c; n]).collect();
        let all: Vec<u32> = (0..labels.len() as u32).collect();
        let strata = Strata::new(&all, &labels, counts.len(), &stream(seed));
        (labels, strata)
    }

    fn counts_of(examples: &[u32], labels: &[u8], classes: usize) -> Vec<usize> {
        let chosen: Vec<u8> = examples.iter().map(|&e| labels[e as usize]).collect();
        class_counts(&chosen, classes)
    }

    #[test]
    fn leaving_an_example_out_moves_no_other() {
        let all = shuffled(&[0, 1, 2, 3, 4, 5, 6, 7], &stream(3));
        let mut without = all.clone();
        without.retain(|&e| e != 4);
        assert_eq!(shuffled(&[7, 6, 5, 3, 2, 1, 0], &stream(3)), without);
        assert_ne!(shuffled(&[0, 1, 2, 3, 4, 5, 6, 7], &stream(4)), all);
    }

    #[test]
    fn shuffling_puts_every_example_first_equally_often() {
        let mut first = [0u32; 5];
        for seed in 0..5_000 {
            first[shuffled(&[0, 1, 2, 3, 4], &stream(seed))[0] as usize] += 1;
        }
        let chi2: f64 = first
            .iter()
            .map(|&c| (f64::from(c) - 1e3).powi(2) / 1e3)
            .sum();
        assert!(chi2 < 18.5, "chi-square with 4 degrees of freedom: {chi2}");
    }

    #[test]
    fn what_rounding_decides_falls_to_no_class_in_particular() {
        let mut taken = [0u32; 4];
        for seed in 0..400 {
            let (labels, strata) = strata(&[5; 4], seed);
            taken[usize::from(labels[strata.order()[0] as usize])] += 1;
        }
        let chi2: f64 = taken
            .iter()
            .map(|&c| (f64::from(c) - 100.0).powi(2) / 100.0)
            .sum();
        assert!(chi2 < 16.3, "chi-square with 3 degrees of freedom: {chi2}");
    }

    proptest! {
        #[test]
        fn every_prefix_holds_every_class_within_one_of_its_share(
            counts in prop::collection::vec(0usize..40, 1..9),
            seed in any::<u64>(),
        ) {
            let (labels, strata) = strata(&counts, seed);
            let order = strata.order();
            let total = labels.len();
            let mut taken = vec![0usize; counts.len()];
            for (place, &example) in (1..).zip(&order) {
                taken[usize::from(labels[example as usize])] += 1;
                for (&taken, &count) in taken.iter().zip(&counts) {
                    // |taken - count * place / total| < 1, in whole numbers.
                    prop_assert!((taken * total).abs_diff(count * place) < total);
                }
            }
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..total as u32).collect::<Vec<_>>());
        }

        #[test]
        fn folds_are_equal_disjoint_and_keep_every_class_within_one(
            counts in prop::collection::vec(0usize..40, 1..9),
            folds in 2usize..8,
            seed in any::<u64>(),
        ) {
            let (labels, strata) = strata(&counts, seed);
            let mut seen = std::collections::HashSet::new();
            for fold in 0..folds {
                let chosen = strata.fold(fold, folds);
                prop_assert_eq!(chosen.len(), labels.len() / folds);
                let held = counts_of(&chosen, &labels, counts.len());
                for (&held, &count) in held.iter().zip(&counts) {
                    prop_assert!(held == count / folds || held == count.div_ceil(folds));
                }
                prop_assert!(chosen.into_iter().all(|example| seen.insert(example)));
            }
        }
    }
}
