//! The trainer: runs the program of each cell and records its metrics.

use super::evaluations::Evaluations;
use super::launch::Values;
use super::log::Log;
use super::output::{Finder, Output};
use super::process::{Ended, run};
use super::report::Patterns;
use super::{csv, hint, leftovers};
use crate::recipe::{MetricSource, ProgramRecipe};
use crate::record::{CellRecord, EpochRecord, Outcome};
use crate::trainer::{Job, JobCell, Progress, StopFlag, Trainer};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Name, in a results folder, of the folder with one folder per cell.
pub const CELLS_FOLDER: &str = "cells";
/// Name of the log in the folder of a cell.
const LOG: &str = "ablate-log.gz";
/// Longest quote of the log in an error, in characters.
const LONGEST_QUOTE: usize = 300;

/// Runs programs, one process per cell.
#[derive(Debug)]
pub struct ProgramTrainer {
    folder: PathBuf,
    threads: AtomicUsize,
    seconds: Option<f64>,
}

impl ProgramTrainer {
    /// A trainer whose cells have their folders below `folder`, and may use `threads` threads each.
    /// `seconds` is how long a cell took in earlier runs.
    ///
    /// # Errors
    /// If the absolute path of `folder` cannot be found.
    pub fn new(folder: &Path, threads: usize, seconds: Option<f64>) -> io::Result<Self> {
        Ok(Self {
            folder: std::path::absolute(folder)?,
            threads: AtomicUsize::new(threads),
            seconds,
        })
    }

    /// Runs a cell; `None` if it was stopped.
    fn cell(&self, job: &Job, cell: &JobCell, stop: &StopFlag) -> Option<CellRecord> {
        let found = match job.recipe.program() {
            Some(recipe) => self.evaluations(job, recipe, cell, stop)?,
            None => Err("is a net, but the trainer runs programs".to_owned()),
        };
        let (outcome, epochs) = match found {
            Ok(epochs) => (Outcome::Done, epochs),
            Err(error) => (Outcome::Failed { error }, Vec::new()),
        };
        Some(CellRecord {
            epochs,
            ..job.record(cell, outcome)
        })
    }

    /// The evaluations that a cell reports, or why it failed; `None` if it was stopped.
    fn evaluations(
        &self,
        job: &Job,
        recipe: &ProgramRecipe,
        cell: &JobCell,
        stop: &StopFlag,
    ) -> Option<Result<Vec<EpochRecord>, String>> {
        let folder = self.folder.join(CELLS_FOLDER).join(&cell.id);
        let Some(out) = folder.to_str() else {
            let path = folder.display();
            return Some(Err(format!(
                "the path `{path}` is not UTF-8; choose another folder"
            )));
        };
        let values = Values {
            seed: cell.seed,
            learning_rate: cell.learning_rate,
            out,
            threads: self.threads.load(Ordering::Relaxed),
            device: &job.device,
        };
        let output = match prepared(recipe, &folder) {
            Ok(output) => Arc::new(output),
            Err(error) => return Some(Err(error)),
        };
        let mut command = match values.command(recipe) {
            Ok(command) => command,
            Err(error) => return Some(Err(error)),
        };
        let timeout = recipe.timeout.map(Duration::from_secs_f64);
        let ended = run(&mut command, &folder, timeout, &output, stop);
        let mut kept = output.kept();
        let logged = kept.log.finish();
        let mut evaluations =
            std::mem::replace(&mut kept.evaluations, Evaluations::new(&recipe.metrics));
        let problem = match ended {
            Ok(Ended::Stopped) => return None,
            Ok(Ended::Exit(status)) if status.success() => None,
            Ok(Ended::Exit(status)) => Some(format!("ended with {status}")),
            Ok(Ended::TimedOut) => {
                let most = recipe.timeout.unwrap_or_default();
                Some(format!(
                    "was stopped after {most} s, the limit `program.timeout`"
                ))
            }
            Err(error) => {
                let program = Path::new(command.get_program()).display();
                return Some(Err(format!(
                    "`{program}` could not be started in `{}`: {error}",
                    recipe.directory.display()
                )));
            }
        };
        let nothing_in_text = problem.is_none()
            && evaluations.are_empty()
            && matches!(recipe.source, MetricSource::JsonLines);
        let found = match problem {
            Some(problem) => Err(problem),
            None => {
                (read_file(recipe, &values, &mut evaluations)).and_then(|()| evaluations.finish())
            }
        };
        let lines = kept.log.last_lines();
        let found = found.map_err(|error| match (nothing_in_text, recipe.metrics.first()) {
            (true, Some(metric)) => format!("{error}; {}", hint::how_to_read(metric, &lines)),
            _ => error,
        });
        let found = found.map_err(|error| with_last_lines(&error, &lines));
        Some(match logged {
            Ok(()) => found,
            Err(error) => found.and(Err(format!("the log could not be written: {error}"))),
        })
    }
}

/// Empties the folder of a cell and opens its output.
fn prepared(recipe: &ProgramRecipe, folder: &Path) -> Result<Output, String> {
    let finder = match &recipe.source {
        MetricSource::JsonLines => Finder::JsonLines,
        MetricSource::Regex(patterns) => {
            Finder::Regex(Patterns::new(patterns).map_err(|error| error.to_string())?)
        }
        MetricSource::Csv(_) => Finder::Nowhere,
    };
    let log = emptied(folder).and_then(|()| Log::create(&folder.join(LOG)));
    let log = log.map_err(|error| format!("cannot prepare `{}`: {error}", folder.display()))?;
    Ok(Output::new(finder, Evaluations::new(&recipe.metrics), log))
}

/// An earlier run of a cell that was killed may have left files and processes.
fn emptied(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        leftovers::end(folder, None);
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

fn read_file(
    recipe: &ProgramRecipe,
    values: &Values<'_>,
    evaluations: &mut Evaluations,
) -> Result<(), String> {
    let MetricSource::Csv(template) = &recipe.source else {
        return Ok(());
    };
    let path = recipe.directory.join(values.expand(template)?);
    csv::read(&path, evaluations)
        .map_err(|error| format!("left no metrics in `{}`: {error}", path.display()))
}

fn with_last_lines(error: &str, lines: &str) -> String {
    if lines.is_empty() {
        return format!("the program {error}");
    }
    let skipped = lines.chars().count().saturating_sub(LONGEST_QUOTE);
    let quote: String = lines.chars().skip(skipped).collect();
    format!("the program {error}; its last output: {quote}")
}

impl Trainer for ProgramTrainer {
    fn train(
        &self,
        job: &Job,
        progress: &dyn Progress,
        stop: &StopFlag,
    ) -> Option<Vec<CellRecord>> {
        let mut records = Vec::with_capacity(job.cells.len());
        for cell in &job.cells {
            if stop.stopped() {
                return None;
            }
            records.push(self.cell(job, cell, stop)?);
        }
        progress.advanced(job, 1);
        Some(records)
    }

    fn raise_threads(&self, threads: usize) {
        self.threads.fetch_max(threads, Ordering::Relaxed);
    }

    fn estimate(&self, job: &Job) -> Option<f64> {
        Some(self.seconds? * job.cells.len() as f64)
    }
}
