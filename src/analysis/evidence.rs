//! The best single piece of evidence for the overall answer to a claim.

use super::{ClaimStatus, ContrastSummary, Summary, claim_answer};
use crate::spec::Claim;
use crate::stats::{Interval, Verdict};

/// One primary contrast of one experiment, with everything that a table row about it needs.
///
/// The estimate and the interval are improvements, as in [`ContrastSummary`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence<'a> {
    /// The verdict of the contrast, and of its experiment on the contrast's stratum.
    pub verdict: Verdict,
    /// Mean improvement over seeds.
    pub estimate: f64,
    /// Its interval, from which the verdict is read.
    pub interval: Interval,
    /// Unit of the estimate, the interval and the margin, such as `points`.
    pub unit: &'a str,
    /// Number of seeds with an improvement.
    pub seeds: usize,
    /// Name of the experiment.
    pub experiment: &'a str,
    /// The contrast: what is compared, its metric and its margin.
    pub contrast: &'a ContrastSummary,
}

/// The contrasts that best show the answer to `claim`.
///
/// Candidates are the primary contrasts on the claim with an interval whose verdict, and whose
/// experiment's verdict on their stratum, is one that the answer names. Of these the one with the most
/// seeds is taken; of several, the one with the narrowest interval relative to its margin; of several, the
/// first by name of the experiment and then by order in its spec. So the order of `summaries` does not
/// matter.
///
/// Returns one contrast per verdict that the answer names: two for a claim that depends on the conditions
/// or is answered in part, none for an untested claim. A contrast with fewer than two pairs has no
/// interval. Where no other is left, it is left out.
pub fn evidence<'a>(claim: &Claim, summaries: &'a [Summary]) -> Vec<Evidence<'a>> {
    let verdicts: &[Verdict] = match claim_answer(&claim.name, &claim.strata, summaries).status {
        ClaimStatus::Untested => &[],
        ClaimStatus::Supported => &[Verdict::Supported],
        ClaimStatus::Contradicted => &[Verdict::Contradicted],
        ClaimStatus::Depends => &[Verdict::Supported, Verdict::Contradicted],
        ClaimStatus::SupportedInPart => &[Verdict::Supported, Verdict::Undecided],
        ClaimStatus::ContradictedInPart => &[Verdict::Contradicted, Verdict::Undecided],
        ClaimStatus::Undecided => &[Verdict::Undecided],
    };
    let best = |&verdict: &Verdict| strongest(candidates(&claim.name, verdict, summaries));
    verdicts.iter().filter_map(best).collect()
}

/// The primary contrasts on `claim` with `verdict` in the experiments that have it on their stratum, by
/// experiment.
fn candidates<'a>(
    claim: &str,
    verdict: Verdict,
    summaries: &'a [Summary],
) -> impl Iterator<Item = Evidence<'a>> {
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted.into_iter().flat_map(move |summary| {
        let agrees = move |contrast: &&ContrastSummary| {
            let stratum = contrast.contrast.stratum.as_deref();
            contrast.tests(claim)
                && contrast.counts()
                && contrast.verdict == Some(verdict)
                && summary.verdict_on(claim, stratum) == Some(verdict)
        };
        let contrasts = summary.contrasts.iter().filter(agrees);
        contrasts.filter_map(|contrast| of_contrast(summary, contrast))
    })
}

fn of_contrast<'a>(summary: &'a Summary, contrast: &'a ContrastSummary) -> Option<Evidence<'a>> {
    let decision = contrast.decision.as_ref()?;
    Some(Evidence {
        verdict: contrast.verdict?,
        estimate: decision.mean,
        interval: decision.interval?,
        unit: contrast.contrast.metric.unit(),
        seeds: decision.n,
        experiment: &summary.name,
        contrast,
    })
}

/// The first of the narrowest of those with the most seeds.
fn strongest<'a>(candidates: impl Iterator<Item = Evidence<'a>>) -> Option<Evidence<'a>> {
    candidates.min_by(|a, b| {
        let by_seeds = b.seeds.cmp(&a.seeds);
        by_seeds.then(a.relative_width().total_cmp(&b.relative_width()))
    })
}

impl Evidence<'_> {
    /// Width of the interval over the margin of the contrast.
    fn relative_width(&self) -> f64 {
        (self.interval.high - self.interval.low) / self.contrast.contrast.margin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    /// An experiment on C6 with one primary contrast per triple of verdict, seeds and width of the
    /// interval; the margin is 0.25.
    fn experiment(name: &str, contrasts: &[(Verdict, usize, f64)]) -> Summary {
        let spec = fixture::spec(1 + contrasts.len(), 3, 1);
        let mut summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        summary.name = name.to_owned();
        for (contrast, &(verdict, seeds, width)) in summary.contrasts.iter_mut().zip(contrasts) {
            contrast.verdict = Some(verdict);
            let decision = contrast.decision.as_mut().unwrap();
            decision.n = seeds;
            decision.interval = Some(Interval {
                low: 0.0,
                high: width,
            });
        }
        summary
    }

    /// Experiment and contrast of the evidence on C6.
    fn found<'a>(summaries: &'a [Summary]) -> Vec<(&'a str, &'a str)> {
        let names = |e: Evidence<'a>| (e.experiment, e.contrast.contrast.name.as_str());
        let claim = fixture::claim("C6", &[]);
        evidence(&claim, summaries).into_iter().map(names).collect()
    }

    use Verdict::{Contradicted, Supported, Undecided};

    #[test]
    fn most_seeds_win_over_a_narrow_interval() {
        let summaries = [
            experiment("first", &[(Supported, 10, 0.01)]),
            experiment("second", &[(Supported, 20, 3.0), (Supported, 12, 0.1)]),
        ];
        assert_eq!(found(&summaries), [("second", "b-vs-a")]);
    }

    #[test]
    fn equal_seeds_take_the_narrowest_relative_interval() {
        let mut summaries = [
            experiment("first", &[(Supported, 20, 0.2), (Supported, 20, 0.1)]),
            experiment("second", &[(Supported, 20, 0.3)]),
        ];
        assert_eq!(found(&summaries), [("first", "c-vs-a")]);
        // Three times as wide, with a margin four times as wide.
        summaries[1].contrasts[0].contrast.margin *= 4.0;
        assert_eq!(found(&summaries), [("second", "b-vs-a")]);
    }

    #[test]
    fn ties_go_to_the_first_by_name() {
        let tie = [(Undecided, 20, 0.2), (Undecided, 20, 0.2)];
        let mut summaries = [experiment("z", &tie), experiment("a", &tie)];
        assert_eq!(found(&summaries), [("a", "b-vs-a")]);
        summaries.reverse();
        assert_eq!(found(&summaries), [("a", "b-vs-a")]);
    }

    #[test]
    fn contrasts_with_another_verdict_do_not_count() {
        let summaries = [
            experiment("a", &[(Contradicted, 5, 1.0), (Supported, 50, 0.1)]),
            experiment("b", &[(Undecided, 50, 0.1)]),
        ];
        assert_eq!(found(&summaries), [("a", "b-vs-a")]);
    }

    #[test]
    fn secondary_and_foreign_contrasts_do_not_count() {
        let mut a = experiment("a", &[(Supported, 5, 1.0), (Supported, 50, 0.1)]);
        a.contrasts[1].verdict = None;
        let mut b = experiment("b", &[(Supported, 50, 0.1)]);
        b.contrasts[0].contrast.claim = Some("C7".to_owned());
        assert_eq!(found(&[a, b]), [("a", "b-vs-a")]);
    }

    #[test]
    fn a_claim_that_depends_gets_support_and_contradiction() {
        // The supporting contrast of a contradicted experiment is no support of the claim.
        let summaries = [
            experiment("a", &[(Contradicted, 5, 1.0), (Supported, 50, 0.1)]),
            experiment("b", &[(Supported, 10, 0.1)]),
        ];
        assert_eq!(found(&summaries), [("b", "b-vs-a"), ("a", "b-vs-a")]);
        let claim = fixture::claim("C6", &[]);
        let verdicts = evidence(&claim, &summaries).into_iter().map(|e| e.verdict);
        assert_eq!(verdicts.collect::<Vec<_>>(), [Supported, Contradicted]);
    }

    #[test]
    fn strata_are_separate_experiments() {
        // Contradicted with Adam, which does not touch the support with SGD.
        let mut one = experiment("a", &[(Contradicted, 50, 0.1), (Supported, 10, 0.1)]);
        one.contrasts[0].contrast.stratum = Some("Adam".to_owned());
        one.contrasts[1].contrast.stratum = Some("SGD".to_owned());
        assert_eq!(found(&[one]), [("a", "c-vs-a"), ("a", "b-vs-a")]);
    }

    #[test]
    fn untested_claims_and_missing_intervals_give_none() {
        assert_eq!(found(&[]), []);
        let mut undecided = experiment("a", &[(Undecided, 1, 0.0)]);
        undecided.contrasts[0].decision = None;
        assert_eq!(found(&[undecided]), []);
    }

    #[test]
    fn evidence_carries_what_a_table_row_needs() {
        let summaries = [experiment("a", &[(Supported, 20, 0.2)])];
        let [found] = evidence(&fixture::claim("C6", &[]), &summaries)[..] else {
            panic!("one contrast");
        };
        let decision = summaries[0].contrasts[0].decision.as_ref().unwrap();
        assert_eq!(found.estimate, decision.mean);
        assert_eq!(found.interval, decision.interval.unwrap());
        assert_eq!((found.unit, found.seeds), ("points", 20));
        assert_eq!(found.experiment, "a");
    }
}
