//! Effects of the factors as they came out: described for the reader, not tested.

use super::{Improvement, Scoreboard};
use crate::spec::{Between, Comparison, Metric, Spec, When};
use crate::stats::{Interval, Rule, Sample, t_interval};
use serde::{Deserialize, Serialize};

/// A main effect or an interaction of two factors, of a design that has every cell it needs.
///
/// It is described whether or not a contrast asks for it; only contrasts are tested, and only they
/// are corrected for each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectSummary {
    /// What is compared: a level of a factor with its first, between a level of another and its
    /// first for an interaction.
    pub comparison: Comparison,
    /// The measured quantity.
    pub metric: Metric,
    /// Seeds at which every cell finished.
    pub n: usize,
    /// Mean improvement.
    pub mean: f64,
    /// Its standard deviation over seeds; absent for one seed.
    pub sd: Option<f64>,
    /// The t interval of the mean, for itself alone; absent for one seed.
    pub interval: Option<Interval>,
}

/// Every level against the first of its factor, and every interaction of two such, for each metric
/// of the spec's contrasts (accuracy where there are none). What needs a cell that the design
/// leaves out, or of which no seed finished, is not there.
pub(super) fn describe(spec: &Spec, scores: &Scoreboard<'_>) -> Vec<EffectSummary> {
    let comparisons = comparisons(spec);
    (metrics(spec).into_iter())
        .flat_map(|metric| {
            let effect = |comparison: &Comparison| effect(spec, scores, comparison, &metric);
            comparisons.iter().filter_map(effect).collect::<Vec<_>>()
        })
        .collect()
}

/// The metrics that contrasts of `spec` compare, in their order.
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

fn comparisons(spec: &Spec) -> Vec<Comparison> {
    let against_first = |f: usize| {
        let levels = &spec.factors[f].levels;
        levels[1..]
            .iter()
            .map(|level| (level.name.clone(), levels[0].name.clone()))
    };
    let comparison = |f: usize, (treatment, control): (String, String), between: Vec<Between>| {
        Comparison::Effect {
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
    scores: &Scoreboard<'_>,
    comparison: &Comparison,
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
        interval: t_interval(&sample, Rule::default().confidence),
    })
}
