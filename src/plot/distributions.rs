//! How what belongs to units is distributed, and how that changes: a panel an arm, a line and a band
//! a block.

use super::PlotError;
use super::axis::Range;
use super::canvas::wrap;
use super::probes::{Arrangement, Line, Panel, Sheet, done, width};
use super::style::SMALL;
use crate::analysis::{Cells, Summary};
use crate::record::CellRecord;
use crate::spec::{Measure, Quantity, Spec, Timing};
use crate::stats::Interval;
use crate::text::counted;
use std::collections::BTreeSet;

/// Most panels beside each other.
const COLUMNS: usize = 4;

/// Something whose distribution is measured: a quantity of the catalogue for each of its points.
struct Subject {
    /// What the quantities' names start with.
    stem: &'static str,
    /// The file.
    file: &'static str,
    /// Words for it.
    words: &'static str,
    /// Over what it is distributed.
    over: &'static str,
}

const SUBJECTS: [Subject; 3] = [
    Subject {
        stem: "preactivation",
        file: "preactivations.svg",
        words: "what enters the activations",
        over: "units and held-out examples",
    },
    Subject {
        stem: "scale",
        file: "scales.svg",
        words: "learned scales",
        over: "units",
    },
    Subject {
        stem: "center",
        file: "centers.svg",
        words: "learned centers",
        over: "units",
    },
];

/// File names of the figures that [`distributions`] may draw, with words for each.
pub const DISTRIBUTION_FILES: [(&str, &str); 3] = [
    (
        SUBJECTS[0].file,
        "Distribution of what enters the activations of each block, against the epoch",
    ),
    (
        SUBJECTS[1].file,
        "Distribution of the learned scales of each block, against the epoch",
    ),
    (
        SUBJECTS[2].file,
        "Distribution of the learned centers of each block, against the epoch",
    ),
];

/// Whether `quantity` is a point of a distribution or its spread, which has a figure of its own.
pub(super) fn is_point(quantity: &Quantity) -> bool {
    let point = |stem: &str| {
        let rest = quantity.name.strip_prefix(stem);
        matches!(rest, Some("_low" | "_median" | "_high" | "_sd"))
    };
    quantity.timing == Timing::EveryEpoch && SUBJECTS.iter().any(|s| point(s.stem))
}

/// A figure for everything whose distribution was measured after every epoch, with its file name.
///
/// # Errors
/// If the drawing library fails.
pub fn distributions(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
) -> Result<Vec<(&'static str, String)>, PlotError> {
    let mut figures = Vec::new();
    for subject in &SUBJECTS {
        if let Some(svg) = figure(spec, cells, summary, subject)? {
            figures.push((subject.file, svg));
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
    let measured = |arm: &usize| !blocks(&done(spec, cells, summary, *arm), subject).is_empty();
    let groups = Arrangement::of(spec, summary).groups.into_iter();
    let groups: Vec<Vec<usize>> = groups
        .map(|(_, arms)| arms.into_iter().filter(measured).collect())
        .filter(|arms: &Vec<usize>| !arms.is_empty())
        .collect();
    let Some(most) = groups.iter().map(Vec::len).max() else {
        return Ok(None);
    };
    // The arms of a group are compared with each other, so they share a row where they fit.
    let columns = if most <= COLUMNS {
        most.max(2)
    } else {
        COLUMNS - 1
    };
    let mut names: BTreeSet<String> = BTreeSet::new();
    for arm in groups.iter().flatten() {
        names.extend(blocks(&done(spec, cells, summary, *arm), subject));
    }
    let names: Vec<String> = names.into_iter().collect();
    let mut panels: Vec<Panel> = Vec::new();
    for &arm in groups.iter().flatten() {
        let records = done(spec, cells, summary, arm);
        let lines = names.iter().enumerate();
        let lines = lines.filter_map(|(look, block)| line(look, block, &records, subject));
        let title = &summary.arms[arm].label;
        panels.extend(panel(
            title,
            lines.collect(),
            columns,
            spec.arms[arm].train.length.unit(),
        ));
    }
    share_the_vertical_axis(&mut panels);
    let n = summary.arms.iter().map(|arm| arm.n).max().unwrap_or(0);
    let caption = format!(
        "Of {}: line, median over the {} of a block; band, from the 5 % to the 95 % point; means over \
         {}. All panels have the same vertical axis.",
        subject.words,
        subject.over,
        counted(n, "seed")
    );
    let sheet = Sheet {
        heading: &summary.title,
        name: subject.words,
        columns,
        labels: names,
        caption,
    };
    sheet.draw(panels)
}

/// The blocks of which every point was measured.
fn blocks(records: &[&CellRecord], subject: &Subject) -> Vec<String> {
    let prefix = format!("{}_median.", subject.stem);
    let names = records.first().map(|record| record.traces.keys());
    let parts = names.into_iter().flatten();
    let blocks = parts.filter_map(|name| name.strip_prefix(&prefix));
    blocks.map(str::to_owned).collect()
}

/// Median and band of one block, in the mean over the records.
fn line(look: usize, block: &str, records: &[&CellRecord], subject: &Subject) -> Option<Line> {
    let of = |point: &str| {
        let measure = Measure::named(&format!("{}_{point}.{block}", subject.stem))?;
        Line::of(look, &measure, records)
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

fn panel(title: &str, lines: Vec<Line>, columns: usize, axis: &'static str) -> Option<Panel> {
    let places = lines.iter().flat_map(|line| &line.means).map(|p| p.0);
    let bands = lines.iter().flat_map(|line| line.bands.iter().flatten());
    let values = bands.flat_map(|band| [band.low, band.high]);
    let width = width(columns);
    Some(Panel {
        x: Range::of(places)?.padded(0.02, 0.5),
        y: Range::of(values)?,
        title: wrap(title, SMALL, width - 4.0),
        axis,
        logarithmic: false,
        width,
        lines,
    })
}

fn share_the_vertical_axis(panels: &mut [Panel]) {
    let ends = panels.iter().flat_map(|panel| [panel.y.low, panel.y.high]);
    let Some(all) = Range::of(ends) else {
        return;
    };
    let all = all.padded(0.04, 0.5);
    panels.iter_mut().for_each(|panel| panel.y = all);
}
