//! Main effects and interactions of factors: estimated for the reader, not tested.

use super::{Improvement, PairedScores};
use crate::spec::{Between, ContrastKind, Metric, Spec, Weight, When};
use crate::stats::{Interval, Rule, Sample, t_interval};
use serde::{Deserialize, Serialize};

/// Estimate of a main effect, or of an interaction of two factors.
///
/// Effects are estimated whether or not a contrast names them. Only contrasts have findings and verdicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectSummary {
    /// What is compared. Main effect: a level of a factor minus the first level. Interaction: that
    /// difference at a level of another factor minus the same at its first level.
    pub comparison: ContrastKind,
    /// The metric.
    pub metric: Metric,
    /// Number of seeds at which every arm of the comparison finished.
    pub n: usize,
    /// Mean improvement.
    pub mean: f64,
    /// Standard deviation over seeds; absent for a single seed.
    pub sd: Option<f64>,
    /// 95 % t interval of the mean, not adjusted; absent for a single seed.
    pub interval: Option<Interval>,
    /// Factors that a main effect averages over although an interaction with them is not excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixed_over: Vec<String>,
}

/// Estimates all main effects and two-factor interactions against first levels, for each metric of the
/// contrasts (test accuracy without contrasts).
///
/// An effect is left out if the design lacks an arm that it needs, or if no seed finished in all arms.
pub(super) fn estimate_all(spec: &Spec, scores: &PairedScores<'_>) -> Vec<EffectSummary> {
    let comparisons = comparisons(spec);
    (metrics(spec).into_iter())
        .flat_map(|metric| {
            let effect = |comparison: &ContrastKind| effect(spec, scores, comparison, &metric);
            comparisons.iter().filter_map(effect).collect::<Vec<_>>()
        })
        .collect()
}

/// The metrics of the contrasts of `spec`, in order of first use; test accuracy without contrasts.
pub(crate) fn metrics(spec: &Spec) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for contrast in &spec.contrasts {
        if !metrics.contains(&contrast.metric) {
            metrics.push(contrast.metric.clone());
        }
    }
    if metrics.is_empty() {
        metrics.push(Metric::TestAccuracy);
    }
    metrics
}

fn comparisons(spec: &Spec) -> Vec<ContrastKind> {
    let against_first = |f: usize| {
        let levels = &spec.factors[f].levels;
        levels[1..]
            .iter()
            .map(|level| (level.name.clone(), levels[0].name.clone()))
    };
    let comparison = |f: usize, (treatment, control): (String, String), between: Vec<Between>| {
        ContrastKind::Effect {
            factor: spec.factors[f].name.clone(),
            treatment,
            control,
            at: Vec::new(),
            between,
        }
    };
    let factors = 0..spec.factors.len();
    let mains = factors
        .clone()
        .flat_map(|f| against_first(f).map(move |pair| comparison(f, pair, Vec::new())));
    let pairs = factors
        .clone()
        .flat_map(|f| (f + 1..factors.end).map(move |g| (f, g)));
    let interactions = pairs.flat_map(|(f, g)| {
        against_first(g).flat_map(move |(first, second)| {
            let between = Between {
                factor: spec.factors[g].name.clone(),
                first,
                second,
            };
            against_first(f).map(move |pair| comparison(f, pair, vec![between.clone()]))
        })
    });
    mains.chain(interactions).collect()
}

fn effect(
    spec: &Spec,
    scores: &PairedScores<'_>,
    comparison: &ContrastKind,
    metric: &Metric,
) -> Option<EffectSummary> {
    let weights = comparison.weights(&spec.factors, &spec.arms, &[]).ok()?;
    let (improvements, _) = scores.improvements(&weights, metric, When::Last).ok()?;
    let values = |d: &Improvement| d.value;
    let sample = Sample::new(improvements.iter().map(values).collect()).ok()?;
    Some(EffectSummary {
        comparison: comparison.clone(),
        metric: metric.clone(),
        n: sample.len(),
        mean: sample.mean(),
        sd: sample.sd(),
        interval: t_interval(&sample, Rule::default().confidence(1)),
        mixed_over: mixed_over(
            spec,
            scores,
            comparison,
            (metric, When::Last),
            margin(spec, metric),
        ),
    })
}

/// The smallest margin of the contrasts of `metric`.
fn margin(spec: &Spec, metric: &Metric) -> Option<f64> {
    let own = spec.contrasts.iter().filter(|c| c.metric == *metric);
    own.map(|c| c.margin).reduce(f64::min)
}

/// The factors that a main effect averages over although an interaction with them is not excluded, in the
/// order of the spec.
///
/// An interaction is excluded if the 95 % interval of the difference between the effects at two levels
/// lies inside the margin, for every level against the first. Without a margin nothing is excluded. Empty
/// for comparisons that are no main effects.
pub(super) fn mixed_over(
    spec: &Spec,
    scores: &PairedScores<'_>,
    comparison: &ContrastKind,
    (metric, when): (&Metric, When),
    margin: Option<f64>,
) -> Vec<String> {
    let ContrastKind::Effect {
        factor: varied,
        at,
        between,
        ..
    } = comparison
    else {
        return Vec::new();
    };
    if !between.is_empty() {
        return Vec::new();
    }
    let excluded = |factor: &str, levels: &[String]| {
        let Some((first, others)) = levels.split_first() else {
            return true;
        };
        others.iter().all(|level| {
            let interaction = interaction(comparison, factor, level, first);
            let interval = (interaction.weights(&spec.factors, &spec.arms, &[]).ok())
                .and_then(|weights| interval(scores, &weights, metric, when));
            (interval.zip(margin)).is_some_and(|(i, m)| -m < i.low && i.high < m)
        })
    };
    let others = spec.factors.iter().filter(|factor| factor.name != *varied);
    let averaged = others.map(|factor| {
        let held = at.iter().find(|held| held.factor == factor.name);
        let all = || {
            factor
                .levels
                .iter()
                .map(|level| level.name.clone())
                .collect()
        };
        (
            &factor.name,
            held.map_or_else(all, |held| held.levels.clone()),
        )
    });
    averaged
        .filter(|(factor, levels)| !excluded(factor, levels))
        .map(|(factor, _)| factor.clone())
        .collect()
}

/// The main effect `comparison` at `level` of `factor` minus the same at `first`.
fn interaction(comparison: &ContrastKind, factor: &str, level: &str, first: &str) -> ContrastKind {
    let mut interaction = comparison.clone();
    if let ContrastKind::Effect { at, between, .. } = &mut interaction {
        at.retain(|held| held.factor != factor);
        between.push(Between {
            factor: factor.to_owned(),
            first: level.to_owned(),
            second: first.to_owned(),
        });
    }
    interaction
}

fn interval(
    scores: &PairedScores<'_>,
    weights: &[Weight],
    metric: &Metric,
    when: When,
) -> Option<Interval> {
    let (improvements, _) = scores.improvements(weights, metric, when).ok()?;
    let sample = Sample::new(improvements.iter().map(|i| i.value).collect()).ok()?;
    t_interval(&sample, Rule::default().confidence(1))
}
