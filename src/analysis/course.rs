//! The difference of a contrast at every evaluation of its training.

use super::PairedScores;
use crate::recipe::Length;
use crate::spec::{Contrast, When};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The improvements of a contrast along training, at the chosen learning rates.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Length of the training, the same for all arms of the contrast.
    pub length: Length,
    /// Evaluations that all arms have, ascending, in the unit of the length.
    pub places: Vec<usize>,
    /// Per seed, one improvement per place. Seeds that lack one are left out.
    pub seeds: Vec<Vec<f64>>,
}

/// Why a contrast has no course, or too short a one to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unjudged {
    /// The quantity is measured only once, after training.
    MeasuredOnce,
    /// The arms train for different lengths.
    UnlikeLengths,
    /// There are fewer than three evaluations.
    FewEvaluations,
    /// Fewer than two seeds finished.
    FewSeeds,
}

impl Course {
    /// The course of `contrast` over all evaluations, also if it is read at an earlier one.
    ///
    /// # Errors
    /// If the metric is not known at every evaluation, if the arms train for different lengths, or if there
    /// is no evaluation at all.
    pub fn of(scores: &PairedScores<'_>, contrast: &Contrast) -> Result<Self, Unjudged> {
        if !contrast.metric.at_every_epoch() {
            return Err(Unjudged::MeasuredOnce);
        }
        let evaluations = scores.evaluations(&contrast.weights, &contrast.metric);
        let first = evaluations.first().ok_or(Unjudged::FewSeeds)?;
        let last = first.last().ok_or(Unjudged::FewEvaluations)?;
        if evaluations.iter().any(|all| all.last() != Some(last)) {
            return Err(Unjudged::UnlikeLengths);
        }
        let common = |when: &&When| evaluations.iter().all(|all| all.contains(when));
        let common: Vec<When> = first.iter().filter(common).copied().collect();
        let mut seeds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for &when in &common {
            let found = scores.improvements(&contrast.weights, &contrast.metric, when);
            for improvement in found.map(|(found, _)| found).unwrap_or_default() {
                let values = seeds.entry(improvement.seed).or_default();
                values.push(improvement.value);
            }
        }
        let places: Vec<usize> = common.iter().copied().filter_map(place).collect();
        let end = places.last().copied().unwrap_or(0);
        let length = match last {
            When::Step(_) => Length::Steps(end),
            _ => Length::Epochs(end),
        };
        let whole = |values: &Vec<f64>| {
            values.len() == places.len() && values.iter().all(|v| v.is_finite())
        };
        Ok(Self {
            length,
            seeds: seeds.into_values().filter(whole).collect(),
            places,
        })
    }

    /// The last 30 % of the evaluations, rounded up, and at least three; `None` if there are fewer.
    pub fn last_part(&self) -> Option<std::ops::Range<usize>> {
        let n = self.places.len();
        let length = (3 * n).div_ceil(10).max(3);
        Some(n.checked_sub(length)?..n)
    }
}

/// The epoch or step of `when`.
const fn place(when: When) -> Option<usize> {
    match when {
        When::Epoch(place) | When::Step(place) => Some(place),
        When::Last | When::EqualAccuracy | When::EqualNll => None,
    }
}
