//! The overall answer to a claim, from the verdicts of all experiments that test it.

use super::Summary;
use crate::stats::Verdict;

/// The overall answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimStatus {
    /// No experiment with a verdict tests it.
    Untested,
    /// Every experiment supports it.
    Supported,
    /// At least one experiment contradicts it and none supports it.
    Contradicted,
    /// At least one experiment supports it and at least one contradicts it.
    Depends,
    /// At least one experiment is undecided and none contradicts it.
    Undecided,
}

/// Combines the verdicts of the experiments that name `claim` as their own.
///
/// Experiments that only bear on the claim and experiments without a verdict do not count.
pub fn claim_status<'a>(
    claim: &str,
    summaries: impl IntoIterator<Item = &'a Summary>,
) -> ClaimStatus {
    let tests = |summary: &&Summary| summary.claim.as_deref() == Some(claim);
    let verdicts: Vec<Verdict> = (summaries.into_iter().filter(tests))
        .filter_map(|summary| summary.verdict)
        .collect();
    let has = |verdict| verdicts.contains(&verdict);
    match (has(Verdict::Supported), has(Verdict::Contradicted)) {
        _ if verdicts.is_empty() => ClaimStatus::Untested,
        (true, true) => ClaimStatus::Depends,
        (false, true) => ClaimStatus::Contradicted,
        (true, false) if !has(Verdict::Undecided) => ClaimStatus::Supported,
        _ => ClaimStatus::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    #[test]
    fn status_combines_the_verdicts_of_the_tests() {
        use Verdict::{Contradicted, Supported, Undecided};
        let spec = fixture::spec(1, 2, 1);
        let one = summarize(&spec, &fixture::records(&spec)).unwrap();
        let with = |verdict: Option<Verdict>| Summary {
            verdict,
            ..one.clone()
        };
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
            let mut summaries: Vec<Summary> = verdicts.iter().map(|v| with(Some(*v))).collect();
            summaries.push(with(None));
            summaries.push(Summary {
                claim: Some("C7".to_owned()),
                bears_on: vec!["C6".to_owned()],
                ..with(Some(Contradicted))
            });
            assert_eq!(claim_status("C6", &summaries), expected, "{verdicts:?}");
        }
    }
}
