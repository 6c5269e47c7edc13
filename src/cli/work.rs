//! The jobs of an experiment that still have to be trained, and a survey of them.

use super::arguments::RunSettings;
use super::exit::Failure;
use super::live::Table;
use crate::plan::{ArmJobs, Outline, Plan};
use crate::provenance::fingerprint;
use crate::run::{Damage, Line, journal, runs};
use crate::spec::{Metric, Spec};
use crate::trainer::Job;
use std::collections::BTreeSet;
use std::path::Path;

/// A plan and the part of it that a run would train.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) plan: Plan,
    /// Cells with a record in the journal.
    pub(crate) recorded: usize,
    /// Cells with a record in the committed `runs.jsonl` only.
    pub(crate) committed: usize,
    /// Jobs that a run would train.
    pub(crate) jobs: Vec<Job>,
}

impl Work {
    /// Plans `spec` and compares the plan with the records in `results`.
    ///
    /// # Errors
    /// If existing records cannot be read.
    pub(crate) fn new(
        spec: &Spec,
        settings: &RunSettings,
        results: &Path,
    ) -> Result<Self, Failure> {
        let plan = Plan::new(
            spec,
            settings.device_of(spec),
            settings.replicas.get(),
            fingerprint(settings.device_of(spec)),
        );
        let there = Recorded::of(&plan, &results.join(&spec.name), settings)?;
        let (recorded, committed) = there.counts(&plan);
        let done = there.done(settings);
        Ok(Self {
            recorded,
            committed,
            jobs: plan.jobs(|id| !done.contains(id)),
            plan,
        })
    }

    /// Number of cells that a run would train.
    pub(crate) fn to_train(&self) -> usize {
        self.jobs.iter().map(|job| job.cells.len()).sum()
    }

    /// What is done of each arm, with the mean of `metric` over the finished cells whose records are kept in
    /// `folder`.
    ///
    /// # Errors
    /// If existing records cannot be read.
    pub(crate) fn table(
        &self,
        folder: &Path,
        metric: Option<Metric>,
        settings: &RunSettings,
    ) -> Result<Table, Failure> {
        let cells = self.jobs.iter().flat_map(|job| &job.cells);
        let missing: BTreeSet<&str> = cells.map(|cell| cell.id.as_str()).collect();
        let mut table = Table::of_arms(&self.plan, &missing, metric);
        if !settings.fresh {
            let (lines, _) = journal::read(folder, &self.plan)?;
            let kept = |line: &&Line| !missing.contains(&**line.id());
            table.add(lines.values().filter(kept).map(Line::record));
        }
        Ok(table)
    }
}

/// What a run of an experiment would train, without a list of its cells: there may be millions.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub(crate) spec: Spec,
    pub(crate) device: String,
    /// Distinct cells.
    pub(crate) cells: usize,
    /// Cells with a record in the journal.
    pub(crate) recorded: usize,
    /// Cells with a record in the committed `runs.jsonl` only.
    pub(crate) committed: usize,
    /// The jobs of each arm.
    pub(crate) arms: Vec<ArmJobs>,
    /// Messages about damaged lines of the journal and of `runs.jsonl`.
    pub(crate) damaged: Vec<String>,
}

impl Survey {
    /// Counts the cells of `spec` and compares them with the records in `results`.
    ///
    /// # Errors
    /// If existing records cannot be read.
    pub(crate) fn new(
        spec: &Spec,
        settings: &RunSettings,
        results: &Path,
    ) -> Result<Self, Failure> {
        let device = settings.device_of(spec);
        let (code, folder) = (fingerprint(device), results.join(&spec.name));
        let none = Plan::of_seeds(spec, device, code, &BTreeSet::new());
        let mut there = Recorded::of(&none, &folder, settings)?;
        // Whether records fit their cells is known only with these cells.
        let plan = Plan::of_seeds(spec, device, code, &there.seeds);
        if !plan.cells.is_empty() {
            there = Recorded::of(&plan, &folder, settings)?;
        }
        let (recorded, committed) = there.counts(&plan);
        let outline = Outline::new(spec, device, settings.replicas.get(), code);
        Ok(Self {
            spec: spec.clone(),
            device: device.to_owned(),
            cells: outline.count(),
            recorded,
            committed,
            arms: outline.jobs(&there.done(settings), &there.seeds),
            damaged: there.damaged,
        })
    }

    /// Number of cells that a run would train.
    pub(crate) fn to_train(&self) -> usize {
        self.sizes().map(|(_, cells)| cells).sum()
    }

    /// The arm and the number of cells of each job.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, usize)> {
        let arms = self.spec.arms.iter().zip(&self.arms);
        arms.flat_map(|(arm, jobs)| jobs.sizes.iter().map(|&cells| (arm.name.as_str(), cells)))
    }
}

/// The ids of recorded cells that did not fail, and their seeds.
struct Recorded {
    seeds: BTreeSet<u64>,
    journaled: BTreeSet<String>,
    committed: BTreeSet<String>,
    damaged: Vec<String>,
}

impl Recorded {
    /// Reads the records in `folder` and checks them against the cells of `plan`.
    fn of(plan: &Plan, folder: &Path, settings: &RunSettings) -> Result<Self, Failure> {
        let (mut seeds, mut damaged) = (BTreeSet::new(), Vec::<Damage>::new());
        let journaled = match settings.fresh {
            true => BTreeSet::new(),
            false => {
                let (records, lines) = journal::read(folder, plan)?;
                damaged.extend(lines);
                seeds.extend(records.values().map(Line::seed));
                finished(records.values())
            }
        };
        let path = folder.join(runs::NAME);
        let committed = match path.exists() {
            true => {
                let runs = runs::read_lines(&path, plan)?;
                damaged.extend(runs.damaged);
                seeds.extend(runs.records.iter().map(Line::seed));
                finished(runs.records.iter())
            }
            false => BTreeSet::new(),
        };
        Ok(Self {
            seeds,
            journaled,
            committed,
            damaged: damaged.iter().map(Damage::to_string).collect(),
        })
    }

    /// Numbers of planned cells in the journal, and in `runs.jsonl` only.
    fn counts(&self, plan: &Plan) -> (usize, usize) {
        let ids = plan.ids();
        let journaled = |id: &&&str| self.journaled.contains(**id);
        let committed = |id: &&&str| !journaled(id) && self.committed.contains(**id);
        (
            ids.iter().filter(journaled).count(),
            ids.iter().filter(committed).count(),
        )
    }

    /// Ids of the cells that a run does not train.
    fn done(&self, settings: &RunSettings) -> BTreeSet<String> {
        let committed = self.committed.iter().filter(|_| settings.adopt);
        self.journaled.iter().chain(committed).cloned().collect()
    }
}

/// Ids of the cells that did not fail.
fn finished<'l>(lines: impl Iterator<Item = &'l Line>) -> BTreeSet<String> {
    lines
        .filter(|line| !line.has_failed())
        .map(|line| line.id().to_string())
        .collect()
}
