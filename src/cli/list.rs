//! `ablate list`.

use super::arguments::{OTHER_RESULTS, ResultsArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::folder::{self, summary_of};
use super::looks;
use super::root;
use super::select::{ALL, Selection};
use super::sheet::{self, Sheet, TableFormat, TableFormatArg};
use super::table::plain;
use crate::analysis::Summary;
use crate::plan::Plan;
use crate::provenance::fingerprint;
use crate::record::Outcome;
use crate::report::changed_by;
use crate::run::{journal, runs};
use crate::spec::Spec;
use crate::text::counted;
use crate::text::markdown::Align::{Left, Right};
use serde::Serialize;
use std::path::Path;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    results: ResultsArg,
    #[command(flatten)]
    format: TableFormatArg,
}

/// Columns of the list as CSV.
const COLUMNS: [&str; 12] = [
    "name",
    "folder",
    "changed_by",
    "claim",
    "suites",
    "arms",
    "seeds",
    "cells",
    "recorded",
    "verdict",
    "damaged",
    "title",
];

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Its results folder.
    folder: String,
    /// Changes by the command line, in words; absent without any.
    changed_by: Option<String>,
    claim: Option<String>,
    suites: Vec<String>,
    arms: usize,
    seeds: usize,
    cells: usize,
    /// Cells with a record.
    recorded: usize,
    /// `supported`, `contradicted`, `undecided`, or why it is withheld; `none` without a primary contrast;
    /// absent without results.
    verdict: Option<String>,
    /// Damaged lines of `runs.jsonl`.
    damaged: usize,
    title: String,
}

pub(super) fn list(args: &Args, console: &Console) -> Result<Code, Failure> {
    let specs = args.selection.specs(ALL)?;
    let results = args.results.folder(&args.selection, &specs, None).folder;
    let mut rows = Vec::new();
    let mut shown = Vec::new();
    let given = args.selection.gives_seeds();
    for spec in specs {
        let spec = looks::recorded(spec, &results, given)?;
        rows.push(row(&spec, &spec.name, &results, console)?);
        shown.push(spec);
    }
    // What was changed has a folder of its own, beside the unchanged results or in the other folder.
    let wanted = |spec: &Spec| {
        let is_relative = |other: &Spec| other.base_name() == spec.base_name();
        args.selection.names.is_empty() || shown.iter().any(is_relative)
    };
    for spec in folder::other_specs(&results, &shown, console) {
        if wanted(&spec) {
            rows.push(row(&spec, &spec.name, &results, console)?);
        }
    }
    let other = &root::beside(OTHER_RESULTS);
    if !args.results.is_given() && results != *other {
        for spec in folder::other_specs(other, &[], console) {
            if wanted(&spec) {
                let name = match spec.changes.variant_of {
                    Some(_) => spec.name.clone(),
                    None => other.join(&spec.name).display().to_string(),
                };
                rows.push(row(&spec, &name, other, console)?);
            }
        }
    }
    match args.format.format {
        TableFormat::Text => console.print(&text(&rows))?,
        format => {
            let sheets = [sheet_of(&rows)];
            sheet::print(format, "", &sheets, &COLUMNS, &rows, &rows, console)?;
        }
    }
    Ok(Code::Done)
}

/// The row of `spec`, whose results are in its folder in `results`, under `name`.
fn row(spec: &Spec, name: &str, results: &Path, console: &Console) -> Result<Row, Failure> {
    let runs = folder::recorded_runs(spec, results)?;
    Ok(Row {
        name: name.to_owned(),
        folder: results.join(&spec.name).display().to_string(),
        changed_by: changed_by(&spec.changes, &spec.seeds),
        damaged: damaged_lines(spec, &runs, results, console),
        recorded: recorded(spec, &runs, results)?,
        verdict: summary_of(&spec.name, results)
            .as_ref()
            .map(Summary::short_verdict_words),
        arms: spec.arms.len(),
        seeds: spec.seeds.len(),
        cells: cells(spec),
        claim: spec.claim.clone(),
        suites: spec.suites.clone(),
        title: spec.title.clone(),
    })
}

/// Number of cells of `spec` with a record of a finished training: in `runs.jsonl`, whatever code made it,
/// or in the journal of a run that is not done.
fn recorded(spec: &Spec, runs: &runs::Runs, results: &Path) -> Result<usize, Failure> {
    let first = runs.records.first();
    let device = first.map_or_else(
        || {
            spec.changes
                .device
                .as_deref()
                .unwrap_or_else(|| spec.default_device())
        },
        |record| &record.device,
    );
    let plan = Plan::new(spec, device, 1, fingerprint(device));
    let (journal, _) = journal::read(&results.join(&spec.name), &plan)?;
    let is_done = |outcome: &Outcome| !matches!(outcome, Outcome::Failed { .. });
    let cells = plan.cells.iter().filter(|cell| {
        let in_runs = runs.records.iter().any(|record| {
            is_done(&record.outcome) && super::adopt::is_record_of(spec, cell, record)
        });
        in_runs
            || journal
                .get(&*cell.id)
                .is_some_and(|line| !line.has_failed())
    });
    Ok(cells.count())
}

/// The number of damaged lines in the records of `spec`, with a warning if there are any.
fn damaged_lines(spec: &Spec, runs: &runs::Runs, results: &Path, console: &Console) -> usize {
    let lines = folder::damage(runs);
    if let Some(first) = lines.first() {
        let name = &spec.name;
        let more = match lines.len() - 1 {
            0 => String::new(),
            more => format!(" (and {} more)", counted(more, "line")),
        };
        let advice = folder::damage_advice(spec, results);
        console.warn(&format!("{name}: {first}{more}; {advice}"));
    }
    lines.len()
}

/// Number of cells of a spec: arms x learning rates x seeds.
pub(super) fn cells(spec: &Spec) -> usize {
    let rates: usize = spec.arms.iter().map(|arm| arm.rates().len()).sum();
    rates * spec.seeds.len()
}

/// The verdict, and how many cells are recorded if that is not all of them.
fn state(row: &Row) -> String {
    let partial = format!("partial {}/{}", row.recorded, row.cells);
    match &row.verdict {
        Some(verdict) if row.recorded == row.cells => verdict.clone(),
        Some(verdict) => format!("{verdict}, {partial}"),
        None if row.recorded > 0 => partial,
        None => "not run".to_owned(),
    }
}

/// Columns of the list for people; those from the fourth to the sixth hold numbers.
const SHOWN: [&str; 7] = [
    "name", "claim", "suites", "arms", "seeds", "cells", "verdict",
];

fn text(rows: &[Row]) -> String {
    let mut lines = vec![SHOWN.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(shown));
    plain(&lines, &[3, 4, 5])
}

fn sheet_of(rows: &[Row]) -> Sheet {
    let align = |i| if (3..6).contains(&i) { Right } else { Left };
    let columns = SHOWN.into_iter().enumerate();
    let columns = columns.map(|(i, name)| (name.to_owned(), align(i)));
    let mut sheet = Sheet::new("Experiments", columns);
    rows.iter().for_each(|row| sheet.row(shown(row)));
    sheet
}

fn shown(row: &Row) -> Vec<String> {
    vec![
        row.name.clone(),
        row.claim.clone().unwrap_or_else(|| "-".to_owned()),
        match row.suites.is_empty() {
            true => "-".to_owned(),
            false => row.suites.join(","),
        },
        row.arms.to_string(),
        row.seeds.to_string(),
        row.cells.to_string(),
        state(row),
    ]
}
