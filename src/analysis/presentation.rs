//! How tables and figures show results: a contrast's interval and decimals, mean ± SD, and words for
//! prediction and verdict.

use super::{ContrastSummary, Spread};
use crate::spec::{Expect, Metric};
use crate::stats::{Interval, Verdict};
use crate::text::number::{compact_mean_sd, decimals, mean_sd};

/// The verdict as a word.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided => "undecided",
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
        Metric::TestNll | Metric::Probe(_) => 4,
    }
}

impl ContrastSummary {
    /// Decimals for its improvements: two significant digits of their standard deviation.
    pub fn decimals(&self) -> usize {
        let sd = self.decision.as_ref().and_then(|d| d.sd);
        decimals(sd, metric_decimals(&self.contrast.metric))
    }

    /// The t interval, or the bootstrap interval if there is none; `None` without a
    /// decision.
    pub fn interval(&self) -> Option<Interval> {
        let decision = self.decision.as_ref()?;
        Some(decision.t_interval.unwrap_or(decision.bca_interval))
    }

    /// Whether treatment and control are exactly equal at every seed.
    pub fn is_exactly_equal(&self) -> bool {
        !self.improvements.is_empty() && self.improvements.iter().all(|i| i.value == 0.0)
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
