//! `ablate submit`: hands the missing cells of experiments to the queue of a cluster.

use super::arguments::positive;
use super::console::Console;
use super::exit::{Code, Failure};
use super::work::Work;
use super::{folder, run};
use crate::cluster::{
    HyperQueue, Place, Queue, QueueError, Scheduler, Slurm, Submission, Task, submissions,
};
use crate::device;
use crate::files::{absolute, check_writable, write_atomic};
use crate::text::counted;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

/// Cells of a task, unless the command line says how many: one full stack.
const USUAL_CELLS: usize = 10;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    queue: QueueArg,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum QueueArg {
    /// Submit an array to Slurm, and a job that writes the report
    Slurm(SlurmArgs),
    /// Submit a job of many tasks to HyperQueue
    Hyperqueue(HyperQueueArgs),
}

/// What both queues need.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    run: run::Common,
    /// Time limit of a task, in the format of the queue
    #[arg(long, value_name = "T")]
    time: Option<String>,
    /// Cores of a task
    #[arg(long, value_name = "N", value_parser = positive)]
    cpus: Option<NonZeroUsize>,
    /// Cells of a task [default: 10, and 1 for programs; more
    /// if the queue does not allow that many tasks]
    #[arg(long, value_name = "K", value_parser = positive, verbatim_doc_comment)]
    cells_per_task: Option<NonZeroUsize>,
    /// Print what would be submitted, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct SlurmArgs {
    #[command(flatten)]
    common: Common,
    /// Partition
    #[arg(long, value_name = "P")]
    partition: Option<String>,
    /// GPUs of a task; nets use one, with `--device cuda`
    #[arg(long, value_name = "N", value_parser = positive)]
    gpus: Option<NonZeroUsize>,
    /// Most tasks to run at the same time
    #[arg(long, value_name = "N", value_parser = positive)]
    array_parallelism: Option<NonZeroUsize>,
}

#[derive(Clone, Debug, clap::Args)]
struct HyperQueueArgs {
    #[command(flatten)]
    common: Common,
}

/// A queue and what is asked of it.
enum Wanted {
    Slurm(Slurm),
    HyperQueue(HyperQueue),
}

pub(super) fn submit(args: &Args, console: &Console) -> Result<Code, Failure> {
    let (common, wanted) = match &args.queue {
        QueueArg::Slurm(args) => {
            let Common { time, cpus, .. } = args.common.clone();
            let slurm = Slurm {
                partition: args.partition.clone(),
                time,
                cpus: cpus.map(usize::from),
                gpus: args.gpus.map(usize::from),
                parallel: args.array_parallelism.map(usize::from),
            };
            (&args.common, Wanted::Slurm(slurm))
        }
        QueueArg::Hyperqueue(args) => {
            let Common { time, cpus, .. } = args.common.clone();
            let cpus = cpus.map(usize::from);
            (&args.common, Wanted::HyperQueue(HyperQueue { cpus, time }))
        }
    };
    if common.run.settings.fresh {
        return Err(Failure::usage(
            "`--fresh` is not for submissions: it would train cells again that others are training",
        ));
    }
    let (works, results) = common.run.works()?;
    for work in works {
        if let Wanted::Slurm(Slurm { gpus: Some(n), .. }) = wanted {
            warn_of_idle_gpus(&work, n, console);
        }
        common.submit(&work, &results.folder, &wanted, console)?;
    }
    Ok(Code::Done)
}

impl Common {
    /// Submits the missing cells of one experiment.
    fn submit(
        &self,
        work: &Work,
        results: &Path,
        wanted: &Wanted,
        console: &Console,
    ) -> Result<(), Failure> {
        let spec = &work.plan.spec;
        let (name, home) = (&spec.name, absolute(&results.join(&spec.name)));
        let queued = queued_cells(&home)?;
        let missing: Vec<String> = (work.jobs.iter())
            .flat_map(|job| job.cells.iter().map(|cell| cell.id.clone()))
            .filter(|id| !queued.contains(id))
            .collect();
        if missing.is_empty() {
            console.print(&match queued.is_empty() {
                true => format!("{name}: every cell has a record; nothing to submit\n"),
                false => format!(
                    "{name}: every cell has a record or is in the queue; nothing to submit\n"
                ),
            })?;
            return Ok(());
        }
        let usual = if spec.program.is_some() {
            1
        } else {
            USUAL_CELLS
        };
        let size = self.cells_per_task.map_or(usual, usize::from);
        let size = size.max(self.least_cells(wanted, missing.len(), size, console)?);
        let submission = Submission {
            scheduler: match wanted {
                Wanted::Slurm(_) => Scheduler::Slurm,
                Wanted::HyperQueue(_) => Scheduler::HyperQueue,
            },
            job: None,
            report: None,
            tasks: missing.chunks(size).map(<[String]>::to_vec).collect(),
        };
        let place = Place::next(&home);
        let task = Task {
            program: std::env::current_exe().map_err(|e| {
                Failure::internal(format!("cannot find the path of this program: {e}"))
            })?,
            start: absolute(Path::new(".")),
            folder: home.clone(),
            tasks: place.tasks(),
            device: (self.run.settings.given_device()).map(str::to_owned),
            pin_kind: self.run.settings.pin_kind,
        };
        if self.dry_run {
            return print_plan(name, wanted, &submission, &task, &place, console);
        }
        check_writable(&home)?;
        place.create()?;
        folder::resolved(spec, results).write()?;
        submission.write(&place.tasks())?;
        let submission = match wanted {
            Wanted::Slurm(slurm) => {
                let script = slurm.script(name, submission.tasks.len(), &task, &place);
                write_atomic(&place.script(), script.as_bytes())?;
                let job = Slurm::submit(&place)?;
                // Known before anything else can fail.
                let submission = Submission {
                    job: Some(job.clone()),
                    ..submission
                };
                submission.write(&place.tasks())?;
                let report = slurm.submit_report(name, &task, &job, &place)?;
                Submission {
                    report: Some(report),
                    ..submission
                }
            }
            Wanted::HyperQueue(queue) => {
                let entries = HyperQueue::entries_of(&submission);
                write_atomic(&HyperQueue::entries(&place), entries.as_bytes())?;
                let job = queue.submit(name, &task, &place)?;
                Submission {
                    job: Some(job),
                    ..submission
                }
            }
        };
        submission.write(&place.tasks())?;
        let (job, tasks) = (submission.job.as_deref(), submission.tasks.len());
        let report = match &submission.report {
            Some(report) => format!("job {report} then writes the report"),
            None => format!("write the report with `ablate report {}`", home.display()),
        };
        console.print(&format!(
            "{name}: submitted {} as {} of job {}; {report}\n  progress: ablate status {}\n  logs: {}\n",
            counted(missing.len(), "cell"),
            counted(tasks, "task"),
            job.unwrap_or_default(),
            home.display(),
            place.logs().display(),
        ))
    }

    /// The fewest cells of a task with which the queue takes `cells` cells.
    fn least_cells(
        &self,
        wanted: &Wanted,
        cells: usize,
        size: usize,
        console: &Console,
    ) -> Result<usize, Failure> {
        let Wanted::Slurm(_) = wanted else {
            return Ok(1);
        };
        let most = match Slurm::most_tasks() {
            Ok(most) => most.unwrap_or(usize::MAX).max(1),
            Err(_) if self.dry_run => usize::MAX,
            Err(error) => return Err(error.into()),
        };
        let least = cells.div_ceil(most);
        if least > size {
            console.info(&format!(
                "Slurm allows {} per array, so each gets {least} cells instead of {size}",
                counted(most, "task")
            ));
        }
        Ok(least)
    }
}

/// Warns if tasks get GPUs that they do not use. What a program does with them is its own affair.
fn warn_of_idle_gpus(work: &Work, gpus: usize, console: &Console) {
    let (name, device) = (&work.plan.spec.name, &work.plan.device);
    if work.plan.spec.program.is_some() {
        return;
    }
    if device::is_cpu(device) {
        console.warn(&format!(
            "{name}: every task gets {}, but trains on `{device}`, a CPU; add `--device cuda`",
            counted(gpus, "GPU")
        ));
    } else if gpus > 1 {
        console.warn(&format!(
            "{name}: every task gets {gpus} GPUs, but trains on one of them; give `--gpus 1`"
        ));
    }
}

fn print_plan(
    name: &str,
    wanted: &Wanted,
    submission: &Submission,
    task: &Task,
    place: &Place,
    console: &Console,
) -> Result<(), Failure> {
    let tasks = submission.tasks.len();
    let cells: usize = submission.tasks.iter().map(Vec::len).sum();
    let text = match wanted {
        Wanted::Slurm(slurm) => format!(
            "{}\n# Then: {}\n",
            slurm.script(name, tasks, task, place),
            slurm.report_command(name, task, place)
        ),
        Wanted::HyperQueue(queue) => {
            format!("hq {}\n", queue.arguments(name, task, place).join(" "))
        }
    };
    console.print(&format!(
        "# {name}: {} in {}\n{text}",
        counted(cells, "cell"),
        counted(tasks, "task")
    ))
}

/// The tasks of a submission that have not ended.
pub(super) fn queue_of(submission: &Submission) -> Result<Queue, QueueError> {
    match (&submission.job, submission.scheduler) {
        (None, _) => Ok(Queue::new()),
        (Some(job), Scheduler::Slurm) => Slurm::queue(job),
        (Some(job), Scheduler::HyperQueue) => HyperQueue::queue(job),
    }
}

/// Ids of the cells of tasks that have not ended.
fn queued_cells(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    for submission in submissions(folder) {
        for (number, _) in queue_of(&submission)? {
            let cells = submission.tasks.get(number).into_iter().flatten();
            found.extend(cells.cloned());
        }
    }
    Ok(found)
}
