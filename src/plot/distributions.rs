//! Distributions over units along training: one facet per arm, one line and one band per block.

use super::axis::Range;
use super::canvas::wrap;
use super::finished;
use super::lines::Line;
use super::small_multiples::{Facet, SmallMultiples, facet_width};
use super::style::SMALL;
use super::traces::{self, Arrangement};
use super::{FigureKind, PlotError, Section};
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Measure, Quantity, Spec, Timing};
use crate::stats::Interval;
use crate::text::counted;
use std::collections::BTreeSet;

/// Most facets in a row.
const COLUMNS: usize = 4;

/// Something with a distribution: the catalogue has a quantity for each of its quantiles.
struct Subject {
    kind: FigureKind,
    /// Start of the quantities' names.
    stem: &'static str,
    name: &'static str,
    /// The population of the distribution.
    over: &'static str,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        kind: FigureKind {
            file: "preactivations.svg",
            alt: "Distribution of the inputs of the activations in each block, against the epoch",
            section: Section::Probes,
        },
        stem: "preactivation",
        name: "inputs of the activations",
        over: "units and held-out examples",
    },
    Subject {
        kind: FigureKind {
            file: "scales.svg",
            alt: "Distribution of the learned scales of each block, against the epoch",
            section: Section::Probes,
        },
        stem: "scale",
        name: "learned scales",
        over: "units",
    },
    Subject {
        kind: FigureKind {
            file: "centers.svg",
            alt: "Distribution of the learned centers of each block, against the epoch",
            section: Section::Probes,
        },
        stem: "center",
        name: "learned centers",
        over: "units",
    },
];

pub(super) const KINDS: [FigureKind; 3] = [SUBJECTS[0].kind, SUBJECTS[1].kind, SUBJECTS[2].kind];

/// Whether `quantity` is a quantile or the spread of a distribution, which has a figure of its own.
pub(super) fn is_point(quantity: &Quantity) -> bool {
    let point = |stem: &str| {
        let rest = quantity.name.strip_prefix(stem);
        matches!(rest, Some("_low" | "_median" | "_high" | "_sd"))
    };
    quantity.timing == Timing::EveryEpoch && SUBJECTS.iter().any(|s| point(s.stem))
}

/// Draws a figure per distribution that was measured after every epoch.
///
/// # Errors
/// If the drawing library fails.
pub(super) fn distributions(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Vec<(FigureKind, String)>, PlotError> {
    let mut figures = Vec::new();
    for subject in &SUBJECTS {
        if let Some(svg) = figure(spec, cells, summary, subject)? {
            figures.push((subject.kind, svg));
        }
    }
    Ok(figures)
}

fn figure(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    subject: &Subject,
) -> Result<Option<String>, PlotError> {
    let measured = |arm: &usize| !blocks(&finished(spec, cells, summary, *arm), subject).is_empty();
    let groups = Arrangement::of(spec, summary).groups.into_iter();
    let groups: Vec<Vec<usize>> = groups
        .map(|(_, arms)| arms.into_iter().filter(measured).collect())
        .filter(|arms: &Vec<usize>| !arms.is_empty())
        .collect();
    let Some(most) = groups.iter().map(Vec::len).max() else {
        return Ok(None);
    };
    // The arms of a group are compared with each other, so they share a row if they fit.
    let columns = if most <= COLUMNS {
        most.max(2)
    } else {
        COLUMNS - 1
    };
    let mut names: BTreeSet<String> = BTreeSet::new();
    for arm in groups.iter().flatten() {
        names.extend(blocks(&finished(spec, cells, summary, *arm), subject));
    }
    let names: Vec<String> = names.into_iter().collect();
    let mut facets: Vec<Facet> = Vec::new();
    for &arm in groups.iter().flatten() {
        let records = finished(spec, cells, summary, arm);
        let lines = names.iter().enumerate();
        let lines = lines.filter_map(|(k, block)| line(k, block, &records, subject));
        let title = &summary.arms[arm].label;
        let unit = super::time_unit(records.iter().copied());
        facets.extend(facet(title, lines.collect(), columns, unit));
    }
    share_vertical_axis(&mut facets);
    let n = summary.arms.iter().map(|arm| arm.n).max().unwrap_or(0);
    let caption = format!(
        "Line: median of the {} over the {} of a block. Band: from the 5 % to the 95 % quantile. Both \
         are means over {}. All facets have the same vertical axis.",
        subject.name,
        subject.over,
        counted(n, "seed")
    );
    let figure = SmallMultiples {
        heading: &summary.title,
        name: subject.name,
        columns,
        labels: names,
        caption,
    };
    figure.draw(facets)
}

/// The blocks whose quantiles were measured.
fn blocks(records: &[&CellRecord], subject: &Subject) -> Vec<String> {
    let prefix = format!("{}_median.", subject.stem);
    let names = records.first().map(|record| record.traces.keys());
    let parts = names.into_iter().flatten();
    let blocks = parts.filter_map(|name| name.strip_prefix(&prefix));
    blocks.map(str::to_owned).collect()
}

/// Median and band of one block, in the mean over the records.
fn line(style: usize, block: &str, records: &[&CellRecord], subject: &Subject) -> Option<Line> {
    let of = |point: &str| {
        let measure = Measure::named(&format!("{}_{point}.{block}", subject.stem))?;
        traces::line(style, &measure, records)
    };
    let (low, median, high) = (of("low")?, of("median")?, of("high")?);
    let ends = low.means.iter().zip(&high.means);
    let band = |((_, low), (_, high)): (&(f64, f64), &(f64, f64))| {
        Some(Interval {
            low: *low,
            high: *high,
        })
    };
    Some(Line {
        bands: ends.map(band).collect(),
        ..median
    })
}

fn facet(title: &str, lines: Vec<Line>, columns: usize, axis: &'static str) -> Option<Facet> {
    let positions = lines.iter().flat_map(|line| &line.means).map(|p| p.0);
    let bands = lines.iter().flat_map(|line| line.bands.iter().flatten());
    let values = bands.flat_map(|band| [band.low, band.high]);
    Some(Facet {
        x: Range::of(positions)?.padded(0.02, 0.5),
        y: Range::of(values)?,
        title: wrap(title, SMALL, facet_width(columns) - 4.0),
        axis,
        logarithmic: false,
        lines,
    })
}

fn share_vertical_axis(facets: &mut [Facet]) {
    let ends = facets.iter().flat_map(|facet| [facet.y.low, facet.y.high]);
    let Some(all) = Range::of(ends) else {
        return;
    };
    let all = all.padded(0.04, 0.5);
    facets.iter_mut().for_each(|facet| facet.y = all);
}
