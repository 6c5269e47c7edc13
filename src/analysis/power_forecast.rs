//! What an experiment can decide, before it is run.

use super::contrast::{self, prediction};
use super::experience::{self, Experience, recorded_error};
use super::{ContrastSummary, Summary};
use crate::spec::{Contrast, Expect, Metric, Spec};
use crate::stats::{MinimumDetectable, Rule, VerdictPower, seeds_for_verdicts};
use crate::text::number::{decimals, fixed};
use serde::Serialize;
use std::fmt;

/// What one contrast can decide with all seeds of its spec.
///
/// Sizes and probabilities hold for the power of the rule and the level of the contrast's interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PowerForecast {
    /// Name of the contrast.
    pub contrast: String,
    /// Its metric.
    pub metric: Metric,
    /// The smallest difference that matters.
    pub margin: f64,
    /// What it predicts.
    pub expect: Expect,
    /// Whether it gets a verdict.
    pub primary: bool,
    /// Number of seeds.
    pub seeds: usize,
    /// Standard deviation of the paired differences; absent if unknown.
    pub sd: Option<f64>,
    /// Where `sd` comes from.
    pub source: SdSource,
    /// The prediction, if it was not recorded.
    pub expected: Option<experience::SdPrediction>,
    /// Minimum detectable difference; absent without `sd`.
    pub difference: Option<f64>,
    /// Minimum detectable margin of equivalence; absent without `sd`.
    pub equivalence_margin: Option<f64>,
    /// Probability of the verdict *supported* for a true difference that the prediction describes, one
    /// margin away from what decides ([`VerdictPower`]); absent without `sd`.
    pub supported: Option<f64>,
    /// The same for *contradicted*.
    pub contradicted: Option<f64>,
    /// Smallest number of seeds with which both have the power of the rule; absent without `sd`, or if it
    /// is above [`crate::stats::MAX_SEEDS`].
    pub seeds_needed: Option<usize>,
}

/// Where the standard deviation of a forecast comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SdSource {
    /// The paired differences of recorded results.
    Recorded,
    /// The expected test error, the number of test images, and the experience with other experiments.
    Expected,
    /// Nothing is known.
    Unknown,
}

/// Forecasts every contrast of `spec`.
///
/// The standard deviation is that of the same contrast in `recorded`. Without one it is predicted from the
/// test error in percent: that of the arm in `recorded`, otherwise `expected_error`, otherwise the median
/// of similar nets in the committed results.
pub fn power_forecast(
    spec: &Spec,
    recorded: Option<&Summary>,
    expected_error: Option<f64>,
) -> Vec<PowerForecast> {
    let primary = contrast::primary_count(spec);
    let forecast = |contrast: &Contrast| {
        let known = recorded.and_then(|summary| recorded_sd(summary, contrast));
        let expected = match known {
            Some(_) => None,
            None => Experience::committed().predict(spec, contrast, |arm| {
                let recorded = recorded.and_then(|summary| recorded_error(summary, arm));
                recorded.or(expected_error)
            }),
        };
        let sd = known.or(expected.map(|found| found.sd));
        let source = match (known, expected) {
            (Some(_), _) => SdSource::Recorded,
            (None, Some(_)) => SdSource::Expected,
            (None, None) => SdSource::Unknown,
        };
        describe(spec, contrast, primary, sd, source, expected)
    };
    spec.contrasts.iter().map(forecast).collect()
}

fn describe(
    spec: &Spec,
    contrast: &Contrast,
    primary: usize,
    sd: Option<f64>,
    source: SdSource,
    expected: Option<experience::SdPrediction>,
) -> PowerForecast {
    let rule = Rule {
        looks: spec.looks.clone(),
        ..Rule::default()
    };
    let seeds = spec.seeds.len();
    let confidence = rule.confidence(if contrast.primary { primary } else { 1 });
    let minimum = MinimumDetectable::new(seeds, sd, confidence, rule.power);
    let (predicted, margin) = (prediction(contrast.expect), contrast.margin);
    let power = sd.and_then(|sd| VerdictPower::new(predicted, margin, sd, seeds, confidence));
    let needed = |sd| seeds_for_verdicts(predicted, margin, sd, confidence, rule.power);
    PowerForecast {
        contrast: contrast.name.clone(),
        metric: contrast.metric.clone(),
        margin,
        expect: contrast.expect,
        primary: contrast.primary,
        seeds,
        sd,
        source,
        expected,
        difference: minimum.difference,
        equivalence_margin: minimum.margin,
        supported: power.map(|power| power.supported),
        contradicted: power.map(|power| power.contradicted),
        seeds_needed: sd.filter(|_| contrast.primary).and_then(needed),
    }
}

/// The standard deviation of `contrast` in earlier results.
fn recorded_sd(summary: &Summary, contrast: &Contrast) -> Option<f64> {
    let same = |c: &&ContrastSummary| {
        let known = &c.contrast;
        (&known.name, &known.metric, known.when, &known.weights)
            == (
                &contrast.name,
                &contrast.metric,
                contrast.when,
                &contrast.weights,
            )
    };
    summary.contrasts.iter().find(same)?.decision.as_ref()?.sd
}

/// A primary contrast that may well stay undecided. `Display` says in which direction,
/// [`WeakContrast::advice`] says what to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeakContrast<'a> {
    forecast: &'a PowerForecast,
    supported: f64,
    contradicted: f64,
}

impl PowerForecast {
    /// This contrast, if it is primary and one of its verdicts has less than the power of the rule.
    pub fn weak(&self) -> Option<WeakContrast<'_>> {
        let (supported, contradicted) = match self.seeds {
            // A single difference has no interval, whatever its spread.
            0 | 1 => (0.0, 0.0),
            _ => (self.supported?, self.contradicted?),
        };
        let weak = self.primary && supported.min(contradicted) < Rule::default().power;
        weak.then_some(WeakContrast {
            forecast: self,
            supported,
            contradicted,
        })
    }

    /// A number in the unit of the metric, with decimals for its standard deviation.
    fn size(&self, x: f64) -> String {
        fixed(x, decimals(self.sd, 2))
    }
}

impl WeakContrast<'_> {
    /// What to do about it.
    pub fn advice(&self) -> String {
        let power = percent(Rule::default().power);
        match self.forecast.seeds_needed {
            Some(n) => format!(
                "`--seeds {n}` gives {power} in both directions; `ablate run --until-decided` adds \
                 seeds as needed"
            ),
            None => {
                "no feasible number of seeds suffices; widen the margin, or use more test images"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for WeakContrast<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forecast = self.forecast;
        let truth = |margins: f64| match margins {
            0.0 => "without any true difference".to_owned(),
            _ => format!(
                "for a true difference of {} {}",
                forecast.size(margins * forecast.margin),
                forecast.metric.unit()
            ),
        };
        let [first, second] = VerdictPower::truths(prediction(forecast.expect)).map(truth);
        write!(
            f,
            "contrast `{}` may stay undecided: with {} it is *supported* with {} probability {first}, \
             and *contradicted* with {} {second}",
            forecast.contrast,
            crate::text::counted(forecast.seeds, "seed"),
            percent(self.supported),
            percent(self.contradicted),
        )
    }
}

/// One line on all weak contrasts of an experiment; `None` if there are none. `option` is the option of the
/// command line that sets the number of seeds.
pub fn weak_contrasts(forecasts: &[PowerForecast], option: &str) -> Option<String> {
    let weak: Vec<WeakContrast<'_>> = forecasts.iter().filter_map(PowerForecast::weak).collect();
    let first = weak.first()?;
    let primary = forecasts.iter().filter(|f| f.primary).count();
    let needed = weak.iter().map(|w| w.forecast.seeds_needed);
    let advice = match needed
        .collect::<Option<Vec<usize>>>()
        .and_then(|n| n.into_iter().max())
    {
        Some(n) => format!(
            "`{option} {n}` gives every one {} power",
            percent(Rule::default().power)
        ),
        None => "for some no feasible number of seeds suffices".to_owned(),
    };
    Some(format!(
        "{} of {} may stay undecided with {}: {advice}; see `ablate plan`",
        weak.len(),
        crate::text::counted(primary, "primary contrast"),
        crate::text::counted(first.forecast.seeds, "seed"),
    ))
}

fn percent(share: f64) -> String {
    match share {
        s if s < 0.01 => "less than 1 %".to_owned(),
        s => format!("{:.0} %", 100.0 * s),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, summarize};
    use super::*;
    use crate::stats::{detectable_difference, detectable_margin};

    fn expected(spec: &Spec) -> PowerForecast {
        power_forecast(spec, None, None).remove(0)
    }

    #[test]
    fn without_records_the_deviation_is_predicted() {
        let spec = fixture::spec(2, 20, 1);
        let found = expected(&spec);
        assert_eq!(found.source, SdSource::Expected);
        let sd = found.sd.unwrap();
        assert_eq!(found.expected.unwrap().sd, sd);
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
    fn expected_error_replaces_missing_experience() {
        let mut spec = fixture::spec(2, 20, 1);
        spec.arms[0].net_mut().unwrap().data.subset = Some(500);
        let found = expected(&spec);
        assert_eq!((found.sd, found.source), (None, SdSource::Unknown));
        assert_eq!((found.difference, found.equivalence_margin), (None, None));
        assert_eq!(found.weak(), None);
        let sd = |error| power_forecast(&spec, None, Some(error))[0].sd.unwrap();
        // Twice the standard deviation for about four times the error.
        assert!((sd(40.0) / sd(7.5) - (40.0 * 60.0 / (7.5 * 92.5_f64)).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn recorded_deviation_reproduces_the_decision() {
        let spec = fixture::spec(3, 8, 2);
        let summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        let forecasts = power_forecast(&spec, Some(&summary), None);
        for (forecast, contrast) in forecasts.iter().zip(&summary.contrasts) {
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
    fn recorded_errors_serve_new_contrasts() {
        let mut spec = fixture::spec(2, 8, 1);
        let summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        spec.contrasts[0].name = "new".to_owned();
        let found = power_forecast(&spec, Some(&summary), Some(50.0)).remove(0);
        assert_eq!(found.source, SdSource::Expected);
        let mean = summary
            .arms
            .iter()
            .map(|arm| arm.test.as_ref().unwrap().accuracy.mean);
        let error = 100.0 - mean.sum::<f64>() / 2.0;
        assert!((found.expected.unwrap().error - error).abs() < 1e-9);
    }

    #[test]
    fn exploratory_contrasts_do_not_weaken_a_primary() {
        let mut spec = fixture::spec(3, 20, 1);
        let two = expected(&spec).difference;
        spec.contrasts[1].primary = false;
        let one = expected(&spec).difference;
        assert!(one < two);
        spec.contrasts.pop();
        assert_eq!(expected(&spec).difference, one);
    }

    #[test]
    fn weak_contrasts_are_named_with_the_seeds_they_need() {
        let mut spec = fixture::spec(2, 4, 1);
        spec.contrasts[0].margin = 0.1;
        let forecast = expected(&spec);
        let weak = forecast.weak().expect("four seeds are few");
        let text = weak.to_string();
        assert!(
            text.starts_with("contrast `b-vs-a` may stay undecided: with 4 seeds"),
            "{text}"
        );
        assert!(
            text.contains("probability without any true difference"),
            "{text}"
        );
        assert!(text.contains("for a true difference of 0.20"), "{text}");
        let needed = forecast.seeds_needed.unwrap();
        assert!(
            weak.advice()
                .starts_with(&format!("`--seeds {needed}` gives 80 %"))
        );
        let line = weak_contrasts(std::slice::from_ref(&forecast), "--seeds").unwrap();
        assert!(line.starts_with("1 of 1 primary contrast may stay undecided with 4 seeds"));

        spec.seeds = (0..needed as u64).collect();
        let enough = expected(&spec);
        assert_eq!(enough.weak(), None);
        assert_eq!(weak_contrasts(&[enough], "--seeds"), None);
    }

    #[test]
    fn exploratory_contrasts_are_never_weak() {
        let mut spec = fixture::spec(2, 1, 1);
        assert!(expected(&spec).weak().is_some(), "one seed has no interval");
        spec.contrasts[0].primary = false;
        assert_eq!(expected(&spec).weak(), None);
    }
}
