//! Results of contrasts in plain sentences.

use crate::analysis;
use crate::analysis::subject::{control, subject, treatment};
use crate::analysis::{ContrastSummary, Summary, finding_words, prediction_word, verdict_word};
use crate::spec::{Expect, Metric};
use crate::stats::{Disagreement, Finding, Interval, Rule, Verdict};
use crate::text::counted;
use crate::text::number::{fixed, interval, level, p_equation, signed};

/// Largest number of seeds that are named one by one.
const MOST_NAMED_SEEDS: usize = 3;

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
    effect_with(contrast, " interval ")
}

/// `+0.42 points (95 %: +0.31 to +0.53)`, for tables.
pub(super) fn short_effect(contrast: &ContrastSummary) -> Option<String> {
    effect_with(contrast, ": ")
}

fn effect_with(contrast: &ContrastSummary, separator: &str) -> Option<String> {
    let decision = contrast.decision.as_ref()?;
    let d = contrast.decimals();
    let bounds = match contrast.interval() {
        Some(bounds) => format!(
            "{} %{separator}{}",
            level(decision.confidence),
            interval(bounds, d)
        ),
        None => "no interval".to_owned(),
    };
    Some(format!(
        "{} {} ({bounds})",
        signed(decision.mean, d),
        contrast.contrast.metric.unit()
    ))
}

/// The seeds that a decision rests on: `10 pairs`, or `8 independent seeds per arm`.
pub(super) fn seeds(summary: &Summary, contrast: &ContrastSummary, pairs: usize) -> String {
    let asked = &contrast.contrast;
    if contrast.paired {
        return counted(pairs, asked.comparison.unit());
    }
    let arms = asked
        .weights
        .iter()
        .filter_map(|term| summary.arm(&term.arm));
    let counts: Vec<usize> = arms.map(|arm| arm.n).collect();
    match counts.as_slice() {
        [first, others @ ..] if others.iter().all(|n| n == first) => {
            format!("{first} independent seeds per arm")
        }
        counts => {
            let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
            format!("{} independent seeds", counts.join(" and "))
        }
    }
}

/// `+0.42 (+0.31 to +0.53)`, for figures.
pub(super) fn effect_numbers(estimate: f64, bounds: Interval, decimals: usize) -> String {
    format!(
        "{} ({})",
        signed(estimate, decimals),
        interval(bounds, decimals)
    )
}

/// Which seeds a fragile verdict rests on: `leaving out seed 7 alone makes it undecided`. `None` for a
/// verdict that is not fragile.
pub(super) fn fragile(contrast: &ContrastSummary) -> Option<String> {
    let found = contrast.fragile();
    let verdicts = [
        Verdict::Supported,
        Verdict::Contradicted,
        Verdict::Undecided,
    ];
    let parts = verdicts.into_iter().filter_map(|verdict| {
        let seeds = found.iter().filter(|other| other.verdict == verdict);
        let seeds: Vec<String> = seeds.map(|other| other.seed.to_string()).collect();
        let left_out = match seeds.as_slice() {
            [] => return None,
            [one] => format!("seed {one} alone"),
            [some @ .., last] if seeds.len() <= MOST_NAMED_SEEDS => {
                format!("any one of the seeds {} and {last}", some.join(", "))
            }
            many => format!(
                "any one of {} of the {} seeds",
                many.len(),
                contrast.improvements.len()
            ),
        };
        Some(format!(
            "leaving out {left_out} makes it {}",
            verdict_word(verdict)
        ))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What forbids reading an average over factors; `None` where nothing does.
pub(super) fn mixed(summary: &Summary, mixed_over: &[String]) -> Option<String> {
    let label = |name: &String| {
        let factor = summary.factors.iter().find(|f| f.name == *name);
        factor.map_or(name.clone(), |f| f.label.clone())
    };
    let labels: Vec<String> = mixed_over.iter().map(label).collect();
    (!labels.is_empty()).then(|| {
        format!(
            "do not read this average: an interaction with {} is not excluded",
            labels.join(" and ")
        )
    })
}

/// One sentence each on a contrast: what is compared, the effect with interval, pairs and margin; the
/// finding; the prediction; the finding for new data.
pub fn sentence(summary: &Summary, contrast: &ContrastSummary) -> String {
    let (measured, meaning) = (measured(summary, contrast), meaning(contrast));
    let meaning = meaning.map_or(String::new(), |meaning| format!(" {meaning}"));
    format!("{measured}.{meaning}")
}

/// What is compared, and the effect with interval, pairs and margin, without a full stop.
pub(super) fn measured(summary: &Summary, contrast: &ContrastSummary) -> String {
    let asked = &contrast.contrast;
    let compared = subject(summary, &asked.comparison, &asked.weights);
    let unit = asked.comparison.unit();
    let metric = asked.quantity();
    let Some((decision, effect)) = contrast.decision.as_ref().zip(effect(contrast)) else {
        let finished = counted(contrast.improvements.len(), &format!("finished {unit}"));
        return format!("{compared}: only {finished}, too few for an interval");
    };
    let pairs = seeds(summary, contrast, decision.n);
    if contrast.is_exactly_equal() {
        return format!("{compared}: exactly the same {metric} in all {pairs}");
    }
    let what = match asked.comparison.is_interaction() {
        true => "difference of improvements",
        false => "improvement",
    };
    let effect = effect.trim_end_matches(')');
    let margin = margin(contrast);
    format!("{compared}: {what} in {metric} {effect}, {pairs}, margin {margin})")
}

/// The finding, the prediction, and the finding for new data; `None` without a decision.
pub(super) fn meaning(contrast: &ContrastSummary) -> Option<String> {
    contrast.decision.as_ref()?;
    Some(format!(
        "Finding: {}. Predicted: {}{}.{}",
        finding_words(contrast.finding()),
        prediction(contrast),
        ruled_out(contrast),
        new_data(contrast)
    ))
}

/// Why a prediction of a direction is contradicted although the other direction is not shown, after a
/// semicolon; else empty.
pub(super) fn ruled_out(contrast: &ContrastSummary) -> String {
    without_direction(contrast, contrast.verdict, contrast.finding())
}

/// What a contrast shows for new data: ` Finding for new data of this kind (-0.2 to +0.9 points):
/// unclear.` Empty without a decision, for a program, and if it is not known for an undecided contrast.
pub(super) fn new_data(contrast: &ContrastSummary) -> String {
    let of_net = !matches!(contrast.contrast.metric, Metric::Program(_));
    let decided = of_net && contrast.verdict != Some(Verdict::Undecided);
    match (&contrast.new_data, contrast.interval()) {
        (Some(new), _) => format!(
            " Finding for new data of this kind ({} {}): {}{}.",
            interval(new.interval, contrast.decimals()),
            contrast.contrast.metric.unit(),
            finding_words(new.finding),
            without_direction(contrast, new.verdict, new.finding)
        ),
        (None, Some(_)) if decided => " Finding for new data of this kind: not known.".to_owned(),
        _ => String::new(),
    }
}

fn without_direction(
    contrast: &ContrastSummary,
    verdict: Option<Verdict>,
    finding: Finding,
) -> String {
    let reason = analysis::ruled_out(contrast.contrast.expect, verdict, finding);
    reason.map_or(String::new(), |reason| format!("; {reason}"))
}

/// The methods that disagree with the interval; `None` if none does.
pub(super) fn disagreements(contrast: &ContrastSummary) -> Option<String> {
    let checks = &contrast.decision.as_ref()?.checks;
    let finding = contrast.finding();
    let found = checks.disagreements(finding, Rule::default().alpha);
    let differs = finding.is_better() || finding.is_worse();
    let tell = |method: Disagreement| match method {
        Disagreement::Bootstrap if differs => "the bootstrap interval includes zero".to_owned(),
        Disagreement::Bootstrap => "the bootstrap interval excludes zero".to_owned(),
        Disagreement::SignFlip => format!(
            "the sign-flip test shows {} difference ({})",
            if differs { "no" } else { "a" },
            p_equation(checks.p_difference)
        ),
        Disagreement::Equivalence => format!(
            "the equivalence test {} the difference to be smaller than the margin ({})",
            does_show(!finding.is_inside_margin()),
            p_equation(checks.p_equivalence)
        ),
        Disagreement::MinimumEffect => format!(
            "the minimum-effect test {} the difference to be larger than the margin ({})",
            does_show(!finding.is_outside_margin()),
            p_equation(checks.p_outside)
        ),
    };
    let texts: Vec<String> = found.into_iter().map(tell).collect();
    (!texts.is_empty()).then(|| {
        let name = &contrast.contrast.name;
        let found = finding_words(finding);
        format!("`{name}` (by the interval: {found}): {}.", texts.join("; "))
    })
}

fn does_show(shows: bool) -> &'static str {
    match shows {
        true => "shows",
        false => "does not show",
    }
}

/// The meaning of a finding for someone who chooses between treatment and control. `None` for
/// interactions, probes, and contrasts without a decision or with a withheld verdict.
pub fn practice(summary: &Summary, contrast: &ContrastSummary) -> Option<String> {
    let asked = &contrast.contrast;
    if matches!(asked.metric, Metric::Probe(_))
        || asked.comparison.is_interaction()
        || contrast.withheld.is_some()
    {
        return None;
    }
    let (ours, theirs) = (
        treatment(summary, &asked.comparison)?,
        control(summary, &asked.comparison)?,
    );
    contrast.decision.as_ref()?;
    let (metric, margin) = (asked.metric.label(), margin(contrast));
    let finding = contrast.finding();
    let prefer = |better: &str, worse: &str| {
        let gain = match (finding.is_outside_margin(), finding.is_too_small()) {
            (true, _) => "by more than",
            (_, true) => "but by less than",
            _ => "but possibly by less than",
        };
        format!("{better} gives better {metric} here than {worse}, {gain} the margin of {margin}.")
    };
    Some(if finding.is_better() {
        prefer(&ours, &theirs)
    } else if finding.is_worse() {
        prefer(&theirs, &ours)
    } else if finding == Finding::NoDifferenceThatMatters && contrast.is_exactly_equal() {
        format!("{ours} and {theirs} give exactly the same {metric} here; either will do.")
    } else if finding == Finding::NoDifferenceThatMatters {
        format!(
            "{ours} and {theirs} differ by less than the margin of {margin} in {metric} here; either \
             will do."
        )
    } else {
        let d = contrast.decimals();
        let possible = contrast.interval().map(|i| {
            let unit = asked.metric.unit();
            format!(
                "; differences from {} to {} {unit} are possible",
                signed(i.low, d),
                signed(i.high, d)
            )
        });
        let reason = ruled_out(contrast);
        let reason = reason.replace("the margin", &format!("the margin of {margin}"));
        format!(
            "these data do not show whether {ours} or {theirs} gives better {metric}{}{reason}.",
            possible.unwrap_or_default()
        )
    })
}

/// The differences that the design can detect, for a contrast that is undecided, unclear or without a
/// difference, and for a prediction of equivalence. `None` for the others, and if every pair is equal.
pub fn power(contrast: &ContrastSummary) -> Option<String> {
    let asked = &contrast.contrast;
    let equivalent = asked.expect == Expect::Equivalent;
    let decision = contrast.decision.as_ref()?;
    let open = contrast.verdict == Some(Verdict::Undecided);
    let none = !(decision.finding.is_better() || decision.finding.is_worse());
    if !(open || equivalent || none) {
        return None;
    }
    let d = contrast.decimals();
    let unit = asked.metric.unit();
    let pairs = counted(decision.n, asked.comparison.unit());
    let (size, margin) = decision.detectable.zip(decision.detectable_margin)?;
    let difference = format!("a difference of {} {unit}", fixed(size, d));
    let equivalence = format!(
        "equivalence within ±{} {unit} if there is no difference",
        fixed(margin, d)
    );
    let (first, second) = match equivalent {
        true => (equivalence, difference),
        false => (difference, equivalence),
    };
    Some(format!(
        "At this spread, {pairs} have 80 % power to show {first}, or {second}."
    ))
}

/// [`power`] as a table cell; empty if [`power`] is `None`.
pub(super) fn detectable(contrast: &ContrastSummary) -> String {
    let Some((decision, _)) = contrast.decision.as_ref().zip(power(contrast)) else {
        return String::new();
    };
    let (d, unit) = (contrast.decimals(), contrast.contrast.metric.unit());
    let size = |x: Option<f64>| x.map_or(String::new(), |x| format!("{} {unit}", fixed(x, d)));
    match contrast.contrast.expect {
        Expect::Equivalent => format!("within ±{}", size(decision.detectable_margin)),
        Expect::Better | Expect::Worse | Expect::Differs => size(decision.detectable),
    }
}
