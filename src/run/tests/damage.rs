//! Damaged and contradicting records.

use super::*;

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

/// Numbers below the one that is given, always the same.
fn draws() -> impl FnMut(usize) -> usize {
    let stream = ablate_streams::Stream::new(1, ablate_streams::Purpose::Resample, "flips");
    let mut draws = stream.uniforms(0);
    move |n| (draws.next().unwrap() * n as f64) as usize % n
}

/// Changes one byte of a file, and returns its place: mostly a digit, where a change leaves a valid record; in every
/// fifth flip any byte.
fn flipped(bytes: &[u8], flip: usize, draw: &mut impl FnMut(usize) -> usize) -> (usize, Vec<u8>) {
    let mut bytes = bytes.to_vec();
    let any = flip.is_multiple_of(5);
    let places = (0..bytes.len()).filter(|&i| any || bytes[i].is_ascii_digit());
    let places: Vec<usize> = places.collect();
    let at = places[draw(places.len())];
    bytes[at] = match bytes[at].is_ascii_digit() {
        true => b'0' + (bytes[at] - b'0' + 1 + draw(9) as u8) % 10,
        false => bytes[at] ^ (1 << draw(8)),
    };
    (at, bytes)
}

#[test]
fn no_flip_of_300_in_a_guest_journal_goes_through_silently() {
    let (bench, plan) = (TestRun::new(), plan(2));
    let mut options = bench.options.clone();
    options.sharing.guest = true;
    let trainer = FakeTrainer::new();
    run_spec(&plan, &trainer, &options, &Silent, &StopFlag::default()).unwrap();
    let mut left = fs::read_dir(bench.path(share::FOLDER)).unwrap();
    let guest = left.next().expect("its journal").unwrap().path();
    assert!(left.next().is_none());
    let written = fs::read(&guest).unwrap();
    bench.run(&plan, &FakeTrainer::new());
    let good = bench.bytes(runs::NAME);
    let mut draw = draws();
    for flip in 0..300 {
        fs::remove_dir_all(bench.path("")).unwrap();
        fs::create_dir_all(bench.path(share::FOLDER)).unwrap();
        let (at, bytes) = flipped(&written, flip, &mut draw);
        fs::write(&guest, &bytes).unwrap();
        let (report, notices) = run_logged(&bench, &plan);
        assert_eq!(bench.bytes(runs::NAME), good, "flip {flip} of byte {at}");
        assert!(report.trained > 0, "flip {flip} of byte {at}");
        assert!(!notices.is_empty(), "flip {flip} of byte {at} is silent");
    }
}

#[test]
fn no_flip_of_300_goes_through_silently() {
    let (bench, plan) = (TestRun::new(), plan(2));
    bench.run(&plan, &FakeTrainer::new());
    let good = bench.bytes(runs::NAME);
    let journal = bench.bytes(".cells.jsonl");
    let (mut draw, mut retrained) = (draws(), 0);
    for flip in 0..300 {
        fs::write(bench.path(".cells.jsonl"), &journal).unwrap();
        fs::write(bench.path(runs::NAME), &good).unwrap();
        let name = [".cells.jsonl", runs::NAME][flip % 2];
        let (at, bytes) = flipped(&bench.bytes(name), flip, &mut draw);
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
        ("learning rate 0.5, but", |r| r.learning_rate = Some(0.5)),
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
            records[3].epochs[1].test.as_mut().unwrap().accuracy -= 0.5
        });
        let (report, notices) = run_logged(&bench, &plan);
        assert_eq!((report.trained, notices.len()), (1, 1));
        assert!(
            notices[0].contains("have different numbers for arm a, seed 4"),
            "{notices:?}"
        );
        assert_eq!(bench.bytes(runs::NAME), good);
        rewrite(&bench, runs::NAME, |records| {
            records[3].epochs[1].test.as_mut().unwrap().nll = 0.5
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
