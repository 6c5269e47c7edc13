//! Several processes on one results folder. Here they are threads, or sessions that end without cleaning up.

use super::*;
use crate::record::EpochRecord;
use crate::run::share::{FOLDER, Share, Sharing};
use crate::trainer::JobCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Short, because tests wait for it.
const LEASE: Duration = Duration::from_millis(300);

fn expected(plan: &Plan) -> Vec<u8> {
    let alone = TestRun::new();
    alone.run(plan, &FakeTrainer::new());
    alone.bytes(runs::NAME)
}

fn guest(bench: &TestRun) -> RunOptions {
    let sharing = Sharing {
        guest: true,
        lease: LEASE,
        ..Sharing::default()
    };
    RunOptions {
        sharing,
        ..bench.options.clone()
    }
}

fn run_with(plan: &Plan, trainer: &dyn Trainer, options: &RunOptions) -> RunReport {
    run_spec(plan, trainer, options, &Silent, &StopFlag::default()).unwrap()
}

/// Names of the files of processes that share the folder.
fn shared_files(bench: &TestRun) -> Vec<String> {
    let entries = fs::read_dir(bench.path(FOLDER)).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Trains slowly enough that several processes are at work.
struct Slow {
    trained: AtomicUsize,
    all: usize,
}

impl Slow {
    const fn new(all: usize) -> Self {
        Self {
            trained: AtomicUsize::new(0),
            all,
        }
    }
}

impl Trainer for Slow {
    fn train(&self, job: &Job, _: &dyn Progress, _: &StopFlag) -> Option<Vec<CellRecord>> {
        // Nobody is done before everybody has begun.
        self.trained.fetch_add(1, Ordering::SeqCst);
        let clock = Instant::now();
        while self.trained.load(Ordering::SeqCst) < self.all {
            assert!(clock.elapsed() < Duration::from_secs(60));
            std::thread::yield_now();
        }
        Some(FakeTrainer::records(job))
    }

    fn estimate(&self, _: &Job) -> Option<f64> {
        None
    }
}

#[test]
fn cells_are_shared_without_repeats() {
    let (bench, plan) = (TestRun::new(), plan(1));
    let workers = 4;
    let trainer = Slow::new(workers);
    let reports: Vec<RunReport> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|number| {
                let options = match number {
                    0 => bench.options.clone(),
                    _ => guest(&bench),
                };
                let (plan, trainer) = (&plan, &trainer);
                scope.spawn(move || run_with(plan, trainer, &options))
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let trained: usize = reports.iter().map(|report| report.trained).sum();
    assert_eq!(trained, plan.ids().len());
    assert!(
        reports.iter().all(|report| report.trained > 0),
        "{reports:?}"
    );
    assert!(
        reports
            .iter()
            .all(|report| !report.stopped && report.left == 0)
    );
    // A run takes in what guests left, and nobody's files stay.
    let last = bench.run(&plan, &FakeTrainer::new());
    assert_eq!(last.trained, 0);
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
    assert!(!bench.path(FOLDER).exists(), "{:?}", shared_files(&bench));
}

#[test]
fn guests_alone_complete_an_experiment() {
    let (bench, plan) = (TestRun::new(), plan(2));
    let report = run_with(&plan, &FakeTrainer::new(), &guest(&bench));
    assert_eq!((report.trained, report.stopped), (10, false));
    assert!(!bench.path(runs::NAME).exists());
    assert!(!bench.path(".cells.jsonl").exists());
    assert_eq!(journal::read(&bench.path(""), &plan).unwrap().0.len(), 10);
    let second = run_with(&plan, &FakeTrainer::new(), &guest(&bench));
    assert_eq!((second.trained, second.reused), (0, 10));
    assert_eq!(
        shared_files(&bench).len(),
        1,
        "only the journal of the first"
    );
    bench.run(&plan, &FakeTrainer::new());
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
    assert!(!bench.path(FOLDER).exists());
}

#[test]
fn second_run_is_a_guest_of_the_first() {
    let (bench, plan) = (TestRun::new(), plan(2));
    let mut owner = Session::open(&plan, &bench.options, &Silent).unwrap();
    assert!(owner.is_owner());
    let report = bench.run(&plan, &FakeTrainer::new());
    assert_eq!((report.trained, report.stopped), (10, false));
    assert!(!bench.path(runs::NAME).exists());
    let report = owner
        .train(&FakeTrainer::new(), &StopFlag::default())
        .unwrap();
    assert_eq!((report.trained, report.elsewhere), (0, 10));
    owner.finish().unwrap();
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
    assert!(!bench.path(FOLDER).exists(), "{:?}", shared_files(&bench));
}

#[test]
fn shares_of_cells_add_up() {
    let (bench, plan) = (TestRun::new(), plan(2));
    let all: Vec<String> = plan.ids().into_iter().map(str::to_owned).collect();
    for part in all.chunks(3) {
        let mut options = guest(&bench);
        options.sharing.cells = Some(part.iter().cloned().collect());
        let report = run_with(&plan, &FakeTrainer::new(), &options);
        assert_eq!(report.trained, part.len());
    }
    assert_eq!(bench.run(&plan, &FakeTrainer::new()).trained, 0);
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
}

/// Leaves the claims of a process that was killed while it trained `cells`.
fn killed_with(bench: &TestRun, cells: &[JobCell]) {
    fs::create_dir_all(bench.path("")).unwrap();
    let mut share = Share::join(&bench.path(""), &guest(bench).sharing).unwrap();
    let (ours, theirs) = share.claim_cells(cells.to_vec()).unwrap();
    assert_eq!((ours.len(), theirs.len()), (cells.len(), 0));
    share.vanish();
}

#[test]
fn claims_of_a_dead_process_are_taken_over() {
    let (bench, plan) = (TestRun::new(), plan(5));
    let jobs = plan.jobs(|_| true);
    killed_with(&bench, &jobs[0].cells);
    killed_with(&bench, &jobs[0].cells);
    // Of a process that was killed while it removed the files of a guest.
    fs::write(bench.path(FOLDER).join("gone.json"), "{}").unwrap();
    let trainer = FakeTrainer::new();
    let report = run_with(&plan, &trainer, &guest(&bench));
    assert_eq!(report.trained, 10);
    assert_eq!(bench.run(&plan, &FakeTrainer::new()).trained, 0);
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
    assert!(!bench.path(FOLDER).exists(), "{:?}", shared_files(&bench));
}

#[test]
fn claim_of_a_silent_process_elsewhere_ends_with_its_lease() {
    let (bench, plan) = (TestRun::new(), plan(5));
    let jobs = plan.jobs(|_| true);
    killed_with(&bench, &jobs[1].cells);
    let clock = Instant::now();
    // As if it were on another machine, where nobody here can see whether it exists.
    for name in shared_files(&bench) {
        if name.ends_with(".alive") {
            let path = bench.path(FOLDER).join(name);
            let text = fs::read_to_string(&path).unwrap();
            let start = text.find("\"system\":\"").unwrap() + 10;
            fs::write(&path, [&text[..start], "x", &text[start..]].concat()).unwrap();
        }
    }
    let mut impatient = guest(&bench);
    impatient.sharing.wait = false;
    let report = run_with(&plan, &FakeTrainer::new(), &impatient);
    assert_eq!((report.trained, report.left, report.stopped), (5, 5, false));
    let report = run_with(&plan, &FakeTrainer::new(), &guest(&bench));
    assert_eq!(report.trained, 5);
    assert!(clock.elapsed() >= LEASE);
    bench.run(&plan, &FakeTrainer::new());
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
}

#[test]
fn living_process_keeps_its_claims() {
    let (bench, plan) = (TestRun::new(), plan(5));
    fs::create_dir_all(bench.path("")).unwrap();
    let jobs = plan.jobs(|_| true);
    let mut other = Share::join(&bench.path(""), &guest(&bench).sharing).unwrap();
    other.claim_cells(jobs[0].cells.clone()).unwrap();
    let mut options = guest(&bench);
    options.sharing.wait = false;
    let report = run_with(&plan, &FakeTrainer::new(), &options);
    assert_eq!((report.trained, report.left), (5, 5));
    // It gives them up without having recorded anything.
    other.release(&jobs[0].cells);
    let report = run_with(&plan, &FakeTrainer::new(), &options);
    assert_eq!((report.trained, report.left), (5, 0));
}

#[test]
fn different_numbers_of_two_processes_are_an_error_that_loses_nothing() {
    let (bench, plan) = (TestRun::new(), plan(5));
    run_with(&plan, &FakeTrainer::new(), &guest(&bench));
    let part = shared_files(&bench).pop().unwrap();
    let part = bench.path(FOLDER).join(part);
    let other = TestRun::new();
    other.run(&plan, &FakeTrainer::new());
    let mut records: Vec<CellRecord> = read_runs(&other.path(runs::NAME)).unwrap().records;
    let EpochRecord { train_loss, .. } = &mut records[3].epochs[0];
    *train_loss = Some(train_loss.unwrap() + 1.0);
    fs::write(bench.path(".cells.jsonl"), lines::encode(&records).unwrap()).unwrap();
    let before = fs::read(&part).unwrap();
    let error = bench.try_run(&plan, &FakeTrainer::new()).unwrap_err();
    assert!(matches!(error, RunError::Disagreement(_)), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("arm a, seed 4") && text.contains(&*part.to_string_lossy()),
        "{text}"
    );
    assert_eq!(fs::read(&part).unwrap(), before);
    // As the message says.
    fs::remove_file(part).unwrap();
    assert_eq!(bench.run(&plan, &FakeTrainer::new()).trained, 0);
}

#[test]
fn record_of_a_guest_takes_the_place_of_a_failure() {
    let (bench, plan) = (TestRun::new(), plan(5));
    let failing = FakeTrainer::new().with_fault("a", 1, super::super::fake::Fault::Fail);
    let report = run_with(&plan, &failing, &guest(&bench));
    assert_eq!((report.failed, report.failed_here), (1, 1));
    let report = run_with(&plan, &FakeTrainer::new(), &guest(&bench));
    assert_eq!((report.trained, report.failed), (1, 0));
    assert_eq!(bench.run(&plan, &FakeTrainer::new()).trained, 0);
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
}

#[test]
fn training_again_is_refused_while_others_train() {
    let (mut bench, plan) = (TestRun::new(), plan(5));
    bench.run(&plan, &FakeTrainer::new());
    let other = Share::join(&bench.path(""), &guest(&bench).sharing).unwrap();
    bench.options.fresh = true;
    let error = bench.try_run(&plan, &FakeTrainer::new()).unwrap_err();
    assert!(
        matches!(error, RunError::Lock(LockError::Held { .. })),
        "{error}"
    );
    drop(other);
    assert_eq!(bench.run(&plan, &FakeTrainer::new()).trained, 10);
}

#[test]
fn seeds_stay_on_the_kind_of_machine_that_began_them() {
    let (bench, plan) = (TestRun::new(), plan(1));
    let kind = |kind: &str| {
        let mut options = guest(&bench);
        options.sharing.kind = Some(kind.to_owned());
        options
    };
    let mut one = kind("one");
    one.sharing.cells = Some([plan.cells[0].id.clone()].into());
    assert_eq!(run_with(&plan, &FakeTrainer::new(), &one).trained, 1);
    // Seed 0 of the second arm waits for a machine of the first kind.
    let report = run_with(&plan, &FakeTrainer::new(), &kind("two"));
    assert_eq!((report.trained, report.left), (8, 1));
    assert_eq!(
        run_with(&plan, &FakeTrainer::new(), &kind("one")).trained,
        1
    );
    assert_eq!(bench.run(&plan, &FakeTrainer::new()).trained, 0);
    assert_eq!(bench.bytes(runs::NAME), expected(&plan));
}
