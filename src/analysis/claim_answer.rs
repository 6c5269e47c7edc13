//! The answer to a claim, overall and by stratum, from the primary contrasts that test it.

use super::Summary;
use super::settling::{combined, stratum_unsettled_after};
use crate::stats::Verdict;

/// What the experiments say about a claim or about one of its strata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStatus {
    /// No primary contrast tests it.
    Untested,
    /// Supported by every experiment; for a claim, in every stratum that is tested.
    Supported,
    /// Contradicted by at least one experiment and supported by none; for a claim, in every stratum.
    Contradicted,
    /// Supported under some conditions or in some strata, contradicted in others.
    Depends,
    /// Of a claim: supported in some strata and undecided in the others.
    SupportedInPart,
    /// Of a claim: contradicted in some strata and undecided in the others.
    ContradictedInPart,
    /// At least one experiment is undecided and none contradicts it; for a claim, in every stratum.
    Undecided,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimAnswer {
    /// The answer over all strata. It is pooled only if all tested strata agree.
    pub status: ClaimStatus,
    /// The training lengths after which differences behind a pooled answer still move, such as
    /// `20 epochs`; absent if it does not rest on any.
    pub after: Option<String>,
    /// The answer of each stratum, in the order of the claim.
    pub strata: Vec<StratumAnswer>,
}

/// The answer to a claim in one stratum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StratumAnswer {
    /// Name of the stratum; `None` for the only stratum of a claim without strata.
    pub stratum: Option<String>,
    /// The answer.
    pub status: ClaimStatus,
    /// As [`ClaimAnswer::after`].
    pub after: Option<String>,
}

/// Answers the claim called `claim` from the primary contrasts that name it, in `summaries`. `strata` are
/// those that the claim declares.
///
/// Contrasts that test other claims do not count, whether or not a sentence joins the two. In a stratum,
/// an experiment counts once, with the verdict of its contrasts together. Averages over a factor whose
/// interaction is not excluded do not count.
pub fn claim_answer(claim: &str, strata: &[String], summaries: &[Summary]) -> ClaimAnswer {
    let mut names: Vec<Option<&str>> = strata.iter().map(|s| Some(&**s)).collect();
    let found = summaries.iter().flat_map(|s| s.strata_of(claim));
    let mut other: Vec<Option<&str>> = found.filter(|name| !names.contains(name)).collect();
    other.sort_unstable();
    other.dedup();
    names.extend(other);
    let strata: Vec<StratumAnswer> = (names.into_iter())
        .map(|stratum| answer_stratum(claim, stratum, summaries))
        .collect();
    let tested: Vec<&StratumAnswer> = (strata.iter())
        .filter(|answer| answer.status != ClaimStatus::Untested)
        .collect();
    let status = of_strata(
        &tested
            .iter()
            .map(|answer| answer.status)
            .collect::<Vec<_>>(),
    );
    let after = verdict_of(status)
        .and_then(|verdict| combined(verdict, tested.iter().map(|answer| answer.after.clone())));
    ClaimAnswer {
        status,
        after,
        strata,
    }
}

fn answer_stratum(claim: &str, stratum: Option<&str>, summaries: &[Summary]) -> StratumAnswer {
    let verdicts: Vec<Verdict> = (summaries.iter())
        .filter_map(|s| s.verdict_on(claim, stratum))
        .collect();
    let status = of_experiments(&verdicts);
    StratumAnswer {
        stratum: stratum.map(str::to_owned),
        status,
        after: verdict_of(status)
            .and_then(|verdict| stratum_unsettled_after(claim, stratum, verdict, summaries)),
    }
}

/// The verdict of an answer that has one.
fn verdict_of(status: ClaimStatus) -> Option<Verdict> {
    match status {
        ClaimStatus::Supported => Some(Verdict::Supported),
        ClaimStatus::Contradicted => Some(Verdict::Contradicted),
        _ => None,
    }
}

fn of_experiments(verdicts: &[Verdict]) -> ClaimStatus {
    let has = |verdict| verdicts.contains(&verdict);
    match (has(Verdict::Supported), has(Verdict::Contradicted)) {
        _ if verdicts.is_empty() => ClaimStatus::Untested,
        (true, true) => ClaimStatus::Depends,
        (false, true) => ClaimStatus::Contradicted,
        (true, false) if !has(Verdict::Undecided) => ClaimStatus::Supported,
        _ => ClaimStatus::Undecided,
    }
}

fn of_strata(tested: &[ClaimStatus]) -> ClaimStatus {
    let Some(&first) = tested.first() else {
        return ClaimStatus::Untested;
    };
    let has = |status| tested.contains(&status);
    match (has(ClaimStatus::Supported), has(ClaimStatus::Contradicted)) {
        _ if tested.iter().all(|status| *status == first) => first,
        _ if has(ClaimStatus::Depends) => ClaimStatus::Depends,
        (true, true) => ClaimStatus::Depends,
        (true, false) => ClaimStatus::SupportedInPart,
        (false, _) => ClaimStatus::ContradictedInPart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    use Verdict::{Contradicted, Supported, Undecided};

    /// An experiment with one primary contrast per claim, stratum and verdict.
    fn experiment(contrasts: &[(&str, Option<&str>, Verdict)]) -> Summary {
        let spec = fixture::spec(1 + contrasts.len(), 2, 1);
        let mut summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        for (contrast, (claim, stratum, verdict)) in summary.contrasts.iter_mut().zip(contrasts) {
            contrast.contrast.claim = Some((*claim).to_owned());
            contrast.contrast.stratum = stratum.map(str::to_owned);
            contrast.verdict = Some(*verdict);
        }
        summary
    }

    fn answer(strata: &[&str], summaries: &[Summary]) -> ClaimAnswer {
        let strata: Vec<String> = strata.iter().map(|s| (*s).to_owned()).collect();
        claim_answer("C6", &strata, summaries)
    }

    fn status(strata: &[&str], summaries: &[Summary]) -> ClaimStatus {
        answer(strata, summaries).status
    }

    #[test]
    fn experiments_combine_to_one_status() {
        for (verdicts, expected) in [
            (vec![], ClaimStatus::Untested),
            (vec![Supported, Supported], ClaimStatus::Supported),
            (vec![Supported, Undecided], ClaimStatus::Undecided),
            (vec![Undecided], ClaimStatus::Undecided),
            (vec![Undecided, Contradicted], ClaimStatus::Contradicted),
            (
                vec![Contradicted, Undecided, Supported],
                ClaimStatus::Depends,
            ),
        ] {
            let summaries: Vec<Summary> = (verdicts.iter())
                .map(|verdict| experiment(&[("C6", None, *verdict)]))
                .collect();
            assert_eq!(status(&[], &summaries), expected, "{verdicts:?}");
        }
    }

    #[test]
    fn answer_is_pooled_only_if_all_strata_agree() {
        for (sgd, adam, expected) in [
            (Supported, Supported, ClaimStatus::Supported),
            (Supported, Contradicted, ClaimStatus::Depends),
            (Supported, Undecided, ClaimStatus::SupportedInPart),
            (Undecided, Contradicted, ClaimStatus::ContradictedInPart),
            (Undecided, Undecided, ClaimStatus::Undecided),
        ] {
            let one = experiment(&[("C6", Some("SGD"), sgd), ("C6", Some("Adam"), adam)]);
            assert_eq!(
                status(&["SGD", "Adam"], &[one]),
                expected,
                "{sgd:?} {adam:?}"
            );
        }
    }

    #[test]
    fn untested_strata_are_listed_and_do_not_count() {
        let one = experiment(&[("C6", Some("Adam"), Supported)]);
        let answer = answer(&["SGD", "Adam"], &[one]);
        assert_eq!(answer.status, ClaimStatus::Supported);
        let found: Vec<_> = (answer.strata.iter())
            .map(|s| (s.stratum.as_deref(), s.status))
            .collect();
        assert_eq!(
            found,
            [
                (Some("SGD"), ClaimStatus::Untested),
                (Some("Adam"), ClaimStatus::Supported)
            ]
        );
    }

    #[test]
    fn stratum_with_both_verdicts_makes_the_claim_depend() {
        let summaries = [
            experiment(&[
                ("C6", Some("SGD"), Supported),
                ("C6", Some("Adam"), Undecided),
            ]),
            experiment(&[("C6", Some("SGD"), Contradicted)]),
        ];
        assert_eq!(status(&["SGD", "Adam"], &summaries), ClaimStatus::Depends);
    }

    #[test]
    fn contrasts_on_another_claim_decide_nothing() {
        let mut one = experiment(&[("C6", None, Supported), ("C7", None, Contradicted)]);
        assert_eq!(
            status(&[], std::slice::from_ref(&one)),
            ClaimStatus::Supported
        );
        one.contrasts[0].contrast.primary = false;
        one.contrasts[0].verdict = None;
        assert_eq!(status(&[], &[one]), ClaimStatus::Untested);
    }

    #[test]
    fn averages_over_an_interaction_do_not_count() {
        let mut one = experiment(&[("C6", None, Supported), ("C6", None, Contradicted)]);
        one.contrasts[1].mixed_over = vec!["depth".to_owned()];
        assert_eq!(status(&[], &[one]), ClaimStatus::Supported);
    }
}
