//! Minimum detectable effects of an experiment, before it is run.

use super::{Summary, contrast};
use crate::recipe::{DataName, TestSplit};
use crate::spec::{Arm, Contrast, Metric, Spec};
use crate::stats::{MinimumDetectable, Rule};
use ablate_models::zoo::ModelConfig;
use serde::Serialize;

/// Minimum detectable effects of one contrast, with all seeds of its spec.
///
/// They hold for the power of the rule and the level of the contrast's interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerForecast {
    /// Name of the contrast.
    pub contrast: String,
    /// Its metric.
    pub metric: Metric,
    /// The smallest difference that matters.
    pub margin: f64,
    /// Standard deviation of the paired differences; absent if unknown.
    pub sd: Option<f64>,
    /// Where `sd` comes from.
    pub source: SdSource,
    /// Minimum detectable difference; absent without `sd`.
    pub difference: Option<f64>,
    /// Minimum detectable margin of equivalence; absent without `sd`.
    pub equivalence_margin: Option<f64>,
}

/// Where the standard deviation of a forecast comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SdSource {
    /// The paired differences of recorded results.
    Recorded,
    /// Typical standard deviations of such arms over seeds, as if the pairs were independent.
    Assumed,
    /// Neither is available.
    Unknown,
}

/// Forecasts every contrast of `spec`, with the standard deviation in `recorded` if there is one.
pub fn power_forecast(spec: &Spec, recorded: Option<&Summary>) -> Vec<PowerForecast> {
    let rule = Rule::default();
    let primary = contrast::primary_count(spec);
    (spec.contrasts.iter())
        .map(|contrast| {
            let (sd, source) = standard_deviation(spec, contrast, recorded);
            let confidence = rule.confidence(if contrast.primary { primary } else { 1 });
            let minimum = MinimumDetectable::new(spec.seeds.len(), sd, confidence, rule.power);
            PowerForecast {
                contrast: contrast.name.clone(),
                metric: contrast.metric.clone(),
                margin: contrast.margin,
                sd,
                source,
                difference: minimum.difference,
                equivalence_margin: minimum.margin,
            }
        })
        .collect()
}

fn standard_deviation(
    spec: &Spec,
    contrast: &Contrast,
    recorded: Option<&Summary>,
) -> (Option<f64>, SdSource) {
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
        return (Some(sd), SdSource::Recorded);
    }
    if contrast.metric != Metric::TestAccuracy {
        return (None, SdSource::Unknown);
    }
    let parts = contrast
        .arms(&spec.arms)
        .map(|(arm, weight)| Some(weight * typical_sd(arm)?));
    match parts.collect::<Option<Vec<f64>>>() {
        Some(parts) => {
            let sd = parts.into_iter().fold(0.0, f64::hypot);
            (Some(sd), SdSource::Assumed)
        }
        None => (None, SdSource::Unknown),
    }
}

/// Typical standard deviation over seeds of a converged arm's test accuracy, in percentage points.
///
/// Known for training on a full data set with clean labels; else `None`.
fn typical_sd(arm: &Arm) -> Option<f64> {
    let net = arm.net()?;
    if net.data.subset.is_some() || net.data.label_noise > 0.0 {
        return None;
    }
    let dropout = &net.model.block().dropout;
    let drops = [dropout.rate, dropout.conv_rate, dropout.input_rate];
    let standard = net.data.test == TestSplit::Standard;
    match (net.data.name, &net.model) {
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

    fn assumed(spec: &Spec) -> PowerForecast {
        power_forecast(spec, None).remove(0)
    }

    #[test]
    fn without_records_typical_deviations_are_assumed() {
        let spec = fixture::spec(2, 20, 1);
        let found = assumed(&spec);
        let sd = 0.065 * 2f64.sqrt();
        assert_eq!(found.source, SdSource::Assumed);
        assert!((found.sd.unwrap() - sd).abs() < 1e-12);
        let sd = found.sd.unwrap();
        for (size, expected) in [
            (
                found.equivalence_margin,
                detectable_margin(sd, 20, 0.025, 0.8),
            ),
            (found.difference, detectable_difference(sd, 20, 0.05, 0.8)),
        ] {
            let ratio = size.unwrap() / expected.unwrap();
            assert!((ratio - 1.0).abs() < 1e-9, "{ratio}");
        }
    }

    #[test]
    fn typical_deviation_depends_on_dropout_and_data() {
        let mut spec = fixture::spec(2, 20, 1);
        let plain = assumed(&spec).sd;
        if let ModelConfig::Mlp(mlp) = &mut spec.arms[1].net_mut().unwrap().model {
            mlp.block.dropout.rate = 0.5;
        }
        assert!(assumed(&spec).sd > plain);
        spec.arms[0].net_mut().unwrap().data.subset = Some(500);
        let found = assumed(&spec);
        assert_eq!((found.sd, found.source), (None, SdSource::Unknown));
        assert_eq!((found.difference, found.equivalence_margin), (None, None));
    }

    #[test]
    fn other_metrics_have_no_assumed_deviation() {
        let mut spec = fixture::spec(2, 20, 1);
        spec.contrasts[0].metric = Metric::TestNll;
        assert_eq!(assumed(&spec).source, SdSource::Unknown);
    }

    #[test]
    fn recorded_deviation_reproduces_the_decision() {
        let spec = fixture::spec(3, 8, 2);
        let summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        for (forecast, contrast) in power_forecast(&spec, Some(&summary))
            .iter()
            .zip(&summary.contrasts)
        {
            let decision = contrast.decision.as_ref().unwrap();
            assert_eq!(forecast.source, SdSource::Recorded);
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
    fn exploratory_contrasts_do_not_weaken_a_primary() {
        let mut spec = fixture::spec(3, 20, 1);
        let two = assumed(&spec).difference;
        spec.contrasts[1].primary = false;
        let one = assumed(&spec).difference;
        assert!(one < two);
        spec.contrasts.pop();
        assert_eq!(assumed(&spec).difference, one);
    }
}
