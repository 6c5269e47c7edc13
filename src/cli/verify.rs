//! `ablate verify`.

use super::arguments::{ResultsArg, positive};
use super::console::Console;
use super::exit::{Code, Failure};
use super::progress::{RunProgress, units};
use super::select::{ALL, Selection};
use super::{adopt, draw, looks, preflight, signals, trainer, variant};
use crate::device;
use crate::files::FileError;
use crate::machine::cores;
use crate::plan::{Plan, PlannedCell};
use crate::provenance::{Provenance, fingerprint, instructions};
use crate::record::{CellRecord, Outcome};
use crate::run::share::Sharing;
use crate::run::{Reproduction, RunOptions, contradictions, described, journal, run_spec, runs};
use crate::spec::Spec;
use crate::trainer::StopFlag;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// Largest number of cells that a message names.
const MOST_NAMED: usize = 3;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    results: ResultsArg,
    /// Cells of each experiment to train again, drawn at
    /// random
    #[arg(
        long,
        value_name = "N",
        default_value = "3",
        value_parser = positive,
        verbatim_doc_comment
    )]
    cells: NonZeroUsize,
    /// Train every recorded cell again
    #[arg(long, conflicts_with_all = ["cells", "draw_seed"])]
    all: bool,
    /// Seed of the draw, to repeat one; by default another
    /// each time
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    draw_seed: Option<u64>,
    /// Train and compare only up to the first evaluation
    /// at or after this epoch (or this step, if the
    /// training counts in steps)
    #[arg(long, value_name = "N", value_parser = positive, verbatim_doc_comment)]
    until: Option<NonZeroUsize>,
    /// If all of them are reproduced bit for bit, mark the
    /// records of the experiment as valid for the code of
    /// this program, and note that in `provenance.json`
    #[arg(long, verbatim_doc_comment)]
    adopt: bool,
    /// Train in worker processes: a crash then fails one
    /// job, not the run (always on for GPUs)
    #[arg(long, verbatim_doc_comment)]
    isolate: bool,
}

pub(super) fn verify(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let specs = args.selection.specs(ALL)?;
    let results = args.results.folder(&args.selection, &specs, None).folder;
    let given = args.selection.gives_seeds();
    variant::check_files(&specs, &results)?;
    let specs = (specs.into_iter())
        .map(|spec| looks::recorded(spec, &results, given))
        .collect::<Result<Vec<_>, _>>()?;
    let specs = match args.selection.names.is_empty() {
        true => super::report::recorded(specs, &results)?,
        false => specs,
    };
    let mut checks = Vec::new();
    let seed = args.draw_seed.unwrap_or_else(draw::fresh_seed);
    for spec in &specs {
        preflight::check_arms(spec)?;
        checks.push(select_cells(spec, &results, args, seed)?);
    }
    if checks
        .iter()
        .any(|check| check.recorded > check.records.len())
    {
        console.info(&format!(
            "cells are drawn at random; `--draw-seed {seed}` draws the same"
        ));
    }
    let mut seen = BTreeMap::new();
    for check in &checks {
        if check.plan.spec.program.is_none() {
            check.find_device(&mut seen, &results, console)?;
        }
        preflight::load_data(check.plan.jobs(|_| true).iter())?;
    }
    let stop = signals::catch(console)?;
    let jobs = checks.iter().flat_map(|check| check.plan.jobs(|_| true));
    console.start_bar(jobs.map(|job| units(&job)).sum());
    let mut differ = Vec::new();
    for check in &checks {
        let name = &check.plan.spec.name;
        if !check.damaged.is_empty() {
            let advice = super::folder::damage_advice(&check.plan.spec, &results);
            let lines = check.damaged.join("; ");
            differ.push(format!("{name}: not verified, because {lines}; {advice}"));
            continue;
        }
        if !check.provenance {
            console.warn(&format!(
                "{name}: there is no `provenance.json` that can be read, so it is not known where the records \
                 come from"
            ));
        }
        let paths = Paths::new(&check.plan, &results);
        if let Some(text) = paths.told() {
            console.info(&format!("{name}: {text}"));
        }
        let found = retrain(check, args.isolate, console, &stop)?;
        let text = super::trained::reproduced(&found).unwrap_or_default();
        let reproduced = found.identical == found.compared && found.only_planned == 0;
        if let [first, more @ ..] = &check.contradicting[..] {
            let others = named_cells(more);
            let wrong = match reproduced {
                true => "; the training gives those of `runs.jsonl`, so the journal is wrong",
                false => "",
            };
            differ.push(format!(
                "{name}: the journal and `runs.jsonl` have different numbers for {first}{others}{wrong}"
            ));
        }
        match reproduced {
            true if !check.contradicting.is_empty() => {}
            true => {
                console.print(&format!("ok {name}: {text}{}\n", check.extent()))?;
                if args.adopt {
                    let adopted = adopt::adopt(&check.plan, &results, found.compared, console)?;
                    console.print(&format!("{adopted}\n"))?;
                }
            }
            false => {
                let (own, paths) = (caveat(&check.plan), paths.caveat());
                let cells = named_cells(&found.differing);
                differ.push(format!("{name}: {text}{cells}{own}{paths}"));
            }
        }
    }
    match differ.is_empty() {
        true => Ok(Code::Done),
        false => Err(Failure::several(Code::Differs, differ)),
    }
}

/// The first cells that differ, each with a field.
fn named_cells(differing: &[String]) -> String {
    let shown = differing.iter().take(MOST_NAMED);
    let mut text: String = shown.map(|cell| format!("; {cell}")).collect();
    if differing.len() > MOST_NAMED {
        text += &format!("; and {} more", differing.len() - MOST_NAMED);
    }
    text
}

/// Explains why bits may differ although nothing is wrong.
fn caveat(plan: &Plan) -> String {
    let device = &plan.device;
    match device::is_cpu(device) {
        _ if plan.spec.program.is_some() => {
            "; the program gives other numbers with the same seed".to_owned()
        }
        true => String::new(),
        false => format!(
            "; `{device}` picks kernels by timing them, so two trainings may differ in their last bits"
        ),
    }
}

/// The instruction sets of the CPU kernels that made the records and that verify them.
struct Paths {
    /// `None` if it is not recorded.
    then: Option<String>,
    /// `None` on a GPU.
    now: Option<String>,
}

impl Paths {
    fn new(plan: &Plan, results: &Path) -> Self {
        let provenance = Provenance::read(&results.join(&plan.spec.name));
        Self {
            then: provenance.and_then(|p| p.instructions().map(str::to_owned)),
            now: instructions(&plan.device),
        }
    }

    /// Which set made the records, and which verifies them; `None` on a GPU.
    fn told(&self) -> Option<String> {
        let now = self.now.as_ref()?;
        Some(match &self.then {
            Some(then) => format!("records made with `{then}` instructions, verified with `{now}`"),
            None => format!(
                "`provenance.json` does not say which instruction set made the records; verified with `{now}`"
            ),
        })
    }

    /// Explains why bits may differ although nothing is wrong; empty if the sets give the same bits.
    fn caveat(&self) -> String {
        let (Some(then), Some(now)) = (&self.then, &self.now) else {
            return String::new();
        };
        let is_wide = |set: &str| ["avx2", "avx512"].contains(&set);
        match then == now || is_wide(then) && is_wide(now) {
            true => String::new(),
            false => format!(
                "; the records were made with `{then}` instructions, and `{now}` rounds differently, so \
                 numbers may differ in their last bits"
            ),
        }
    }
}

/// Recorded cells to train again.
struct Check {
    plan: Plan,
    /// Their records with the ids of this program, cut to the compared epochs.
    records: Vec<CellRecord>,
    /// Number of cells among which these were drawn.
    recorded: usize,
    /// Messages about damaged lines, which cannot be verified.
    damaged: Vec<String>,
    /// Cells of which the journal has other numbers; they are drawn first.
    contradicting: Vec<String>,
    /// Whether `provenance.json` can be read.
    provenance: bool,
}

impl Check {
    /// Text for how far the cells are trained; empty for the whole training.
    fn extent(&self) -> String {
        let net = self.plan.spec.arms[0].net();
        let unit = net.map_or("", |net| net.train.length.unit());
        let until = self
            .plan
            .until
            .map(|until| format!(" up to {unit} {until}"));
        until.unwrap_or_default()
    }

    /// Finds the device, and warns if its adapter is not the recorded one. `seen` caches the adapters
    /// of devices found before.
    fn find_device(
        &self,
        seen: &mut BTreeMap<String, Option<String>>,
        results: &Path,
        console: &Console,
    ) -> Result<(), Failure> {
        let (name, device) = (&self.plan.spec.name, &self.plan.device);
        if !seen.contains_key(device) {
            let info = trainer::find_device(device, console)?;
            seen.insert(device.clone(), trainer::adapter(&info));
        }
        let then = Provenance::read(&results.join(name)).and_then(|p| p.run.adapter);
        if let (Some(then), Some(Some(now))) = (then, seen.get(device))
            && then != *now
        {
            console.warn(&format!(
                "{name}: the records were trained on {then}, but `{device}` is {now} here, so numbers \
                 may differ"
            ));
        }
        Ok(())
    }
}

/// Draws `--cells` recorded cells of `spec`. Cells are matched by arm, learning rate and seed, so records of
/// other code can be verified too.
fn select_cells(spec: &Spec, results: &Path, args: &Args, seed: u64) -> Result<Check, Failure> {
    let until = args.until.and_then(|until| cut_at(spec, until.get()));
    let path = results.join(&spec.name).join(runs::NAME);
    let records = super::folder::recorded_runs(spec, results)?;
    let mut damaged = super::folder::damage(&records);
    let records = records.records;
    let device = records.first().map_or("", |r| r.device.as_str());
    let mut plan = Plan::new(spec, device, 1, fingerprint(device));
    let folder = results.join(&spec.name);
    let journal = journal::inspect(&folder, &plan)?;
    damaged.extend(journal.damaged.iter().map(ToString::to_string));
    let contradicting: Vec<CellRecord> = contradictions(&journal.records, &records)
        .into_iter()
        .cloned()
        .collect();
    let record = |cell: &PlannedCell| {
        let found = records.iter().find(|r| {
            adopt::is_record_of(spec, cell, r) && !matches!(r.outcome, Outcome::Failed { .. })
        })?;
        let mut record = CellRecord {
            id: cell.id.clone(),
            ..found.clone()
        };
        if let Some(until) = until {
            // The records of a diverged cell do not tell whether it diverged before `until`.
            if record.outcome != Outcome::Done {
                return None;
            }
            record.cut(until);
        }
        (!record.epochs.is_empty() || until.is_none()).then(|| (cell.clone(), record))
    };
    let mut known: Vec<_> = plan.cells.iter().filter_map(record).collect();
    // Arms of one recipe share their cells.
    let mut seen = BTreeSet::new();
    known.retain(|(cell, _)| seen.insert(cell.id.clone()));
    if known.is_empty() {
        let (path, name) = (path.display(), &spec.name);
        return Err(Failure::unavailable(match until {
            Some(_) if !records.is_empty() => format!(
                "`{path}` has no completed cell of `{name}` to compare in part; leave out `--until`"
            ),
            _ => format!("`{path}` has no records of `{name}`; train it with `ablate run {name}`"),
        }));
    }
    let recorded = known.len();
    let count = match args.all {
        true => recorded,
        false => args.cells.get(),
    };
    let drawn = draw::indices(recorded, count, seed, &spec.name);
    let doubted = |i: &usize| {
        let mut all = contradicting.iter();
        all.any(|record| adopt::is_record_of(spec, &known[*i].0, record))
    };
    // Cells that the files disagree about come first.
    let order = (0..recorded).filter(doubted).chain(drawn);
    let mut chosen = BTreeSet::new();
    for index in order {
        if chosen.len() < count {
            chosen.insert(index);
        }
    }
    let (cells, records) = chosen.into_iter().map(|i| known[i].clone()).unzip();
    plan.cells = cells;
    plan.until = until;
    Ok(Check {
        plan,
        records,
        recorded,
        damaged,
        contradicting: contradicting.iter().map(described).collect(),
        provenance: Provenance::read(&folder).is_some(),
    })
}

/// The epoch or step at which the trainings of `spec` stop for `--until`, so that each arm is evaluated
/// at least once from `until` on or at its end; `None` if all are trained to the end.
fn cut_at(spec: &Spec, until: usize) -> Option<usize> {
    let times: Vec<_> = (spec.arms.iter())
        .filter_map(|arm| arm.recipe.evaluations())
        .collect();
    let first = |times: &Vec<usize>| {
        let found = times.iter().find(|time| **time >= until);
        found.or(times.last()).copied()
    };
    let cut = times.iter().filter_map(first).max()?;
    let stops_early = times.iter().any(|times| times.last() > Some(&cut));
    stops_early.then_some(cut)
}

/// Trains the cells of `check` in a temporary folder and compares them with their records.
fn retrain(
    check: &Check,
    isolate: bool,
    console: &Console,
    stop: &StopFlag,
) -> Result<Reproduction, Failure> {
    let scratch =
        tempfile::tempdir().map_err(FileError::of("create a folder in", &std::env::temp_dir()))?;
    let name = &check.plan.spec.name;
    let folder = scratch.path().join(name);
    fs::create_dir(&folder).map_err(FileError::of("create", &folder))?;
    runs::write_runs(&folder.join(runs::NAME), &check.records)?;
    let jobs = check.plan.jobs(|_| true).len();
    let device = &check.plan.device;
    let spec = &check.plan.spec;
    let usual = match spec.program {
        Some(_) => cores(),
        None => trainer::default_jobs(device),
    };
    let workers = usual.min(jobs).max(1);
    let options = RunOptions {
        jobs: workers,
        fresh: false,
        adopt: false,
        records: Vec::new(),
        results: scratch.path().to_owned(),
        sharing: Sharing::default(),
    };
    let trainer = trainer::trainer_of(spec, device, isolate, workers, &folder)?;
    let progress = RunProgress::new(console, name, jobs);
    let report = run_spec(&check.plan, &*trainer, &options, &progress, stop)?;
    if report.stopped {
        let message = format!("stopped in `{name}`; run the same command again to start over");
        return Err(Failure::new(Code::Stopped, message));
    }
    report.reproduction.ok_or_else(|| {
        Failure::internal(format!("there were no records of `{name}` to compare with"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Evaluate, Length};
    use crate::run::fake;

    fn spec(arms: [(Length, Evaluate); 2]) -> Spec {
        let mut spec = fake::spec(&["a", "b"], 1);
        for (arm, (length, evaluate)) in spec.arms.iter_mut().zip(arms) {
            let train = &mut arm.net_mut().unwrap().train;
            (train.length, train.evaluate) = (length, evaluate);
        }
        spec
    }

    #[test]
    fn only_unlike_rounding_excuses_other_bits() {
        let paths = |then: Option<&str>, now: Option<&str>| Paths {
            then: then.map(str::to_owned),
            now: now.map(str::to_owned),
        };
        for (then, now, excused) in [
            (Some("avx2"), Some("avx512"), false),
            (Some("scalar"), Some("scalar"), false),
            (Some("scalar"), Some("avx2"), true),
            (Some("avx512"), Some("native"), true),
            (None, Some("avx2"), false),
            (Some("avx2"), None, false),
        ] {
            let paths = paths(then, now);
            assert_eq!(!paths.caveat().is_empty(), excused, "{then:?} {now:?}");
            assert_eq!(paths.told().is_some(), now.is_some());
        }
    }

    #[test]
    fn training_stops_at_the_next_evaluation() {
        let steps = (Length::Steps(300), Evaluate::Every(100));
        let spec = spec([steps.clone(), steps]);
        assert_eq!(cut_at(&spec, 1), Some(100));
        assert_eq!(cut_at(&spec, 100), Some(100));
        assert_eq!(cut_at(&spec, 101), Some(200));
    }

    #[test]
    fn no_cut_at_or_after_the_end() {
        let steps = (Length::Steps(300), Evaluate::Every(100));
        let spec = spec([steps.clone(), steps]);
        assert_eq!(cut_at(&spec, 201), None);
        assert_eq!(cut_at(&spec, 999), None);
    }

    #[test]
    fn every_arm_is_evaluated_before_the_cut() {
        let spec = spec([
            (Length::Steps(90), Evaluate::Every(40)),
            (Length::Steps(300), Evaluate::Every(100)),
        ]);
        assert_eq!(cut_at(&spec, 30), Some(100));
        assert_eq!(cut_at(&spec, 120), Some(200));
    }
}
