//! The decision rule: what one interval shows, and what that means for a prediction.
//!
//! Everything is read off one two-sided t interval of the mean difference and the margin `m`. Positive
//! differences mean that the treatment is better. With `k` primary contrasts in an experiment the level
//! of their intervals is `1 - alpha / k` ([`Rule::confidence`]).
//!
//! | prediction | supported | contradicted |
//! |---|---|---|
//! | better | the interval lies above 0 | the interval lies below `m` |
//! | worse | the interval lies below 0 | the interval lies above `-m` |
//! | equivalent | the interval lies inside `±m` | the interval lies above `m` or below `-m` |
//! | differs | the interval excludes 0 | the interval lies inside `±m` |
//!
//! Otherwise the verdict is *undecided*. An end of the interval that is exactly 0 or at the margin does
//! not decide. A difference can be shown to exist and to be smaller than the margin. `better`, `worse`
//! and `differs` are then *supported*, and [`Finding::is_too_small`] says that it does not matter.
//!
//! **Error rates.** A wrong finding or verdict needs an interval that misses the true difference. That
//! happens for any of the primary contrasts with a probability of at most `alpha`, if the differences
//! are normal; [`error_rates`](super::error_rates()) simulates other distributions. Where seeds were added
//! after looking at the results, [`Looks`] keep that probability.
//!
//! **Undecided** and **unclear** never mean "no difference".

use super::interval::Interval;
use super::looks::Looks;
use serde::{Deserialize, Serialize};

/// What the data say about a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The prediction is shown to be true.
    Supported,
    /// The prediction is shown to be false.
    Contradicted,
    /// Neither is shown.
    Undecided,
}

/// What the data show, whatever was predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The treatment is better by more than the margin.
    BetterByMore,
    /// The treatment is better; the difference may be below or above the margin.
    Better,
    /// The treatment is better by less than the margin.
    BetterTooSmall,
    /// The difference is smaller than the margin, in either direction or none.
    NoDifferenceThatMatters,
    /// The treatment is worse by less than the margin.
    WorseTooSmall,
    /// The treatment is worse; the difference may be below or above the margin.
    Worse,
    /// The treatment is worse by more than the margin.
    WorseByMore,
    /// None of these is shown.
    Unclear,
}

/// What is predicted of the treatment compared with the control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The treatment is better.
    Better,
    /// The treatment is worse.
    Worse,
    /// They are equal within the margin.
    Equivalent,
    /// They differ, in either direction.
    Differs,
}

/// Error rate, power, number of resamples, and looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Largest probability that the interval of any primary contrast of an experiment misses the true
    /// difference; in `(0, 0.5)`.
    pub alpha: f64,
    /// Power at which a difference counts as detectable; in `(0, 1)`.
    pub power: f64,
    /// Number of resamples of the checks: bootstrap samples, and random sign patterns where not all
    /// are counted; at least 1.
    pub resamples: usize,
    /// Looks at the results so far, if seeds were added after a look; they make the intervals longer.
    pub looks: Option<Looks>,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            alpha: 0.05,
            power: 0.8,
            resamples: 10_000,
            looks: None,
        }
    }
}

impl Rule {
    /// Confidence level of the interval of each of `primary` contrasts; `1 - alpha` for one contrast, and
    /// for everything that is estimated without a verdict. After several looks it is the level at the
    /// last one.
    ///
    /// # Panics
    /// If `alpha` is not in `(0, 0.5)`.
    pub fn confidence(&self, primary: usize) -> f64 {
        assert!(
            self.alpha > 0.0 && self.alpha < 0.5,
            "`alpha` must be in (0, 0.5), not {}",
            self.alpha
        );
        let alpha = self.alpha / primary.max(1) as f64;
        1.0 - self
            .looks
            .as_ref()
            .map_or(alpha, |looks| looks.level(alpha))
    }
}

impl Finding {
    /// What `interval` shows for a difference that matters from `margin` on. *Unclear* without an
    /// interval.
    pub fn of(interval: Option<Interval>, margin: f64) -> Self {
        let Some(Interval { low, high }) = interval else {
            return Self::Unclear;
        };
        if low > 0.0 {
            match (low > margin, high < margin) {
                (true, _) => Self::BetterByMore,
                (_, true) => Self::BetterTooSmall,
                _ => Self::Better,
            }
        } else if high < 0.0 {
            match (high < -margin, low > -margin) {
                (true, _) => Self::WorseByMore,
                (_, true) => Self::WorseTooSmall,
                _ => Self::Worse,
            }
        } else if -margin < low && high < margin {
            Self::NoDifferenceThatMatters
        } else {
            Self::Unclear
        }
    }

    /// Whether the treatment is shown to be better.
    pub fn is_better(self) -> bool {
        matches!(
            self,
            Self::BetterByMore | Self::Better | Self::BetterTooSmall
        )
    }

    /// Whether the treatment is shown to be worse.
    pub fn is_worse(self) -> bool {
        matches!(self, Self::WorseByMore | Self::Worse | Self::WorseTooSmall)
    }

    /// Whether a difference is shown to exist and to be smaller than the margin.
    pub fn is_too_small(self) -> bool {
        matches!(self, Self::BetterTooSmall | Self::WorseTooSmall)
    }

    /// Whether the difference is shown to be smaller than the margin.
    pub fn is_inside_margin(self) -> bool {
        self.is_too_small() || self == Self::NoDifferenceThatMatters
    }

    /// Whether the difference is shown to be larger than the margin.
    pub fn is_outside_margin(self) -> bool {
        matches!(self, Self::BetterByMore | Self::WorseByMore)
    }
}

impl Verdict {
    /// What `interval` says about `prediction`. *Undecided* without an interval.
    pub fn of(prediction: Prediction, interval: Option<Interval>, margin: f64) -> Self {
        let Some(Interval { low, high }) = interval else {
            return Self::Undecided;
        };
        let finding = Finding::of(interval, margin);
        let (supported, contradicted) = match prediction {
            Prediction::Better => (finding.is_better(), high < margin),
            Prediction::Worse => (finding.is_worse(), low > -margin),
            Prediction::Equivalent => (finding.is_inside_margin(), finding.is_outside_margin()),
            Prediction::Differs => (
                finding.is_better() || finding.is_worse(),
                finding.is_inside_margin(),
            ),
        };
        match (supported, contradicted) {
            (true, _) => Self::Supported,
            (false, true) => Self::Contradicted,
            (false, false) => Self::Undecided,
        }
    }
}

/// Combines the verdicts on the primary contrasts of an experiment.
///
/// Contradicted if any contrast is, supported if all are, else undecided. `None` without contrasts.
pub fn overall_verdict(verdicts: impl IntoIterator<Item = Verdict>) -> Option<Verdict> {
    verdicts.into_iter().reduce(|all, next| match (all, next) {
        (Verdict::Contradicted, _) | (_, Verdict::Contradicted) => Verdict::Contradicted,
        (Verdict::Supported, Verdict::Supported) => Verdict::Supported,
        _ => Verdict::Undecided,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Prediction; 4] = [
        Prediction::Better,
        Prediction::Worse,
        Prediction::Equivalent,
        Prediction::Differs,
    ];

    fn verdicts(low: f64, high: f64) -> [Verdict; 4] {
        ALL.map(|prediction| Verdict::of(prediction, Some(Interval { low, high }), 1.0))
    }

    #[test]
    fn every_position_of_the_interval_has_its_words() {
        use Finding::*;
        use Verdict::{Contradicted as No, Supported as Yes, Undecided as Open};
        // Ends with a margin of 1; verdicts on better, worse, equivalent, differs.
        for (low, high, finding, expected) in [
            (1.5, 2.0, BetterByMore, [Yes, No, No, Yes]),
            (0.5, 2.0, Better, [Yes, No, Open, Yes]),
            (0.2, 0.8, BetterTooSmall, [Yes, No, Yes, Yes]),
            (-0.5, 0.5, NoDifferenceThatMatters, [No, No, Yes, No]),
            (-0.8, -0.2, WorseTooSmall, [No, Yes, Yes, Yes]),
            (-2.0, -0.5, Worse, [No, Yes, Open, Yes]),
            (-2.0, -1.5, WorseByMore, [No, Yes, No, Yes]),
            (-0.5, 2.0, Unclear, [Open, No, Open, Open]),
            (-2.0, 0.5, Unclear, [No, Open, Open, Open]),
            (-2.0, 2.0, Unclear, [Open; 4]),
            // Ends exactly at 0 or at the margin do not decide.
            (0.0, 2.0, Unclear, [Open, No, Open, Open]),
            (0.0, 0.5, NoDifferenceThatMatters, [No, No, Yes, No]),
            (-0.5, 0.0, NoDifferenceThatMatters, [No, No, Yes, No]),
            (-2.0, 0.0, Unclear, [No, Open, Open, Open]),
            (0.2, 1.0, Better, [Yes, No, Open, Yes]),
            (1.0, 2.0, Better, [Yes, No, Open, Yes]),
            (-1.0, -0.2, Worse, [No, Yes, Open, Yes]),
            (-2.0, -1.0, Worse, [No, Yes, Open, Yes]),
            (-0.5, 1.0, Unclear, [Open, No, Open, Open]),
            (-1.0, 0.5, Unclear, [No, Open, Open, Open]),
            (-1.0, 1.0, Unclear, [Open; 4]),
            // Points.
            (0.0, 0.0, NoDifferenceThatMatters, [No, No, Yes, No]),
            (1.0, 1.0, Better, [Yes, No, Open, Yes]),
        ] {
            let interval = Some(Interval { low, high });
            assert_eq!(Finding::of(interval, 1.0), finding, "{low} {high}");
            assert_eq!(verdicts(low, high), expected, "{low} {high}");
        }
    }

    #[test]
    fn without_an_interval_nothing_is_decided() {
        assert_eq!(Finding::of(None, 1.0), Finding::Unclear);
        for prediction in ALL {
            assert_eq!(Verdict::of(prediction, None, 1.0), Verdict::Undecided);
        }
    }

    #[test]
    fn unknown_margin_decides_directions_only() {
        let interval = Some(Interval {
            low: 0.1,
            high: 0.2,
        });
        assert_eq!(Finding::of(interval, f64::NAN), Finding::Better);
        for (prediction, expected) in ALL.into_iter().zip([
            Verdict::Supported,
            Verdict::Undecided,
            Verdict::Undecided,
            Verdict::Supported,
        ]) {
            let verdict = Verdict::of(prediction, interval, f64::NAN);
            assert_eq!(verdict, expected, "{prediction:?}");
        }
    }

    #[test]
    fn level_is_divided_by_the_primary_contrasts() {
        let rule = Rule::default();
        assert_eq!(
            [0, 1, 2, 4].map(|k| rule.confidence(k)),
            [0.95, 0.95, 0.975, 0.9875]
        );
    }

    #[test]
    #[should_panic(expected = "`alpha` must be in (0, 0.5)")]
    fn alpha_of_one_half_panics() {
        let rule = Rule {
            alpha: 0.5,
            ..Rule::default()
        };
        rule.confidence(1);
    }

    #[test]
    fn one_contradiction_outweighs_all_support() {
        use Verdict::{Contradicted, Supported, Undecided};
        assert_eq!(overall_verdict([]), None);
        for (verdicts, expected) in [
            (vec![Supported, Supported], Supported),
            (vec![Undecided], Undecided),
            (vec![Supported, Undecided, Supported], Undecided),
            (vec![Undecided, Supported, Contradicted], Contradicted),
            (vec![Contradicted, Undecided, Supported], Contradicted),
        ] {
            assert_eq!(overall_verdict(verdicts), Some(expected));
        }
    }

    fn mirrored(finding: Finding) -> Finding {
        match finding {
            Finding::BetterByMore => Finding::WorseByMore,
            Finding::Better => Finding::Worse,
            Finding::BetterTooSmall => Finding::WorseTooSmall,
            Finding::WorseTooSmall => Finding::BetterTooSmall,
            Finding::Worse => Finding::Better,
            Finding::WorseByMore => Finding::BetterByMore,
            same @ (Finding::NoDifferenceThatMatters | Finding::Unclear) => same,
        }
    }

    /// Ends and margins on a coarse grid, so that equal values occur.
    fn end() -> impl Strategy<Value = f64> {
        (-8i32..=8).prop_map(|x| f64::from(x) / 4.0)
    }

    proptest! {
        #[test]
        fn swapping_the_arms_mirrors_finding_and_verdict(
            a in end(), b in end(), margin in (1i32..6).prop_map(|x| f64::from(x) / 4.0),
        ) {
            let here = Some(Interval { low: a.min(b), high: a.max(b) });
            let there = Some(Interval { low: -a.max(b), high: -a.min(b) });
            prop_assert_eq!(Finding::of(there, margin), mirrored(Finding::of(here, margin)));
            for (prediction, other) in ALL.into_iter().zip([
                Prediction::Worse,
                Prediction::Better,
                Prediction::Equivalent,
                Prediction::Differs,
            ]) {
                prop_assert_eq!(
                    Verdict::of(prediction, here, margin),
                    Verdict::of(other, there, margin)
                );
            }
        }

        #[test]
        fn shorter_interval_keeps_support(
            ends in prop::collection::vec(end(), 4), margin in (1i32..6).prop_map(|x| f64::from(x) / 4.0),
        ) {
            let mut ends = ends;
            ends.sort_by(f64::total_cmp);
            let wide = Some(Interval { low: ends[0], high: ends[3] });
            let narrow = Some(Interval { low: ends[1], high: ends[2] });
            for prediction in ALL {
                let (before, after) =
                    (Verdict::of(prediction, wide, margin), Verdict::of(prediction, narrow, margin));
                match before {
                    Verdict::Supported => prop_assert_eq!(after, Verdict::Supported),
                    // A gain below the margin is shown where the wide interval only ruled out more.
                    Verdict::Contradicted if after == Verdict::Supported => {
                        prop_assert!(Finding::of(narrow, margin).is_too_small());
                    }
                    Verdict::Contradicted => prop_assert_eq!(after, Verdict::Contradicted),
                    Verdict::Undecided => {}
                }
            }
        }

        #[test]
        fn opposite_predictions_are_not_both_supported(
            a in end(), b in end(), margin in (1i32..6).prop_map(|x| f64::from(x) / 4.0),
        ) {
            let [better, worse, _, differs] =
                ALL.map(|p| Verdict::of(p, Some(Interval { low: a.min(b), high: a.max(b) }), margin));
            prop_assert!(better != Verdict::Supported || worse == Verdict::Contradicted);
            prop_assert!(worse != Verdict::Supported || better == Verdict::Contradicted);
            let either = better == Verdict::Supported || worse == Verdict::Supported;
            prop_assert_eq!(differs == Verdict::Supported, either);
        }
    }
}
