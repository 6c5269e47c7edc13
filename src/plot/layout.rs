//! Which factor of a crossed design goes where in a figure, and the values that are drawn there.

use crate::analysis::{PairedScores, Summary};
use crate::spec::{Comparison, Factor, Metric};
use crate::stats::{Interval, Rule, Sample, t_interval};

/// Most panels side by side; a factor with more levels is averaged over.
const MOST_PANELS: usize = 4;

/// The places of the factors, by index.
pub(crate) struct Layout<'a> {
    summary: &'a Summary,
    pub(crate) metric: Metric,
    /// Along the horizontal axis.
    pub(crate) x: usize,
    /// One line a level, unless there is no second factor.
    pub(crate) lines: Option<usize>,
    /// One panel a level.
    pub(crate) panels: Option<usize>,
    /// Averaged over.
    pub(crate) averaged: Vec<usize>,
}

/// One level on the axis, in one line.
pub(crate) struct Point {
    /// Level of the factor on the axis.
    pub(crate) level: usize,
    /// One value a seed.
    pub(crate) values: Vec<f64>,
    pub(crate) mean: f64,
    pub(crate) interval: Option<Interval>,
}

impl<'a> Layout<'a> {
    /// For an interaction plot: the first interaction among the contrasts, else the first two
    /// factors. `None` where the axis would hold numbers, which a dose-response plot shows better.
    pub(crate) fn of_interaction(summary: &'a Summary) -> Option<Self> {
        let (x, lines) = match asked(summary).next() {
            Some((x, Some(lines))) => (x, lines),
            _ if summary.factors.len() > 1 => (0, 1),
            _ => return None,
        };
        let numeric = summary.factors[x].values().is_some();
        (!numeric).then(|| Self::new(summary, x, Some(lines)))
    }

    /// For a dose-response plot: the first factor with numbers for levels that a contrast varies,
    /// else the first at all.
    pub(crate) fn of_dose(summary: &'a Summary) -> Option<Self> {
        let numeric = |x: usize| summary.factors[x].values().is_some();
        let wanted = asked(summary).find(|(x, _)| numeric(*x));
        let (x, lines) = match wanted {
            Some(found) => found,
            None => ((0..summary.factors.len()).find(|&x| numeric(x))?, None),
        };
        let other = (0..summary.factors.len()).find(|&f| f != x);
        Some(Self::new(summary, x, lines.or(other)))
    }

    fn new(summary: &'a Summary, x: usize, lines: Option<usize>) -> Self {
        let rest = || (0..summary.factors.len()).filter(move |&f| f != x && Some(f) != lines);
        let panels = rest().find(|&f| summary.factors[f].levels.len() <= MOST_PANELS);
        Self {
            summary,
            metric: (summary.contrasts.first())
                .map_or(Metric::TestAccuracy, |c| c.contrast.metric.clone()),
            x,
            lines,
            panels,
            averaged: rest().filter(|&f| Some(f) != panels).collect(),
        }
    }

    pub(crate) fn factor(&self, index: usize) -> &'a Factor {
        &self.summary.factors[index]
    }

    /// The levels that a part of the figure shows, one after the other.
    pub(crate) fn levels(&self, part: Option<usize>) -> Vec<Option<usize>> {
        match part {
            Some(factor) => (0..self.factor(factor).levels.len()).map(Some).collect(),
            None => vec![None],
        }
    }

    /// The points of one line of one panel, in the order of the axis. A point needs all cells that
    /// it is the mean of.
    pub(crate) fn points(
        &self,
        scores: &PairedScores<'_>,
        line: Option<usize>,
        panel: Option<usize>,
    ) -> Vec<Point> {
        let levels = 0..self.factor(self.x).levels.len();
        levels
            .filter_map(|level| {
                let mut held = vec![(self.x, level)];
                held.extend(self.lines.zip(line));
                held.extend(self.panels.zip(panel));
                let values = self.values(scores, &held)?;
                let sample = Sample::new(values.clone()).ok()?;
                Some(Point {
                    level,
                    mean: sample.mean(),
                    interval: t_interval(&sample, Rule::default().confidence),
                    values,
                })
            })
            .collect()
    }

    /// The mean at each seed over all cells with the levels in `held`; seeds at which one of them
    /// did not finish are left out.
    fn values(&self, scores: &PairedScores<'_>, held: &[(usize, usize)]) -> Option<Vec<f64>> {
        let averaged = self.averaged.iter().map(|&f| self.factor(f).levels.len());
        let wanted: usize = averaged.product();
        let there = |levels: &[usize]| {
            !levels.is_empty() && held.iter().all(|&(factor, level)| levels[factor] == level)
        };
        let rows: Vec<Vec<Option<f64>>> = (self.summary.arms.iter())
            .filter(|arm| there(&arm.levels))
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

/// The factors that contrasts vary, each with the first between whose levels it is compared;
/// interactions first.
fn asked(summary: &Summary) -> impl Iterator<Item = (usize, Option<usize>)> {
    let index = |name: &str| summary.factors.iter().position(|f| f.name == name);
    let mut found: Vec<(usize, Option<usize>)> = (summary.contrasts.iter())
        .filter_map(|c| match &c.contrast.comparison {
            Comparison::Effect {
                factor, between, ..
            } => {
                let lines = between.first().and_then(|pair| index(&pair.factor));
                Some((index(factor)?, lines))
            }
            Comparison::Arms { .. } | Comparison::Sum => None,
        })
        .collect();
    found.sort_by_key(|(_, lines)| lines.is_none());
    found.into_iter()
}
