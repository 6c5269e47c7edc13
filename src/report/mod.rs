//! Reports: pure functions from a spec and its records to the derived files of a results folder. The
//! caller writes the files or compares them with those on disk.

mod answer;
mod changes;
mod claim_details;
mod claim_figure;
mod claim_words;
mod claims;
mod claims_table;
mod design;
mod explain;
mod factors;
pub mod finding;
mod html;
mod identities;
mod looks;
mod markdown;
mod overview;
mod probes;
mod settling;
mod shared_rates;
mod splice;
mod tables;

pub use answer::answer;
pub use changes::changed_by;
pub use claim_figure::{claim_figure, claim_figure_file};
pub use claims::{CLAIM_FOOTER, CLAIMS_FOLDER, claim_file, claim_page};
pub use claims_table::{claims_table, claims_text};
pub use explain::explain;
pub use html::{PageError, claim_html, claim_html_file, index_html};
pub use markdown::report;
pub use overview::{overview, overview_table, unchanged};
pub use splice::{SpliceError, splice};

use crate::analysis::{
    AnalysisError, Cells, PairedScores, SeedCheck, SharedCells, Summary, machine_warnings,
    summarize_checked, ties,
};
use crate::plot::{self, FigureKind, PlotError, Theme};
use crate::record::CellRecord;
use crate::spec::Spec;
use html::{Shown, experiment_html};
use std::collections::BTreeMap;

/// File name of the summary in a results folder.
pub const SUMMARY_FILE: &str = "summary.json";
/// File name of the report in a results folder.
pub const REPORT_FILE: &str = "report.md";
/// File name of the report for a browser in a results folder.
pub const REPORT_HTML_FILE: &str = "report.html";

/// Everything derived from the records of one experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// The summary, for the overview.
    pub summary: Summary,
    /// Content of `summary.json`, unrounded.
    pub summary_json: String,
    /// Content of `report.md`.
    pub report_md: String,
    /// Content of `report.html`.
    pub report_html: String,
    /// Figures as SVG.
    pub figures: Vec<(FigureKind, String)>,
}

impl Derived {
    /// Every derived file: name and content.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let texts = [
            (SUMMARY_FILE, self.summary_json.as_str()),
            (REPORT_FILE, self.report_md.as_str()),
            (REPORT_HTML_FILE, self.report_html.as_str()),
        ];
        let figures = (self.figures.iter()).map(|(kind, svg)| (kind.file, svg.as_str()));
        texts.into_iter().chain(figures)
    }
}

/// A failure to derive files from records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// The records do not fit the spec.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// A figure could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A page could not be made.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The summary could not be written as JSON.
    #[error("cannot write the summary of `{spec}` as JSON: {source}")]
    Json {
        /// The spec.
        spec: String,
        /// Error of the JSON writer.
        source: serde_json::Error,
    },
}

/// Where the records of a report come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Name of the GPU or driver behind the device, if it is not a CPU.
    pub adapter: Option<String>,
    /// Version of the program that trained the cells.
    pub version: Option<String>,
    /// SHA-256 of the file of records.
    pub records_sha256: Option<String>,
}

/// Derives the files of a results folder. Equal input gives equal bytes, whatever the order of the
/// records. `origin` says where the records come from, if they are in a file; `seed_check` is
/// what is known of the seeds of a program; `shared` lists the cells in common with other
/// experiments; `kinds` is the kind of machine that trained each cell, by its id.
///
/// # Errors
/// If the records do not fit the spec (see [`summarize_checked`]) or a figure cannot be drawn.
pub fn derive(
    spec: &Spec,
    records: &[CellRecord],
    origin: Option<&Origin>,
    seed_check: Option<&SeedCheck>,
    shared: Vec<SharedCells>,
    kinds: &BTreeMap<String, String>,
) -> Result<Derived, DeriveError> {
    let mut summary = summarize_checked(spec, records, seed_check)?;
    let machines = machine_warnings(records, &summary, kinds);
    summary.warnings.extend(machines);
    let origin = origin.cloned().unwrap_or_default();
    summary.adapter = origin.adapter;
    summary.version = origin.version;
    summary.records_sha256 = origin.records_sha256;
    summary.shared = shared;
    let cells = Cells::new(spec, records)?;
    let figures = plot::figures(spec, &cells, &summary, Theme::Screen)?;
    let figures: Vec<(FigureKind, String)> = (figures.into_iter())
        .map(|(kind, drawing)| (kind, drawing.svg))
        .collect();
    let kinds: Vec<FigureKind> = figures.iter().map(|(kind, _)| *kind).collect();
    let json = serde_json::to_string_pretty(&summary).map_err(|source| DeriveError::Json {
        spec: spec.name.clone(),
        source,
    })?;
    let scores = PairedScores::new(spec, &cells, &summary.arms);
    let report_html = experiment_html(&Shown {
        summary: &summary,
        records,
        ties: ties(&scores, &summary),
        figures: &figures,
        curves: plot::curves_with_values(spec, &cells, &summary, Theme::Screen)?,
        seed_pairs: plot::seed_pairs(spec, &cells, &summary, Theme::Screen)?
            .map(|drawing| drawing.svg),
    })?;
    Ok(Derived {
        report_html,
        report_md: report(&summary, &kinds),
        summary_json: json + "\n",
        summary,
        figures,
    })
}

#[cfg(test)]
mod consistency;
#[cfg(test)]
mod tests;
