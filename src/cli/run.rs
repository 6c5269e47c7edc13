//! `ablate run`.

use super::arguments::{Results, ResultsArg, RunSettings};
use super::console::Console;
use super::exit::{Code, Failure};
use super::progress::{Watch, units};
use super::select::Selection;
use super::work::Work;
use super::{folder, preflight, signals, trainer};
use crate::analysis::Summary;
use crate::backends::DeviceInfo;
use crate::files::check_writable;
use crate::provenance::Provenance;
use crate::report::format::counted;
use crate::report::{brief, overview_table};
use crate::run::trainer::StopFlag;
use crate::run::{Reproduction, RunOptions, RunReport, run_spec, runs};
use crate::spec::Claim;
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
    /// The work on every selected experiment, and the folder of its results.
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
    let device = trainer::find(args.settings.device(), console)?;
    let (works, results) = args.work()?;
    prepare(&works, &results, console)?;
    let claims = Claim::load_all(&args.selection.experiments)?;
    let stop = signals::catch(console)?;

    console.start_bar(works.iter().flat_map(|w| &w.jobs).map(units).sum());
    let mut summaries = Vec::new();
    let mut failed = 0;
    for work in &works {
        let report = train(work, args, &device, &results.folder, console, &stop)?;
        if report.stopped {
            let message = format!("stopped in `{}`; {}", work.plan.spec.name, signals::GO_ON);
            return Err(Failure::new(Code::Stopped, message));
        }
        failed += report.failed;
        let summary = publish(work, &claims, &results.folder, console)?;
        tell(work, &report, &results.folder, console);
        console.data(&brief(&summary))?;
        summaries.push(summary);
    }
    if summaries.len() > 1 {
        let prefix = format!("{results}/");
        console.data(&format!(
            "\n# Overview\n\n{}",
            overview_table(&summaries, &prefix)
        ))?;
    }
    if failed > 0 {
        let message = format!(
            "{} failed; the same command tries them again",
            counted(failed, "cell")
        );
        return Err(Failure::new(Code::CellsFailed, message));
    }
    Ok(Code::Done)
}

/// Finds what would stop the run before it begins, and says what is going to happen.
fn prepare(works: &[Work], results: &Results, console: &Console) -> Result<(), Failure> {
    preflight::load_data(works.iter().flat_map(|work| &work.jobs))?;
    for work in works {
        check_writable(&results.folder.join(&work.plan.spec.name))?;
    }
    if let Some(why) = results.why {
        console.say(&format!(
            "results go to `{results}`, because {why}; `--results` chooses another folder"
        ));
    }
    for work in works {
        let again = work.committed.min(work.to_train());
        if again > 0 && work.recorded == 0 {
            let name = &work.plan.spec.name;
            console.say(&format!(
                "{name}: `{}` has {}, which are trained again to check them; `--adopt` counts them \
                 as done",
                results.folder.join(name).join(runs::NAME).display(),
                counted(again, "cell"),
            ));
        }
    }
    Ok(())
}

fn train(
    work: &Work,
    args: &Args,
    device: &DeviceInfo,
    results: &Path,
    console: &Console,
    stop: &StopFlag,
) -> Result<RunReport, Failure> {
    let jobs = args.settings.jobs().min(work.jobs.len()).max(1);
    let setting = trainer::setting(device);
    let options = RunOptions {
        jobs,
        fresh: args.settings.fresh,
        adopt: args.settings.adopt,
        results: results.to_owned(),
    };
    let trainer = trainer::trainer(&device.name, args.settings.isolate, jobs)?;
    let watch = Watch::new(console, &work.plan.spec.name, work.jobs.len());
    let report = run_spec(&work.plan, &*trainer, &options, &watch, stop)?;
    if let Some(provenance) = Provenance::of_run(&setting, &report).filter(|_| !report.stopped) {
        provenance.write(&results.join(&work.plan.spec.name))?;
    }
    Ok(report)
}

/// Derives and writes the files of an experiment, the overview and the pages of the claims.
fn publish(
    work: &Work,
    claims: &[Claim],
    results: &Path,
    console: &Console,
) -> Result<Summary, Failure> {
    let derived = folder::derive(&work.plan.spec, results, console)?;
    for target in folder::targets(&derived, results) {
        target.write()?;
    }
    let summaries = folder::summaries(results, std::slice::from_ref(&derived.summary), console);
    for target in folder::overview_targets(claims, &summaries, results) {
        target.write()?;
    }
    Ok(derived.summary)
}

/// Says what was done.
fn tell(work: &Work, report: &RunReport, results: &Path, console: &Console) {
    let name = &work.plan.spec.name;
    console.say(&format!(
        "{name}: {} trained in {:.1} s, {} recorded before{}{}",
        counted(report.trained, "cell"),
        report.seconds,
        report.reused,
        some(report.diverged, "diverged"),
        some(report.failed, "failed"),
    ));
    if let Some(text) = report.reproduction.as_ref().and_then(reproduced) {
        console.say(&format!("{name}: {text}"));
    }
    let folder = results.join(name);
    console.say(&format!("{name}: the report is in `{}`", folder.display()));
}

fn some(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        n => format!(", {n} {what}"),
    }
}

/// How the cells trained now compare with those that were there before.
pub(super) fn reproduced(found: &Reproduction) -> Option<String> {
    if found.compared == 0 {
        let other = found.only_there > 0;
        return other.then(|| {
            "the records that were here are of other cells (recipe, device or code changed)"
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
