//! Contrasts: paired improvements, and the decision rule over all contrasts of a spec.

use super::{AnalysisError, ArmSummary, Cells, ContrastSummary, Improvement};
use crate::record::CellRecord;
use crate::spec::{Contrast, Expect, Metric, Spec};
use crate::stats::{Prediction, Question, Rule, Sample, Verdict, decide};
use ablate_models::streams::{Purpose, Stream};

/// Pairs needed before anything can be said of a difference's spread.
const FEWEST_PAIRS: usize = 2;

/// Decides every contrast that has pairs enough; the others are undecided and take no part in the
/// correction for several contrasts.
///
/// # Errors
/// If a contrast names an arm that the spec does not have.
pub(super) fn decide_all(
    spec: &Spec,
    cells: &Cells<'_>,
    arms: &[ArmSummary],
) -> Result<Vec<ContrastSummary>, AnalysisError> {
    let mut contrasts = spec
        .contrasts
        .iter()
        .map(|contrast| pair(spec, contrast, cells, arms))
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

/// The contrast with its pairs, not decided yet.
fn pair(
    spec: &Spec,
    contrast: &Contrast,
    cells: &Cells<'_>,
    arms: &[ArmSummary],
) -> Result<ContrastSummary, AnalysisError> {
    let finished = |name: &str| {
        let arm = spec.arms.iter().position(|a| a.name == name);
        let arm = arm.ok_or_else(|| AnalysisError::UnknownArm {
            contrast: contrast.name.clone(),
            arm: name.to_owned(),
        })?;
        let chosen = arms[arm].learning_rate;
        let rate = spec.arms[arm]
            .learning_rates
            .iter()
            .position(|&r| r == chosen);
        Ok(cells.finished(arm, rate.unwrap_or(0)))
    };
    let treatment = finished(&contrast.treatment)?;
    let control = finished(&contrast.control)?;
    let mut improvements = Vec::new();
    let mut left_out = Vec::new();
    for ((&seed, t), c) in spec.seeds.iter().zip(treatment).zip(control) {
        match (t, c) {
            (Some(t), Some(c)) => improvements.push(Improvement {
                seed,
                value: improvement(contrast.metric, t, c),
            }),
            _ => left_out.push(seed),
        }
    }
    Ok(ContrastSummary {
        name: contrast.name.clone(),
        treatment: contrast.treatment.clone(),
        control: contrast.control.clone(),
        metric: contrast.metric,
        expect: contrast.expect,
        margin: contrast.margin,
        primary: contrast.primary,
        note: contrast.note.clone(),
        verdict: Verdict::Undecided,
        decision: None,
        improvements,
        left_out,
    })
}

fn improvement(metric: Metric, treatment: &CellRecord, control: &CellRecord) -> f64 {
    let (t, c) = (score(metric, treatment), score(metric, control));
    if metric.higher_is_better() {
        t - c
    } else {
        c - t
    }
}

fn score(metric: Metric, record: &CellRecord) -> f64 {
    // Finished cells have a last epoch; `Cells::sort` checked it.
    record.epochs.last().map_or(f64::NAN, |e| match metric {
        Metric::TestAccuracy => e.test.accuracy,
        Metric::TestNll => e.test.nll,
        Metric::TestEce => e.test.ece,
    })
}

fn question(contrast: &ContrastSummary) -> Option<Question> {
    if contrast.improvements.len() < FEWEST_PAIRS {
        return None;
    }
    Some(Question {
        differences: Sample::new(contrast.improvements.iter().map(|d| d.value).collect()).ok()?,
        prediction: prediction(contrast.expect),
        margin: contrast.margin,
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
