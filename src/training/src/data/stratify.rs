//! Stratified drawing: every class keeps its share.

use ablate_streams::Stream;

/// Examples by class, in a random order within each class.
///
/// The order depends on the stream and the examples alone: removing an example does not change the
/// relative order of the others.
#[derive(Clone, Debug)]
pub(crate) struct Strata {
    /// Shuffled examples per class. The classes are shuffled too, so that rounding favours no
    /// class.
    classes: Vec<Vec<u32>>,
}

impl Strata {
    /// Groups `examples` by their class in `labels` and shuffles examples and classes.
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

    /// Orders all examples so that in every prefix, each class is within one example of its share.
    ///
    /// This solves the chairman assignment problem (Tijdeman 1980, "The chairman assignment
    /// problem", Discrete Mathematics 32). The `i`-th example of a class may come only after the
    /// share of the class exceeds `i - 1`, and must come before it exceeds `i`. The earliest
    /// deadline goes first.
    pub(crate) fn order(&self) -> Vec<u32> {
        let total = self.len() as u64;
        let mut taken = vec![0u64; self.classes.len()];
        let mut order = Vec::with_capacity(self.len());
        for position in 1..=total {
            let due = (self.classes.iter().enumerate())
                .map(|(class, members)| (class, members.len() as u64))
                .filter(|&(class, size)| taken[class] * total < size * position)
                .min_by_key(|&(class, size)| ((taken[class] + 1) * total).div_ceil(size));
            let (class, _) = due.expect("at every position, some class is below its share");
            order.push(self.classes[class][taken[class] as usize]);
            taken[class] += 1;
        }
        order
    }

    /// Returns fold `fold` of `folds`. Each fold has `n / folds` of the `n` examples, rounded down,
    /// and the remaining examples are in no fold. A class of `c` examples has `c / folds` in each
    /// fold, rounded up or down.
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

/// The examples, sorted by random keys from step 0 of the stream.
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

    /// Labels with the given class counts, and the strata of all examples.
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
    fn removing_an_example_keeps_the_relative_order() {
        let all = shuffled(&[0, 1, 2, 3, 4, 5, 6, 7], &stream(3));
        let mut without = all.clone();
        without.retain(|&e| e != 4);
        assert_eq!(shuffled(&[7, 6, 5, 3, 2, 1, 0], &stream(3)), without);
        assert_ne!(shuffled(&[0, 1, 2, 3, 4, 5, 6, 7], &stream(4)), all);
    }

    #[test]
    fn first_position_is_uniform_over_examples() {
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
    fn rounding_favours_no_class() {
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
        fn prefixes_are_stratified_within_one_example(
            counts in prop::collection::vec(0usize..40, 1..9),
            seed in any::<u64>(),
        ) {
            let (labels, strata) = strata(&counts, seed);
            let order = strata.order();
            let total = labels.len();
            let mut taken = vec![0usize; counts.len()];
            for (position, &example) in (1..).zip(&order) {
                taken[usize::from(labels[example as usize])] += 1;
                for (&taken, &count) in taken.iter().zip(&counts) {
                    // |taken - count * position / total| < 1, in integers.
                    prop_assert!((taken * total).abs_diff(count * position) < total);
                }
            }
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..total as u32).collect::<Vec<_>>());
        }

        #[test]
        fn folds_are_equal_disjoint_and_stratified(
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
