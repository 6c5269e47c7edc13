//! What a run says, as text: pure functions from a spec and its records to the files of a results
//! folder. The caller writes them, or compares them with what is there.

mod answer;
mod claims;
mod factors;
pub mod finding;
mod identities;
mod markdown;
mod overview;
mod probes;
mod splice;
mod subject;
mod tables;

pub use answer::answer;
pub use claims::{CLAIMS_FOLDER, claim_file, claim_page, claims_table};
pub use markdown::report;
pub use overview::{overview, overview_table};
pub use splice::{SpliceError, splice};
pub use subject::subject;

use crate::analysis::{AnalysisError, Cells, PairedScores, Summary, summarize};
pub use crate::plot::DISTRIBUTION_FILES;
use crate::plot::{self, PlotError};
use crate::record::CellRecord;
use crate::spec::Spec;

/// File name of the summary in a results folder.
pub const SUMMARY_FILE: &str = "summary.json";
/// File name of the report in a results folder.
pub const REPORT_FILE: &str = "report.md";
/// File name of the accuracy curves in a results folder.
pub const CURVES_FILE: &str = "curves.svg";
/// File name of the paired differences in a results folder.
pub const DIFFERENCES_FILE: &str = "differences.svg";

/// File name of the figure that a spec asks for.
pub const EFFECT_FILE: &str = "effect.svg";
/// File name of the interaction plot in a results folder.
pub const INTERACTION_FILE: &str = "interaction.svg";
/// File name of the dose-response plot in a results folder.
pub const DOSE_FILE: &str = "dose-response.svg";
/// File name of what probes measured along training, in a results folder.
pub const TRACES_FILE: &str = "traces.svg";
/// File name of the curves that probes left of the trained nets, in a results folder.
pub const SERIES_FILE: &str = "series.svg";
/// File name of the interactions of units in trained nets, in a results folder.
pub const MATRICES_FILE: &str = "matrices.svg";
/// File name of the errors of identities, in a results folder.
pub const IDENTITIES_FILE: &str = "identities.svg";

/// Everything that is derived from one experiment's records.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// The summary, for the overview.
    pub summary: Summary,
    /// Content of `summary.json`, unrounded.
    pub summary_json: String,
    /// Content of `report.md`.
    pub report_md: String,
    /// Figures: file name and SVG.
    pub figures: Vec<(&'static str, String)>,
}

impl Derived {
    /// Every derived file: name and content.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let texts = [
            (SUMMARY_FILE, self.summary_json.as_str()),
            (REPORT_FILE, self.report_md.as_str()),
        ];
        let figures = self.figures.iter().map(|(name, svg)| (*name, svg.as_str()));
        texts.into_iter().chain(figures)
    }
}

/// Why nothing could be derived from records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// The records do not fit the spec.
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// A figure could not be drawn.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// The summary could not be written as JSON.
    #[error("cannot write the summary of `{spec}` as JSON: {source}")]
    Json {
        /// The spec.
        spec: String,
        /// What the writer said.
        source: serde_json::Error,
    },
}

/// Derives the files of a results folder. Equal input gives equal bytes, and the order of the
/// records has no influence. `adapter` is what answered to the device's name, where that is no CPU.
///
/// # Errors
/// If the records do not fit the spec (see [`summarize`]) or a figure cannot be drawn.
pub fn derive(
    spec: &Spec,
    records: &[CellRecord],
    adapter: Option<&str>,
) -> Result<Derived, DeriveError> {
    let mut summary = summarize(spec, records)?;
    summary.adapter = adapter.map(str::to_owned);
    let mut figures = Vec::new();
    let cells = Cells::new(spec, records)?;
    if let Some(svg) = plot::curves(spec, &cells, &summary)? {
        figures.push((CURVES_FILE, svg));
    }
    if let Some(svg) = plot::differences(&summary)? {
        figures.push((DIFFERENCES_FILE, svg));
    }
    let scores = PairedScores::new(spec, &cells, &summary.arms);
    if let Some(svg) = plot::effect(spec, &scores)? {
        figures.insert(0, (EFFECT_FILE, svg));
    }
    if let Some(svg) = plot::interaction(&summary, &scores)? {
        figures.push((INTERACTION_FILE, svg));
    }
    if let Some(svg) = plot::dose_response(&summary, &scores)? {
        figures.push((DOSE_FILE, svg));
    }
    if let Some(svg) = plot::traces(spec, &cells, &summary)? {
        figures.push((TRACES_FILE, svg));
    }
    figures.extend(plot::distributions(spec, &cells, &summary)?);
    if let Some(svg) = plot::probe_series(spec, &cells, &summary)? {
        figures.push((SERIES_FILE, svg));
    }
    if let Some(svg) = plot::matrices(spec, &cells, &summary)? {
        figures.push((MATRICES_FILE, svg));
    }
    if let Some(svg) = plot::identities(&summary)? {
        figures.push((IDENTITIES_FILE, svg));
    }
    let names: Vec<&str> = figures.iter().map(|(name, _)| *name).collect();
    let json = serde_json::to_string_pretty(&summary).map_err(|source| DeriveError::Json {
        spec: spec.name.clone(),
        source,
    })?;
    Ok(Derived {
        report_md: report(&summary, &names),
        summary_json: json + "\n",
        summary,
        figures,
    })
}

#[cfg(test)]
mod tests;
