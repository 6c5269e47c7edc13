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
/// If the seed changes nothing, the run was stopped, or a file cannot be written.
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

/// Runs the first cell of `plan` twice and a cell with another seed once, unless that was done before, and
/// writes what it shows into `folder`. Returns the records of the cells, which need not run again.
///
/// # Errors
/// If the seed changes nothing, the run was stopped, or the check cannot be written.
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
            let records = vec![first.clone(), other.clone()];
            if ![&first, &again, &other].into_iter().all(done) {
                // The failed cells are retried with the others, and reported there.
                return Ok(records.into_iter().filter(done).collect());
            }
            (SeedCheck::new(design, &first, &again, &other), records)
        }
    };
    if !check.uses_seed {
        return Err(ignored(plan, &check));
    }
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

fn ignored(plan: &Plan, check: &SeedCheck) -> Failure {
    Failure::new(
        Code::Usage,
        format!(
            "{}: the seed changes nothing: arm `{}` gives the same numbers with seeds {} and {}, so its \
             runs say nothing about chance; pass `{{seed}}` in `program.command` or read `ABLATE_SEED`, \
             and seed every generator of the program with it",
            plan.spec.path.display(),
            check.arm,
            check.seed,
            check.other_seed
        ),
    )
}

/// The three runs: the first cell, the same again, another seed.
struct Runs([Job; 3]);

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
        let planned = plan.cells.iter().filter(same_row).nth(1);
        let other = match planned {
            Some(cell) => job(&cell.id)?,
            None => {
                let mut other = one.clone();
                other.cells[0].id.push_str("-other");
                other.cells[0].seed = other.cells[0].seed.wrapping_add(1);
                other
            }
        };
        Some(Self([one, again, other]))
    }

    const fn first(&self) -> &Job {
        &self.0[0]
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
            for _ in 0..workers.clamp(1, self.0.len()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        let Some(job) = self.0.get(index) else {
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
