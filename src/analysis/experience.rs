//! Recorded experience: how much differences between two arms vary over seeds, as a multiple of what the
//! error rate and the test size alone predict.
//!
//! If two nets err on `e` of `n` test images, independently of each other, the standard deviation of the
//! difference of their accuracies is `sqrt(2 e (1 - e) / n)`. Nets of one seed err partly on the same
//! images, which makes it smaller by `sqrt(1 - r)` for a correlation `r` between their errors; nets that
//! are better or worse as a whole make it larger. One factor covers both. The same base serves for NLL,
//! where the factor says by how many nats an image that changes sides changes its NLL.
//!
//! The table `experience.toml` has the median factor of the committed results for each data set and kind
//! of net. `cargo run --example error_rates -- experience` makes it.

use super::Summary;
use crate::plan::test_images;
use crate::recipe::{DataName, NetRecipe};
use crate::spec::{Arm, Contrast, Metric, Spec, When};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Fewest pairs of a contrast from which a standard deviation is learned.
const MIN_PAIRS: usize = 8;
/// Fewest contrasts behind a factor.
const MIN_CONTRASTS: usize = 4;

/// A standard deviation as a multiple of the binomial one, over recorded contrasts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Median. For accuracies without unit, for NLL in nats.
    pub median: f64,
    /// Four of five contrasts have a factor within this ratio of the median.
    pub spread: f64,
    /// Number of contrasts.
    pub contrasts: usize,
}

/// Kind of a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetKind {
    /// Dense layers only.
    Mlp,
    /// With convolutions.
    Cnn,
}

/// Experience with one data set and kind of net.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetExperience {
    /// Data set.
    pub data: DataName,
    /// Kind of net.
    pub kind: NetKind,
    /// Median test error of the arms in percent.
    pub error: f64,
    /// Factor of test accuracy, if there are enough contrasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Factor>,
    /// Factor of test NLL, if there are enough contrasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nll: Option<Factor>,
}

/// Experience with all nets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experience {
    /// Factor of test accuracy over all data sets and nets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Factor>,
    /// Factor of test NLL over all data sets and nets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nll: Option<Factor>,
    /// By data set and kind of net.
    #[serde(default)]
    pub nets: Vec<NetExperience>,
}

/// A predicted standard deviation, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SdPrediction {
    /// Standard deviation of the paired differences, in the unit of the metric.
    pub sd: f64,
    /// Expected test error in percent, the mean over the arms.
    pub error: f64,
    /// Test images per seed, the smallest number of any arm.
    pub images: usize,
    /// The factor.
    pub factor: Factor,
}

impl Experience {
    /// The experience of the committed results.
    pub fn committed() -> &'static Self {
        static TABLE: LazyLock<Experience> = LazyLock::new(|| {
            toml::from_str(include_str!("experience.toml")).expect("the table is a constant")
        });
        &TABLE
    }

    /// Learns from experiments and their results.
    pub fn learn<'a>(known: impl IntoIterator<Item = (&'a Spec, &'a Summary)>) -> Self {
        let mut learned: Vec<Learned> = Vec::new();
        let mut all = Learned::default();
        for (spec, summary) in known {
            for arm in spec.arms.iter().filter(|arm| is_usual(arm)) {
                if let Some((kind, error)) = net(arm).zip(recorded_error(summary, arm)) {
                    of_net(&mut learned, kind).errors.push(error);
                }
            }
            for contrast in &spec.contrasts {
                let Some((kind, factor)) = factor_of(spec, summary, contrast) else {
                    continue;
                };
                for place in [of_net(&mut learned, kind), &mut all] {
                    match contrast.metric {
                        Metric::TestNll => place.nll.push(factor),
                        _ => place.accuracy.push(factor),
                    }
                }
            }
        }
        let nets = learned.into_iter().filter_map(|mut of| {
            let (data, kind) = of.net?;
            Some(NetExperience {
                data,
                kind,
                error: quantile(&mut of.errors, 0.5)?,
                accuracy: typical(&mut of.accuracy),
                nll: typical(&mut of.nll),
            })
        });
        Self {
            nets: nets.collect(),
            accuracy: typical(&mut all.accuracy),
            nll: typical(&mut all.nll),
        }
    }

    /// Predicts the standard deviation of `contrast` without records of its own. The expected error of an
    /// arm, in percent, is what `error` returns, otherwise the median of similar recorded arms. `None` for
    /// other metrics, and without an expected error.
    pub fn predict(
        &self,
        spec: &Spec,
        contrast: &Contrast,
        error: impl Fn(&Arm) -> Option<f64>,
    ) -> Option<SdPrediction> {
        let arms: Vec<(&Arm, f64)> = contrast.arms(&spec.arms).collect();
        let (first, _) = arms.first()?;
        let common = arms.iter().all(|(arm, _)| net(arm) == net(first));
        let of_kind = |kind| self.nets.iter().find(|of| Some((of.data, of.kind)) == kind);
        let known = of_kind(net(first)).filter(|_| common);
        let factor = match contrast.metric {
            Metric::TestAccuracy => known.and_then(|of| of.accuracy).or(self.accuracy)?,
            Metric::TestNll => known.and_then(|of| of.nll).or(self.nll)?,
            Metric::TestEce | Metric::Probe(_) | Metric::Program(_) => return None,
        };
        if matches!(contrast.when, When::EqualAccuracy | When::EqualNll) {
            return None;
        }
        let expected = |arm: &Arm| {
            let similar = || of_kind(net(arm)).filter(|_| is_usual(arm));
            error(arm).or_else(|| similar().map(|of| of.error))
        };
        let errors = arms
            .iter()
            .map(|(arm, _)| expected(arm))
            .collect::<Option<Vec<f64>>>()?;
        let base = binomial_sd(arms.iter().copied().zip(errors.iter().copied()))?;
        let sd = match contrast.metric {
            Metric::TestNll => factor.median * base / 100.0,
            _ => factor.median * base,
        };
        Some(SdPrediction {
            sd,
            error: errors.iter().sum::<f64>() / errors.len() as f64,
            images: arms.iter().filter_map(|(arm, _)| images(arm)).min()?,
            factor,
        })
    }
}

/// Test error of `arm` in `summary` in percent.
pub(super) fn recorded_error(summary: &Summary, arm: &Arm) -> Option<f64> {
    let test = summary.arm(&arm.name)?.test.as_ref()?;
    Some(100.0 - test.accuracy.mean)
}

/// Factors and errors of one kind of net, before they are summarized.
#[derive(Default)]
struct Learned {
    net: Option<(DataName, NetKind)>,
    errors: Vec<f64>,
    accuracy: Vec<f64>,
    nll: Vec<f64>,
}

fn of_net(learned: &mut Vec<Learned>, net: (DataName, NetKind)) -> &mut Learned {
    let index = learned.iter().position(|of| of.net == Some(net));
    let index = index.unwrap_or_else(|| {
        learned.push(Learned {
            net: Some(net),
            ..Learned::default()
        });
        learned.len() - 1
    });
    &mut learned[index]
}

/// Data set and kind of net of an arm; `None` for a program and for a net that is not of the zoo.
fn net(arm: &Arm) -> Option<(DataName, NetKind)> {
    let net = arm.net()?;
    let kind = match net.model.conv_widths() {
        [] => NetKind::Mlp,
        _ => NetKind::Cnn,
    };
    (net.model.has_blocks()).then_some((net.data.name, kind))
}

/// Whether an arm trains a net on all of a data set with clean labels, so that its error is typical.
fn is_usual(arm: &Arm) -> bool {
    let clean = |net: &NetRecipe| net.data.subset.is_none() && net.data.label_noise == 0.0;
    arm.net().is_some_and(clean)
}

/// Test images per seed; `None` for a program.
fn images(arm: &Arm) -> Option<usize> {
    Some(test_images(&arm.net()?.data))
}

/// The kind of net and the factor of a recorded contrast; `None` if nothing can be learned from it: another
/// metric or evaluation, arms of several kinds or of unusual data, few pairs, or equal pairs.
fn factor_of(
    spec: &Spec,
    summary: &Summary,
    contrast: &Contrast,
) -> Option<((DataName, NetKind), f64)> {
    let learnable = matches!(contrast.metric, Metric::TestAccuracy | Metric::TestNll);
    if !learnable || contrast.when != When::Last {
        return None;
    }
    let found = summary.contrasts.iter().find(|c| c.contrast == *contrast)?;
    let decision = found.decision.as_ref().filter(|d| d.n >= MIN_PAIRS)?;
    let sd = decision.sd.filter(|sd| *sd > 0.0)?;
    let arms: Vec<(&Arm, f64)> = contrast.arms(&spec.arms).collect();
    let (first, _) = arms.first()?;
    if !arms
        .iter()
        .all(|(arm, _)| net(arm) == net(first) && is_usual(arm))
    {
        return None;
    }
    let errors = arms.iter().map(|(arm, _)| recorded_error(summary, arm));
    let errors = errors.collect::<Option<Vec<f64>>>()?;
    let base = binomial_sd(arms.iter().copied().zip(errors))?;
    let factor = match contrast.metric {
        Metric::TestNll => 100.0 * sd / base,
        _ => sd / base,
    };
    Some((net(first)?, factor)).filter(|_| base > 0.0)
}

/// Standard deviation in points of a weighted sum of accuracies whose errors are independent; `None` for
/// programs.
fn binomial_sd<'a>(arms: impl Iterator<Item = ((&'a Arm, f64), f64)>) -> Option<f64> {
    let variance = arms.map(|((arm, weight), error)| {
        let rate = (error / 100.0).clamp(0.0, 1.0);
        Some(weight * weight * rate * (1.0 - rate) / images(arm)? as f64)
    });
    Some(100.0 * variance.sum::<Option<f64>>()?.sqrt())
}

fn typical(factors: &mut [f64]) -> Option<Factor> {
    if factors.len() < MIN_CONTRASTS {
        return None;
    }
    let median = quantile(factors, 0.5)?;
    let mut ratios: Vec<f64> = factors
        .iter()
        .map(|f| (f / median).max(median / f))
        .collect();
    Some(Factor {
        median,
        spread: quantile(&mut ratios, 0.8)?,
        contrasts: factors.len(),
    })
}

fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let sample = crate::stats::Sample::new(values.to_vec()).ok()?;
    Some(sample.quantile(share))
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, summarize};
    use super::*;
    use std::path::Path;

    /// The committed experiments that have a summary.
    pub(crate) fn committed() -> Vec<(Spec, Summary)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let specs = crate::spec::all(&root.join("experiments")).unwrap();
        let with_summary = |spec: Spec| {
            let path = root.join("results").join(&spec.name).join("summary.json");
            let text = std::fs::read_to_string(path).ok()?;
            Some((spec, serde_json::from_str(&text).ok()?))
        };
        specs.into_iter().filter_map(with_summary).collect()
    }

    fn near(a: Option<Factor>, b: Option<Factor>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a.median / b.median).ln().abs() < 1.3_f64.ln(),
            (None, None) => true,
            _ => false,
        }
    }

    #[test]
    fn table_agrees_with_the_committed_results() {
        let known = committed();
        let learned = Experience::learn(known.iter().map(|(spec, summary)| (spec, summary)));
        let table = Experience::committed();
        let advice = "make it again: cargo run --example error_rates -- experience > experience.new \
                      && mv experience.new src/analysis/experience.toml";
        assert!(
            near(learned.accuracy, table.accuracy),
            "{advice}\n{learned:#?}"
        );
        assert!(near(learned.nll, table.nll), "{advice}\n{learned:#?}");
        for of in &learned.nets {
            let row = table
                .nets
                .iter()
                .find(|row| (row.data, row.kind) == (of.data, of.kind));
            let row = row.unwrap_or_else(|| panic!("{advice}\n{of:?}"));
            let agrees = near(of.accuracy, row.accuracy) && near(of.nll, row.nll);
            let error = (of.error / row.error).ln().abs() < 1.3_f64.ln();
            assert!(agrees && error, "{advice}\n{of:?}\n{row:?}");
        }
    }

    /// Every committed contrast, predicted from all other experiments.
    #[test]
    fn committed_deviations_are_predicted_within_a_factor_of_two() {
        let known = committed();
        let (mut within, mut all) = (0, 0);
        for (spec, summary) in &known {
            let others = known.iter().filter(|(other, _)| other.name != spec.name);
            let experience = Experience::learn(others.map(|(spec, summary)| (spec, summary)));
            for contrast in &spec.contrasts {
                if factor_of(spec, summary, contrast).is_none() {
                    continue;
                }
                let Some(predicted) = experience.predict(spec, contrast, |_| None) else {
                    continue;
                };
                let found = summary
                    .contrasts
                    .iter()
                    .find(|c| c.contrast == *contrast)
                    .unwrap();
                let actual = found.decision.as_ref().unwrap().sd.unwrap();
                let ratio = predicted.sd / actual;
                all += 1;
                within += usize::from((0.5..2.0).contains(&ratio));
            }
        }
        assert!(all > 40, "{all}");
        assert!(within as f64 > 0.6 * f64::from(all), "{within} of {all}");
    }

    #[test]
    fn prediction_is_the_factor_times_the_binomial_deviation() {
        let spec = fixture::spec(2, 20, 1);
        let factor = Factor {
            median: 0.75,
            spread: 1.5,
            contrasts: 9,
        };
        let experience = Experience {
            accuracy: Some(factor),
            ..Experience::default()
        };
        let contrast = &spec.contrasts[0];
        assert_eq!(experience.predict(&spec, contrast, |_| None), None);
        let found = experience.predict(&spec, contrast, |_| Some(2.0)).unwrap();
        // MNIST: 10,000 images.
        let expected = 0.75 * 100.0 * (2.0 * 0.02 * 0.98 / 10_000.0_f64).sqrt();
        assert!((found.sd / expected - 1.0).abs() < 1e-12);
        assert_eq!((found.error, found.images), (2.0, 10_000));
    }

    #[test]
    fn unusual_data_have_no_expected_error() {
        let mut spec = fixture::spec(2, 20, 1);
        let experience = Experience::committed();
        let predict = |spec: &Spec| experience.predict(spec, &spec.contrasts[0], |_| None);
        assert!(predict(&spec).is_some());
        spec.contrasts[0].metric = Metric::TestNll;
        assert!(predict(&spec).is_some());
        spec.contrasts[0].metric = Metric::TestEce;
        assert_eq!(predict(&spec), None);
        spec.contrasts[0].metric = Metric::TestAccuracy;
        spec.arms[0].net_mut().unwrap().data.subset = Some(500);
        assert_eq!(predict(&spec), None);
    }

    #[test]
    fn few_pairs_and_equal_pairs_teach_nothing() {
        for seeds in [7, 8] {
            let spec = fixture::spec(5, seeds, 1);
            let summary = summarize(&spec, &fixture::records(&spec)).unwrap();
            let learned = Experience::learn([(&spec, &summary)]);
            assert_eq!(learned.nets.len(), 1);
            assert_eq!(learned.accuracy.is_some(), seeds == 8);
        }
    }
}
