//! `ablate worker`: trains cells of an experiment that other processes share.

use super::arguments::positive;
use super::console::Console;
use super::exit::{Code, Failure};
use super::progress::{RunProgress, units};
use super::run::{self, Common};
use super::work::Work;
use super::{folder, preflight, seeds, signals, trainer};
use crate::cluster::Submission;
use crate::provenance::run_recorded;
use crate::run::RunOptions;
use crate::run::share::Sharing;
use crate::text::counted;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

/// Variables with the number of a task in an array, and with the number of the first task.
const INDEX: [(&str, Option<&str>); 4] = [
    ("SLURM_ARRAY_TASK_ID", Some("SLURM_ARRAY_TASK_MIN")),
    ("HQ_TASK_ID", None),
    ("PBS_ARRAY_INDEX", None),
    ("JOB_COMPLETION_INDEX", None),
];

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    common: Common,
    /// Train only the I-th of N shares of the cells, from 0
    /// [default: the number of the task in an array of Slurm,
    /// HyperQueue, PBS or Kubernetes]
    #[arg(long, value_name = "I", verbatim_doc_comment)]
    index: Option<usize>,
    /// Number of shares
    #[arg(long, value_name = "N", value_parser = positive)]
    of: Option<NonZeroUsize>,
    /// List of tasks, written by `ablate submit`; the number
    /// of the task chooses its cells
    #[arg(long, value_name = "FILE", conflicts_with = "of", verbatim_doc_comment)]
    tasks: Option<PathBuf>,
    /// Do not wait for cells that other processes are training
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn worker(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let settings = &args.common.settings;
    if settings.fresh {
        return Err(Failure::usage(
            "`--fresh` cannot be shared between processes; use it with `ablate run`",
        ));
    }
    if args.common.selection.names.is_empty() {
        return Err(Failure::usage(
            "which experiment? Give its results folder, such as `results/mine`, or its name",
        ));
    }
    let (works, results) = args.common.works()?;
    if args.tasks.is_some() && works.len() != 1 {
        return Err(Failure::usage("`--tasks` belongs to one experiment"));
    }
    let on = works
        .iter()
        .map(|work| (&work.plan.spec, work.plan.device.as_str()));
    let device = run::find_device(on, console)?;
    if let Some(info) = &device {
        console.info(&trainer::used(info));
    }
    preflight::load_data(works.iter().flat_map(|work| &work.jobs))?;
    let stop = signals::catch(console)?;
    console.start_bar(works.iter().flat_map(|w| &w.jobs).map(units).sum());
    let mut failed = 0;
    for mut work in works {
        let spec = work.plan.spec.clone();
        let home = results.folder.join(&spec.name);
        let resolved = folder::resolved(&spec, &results.folder);
        if !resolved.path.exists() {
            // So that the folder says what is in it before a report does.
            resolved.write()?;
        }
        let jobs = settings.jobs(&spec);
        let trainer = trainer::trainer_of(&spec, &work.plan.device, settings.isolate, jobs, &home)?;
        let setting = trainer::setting(&work.plan.device, device.as_ref(), &spec);
        let sharing = Sharing {
            guest: true,
            wait: !args.no_wait,
            cells: args.cells(&work)?,
            ..settings.sharing(&setting)?
        };
        let records = seeds::check(&mut work, &home, &sharing, &*trainer, jobs, console, &stop)?;
        if let Some(cells) = &sharing.cells {
            for job in &mut work.jobs {
                job.cells.retain(|cell| cells.contains(&cell.id));
            }
            work.jobs.retain(|job| !job.cells.is_empty());
        }
        let options = RunOptions {
            jobs: jobs.min(work.jobs.len()).max(1),
            fresh: false,
            adopt: settings.adopt,
            records,
            results: results.folder.clone(),
            sharing,
        };
        let mut progress = RunProgress::new(console, &spec.name, work.jobs.len());
        if console.table_size().is_some() {
            let table = work.table(&home, run::shown_metric(&spec), settings)?;
            progress = progress.with_table(table, None);
        }
        let report = run_recorded(&work.plan, &*trainer, &options, &progress, &stop, &setting)?;
        if report.stopped {
            return Err(signals::stopped(&spec.name));
        }
        failed += report.failed_here;
        console.info(&format!(
            "{}: {} trained here{}{}",
            spec.name,
            counted(report.trained, "cell"),
            more(report.elsewhere, "by other processes meanwhile"),
            more(report.left, "left to other processes"),
        ));
        let left = Work::new(&spec, settings, &results.folder)?.to_train();
        console.info(&match left {
            0 => format!(
                "{}: every cell has a record; write the report with `ablate report {}`",
                spec.name,
                home.display()
            ),
            left => format!(
                "{}: {} missing; `ablate status {}` says what happens to them",
                spec.name,
                match left {
                    1 => "1 cell is".to_owned(),
                    left => format!("{left} cells are"),
                },
                home.display()
            ),
        });
    }
    if failed > 0 {
        let cells = counted(failed, "cell");
        let message = format!("{cells} failed; a worker that starts later tries again");
        return Err(Failure::new(Code::CellsFailed, message));
    }
    Ok(Code::Done)
}

fn more(cells: usize, what: &str) -> String {
    match cells {
        0 => String::new(),
        cells => format!(", {cells} {what}"),
    }
}

impl Args {
    /// The ids of the cells that this worker trains; `None` for all.
    fn cells(&self, work: &Work) -> Result<Option<BTreeSet<String>>, Failure> {
        if let Some(path) = &self.tasks {
            let index = self.index_or_environment(true)?;
            let tasks = Submission::read(path)?.tasks;
            let cells = tasks.get(index).ok_or_else(|| {
                Failure::usage(format!(
                    "there is no task {index} in `{}`, which has {}, from 0",
                    path.display(),
                    counted(tasks.len(), "task")
                ))
            })?;
            return Ok(Some(cells.iter().cloned().collect()));
        }
        let of = match (self.of, self.index) {
            (Some(of), _) => of.get(),
            (None, Some(_)) => return Err(Failure::usage("`--index I` needs `--of N`, too")),
            (None, None) => return Ok(None),
        };
        let index = self.index_or_environment(false)?;
        if index >= of {
            return Err(Failure::usage(format!(
                "there is no share {index} of {of}; the first one is 0"
            )));
        }
        // The shares must be the same for all workers, whatever is already recorded.
        let jobs = work.plan.jobs(|_| true).into_iter();
        let own = jobs.enumerate().filter(|(number, _)| number % of == index);
        let cells = own.flat_map(|(_, job)| job.cells);
        Ok(Some(cells.map(|cell| cell.id).collect()))
    }

    /// The number of this worker, from the command line or the environment. Tasks of a submission are counted from 0.
    fn index_or_environment(&self, submitted: bool) -> Result<usize, Failure> {
        if let Some(index) = self.index {
            return Ok(index);
        }
        let number = |name: &str| -> Result<Option<usize>, Failure> {
            let text = std::env::var(name).ok().filter(|text| !text.is_empty());
            text.map(|text| {
                text.trim().parse().map_err(|_| {
                    Failure::usage(format!("`{name}` is `{text}`, not the number of a task"))
                })
            })
            .transpose()
        };
        for (name, first) in INDEX {
            if let Some(index) = number(name)? {
                let first = match first.filter(|_| !submitted) {
                    Some(first) => number(first)?.unwrap_or(0),
                    None => 0,
                };
                return Ok(index.saturating_sub(first));
            }
        }
        let names = INDEX.map(|(name, _)| format!("`{name}`")).join(", ");
        Err(Failure::usage(format!(
            "which share? Give `--index I`; none of {names} is set"
        )))
    }
}
