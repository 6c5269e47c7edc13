//! The check of a program's seeds, before its cells run.

use super::console::Console;
use super::exit::{Code, Failure};
use super::signals;
use super::work::Work;
use crate::analysis::SeedCheck;
use crate::files::{read_text, write_atomic};
use crate::plan::Plan;
use crate::record::{CellRecord, Outcome};
use crate::run::events::Silent;
use crate::run::share::{LOOK, Share, Sharing};
use crate::spec::ProgramDesign;
use crate::trainer::{Job, StopFlag, Trainer};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// File name in a results folder.
pub(crate) const NAME: &str = "seeds.json";

/// Name of the claim on the check.
const CLAIM: &str = "seeds";

/// Reads the check of the seeds in `folder`, if there is one.
pub(super) fn read(folder: &Path) -> Option<SeedCheck> {
    let text = read_text(&folder.join(NAME)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether the seeds are checked before `work`: that of a program that has cells to run.
pub(super) fn are_checked(work: &Work) -> bool {
    work.plan.spec.program.is_some() && !work.jobs.is_empty()
}

/// Checks the seeds of the program of `work`, if [`are_checked`]. Returns the records of the cells that ran for it,
/// which are no longer part of the work. Of the processes that share `folder` only one runs them, and the others wait.
///
/// # Errors
/// If the seed changes nothing, all three runs fail, the run was stopped, or a file cannot be written.
pub(super) fn check(
    work: &mut Work,
    folder: &Path,
    sharing: &Sharing,
    trainer: &dyn Trainer,
    jobs: usize,
    console: &Console,
    stop: &StopFlag,
) -> Result<Vec<CellRecord>, Failure> {
    let plan = &work.plan;
    let design = plan.spec.program.as_ref();
    let Some(design) = design.filter(|_| are_checked(work)) else {
        return Ok(Vec::new());
    };
    let is_known = || {
        let cell = plan.cells.first();
        read(folder).is_some_and(|check| cell.is_some_and(|cell| check.cell == cell.id))
    };
    // Held until the check is done.
    let mut share = None;
    while !is_known() {
        let share = match &mut share {
            Some(share) => share,
            None => share.insert(Share::join(folder, sharing)?),
        };
        if share.claim(CLAIM)? {
            break;
        }
        if stop.stopped() {
            return Err(signals::stopped(&plan.spec.name));
        }
        thread::sleep(LOOK);
    }
    let records = run_check(plan, design, folder, trainer, jobs, console, stop)?;
    let ran = |id: &str| records.iter().any(|record| record.id == id);
    work.jobs
        .retain(|job| !job.cells.iter().all(|cell| ran(&cell.id)));
    Ok(records)
}

/// Runs the first cell of `plan` twice and cells with other seeds until one gives other numbers, unless that
/// was done before, and writes what it shows into `folder`. Returns the records of the cells, which need not
/// run again.
///
/// # Errors
/// If the seed changes nothing, all three runs fail, the run was stopped, or the check cannot be written.
fn run_check(
    plan: &Plan,
    design: &ProgramDesign,
    folder: &Path,
    trainer: &dyn Trainer,
    jobs: usize,
    console: &Console,
    stop: &StopFlag,
) -> Result<Vec<CellRecord>, Failure> {
    let Some(runs) = Runs::of(plan) else {
        return Ok(Vec::new());
    };
    let known = read(folder).filter(|check| check.cell == runs.first().cells[0].id);
    let (check, records) = match known {
        Some(check) => (check, Vec::new()),
        None => {
            console.detail(&format!("{}: checking the seeds", plan.spec.name));
            let records = runs.run(trainer, jobs, stop);
            let Some([first, again, other]) = records else {
                return Err(signals::stopped(&plan.spec.name));
            };
            let done = |record: &CellRecord| record.outcome == Outcome::Done;
            let mut records = vec![first.clone(), other.clone()];
            let three = [&first, &again, &other];
            if let [Some(error), Some(_), Some(_)] = three.map(failure) {
                return Err(all_failed(plan, &first, &other, error));
            }
            if !three.into_iter().all(done) {
                // The failed cells are retried with the others, and reported there.
                return Ok(records.into_iter().filter(done).collect());
            }
            let mut check = SeedCheck::new(design, &first, &again, &other);
            // Rounded scores may agree by chance.
            for job in &runs.more {
                if check.uses_seed {
                    break;
                }
                let record = trainer.train(job, &Silent, stop).and_then(|mut r| r.pop());
                let Some(record) = record else {
                    return Err(signals::stopped(&plan.spec.name));
                };
                if done(&record) {
                    check = SeedCheck::new(design, &first, &again, &record);
                    records.push(record);
                }
            }
            if !check.uses_seed {
                return Err(ignored(plan, &records));
            }
            (check, records)
        }
    };
    if let Some(text) = check.caveat(design.paired) {
        console.warn(&format!("{}: {text}", plan.spec.name));
    }
    let mut text = serde_json::to_string_pretty(&check).map_err(|error| {
        Failure::internal(format!("cannot write the check of the seeds: {error}"))
    })?;
    text.push('\n');
    write_atomic(&folder.join(NAME), text.as_bytes())?;
    Ok(records)
}

/// Why a cell failed, if it did.
fn failure(record: &CellRecord) -> Option<&str> {
    match &record.outcome {
        Outcome::Failed { error } => Some(error),
        _ => None,
    }
}

fn all_failed(plan: &Plan, first: &CellRecord, other: &CellRecord, error: &str) -> Failure {
    Failure::new(
        Code::CellsFailed,
        format!(
            "{}: arm `{}` failed with seeds {} and {}, so nothing else was run: {error}",
            plan.spec.name, first.arm, first.seed, other.seed
        ),
    )
}

fn ignored(plan: &Plan, records: &[CellRecord]) -> Failure {
    let seeds: Vec<String> = records.iter().map(|r| r.seed.to_string()).collect();
    Failure::new(
        Code::Usage,
        format!(
            "{}: the seed changes nothing: arm `{}` gives the same numbers with seeds {}, so its \
             runs say nothing about chance; pass `{{seed}}` in `program.command` or read `ABLATE_SEED`, \
             and seed every generator of the program with it",
            plan.spec.path.display(),
            records[0].arm,
            seeds.join(", ")
        ),
    )
}

/// Cells with further seeds that run before the seed is said to change nothing.
const MORE: usize = 3;

/// Runs of one arm.
struct Runs {
    /// The first cell, the same again, another seed.
    three: [Job; 3],
    /// Further seeds.
    more: Vec<Job>,
}

impl Runs {
    fn of(plan: &Plan) -> Option<Self> {
        let first = plan.cells.first()?;
        let same_row = |cell: &&crate::plan::PlannedCell| {
            (cell.arm, cell.learning_rate) == (first.arm, first.learning_rate)
        };
        let job = |id: &str| plan.jobs(|wanted| wanted == id).pop();
        let one = job(&first.id)?;
        let mut again = one.clone();
        again.cells[0].id.push_str("-again");
        let mut planned = plan.cells.iter().filter(same_row).skip(1);
        let other = match planned.next() {
            Some(cell) => job(&cell.id)?,
            None => {
                let mut other = one.clone();
                other.cells[0].id.push_str("-other");
                other.cells[0].seed = other.cells[0].seed.wrapping_add(1);
                other
            }
        };
        let more = planned.take(MORE).filter_map(|cell| job(&cell.id));
        Some(Self {
            three: [one, again, other],
            more: more.collect(),
        })
    }

    const fn first(&self) -> &Job {
        &self.three[0]
    }

    /// The records of the three, with `workers` at a time; `None` if the run was stopped.
    fn run(
        &self,
        trainer: &dyn Trainer,
        workers: usize,
        stop: &StopFlag,
    ) -> Option<[CellRecord; 3]> {
        let next = AtomicUsize::new(0);
        let found = Mutex::new([None, None, None]);
        thread::scope(|scope| {
            for _ in 0..workers.clamp(1, self.three.len()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        let Some(job) = self.three.get(index) else {
                            break;
                        };
                        let record = trainer.train(job, &Silent, stop).and_then(|mut r| r.pop());
                        found.lock().unwrap_or_else(PoisonError::into_inner)[index] = record;
                    }
                });
            }
        });
        let [one, again, other] = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some([one?, again?, other?])
    }
}
