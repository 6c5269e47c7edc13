//! Results in plain sentences.

use super::subject::subject;
use crate::analysis::{ContrastSummary, Summary, prediction_word};
use crate::spec::Expect;
use crate::stats::Verdict;
use crate::text::counted;
use crate::text::number::{fixed, interval, signed};

/// The prediction, with the margin where it is part of it.
pub fn prediction(contrast: &ContrastSummary) -> String {
    let word = prediction_word(contrast.contrast.expect);
    match contrast.contrast.expect {
        Expect::Equivalent => format!("{word} within ±{}", margin(contrast)),
        _ => word.to_owned(),
    }
}

/// The margin with its unit.
pub fn margin(contrast: &ContrastSummary) -> String {
    format!(
        "{} {}",
        contrast.contrast.margin,
        contrast.contrast.metric.unit()
    )
}

/// `+0.42 points (95 % interval +0.31 to +0.53)`; `None` without a decision.
pub fn effect(contrast: &ContrastSummary) -> Option<String> {
    let decision = contrast.decision.as_ref()?;
    let d = contrast.decimals();
    Some(format!(
        "{} {} (95 % interval {})",
        signed(decision.mean, d),
        contrast.contrast.metric.unit(),
        interval(contrast.interval()?, d)
    ))
}

/// One sentence on a contrast: who against whom, how much, how sure, and what was predicted.
pub fn sentence(summary: &Summary, contrast: &ContrastSummary) -> String {
    let asked = &contrast.contrast;
    let who = subject(summary, &asked.comparison, &asked.weights);
    let unit = asked.comparison.unit();
    let metric = asked.quantity();
    let Some((decision, effect)) = contrast.decision.as_ref().zip(effect(contrast)) else {
        return format!(
            "{who}: {} cannot decide anything.",
            counted(contrast.improvements.len(), &format!("finished {unit}"))
        );
    };
    let measured = if contrast.is_exactly_equal() {
        format!(
            "exactly the same {metric} in all {}",
            counted(decision.n, unit)
        )
    } else {
        let pairs = counted(decision.n, unit);
        let what = match asked.comparison.is_interaction() {
            true => "difference of improvements",
            false => "improvement",
        };
        format!(
            "{what} in {metric} {}, {pairs})",
            effect.trim_end_matches(')')
        )
    };
    let negligible = if decision.negligible && contrast.contrast.expect != Expect::Equivalent {
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

/// What the design could have seen: for every contrast that is undecided, that predicts equivalence,
/// or that is contradicted by it. `None` for the others, and where every pair came out equal.
pub fn power(contrast: &ContrastSummary) -> Option<String> {
    let asked = &contrast.contrast;
    let equivalent = asked.expect == Expect::Equivalent;
    let decision = contrast.decision.as_ref()?;
    let undecided = contrast.verdict == Verdict::Undecided;
    if !(undecided || equivalent || ruled_out(contrast)) || decision.sd == Some(0.0) {
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
            "equivalence within {} {unit} if there is no difference",
            fixed(size, d)
        )
    });
    let sizes: Vec<String> = match equivalent {
        true => margin.into_iter().chain(difference).collect(),
        false => difference.into_iter().chain(margin).collect(),
    };
    let sight = format!(
        "With this spread and 80 % power, {pairs} show {}.",
        sizes.join(", and ")
    );
    let floor = format!(
        "With {pairs} no difference, however large, reaches the level that Holm's adjustment asks of \
         the smallest p."
    );
    let any_difference = equivalent || decision.detectable.is_some();
    Some(match (sizes.is_empty(), any_difference) {
        (true, _) => floor,
        (false, true) => sight,
        (false, false) => format!("{floor} {sight}"),
    })
}

/// Whether a prediction of a difference fell because a difference that matters was ruled out.
fn ruled_out(contrast: &ContrastSummary) -> bool {
    let decision = contrast.decision.as_ref();
    contrast.verdict == Verdict::Contradicted && decision.is_some_and(|d| d.negligible)
}

/// The same in a cell of a table; empty where [`power`] says nothing.
pub(super) fn sight(contrast: &ContrastSummary) -> String {
    let Some((decision, _)) = contrast.decision.as_ref().zip(power(contrast)) else {
        return String::new();
    };
    let (d, unit) = (contrast.decimals(), contrast.contrast.metric.unit());
    let equivalent = contrast.contrast.expect == Expect::Equivalent;
    match (equivalent, decision.detectable, decision.detectable_margin) {
        (true, _, Some(margin)) => format!("within ±{} {unit}", fixed(margin, d)),
        (false, Some(size), _) => format!("{} {unit}", fixed(size, d)),
        _ => "none, however large".to_owned(),
    }
}
