//! Results of contrasts in plain sentences.

use super::subject::{control, subject, treatment};
use crate::analysis::{ContrastSummary, Summary, prediction_word};
use crate::spec::{Expect, Metric};
use crate::stats::Verdict;
use crate::text::counted;
use crate::text::number::{fixed, interval, p_value, signed};

/// The prediction, with the margin if it is an equivalence.
pub fn prediction(contrast: &ContrastSummary) -> String {
    let word = prediction_word(contrast.contrast.expect);
    match contrast.contrast.expect {
        Expect::Equivalent => format!("{word} within ±{}", margin(contrast)),
        _ => word.to_owned(),
    }
}

/// The margin with its unit.
pub fn margin(contrast: &ContrastSummary) -> String {
    let asked = &contrast.contrast;
    format!("{} {}", asked.margin, asked.metric.unit())
}

/// `+0.42 points (95 % interval +0.31 to +0.53)`; `None` without a decision.
pub fn effect(contrast: &ContrastSummary) -> Option<String> {
    effect_with(contrast, "95 % interval ")
}

/// `+0.42 points (+0.31 to +0.53)`, for columns whose heading names the interval.
pub(super) fn short_effect(contrast: &ContrastSummary) -> Option<String> {
    effect_with(contrast, "")
}

fn effect_with(contrast: &ContrastSummary, interval_name: &str) -> Option<String> {
    let decision = contrast.decision.as_ref()?;
    let d = contrast.decimals();
    Some(format!(
        "{} {} ({interval_name}{})",
        signed(decision.mean, d),
        contrast.contrast.metric.unit(),
        interval(contrast.interval()?, d)
    ))
}

/// One sentence on a contrast: what is compared, the effect with interval, pairs and margin, and the
/// prediction.
pub fn sentence(summary: &Summary, contrast: &ContrastSummary) -> String {
    let asked = &contrast.contrast;
    let compared = subject(summary, &asked.comparison, &asked.weights);
    let unit = asked.comparison.unit();
    let metric = asked.quantity();
    let Some((decision, effect)) = contrast.decision.as_ref().zip(effect(contrast)) else {
        let finished = counted(contrast.improvements.len(), &format!("finished {unit}"));
        return format!("{compared}: only {finished}, too few for an interval.");
    };
    let pairs = counted(decision.n, unit);
    let measured = if contrast.is_exactly_equal() {
        format!("exactly the same {metric} in all {pairs}")
    } else {
        let what = match asked.comparison.is_interaction() {
            true => "difference of improvements",
            false => "improvement",
        };
        let effect = effect.trim_end_matches(')');
        let margin = margin(contrast);
        format!("{what} in {metric} {effect}, {pairs}, margin {margin})")
    };
    let negligible = negligible(contrast).map_or(String::new(), |text| format!(" {text}"));
    format!(
        "{compared}: {measured}. Predicted: {}.{negligible}",
        prediction(contrast)
    )
}

/// A remark on a difference that the equivalence test alone finds smaller than the margin. `None` for a
/// prediction of equivalence, whose verdict says it already.
fn negligible(contrast: &ContrastSummary) -> Option<String> {
    let decision = contrast.decision.as_ref()?;
    if !decision.negligible || contrast.contrast.expect == Expect::Equivalent {
        return None;
    }
    let margin = margin(contrast);
    Some(match contrast.verdict {
        Verdict::Undecided => format!(
            "Verdict by the present rule: undecided. The equivalence test on its own puts the \
             difference inside the margin of ±{margin} (TOST p = {}), but not after the adjustment for \
             the number of tests.",
            p_value(decision.p_equivalence)
        ),
        _ => format!("The difference is smaller than the margin of {margin}."),
    })
}

/// The meaning of a contrast for someone who chooses between treatment and control, read off the 95 %
/// interval and the margin. `None` for interactions, probes and contrasts without an interval.
pub fn practice(summary: &Summary, contrast: &ContrastSummary) -> Option<String> {
    let asked = &contrast.contrast;
    if matches!(asked.metric, Metric::Probe(_)) || asked.comparison.is_interaction() {
        return None;
    }
    let (better, worse) = (
        treatment(summary, &asked.comparison)?,
        control(summary, &asked.comparison)?,
    );
    let negligible = contrast.decision.as_ref()?.negligible;
    let (low, high) = contrast.interval().map(|i| (i.low, i.high))?;
    let (metric, margin) = (asked.metric.label(), margin(contrast));
    let size = asked.margin;
    let supported = |expect| contrast.verdict == Verdict::Supported && asked.expect == expect;
    let prefer = |better: &str, worse: &str, least: f64, most: f64| {
        let gain = match (least > size, negligible || most < size) {
            (true, _) => "by more than",
            (_, true) => "but by less than",
            _ => "but possibly by less than",
        };
        format!("{better} gives better {metric} here than {worse}, {gain} the margin of {margin}.")
    };
    Some(if contrast.is_exactly_equal() {
        format!("{better} and {worse} give exactly the same {metric} here; either will do.")
    } else if low > 0.0 || supported(Expect::Better) {
        prefer(&better, &worse, low, high)
    } else if high < 0.0 || supported(Expect::Worse) {
        prefer(&worse, &better, -high, -low)
    } else if (-size < low && high < size) || supported(Expect::Equivalent) {
        format!(
            "{better} and {worse} differ by less than the margin of {margin} in {metric} here; either \
             will do."
        )
    } else {
        let d = contrast.decimals();
        format!(
            "these data do not show whether {better} or {worse} gives better {metric}; differences \
             from {} to {} {} are possible.",
            signed(low, d),
            signed(high, d),
            asked.metric.unit()
        )
    })
}

/// The differences that the design can detect, for a contrast that is undecided or whose verdict rests on
/// equivalence. `None` for the others, and if every pair is equal.
pub fn power(contrast: &ContrastSummary) -> Option<String> {
    let asked = &contrast.contrast;
    let equivalent = asked.expect == Expect::Equivalent;
    let decision = contrast.decision.as_ref()?;
    let undecided = contrast.verdict == Verdict::Undecided;
    if !(undecided || equivalent || is_ruled_out(contrast)) || decision.sd == Some(0.0) {
        return None;
    }
    let d = contrast.decimals();
    let unit = asked.metric.unit();
    let pairs = counted(decision.n, asked.comparison.unit());
    let difference = decision
        .detectable
        .map(|size| format!("a difference of {} {unit}", fixed(size, d)));
    let margin = decision.detectable_margin.map(|size| {
        format!(
            "equivalence within ±{} {unit} if there is no difference",
            fixed(size, d)
        )
    });
    let sizes: Vec<String> = match equivalent {
        true => margin.into_iter().chain(difference).collect(),
        false => difference.into_iter().chain(margin).collect(),
    };
    let detectable = format!(
        "At this spread, {pairs} have 80 % power to show {}.",
        sizes.join(", or ")
    );
    let floor = format!(
        "With {pairs}, no difference of any size can be significant after Holm's adjustment; add seeds."
    );
    let any_difference = equivalent || decision.detectable.is_some();
    Some(match (sizes.is_empty(), any_difference) {
        (true, _) => floor,
        (false, true) => detectable,
        (false, false) => format!("{floor} {detectable}"),
    })
}

/// Whether a predicted difference is contradicted because differences that matter are ruled out.
fn is_ruled_out(contrast: &ContrastSummary) -> bool {
    let decision = contrast.decision.as_ref();
    contrast.verdict == Verdict::Contradicted && decision.is_some_and(|d| d.negligible)
}

/// [`power`] as a table cell; empty if [`power`] is `None`.
pub(super) fn detectable(contrast: &ContrastSummary) -> String {
    let Some((decision, _)) = contrast.decision.as_ref().zip(power(contrast)) else {
        return String::new();
    };
    let (d, unit) = (contrast.decimals(), contrast.contrast.metric.unit());
    let equivalent = contrast.contrast.expect == Expect::Equivalent;
    match (equivalent, decision.detectable, decision.detectable_margin) {
        (true, _, Some(margin)) => format!("within ±{} {unit}", fixed(margin, d)),
        (false, Some(size), _) => format!("{} {unit}", fixed(size, d)),
        _ => "none of any size".to_owned(),
    }
}
