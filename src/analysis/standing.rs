//! What the experiments on a claim say together.

use super::Summary;
use crate::stats::Verdict;

/// The standing of a claim over all experiments that test it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No experiment with a verdict tests it.
    Untested,
    /// Every experiment supports it.
    Supported,
    /// One contradicts it and none supports it.
    Contradicted,
    /// One supports it and one contradicts it.
    Conditional,
    /// None of these: at least one experiment is undecided and none contradicts it.
    Undecided,
}

/// The standing of the claim `name`, by the experiments whose `claim` it is and that have a verdict.
/// What merely bears on it does not enter.
pub fn standing<'a>(name: &str, summaries: impl IntoIterator<Item = &'a Summary>) -> Standing {
    let tests = |summary: &&Summary| summary.claim.as_deref() == Some(name);
    let verdicts: Vec<Verdict> = (summaries.into_iter().filter(tests))
        .filter_map(|summary| summary.verdict)
        .collect();
    let has = |verdict| verdicts.contains(&verdict);
    match (has(Verdict::Supported), has(Verdict::Contradicted)) {
        _ if verdicts.is_empty() => Standing::Untested,
        (true, true) => Standing::Conditional,
        (false, true) => Standing::Contradicted,
        (true, false) if !has(Verdict::Undecided) => Standing::Supported,
        _ => Standing::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    #[test]
    fn a_claim_stands_as_its_experiments_say_together() {
        use Verdict::{Contradicted, Supported, Undecided};
        let spec = fixture::spec(1, 2, 1);
        let one = summarize(&spec, &fixture::records(&spec)).unwrap();
        let with = |verdict: Option<Verdict>| Summary {
            verdict,
            ..one.clone()
        };
        for (verdicts, expected) in [
            (vec![], Standing::Untested),
            (vec![Supported, Supported], Standing::Supported),
            (vec![Supported, Undecided], Standing::Undecided),
            (vec![Undecided], Standing::Undecided),
            (vec![Undecided, Contradicted], Standing::Contradicted),
            (
                vec![Contradicted, Undecided, Supported],
                Standing::Conditional,
            ),
        ] {
            let mut summaries: Vec<Summary> = verdicts.iter().map(|v| with(Some(*v))).collect();
            summaries.push(with(None));
            summaries.push(Summary {
                claim: Some("C7".to_owned()),
                bears_on: vec!["C6".to_owned()],
                ..with(Some(Contradicted))
            });
            assert_eq!(standing("C6", &summaries), expected, "{verdicts:?}");
        }
    }
}
