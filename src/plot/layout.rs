//! Assignment of the factors of a crossed design to axis, lines and facets of a figure.

use super::levels::LevelPoint;
use super::style::MOST_LINES;
use crate::analysis::{PairedScores, Summary};
use crate::spec::{ContrastKind, Factor, Metric};

/// Most facets side by side; a factor with more levels is averaged over.
const MOST_FACETS: usize = 4;

/// Fewest values of a factor in a dose-response plot. Two are compared like levels without numbers.
const FEWEST_DOSES: usize = 3;

/// Factors by index.
pub(super) struct FactorLayout<'a> {
    summary: &'a Summary,
    pub(super) metric: Metric,
    /// The factor on the horizontal axis.
    pub(super) x: usize,
    /// The factor with one line per level.
    pub(super) lines: Option<usize>,
    /// The factor with one facet per level.
    pub(super) facets: Option<usize>,
    /// The factors that are averaged over.
    pub(super) averaged: Vec<usize>,
}

impl<'a> FactorLayout<'a> {
    /// The layout of an interaction plot: the first interaction among the contrasts, or else the first
    /// two factors. `None` if the factor on the axis has doses; a dose-response plot shows it better.
    pub(super) fn of_interaction(summary: &'a Summary) -> Option<Self> {
        let (x, lines) = match planned(summary).next() {
            Some((x, Some(lines))) => (x, lines),
            _ if summary.factors.len() > 1 => (0, 1),
            _ => return None,
        };
        let crowded = summary.factors[lines].levels.len() > MOST_LINES;
        let (x, lines) = if crowded { (lines, x) } else { (x, lines) };
        (!has_doses(summary, x)).then(|| Self::new(summary, x, Some(lines)))
    }

    /// The layout of a dose-response plot: the first factor with doses that a contrast varies, or else
    /// the first one.
    pub(super) fn of_dose(summary: &'a Summary) -> Option<Self> {
        let wanted = planned(summary).find(|(x, _)| has_doses(summary, *x));
        let (x, lines) = match wanted {
            Some(found) => found,
            None => (
                (0..summary.factors.len()).find(|&x| has_doses(summary, x))?,
                None,
            ),
        };
        let fits = |f: &usize| *f != x && summary.factors[*f].levels.len() <= MOST_LINES;
        let other = (0..summary.factors.len()).find(fits);
        Some(Self::new(summary, x, lines.filter(fits).or(other)))
    }

    fn new(summary: &'a Summary, x: usize, lines: Option<usize>) -> Self {
        let rest = || (0..summary.factors.len()).filter(move |&f| f != x && Some(f) != lines);
        let facets = rest().find(|&f| summary.factors[f].levels.len() <= MOST_FACETS);
        Self {
            summary,
            metric: (summary.contrasts.first()).map_or_else(
                || summary.scores().swap_remove(0),
                |c| c.contrast.metric.clone(),
            ),
            x,
            lines,
            facets,
            averaged: rest().filter(|&f| Some(f) != facets).collect(),
        }
    }

    /// Whether both show the same factors, on the axis or as lines.
    pub(super) fn shows_the_same_as(&self, other: &Self) -> bool {
        let shown = |layout: &Self| {
            let mut factors = [Some(layout.x), layout.lines];
            factors.sort_unstable();
            factors
        };
        shown(self) == shown(other)
    }

    pub(super) fn factor(&self, index: usize) -> &'a Factor {
        &self.summary.factors[index]
    }

    /// The levels of `part`, or a single `None` without such a factor.
    pub(super) fn levels(&self, part: Option<usize>) -> Vec<Option<usize>> {
        match part {
            Some(factor) => (0..self.factor(factor).levels.len()).map(Some).collect(),
            None => vec![None],
        }
    }

    /// The points of one line of one facet, in the order of the axis. Points with a missing cell are
    /// left out.
    pub(super) fn points(
        &self,
        scores: &PairedScores<'_>,
        line: Option<usize>,
        facet: Option<usize>,
    ) -> Vec<LevelPoint> {
        let levels = 0..self.factor(self.x).levels.len();
        levels
            .filter_map(|level| {
                let mut held = vec![(self.x, level)];
                held.extend(self.lines.zip(line));
                held.extend(self.facets.zip(facet));
                LevelPoint::new(level, self.values(scores, &held)?)
            })
            .collect()
    }

    /// The mean per seed over all cells with the levels in `held`. Seeds at which one of them did not
    /// finish are left out. `None` if the design lacks one of the cells.
    fn values(&self, scores: &PairedScores<'_>, held: &[(usize, usize)]) -> Option<Vec<f64>> {
        let averaged = self.averaged.iter().map(|&f| self.factor(f).levels.len());
        let wanted: usize = averaged.product();
        let matches = |levels: &[usize]| {
            !levels.is_empty() && held.iter().all(|&(factor, level)| levels[factor] == level)
        };
        let rows: Vec<Vec<Option<f64>>> = (self.summary.arms.iter())
            .filter(|arm| matches(&arm.levels))
            .filter_map(|arm| scores.scores(&arm.name, &self.metric))
            .collect();
        if rows.len() != wanted {
            return None;
        }
        let seeds = rows.iter().map(Vec::len).min()?;
        let at_seed = |seed: usize| {
            let sum: Option<f64> = rows.iter().map(|row| row[seed]).sum();
            Some(sum? / wanted as f64)
        };
        Some((0..seeds).filter_map(at_seed).collect())
    }
}

/// Whether the levels of a factor are enough numbers for a dose-response plot.
fn has_doses(summary: &Summary, factor: usize) -> bool {
    let values = summary.factors[factor].values();
    values.is_some_and(|values| values.len() >= FEWEST_DOSES)
}

/// The factors that contrasts vary, each with the first factor it is planned to interact with.
/// Interactions come first.
fn planned(summary: &Summary) -> impl Iterator<Item = (usize, Option<usize>)> {
    let index = |name: &str| summary.factors.iter().position(|f| f.name == name);
    let mut found: Vec<(usize, Option<usize>)> = (summary.contrasts.iter())
        .filter_map(|c| match &c.contrast.comparison {
            ContrastKind::Effect {
                factor, between, ..
            } => {
                let lines = between.first().and_then(|pair| index(&pair.factor));
                Some((index(factor)?, lines))
            }
            ContrastKind::Arms { .. } | ContrastKind::Sum => None,
        })
        .collect();
    found.sort_by_key(|(_, lines)| lines.is_none());
    found.into_iter()
}
