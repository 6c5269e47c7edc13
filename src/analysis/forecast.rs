//! What a design will be able to show, before it is run.

use super::{Summary, contrast};
use crate::recipe::{DataName, TestSplit};
use crate::spec::{Arm, Contrast, Metric, Spec};
use crate::stats::{Rule, Sight};
use ablate_models::zoo::ModelConfig;
use serde::Serialize;

/// What one contrast will be able to show with all seeds of its spec, at the level that Holm's
/// adjustment asks of the smallest p-value, with the rule's power.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Name of the contrast.
    pub contrast: String,
    /// Its metric.
    pub metric: Metric,
    /// The smallest difference that it counts as one.
    pub margin: f64,
    /// Standard deviation of the paired differences; absent where nothing is known of it.
    pub sd: Option<f64>,
    /// Where that comes from.
    pub source: SpreadSource,
    /// The smallest true difference that it shows; absent without `sd`, or where no difference can
    /// be shown.
    pub difference: Option<f64>,
    /// The smallest margin within which it shows that there is no difference.
    pub equivalence_margin: Option<f64>,
}

/// Where the spread of a forecast comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadSource {
    /// The paired differences of recorded results.
    Recorded,
    /// Seed deviations that are usual for such arms, as if pairing removed nothing of them.
    Assumed,
    /// Nothing.
    Unknown,
}

/// Forecasts every contrast of `spec`, by the spread in `recorded` where there is one.
pub fn forecast(spec: &Spec, recorded: Option<&Summary>) -> Vec<Forecast> {
    let rule = Rule::default();
    let level = rule.alpha / spec.contrasts.len().max(1) as f64;
    (spec.contrasts.iter())
        .map(|contrast| {
            let (sd, source) = spread(spec, contrast, recorded);
            let prediction = contrast::prediction(contrast.expect);
            let sight = Sight::new(spec.seeds.len(), sd, prediction, &rule, level);
            Forecast {
                contrast: contrast.name.clone(),
                metric: contrast.metric.clone(),
                margin: contrast.margin,
                sd,
                source,
                difference: sight.difference,
                equivalence_margin: sight.margin,
            }
        })
        .collect()
}

fn spread(
    spec: &Spec,
    contrast: &Contrast,
    recorded: Option<&Summary>,
) -> (Option<f64>, SpreadSource) {
    let same = |c: &&super::ContrastSummary| {
        let known = &c.contrast;
        (&known.name, &known.metric, known.when, &known.weights)
            == (
                &contrast.name,
                &contrast.metric,
                contrast.when,
                &contrast.weights,
            )
    };
    let known = recorded.and_then(|summary| summary.contrasts.iter().find(same));
    if let Some(sd) = known.and_then(|c| c.decision.as_ref()?.sd) {
        return (Some(sd), SpreadSource::Recorded);
    }
    if contrast.metric != Metric::TestAccuracy {
        return (None, SpreadSource::Unknown);
    }
    let parts = contrast
        .arms(&spec.arms)
        .map(|(arm, weight)| Some(weight * usual_sd(arm)?));
    match parts.collect::<Option<Vec<f64>>>() {
        Some(parts) => {
            let sd = parts.into_iter().fold(0.0, f64::hypot);
            (Some(sd), SpreadSource::Assumed)
        }
        None => (None, SpreadSource::Unknown),
    }
}

/// Standard deviation over seeds of a converged arm's test accuracy, in points, where one is usual:
/// on all of the data, with clean labels.
fn usual_sd(arm: &Arm) -> Option<f64> {
    if arm.data.subset.is_some() || arm.data.label_noise > 0.0 {
        return None;
    }
    let dropout = &arm.model.block().dropout;
    let drops = [dropout.rate, dropout.conv_rate, dropout.input_rate];
    let standard = arm.data.test == TestSplit::Standard;
    match (arm.data.name, &arm.model) {
        // A fold has 359 images: one is 0.28 points.
        (DataName::Digits, _) => Some(0.4),
        (DataName::Mnist, ModelConfig::Cnn(_)) if standard => Some(0.04),
        (DataName::Mnist, ModelConfig::Mlp(_)) if standard => {
            Some(match drops.iter().any(|rate| *rate > 0.0) {
                true => 0.095,
                false => 0.065,
            })
        }
        (DataName::Mnist | DataName::FashionMnist | DataName::Kmnist, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, summarize};
    use super::*;
    use crate::stats::{detectable_difference, detectable_margin};

    fn assumed(spec: &Spec) -> Forecast {
        forecast(spec, None).remove(0)
    }

    #[test]
    fn without_records_usual_deviations_serve_as_if_unpaired() {
        let spec = fixture::spec(2, 20, 1);
        let found = assumed(&spec);
        let sd = 0.065 * 2f64.sqrt();
        assert_eq!(found.source, SpreadSource::Assumed);
        assert!((found.sd.unwrap() - sd).abs() < 1e-12);
        let sd = found.sd.unwrap();
        assert_eq!(
            found.equivalence_margin,
            detectable_margin(sd, 20, 0.05, 0.8)
        );
        let difference = found.difference.unwrap();
        let at_005 = detectable_difference(sd, 20, 0.05, 0.8).unwrap();
        assert!((difference / at_005 - 1.0).abs() < 0.01, "{difference}");
    }

    #[test]
    fn dropout_raises_the_usual_deviation_and_other_training_sets_have_none() {
        let mut spec = fixture::spec(2, 20, 1);
        let plain = assumed(&spec).sd;
        if let ModelConfig::Mlp(mlp) = &mut spec.arms[1].model {
            mlp.block.dropout.rate = 0.5;
        }
        assert!(assumed(&spec).sd > plain);
        spec.arms[0].data.subset = Some(500);
        let found = assumed(&spec);
        assert_eq!((found.sd, found.source), (None, SpreadSource::Unknown));
        assert_eq!((found.difference, found.equivalence_margin), (None, None));
    }

    #[test]
    fn nothing_is_assumed_of_other_metrics() {
        let mut spec = fixture::spec(2, 20, 1);
        spec.contrasts[0].metric = Metric::TestNll;
        assert_eq!(assumed(&spec).source, SpreadSource::Unknown);
    }

    #[test]
    fn the_forecast_for_recorded_results_is_what_their_decision_says() {
        let spec = fixture::spec(3, 8, 2);
        let summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        for (forecast, contrast) in forecast(&spec, Some(&summary))
            .iter()
            .zip(&summary.contrasts)
        {
            let decision = contrast.decision.as_ref().unwrap();
            assert_eq!(forecast.source, SpreadSource::Recorded);
            assert_eq!(
                (
                    forecast.sd,
                    forecast.difference,
                    forecast.equivalence_margin
                ),
                (decision.sd, decision.detectable, decision.detectable_margin)
            );
        }
    }

    #[test]
    fn too_few_seeds_for_any_difference_still_have_an_equivalence_margin() {
        let found = assumed(&fixture::spec(2, 4, 1));
        assert_eq!(found.difference, None);
        assert!(found.equivalence_margin.is_some());
    }
}
