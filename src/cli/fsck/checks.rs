//! What can be wrong with a results folder.

use super::files::{exists, hashes, leftovers};
use super::{Content, Folder};
use crate::cli::variant;
use crate::plan::{Plan, contents};
use crate::provenance::{NAME as PROVENANCE, Provenance, RUNNING_NAME, fingerprint};
use crate::record::{CellRecord, Outcome};
use crate::run::{contradictions, described, journal, looks, runs, share};
use crate::spec::{RESOLVED_FILE, Spec};
use crate::text::counted;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Content is lost, or not what was written.
    Damage,
    /// A file that nothing uses any more.
    Leftover,
    /// Something that could not be checked, or is worth knowing.
    Note,
}

/// A problem of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) kind: Kind,
    /// Name of the file in the folder.
    pub(super) file: String,
    /// What is wrong, and what to do.
    pub(super) what: String,
}

impl Problem {
    pub(super) fn text(&self, folder: &Path) -> String {
        format!("`{}`: {}", folder.join(&self.file).display(), self.what)
    }
}

/// Result of the checks of a folder.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Vec<Problem>,
    /// Intact records in `runs.jsonl`, or in the journal while there is no such file.
    pub(super) records: usize,
    /// Files whose hash was checked.
    pub(super) files: usize,
    /// The plan of the experiment, as the code that made the records names its cells.
    pub(super) plan: Option<Plan>,
}

impl Checked {
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(move |p| p.kind == kind)
    }

    /// Whether a file is damaged.
    pub(super) fn is_damaged(&self, file: &str) -> bool {
        self.of(Kind::Damage).any(|problem| problem.file == file)
    }

    pub(super) fn add(&mut self, kind: Kind, file: &str, what: impl Into<String>) {
        self.problems.push(Problem {
            kind,
            file: file.to_owned(),
            what: what.into(),
        });
    }

    pub(super) fn damage(&mut self, file: &str, what: impl Into<String>) {
        self.add(Kind::Damage, file, what);
    }

    pub(super) fn note(&mut self, file: &str, what: impl Into<String>) {
        self.add(Kind::Note, file, what);
    }
}

pub(super) fn check(folder: &Folder) -> Checked {
    let mut checked = Checked::default();
    let path = &folder.path;
    leftovers(path, &mut checked);
    match folder.content {
        Content::Experiment => experiment(path, &mut checked),
        Content::Comparison => {
            provenance(path, PROVENANCE, &mut checked);
        }
        Content::Overview => leftovers(&path.join(crate::report::CLAIMS_FOLDER), &mut checked),
    }
    hashes(folder, &mut checked);
    checked
}

fn experiment(folder: &Path, checked: &mut Checked) {
    let made = provenance(folder, PROVENANCE, checked);
    let running = provenance(folder, RUNNING_NAME, checked);
    if let Err(error) = looks::read(folder) {
        checked.damage(looks::NAME, error.to_string());
    }
    let (runs_path, has_runs) = (folder.join(runs::NAME), exists(folder, runs::NAME));
    let Some(spec) = spec(folder, checked) else {
        // Without the experiment only the lines themselves can be checked.
        if has_runs {
            lines(runs::read_runs(&runs_path), checked);
        }
        return;
    };
    let origin = made.as_ref().or(running.as_ref());
    let code = origin.map_or("", Provenance::fingerprint).to_owned();
    let plan_on = |device: &str| {
        let code = match code.is_empty() {
            true => fingerprint(device),
            false => &code,
        };
        Plan::new(&spec, device, 1, code)
    };
    let read = has_runs.then(|| runs::read_planned(&runs_path, |d| Cow::Owned(plan_on(d))));
    let records = read.map(|read| lines(read, checked)).unwrap_or_default();
    let of_records = records.first().map(|record| record.device.clone());
    let of_origin = || origin.map(|made| made.run.device.clone());
    let plan = plan_on(&of_records.or_else(of_origin).unwrap_or_default());
    if has_runs {
        cells(&plan, &records, made.as_ref(), checked);
    }
    in_journal(folder, &plan, &records, checked);
    if let Some(made) = &made {
        data(&spec, made, checked);
    }
    checked.plan = Some(plan);
}

/// Reads a provenance file. Results of given scores have none.
fn provenance(folder: &Path, name: &str, checked: &mut Checked) -> Option<Provenance> {
    match Provenance::load(&folder.join(name)) {
        Ok(Some(found)) => return Some(found),
        Ok(None)
            if name == PROVENANCE
                && exists(folder, RESOLVED_FILE)
                && exists(folder, runs::NAME) =>
        {
            checked.damage(
                name,
                "it is missing, so it is not known where the records come from; restore it with git, or \
                 train again with `ablate run --fresh`",
            );
        }
        Ok(None) => {}
        Err(error) => checked.damage(name, error.to_string()),
    }
    None
}

fn spec(folder: &Path, checked: &mut Checked) -> Option<Spec> {
    let path = folder.join(RESOLVED_FILE);
    if !exists(folder, RESOLVED_FILE) {
        if exists(folder, journal::NAME) && exists(folder, runs::NAME) {
            let what = "it is missing; `ablate report` writes it again";
            checked.damage(RESOLVED_FILE, what);
        }
        return None;
    }
    match Spec::load(&path, &[]) {
        Ok(spec) => Some(variant::named(spec, None)),
        Err(error) => {
            checked.damage(RESOLVED_FILE, error.to_string());
            None
        }
    }
}

/// The intact records of a `runs.jsonl`.
fn lines(
    read: Result<runs::Runs, crate::run::RecordError>,
    checked: &mut Checked,
) -> Vec<CellRecord> {
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            checked.damage(runs::NAME, error.to_string());
            return Vec::new();
        }
    };
    for damage in &read.damaged {
        let (line, why) = (damage.line, &damage.why);
        checked.damage(runs::NAME, format!("line {line} is damaged: {why}"));
    }
    if let Some(notice) = read.notice {
        checked.damage(runs::NAME, notice.replace("dropped", "it has"));
    }
    if read.unchecked {
        let what = "its lines have no checksums; `ablate verify --adopt` adds them";
        checked.note(runs::NAME, what);
    }
    checked.records = read.records.len();
    read.records
}

/// Whether the records are those of the planned cells.
fn cells(plan: &Plan, records: &[CellRecord], made: Option<&Provenance>, checked: &mut Checked) {
    if let Some(made) = made
        && made.run.device != plan.device
    {
        let (device, recorded) = (&made.run.device, &plan.device);
        let what = format!("it names device `{device}`, but the records are of `{recorded}`");
        checked.damage(PROVENANCE, what);
    }
    let is_known = |arm: &crate::spec::Arm| {
        arm.net()
            .is_none_or(|net| crate::data::content_hash(&net.data).is_some())
    };
    if !plan.spec.arms.iter().all(is_known) {
        let what = "its data are not here, so records and cells were not compared";
        return checked.note(runs::NAME, what);
    }
    let there: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let planned = plan.ids();
    let missing = planned.iter().filter(|id| !there.contains(*id)).count();
    let others = there.iter().filter(|id| !planned.contains(*id)).count();
    if missing > 0 {
        let cells = counted(missing, "planned cell");
        let what = format!("{cells} without an intact record; `ablate run --adopt` trains them");
        checked.damage(runs::NAME, what);
    }
    if others > 0 {
        let records = counted(others, "record");
        checked.damage(
            runs::NAME,
            format!("{records} of cells that are not planned"),
        );
    }
    let failed = |record: &&CellRecord| matches!(record.outcome, Outcome::Failed { .. });
    let failed = records.iter().filter(failed).count();
    if failed > 0 {
        let cells = counted(failed, "cell");
        checked.note(
            runs::NAME,
            format!("{cells} failed; `ablate run` tries again"),
        );
    }
}

fn in_journal(folder: &Path, plan: &Plan, records: &[CellRecord], checked: &mut Checked) {
    let journal = match journal::inspect(folder, plan) {
        Ok(journal) => journal,
        Err(error) => return checked.damage(journal::NAME, error.to_string()),
    };
    for damage in &journal.damaged {
        let (line, why) = (damage.line, &damage.why);
        checked.damage(journal::NAME, format!("line {line} is damaged: {why}"));
    }
    if let Some(notice) = journal.notice {
        let what = format!(
            "{}; the next run cuts it off",
            notice.replace("dropped", "it has")
        );
        checked.add(Kind::Leftover, journal::NAME, what);
    }
    match journal::damage_of_guests(folder, plan) {
        Ok(damaged) => {
            for damage in damaged {
                let name = damage.path.strip_prefix(folder).unwrap_or(&damage.path);
                let (line, why) = (damage.line, &damage.why);
                let what = format!(
                    "line {line} is damaged: {why}; `ablate run` sets it aside and trains its cell again"
                );
                checked.damage(&name.to_string_lossy(), what);
            }
        }
        Err(error) => checked.damage(share::FOLDER, error.to_string()),
    }
    for record in contradictions(&journal.records, records) {
        let cell = described(record);
        checked.damage(
            journal::NAME,
            format!(
                "it and `{}` have different numbers for {cell}; `ablate run` trains it again",
                runs::NAME
            ),
        );
    }
    if records.is_empty() {
        checked.records = journal.records.len();
    }
}

/// Whether the data sets here are those of the records.
fn data(spec: &Spec, made: &Provenance, checked: &mut Checked) {
    if !made.unknown.is_empty() {
        let cells = counted(made.unknown.len(), "cell");
        checked.note(
            PROVENANCE,
            format!("it does not say where {cells} come from"),
        );
    }
    let recorded = (made.reproduced.as_ref()).map_or(&made.data, |code| &code.data);
    for (name, here) in contents(spec) {
        match recorded.get(&name) {
            Some(then) if *then != here => checked.damage(
                PROVENANCE,
                format!("data set `{name}` had the content {then}, but here it has {here}"),
            ),
            Some(_) => {}
            None => {
                let what = format!("it does not name the content of data set `{name}`");
                checked.note(PROVENANCE, what);
            }
        }
    }
}
