//! Training in worker processes, and what happens when they or their parent die.
#![cfg(target_os = "linux")]

use crate::bench::{Bench, Done, TINY, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command};

/// Enough epochs for a job to have a middle.
const EPOCHS: &str = "epochs = 400";

fn bench() -> Bench {
    let bench = Bench::new();
    let long = TINY.replace("epochs = 2", EPOCHS);
    assert!(long.contains(EPOCHS));
    bench.write("experiments/long.toml", long);
    bench
}

/// A run whose worker is in the middle of its first job.
struct Running {
    run: Child,
    err: BufReader<ChildStderr>,
    worker: u32,
}

fn start(bench: &Bench) -> Running {
    let mut command = bench.command("run long -v --isolate --replicas 1 --jobs 1");
    // A group of its own, as a shell gives it.
    let mut run = command.process_group(0).spawn().unwrap();
    let mut err = BufReader::new(run.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("epoch 1 of 400") {
        line.clear();
        assert!(err.read_line(&mut line).unwrap() > 0, "the run ended");
    }
    let workers = children(run.id());
    assert_eq!(workers.len(), 1, "{workers:?}");
    let worker = workers[0];
    Running { run, err, worker }
}

impl Running {
    fn end(mut self) -> Done {
        let mut err = String::new();
        self.err.read_to_string(&mut err).unwrap();
        let mut done = Done::from(self.run.wait_with_output().unwrap());
        done.err = err;
        done
    }
}

/// State and parent of a process, if there is one.
fn stat(id: &str) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

fn children(parent: u32) -> Vec<u32> {
    let ids = fs::read_dir("/proc").unwrap().flatten();
    ids.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let (_, of) = stat(&name)?;
        (of == parent).then(|| name.parse().ok())?
    })
    .collect()
}

fn lives(id: u32) -> bool {
    stat(&id.to_string()).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

fn kill(signal: &str, whom: &str) {
    let mut kill = Command::new("kill");
    assert!(kill.args([signal, "--", whom]).status().unwrap().success());
}

#[test]
fn worker_processes_compute_the_same_bytes() {
    let bench = Bench::new();
    bench.write("experiments/rich.toml", crate::runs::RICH);
    bench.run("run rich --results one").ends(0);
    bench.run("run rich --results two --isolate").ends(0);
    assert_eq!(bench.results("one"), bench.results("two"));
    let done = bench.run("verify rich --results one --isolate").ends(0);
    done.shows("reproduced 3 of 3 cells bit for bit");
    bench.run("plan tiny --isolate").ends(0).shows(", about ");
}

#[test]
fn a_worker_that_is_killed_fails_the_cells_of_its_job_and_no_other() {
    let bench = bench();
    let running = start(&bench);
    kill("-KILL", &running.worker.to_string());
    let done = running.end().ends(3);
    let done = done.says(
        "warning: long: a cell of arm `plain` failed: the worker process ended before it was done: \
         signal: 9 (SIGKILL)",
    );
    done.says("long: trained 6 cells in")
        .says(", 1 failed")
        .says("error: 1 cell failed; run the same command again to retry");
    let text = bench.text("results/long/runs.jsonl");
    assert_eq!(text.matches("\"status\":\"done\"").count(), 5);

    bench
        .run("run long")
        .ends(0)
        .says("long: trained 1 cell in");
    bench.run("run long --results undisturbed").ends(0);
    assert_eq!(bench.results("results"), bench.results("undisturbed"));
}

#[test]
fn ctrl_c_on_a_terminal_stops_the_run_and_leaves_no_worker_behind() {
    let bench = bench();
    let running = start(&bench);
    let worker = running.worker;
    // A terminal sends it to the whole group.
    kill("-INT", &format!("-{}", running.run.id()));
    running.end().ends(75).says("error: stopped in `long`");
    assert!(!lives(worker));
    assert!(!bench.path("results/long/runs.jsonl").exists());
    assert_eq!(bench.text("results/long/.cells.jsonl"), "");
}

#[test]
fn a_worker_goes_when_its_parent_is_killed() {
    let bench = bench();
    let mut running = start(&bench);
    let worker = running.worker;
    running.run.kill().unwrap();
    running.run.wait().unwrap();
    wait_until("the worker to go", || !lives(worker));
}

#[test]
fn what_is_no_request_is_refused() {
    let bench = Bench::new();
    let mut command = bench.command("serve");
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"{\"train\":{}}\n").unwrap();
    let done = Done::from(child.wait_with_output().unwrap()).ends(0);
    done.shows("{\"failed\":\"cannot read the request: missing field `job`");
    drop(input);
}
