//! Contrasts: paired improvements, and the decision rule over all contrasts of a spec.

use super::{AnalysisError, ContrastSummary, Scoreboard};
use crate::spec::{Contrast, Expect, Spec};
use crate::stats::{Prediction, Question, Rule, Sample, Verdict, decide};
use ablate_streams::{Purpose, Stream};

/// Pairs needed before anything can be said of a difference's spread.
const FEWEST_PAIRS: usize = 2;

/// Decides every contrast that has pairs enough; the others are undecided and take no part in the
/// correction for several contrasts.
///
/// # Errors
/// If a contrast names an arm that the spec does not have.
pub(super) fn decide_all(
    spec: &Spec,
    scores: &Scoreboard<'_>,
) -> Result<Vec<ContrastSummary>, AnalysisError> {
    let mut contrasts = spec
        .contrasts
        .iter()
        .map(|contrast| pair(contrast, scores))
        .collect::<Result<Vec<_>, _>>()?;
    let (open, questions): (Vec<&mut ContrastSummary>, Vec<Question>) = contrasts
        .iter_mut()
        .filter_map(|contrast| {
            let question = question(contrast)?;
            Some((contrast, question))
        })
        .unzip();
    let stream = Stream::new(0, Purpose::Resample, &spec.name);
    let decisions = decide(&questions, &Rule::default(), &stream);
    for (contrast, decision) in open.into_iter().zip(decisions) {
        contrast.verdict = decision.verdict;
        contrast.decision = Some(decision);
    }
    Ok(contrasts)
}

/// The contrast with its improvements, not decided yet.
fn pair(contrast: &Contrast, scores: &Scoreboard<'_>) -> Result<ContrastSummary, AnalysisError> {
    let unknown = |arm: &str| AnalysisError::UnknownArm {
        contrast: contrast.name.clone(),
        arm: arm.to_owned(),
    };
    let (improvements, left_out) = scores
        .improvements(&contrast.weights, &contrast.metric, contrast.when)
        .map_err(unknown)?;
    Ok(ContrastSummary {
        contrast: contrast.clone(),
        verdict: Verdict::Undecided,
        decision: None,
        improvements,
        left_out,
    })
}

fn question(summary: &ContrastSummary) -> Option<Question> {
    if summary.improvements.len() < FEWEST_PAIRS {
        return None;
    }
    Some(Question {
        differences: Sample::new(summary.improvements.iter().map(|d| d.value).collect()).ok()?,
        prediction: prediction(summary.contrast.expect),
        margin: summary.contrast.margin,
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
