//! What a second run trains.

use super::super::fake::Fault;
use super::*;
use crate::recipe::Length;

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
    let net = small.arms[0].net_mut().unwrap();
    net.train.length = Length::Epochs(1);
    net.data.validation = 0.0;
    net.probes.clear();
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
            largest_difference: Some(0.0),
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
    changed.arms[0].net_mut().unwrap().train.length = Length::Epochs(3);
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
    changed.arms[1].net_mut().unwrap().train.batch_size = 64;
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
