//! Paired improvements of each contrast, and the decisions on them.

use super::condition::condition;
use super::seed_check::{SeedCheck, is_paired};
use super::{
    AnalysisError, ArmSummary, Cells, ContrastSummary, PairedScores, effects, settling,
    shared_rates,
};
use crate::spec::{Contrast, Expect, Spec};
use crate::stats::{Hypothesis, Prediction, Rule, Sample, Verdict, decide};
use ablate_streams::{Purpose, Stream};

/// Fewest improvements that have a standard deviation.
const MIN_PAIRS: usize = 2;

/// Decides all contrasts of `spec` that have enough pairs.
///
/// A contrast with fewer than two pairs has no decision. All primary contrasts of the spec count in the
/// level of the intervals, so that the data do not choose it.
///
/// # Errors
/// If a contrast names an arm that the spec does not have.
pub(super) fn decide_all(
    spec: &Spec,
    scores: &PairedScores<'_>,
    seed_check: Option<&SeedCheck>,
) -> Result<Vec<ContrastSummary>, AnalysisError> {
    let mut contrasts = spec
        .contrasts
        .iter()
        .map(|contrast| undecided(spec, contrast, scores))
        .collect::<Result<Vec<_>, _>>()?;
    let (open, hypotheses): (Vec<&mut ContrastSummary>, Vec<Hypothesis>) = contrasts
        .iter_mut()
        .filter_map(|contrast| {
            let design = spec.program.as_ref();
            contrast.paired = is_paired(design, seed_check, &contrast.contrast.metric);
            if !contrast.paired {
                // Independent samples have all seeds of their arms.
                contrast.left_out.clear();
            }
            let hypothesis = hypothesis(contrast, scores)?;
            Some((contrast, hypothesis))
        })
        .unzip();
    let stream = Stream::new(0, Purpose::Resample, &spec.name);
    let rule = Rule {
        looks: spec.looks.clone(),
        ..Rule::default()
    };
    let decisions = decide(&hypotheses, primary_count(spec), &rule, &stream);
    for (contrast, decision) in open.into_iter().zip(decisions) {
        contrast.verdict = decision.verdict;
        contrast.decision = Some(decision);
    }
    Ok(contrasts)
}

/// Adds to `contrasts` whether they have settled, and their differences at shared learning rates.
pub(super) fn describe_all(
    spec: &Spec,
    cells: &Cells<'_>,
    arms: &[ArmSummary],
    scores: &PairedScores<'_>,
    contrasts: &mut [ContrastSummary],
) {
    for found in contrasts {
        let contrast = &found.contrast;
        found.settling = settling::judge(spec, scores, contrast);
        let level = found.decision.as_ref().map(|decision| decision.confidence);
        let confidence = level.unwrap_or_else(|| Rule::default().confidence(primary_count(spec)));
        found.by_rate = shared_rates::differences(spec, cells, arms, contrast, confidence);
    }
}

/// Number of contrasts that share the error rate of an experiment.
pub(super) fn primary_count(spec: &Spec) -> usize {
    spec.contrasts.iter().filter(|c| c.primary).count()
}

/// The contrast with its improvements, without a decision.
fn undecided(
    spec: &Spec,
    contrast: &Contrast,
    scores: &PairedScores<'_>,
) -> Result<ContrastSummary, AnalysisError> {
    let unknown = |arm: &str| AnalysisError::UnknownArm {
        contrast: contrast.name.clone(),
        arm: arm.to_owned(),
    };
    let (improvements, left_out) = scores
        .improvements(&contrast.weights, &contrast.metric, contrast.when)
        .map_err(unknown)?;
    Ok(ContrastSummary {
        contrast: contrast.clone(),
        condition: condition(spec, contrast),
        mixed_over: effects::mixed_over(
            spec,
            scores,
            &contrast.comparison,
            (&contrast.metric, contrast.when),
            Some(contrast.margin),
        ),
        paired: true,
        verdict: contrast.primary.then_some(Verdict::Undecided),
        withheld: None,
        decision: None,
        new_data: None,
        improvements,
        left_out,
        settling: None,
        by_rate: Vec::new(),
    })
}

fn hypothesis(summary: &ContrastSummary, scores: &PairedScores<'_>) -> Option<Hypothesis> {
    if summary.improvements.len() < MIN_PAIRS {
        return None;
    }
    Some(Hypothesis {
        differences: Sample::new(summary.improvements.iter().map(|d| d.value).collect()).ok()?,
        independent: match summary.paired {
            true => None,
            false => Some(scores.independent(&summary.contrast)?),
        },
        prediction: prediction(summary.contrast.expect),
        margin: summary.contrast.margin,
        primary: summary.contrast.primary,
    })
}

pub(super) const fn prediction(expect: Expect) -> Prediction {
    match expect {
        Expect::Better => Prediction::Better,
        Expect::Worse => Prediction::Worse,
        Expect::Equivalent => Prediction::Equivalent,
        Expect::Differs => Prediction::Differs,
    }
}
