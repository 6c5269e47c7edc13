//! Training in worker processes that die, or whose parent dies.
#![cfg(target_os = "linux")]

use crate::bench::{Bench, Done, TINY, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command};

/// Enough epochs to interrupt a job.
const EPOCHS: &str = "epochs = 400";

fn bench() -> Bench {
    let bench = Bench::new();
    let long = TINY.replace("epochs = 2", EPOCHS);
    assert!(long.contains(EPOCHS));
    bench.write("experiments/long.toml", long);
    bench
}

/// A run whose worker process is training its first job.
struct Running {
    run: Child,
    err: BufReader<ChildStderr>,
    worker: u32,
}

fn start(bench: &Bench) -> Running {
    let mut command = bench.command("run long -v --isolate --replicas 1 --jobs 1");
    // Its own process group, as in a shell.
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

/// State and parent of a process; `None` if it does not exist.
fn stat(id: &str) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The process name in parentheses may contain spaces.
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

fn is_alive(id: u32) -> bool {
    stat(&id.to_string()).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

fn kill(signal: &str, whom: &str) {
    let mut kill = Command::new("kill");
    assert!(kill.args([signal, "--", whom]).status().unwrap().success());
}

#[test]
fn isolation_does_not_change_the_bytes() {
    let bench = Bench::new();
    bench.write("experiments/rich.toml", crate::runs::RICH);
    let isolated = bench.copy();
    bench.run("run rich").ends(0);
    isolated.run("run rich --isolate").ends(0);
    assert_eq!(bench.results("results"), isolated.results("results"));
    let done = bench.run("verify rich --isolate").ends(0);
    done.shows("reproduced 3 of 3 cells bit for bit");
    bench.run("plan tiny --isolate").ends(0).shows(", about ");
}

#[test]
fn killed_worker_fails_only_its_job() {
    let bench = bench();
    let running = start(&bench);
    kill("-KILL", &running.worker.to_string());
    let done = running.end().ends(3);
    let done = done.says(
        "warning: long: a cell of arm `plain` failed: the worker process ended before it finished: \
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
    let uninterrupted = bench.copy();
    uninterrupted.run("run long").ends(0);
    assert_eq!(bench.results("results"), uninterrupted.results("results"));
}

#[test]
fn ctrl_c_stops_the_worker_too() {
    let bench = bench();
    let running = start(&bench);
    let worker = running.worker;
    // A terminal signals the whole process group.
    kill("-INT", &format!("-{}", running.run.id()));
    running.end().ends(75).says("error: stopped in `long`");
    assert!(!is_alive(worker));
    assert!(!bench.path("results/long/runs.jsonl").exists());
    assert_eq!(bench.text("results/long/.cells.jsonl"), "");
}

#[test]
fn worker_ends_when_its_parent_is_killed() {
    let bench = bench();
    let mut running = start(&bench);
    let worker = running.worker;
    running.run.kill().unwrap();
    running.run.wait().unwrap();
    wait_until("the worker to end", || !is_alive(worker));
}

#[test]
fn invalid_request_is_rejected() {
    let bench = Bench::new();
    let mut command = bench.command("serve");
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"{\"train\":{}}\n").unwrap();
    let done = Done::from(child.wait_with_output().unwrap()).ends(0);
    done.shows("{\"failed\":\"cannot read the request: missing field `job`");
    drop(input);
}
