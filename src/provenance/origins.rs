//! The origin of every record of a run: which cells were trained under which conditions.

use super::file::{NAME, RUNNING_NAME};
use super::{Block, Build, Provenance, RunDetails, Setting, instructions, iso_8601, unix_seconds};
use crate::files::FileError;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::record::CellRecord;
use crate::run::share::{Part, Sharing};
use crate::run::{Events, RunError, RunOptions, RunReport, Session};
use crate::text::counted;
use crate::trainer::{Job, Progress, StopFlag, Trainer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The origins of the records in a results folder while a run goes on.
#[derive(Debug)]
struct Origins {
    folder: PathBuf,
    /// The conditions of this run, without any cell.
    conditions: Block,
    /// Cells by conditions, the latest last.
    blocks: Vec<Block>,
    /// Recorded cells of which nothing is known.
    unknown: BTreeSet<String>,
}

impl Origins {
    /// Reads the origins of the records of `session`, before it trains.
    fn of(session: &Session<'_>, setting: &Setting) -> Self {
        let (recorded, adopted) = (session.recorded(), session.adopted());
        Self::new(session.folder(), setting, &recorded, &adopted)
    }

    /// `recorded` are the cells in the journal, `adopted` those that are taken from `runs.jsonl`.
    fn new(
        folder: &Path,
        setting: &Setting,
        recorded: &BTreeSet<&str>,
        adopted: &BTreeSet<&str>,
    ) -> Self {
        let load = |name: &str| Provenance::load(&folder.join(name)).ok().flatten();
        let published = load(NAME);
        // Older versions wrote none for the journal.
        let running = load(RUNNING_NAME).or_else(|| published.clone());
        let mut blocks = Vec::new();
        let mut unknown = BTreeSet::new();
        for (source, cells) in [(running, recorded), (published, adopted)] {
            let (found, rest) = split(source, cells);
            blocks.extend(found);
            unknown.extend(rest);
        }
        Self {
            folder: folder.to_owned(),
            conditions: block(setting, SystemTime::now()),
            blocks: merged(blocks),
            unknown,
        }
    }

    /// Writes `.provenance.json`, before the first cell is trained: cells that no block lists are then those of
    /// this run.
    ///
    /// # Errors
    /// If it cannot be written.
    fn begin(&mut self) -> Result<(), FileError> {
        let current = self.take_current();
        let path = self.folder.join(RUNNING_NAME);
        let unknown = self.unknown.clone();
        provenance(current.clone(), self.blocks.clone(), unknown).write_as(&path)?;
        self.blocks.push(current);
        Ok(())
    }

    /// Takes out the block with the conditions of this run; an empty one if there is none.
    fn take_current(&mut self) -> Block {
        let same = |block: &Block| are_equal(block, &self.conditions);
        match self.blocks.iter().position(same) {
            Some(found) => self.blocks.remove(found),
            None => self.conditions.clone(),
        }
    }

    /// Adds the cells that a run trained, and writes `.provenance.json` again.
    ///
    /// # Errors
    /// If it cannot be written.
    fn add(&mut self, report: &RunReport, trained: &BTreeSet<String>) -> Result<(), FileError> {
        if trained.is_empty() {
            return Ok(());
        }
        let mut current = self.take_current();
        for block in &mut self.blocks {
            block.cells.retain(|id| !trained.contains(id));
        }
        self.blocks.retain(|block| !block.cells.is_empty());
        self.unknown.retain(|id| !trained.contains(id));
        let run = &mut current.run;
        if current.cells.is_empty() {
            run.started_unix = unix_seconds(report.started);
            run.started = iso_8601(run.started_unix);
        }
        run.seconds += report.seconds;
        for (arm, seconds) in &report.arm_seconds {
            *run.arm_seconds.entry(arm.clone()).or_default() += seconds;
        }
        current.cells.extend(trained.iter().cloned());
        run.trained = current.cells.len();
        let others = self.blocks.iter().map(|block| block.cells.len());
        run.reused = others.sum::<usize>() + self.unknown.len();
        self.blocks.push(current);
        self.begin()
    }

    /// Takes in the origins of the cells that guests trained. Returns whether there are any.
    fn take_in(&mut self, parts: &[Part]) -> bool {
        for part in parts.iter().filter(|part| !part.cells.is_empty()) {
            for block in &mut self.blocks {
                block.cells.retain(|id| !part.cells.contains(id));
            }
            self.unknown.retain(|id| !part.cells.contains(id));
            match Provenance::load(&part.origin()) {
                // Before the block of this run, which is the last.
                Ok(Some(found)) => self.blocks.insert(
                    0,
                    Block {
                        cells: part.cells.clone(),
                        ..found.into()
                    },
                ),
                _ => self.unknown.extend(part.cells.iter().cloned()),
            }
        }
        self.blocks = merged(std::mem::take(&mut self.blocks));
        parts.iter().any(|part| !part.cells.is_empty())
    }

    /// Writes `provenance.json` for the cells `planned`, before `runs.jsonl`. Nothing is written where no
    /// origin is known.
    ///
    /// # Errors
    /// If it cannot be written.
    fn publish(&self, planned: &BTreeSet<&str>) -> Result<(), FileError> {
        let of_plan = |cells: &BTreeSet<String>| -> BTreeSet<String> {
            let planned = cells.iter().filter(|id| planned.contains(id.as_str()));
            planned.cloned().collect()
        };
        let planned_of = |block: &Block| Block {
            cells: of_plan(&block.cells),
            ..block.clone()
        };
        let mut blocks: Vec<Block> = self.blocks.iter().map(planned_of).collect();
        blocks.retain(|block| !block.cells.is_empty());
        match blocks.pop() {
            Some(last) => provenance(last, blocks, of_plan(&self.unknown)).write(&self.folder),
            None => Ok(()),
        }
    }
}

/// Runs `plan` like [`crate::run::run_spec`], and writes the origin of every record before the record. A process that
/// shares the folder as a guest, and may own it, waits until the owner has ended, and then owns it: so the results are
/// complete when this returns.
///
/// # Errors
/// As [`Session`].
pub fn run_recorded(
    plan: &Plan,
    trainer: &dyn Trainer,
    options: &RunOptions,
    events: &dyn Events,
    stop: &StopFlag,
    setting: &Setting,
) -> Result<RunReport, RunError> {
    let session = Session::open(plan, options, events)?;
    if session.is_owner() {
        return Ok(as_owner(session, plan, trainer, events, stop, setting)?.0);
    }
    let mut report = as_guest(session, trainer, options, events, stop, setting)?;
    if !report.stopped && !options.sharing.guest {
        report.stopped = !gather(plan, options, events, stop, setting)?;
    }
    Ok(report)
}

/// Takes what guests left in the results folder of `plan` into its journal, and writes `runs.jsonl` if every cell has a
/// record. Waits for another process that owns the folder. Returns whether `runs.jsonl` was written.
///
/// # Errors
/// As [`Session`].
pub fn gather(
    plan: &Plan,
    options: &RunOptions,
    events: &dyn Events,
    stop: &StopFlag,
    setting: &Setting,
) -> Result<bool, RunError> {
    let sharing = Sharing {
        guest: false,
        cells: Some(BTreeSet::new()),
        ..options.sharing.clone()
    };
    let options = RunOptions {
        fresh: false,
        adopt: false,
        records: Vec::new(),
        sharing,
        ..options.clone()
    };
    while !stop.stopped() {
        let session = Session::open(plan, &options, events)?;
        if session.is_owner() {
            let (_, written) = as_owner(session, plan, &Nothing, events, stop, setting)?;
            return Ok(written);
        }
        session.wait_for_owner(stop)?;
    }
    Ok(false)
}

/// Trains nothing, where every cell is recorded.
struct Nothing;

impl Trainer for Nothing {
    fn train(&self, _: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
        None
    }

    fn estimate(&self, _: &Job) -> Option<f64> {
        None
    }
}

/// Also returns whether `runs.jsonl` was written.
fn as_owner(
    mut session: Session<'_>,
    plan: &Plan,
    trainer: &dyn Trainer,
    events: &dyn Events,
    stop: &StopFlag,
    setting: &Setting,
) -> Result<(RunReport, bool), RunError> {
    let mut origins = Origins::of(&session, setting);
    origins.take_in(session.parts());
    if !origins.unknown.is_empty() {
        let cells = counted(origins.unknown.len(), "recorded cell");
        events.notice(&format!(
            "where {cells} come from is not known, because there is no `{NAME}` that can be read"
        ));
    }
    if session.will_change() || !session.parts().is_empty() {
        origins.begin()?;
    }
    session.forget_guests()?;
    let report = session.train(trainer, stop)?;
    if origins.take_in(session.parts()) {
        origins.begin()?;
    }
    origins.add(&report, session.trained())?;
    let mut written = false;
    if !report.stopped {
        origins.publish(&plan.ids())?;
        written = session.finish()?;
    }
    Ok((report, written))
}

/// Trains as a guest, with a provenance of its own beside its journal.
fn as_guest(
    mut session: Session<'_>,
    trainer: &dyn Trainer,
    options: &RunOptions,
    events: &dyn Events,
    stop: &StopFlag,
    setting: &Setting,
) -> Result<RunReport, RunError> {
    let conditions = block(setting, SystemTime::now());
    provenance(conditions, Vec::new(), BTreeSet::new()).write_as(&session.origin())?;
    if !options.sharing.guest {
        let owner = session.owned_by();
        let owner = owner.map_or("another process".to_owned(), |owner| {
            format!("process {} on {}", owner.pid(), owner.host())
        });
        events.notice(&format!(
            "{owner} is running this experiment; sharing its cells"
        ));
    }
    let report = session.train(trainer, stop)?;
    session.leave()?;
    Ok(report)
}

/// Writes `provenance.json` in `folder` for the cells `planned` from what is known about the journal. Returns
/// whether anything is.
///
/// # Errors
/// If it cannot be written.
pub fn republish(folder: &Path, planned: &BTreeSet<&str>) -> Result<bool, FileError> {
    let Ok(Some(running)) = Provenance::load(&folder.join(RUNNING_NAME)) else {
        return Ok(false);
    };
    let (mut blocks, unknown) = split(Some(running), planned);
    let Some(last) = blocks.pop() else {
        return Ok(false);
    };
    provenance(last, blocks, unknown).write(folder)?;
    Ok(true)
}

/// The last block has all cells that are not listed elsewhere.
fn provenance(last: Block, earlier: Vec<Block>, unknown: BTreeSet<String>) -> Provenance {
    Provenance {
        build: last.build,
        revision: last.revision,
        machine: last.machine,
        data: last.data,
        run: last.run,
        reproduced: last.reproduced,
        earlier,
        unknown,
    }
}

/// The blocks of `source` that have some of `cells`, and the cells of which it says nothing.
fn split(source: Option<Provenance>, cells: &BTreeSet<&str>) -> (Vec<Block>, BTreeSet<String>) {
    let mut rest: BTreeSet<String> = cells.iter().map(|&id| id.to_owned()).collect();
    let Some(source) = source else {
        return (Vec::new(), rest);
    };
    let mut unknown = source.unknown;
    unknown.retain(|id| rest.remove(id));
    let mut blocks = Vec::new();
    for mut block in source.earlier {
        block.cells.retain(|id| rest.remove(id));
        blocks.push(block);
    }
    blocks.push(Block {
        cells: rest,
        ..Block::from(Provenance {
            earlier: Vec::new(),
            unknown: BTreeSet::new(),
            ..source
        })
    });
    blocks.retain(|block| !block.cells.is_empty());
    (blocks, unknown)
}

/// Joins blocks of equal conditions.
fn merged(blocks: Vec<Block>) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for block in blocks {
        match found.iter_mut().find(|other| are_equal(other, &block)) {
            Some(other) => other.cells.extend(block.cells),
            None => found.push(block),
        }
    }
    found
}

fn are_equal(a: &Block, b: &Block) -> bool {
    let of_run = |run: &RunDetails| {
        let RunDetails {
            device,
            adapter,
            threads,
            instructions,
            ..
        } = run.clone();
        (device, adapter, threads, instructions)
    };
    (&a.build, &a.revision, &a.machine, &a.data, &a.reproduced)
        == (&b.build, &b.revision, &b.machine, &b.data, &b.reproduced)
        && of_run(&a.run) == of_run(&b.run)
}

/// The conditions of this run, without any cell.
fn block(setting: &Setting, started: SystemTime) -> Block {
    let started_unix = unix_seconds(started);
    Block {
        build: Build::on(&setting.device),
        revision: setting.revision.clone(),
        machine: Machine::this(),
        data: setting.data.clone(),
        run: RunDetails {
            device: setting.device.clone(),
            adapter: setting.adapter.clone(),
            threads: setting.threads,
            instructions: instructions(&setting.device),
            started: iso_8601(started_unix),
            started_unix,
            seconds: 0.0,
            arm_seconds: BTreeMap::new(),
            trained: 0,
            reused: 0,
        },
        reproduced: None,
        cells: BTreeSet::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ablate_kernels::InstructionSet;
    use std::time::{Duration, UNIX_EPOCH};

    pub(in crate::provenance) fn setting(device: &str) -> Setting {
        Setting {
            revision: None,
            device: device.into(),
            adapter: Some("Some adapter".into()),
            threads: 2,
            data: [("digits".to_owned(), "2c67".to_owned())].into(),
        }
    }

    pub(in crate::provenance) fn provenance(setting: &Setting) -> Provenance {
        super::provenance(
            block(setting, UNIX_EPOCH + Duration::from_secs(1_000_000_000)),
            vec![],
            BTreeSet::new(),
        )
    }

    fn report(seconds: f64) -> RunReport {
        RunReport {
            trained: 1,
            reused: 0,
            diverged: 0,
            failed: 0,
            failed_here: 0,
            elsewhere: 0,
            left: 0,
            stopped: false,
            reproduction: None,
            started: UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            seconds,
            arm_seconds: [("a".to_owned(), seconds)].into(),
        }
    }

    /// A results folder, of which nothing but the origins is simulated.
    struct Folder(tempfile::TempDir, BTreeSet<String>);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap(), BTreeSet::new())
        }

        fn begin(&self, device: &str) -> Origins {
            let recorded = self.1.iter().map(String::as_str).collect();
            Origins::new(self.0.path(), &setting(device), &recorded, &[].into())
        }

        /// Trains `cells` on `device`; `kill` ends the run before it has added them.
        fn run(&mut self, device: &str, cells: &[&str], kill: bool) {
            let mut origins = self.begin(device);
            origins.begin().unwrap();
            let cells: BTreeSet<String> = cells.iter().map(|&id| id.to_owned()).collect();
            self.1.extend(cells.iter().cloned());
            if !kill {
                origins.add(&report(1.5), &cells).unwrap();
                origins
                    .publish(&self.1.iter().map(String::as_str).collect())
                    .unwrap();
            }
        }

        fn published(&self) -> Provenance {
            Provenance::read(self.0.path()).unwrap()
        }
    }

    fn cells(block: &Block) -> Vec<&str> {
        block.cells.iter().map(String::as_str).collect()
    }

    #[test]
    fn one_run_needs_no_list_of_cells() {
        let mut folder = Folder::new();
        folder.run("flex", &["x", "y"], false);
        let made = folder.published();
        assert!(made.earlier.is_empty());
        assert_eq!((made.run.trained, made.run.reused), (2, 0));
        assert_eq!(made.run.started, "2001-09-09T01:46:40Z");
        assert!(made.build.rustc.starts_with("rustc 1."));
        assert_eq!(made.data["digits"], "2c67");
    }

    #[test]
    fn runs_under_equal_conditions_are_one_block() {
        let mut folder = Folder::new();
        folder.run("flex", &["x", "y"], false);
        folder.run("flex", &["z"], false);
        let made = folder.published();
        assert!(made.earlier.is_empty());
        assert_eq!((made.run.trained, made.run.reused), (3, 0));
        assert_eq!((made.run.seconds, made.run.arm_seconds["a"]), (3.0, 3.0));
    }

    #[test]
    fn cells_of_a_killed_run_keep_its_conditions() {
        let mut folder = Folder::new();
        folder.run("ndarray", &["x", "y"], true);
        assert!(Provenance::read(folder.0.path()).is_none());
        folder.run("flex", &["z"], false);
        let made = folder.published();
        assert_eq!((made.run.device.as_str(), made.run.trained), ("flex", 1));
        assert_eq!(made.run.reused, 2);
        let [block] = &made.earlier[..] else {
            panic!("{:?}", made.earlier)
        };
        assert_eq!(
            (block.run.device.as_str(), cells(block)),
            ("ndarray", vec!["x", "y"])
        );
    }

    #[test]
    fn retrained_cell_moves_to_the_last_run() {
        let mut folder = Folder::new();
        folder.run("ndarray", &["x", "y"], false);
        folder.run("flex", &["y"], false);
        let made = folder.published();
        assert_eq!(cells(&made.earlier[0]), ["x"]);
        folder.run("flex", &["x"], false);
        assert!(folder.published().earlier.is_empty());
    }

    #[test]
    fn run_that_trains_nothing_changes_nothing() {
        let mut folder = Folder::new();
        folder.run("ndarray", &["x", "y"], false);
        folder.run("flex", &["z"], false);
        let before = std::fs::read(folder.0.path().join(NAME)).unwrap();
        for device in ["flex", "wgpu", "ndarray"] {
            let origins = folder.begin(device);
            origins
                .publish(&folder.1.iter().map(String::as_str).collect())
                .unwrap();
            assert_eq!(
                std::fs::read(folder.0.path().join(NAME)).unwrap(),
                before,
                "{device}"
            );
        }
    }

    #[test]
    fn records_without_any_origin_are_counted() {
        let folder = Folder(tempfile::tempdir().unwrap(), ["x".to_owned()].into());
        assert_eq!(folder.begin("flex").unknown.len(), 1);
    }

    #[test]
    fn records_of_unknown_origin_stay_unknown() {
        let mut folder = Folder(tempfile::tempdir().unwrap(), ["x".to_owned()].into());
        folder.run("flex", &["y"], true);
        folder.run("flex", &["z"], false);
        let made = folder.published();
        assert_eq!(made.unknown, ["x".to_owned()].into());
        assert_eq!((made.run.trained, made.run.reused), (2, 1));
        assert!(made.earlier.is_empty());
        folder.run("flex", &["x"], false);
        assert!(folder.published().unknown.is_empty());
    }

    #[test]
    fn cpu_run_has_its_instruction_set() {
        assert_eq!(provenance(&setting("wgpu")).instructions(), None);
        let current = InstructionSet::current().name();
        let made = provenance(&setting("flex"));
        assert_eq!(made.instructions(), Some(current));
        let mut older = made;
        older.run.instructions = None;
        assert_eq!(older.instructions(), None);
        let reproduced = older.reproduced(None, 3, None, BTreeMap::new());
        assert_eq!(reproduced.instructions(), Some(current));
    }
}
