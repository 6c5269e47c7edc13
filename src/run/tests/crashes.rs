//! Every call on the disk of a small run fails in every way, and the power is cut after every one.

use super::power_cut::Disk;
use super::*;
use crate::files::faults::{Done, Fault, Watch};
use ablate_streams::{Purpose, Stream};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Set in the environment, it multiplies the number of simulated power cuts.
const LONGER: &str = "ABLATE_TEST_CUTS";

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

/// States from which a run starts: nothing there, a finished earlier version of the experiment, and a journal
/// with a damaged and an unfinished line.
fn starts() -> [(&'static str, fn(&TestRun)); 3] {
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

#[test]
fn power_cut_after_any_call_loses_no_saved_record() {
    let (plan, whole) = (small(), TestRun::new());
    whole.run(&plan, &FakeTrainer::new());
    let expected = whole.bytes(runs::NAME);
    let times: usize = std::env::var(LONGER)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let mut draws = Stream::new(3, Purpose::Resample, "power cuts").uniforms(0);
    for (start, prepare) in starts() {
        let bench = TestRun::new();
        prepare(&bench);
        let before = Disk::of(bench.dir.path());
        let watch = Watch::on(bench.dir.path(), None);
        attempt(&bench, &plan).0.unwrap();
        let done = watch.done();
        drop(watch);
        for calls in 0..=done.len() {
            let mut disk = before.clone();
            done[..calls].iter().for_each(|call| disk.perform(call));
            let synced = synced_records(&done[..calls]);
            for cut in 0..3 + 4 * times {
                let after = TestRun::new();
                match cut {
                    0 => disk.cut(after.dir.path(), |_| 0.0),
                    1 => disk.cut(after.dir.path(), |_| 1.0),
                    // Names survive, content does not.
                    2 => disk.cut(after.dir.path(), |is_name| f64::from(u8::from(is_name))),
                    _ => disk.cut(after.dir.path(), |_| draws.next().unwrap()),
                }
                let case = format!("{start}, cut {cut} after {calls} of {} calls", done.len());
                let (next, retrained) = attempt(&after, &plan);
                next.unwrap_or_else(|e| panic!("{case}: {e}"));
                assert_eq!(after.bytes(runs::NAME), expected, "{case}");
                let most = 2 - synced.min(2) + usize::from(start == "damaged");
                assert!(
                    retrained <= most,
                    "{case}: {retrained} retrained, {synced} synced"
                );
            }
        }
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
