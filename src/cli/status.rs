//! `ablate status`: what is done, running, waiting and missing, from the results folder and the queues.

use super::arguments::{Format, FormatArg, RunSettings, lease};
use super::console::Console;
use super::exit::{Code, Failure};
use super::run::Common;
use super::submit::queue_of;
use crate::cluster::{Queued, submissions};
use crate::plan::Plan;
use crate::provenance::fingerprint;
use crate::record::Outcome;
use crate::run::share::{Seen, running};
use crate::run::{journal, runs};
use crate::spec::Spec;
use crate::text::counted;
use crate::text::duration::duration;
use crate::text::visible::visible;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    format: FormatArg,
}

/// The state of an experiment.
#[derive(Debug, Serialize)]
struct Status {
    name: String,
    /// Distinct cells of its plan.
    cells: usize,
    /// Cells with a record, diverged ones included.
    done: usize,
    failed: Vec<Failed>,
    running: Vec<Process>,
    queued: Vec<Waiting>,
    /// Cells that are neither recorded nor running nor in a queue.
    missing: usize,
    /// Why a queue could not be asked.
    notices: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Failed {
    arm: String,
    seed: u64,
    learning_rate: Option<f64>,
    error: String,
}

/// A process and the cells that it is training.
#[derive(Debug, Serialize)]
struct Process {
    host: String,
    pid: u32,
    cells: usize,
    /// Seconds since it began.
    seconds: u64,
}

/// A task in a queue.
#[derive(Debug, Serialize)]
struct Waiting {
    job: String,
    task: usize,
    state: String,
    place: String,
    time: String,
    /// Cells without a record.
    cells: usize,
}

pub(super) fn status(args: &Args, console: &Console) -> Result<Code, Failure> {
    let (specs, results) = args.common.selected()?;
    let found = (specs.iter())
        .map(|spec| Status::of(spec, &args.common.settings, &results.folder))
        .collect::<Result<Vec<_>, _>>()?;
    console.print(&match args.format.format {
        Format::Text => found.iter().map(Status::text).collect(),
        Format::Json => {
            let text = serde_json::to_string_pretty(&found);
            text.expect("plain data has a JSON form") + "\n"
        }
    })?;
    Ok(Code::Done)
}

impl Status {
    fn of(spec: &Spec, settings: &RunSettings, results: &Path) -> Result<Self, Failure> {
        let (device, folder) = (settings.device_of(spec), results.join(&spec.name));
        let plan = Plan::new(spec, device, settings.replicas.get(), fingerprint(device));
        let (mut lines, _) = journal::read(&folder, &plan)?;
        let path = folder.join(runs::NAME);
        if path.exists() {
            for line in runs::read_lines(&path, &plan)?.records {
                lines.entry(line.id().clone()).or_insert(line);
            }
        }
        let (mut done, mut failed) = (BTreeSet::new(), Vec::new());
        for id in plan.ids() {
            let Some(line) = lines.get(id) else {
                continue;
            };
            if !line.has_failed() {
                done.insert(id.to_owned());
                continue;
            }
            let record = line.record();
            if let Outcome::Failed { error } = &record.outcome {
                failed.push(Failed {
                    arm: record.arm.clone(),
                    seed: record.seed,
                    learning_rate: record.learning_rate,
                    error: visible(error).into_owned(),
                });
            }
        }
        let mut busy = BTreeSet::new();
        let mut processes: BTreeMap<(String, u32), (Seen, usize)> = BTreeMap::new();
        for found in running(&folder, lease()?) {
            if !plan.ids().contains(found.cell.as_str()) || done.contains(&found.cell) {
                continue;
            }
            let key = (found.process.host().to_owned(), found.process.pid());
            processes.entry(key).or_insert((found.process, 0)).1 += 1;
            busy.insert(found.cell);
        }
        let (mut queued, mut notices) = (Vec::new(), Vec::new());
        for submission in submissions(&folder) {
            let queue = match queue_of(&submission) {
                Ok(queue) => queue,
                Err(error) => {
                    notices.push(error.to_string());
                    continue;
                }
            };
            for (number, task) in queue {
                let Queued { state, place, time } = task;
                let cells = submission.tasks.get(number).into_iter().flatten();
                let open: Vec<&String> = cells.filter(|id| !done.contains(*id)).collect();
                queued.push(Waiting {
                    job: submission.job.clone().unwrap_or_default(),
                    task: number,
                    state,
                    place,
                    time,
                    cells: open.len(),
                });
                busy.extend(open.into_iter().cloned());
            }
        }
        let failed_ids = failed.len();
        let idle = plan
            .ids()
            .into_iter()
            .filter(|id| !done.contains(*id) && !busy.contains(*id));
        let running = processes.into_values().map(|(process, cells)| Process {
            cells,
            seconds: SystemTime::now()
                .duration_since(process.since)
                .map_or(0, |age| age.as_secs()),
            host: process.host().to_owned(),
            pid: process.pid(),
        });
        Ok(Self {
            name: spec.name.clone(),
            cells: plan.ids().len(),
            done: done.len(),
            missing: idle.count().saturating_sub(failed_ids),
            failed,
            running: running.collect(),
            queued,
            notices,
        })
    }

    fn text(&self) -> String {
        let Self {
            name,
            cells,
            done,
            failed,
            missing,
            ..
        } = self;
        let busy: usize = self.running.iter().map(|process| process.cells).sum();
        let mut text = format!(
            "{name}: {done} of {} done, {busy} running, {} failed, {missing} missing\n",
            counted(*cells, "cell"),
            failed.len()
        );
        let mut line = |line: String| {
            text.push_str("  ");
            text.push_str(&line);
            text.push('\n');
        };
        for process in &self.running {
            line(format!(
                "running: {} in process {} on {} for {}",
                counted(process.cells, "cell"),
                process.pid,
                process.host,
                duration(process.seconds as f64)
            ));
        }
        for task in &self.queued {
            let at = match (&*task.place, &*task.time) {
                ("", _) => String::new(),
                (place, "") => format!(" ({place})"),
                (place, time) => format!(" ({place}, {time})"),
            };
            line(format!(
                "queue: task {} of job {}: {}{at}, {} open",
                task.task,
                task.job,
                task.state.to_lowercase(),
                counted(task.cells, "cell")
            ));
        }
        for cell in failed {
            let rate = cell.learning_rate;
            let rate = rate.map_or(String::new(), |rate| format!(", learning rate {rate}"));
            line(format!(
                "failed: arm `{}`, seed {}{rate}: {}",
                cell.arm, cell.seed, cell.error
            ));
        }
        for notice in &self.notices {
            line(format!("a queue could not be asked: {notice}"));
        }
        text
    }
}
