//! How tables and figures show results: a contrast's interval and decimals, mean ± SD, and words for
//! prediction, finding and verdict.

use super::{ContrastSummary, Spread, Summary};
use crate::spec::{Expect, Metric, ProgramMetric};
use crate::stats::{Finding, Interval, Verdict};
use crate::text::number::{compact_mean_sd, decimals, mean_sd};

/// The verdict as a word.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided => "undecided",
    }
}

/// The finding in words.
pub fn finding_words(finding: Finding) -> &'static str {
    match finding {
        Finding::BetterByMore => "better, by more than the margin",
        Finding::Better => "better",
        Finding::BetterTooSmall => "better, but too small to matter",
        Finding::NoDifferenceThatMatters => "no difference that matters",
        Finding::WorseTooSmall => "worse, but too small to matter",
        Finding::Worse => "worse",
        Finding::WorseByMore => "worse, by more than the margin",
        Finding::Unclear => "unclear",
    }
}

/// The prediction as a word.
pub fn prediction_word(expect: Expect) -> &'static str {
    match expect {
        Expect::Better => "better",
        Expect::Worse => "worse",
        Expect::Equivalent => "equivalent",
        Expect::Differs => "differs",
    }
}

/// Decimals for values of `metric` without a spread to round by.
pub fn metric_decimals(metric: &Metric) -> usize {
    match metric {
        Metric::TestAccuracy | Metric::TestEce => 2,
        Metric::Program(metric) if metric.unit == ProgramMetric::POINTS => 2,
        Metric::TestNll | Metric::Probe(_) | Metric::Program(_) => 4,
    }
}

impl ContrastSummary {
    /// Decimals for its improvements: two significant digits of their standard deviation.
    pub fn decimals(&self) -> usize {
        let sd = self.decision.as_ref().and_then(|d| d.sd);
        decimals(sd, metric_decimals(&self.contrast.metric))
    }

    /// The interval that decides; `None` without a decision, and for a few equal pairs.
    pub fn interval(&self) -> Option<Interval> {
        self.decision.as_ref()?.interval
    }

    /// What the interval shows; `Unclear` without one.
    pub fn finding(&self) -> Finding {
        self.decision
            .as_ref()
            .map_or(Finding::Unclear, |d| d.finding)
    }

    /// The verdict in a few words: `supported, but too small to matter`, why it is withheld, or
    /// `exploratory` without one.
    pub fn verdict_words(&self) -> String {
        if let Some(withheld) = &self.withheld {
            return withheld.words();
        }
        let small = match (self.verdict, self.contrast.expect) {
            (Some(Verdict::Supported), Expect::Better | Expect::Worse | Expect::Differs) => {
                self.finding().is_too_small()
            }
            _ => false,
        };
        let word = self.verdict.map_or("exploratory", verdict_word);
        match small {
            true => format!("{word}, but too small to matter"),
            false => word.to_owned(),
        }
    }

    /// Whether treatment and control are exactly equal at every seed.
    pub fn is_exactly_equal(&self) -> bool {
        !self.improvements.is_empty() && self.improvements.iter().all(|i| i.value == 0.0)
    }
}

impl Summary {
    /// The overall verdict as a word, or why it is withheld; `none` without one.
    pub fn verdict_words(&self) -> String {
        match &self.withheld {
            Some(withheld) => withheld.words(),
            None => self.verdict.map_or("none", verdict_word).to_owned(),
        }
    }
}

impl Spread {
    /// `mean ± SD` with the given decimals, or the mean alone for one value.
    pub fn mean_sd(&self, decimals: usize) -> String {
        mean_sd(self.mean, self.sd, decimals)
    }

    /// `mean ± SD` of a quantity of unknown scale.
    pub fn compact_mean_sd(&self) -> String {
        compact_mean_sd(self.mean, self.sd)
    }
}
