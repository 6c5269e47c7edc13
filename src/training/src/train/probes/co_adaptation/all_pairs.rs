//! Mean interaction, and share of negative interactions, over all pairs of units within a layer and
//! across neighboring layers. A mean over all pairs has no sampling error from the choice of pairs.

use super::UnitSample;
use ablate_models::inspect::{Fill, UnitRemoval};

/// Largest number of multiply-adds per layer (or pair of layers), fill and evaluation, if no unit is
/// inactive. Wide or deep nets use fewer examples, the first ones, so that they stay below it.
const WORK: usize = 1_500_000_000;
/// Smallest number of examples, even if they exceed the limit of work.
const FEWEST_EXAMPLES: usize = 8;

/// Number of examples of `available` that are used if each takes `work` multiply-adds.
fn examples(work: usize, available: usize) -> usize {
    (WORK / work.max(1)).max(FEWEST_EXAMPLES).min(available)
}

/// Sums over layers of the mean interaction per pair, of its negative part and of its absolute value.
#[derive(Default)]
struct Totals {
    layers: usize,
    signed: f64,
    negative: f64,
    absolute: f64,
}

impl Totals {
    /// Adds the interactions of all pairs of a layer; a layer without pairs does not count.
    fn add(&mut self, interactions: &[f64]) {
        if interactions.is_empty() {
            return;
        }
        let mean = |part: fn(f64) -> f64| {
            interactions.iter().map(|&i| part(i)).sum::<f64>() / interactions.len() as f64
        };
        self.layers += 1;
        self.signed += mean(|i| i);
        self.negative += mean(|i| (-i).max(0.0));
        self.absolute += mean(f64::abs);
    }

    /// The mean interaction in nats and the share of negative ones in percent, each layer with the
    /// same weight; NaN without pairs or interactions. `place` is `within` or `across`.
    fn named(&self, place: &str, suffix: &str) -> [(String, f64); 2] {
        [
            (
                format!("pairs_{place}{suffix}"),
                self.signed / self.layers as f64,
            ),
            (
                format!("pairs_negative_{place}{suffix}"),
                100.0 * self.negative / self.absolute,
            ),
        ]
    }
}

/// Values for removed units replaced by `fill`, whose names end in `suffix`.
pub(super) fn of(
    sample: &UnitSample,
    subject: &UnitRemoval<'_>,
    fill: Fill,
    suffix: &str,
) -> Vec<(String, f64)> {
    let (mut within, mut across) = (Totals::default(), Totals::default());
    let used = |feeds, across| examples(subject.pair_work(feeds, across), subject.examples());
    for (k, &(_, feeds)) in sample.layers.iter().enumerate() {
        within.add(&subject.all_within(feeds, used(feeds, false), fill));
        if k + 1 < sample.layers.len() {
            across.add(&subject.all_across(feeds, used(feeds, true), fill));
        }
    }
    let mut out = within.named("within", suffix).to_vec();
    if sample.layers.len() > 1 {
        out.extend(across.named("across", suffix));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_stay_within_the_work() {
        assert_eq!(examples(1_000, 128), 128);
        assert_eq!(examples(WORK / 20, 128), 20);
        assert_eq!(examples(WORK, 128), FEWEST_EXAMPLES);
        assert_eq!(examples(WORK, 5), 5);
    }

    #[test]
    fn layers_have_the_same_weight() {
        let mut totals = Totals::default();
        totals.add(&[0.5, -0.25, 0.25, -0.5]);
        totals.add(&[]);
        totals.add(&[0.25]);
        let [(mean_name, mean), (share_name, share)] = totals.named("within", "_mean");
        assert_eq!(mean_name, "pairs_within_mean");
        assert_eq!(share_name, "pairs_negative_within_mean");
        assert_eq!(mean, 0.125);
        assert_eq!(share, 100.0 * 0.1875 / 0.625);
    }
}
