//! `ablate run`.

use super::arguments::{Results, ResultsArg, RunSettings, lease};
use super::console::Console;
use super::exit::{Code, Failure};
use super::looks::{self, Next, UntilDecided};
use super::manifest::{self, published};
use super::progress::{RunProgress, units};
use super::select::Selection;
use super::trained::report_training;
use super::work::{Survey, Work};
use super::{folder, preflight, seeds, signals, trainer, variant, weights};
use crate::analysis::{Summary, power_forecast, weak_contrasts};
use crate::device::DeviceInfo;
use crate::files::check_writable;
use crate::provenance::run_recorded;
use crate::record::CellRecord;
use crate::report::{Derived, REPORT_FILE, answer, changed_by, claims_text, unchanged};
use crate::run::share::Sharing;
use crate::run::{RunOptions, RunReport, looks as looks_file, runs};
use crate::spec::{Claim, Metric, Spec};
use crate::text::counted;
use crate::trainer::StopFlag;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    until: UntilDecided,
    /// Keep the weights of every trained cell, with a card,
    /// in the folder `.weights` of its results; see
    /// `ablate predict` and `ablate models export`
    #[arg(long, verbatim_doc_comment)]
    keep_weights: bool,
}

/// The arguments of `run`, and of the verbs that preview it, share it or hand it on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) settings: RunSettings,
    #[command(flatten)]
    pub(crate) results: ResultsArg,
}

impl Common {
    /// A survey of every selected experiment, and the results folder.
    pub(crate) fn surveys(&self) -> Result<(Vec<Survey>, Results), Failure> {
        let (specs, results) = self.selected()?;
        let survey = |spec| Survey::new(spec, &self.settings, &results.folder);
        let surveys = specs.iter().map(survey).collect::<Result<_, _>>()?;
        Ok((surveys, results))
    }

    /// The work on every selected experiment, and the results folder.
    pub(super) fn works(&self) -> Result<(Vec<Work>, Results), Failure> {
        let (specs, results) = self.selected()?;
        Ok((works(&specs, &self.settings, &results)?, results))
    }

    /// Every selected experiment, and the results folder.
    pub(super) fn selected(&self) -> Result<(Vec<Spec>, Results), Failure> {
        self.specs(&UntilDecided::default(), |results| results)
    }

    /// Every selected experiment, with seeds added as `until` says, and the results folder that `change` gives.
    fn specs(
        &self,
        until: &UntilDecided,
        change: impl FnOnce(Results) -> Results,
    ) -> Result<(Vec<Spec>, Results), Failure> {
        let named = |spec: Spec| {
            let given = self.settings.given_device();
            let device = given.map(|_| self.settings.device_of(&spec).to_owned());
            variant::named(spec, device.as_deref())
        };
        let specs: Vec<Spec> = self.selection.to_run()?.into_iter().map(named).collect();
        for spec in &specs {
            preflight::check_arms(spec)?;
        }
        let results = change(self.results.folder(&self.selection, &specs, None));
        variant::check_files(&specs, &results.folder)?;
        let given = self.selection.gives_seeds();
        let specs = looked_at(specs, &results, given, until)?;
        Ok((specs, results))
    }
}

/// `specs` with the looks that their results folders record. `given` says whether the command line names the
/// number of seeds. Where seeds are added until there is a verdict, it is that of the first look.
///
/// # Errors
/// If fewer seeds are asked for than were looked at, or records cannot be read.
pub(super) fn looked_at(
    specs: Vec<Spec>,
    results: &Results,
    given: bool,
    until: &UntilDecided,
) -> Result<Vec<Spec>, Failure> {
    let more = until.until_decided;
    let specs = (specs.into_iter())
        .map(|spec| looks::before_run(spec, &results.folder, given, more))
        .collect::<Result<Vec<_>, _>>()?;
    (specs.into_iter())
        .map(|spec| if more { until.begin(spec) } else { Ok(spec) })
        .collect()
}

/// The work on `specs`.
///
/// # Errors
/// If existing records cannot be read.
pub(super) fn works(
    specs: &[Spec],
    settings: &RunSettings,
    results: &Results,
) -> Result<Vec<Work>, Failure> {
    let work = |spec| Work::new(spec, settings, &results.folder);
    specs.iter().map(work).collect()
}

pub(super) fn run(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let Args {
        common,
        until,
        keep_weights,
    } = args;
    let reason = "`--until-decided` changes the number of seeds";
    let (specs, results) = common.specs(until, |results| match until.until_decided {
        true => results.changed(&common.results, reason),
        false => results,
    })?;
    let request = Request {
        works: works(&specs, &common.settings, &results)?,
        settings: &common.settings,
        results: &results,
        until,
        keep_weights: *keep_weights,
        claims: Claim::load_all(&common.selection.experiments)?,
    };
    execute(request, console)
}

/// What is to run, and how.
pub(super) struct Request<'a> {
    pub(super) works: Vec<Work>,
    pub(super) settings: &'a RunSettings,
    pub(super) results: &'a Results,
    pub(super) until: &'a UntilDecided,
    pub(super) keep_weights: bool,
    /// Claims for which pages are written.
    pub(super) claims: Vec<Claim>,
}

/// Trains missing cells, writes reports, and prints the answers.
pub(super) fn execute(request: Request<'_>, console: &Arc<Console>) -> Result<Code, Failure> {
    let Request {
        mut works,
        settings,
        results,
        until,
        keep_weights,
        claims,
    } = request;
    if keep_weights {
        weights::check(&works)?;
    }
    let on = works
        .iter()
        .map(|work| (&work.plan.spec, work.plan.device.as_str()));
    let device = find_device(on, console)?;
    check_inputs(&works, results)?;
    announce(&works, settings, results, console);
    for work in works.iter().filter(|work| !work.jobs.is_empty()) {
        warn_of_weak_contrasts(work, until, &results.folder, console);
    }
    let specs: Vec<Spec> = works.iter().map(|work| work.plan.spec.clone()).collect();
    let run = Run {
        settings,
        until,
        keep_weights,
        device,
        neighbours: folder::neighbours(&specs),
        results: &results.folder,
        claims,
        stop: signals::catch(console)?,
        console,
    };

    let mut checked = Vec::new();
    for work in &mut works {
        checked.push(run.check_seeds(work)?);
    }
    console.start_bar(works.iter().flat_map(|w| &w.jobs).map(units).sum());
    let mut summaries = Vec::new();
    let mut failed = 0;
    for (work, records) in works.into_iter().zip(checked) {
        let (summary, failures) = run.experiment(work, records)?;
        failed += failures;
        summaries.push(summary);
    }
    conclude(&run.claims, &summaries, console)?;
    if failed > 0 {
        let cells = counted(failed, "cell");
        let message = format!("{cells} failed; run the same command again to retry");
        return Err(Failure::new(Code::CellsFailed, message));
    }
    Ok(Code::Done)
}

/// Prints one table with the answers to the claims that the run tested. Variants answer none.
fn conclude(claims: &[Claim], summaries: &[Summary], console: &Console) -> Result<(), Failure> {
    match claims_text(claims, &unchanged(summaries)) {
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

/// Says where results go when that is not the usual folder, which experiments are variants, and which
/// committed cells are trained again.
fn announce(works: &[Work], settings: &RunSettings, results: &Results, console: &Console) {
    if let Some(reason) = results.reason {
        console.info(&format!(
            "writing results to `{results}` because {reason}; choose another folder with \
             `--results DIR`"
        ));
    }
    for work in works {
        let spec = &work.plan.spec;
        if let Some(changed) = changed_by(&spec.changes, &spec.seeds) {
            let folder = results.folder.join(&spec.name);
            console.info(&format!(
                "{}: changed by {changed}; its folder is `{}`",
                spec.name,
                folder.display()
            ));
        }
        let mut programs = spec.arms.iter().filter_map(|arm| arm.recipe.program());
        if programs.any(|program| program.inputs.is_empty()) && work.to_train() > 0 {
            console.info(&format!(
                "{}: `program.inputs` lists no files, so changes of the program go unnoticed; list its \
                 files, as in `inputs = [\"train.py\"]`",
                spec.name
            ));
        }
        let again = work.committed.min(work.to_train());
        if again > 0 && work.recorded == 0 && !settings.adopt {
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

/// Looks up the device of those experiments that train nets, if there are any.
pub(super) fn find_device<'a>(
    on: impl Iterator<Item = (&'a Spec, &'a str)>,
    console: &Console,
) -> Result<Option<DeviceInfo>, Failure> {
    let nets = on.filter(|(spec, _)| spec.program.is_none());
    let devices: BTreeSet<&str> = nets.map(|(_, device)| device).collect();
    match devices.into_iter().collect::<Vec<_>>()[..] {
        [] => Ok(None),
        [device] => trainer::find_device(device, console).map(Some),
        _ => Err(Failure::usage(
            "the selected variants were trained on different devices; run them one at a time, or give one \
             device with `--device`",
        )),
    }
}

/// Warns of primary contrasts that may well stay undecided, before cells are trained for them.
fn warn_of_weak_contrasts(work: &Work, until: &UntilDecided, results: &Path, console: &Console) {
    let (spec, option) = match until.until_decided {
        true => (looks::at_most_seeds(&work.plan.spec), "--max-seeds"),
        false => (work.plan.spec.clone(), "--seeds"),
    };
    let recorded = folder::summary_of(&spec.name, results);
    let forecasts = power_forecast(&spec, recorded.as_ref(), None);
    if let Some(text) = weak_contrasts(&forecasts, option) {
        console.warn(&format!("{}: {text}", spec.name));
    }
}

/// What all experiments of a run share.
struct Run<'a> {
    settings: &'a RunSettings,
    until: &'a UntilDecided,
    keep_weights: bool,
    device: Option<DeviceInfo>,
    /// The experiments of the folder, which may share cells.
    neighbours: Vec<Spec>,
    results: &'a Path,
    claims: Vec<Claim>,
    stop: Arc<StopFlag>,
    console: &'a Console,
}

impl Run<'_> {
    /// Checks the seeds of a program that still has cells to run. Returns the records of the cells that ran
    /// for it, which are no longer part of the work.
    fn check_seeds(&self, work: &mut Work) -> Result<Vec<CellRecord>, Failure> {
        let spec = &work.plan.spec;
        if !seeds::are_checked(work) {
            return Ok(Vec::new());
        }
        let folder = self.results.join(&spec.name);
        let jobs = self.settings.jobs(spec);
        let trainer = trainer::trainer_of(spec, &work.plan.device, false, jobs, &folder)?;
        let sharing = Sharing {
            lease: lease()?,
            ..Sharing::default()
        };
        let (console, stop) = (self.console, &self.stop);
        seeds::check(work, &folder, &sharing, &*trainer, jobs, console, stop)
    }

    /// Trains one experiment and writes its files, with more seeds until it is decided if that was asked
    /// for. `records` are those of the check of its seeds. Returns the summary and the number of failed cells.
    fn experiment(
        &self,
        mut work: Work,
        mut records: Vec<CellRecord>,
    ) -> Result<(Summary, usize), Failure> {
        let mut settings = self.settings.clone();
        loop {
            let (summary, failed) = self.look(&work, &settings, std::mem::take(&mut records))?;
            let spec = &work.plan.spec;
            if !self.until.until_decided {
                return Ok((summary, failed));
            }
            match self.until.next(spec, &summary, failed) {
                Next::Stop(why) => {
                    self.console.info(&format!("{}: {why}", spec.name));
                    return Ok((summary, failed));
                }
                Next::More(spec) => {
                    let seeds = spec.seeds.len();
                    self.console
                        .info(&format!("{}: going on to {seeds} seeds", spec.name));
                    settings = settings.going_on();
                    work = Work::new(&spec, &settings, self.results)?;
                    let more = work.jobs.iter().map(units).sum();
                    self.console.bar().inc_length(more);
                }
            }
        }
    }

    /// Trains the missing cells of one experiment, and writes and prints its results.
    fn look(
        &self,
        work: &Work,
        settings: &RunSettings,
        records: Vec<CellRecord>,
    ) -> Result<(Summary, usize), Failure> {
        let spec = &work.plan.spec;
        let report = self.train(work, settings, records)?;
        if report.stopped {
            return Err(signals::stopped(&spec.name));
        }
        report_training(&spec.name, &report, self.console);
        if let Some(looks) = &spec.looks {
            looks_file::write(&self.results.join(&spec.name), looks)?;
        }
        let runs = folder::recorded_runs(spec, self.results)?;
        if self.keep_weights {
            weights::say_missing(work, &runs.records, self.results, self.console);
        }
        let derived = folder::derive(spec, &runs, self.results, &self.neighbours, self.console)?;
        let text = answer(&derived.summary);
        self.console.print(&format!("{text}\n"))?;
        write_files(spec, &derived, &self.claims, self.results, self.console)?;
        Ok((derived.summary, report.failed))
    }

    fn train(
        &self,
        work: &Work,
        settings: &RunSettings,
        records: Vec<CellRecord>,
    ) -> Result<RunReport, Failure> {
        let spec = &work.plan.spec;
        let jobs = settings.jobs(spec).min(work.jobs.len()).max(1);
        let setting = trainer::setting(&work.plan.device, self.device.as_ref(), spec);
        let options = RunOptions {
            jobs,
            fresh: settings.fresh,
            adopt: settings.adopt,
            records,
            results: self.results.to_owned(),
            sharing: settings.sharing(&setting)?,
        };
        let (device, folder) = (&work.plan.device, self.results.join(&spec.name));
        let trainer = match self.keep_weights {
            true => weights::trainer(device, settings.isolate, jobs, &folder)?,
            false => trainer::trainer_of(spec, device, settings.isolate, jobs, &folder)?,
        };
        let mut progress = RunProgress::new(self.console, &spec.name, work.jobs.len());
        if self.console.table_size().is_some() {
            let metric = shown_metric(spec).filter(|_| !self.until.until_decided);
            progress = progress.with_table(work.table(&folder, metric, settings)?, None);
        }
        let (plan, stop) = (&work.plan, &self.stop);
        Ok(run_recorded(
            plan, &*trainer, &options, &progress, stop, &setting,
        )?)
    }
}

/// The quantity whose mean is shown while an experiment runs: that of its first primary contrast. None with
/// planned looks, because what is seen between them must not end a run.
pub(super) fn shown_metric(spec: &Spec) -> Option<Metric> {
    if spec.looks.is_some() {
        return None;
    }
    let primary = spec.contrasts.iter().find(|contrast| contrast.primary);
    let first = primary.or(spec.contrasts.first());
    first.map(|contrast| contrast.metric.clone())
}

/// Writes the derived files of an experiment, the overview and the pages of the claims.
fn write_files(
    spec: &Spec,
    derived: &Derived,
    claims: &[Claim],
    results: &Path,
    console: &Console,
) -> Result<(), Failure> {
    let own = results.join(&spec.name);
    manifest::write(&published(folder::files(spec, derived, results), &own)?)?;
    let summaries = folder::summaries(results, std::slice::from_ref(&derived.summary), console);
    let overview = folder::overview_files(claims, &summaries, results)?;
    manifest::write(&published(overview, results)?)?;
    let folder = results.join(&derived.summary.name);
    console.info(&format!(
        "{}: wrote the report to `{}`",
        derived.summary.name,
        folder.join(REPORT_FILE).display()
    ));
    Ok(())
}
