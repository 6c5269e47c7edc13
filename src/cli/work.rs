//! The jobs of an experiment that still have to be trained.

use super::arguments::RunSettings;
use super::exit::Failure;
use crate::plan::Plan;
use crate::provenance::fingerprint;
use crate::record::Outcome;
use crate::run::{Damage, journal, runs};
use crate::spec::Spec;
use crate::trainer::Job;
use std::borrow::Cow;
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
    /// Messages about damaged lines of the journal and of `runs.jsonl`.
    pub(crate) damaged: Vec<String>,
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
        let folder = results.join(&spec.name);
        let mut damaged: Vec<Damage> = Vec::new();
        let journaled: BTreeSet<String> = match settings.fresh {
            true => BTreeSet::new(),
            false => {
                let (records, lines) = journal::read(&folder, &plan)?;
                damaged.extend(lines);
                finished(records.into_values())
            }
        };
        let path = folder.join(runs::NAME);
        let committed = match path.exists() {
            true => {
                let runs = runs::read_planned(&path, |_| Cow::Borrowed(&plan))?;
                damaged.extend(runs.damaged);
                finished(runs.records.into_iter())
            }
            false => BTreeSet::new(),
        };
        let ids = plan.ids();
        let recorded = ids.iter().filter(|id| journaled.contains(**id)).count();
        let only_committed = |id: &str| !journaled.contains(id) && committed.contains(id);
        let done = |id: &str| journaled.contains(id) || settings.adopt && committed.contains(id);
        let jobs = plan.jobs(|id| !done(id));
        Ok(Self {
            recorded,
            committed: ids.iter().filter(|id| only_committed(id)).count(),
            jobs,
            plan,
            damaged: damaged.iter().map(Damage::to_string).collect(),
        })
    }

    /// Number of cells that a run would train.
    pub(crate) fn to_train(&self) -> usize {
        self.jobs.iter().map(|job| job.cells.len()).sum()
    }
}

/// Ids of the records of cells that did not fail.
fn finished(records: impl Iterator<Item = crate::record::CellRecord>) -> BTreeSet<String> {
    records
        .filter(|record| !matches!(record.outcome, Outcome::Failed { .. }))
        .map(|record| record.id)
        .collect()
}
