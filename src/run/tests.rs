//! End-to-end tests of runs with the fake trainer.

use super::events::Silent;
use super::fake::{FakeTrainer, Fault, spec};
use super::runs::read_runs;
use super::*;
use crate::recipe::Length;
use crate::trainer::{Job, Progress};
use std::fs;
use std::sync::Mutex;
use tempfile::TempDir;

/// A results folder and the options to run in it.
struct TestRun {
    dir: TempDir,
    options: RunOptions,
}

impl TestRun {
    fn new() -> Self {
        // Syncing files is fast in memory.
        let memory = tempfile::tempdir_in("/dev/shm");
        let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
        let options = RunOptions {
            jobs: 1,
            fresh: false,
            adopt: false,
            results: dir.path().to_owned(),
        };
        Self { dir, options }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("fake").join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn try_run(&self, plan: &Plan, trainer: &FakeTrainer) -> Result<RunReport, RunError> {
        run_spec(plan, trainer, &self.options, &Silent, &StopFlag::default())
    }

    fn run(&self, plan: &Plan, trainer: &FakeTrainer) -> RunReport {
        self.try_run(plan, trainer).unwrap()
    }
}

fn plan(replicas: usize) -> Plan {
    Plan::new(&spec(&["a", "b"], 5), "flex", replicas, "f")
}

fn outcomes(bench: &TestRun) -> Vec<Outcome> {
    let runs = read_runs(&bench.path(runs::NAME)).unwrap();
    runs.records.into_iter().map(|r| r.outcome).collect()
}

/// Records all events.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

impl Progress for Log {
    fn advanced(&self, job: &Job, done: usize) {
        self.add(format!("epoch {done} of {} x {}", job.arm, job.cells.len()));
    }
}

impl Events for Log {
    fn job_started(&self, job: &Job) {
        self.add(format!("start {} x {}", job.arm, job.cells.len()));
    }

    fn job_done(&self, job: &Job, records: &[CellRecord]) {
        self.add(format!("done {} x {}", job.arm, records.len()));
    }

    fn notice(&self, text: &str) {
        self.add(format!("notice {text}"));
    }
}

#[test]
fn second_run_trains_nothing() {
    let (bench, plan, trainer) = (TestRun::new(), plan(2), FakeTrainer::new());
    let first = bench.run(&plan, &trainer);
    assert_eq!((first.trained, first.reused, first.stopped), (10, 0, false));
    assert_eq!(
        (first.failed, first.diverged, first.reproduction),
        (0, 0, None)
    );
    assert_eq!(first.arm_seconds.keys().collect::<Vec<_>>(), ["a", "b"]);
    let bytes = bench.bytes(runs::NAME);

    let second = bench.run(&plan, &trainer);
    assert_eq!((second.trained, second.reused), (0, 10));
    assert_eq!(second.reproduction, None);
    assert_eq!(trainer.trained().len(), 10);
    assert_eq!(bench.bytes(runs::NAME), bytes);
}

#[test]
fn run_continues_from_any_cut_of_the_journal() {
    let mut small = spec(&["a"], 3);
    small.arms[0].train.length = Length::Epochs(1);
    small.arms[0].data.validation = 0.0;
    small.arms[0].probes.clear();
    let plan = Plan::new(&small, "flex", 2, "f");
    let bench = TestRun::new();
    bench.run(&plan, &FakeTrainer::new());
    let (journal, expected) = (bench.bytes(".cells.jsonl"), bench.bytes(runs::NAME));
    for cut in 0..=journal.len() {
        fs::write(bench.path(".cells.jsonl"), &journal[..cut]).unwrap();
        fs::remove_file(bench.path(runs::NAME)).unwrap();
        let trainer = FakeTrainer::new();
        let report = bench.run(&plan, &trainer);
        let whole = journal[..cut].iter().filter(|&&b| b == b'\n').count();
        assert_eq!((report.reused, trainer.trained().len()), (whole, 3 - whole));
        assert_eq!(bench.bytes(runs::NAME), expected, "cut at byte {cut}");
    }
}

#[test]
fn jobs_and_replicas_do_not_change_the_bytes() {
    let reference = TestRun::new();
    reference.run(&plan(1), &FakeTrainer::new());
    for (jobs, replicas) in [(0, 1), (1, 8), (2, 1), (2, 2), (3, 8), (1000, 3)] {
        let mut bench = TestRun::new();
        bench.options.jobs = jobs;
        bench.run(&plan(replicas), &FakeTrainer::new());
        assert_eq!(
            bench.bytes(runs::NAME),
            reference.bytes(runs::NAME),
            "{jobs} jobs, {replicas} replicas"
        );
    }
}

#[test]
fn next_run_continues_a_stopped_one() {
    let (bench, plan) = (TestRun::new(), plan(2));
    // Stacks of arm b hold seeds 1-2, 3-4 and 5.
    let trainer = FakeTrainer::new().with_fault("b", 3, Fault::Stop);
    let stopped = bench.run(&plan, &trainer);
    assert!(stopped.stopped);
    assert_eq!((stopped.trained, stopped.reused), (7, 0));
    assert!(!bench.path(runs::NAME).exists());

    let trainer = FakeTrainer::new();
    let rest = bench.run(&plan, &trainer);
    assert_eq!((rest.trained, rest.reused, rest.stopped), (3, 7, false));
    let missing: Vec<_> = plan.cells[7..].iter().map(|c| c.id.clone()).collect();
    assert_eq!(trainer.trained(), missing);

    let whole = TestRun::new();
    whole.run(&plan, &FakeTrainer::new());
    assert_eq!(bench.bytes(runs::NAME), whole.bytes(runs::NAME));
}

#[test]
fn stop_before_the_first_job_trains_nothing() {
    let (bench, stop) = (TestRun::new(), StopFlag::default());
    stop.stop();
    let trainer = FakeTrainer::new();
    let report = run_spec(&plan(1), &trainer, &bench.options, &Silent, &stop).unwrap();
    assert!(report.stopped);
    assert_eq!((report.trained, report.reused), (0, 0));
    assert!(trainer.trained().is_empty());
}

#[test]
fn stop_after_the_last_job_leaves_a_complete_run() {
    struct StopAtEnd<'s>(&'s StopFlag);
    impl Progress for StopAtEnd<'_> {
        fn advanced(&self, _: &Job, _: usize) {}
    }
    impl Events for StopAtEnd<'_> {
        fn job_done(&self, job: &Job, _: &[CellRecord]) {
            if job.arm == "b" {
                self.0.stop();
            }
        }
    }
    let (bench, stop) = (TestRun::new(), StopFlag::default());
    let events = StopAtEnd(&stop);
    let report = run_spec(
        &plan(8),
        &FakeTrainer::new(),
        &bench.options,
        &events,
        &stop,
    )
    .unwrap();
    assert!(!report.stopped);
    assert_eq!(outcomes(&bench).len(), 10);
}

#[test]
fn panic_fails_only_the_cells_of_its_job() {
    let (bench, plan) = (TestRun::new(), plan(2));
    let report = bench.run(&plan, &FakeTrainer::new().with_fault("a", 1, Fault::Panic));
    assert_eq!(
        (report.trained, report.failed, report.stopped),
        (10, 2, false)
    );
    let outcomes = outcomes(&bench);
    let failed = Outcome::Failed {
        error: "training panicked: the fake was told to panic".into(),
    };
    assert_eq!(outcomes[..2], [failed.clone(), failed]);
    assert!(outcomes[2..].iter().all(|o| *o == Outcome::Done));

    let trainer = FakeTrainer::new();
    let again = bench.run(&plan, &trainer);
    assert_eq!((again.trained, again.reused, again.failed), (2, 8, 0));
}

#[test]
fn failed_cells_are_retried_and_diverged_ones_are_not() {
    let (bench, plan) = (TestRun::new(), plan(8));
    let trainer = FakeTrainer::new()
        .with_fault("a", 2, Fault::Fail)
        .with_fault("b", 4, Fault::Diverge(2));
    let report = bench.run(&plan, &trainer);
    assert_eq!((report.trained, report.failed, report.diverged), (10, 1, 1));
    let runs = read_runs(&bench.path(runs::NAME)).unwrap().records;
    assert_eq!(runs[8].outcome, Outcome::Diverged { epoch: 2 });
    assert_eq!(runs[8].epochs.len(), 1);

    let trainer = FakeTrainer::new();
    let again = bench.run(&plan, &trainer);
    assert_eq!((again.trained, again.failed, again.diverged), (1, 0, 1));
    assert_eq!(trainer.trained(), [plan.cells[1].id.clone()]);
}

#[test]
fn invalid_records_become_failures_with_a_reason() {
    for (fault, cells, why) in [
        (
            Fault::NotFinite,
            1,
            "train_loss of epoch 1 is NaN, not a finite number",
        ),
        (
            Fault::Forget,
            5,
            "the trainer returned 4 records for 5 cells",
        ),
    ] {
        let bench = TestRun::new();
        let report = bench.run(&plan(8), &FakeTrainer::new().with_fault("a", 1, fault));
        assert_eq!(report.failed, cells, "{fault:?}");
        assert_eq!(outcomes(&bench)[0], Outcome::Failed { error: why.into() });
    }
}

#[test]
fn fresh_trains_again_and_keeps_the_old_journal() {
    let (mut bench, plan) = (TestRun::new(), plan(2));
    bench.run(&plan, &FakeTrainer::new());
    let (journal, bytes) = (bench.bytes(".cells.jsonl"), bench.bytes(runs::NAME));
    bench.options.fresh = true;
    let report = bench.run(&plan, &FakeTrainer::new());
    assert_eq!((report.trained, report.reused), (10, 0));
    assert_eq!(bench.bytes(".cells.1.jsonl"), journal);
    assert_eq!(bench.bytes(runs::NAME), bytes);
    let reproduction = report.reproduction.unwrap();
    assert_eq!((reproduction.compared, reproduction.identical), (10, 10));
}

#[test]
fn fresh_clone_trains_everything_and_compares() {
    let (bench, plan) = (TestRun::new(), plan(2));
    bench.run(&plan, &FakeTrainer::new());
    let bytes = bench.bytes(runs::NAME);
    fs::remove_file(bench.path(".cells.jsonl")).unwrap();
    let same = bench.run(&plan, &FakeTrainer::new());
    assert_eq!(same.trained, 10);
    assert_eq!(
        same.reproduction,
        Some(Reproduction {
            compared: 10,
            identical: 10,
            ..Reproduction::default()
        })
    );
    assert_eq!(bench.bytes(runs::NAME), bytes);

    fs::remove_file(bench.path(".cells.jsonl")).unwrap();
    let other = bench.run(
        &plan,
        &FakeTrainer::new().with_fault("a", 1, Fault::Diverge(1)),
    );
    let reproduction = other.reproduction.unwrap();
    assert_eq!((reproduction.compared, reproduction.identical), (10, 9));
}

#[test]
fn adopt_trains_only_cells_missing_from_the_file() {
    let (mut bench, plan) = (TestRun::new(), plan(2));
    bench.run(&plan, &FakeTrainer::new().with_fault("b", 5, Fault::Fail));
    fs::remove_file(bench.path(".cells.jsonl")).unwrap();

    let mut changed = plan.spec.clone();
    changed.arms[0].train.length = Length::Epochs(3);
    let changed = Plan::new(&changed, "flex", 2, "f");
    bench.options.adopt = true;
    let trainer = FakeTrainer::new();
    let report = bench.run(&changed, &trainer);
    // The five cells of the changed arm, and the one that had failed.
    assert_eq!((report.trained, report.reused, report.failed), (6, 4, 0));
    let reproduction = report.reproduction.unwrap();
    assert_eq!((reproduction.compared, reproduction.identical), (1, 0));
    assert_eq!(
        (reproduction.only_planned, reproduction.only_committed),
        (5, 5)
    );

    bench.options.adopt = false;
    assert_eq!(bench.run(&changed, &trainer).trained, 0);
}

#[test]
fn only_a_changed_arm_is_trained_again() {
    let (bench, before) = (TestRun::new(), plan(2));
    bench.run(&before, &FakeTrainer::new());
    let bytes = bench.bytes(runs::NAME);
    let mut changed = before.spec.clone();
    changed.arms[1].train.batch_size = 64;
    let changed = Plan::new(&changed, "flex", 2, "f");
    assert_eq!(bench.run(&changed, &FakeTrainer::new()).trained, 5);
    assert_ne!(bench.bytes(runs::NAME), bytes);
    assert_eq!(bench.run(&before, &FakeTrainer::new()).trained, 0);
    assert_eq!(bench.bytes(runs::NAME), bytes);
}

#[test]
fn renamed_arm_is_not_trained_again() {
    let (bench, before) = (TestRun::new(), plan(2));
    bench.run(&before, &FakeTrainer::new());
    let mut renamed = before.spec.clone();
    renamed.arms[0].name = "new-name".into();
    let renamed = Plan::new(&renamed, "flex", 2, "f");
    assert_eq!(bench.run(&renamed, &FakeTrainer::new()).trained, 0);
    assert_eq!(
        read_runs(&bench.path(runs::NAME)).unwrap().records[0].arm,
        "new-name"
    );
}

#[test]
fn folder_in_use_is_rejected_untouched() {
    let (bench, plan, trainer) = (TestRun::new(), plan(2), FakeTrainer::new());
    fs::create_dir(bench.dir.path().join("fake")).unwrap();
    let _held = Lock::acquire(&bench.dir.path().join("fake")).unwrap();
    let error = bench.try_run(&plan, &trainer).unwrap_err();
    assert!(
        matches!(error, RunError::Lock(LockError::Held { .. })),
        "{error}"
    );
    assert!(trainer.trained().is_empty());
    assert!(!bench.path(".cells.jsonl").exists());
}

#[test]
fn unwritable_folder_is_rejected_before_training() {
    let (bench, trainer) = (TestRun::new(), FakeTrainer::new());
    fs::write(bench.dir.path().join("fake"), b"a file").unwrap();
    let error = bench.try_run(&plan(2), &trainer).unwrap_err();
    assert!(matches!(error, RunError::File(_)), "{error}");
    assert!(trainer.trained().is_empty());
}

/// Runs `plan` and returns the report and the notices.
fn run_logged(bench: &TestRun, plan: &Plan) -> (RunReport, Vec<String>) {
    let (log, stop) = (Log::default(), StopFlag::default());
    let report = run_spec(plan, &FakeTrainer::new(), &bench.options, &log, &stop).unwrap();
    let lines = log.0.into_inner().unwrap();
    let notices = lines.into_iter().filter(|line| line.starts_with("notice"));
    (report, notices.collect())
}

#[test]
fn file_that_is_no_journal_does_not_block_a_run() {
    for name in [".cells.jsonl", runs::NAME] {
        let bench = TestRun::new();
        fs::create_dir(bench.dir.path().join("fake")).unwrap();
        fs::write(bench.path(name), "{}\n").unwrap();
        let (report, notices) = run_logged(&bench, &plan(2));
        assert_eq!((report.trained, report.failed), (10, 0));
        assert!(
            notices[0].contains(&format!("{name}` line 1")),
            "{notices:?}"
        );
        assert_eq!(bench.bytes(&format!("{name}.damaged")), b"{}\n");
    }
}

#[test]
fn no_flip_of_300_goes_through_silently() {
    let (bench, plan) = (TestRun::new(), plan(2));
    bench.run(&plan, &FakeTrainer::new());
    let good = bench.bytes(runs::NAME);
    let journal = bench.bytes(".cells.jsonl");
    let stream = ablate_streams::Stream::new(1, ablate_streams::Purpose::Resample, "flips");
    let mut draws = stream.uniforms(0);
    let mut draw = |n: usize| (draws.next().unwrap() * n as f64) as usize % n;
    let mut retrained = 0;
    for flip in 0..300 {
        fs::write(bench.path(".cells.jsonl"), &journal).unwrap();
        fs::write(bench.path(runs::NAME), &good).unwrap();
        // Mostly digits, where a change leaves a valid record; sometimes any byte.
        let name = [".cells.jsonl", runs::NAME][flip % 2];
        let mut bytes = bench.bytes(name);
        let digits: Vec<usize> = match flip % 5 {
            0 => (0..bytes.len()).collect(),
            _ => (0..bytes.len())
                .filter(|&i| bytes[i].is_ascii_digit())
                .collect(),
        };
        let at = digits[draw(digits.len())];
        bytes[at] = match bytes[at].is_ascii_digit() {
            true => b'0' + (bytes[at] - b'0' + 1 + draw(9) as u8) % 10,
            false => bytes[at] ^ (1 << draw(8)),
        };
        fs::write(bench.path(name), &bytes).unwrap();
        let (report, notices) = run_logged(&bench, &plan);
        assert_eq!(
            bench.bytes(runs::NAME),
            good,
            "flip {flip} of byte {at} in {name}"
        );
        assert!(
            !notices.is_empty(),
            "flip {flip} of byte {at} in {name} is silent"
        );
        assert!(name == runs::NAME || report.trained > 0);
        retrained += report.trained;
    }
    assert!(retrained >= 150);
}

/// Rewrites the records of a file with `change`, with valid checksums.
fn rewrite(bench: &TestRun, name: &str, change: impl FnOnce(&mut Vec<CellRecord>)) {
    let mut records = read_runs(&bench.path(name)).unwrap().records;
    change(&mut records);
    runs::write_runs(&bench.path(name), &records).unwrap();
}

#[test]
fn records_that_do_not_fit_their_cell_are_trained_again() {
    type Change = fn(&mut CellRecord);
    let changes: [(&str, Change); 5] = [
        ("seed 9, but its cell has seed 1", |r| r.seed = 9),
        ("learning rate 0.5, but", |r| r.learning_rate = 0.5),
        ("device wgpu, but", |r| r.device = "wgpu".into()),
        ("arm b, but its cell has arm a", |r| r.arm = "b".into()),
        ("not evaluated at the planned", |r| {
            r.epochs.pop();
            r.traces.clear();
        }),
    ];
    for (why, change) in changes {
        let (bench, plan) = (TestRun::new(), plan(2));
        bench.run(&plan, &FakeTrainer::new());
        let good = bench.bytes(runs::NAME);
        rewrite(&bench, ".cells.jsonl", |records| change(&mut records[0]));
        let (report, notices) = run_logged(&bench, &plan);
        assert!(notices[0].contains(why), "{notices:?}");
        assert_eq!((report.trained, bench.bytes(runs::NAME)), (1, good.clone()));

        rewrite(&bench, runs::NAME, |records| change(&mut records[0]));
        let (report, notices) = run_logged(&bench, &plan);
        assert!(notices[0].contains(why), "{notices:?}");
        assert_eq!((report.trained, bench.bytes(runs::NAME)), (0, good));
    }
}

#[test]
fn contradicting_journal_and_runs_train_the_cell_again_once() {
    for name in [".cells.jsonl", runs::NAME] {
        let (bench, plan) = (TestRun::new(), plan(2));
        bench.run(&plan, &FakeTrainer::new());
        let good = bench.bytes(runs::NAME);
        rewrite(&bench, name, |records| {
            records[3].epochs[1].test.accuracy -= 0.5
        });
        let (report, notices) = run_logged(&bench, &plan);
        assert_eq!((report.trained, notices.len()), (1, 1));
        assert!(
            notices[0].contains("have different numbers for arm a, seed 4"),
            "{notices:?}"
        );
        assert_eq!(bench.bytes(runs::NAME), good);
        rewrite(&bench, runs::NAME, |records| {
            records[3].epochs[1].test.nll = 0.5
        });
        let (report, notices) = run_logged(&bench, &plan);
        assert_eq!(
            (report.trained, notices.len()),
            (0, 0),
            "it was trained twice"
        );
        assert_eq!(bench.bytes(runs::NAME), good);
    }
}

#[test]
fn runs_without_checksums_are_adopted_and_get_them() {
    let (mut bench, plan) = (TestRun::new(), plan(2));
    bench.run(&plan, &FakeTrainer::new());
    let good = bench.bytes(runs::NAME);
    let records = read_runs(&bench.path(runs::NAME)).unwrap().records;
    let old = records
        .iter()
        .map(|r| serde_json::to_string(r).unwrap() + "\n");
    fs::write(bench.path(runs::NAME), old.collect::<String>()).unwrap();
    fs::remove_file(bench.path(".cells.jsonl")).unwrap();
    bench.options.adopt = true;
    let (report, notices) = run_logged(&bench, &plan);
    assert_eq!((report.trained, notices.len()), (0, 0));
    assert_eq!(bench.bytes(runs::NAME), good);
}

#[test]
fn events_report_jobs_epochs_and_notices() {
    let (bench, plan, log) = (TestRun::new(), plan(8), Log::default());
    fs::create_dir(bench.dir.path().join("fake")).unwrap();
    fs::write(bench.path(".cells.jsonl"), b"{\"id\":\"to").unwrap();
    let stop = StopFlag::default();
    run_spec(&plan, &FakeTrainer::new(), &bench.options, &log, &stop).unwrap();
    let lines = log.0.into_inner().unwrap();
    assert!(
        lines[0].starts_with("notice dropped the unfinished last line"),
        "{lines:?}"
    );
    assert_eq!(
        lines[1..],
        [
            "start a x 5",
            "epoch 1 of a x 5",
            "epoch 2 of a x 5",
            "done a x 5",
            "start b x 5",
            "epoch 1 of b x 5",
            "epoch 2 of b x 5",
            "done b x 5"
        ]
    );
}
