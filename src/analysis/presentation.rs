//! How tables and figures show results: a contrast's interval and decimals, mean ± SD, and words for
//! prediction, finding and verdict.

use super::{ContrastSummary, Spread, Summary};
use crate::spec::{Expect, Metric, ProgramMetric};
use crate::stats::{Finding, Interval, Verdict, overall_verdict};
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

/// What the verdict on a prediction of a direction rests on if it is contradicted although `finding` shows
/// neither direction.
pub fn ruled_out(
    expect: Expect,
    verdict: Option<Verdict>,
    finding: Finding,
) -> Option<&'static str> {
    let shown = finding.is_better() || finding.is_worse();
    match expect {
        _ if shown || verdict != Some(Verdict::Contradicted) => None,
        Expect::Better => Some("a gain as large as the margin is ruled out"),
        Expect::Worse => Some("a loss as large as the margin is ruled out"),
        Expect::Equivalent | Expect::Differs => None,
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

    /// The finding in words. Where it is unclear and the prediction is contradicted all the same, with what
    /// that rests on: `unclear; a gain as large as the margin is ruled out`.
    pub fn explained_finding(&self) -> String {
        explained(self, self.verdict, self.finding())
    }

    /// [`Self::explained_finding`] for new data; `None` if it is not known.
    pub fn explained_new_finding(&self) -> Option<String> {
        let new = self.new_data.as_ref()?;
        Some(explained(self, new.verdict, new.finding))
    }

    /// The verdict and its population in words: `supported on this data set, but too small to matter`. A
    /// difference that is not shown to have settled adds the length of the training: `supported after 20 epochs on this data
    /// set`; `(fragile)` follows if leaving out one seed changes the verdict. Why it is withheld, or
    /// `exploratory` without one; an undecided verdict and that on a program, which may have no data set,
    /// have no population.
    pub fn verdict_words(&self) -> String {
        self.words_with(match self.contrast.metric {
            Metric::Program(_) => "",
            _ => population(self.verdict, self.holds_for_new_data()),
        })
    }

    /// The verdict without its population, for figures.
    pub fn short_verdict_words(&self) -> String {
        self.words_with("")
    }

    fn words_with(&self, population: &str) -> String {
        if let Some(withheld) = &self.withheld {
            return withheld.words();
        }
        let mut word = self.verdict.map_or("exploratory", verdict_word).to_owned();
        let decided = matches!(
            self.verdict,
            Some(Verdict::Supported | Verdict::Contradicted)
        );
        if let Some(length) = self.unsettled_after().filter(|_| decided) {
            word = format!("{word} after {length}");
        }
        let mark = match self.fragile().is_empty() {
            true => "",
            false => " (fragile)",
        };
        match self.is_supported_but_small() {
            true => format!("{word}{population}, but too small to matter{mark}"),
            false => format!("{word}{population}{mark}"),
        }
    }

    /// Whether the verdict is also that for new data of the same kind.
    pub fn holds_for_new_data(&self) -> bool {
        self.new_data.as_ref().is_some_and(|new| {
            let small = self.is_supported_but_small();
            new.verdict == self.verdict && (!small || new.finding.is_too_small())
        })
    }

    fn is_supported_but_small(&self) -> bool {
        let (expect, supported) = (self.contrast.expect, Some(Verdict::Supported));
        self.verdict == supported && expect != Expect::Equivalent && self.finding().is_too_small()
    }

    /// Whether treatment and control are exactly equal at every seed.
    pub fn is_exactly_equal(&self) -> bool {
        !self.improvements.is_empty() && self.improvements.iter().all(|i| i.value == 0.0)
    }
}

impl Summary {
    /// The overall verdict and its population in words, or why it is withheld; `none` without one. If it
    /// rests on a difference that is not shown to have settled, it names the length of the training.
    pub fn verdict_words(&self) -> String {
        let word = self.short_verdict_words();
        let (None, Some(verdict)) = (&self.withheld, self.verdict) else {
            return word;
        };
        let primary = self.contrasts.iter().filter(|c| c.contrast.primary);
        let new_data = overall_verdict(primary.map(|contrast| {
            let new = contrast.new_data.as_ref();
            new.and_then(|new| new.verdict)
                .unwrap_or(Verdict::Undecided)
        }));
        let population = match self.program_metrics.is_empty() {
            true => population(Some(verdict), new_data == Some(verdict)),
            false => "",
        };
        let length = self.unsettled_after();
        let length = length.map_or(String::new(), |length| format!(" after {length}"));
        format!("{word}{length}{population}")
    }

    /// The overall verdict without population and length, for programs that read it, or why it is withheld;
    /// `none` without one.
    pub fn short_verdict_words(&self) -> String {
        match &self.withheld {
            Some(withheld) => withheld.words(),
            None => self.verdict.map_or("none", verdict_word).to_owned(),
        }
    }
}

fn explained(contrast: &ContrastSummary, verdict: Option<Verdict>, finding: Finding) -> String {
    let words = finding_words(finding);
    let reason = ruled_out(contrast.contrast.expect, verdict, finding);
    match reason.filter(|_| finding == Finding::Unclear) {
        Some(reason) => format!("{words}; {reason}"),
        None => words.to_owned(),
    }
}

/// What to say after `verdict` about its population.
fn population(verdict: Option<Verdict>, holds_for_new_data: bool) -> &'static str {
    match (verdict, holds_for_new_data) {
        (None | Some(Verdict::Undecided), _) => "",
        (_, true) => ", also for new data of this kind",
        (_, false) => " on this data set",
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
