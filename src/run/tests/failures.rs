//! Jobs that fail, and folders that cannot be used.

use super::super::fake::Fault;
use super::*;

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
fn locked_folder_without_an_owner_is_rejected_untouched() {
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
