//! Distributions over units along training: one facet per arm, one line and one band per block.

use super::arrangement::Arrangement;
use super::axis::Range;
use super::drawing::Drawing;
use super::finished;
use super::lines::Line;
use super::small_multiples::{Facet, SmallMultiples, Ticks};
use super::theme::Theme;
use super::traces;
use super::{FigureKind, PlotError, Section};
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Measure, Quantity, Spec, Timing, part_words};
use crate::stats::Interval;
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
    theme: Theme,
) -> Result<Vec<(FigureKind, Drawing)>, PlotError> {
    let mut figures = Vec::new();
    for subject in &SUBJECTS {
        if let Some(drawing) = figure(spec, cells, summary, subject, theme)? {
            figures.push((subject.kind, drawing));
        }
    }
    Ok(figures)
}

fn figure(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    subject: &Subject,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let arrangement = Arrangement::of(spec, summary);
    let records: Vec<Vec<&CellRecord>> = (0..spec.arms.len())
        .map(|arm| finished(spec, cells, summary, arm))
        .collect();
    let names: BTreeSet<String> = records.iter().flat_map(|r| blocks(r, subject)).collect();
    let names: Vec<String> = names.into_iter().collect();
    let mut facets: Vec<Facet> = Vec::new();
    for group in &arrangement.groups {
        for &(style, arm) in &group.lines {
            let lines = names.iter().enumerate();
            let lines = lines.filter_map(|(k, block)| line(k, block, &records[arm], subject));
            let title = match arrangement.by_level {
                true => &arrangement.labels[style],
                false => &summary.arms[arm].label,
            };
            let unit = super::time_unit(records[arm].iter().copied());
            facets.extend(facet(&group.name(), title, lines.collect(), unit));
        }
    }
    // The arms of a group are compared with each other, so they share a row if they fit.
    let rows = facets.chunk_by(|a, b| a.section == b.section);
    let Some(most) = rows.map(<[Facet]>::len).max() else {
        return Ok(None);
    };
    let columns = match most <= COLUMNS {
        true => most.max(2),
        false => COLUMNS - 1,
    };
    share_vertical_axis(&mut facets);
    let caption = format!(
        "Line: median of the {} over the {} of a block. Band: from the 5 % to the 95 % quantile. Both \
         are means over n seeds. All panels have the same vertical axis.",
        subject.name, subject.over,
    );
    let figure = SmallMultiples {
        theme,
        heading: &summary.title,
        name: &format!("{} in each block, against {}", subject.name, facets[0].axis),
        columns,
        labels: names.iter().map(|block| part_words(block)).collect(),
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

fn facet(section: &str, title: &str, lines: Vec<Line>, axis: &'static str) -> Option<Facet> {
    let positions = lines.iter().flat_map(|line| &line.means).map(|p| p.0);
    let bands = lines.iter().flat_map(|line| line.bands.iter().flatten());
    let values = bands.flat_map(|band| [band.low, band.high]);
    Some(Facet {
        x: Range::of(positions)?.padded(0.02, 0.5),
        y: Range::of(values)?,
        section: section.to_owned(),
        title: title.to_owned(),
        axis,
        ticks: Ticks::Epochs,
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
