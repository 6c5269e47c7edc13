//! `ablate run`.

use super::arguments::{Results, ResultsArg, RunSettings};
use super::console::Console;
use super::exit::{Code, Failure};
use super::progress::{RunProgress, units};
use super::select::Selection;
use super::work::Work;
use super::{folder, preflight, seeds, signals, trainer};
use crate::analysis::Summary;
use crate::device::DeviceInfo;
use crate::files::check_writable;
use crate::provenance::Provenance;
use crate::record::CellRecord;
use crate::report::{Derived, REPORT_FILE, answer, claims_text};
use crate::run::{Reproduction, RunOptions, RunReport, run_spec, runs};
use crate::spec::Claim;
use crate::text::counted;
use crate::trainer::StopFlag;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) settings: RunSettings,
    #[command(flatten)]
    pub(crate) results: ResultsArg,
}

impl Args {
    /// Returns the work on every selected experiment, and the results folder.
    pub(crate) fn work(&self) -> Result<(Vec<Work>, Results), Failure> {
        let specs = self.selection.to_run()?;
        for spec in &specs {
            preflight::check_arms(spec)?;
        }
        let device = Some(self.settings.device());
        let results = self.results.folder(&self.selection, &specs, device);
        let work = specs
            .iter()
            .map(|spec| Work::new(spec, &self.settings, &results.folder))
            .collect::<Result<_, _>>()?;
        Ok((work, results))
    }
}

pub(super) fn run(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let (mut works, results) = args.work()?;
    let device = find_device(&works, &args.settings, console)?;
    check_inputs(&works, &results)?;
    announce(&works, &results, console);
    let claims = Claim::load_all(&args.selection.experiments)?;
    let stop = signals::catch(console)?;

    let mut checked = Vec::new();
    for work in &mut works {
        checked.push(check_seeds(work, args, &results.folder, console, &stop)?);
    }
    console.start_bar(works.iter().flat_map(|w| &w.jobs).map(units).sum());
    let mut summaries = Vec::new();
    let mut failed = 0;
    for (work, records) in works.iter().zip(checked) {
        let device = device.as_ref();
        let report = train(work, args, device, records, &results.folder, console, &stop)?;
        if report.stopped {
            return Err(signals::stopped(&work.plan.spec.name));
        }
        failed += report.failed;
        report_training(&work.plan.spec.name, &report, console);
        let spec = &work.plan.spec;
        let runs = folder::recorded_runs(spec, &results.folder)?;
        let derived = folder::derive(spec, &runs, &results.folder, console)?;
        console.print(&format!("{}\n", answer(&derived.summary)))?;
        write_files(&derived, &claims, &results.folder, console)?;
        summaries.push(derived.summary);
    }
    conclude(&claims, &summaries, console)?;
    if failed > 0 {
        let cells = counted(failed, "cell");
        let message = format!("{cells} failed; run the same command again to retry");
        return Err(Failure::new(Code::CellsFailed, message));
    }
    Ok(Code::Done)
}

/// Prints one table with the answers to the claims that the run tested.
fn conclude(claims: &[Claim], summaries: &[Summary], console: &Console) -> Result<(), Failure> {
    match claims_text(claims, summaries) {
        Some(table) => console.print(&table),
        None => Ok(()),
    }
}

/// Loads the data and tries the results folders, so that a run of hours does not fail at its end.
fn check_inputs(works: &[Work], results: &Results) -> Result<(), Failure> {
    preflight::load_data(works.iter().flat_map(|work| &work.jobs))?;
    for work in works {
        check_writable(&results.folder.join(&work.plan.spec.name))?;
    }
    Ok(())
}

/// Says where results go when that is not the usual folder, and which committed cells are trained
/// again.
fn announce(works: &[Work], results: &Results, console: &Console) {
    if let Some(reason) = results.reason {
        console.info(&format!(
            "writing results to `{results}` because {reason}; choose another folder with \
             `--results DIR`"
        ));
    }
    for work in works {
        let again = work.committed.min(work.to_train());
        if again > 0 && work.recorded == 0 {
            let name = &work.plan.spec.name;
            console.info(&format!(
                "{name}: `{}` already has {}; training them again to compare (`--adopt` reuses \
                 them instead)",
                results.folder.join(name).join(runs::NAME).display(),
                counted(again, "cell"),
            ));
        }
    }
}

/// Looks up the device of nets, if there are any.
pub(super) fn find_device(
    works: &[Work],
    settings: &RunSettings,
    console: &Console,
) -> Result<Option<DeviceInfo>, Failure> {
    let nets = works.iter().any(|work| work.plan.spec.program.is_none());
    let find = || trainer::find_device(settings.device(), console);
    nets.then(find).transpose()
}

/// Checks the seeds of a program that still has cells to run. Returns the records of the cells that ran for
/// it, which are no longer part of the work.
fn check_seeds(
    work: &mut Work,
    args: &Args,
    results: &Path,
    console: &Console,
    stop: &StopFlag,
) -> Result<Vec<CellRecord>, Failure> {
    let spec = &work.plan.spec;
    let Some(design) = spec.program.as_ref().filter(|_| !work.jobs.is_empty()) else {
        return Ok(Vec::new());
    };
    let folder = results.join(&spec.name);
    let jobs = args.settings.jobs(spec);
    let trainer = trainer::trainer_of(spec, &work.plan.device, false, jobs, &folder)?;
    let records = seeds::check(&work.plan, design, &folder, &*trainer, jobs, console, stop)?;
    let ran = |id: &str| records.iter().any(|record| record.id == id);
    work.jobs
        .retain(|job| !job.cells.iter().all(|cell| ran(&cell.id)));
    Ok(records)
}

fn train(
    work: &Work,
    args: &Args,
    device: Option<&DeviceInfo>,
    records: Vec<CellRecord>,
    results: &Path,
    console: &Console,
    stop: &StopFlag,
) -> Result<RunReport, Failure> {
    let spec = &work.plan.spec;
    let jobs = args.settings.jobs(spec).min(work.jobs.len()).max(1);
    let setting = trainer::setting(&work.plan.device, device, spec);
    let options = RunOptions {
        jobs,
        fresh: args.settings.fresh,
        adopt: args.settings.adopt,
        records,
        results: results.to_owned(),
    };
    let (device, isolate) = (&work.plan.device, args.settings.isolate);
    let trainer = trainer::trainer_of(spec, device, isolate, jobs, &results.join(&spec.name))?;
    let progress = RunProgress::new(console, &work.plan.spec.name, work.jobs.len());
    let report = run_spec(&work.plan, &*trainer, &options, &progress, stop)?;
    if let Some(provenance) = Provenance::of_run(&setting, &report).filter(|_| !report.stopped) {
        provenance.write(&results.join(&work.plan.spec.name))?;
    }
    Ok(report)
}

/// Writes the derived files of an experiment, the overview and the pages of the claims.
fn write_files(
    derived: &Derived,
    claims: &[Claim],
    results: &Path,
    console: &Console,
) -> Result<(), Failure> {
    for file in folder::files(derived, results) {
        file.write()?;
    }
    let summaries = folder::summaries(results, std::slice::from_ref(&derived.summary), console);
    for file in folder::overview_files(claims, &summaries, results) {
        file.write()?;
    }
    let folder = results.join(&derived.summary.name);
    console.info(&format!(
        "{}: wrote the report to `{}`",
        derived.summary.name,
        folder.join(REPORT_FILE).display()
    ));
    Ok(())
}

/// Says how many cells were trained, reused, and went wrong.
fn report_training(name: &str, report: &RunReport, console: &Console) {
    console.info(&format!(
        "{name}: trained {} in {:.1} s, reused {}{}{}",
        counted(report.trained, "cell"),
        report.seconds,
        report.reused,
        nonzero(report.diverged, "diverged"),
        nonzero(report.failed, "failed"),
    ));
    if let Some(text) = report.reproduction.as_ref().and_then(reproduced) {
        console.info(&format!("{name}: {text}"));
    }
}

fn nonzero(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        n => format!(", {n} {what}"),
    }
}

/// Describes how the cells trained now compare with the committed ones; `None` if there were none.
pub(super) fn reproduced(found: &Reproduction) -> Option<String> {
    if found.compared == 0 {
        return (found.only_committed > 0).then(|| {
            "nothing to compare with: the earlier records are of other cells (the recipe, device \
             or code has changed)"
                .to_owned()
        });
    }
    let mut text = format!(
        "reproduced {} of {} bit for bit",
        found.identical,
        counted(found.compared, "cell")
    );
    if found.identical < found.compared {
        text.push_str(&format!(
            "; the largest difference in test accuracy is {} points",
            found.largest_difference
        ));
    }
    Some(text)
}
