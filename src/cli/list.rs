//! `ablate list`.

use super::arguments::{Format, FormatArg, ResultsArg};
use super::console::Console;
use super::exit::{Code, Failure};
use super::folder::{self, summary_of};
use super::select::{ALL, Selection};
use super::table::plain;
use crate::spec::Spec;
use crate::text::counted;
use serde::Serialize;
use std::path::Path;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    results: ResultsArg,
    #[command(flatten)]
    format: FormatArg,
}

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    claim: Option<String>,
    suites: Vec<String>,
    arms: usize,
    seeds: usize,
    cells: usize,
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
    let damaged = specs
        .iter()
        .map(|spec| damaged_lines(spec, &results, console));
    let damaged = damaged.collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<Row> = (specs.into_iter().zip(damaged))
        .map(|(spec, damaged)| Row {
            damaged,
            verdict: summary_of(&spec.name, &results).map(|summary| summary.short_verdict_words()),
            arms: spec.arms.len(),
            seeds: spec.seeds.len(),
            cells: cells(&spec),
            name: spec.name,
            claim: spec.claim,
            suites: spec.suites,
            title: spec.title,
        })
        .collect();
    match args.format.format {
        Format::Json => console.print_json(&rows)?,
        Format::Text => console.print(&text(&rows))?,
    }
    Ok(Code::Done)
}

/// The number of damaged lines in the records of `spec`, with a warning if there are any.
fn damaged_lines(spec: &Spec, results: &Path, console: &Console) -> Result<usize, Failure> {
    let lines = folder::damage(&folder::recorded_runs(spec, results)?);
    if let Some(first) = lines.first() {
        let name = &spec.name;
        let more = match lines.len() - 1 {
            0 => String::new(),
            more => format!(" (and {} more)", counted(more, "line")),
        };
        let advice = folder::damage_advice(name);
        console.warn(&format!("{name}: {first}{more}; {advice}"));
    }
    Ok(lines.len())
}

/// Number of cells of a spec: arms x learning rates x seeds.
pub(super) fn cells(spec: &Spec) -> usize {
    let rates: usize = spec.arms.iter().map(|arm| arm.rates().len()).sum();
    rates * spec.seeds.len()
}

fn text(rows: &[Row]) -> String {
    let header = [
        "name", "claim", "suites", "arms", "seeds", "cells", "verdict",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
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
            row.verdict.clone().unwrap_or_else(|| "not run".to_owned()),
        ]
    }));
    plain(&lines, &[3, 4, 5])
}
