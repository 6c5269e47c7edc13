//! The answer to a claim in words.

use crate::analysis::verdict_word;
use crate::analysis::{ClaimAnswer, ClaimStatus, ContrastSummary, Summary};
use crate::spec::Claim;
use crate::stats::Verdict;
use crate::text::counted;

/// The verdicts in the order in which texts name them.
const VERDICTS: [Verdict; 3] = [
    Verdict::Supported,
    Verdict::Contradicted,
    Verdict::Undecided,
];

/// The status of a claim or of a stratum.
pub(super) const fn status_words(status: ClaimStatus) -> &'static str {
    match status {
        ClaimStatus::Untested => "not tested yet",
        ClaimStatus::Supported => "supported",
        ClaimStatus::Contradicted => "contradicted",
        ClaimStatus::Depends => "depends on the conditions",
        ClaimStatus::SupportedInPart => "supported in part",
        ClaimStatus::ContradictedInPart => "contradicted in part",
        ClaimStatus::Undecided => "undecided",
    }
}

/// `supported with SGD, contradicted with Adam`: the strata that are tested, by answer. `None` if there is
/// only one, or if all of them have the same answer.
pub(super) fn strata_words(answer: &ClaimAnswer) -> Option<String> {
    let tested = |status: ClaimStatus| status != ClaimStatus::Untested;
    let statuses: Vec<ClaimStatus> = (answer.strata.iter().map(|s| s.status))
        .filter(|status| tested(*status))
        .collect();
    if statuses
        .iter()
        .all(|status| Some(status) == statuses.first())
    {
        return None;
    }
    let mut seen: Vec<ClaimStatus> = Vec::new();
    for status in [
        ClaimStatus::Supported,
        ClaimStatus::Contradicted,
        ClaimStatus::Depends,
        ClaimStatus::Undecided,
    ] {
        if statuses.contains(&status) {
            seen.push(status);
        }
    }
    let part = |status: ClaimStatus| {
        let own = answer.strata.iter().filter(|s| s.status == status);
        let names: Vec<String> = own
            .map(|s| {
                let after = s.after.as_ref();
                let after = after.map_or(String::new(), |after| format!(" (after {after})"));
                format!(
                    "with {}{after}",
                    s.stratum.as_deref().unwrap_or("no stratum")
                )
            })
            .collect();
        format!("{} {}", status_words(status), joined(&names))
    };
    Some(seen.into_iter().map(part).collect::<Vec<_>>().join(", "))
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn joined(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// `depends: supported with SGD, contradicted with Adam`, or the status alone where all strata agree. The
/// length of training follows an answer that rests on a difference that is not shown to have settled.
pub(super) fn answer_words(answer: &ClaimAnswer) -> String {
    let status = match answer.status {
        ClaimStatus::Depends => "depends",
        other => status_words(other),
    };
    match strata_words(answer) {
        Some(strata) => format!("{status}: {strata}"),
        None => match &answer.after {
            Some(after) => format!("{} after {after}", status_words(answer.status)),
            None => status_words(answer.status).to_owned(),
        },
    }
}

/// `8 contrasts: 3 supported, 5 undecided`, and how many of the decided ones also hold for new data: the
/// primary contrasts that count. `None` without any.
pub(super) fn votes(claim: &Claim, summaries: &[Summary]) -> Option<String> {
    let contrasts = summaries.iter().flat_map(|summary| &summary.contrasts);
    let counted_in: Vec<&ContrastSummary> = contrasts
        .filter(|c| c.tests(&claim.name) && c.counts())
        .collect();
    let of = |verdict| {
        counted_in
            .iter()
            .filter(move |c| c.verdict == Some(verdict))
    };
    let parts = VERDICTS.into_iter().filter(|v| of(*v).count() > 0);
    let parts: Vec<String> = parts
        .map(|verdict| format!("{} {}", of(verdict).count(), verdict_word(verdict)))
        .collect();
    let decided = counted_in.len() - of(Verdict::Undecided).count();
    let new = counted_in
        .iter()
        .filter(|c| c.verdict != Some(Verdict::Undecided) && c.holds_for_new_data());
    let population = match (decided, new.count()) {
        (0, _) => String::new(),
        (all, new) if new == all => "; also for new data of these kinds".to_owned(),
        (_, 0) => "; on these data sets".to_owned(),
        (all, new) => format!("; {new} of the {all} decided also for new data of their kind"),
    };
    (!counted_in.is_empty()).then(|| {
        let number = counted(counted_in.len(), "contrast");
        format!("{number}: {}{population}", parts.join(", "))
    })
}

/// The advice for an answer.
pub(super) fn advice(claim: &Claim, status: ClaimStatus) -> Option<&str> {
    let advice = &claim.in_practice;
    match status {
        ClaimStatus::Supported => Some(&advice.supported),
        ClaimStatus::Contradicted => Some(&advice.contradicted),
        ClaimStatus::Depends | ClaimStatus::SupportedInPart | ClaimStatus::ContradictedInPart => {
            Some(&advice.depends)
        }
        ClaimStatus::Undecided => Some(&advice.undecided),
        ClaimStatus::Untested => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::StratumAnswer;

    fn answer(status: ClaimStatus, strata: &[(&str, ClaimStatus)]) -> String {
        answer_words(&ClaimAnswer {
            status,
            after: None,
            strata: (strata.iter())
                .map(|(name, status)| StratumAnswer {
                    stratum: Some((*name).to_owned()),
                    status: *status,
                    after: (*name == "SGD").then(|| "20 epochs".to_owned()),
                })
                .collect(),
        })
    }

    #[test]
    fn strata_are_named_where_they_differ() {
        use ClaimStatus::{Contradicted, Depends, Supported, SupportedInPart, Undecided, Untested};
        assert_eq!(
            answer(Depends, &[("Adam", Contradicted), ("SGD", Supported)]),
            "depends: supported with SGD (after 20 epochs), contradicted with Adam"
        );
        assert_eq!(
            answer(
                SupportedInPart,
                &[
                    ("a", Supported),
                    ("b", Undecided),
                    ("c", Undecided),
                    ("d", Untested)
                ]
            ),
            "supported in part: supported with a, undecided with b and with c"
        );
        assert_eq!(
            answer(Supported, &[("a", Supported), ("b", Untested)]),
            "supported"
        );
        assert_eq!(
            answer(Depends, &[("a", Depends)]),
            "depends on the conditions"
        );
    }
}
