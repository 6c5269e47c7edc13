//! The second population of a contrast: new data of the same kind.
//!
//! The interval that decides is about training again on this data set. For new data the images vary,
//! too. With test folds their part is estimated from the overlap of the folds, with a fixed test set
//! from the images that each net misclassifies.

use super::contrast::prediction;
use super::{ContrastSummary, PairedScores};
use crate::data::{SplitSizes, tests_on_folds};
use crate::recipe::DataConfig;
use crate::spec::{Arm, Metric, Spec, When};
use crate::stats::{Finding, Interval, Sample, Verdict, corrected_t_interval, two_way_interval};
use serde::{Deserialize, Serialize};

/// How the interval for new data was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewDataMethod {
    /// From test folds of one data set, corrected for their overlap (Nadeau and Bengio 2003): training
    /// and test images vary.
    Folds,
    /// From seeds and images of a fixed test set ([`two_way_interval`]): test images vary, training
    /// images do not.
    TestImages,
}

/// What a contrast shows for new data of the same kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewData {
    /// How the interval was computed.
    pub method: NewDataMethod,
    /// The interval, at the level of the one that decides.
    pub interval: Interval,
    /// What it shows.
    pub finding: Finding,
    /// What it would mean for the prediction; absent for an exploratory contrast, `undecided` if the
    /// verdict of the contrast is withheld.
    pub verdict: Option<Verdict>,
}

impl NewData {
    /// What `contrast` shows for new data. `None` if that is not known: without an interval for training
    /// again; for arms that are not all tested in the same way; and on a fixed test set for another
    /// metric than the last accuracy, and without the misclassified images of every cell.
    pub(super) fn of(
        spec: &Spec,
        scores: &PairedScores<'_>,
        contrast: &ContrastSummary,
    ) -> Option<Self> {
        let asked = &contrast.contrast;
        let confidence = contrast.decision.as_ref()?.confidence;
        contrast.interval()?;
        let named = |arm: &&Arm| asked.weights.iter().any(|term| term.arm == arm.name);
        let nets = spec.arms.iter().filter(named).map(Arm::net);
        let data: Vec<&DataConfig> = nets.map(|net| Some(&net?.data)).collect::<Option<_>>()?;
        let (method, interval) = match data.iter().all(|data| tests_on_folds(data)) {
            true => (
                NewDataMethod::Folds,
                from_folds(contrast, &data, confidence)?,
            ),
            false => (
                NewDataMethod::TestImages,
                from_images(scores, contrast, &data, confidence)?,
            ),
        };
        let (found, margin) = (Some(interval), asked.margin);
        let predicted = prediction(asked.expect);
        Some(Self {
            method,
            interval,
            finding: Finding::of(found, margin),
            verdict: (asked.primary).then(|| match contrast.withheld {
                Some(_) => Verdict::Undecided,
                None => Verdict::of(predicted, found, margin),
            }),
        })
    }
}

fn from_folds(
    contrast: &ContrastSummary,
    data: &[&DataConfig],
    confidence: f64,
) -> Option<Interval> {
    let ratios = data.iter().map(|data| test_to_train(data));
    let ratios = ratios.collect::<Option<Vec<f64>>>()?;
    let values = contrast.improvements.iter().map(|d| d.value).collect();
    let largest = ratios.into_iter().reduce(f64::max)?;
    corrected_t_interval(&Sample::new(values).ok()?, largest, confidence)
}

fn from_images(
    scores: &PairedScores<'_>,
    contrast: &ContrastSummary,
    data: &[&DataConfig],
    confidence: f64,
) -> Option<Interval> {
    let asked = &contrast.contrast;
    let same_images = (data.iter()).all(|d| {
        let same = (d.name, &d.content) == (data[0].name, &data[0].content);
        same && !tests_on_folds(d)
    });
    let of_images = asked.metric == Metric::TestAccuracy && asked.when == When::Last;
    if !same_images || !of_images {
        return None;
    }
    let seeds: Vec<u64> = contrast.improvements.iter().map(|d| d.seed).collect();
    two_way_interval(&scores.per_image(&asked.weights, &seeds)?, confidence)
}

/// Test images of a fold per image that its nets may train on.
///
/// A `subset` is left out: nets that train on fewer of the same images have less in common, so the
/// ratio of the whole training part is the cautious one.
fn test_to_train(data: &DataConfig) -> Option<f64> {
    let whole = DataConfig {
        subset: None,
        ..data.clone()
    };
    let sizes = SplitSizes::of_published(&whole).ok()?;
    Some(sizes.test as f64 / sizes.train as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};
    use crate::recipe::DataName;
    use crate::record::{CellRecord, Misclassified};
    use crate::spec::Expect;

    const IMAGES: u32 = 200;

    /// The contrast of two arms over 8 seeds, of which the second gets `gain` more of 200 images right,
    /// the same ones at every seed.
    fn contrast(gain: u32, change: impl Fn(&mut Spec, &mut Vec<CellRecord>)) -> ContrastSummary {
        let mut spec = fixture::spec(2, 8, 1);
        spec.contrasts[0].expect = Expect::Better;
        let mut records = fixture::records(&spec);
        for record in &mut records {
            let better = if record.arm == "b" { gain } else { 0 };
            let wrong = (0..20 - better).map(|k| 7 * k).collect();
            let list = Misclassified::new(IMAGES, IMAGES, wrong).unwrap();
            let epoch = record.epochs.last_mut().expect("an epoch");
            let scores = fixture::test_scores(epoch);
            // Equal differences at every seed would have no spread.
            let spread = 0.001 * (record.seed * u64::from(better)) as f64;
            scores.accuracy = list.accuracy() + spread;
            record.misclassified = Some(list);
        }
        change(&mut spec, &mut records);
        let summary = summarize(&spec, &records).expect("records of one run");
        summary.contrasts.into_iter().next().expect("a contrast")
    }

    fn data(arm: &mut Arm) -> &mut DataConfig {
        &mut arm.net_mut().expect("a net").data
    }

    fn on_digits(spec: &mut Spec, _: &mut Vec<CellRecord>) {
        spec.arms
            .iter_mut()
            .for_each(|arm| data(arm).name = DataName::Digits);
    }

    fn width(interval: Interval) -> f64 {
        interval.high - interval.low
    }

    #[test]
    fn folds_use_their_overlap_for_every_metric() {
        for metric in [Metric::TestAccuracy, Metric::TestNll, Metric::TestEce] {
            let found = contrast(3, |spec, records| {
                on_digits(spec, records);
                spec.contrasts[0].metric = metric.clone();
                // The ratio is that of the whole training part.
                data(&mut spec.arms[0]).subset = Some(100);
            });
            let new = found.new_data.as_ref().expect("known");
            assert_eq!(new.method, NewDataMethod::Folds);
            let ratio = width(new.interval) / width(found.interval().expect("8 seeds"));
            assert!((ratio - (1.0 + 8.0 * 359.0 / 1150.0_f64).sqrt()).abs() < 1e-9);
        }
    }

    #[test]
    fn fixed_test_set_uses_its_images() {
        let found = contrast(3, |_, _| ());
        let new = found.new_data.as_ref().expect("known");
        assert_eq!(new.method, NewDataMethod::TestImages);
        assert!(width(new.interval) > 1.5 * width(found.interval().expect("8 seeds")));
        assert!(new.interval.contains(1.5));
    }

    #[test]
    fn new_data_are_not_known_without_images() {
        type Change = fn(&mut Spec, &mut Vec<CellRecord>);
        let cases: [(&str, Change); 5] = [
            ("an older record", |_, records| {
                records[3].misclassified = None
            }),
            ("another metric", |spec, _| {
                spec.contrasts[0].metric = Metric::TestNll
            }),
            ("another epoch", |spec, _| {
                spec.contrasts[0].when = When::Epoch(1)
            }),
            ("another test set", |spec, _| {
                data(&mut spec.arms[1]).name = DataName::Digits
            }),
            ("one pair", |_, records| records.retain(|r| r.seed == 0)),
        ];
        for (case, change) in cases {
            let found = contrast(3, change);
            assert_eq!(found.new_data, None, "{case}");
            assert!(!found.holds_for_new_data(), "{case}");
        }
    }

    #[test]
    fn verdict_names_its_population() {
        let words = |gain, change: fn(&mut Spec, &mut Vec<CellRecord>)| {
            contrast(gain, change).verdict_words()
        };
        assert_eq!(
            words(19, |_, _| ()),
            "supported after 1 epoch, also for new data of this kind"
        );
        assert_eq!(
            words(1, |_, _| ()),
            "supported after 1 epoch on this data set"
        );
        assert_eq!(
            words(0, |_, _| ()),
            "contradicted after 1 epoch, also for new data of this kind"
        );
        assert_eq!(
            words(1, on_digits),
            "supported after 1 epoch, also for new data of this kind"
        );
        let old = |_: &mut Spec, records: &mut Vec<CellRecord>| records[0].misclassified = None;
        assert_eq!(words(1, old), "supported after 1 epoch on this data set");
        let exploratory = |spec: &mut Spec, _: &mut Vec<CellRecord>| {
            spec.contrasts[0].primary = false;
        };
        let found = contrast(19, exploratory);
        assert_eq!(found.verdict_words(), "exploratory");
        assert_eq!(found.new_data.expect("known").verdict, None);
    }
}
