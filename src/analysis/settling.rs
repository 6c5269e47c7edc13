//! Whether the difference of a contrast has settled by the end of training.
//!
//! A difference read in mid-training is one about that training length. So every contrast that is read at
//! the last evaluation is checked: a line through the differences of each seed over the last 30 % of the
//! evaluations, at least three (see [`Trend`] for the rule and its error rates). A contrast at an epoch, a
//! step or equal scores names its own time and is not judged.
//!
//! Three evaluations are the fewest with which a line is more than the difference of two scores. Where
//! evaluations are unevenly spaced, the line is fitted against epochs or steps.

use super::{ContrastSummary, Course, PairedScores, Summary, Unjudged};
use crate::recipe::Length;
use crate::spec::{Contrast, Spec, When};
use crate::stats::{Interval, Movement, Rule, Sample, Trend, Verdict, fitted_change};
use crate::text::counted;
use serde::{Deserialize, Serialize};

/// Whether the difference of a contrast has settled, where that is a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Settling {
    /// A line was fitted to the end of its course.
    Fitted(FittedChange),
    /// It cannot be judged.
    NotJudged {
        /// Why.
        why: Unjudged,
        /// Lengths of training of the compared arms, each once; none for programs, which do not say them.
        lengths: Vec<Length>,
    },
}

/// The change of a difference over the last evaluations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedChange {
    /// Length of the training.
    pub length: Length,
    /// First evaluation of the window, in the unit of the length; the last one ends the training.
    pub from: usize,
    /// Number of evaluations in the window.
    pub evaluations: usize,
    /// Number of seeds.
    pub n: usize,
    /// Mean over seeds of the fitted change of the improvement, in the unit of the metric.
    pub change: f64,
    /// Confidence level of `interval`.
    pub confidence: f64,
    /// t interval of the change; absent for a few equal changes.
    pub interval: Option<Interval>,
    /// Largest change that does not matter: half the margin.
    pub limit: f64,
    /// What the interval shows.
    pub movement: Movement,
}

/// Judges `contrast`; `None` if it is not read at the last evaluation.
pub(super) fn judge(
    spec: &Spec,
    scores: &PairedScores<'_>,
    contrast: &Contrast,
) -> Option<Settling> {
    let not_judged = |why| Settling::NotJudged {
        why,
        lengths: lengths(spec, contrast),
    };
    (contrast.when == When::Last).then(|| {
        let fitted = Course::of(scores, contrast).and_then(|course| fit(&course, contrast));
        fitted.map_or_else(not_judged, Settling::Fitted)
    })
}

/// The lengths of training of the arms of `contrast`, each once.
fn lengths(spec: &Spec, contrast: &Contrast) -> Vec<Length> {
    let mut lengths = Vec::new();
    for weight in &contrast.weights {
        let arm = spec.arms.iter().find(|arm| arm.name == weight.arm);
        let length = arm.and_then(|arm| arm.net()).map(|net| net.train.length);
        lengths.extend(length.filter(|length| !lengths.contains(length)));
    }
    lengths
}

fn fit(course: &Course, contrast: &Contrast) -> Result<FittedChange, Unjudged> {
    let window = course.last_part().ok_or(Unjudged::FewEvaluations)?;
    let places = &course.places[window.clone()];
    let at: Vec<f64> = places.iter().map(|&place| place as f64).collect();
    let changes = course.seeds.iter();
    let changes = changes.filter_map(|seed| fitted_change(&at, &seed[window.clone()]));
    let changes = Sample::new(changes.collect()).map_err(|_| Unjudged::FewSeeds)?;
    if changes.len() < 2 {
        return Err(Unjudged::FewSeeds);
    }
    let confidence = Rule::default().confidence(1);
    let limit = contrast.margin / 2.0;
    let trend = Trend::of(&changes, confidence, limit);
    Ok(FittedChange {
        length: course.length,
        from: places[0],
        evaluations: places.len(),
        n: changes.len(),
        change: trend.change,
        confidence,
        interval: trend.interval,
        limit,
        movement: trend.movement,
    })
}

impl FittedChange {
    /// `20 epochs`, the length of the training.
    pub fn length_words(&self) -> String {
        length_words(self.length)
    }
}

fn length_words(length: Length) -> String {
    counted(length.count(), length.unit())
}

impl ContrastSummary {
    /// The fitted change at the end of training; `None` if it is not judged.
    pub fn fitted_change(&self) -> Option<&FittedChange> {
        match &self.settling {
            Some(Settling::Fitted(fitted)) => Some(fitted),
            Some(Settling::NotJudged { .. }) | None => None,
        }
    }

    /// `20 epochs`, if the difference is read after that training and is not shown to have settled.
    pub fn unsettled_after(&self) -> Option<String> {
        match self.settling.as_ref()? {
            Settling::Fitted(fitted) => {
                (fitted.movement != Movement::Settled).then(|| fitted.length_words())
            }
            Settling::NotJudged { lengths, .. } => {
                let words: Vec<String> = lengths.iter().copied().map(length_words).collect();
                (!words.is_empty()).then(|| words.join(" or "))
            }
        }
    }
}

impl Summary {
    /// The lengths after which the differences behind the verdict have not settled, such as `20 epochs`.
    /// `None` if it does not rest on any.
    pub fn unsettled_after(&self) -> Option<String> {
        let same = self.contrasts.iter().filter(|c| c.verdict == self.verdict);
        combined(self.verdict?, same.map(ContrastSummary::unsettled_after))
    }
}

/// The lengths after which the differences behind `verdict`, the answer to a stratum of `claim`, have not
/// settled, such as `20 epochs`. `None` if it does not rest on any.
pub(super) fn stratum_unsettled_after(
    claim: &str,
    stratum: Option<&str>,
    verdict: Verdict,
    summaries: &[Summary],
) -> Option<String> {
    let same = summaries
        .iter()
        .filter(|s| s.verdict_on(claim, stratum) == Some(verdict));
    let parts = same.map(|summary| {
        let own = summary
            .contrasts
            .iter()
            .filter(|c| c.tests(claim) && c.counts() && c.contrast.stratum.as_deref() == stratum);
        let own = own.filter(|c| c.verdict == Some(verdict));
        combined(verdict, own.map(ContrastSummary::unsettled_after))
    });
    combined(verdict, parts)
}

/// The lengths that qualify `verdict`, from those of all parts that have it. Support rests on every part,
/// so one unsettled part qualifies it. A contradiction rests on any part, so one settled part is enough.
pub(super) fn combined(
    verdict: Verdict,
    parts: impl Iterator<Item = Option<String>>,
) -> Option<String> {
    let parts: Vec<Option<String>> = parts.collect();
    let settled = parts.iter().any(Option::is_none);
    let mut lengths: Vec<String> = parts.into_iter().flatten().collect();
    lengths.sort();
    lengths.dedup();
    let qualified = match verdict {
        Verdict::Supported => !lengths.is_empty(),
        Verdict::Contradicted => !lengths.is_empty() && !settled,
        Verdict::Undecided => false,
    };
    qualified.then(|| lengths.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{contrast, records, spec, test_scores};
    use crate::analysis::summarize;
    use crate::record::CellRecord;
    use crate::spec::{Expect, Measure, Metric};

    /// Two arms with eight seeds whose difference at evaluation `k` from 0 is `difference(k)` and a noise
    /// of 0.01 that depends on the seed and the evaluation.
    fn along(epochs: usize, difference: impl Fn(usize) -> f64) -> (Spec, Vec<CellRecord>) {
        let spec = spec(2, 8, epochs);
        let mut records = records(&spec);
        for record in &mut records {
            for (k, epoch) in record.epochs.iter_mut().enumerate() {
                let noise = 0.01 * ((record.seed as usize * 7 + k * 5) % 3) as f64;
                test_scores(epoch).accuracy = match record.arm.as_str() {
                    "a" => 90.0,
                    _ => 90.0 + difference(k) + noise,
                };
            }
        }
        (spec, records)
    }

    fn fitted(spec: &Spec, records: &[CellRecord]) -> FittedChange {
        let summary = summarize(spec, records).unwrap();
        summary.contrasts[0].fitted_change().cloned().unwrap()
    }

    #[test]
    fn window_is_the_last_third_and_at_least_three() {
        let window = |n: usize| {
            let places = (1..=n).collect();
            let (length, seeds) = (Length::Epochs(n), Vec::new());
            let course = Course {
                length,
                places,
                seeds,
            };
            course.last_part().map(|part| part.len())
        };
        let found = [1, 2, 3, 5, 10, 11, 20, 100].map(window);
        let expected = [0, 0, 3, 3, 3, 4, 6, 30].map(|n| (n > 0).then_some(n));
        assert_eq!(found, expected);
    }

    #[test]
    fn growing_difference_moves_and_says_after_how_many_epochs() {
        let (mut spec, records) = along(20, |k| 0.1 * k as f64);
        spec.contrasts[0].expect = Expect::Better;
        let found = fitted(&spec, &records);
        assert_eq!((found.from, found.evaluations, found.n), (15, 6, 8));
        assert!((found.change - 0.5).abs() < 0.02, "{found:?}");
        assert_eq!((found.movement, found.limit), (Movement::Moves, 0.125));
        let summary = summarize(&spec, &records).unwrap();
        assert_eq!(
            summary.contrasts[0].verdict_words(),
            "supported after 20 epochs on this data set"
        );
        let words = summary.verdict_words();
        assert_eq!(words, "supported after 20 epochs on this data set");
    }

    #[test]
    fn early_changes_do_not_count() {
        let (spec, records) = along(20, |k| if k < 14 { -3.0 } else { 1.0 });
        assert_eq!(fitted(&spec, &records).movement, Movement::Settled);
        let words = summarize(&spec, &records).unwrap().contrasts[0].verdict_words();
        assert_eq!(words, "contradicted on this data set");
    }

    #[test]
    fn few_evaluations_and_single_measurements_are_not_judged() {
        let reason = |spec: &Spec, records: &[CellRecord]| {
            let summary = summarize(spec, records).unwrap();
            summary.contrasts[0].settling.clone()
        };
        let not_judged = |why, epochs| {
            let lengths = vec![Length::Epochs(epochs)];
            Some(Settling::NotJudged { why, lengths })
        };
        let (spec, records) = along(2, |_| 1.0);
        assert_eq!(
            reason(&spec, &records),
            not_judged(Unjudged::FewEvaluations, 2)
        );
        let summary = summarize(&spec, &records).unwrap();
        let after = summary.contrasts[0].unsettled_after();
        assert_eq!(after.as_deref(), Some("2 epochs"));
        let (mut spec, mut records) = along(4, |_| 1.0);
        spec.contrasts[0].metric = Metric::Probe(Measure::named("accuracy_gap").unwrap());
        assert_eq!(
            reason(&spec, &records),
            not_judged(Unjudged::MeasuredOnce, 4)
        );
        spec.contrasts[0] = contrast("b", "a", Expect::Better);
        records.retain(|record| record.seed == 3);
        assert_eq!(reason(&spec, &records), not_judged(Unjudged::FewSeeds, 4));
        spec.contrasts[0].when = When::Epoch(2);
        assert_eq!(reason(&spec, &records), None);
    }

    #[test]
    fn arms_of_unlike_lengths_are_not_judged() {
        let (mut spec, mut records) = along(5, |_| 1.0);
        spec.arms[1].net_mut().unwrap().train.length = Length::Epochs(4);
        for record in records.iter_mut().filter(|record| record.arm == "b") {
            record.epochs.truncate(4);
        }
        let summary = summarize(&spec, &records).unwrap();
        let contrast = &summary.contrasts[0];
        assert!(matches!(
            contrast.settling,
            Some(Settling::NotJudged {
                why: Unjudged::UnlikeLengths,
                ..
            })
        ));
        let mut words = contrast.unsettled_after().unwrap();
        words = words.replace("5 epochs or 4 epochs", "4 epochs or 5 epochs");
        assert_eq!(words, "4 epochs or 5 epochs");
    }

    #[test]
    fn lower_scores_count_with_the_sign_of_the_improvement() {
        let (mut spec, mut records) = along(20, |_| 0.0);
        spec.contrasts[0].metric = Metric::TestNll;
        for record in records.iter_mut().filter(|record| record.arm == "b") {
            for (k, epoch) in record.epochs.iter_mut().enumerate() {
                test_scores(epoch).nll = 2.0 - 0.08 * k as f64;
            }
        }
        for record in records.iter_mut().filter(|record| record.arm == "a") {
            record
                .epochs
                .iter_mut()
                .for_each(|e| test_scores(e).nll = 1.0);
        }
        assert!((fitted(&spec, &records).change - 0.4).abs() < 1e-9);
    }

    #[test]
    fn contradiction_by_a_settled_contrast_stands() {
        let spec = spec(3, 8, 10);
        let mut summary = summarize(&spec, &records(&spec)).unwrap();
        let moving = |contrast: &mut ContrastSummary, movement| {
            if let Some(Settling::Fitted(fitted)) = &mut contrast.settling {
                fitted.movement = movement;
            }
        };
        let mut words = |verdicts: [Verdict; 2], movements: [Movement; 2]| {
            for (k, contrast) in summary.contrasts.iter_mut().enumerate() {
                contrast.verdict = Some(verdicts[k]);
                moving(contrast, movements[k]);
            }
            summary.verdict = crate::stats::overall_verdict(verdicts);
            summary.verdict_words()
        };
        use Movement::{Moves, Settled, Unclear};
        use Verdict::{Contradicted, Supported, Undecided};
        for (verdicts, movements, expected) in [
            ([Supported; 2], [Settled; 2], "supported"),
            (
                [Supported; 2],
                [Settled, Moves],
                "supported after 10 epochs",
            ),
            (
                [Supported; 2],
                [Settled, Unclear],
                "supported after 10 epochs",
            ),
            ([Contradicted; 2], [Settled, Moves], "contradicted"),
            (
                [Contradicted; 2],
                [Moves; 2],
                "contradicted after 10 epochs",
            ),
            ([Contradicted, Supported], [Settled, Moves], "contradicted"),
            ([Undecided, Supported], [Moves; 2], "undecided"),
        ] {
            let words = words(verdicts, movements).replace(" on this data set", "");
            assert_eq!(words, expected);
        }
    }
}
