//! Every call on the disk of a small run fails in every way, and the power is cut after every one.

use super::power_cut::Disk;
use super::*;
use crate::files::faults::{Done, Fault, Watch};
use ablate_streams::{Purpose, Stream};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Environment variable for the number of random power cuts after each call.
const CUTS: &str = "ABLATE_TEST_CUTS";

/// Two cells, each a job of its own.
fn small() -> Plan {
    Plan::new(&spec(&["a"], 2), "flex", 1, "f")
}

/// Counts the jobs whose records were reported as saved.
#[derive(Default)]
struct Saved(AtomicUsize);

impl Progress for Saved {
    fn advanced(&self, _: &Job, _: usize) {}
}

impl Events for Saved {
    fn job_done(&self, _: &Job, records: &[CellRecord]) {
        self.0.fetch_add(records.len(), Ordering::SeqCst);
    }
}

/// A run from the state that `prepare` leaves.
fn attempt(bench: &TestRun, plan: &Plan) -> (Result<RunReport, RunError>, usize) {
    let (saved, stop) = (Saved::default(), StopFlag::default());
    let done = run_spec(plan, &FakeTrainer::new(), &bench.options, &saved, &stop);
    (done, saved.0.into_inner())
}

/// Makes the state from which a run starts.
type Prepare = fn(&TestRun);

/// States from which a run starts: nothing there, a finished earlier version of the experiment, and a journal
/// with a damaged and an unfinished line.
fn starts() -> [(&'static str, Prepare); 3] {
    [
        ("empty", |_| {}),
        ("changed", |bench| {
            bench.run(
                &Plan::new(&spec(&["a", "b"], 1), "flex", 1, "f"),
                &FakeTrainer::new(),
            );
        }),
        ("damaged", |bench| {
            bench.run(&small(), &FakeTrainer::new());
            let whole = bench.bytes(".cells.jsonl");
            let mut bad = whole.clone();
            bad[20] ^= 1;
            bad.extend(&whole[..50]);
            fs::write(bench.path(".cells.jsonl"), bad).unwrap();
            fs::remove_file(bench.path(runs::NAME)).unwrap();
        }),
    ]
}

/// Files in the results folder, except the lock and lines that were set aside.
fn names(bench: &TestRun) -> Vec<String> {
    let entries = fs::read_dir(bench.path("")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock" && !name.ends_with(".damaged"))
        .collect();
    names.sort();
    names
}

#[test]
fn run_survives_every_fault_at_every_call() {
    let (plan, whole) = (small(), TestRun::new());
    whole.run(&plan, &FakeTrainer::new());
    let expected = whole.bytes(runs::NAME);
    let (mut tried, mut failed) = (0, 0);
    for (start, prepare) in starts() {
        let calls = {
            let bench = TestRun::new();
            prepare(&bench);
            let watch = Watch::on(bench.dir.path(), None);
            attempt(&bench, &plan).0.unwrap();
            watch.calls()
        };
        assert!(calls > 10, "{start}: {calls}");
        for (at, fault) in (0..calls).flat_map(|at| Fault::ALL.map(|fault| (at, fault))) {
            let bench = TestRun::new();
            prepare(&bench);
            let (done, saved) = {
                let _watch = Watch::on(bench.dir.path(), Some((at, fault)));
                attempt(&bench, &plan)
            };
            let case = format!("{start}, call {at}: {fault:?}");
            match done {
                Ok(_) => assert_eq!(bench.bytes(runs::NAME), expected, "{case}"),
                Err(error) if fault == Fault::Short => panic!("{case}: {error}"),
                Err(_) => failed += 1,
            }
            // Whole files only: the old runs, the new ones, or none.
            let runs = bench.read(runs::NAME);
            assert!(runs.is_empty() || runs.ends_with(b"\n"), "{case}");
            let (next, retrained) = attempt(&bench, &plan);
            let report = next.unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!(bench.bytes(runs::NAME), expected, "{case}");
            assert!(
                retrained + saved <= 2 + usize::from(start == "damaged"),
                "{case}"
            );
            assert_eq!(report.failed, 0, "{case}");
            assert_eq!(names(&bench), [".cells.jsonl", runs::NAME], "{case}");
            tried += 1;
        }
    }
    assert!(
        tried > 300 && failed > 100,
        "{tried} faults, {failed} failed runs"
    );
}

/// A run whose calls are known.
struct Recorded {
    plan: Plan,
    /// The disk before the run.
    before: Disk,
    done: Vec<Done>,
    /// `runs.jsonl` before and after it.
    runs: [Vec<u8>; 2],
    /// Most cells that the next run may train if none was saved.
    missing: usize,
}

impl Recorded {
    fn new(start: &str, prepare: Prepare) -> Self {
        let (plan, bench) = (small(), TestRun::new());
        prepare(&bench);
        let (before, old) = (Disk::of(bench.dir.path()), bench.read(runs::NAME));
        let watch = Watch::on(bench.dir.path(), None);
        attempt(&bench, &plan).0.unwrap();
        Self {
            plan,
            before,
            done: watch.done(),
            runs: [old, bench.bytes(runs::NAME)],
            missing: 2 + usize::from(start == "damaged"),
        }
    }

    /// Cuts the power after each call, in `cuts` ways, and continues. The disk did what `happened` says, although
    /// the program made all of its calls. Returns the first thing that is wrong.
    fn cut_everywhere(&self, happened: fn(&Done) -> bool, cuts: usize) -> Result<(), String> {
        let mut draws = Stream::new(3, Purpose::Resample, "power cuts").uniforms(0);
        for calls in 0..=self.done.len() {
            let mut disk = self.before.clone();
            let made = self.done[..calls].iter();
            made.filter(|call| happened(call))
                .for_each(|call| disk.perform(call));
            for cut in 0..3 + cuts {
                let after = TestRun::new();
                match cut {
                    0 => disk.cut(after.dir.path(), |_| 0.0),
                    1 => disk.cut(after.dir.path(), |_| 1.0),
                    // Names survive, content does not.
                    2 => disk.cut(after.dir.path(), |is_name| f64::from(u8::from(is_name))),
                    _ => disk.cut(after.dir.path(), |_| draws.next().unwrap()),
                }
                let fault = self.continued(&after, calls);
                fault.map_err(|why| format!("cut {cut} after {calls} calls: {why}"))?;
            }
        }
        Ok(())
    }

    /// Checks what a power cut after `calls` calls left, and what the next run makes of it.
    fn continued(&self, after: &TestRun, calls: usize) -> Result<(), String> {
        let [old, new] = &self.runs;
        let left = after.read(runs::NAME);
        if calls == self.done.len() && left != *new {
            return Err("a finished run was undone".to_owned());
        }
        if left != *old && left != *new && !left.is_empty()
            || after.path(runs::NAME).exists() && left.is_empty()
        {
            return Err("a file has neither its old nor its new content".to_owned());
        }
        let (next, retrained) = attempt(after, &self.plan);
        next.map_err(|error| error.to_string())?;
        if after.bytes(runs::NAME) != *new {
            return Err("the next run gives other results".to_owned());
        }
        let saved = synced_records(&self.done[..calls]);
        match retrained + saved.min(2) <= self.missing {
            true => Ok(()),
            false => Err(format!(
                "{saved} cells were saved, and {retrained} are trained again"
            )),
        }
    }
}

#[test]
fn power_cut_after_any_call_loses_no_saved_record() {
    let cuts: usize = std::env::var(CUTS)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(4);
    for (start, prepare) in starts() {
        let recorded = Recorded::new(start, prepare);
        let fault = recorded.cut_everywhere(|_| true, cuts);
        assert_eq!(fault, Ok(()), "{start}");
    }
}

#[test]
fn disk_that_skips_a_kind_of_sync_is_noticed() {
    type Happened = fn(&Done) -> bool;
    fn is_temporary(path: &Path) -> bool {
        path.to_string_lossy().contains(".ablate-")
    }
    let skipped: [(&str, Happened); 4] = [
        (
            "journal",
            |call| !matches!(call, Done::Sync(path) if path.ends_with(journal::NAME)),
        ),
        (
            "temporary file",
            |call| !matches!(call, Done::Sync(path) if is_temporary(path)),
        ),
        (
            "folder",
            |call| !matches!(call, Done::SyncFolder(path) if path.ends_with("fake")),
        ),
        (
            "folder above",
            |call| !matches!(call, Done::SyncFolder(path) if !path.ends_with("fake")),
        ),
    ];
    let recorded = Recorded::new("empty", |_| {});
    for (kind, happened) in skipped {
        assert!(recorded.cut_everywhere(happened, 4).is_err(), "{kind}");
    }
}

/// Number of appends to the journal that were followed by a sync.
fn synced_records(done: &[Done]) -> usize {
    let is_journal = |path: &Path| path.ends_with(".cells.jsonl");
    let mut open = 0;
    let mut synced = 0;
    for call in done {
        match call {
            Done::Write(path, _) if is_journal(path) => open += 1,
            Done::Sync(path) if is_journal(path) => synced += std::mem::take(&mut open),
            _ => {}
        }
    }
    synced
}
