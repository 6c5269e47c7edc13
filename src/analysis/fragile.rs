//! Verdicts that rest on a single seed.
//!
//! The last bits of a training decide which images a net classifies correctly, so training one seed again
//! on another machine gives another difference for it. A verdict that changes if any one seed is left out
//! would not survive that. Leaving out needs no training, so it can be checked for every verdict.

use super::ContrastSummary;
use super::contrast::prediction;
use crate::stats::{Sample, Verdict, decisive_interval};

/// The verdict of a contrast without one of its seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithoutSeed {
    /// The seed that is left out.
    pub seed: u64,
    /// The verdict of the others.
    pub verdict: Verdict,
}

impl ContrastSummary {
    /// The seeds without any one of which the interval would give another verdict, in the order of the
    /// seeds. A contrast with any is *fragile*.
    ///
    /// The level of the interval stays the same. A contrast without a verdict, with one that does not come
    /// from its interval alone, or with seeds that are not paired has none.
    pub fn fragile(&self) -> Vec<WithoutSeed> {
        let decided = self.decision.as_ref().zip(self.verdict);
        let Some((decision, verdict)) = decided.filter(|_| self.paired && self.withheld.is_none())
        else {
            return Vec::new();
        };
        let asked = &self.contrast;
        let of = |interval| Verdict::of(prediction(asked.expect), interval, asked.margin);
        if of(decision.interval) != verdict {
            return Vec::new();
        }
        let without = |left_out: usize| {
            let others = self.improvements.iter().enumerate();
            let others = others.filter(|(k, _)| *k != left_out);
            let sample = Sample::new(others.map(|(_, i)| i.value).collect()).ok()?;
            Some(WithoutSeed {
                seed: self.improvements[left_out].seed,
                verdict: of(decisive_interval(&sample, decision.confidence)),
            })
        };
        let all = (0..self.improvements.len()).filter_map(without);
        all.filter(|other| other.verdict != verdict).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{records, set_accuracy, spec};
    use crate::analysis::summarize;
    use crate::spec::Expect;

    /// The contrast of two arms with the improvement `values`, one per seed.
    fn contrast(expect: Expect, values: &[f64]) -> ContrastSummary {
        let mut spec = spec(2, values.len() as u64, 1);
        spec.contrasts[0].expect = expect;
        let mut records = records(&spec);
        for (seed, value) in (0..).zip(values) {
            set_accuracy(&mut records, "a", seed, 90.0);
            set_accuracy(&mut records, "b", seed, 90.0 + value);
        }
        summarize(&spec, &records).unwrap().contrasts.remove(0)
    }

    #[test]
    fn clear_verdict_is_not_fragile() {
        let clear = contrast(Expect::Better, &[1.0, 1.5, 2.0, 1.0, 1.5, 2.0, 1.0, 1.5]);
        assert_eq!(clear.verdict, Some(Verdict::Supported));
        assert_eq!(clear.fragile(), []);
    }

    #[test]
    fn verdict_that_one_seed_decides_names_it() {
        // Without seed 3, an outlier, the interval of the others lies above 0.
        let values = [1.0, 1.5, 2.0, -3.0, 1.5, 2.0, 1.0, 1.5];
        let open = contrast(Expect::Better, &values);
        assert_eq!(open.verdict, Some(Verdict::Undecided));
        let found = open.fragile();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].seed, found[0].verdict), (3, Verdict::Supported));
    }

    #[test]
    fn too_few_equal_differences_without_one_are_fragile() {
        // Six equal differences have an interval at 95 %, five have none.
        let equal = contrast(Expect::Equivalent, &[0.0; 6]);
        assert_eq!(equal.verdict, Some(Verdict::Supported));
        assert_eq!(equal.fragile().len(), 6);
        assert_eq!(contrast(Expect::Equivalent, &[0.0; 7]).fragile(), []);
    }

    #[test]
    fn contrasts_without_a_verdict_are_not_fragile() {
        let values = [1.0, 1.5, 2.0, -3.0, 1.5, 2.0, 1.0, 1.5];
        let mut contrast = contrast(Expect::Better, &values);
        contrast.verdict = None;
        assert_eq!(contrast.fragile(), []);
        // A verdict that other rules gave is not judged here.
        contrast.verdict = Some(Verdict::Contradicted);
        assert_eq!(contrast.fragile(), []);
    }
}
