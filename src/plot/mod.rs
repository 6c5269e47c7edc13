//! Figures as SVG: accuracy curves, the paired improvements behind each verdict and their course along
//! training, the cells of a crossed design, the figure that a spec asks for, probe values, errors of
//! identities, and the forest plot of a claim.
//!
//! Equal input gives equal bytes. Colors are from the palette of Okabe and Ito ("Color universal
//! design", 2008), and every line has a dash pattern as well as a color.

mod arrangement;
pub(crate) mod axis;
pub(crate) mod canvas;
mod clip;
mod contrast_row;
mod curve_values;
mod curves;
mod differences;
mod distributions;
mod drawing;
mod effect;
mod factorial;
pub(crate) mod findings;
mod forest;
mod formats;
mod identities;
mod layout;
pub(crate) mod legend;
mod levels;
mod lines;
mod matrices;
mod metric_curves;
pub(crate) mod page;
mod seed_pairs;
mod settling;
mod small_multiples;
pub(crate) mod style;
mod swarm;
pub(crate) mod text_size;
pub(crate) mod theme;
mod traces;

pub use curve_values::{Curves, Panel, PanelLine};
pub use drawing::{Drawing, Table};
pub use forest::{ForestRow, forest};
pub use formats::{Format, FormatError};
pub use theme::Theme;

use crate::analysis::{Cells, PairedScores, Summary};
use crate::record::CellRecord;
use crate::spec::Spec;

/// A figure that could not be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot draw the figure `{figure}`: {message}")]
pub struct PlotError {
    /// Heading of the figure.
    pub figure: String,
    /// Error of the drawing library.
    pub message: String,
}

/// The section of a report that shows a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The answer at the top.
    Results,
    /// Identities.
    Identities,
    /// Probes.
    Probes,
}

/// File, alternative text and section of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FigureKind {
    /// File name in a results folder.
    pub file: &'static str,
    /// Alternative text.
    pub alt: &'static str,
    /// Section of the report.
    pub section: Section,
}

/// The figure that only the page for a browser has.
pub const SEED_PAIRS: FigureKind = seed_pairs::KIND;

/// File names of all figures that [`figures`] may draw.
pub const FIGURE_FILES: [&str; 14] = [
    effect::KIND.file,
    curves::KIND.file,
    metric_curves::KIND.file,
    differences::KIND.file,
    settling::KIND.file,
    factorial::INTERACTION.file,
    factorial::DOSE_RESPONSE.file,
    traces::TRACES.file,
    distributions::KINDS[0].file,
    distributions::KINDS[1].file,
    distributions::KINDS[2].file,
    traces::SERIES.file,
    matrices::KIND.file,
    identities::KIND.file,
];

/// Draws every figure for which the records have data, in the order of a report.
///
/// # Errors
/// If the drawing library fails.
pub fn figures(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Vec<(FigureKind, Drawing)>, PlotError> {
    let scores = PairedScores::new(spec, cells, &summary.arms);
    let mut figures = Vec::new();
    let mut add = |kind, drawing: Option<Drawing>| {
        figures.extend(drawing.map(|drawing| (kind, drawing)));
    };
    add(effect::KIND, effect::effect(spec, &scores, theme)?);
    for (kind, curves) in curves_with_values(spec, cells, summary, theme)? {
        add(kind, Some(curves.into_drawing()));
    }
    add(differences::KIND, differences::differences(summary, theme)?);
    add(settling::KIND, settling::settling(&scores, summary, theme)?);
    let interaction = factorial::interaction(summary, &scores, theme)?;
    add(factorial::INTERACTION, interaction);
    let dose_response = factorial::dose_response(summary, &scores, theme)?;
    add(factorial::DOSE_RESPONSE, dose_response);
    add(traces::TRACES, traces::traces(spec, cells, summary, theme)?);
    for (kind, drawing) in distributions::distributions(spec, cells, summary, theme)? {
        add(kind, Some(drawing));
    }
    let series = traces::probe_series(spec, cells, summary, theme)?;
    add(traces::SERIES, series);
    let matrices = matrices::matrices(spec, cells, summary, theme)?;
    add(matrices::KIND, matrices);
    add(identities::KIND, identities::identities(summary, theme)?);
    Ok(figures)
}

/// The figures of curves along training, with the values that they show.
///
/// # Errors
/// If the drawing library fails.
pub fn curves_with_values(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Vec<(FigureKind, Curves)>, PlotError> {
    let scores = curves::curves(spec, cells, summary, theme)?;
    let metrics = metric_curves::metric_curves(spec, cells, summary, theme)?;
    let both = [(curves::KIND, scores), (metric_curves::KIND, metrics)];
    let drawn = both.into_iter();
    Ok(drawn
        .filter_map(|(kind, found)| Some((kind, found?)))
        .collect())
}

/// The scores of the two arms of each primary contrast, a line per seed; `None` if no primary contrast
/// compares two arms.
///
/// # Errors
/// If the drawing library fails.
pub fn seed_pairs(
    spec: &Spec,
    cells: &Cells<'_>,
    summary: &Summary,
    theme: Theme,
) -> Result<Option<Drawing>, PlotError> {
    let scores = PairedScores::new(spec, cells, &summary.arms);
    seed_pairs::seed_pairs(&scores, summary, theme)
}

/// The finished records of an arm at its chosen learning rate, in the order of the seeds.
fn finished<'c>(
    spec: &Spec,
    cells: &Cells<'c>,
    summary: &Summary,
    arm: usize,
) -> Vec<&'c CellRecord> {
    let chosen = summary.arms[arm].learning_rate;
    let mut rates = spec.arms[arm].rates().into_iter();
    let rate = rates.position(|rate| rate == chosen).unwrap_or(0);
    cells.finished(arm, rate).into_iter().flatten().collect()
}

/// The unit in which evaluations are counted.
fn time_unit<'r>(records: impl IntoIterator<Item = &'r CellRecord>) -> &'static str {
    let first = records.into_iter().find_map(|record| record.epochs.first());
    match first.is_some_and(|epoch| epoch.step.is_some()) {
        true => "step",
        false => "epoch",
    }
}

#[cfg(test)]
mod tests;
