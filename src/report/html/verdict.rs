//! Verdicts as a page shows them: words, a sign and a color, never the color alone.

use crate::analysis::{ClaimStatus, ContrastSummary, IdentitySummary, Summary};
use crate::stats::Verdict;
use crate::text::capitalized;
use serde::Serialize;

/// A verdict on a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Badge {
    /// The class of its color.
    kind: &'static str,
    sign: &'static str,
    words: String,
}

impl Badge {
    fn new(verdict: Option<Verdict>, words: &str) -> Self {
        let (kind, sign) = match verdict {
            Some(Verdict::Supported) => ("supported", "\u{2713}"),
            Some(Verdict::Contradicted) => ("contradicted", "\u{2717}"),
            Some(Verdict::Undecided) => ("undecided", "?"),
            None => ("none", "\u{2013}"),
        };
        Self {
            kind,
            sign,
            words: capitalized(words),
        }
    }

    /// The verdict on one contrast.
    pub(super) fn of_contrast(contrast: &ContrastSummary) -> Self {
        Self::new(contrast.verdict, &contrast.verdict_words())
    }

    /// The verdict of an experiment, in `words`; without a contrast, whether its identities hold.
    pub(super) fn of_summary(summary: &Summary, words: &str) -> Self {
        let verdicts = summary.verdicts();
        let Some((_, first)) = verdicts.first() else {
            return Self::of_identities(&summary.identities);
        };
        if summary.withheld.is_some() {
            return Self::new(Some(Verdict::Undecided), words);
        }
        match verdicts.iter().all(|(_, verdict)| verdict == first) {
            true => Self::new(Some(*first), words),
            false => Self::depends(words),
        }
    }

    fn of_identities(all: &[IdentitySummary]) -> Self {
        let confirmed = all.iter().filter(|found| found.as_stated).count();
        let verdict = match confirmed == all.len() {
            true => Verdict::Supported,
            false => Verdict::Contradicted,
        };
        match all.is_empty() {
            true => Self::new(None, "no verdict"),
            false => Self::new(
                Some(verdict),
                &format!("{confirmed} of {} identities confirmed", all.len()),
            ),
        }
    }

    fn depends(words: &str) -> Self {
        Self {
            kind: "depends",
            sign: "\u{2260}",
            words: capitalized(words),
        }
    }

    /// The answer to a claim, in `words`.
    pub(super) fn of_claim(status: ClaimStatus, words: &str) -> Self {
        let verdict = match status {
            ClaimStatus::Supported | ClaimStatus::SupportedInPart => Some(Verdict::Supported),
            ClaimStatus::Contradicted | ClaimStatus::ContradictedInPart => {
                Some(Verdict::Contradicted)
            }
            ClaimStatus::Undecided => Some(Verdict::Undecided),
            ClaimStatus::Untested => None,
            ClaimStatus::Depends => return Self::depends(words),
        };
        Self::new(verdict, words)
    }
}
