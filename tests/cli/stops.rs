//! Runs that are stopped, killed or locked out.
#![cfg(unix)]

use crate::bench::{Bench, TINY, wait_until};
use std::process::{Child, Command, Stdio};

/// Trains one cell per job, so that a run can be stopped between jobs.
const SLOW: &str = "run slow -q --replicas 1 --jobs 1";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write(
        "experiments/slow.toml",
        TINY.replace("seeds = 3", "seeds = 60"),
    );
    bench
}

/// Starts a slow run and waits for its first record.
fn start(bench: &Bench) -> Child {
    let mut run = bench.start(SLOW);
    let journal = bench.path("results/slow/.cells.jsonl");
    wait_until("a record", || {
        assert_eq!(run.try_wait().unwrap(), None, "the run ended too early");
        std::fs::metadata(&journal).is_ok_and(|file| file.len() > 0)
    });
    run
}

fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    kill.args([name, &child.id().to_string()]);
    assert!(kill.stdout(Stdio::null()).status().unwrap().success());
}

/// Continues the run and compares its results with an uninterrupted one.
fn continues_to_the_same_results(bench: &Bench) {
    let records = bench.text("results/slow/.cells.jsonl").lines().count();
    assert!((1..120).contains(&records), "{records}");
    assert!(!bench.path("results/slow/runs.jsonl").exists());
    let rest = bench.run("run slow").ends(0);
    assert!(!rest.err.contains("trained 120 cells"), "{}", rest.err);
    let uninterrupted = bench.copy();
    uninterrupted.run("run slow").ends(0);
    assert_eq!(bench.results("results"), uninterrupted.results("results"));
}

#[test]
fn killed_run_continues_to_the_same_bytes() {
    let bench = bench();
    let mut run = start(&bench);
    run.kill().unwrap();
    assert_eq!(run.wait().unwrap().code(), None);
    continues_to_the_same_results(&bench);
}

#[test]
fn killed_run_leaves_the_origin_of_its_records() {
    let bench = bench();
    let mut run = start(&bench);
    run.kill().unwrap();
    run.wait().unwrap();
    let running = bench.text("results/slow/.provenance.json");
    assert!(running.contains("\"device\": \"flex\""), "{running}");
    assert!(!bench.path("results/slow/provenance.json").exists());
    bench.run("run slow -q").ends(0);
    let made = ablate::provenance::Provenance::read(&bench.path("results/slow")).unwrap();
    assert_eq!((made.run.trained, made.run.reused), (120, 0));
    assert!(made.earlier.is_empty());
}

#[test]
fn deleted_results_folder_is_noticed_at_the_next_record() {
    let bench = bench();
    for again in [false, true] {
        let mut run = start(&bench);
        signal(&run, "-STOP");
        let folder = bench.path("results/slow");
        std::fs::remove_dir_all(&folder).unwrap();
        if again {
            std::fs::create_dir(&folder).unwrap();
            // The lock still holds in the new folder.
            bench
                .run("run slow")
                .ends(75)
                .says("another process is using");
        }
        signal(&run, "-CONT");
        wait_until("the run to end", || run.try_wait().unwrap().is_some());
        let done = crate::bench::Done::from(run.wait_with_output().unwrap()).ends(5);
        done.says("results/slow/.cells.jsonl")
            .says("was deleted or replaced");
        assert!(!bench.path("results/slow/runs.jsonl").exists());
    }
}

#[test]
fn signals_that_are_not_caught_lose_nothing() {
    use nix::sys::signal::{SigHandler, Signal};
    use std::os::unix::process::ExitStatusExt;
    // Children inherit signals that are ignored, as scripts do for commands in the background.
    for caught in [Signal::SIGQUIT, Signal::SIGUSR1] {
        // SAFETY: the default action runs no code of this program.
        unsafe { nix::sys::signal::signal(caught, SigHandler::SigDfl) }.unwrap();
    }
    for (name, number) in [("-QUIT", 3), ("-USR1", 10)] {
        let bench = bench();
        let mut run = start(&bench);
        signal(&run, name);
        assert_eq!(run.wait().unwrap().signal(), Some(number));
        continues_to_the_same_results(&bench);
    }
}

#[test]
fn ctrl_c_exits_75_with_advice() {
    let bench = bench();
    let run = start(&bench);
    signal(&run, "-INT");
    let done = crate::bench::Done::from(run.wait_with_output().unwrap()).ends(75);
    let done = done.says("warning: stopping after the current steps");
    done.says("error: stopped in `slow`; finished cells are saved: run the same command again");
    continues_to_the_same_results(&bench);
}

#[test]
fn sigterm_works_like_ctrl_c() {
    let bench = bench();
    let run = start(&bench);
    signal(&run, "-TERM");
    crate::bench::Done::from(run.wait_with_output().unwrap()).ends(75);
    continues_to_the_same_results(&bench);
}

#[test]
fn second_process_in_one_folder_is_rejected() {
    let bench = Bench::new();
    let folder = bench.path("results/tiny");
    std::fs::create_dir_all(&folder).unwrap();
    let lock = ablate::run::lock::Lock::acquire(&folder).unwrap();
    let done = bench.run("run tiny").ends(75);
    done.says("error: another process is using the results folder `results/tiny`");
    drop(lock);
    bench.run("run tiny").ends(0);
}

#[test]
fn stopped_comparison_keeps_its_measurements() {
    let bench = bench();
    let mut run = bench.start("compare slow -q --devices flex --steps 2 --results out");
    let journal = bench.path("out/backends/slow/flex/.cells.jsonl");
    wait_until("a record", || {
        assert_eq!(
            run.try_wait().unwrap(),
            None,
            "the comparison ended too early"
        );
        std::fs::metadata(&journal).is_ok_and(|file| file.len() > 0)
    });
    signal(&run, "-INT");
    assert_eq!(run.wait().unwrap().code(), Some(75));
    let comparison = bench.text("out/backends/slow/comparison.json");
    let comparison: serde_json::Value = serde_json::from_str(&comparison).unwrap();
    assert_eq!(comparison["arms"][1]["parity"][0]["device"], "flex");
    assert!(comparison["timing"].is_null(), "{comparison}");
    bench.run("report --check --results out").ends(0);
}
