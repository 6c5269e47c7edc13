//! Results in plain sentences.

use super::format::{counted, decimals, fixed, interval, signed};
use crate::analysis::{ContrastSummary, Summary};
use crate::spec::{Expect, Metric};
use crate::stats::{Interval, Verdict};

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

/// The prediction, with the margin where it is part of it.
fn prediction(contrast: &ContrastSummary) -> String {
    let word = prediction_word(contrast.expect);
    match contrast.expect {
        Expect::Equivalent => format!("{word} within ±{}", margin(contrast)),
        _ => word.to_owned(),
    }
}

/// The margin with its unit.
pub fn margin(contrast: &ContrastSummary) -> String {
    format!("{} {}", contrast.margin, contrast.metric.unit())
}

/// Decimals that a metric is shown with where there is no spread to go by.
pub fn metric_decimals(metric: Metric) -> usize {
    match metric {
        Metric::TestAccuracy | Metric::TestEce => 2,
        Metric::TestNll => 4,
    }
}

/// Decimals for the improvements of a contrast.
pub fn improvement_decimals(contrast: &ContrastSummary) -> usize {
    let sd = contrast.decision.as_ref().and_then(|d| d.sd);
    decimals(sd, metric_decimals(contrast.metric))
}

/// The interval to show: Student's t, or the bootstrap's where there is none.
pub fn shown_interval(contrast: &ContrastSummary) -> Option<Interval> {
    let decision = contrast.decision.as_ref()?;
    Some(decision.t_interval.unwrap_or(decision.bca_interval))
}

/// `+0.42 points (95 % interval +0.31 to +0.53)`; `None` without a decision.
pub fn effect(contrast: &ContrastSummary) -> Option<String> {
    let decision = contrast.decision.as_ref()?;
    let d = improvement_decimals(contrast);
    Some(format!(
        "{} {} (95 % interval {})",
        signed(decision.mean, d),
        contrast.metric.unit(),
        interval(shown_interval(contrast)?, d)
    ))
}

/// Whether every pair came out exactly equal.
pub fn identical(contrast: &ContrastSummary) -> bool {
    !contrast.improvements.is_empty() && contrast.improvements.iter().all(|i| i.value == 0.0)
}

/// One sentence on a contrast: who against whom, how much, how sure, and what was predicted.
pub fn sentence(summary: &Summary, contrast: &ContrastSummary) -> String {
    let label = |name: &str| {
        let label = summary.arm(name).map_or(name, |arm| arm.label.as_str());
        super::table::one_line(label)
    };
    let who = format!(
        "{} against {}",
        label(&contrast.treatment),
        label(&contrast.control)
    );
    let metric = contrast.metric.label();
    let Some((decision, effect)) = contrast.decision.as_ref().zip(effect(contrast)) else {
        return format!(
            "{who}: {} cannot decide anything.",
            counted(contrast.improvements.len(), "finished pair")
        );
    };
    let measured = if identical(contrast) {
        format!(
            "exactly the same {metric} in all {}",
            counted(decision.n, "pair")
        )
    } else {
        let pairs = counted(decision.n, "pair");
        format!(
            "improvement in {metric} {}, {pairs})",
            effect.trim_end_matches(')')
        )
    };
    let negligible = if decision.negligible && contrast.expect != Expect::Equivalent {
        format!(
            " The difference is shown to be smaller than the margin of {}.",
            margin(contrast)
        )
    } else {
        String::new()
    };
    format!(
        "{who}: {measured}. Predicted: {}.{negligible}",
        prediction(contrast)
    )
}

/// What the design could have seen; for every contrast that is undecided or predicts equivalence.
pub fn power(contrast: &ContrastSummary) -> Option<String> {
    let equivalent = contrast.expect == Expect::Equivalent;
    if contrast.verdict != Verdict::Undecided && !equivalent {
        return None;
    }
    let decision = contrast.decision.as_ref()?;
    let d = improvement_decimals(contrast);
    let unit = contrast.metric.unit();
    let pairs = counted(decision.n, "pair");
    if decision.sd == Some(0.0) {
        return None;
    }
    let sizes = (
        decision.detectable_margin.filter(|_| equivalent),
        decision.detectable,
    );
    Some(match sizes {
        (Some(margin), _) => format!(
            "With this spread, {pairs} show equivalence within {} {unit} with 80 % power if there is \
             no difference.",
            fixed(margin, d)
        ),
        (None, Some(difference)) if !equivalent => format!(
            "With this spread, {pairs} show a difference of {} {unit} with 80 % power.",
            fixed(difference, d)
        ),
        _ => format!(
            "With {pairs} no difference, however large, reaches the level that Holm's adjustment asks of \
             the smallest p."
        ),
    })
}
