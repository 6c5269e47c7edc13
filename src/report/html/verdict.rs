//! Verdicts as a page shows them: words, a sign and a color, never the color alone.

use crate::analysis::{ClaimStatus, ContrastSummary, Summary};
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

    /// The verdict of an experiment, in `words`.
    pub(super) fn of_summary(summary: &Summary, words: &str) -> Self {
        let verdicts = summary.verdicts();
        let first = verdicts.first().map(|(_, verdict)| *verdict);
        let same = verdicts.iter().all(|(_, verdict)| Some(*verdict) == first);
        let known = first.filter(|_| same && summary.withheld.is_none());
        let verdict = known.or_else(|| first.map(|_| Verdict::Undecided));
        match first {
            Some(_) if !same => Self {
                kind: "depends",
                sign: "\u{2260}",
                words: capitalized(words),
            },
            _ => Self::new(verdict, words),
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
            ClaimStatus::Depends => {
                return Self {
                    kind: "depends",
                    sign: "\u{2260}",
                    words: capitalized(words),
                };
            }
        };
        Self::new(verdict, words)
    }
}
