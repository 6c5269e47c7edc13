//! Several processes on one results folder: `run`, `worker`, `status`, `submit`.

use crate::bench::{Bench, Done, wait_until};
use std::fs;
use std::path::Path;
use std::process::Child;

/// A program with 20 cells of a moment each; with `fails`, one of them fails.
fn bench(fails: bool) -> Bench {
    let bench = Bench::new();
    let fault = match fails {
        true => "[ $1$2 != 33 ] || exit 1; ",
        false => "",
    };
    let experiment = include_str!("../cluster/experiment.toml")
        .replace("seeds = 20", "seeds = 10")
        .replace(
            "[\"sh\", \"program.sh\", ",
            &format!("[\"sh\", \"-c\", '''{fault}{PROGRAM}''', \"sh\", "),
        )
        .replace("inputs = [\"program.sh\"]\n", "");
    fs::write(bench.path("mine.toml"), experiment).unwrap();
    bench
}

const PROGRAM: &str = r#"sleep 0.05; echo "{\"accuracy\": 0.9$(( ($1 * 7 + $2 * $1) % 10 ))}""#;

fn run_with(bench: &Bench, arguments: &str, variables: &[(&str, &str)]) -> Done {
    let mut command = bench.command(arguments);
    command.envs(variables.iter().copied());
    command.output().unwrap().into()
}

fn end(child: Child) -> Done {
    Done::from(child.wait_with_output().unwrap())
}

/// The records of a run alone.
fn alone(bench: &Bench, code: i32) -> Vec<u8> {
    bench.run("run mine.toml -q --results alone").ends(code);
    fs::read(bench.path("alone/mine/runs.jsonl")).unwrap()
}

fn records(bench: &Bench, results: &str) -> Vec<u8> {
    fs::read(bench.path(&format!("{results}/mine/runs.jsonl"))).unwrap()
}

fn share_is_gone(folder: &Path) {
    assert!(!folder.join(".share").exists());
}

#[test]
fn runs_and_workers_share_and_one_may_be_killed() {
    let bench = bench(false);
    let expected = alone(&bench, 0);
    let start =
        |command: &str| bench.start(&format!("{command} mine.toml --jobs 1 --results many"));
    let first = start("run");
    wait_until("the first run", || bench.path("many/mine/.share").exists());
    let (second, third, mut victim) = (start("run"), start("worker"), start("worker"));
    let parts = || {
        let files = fs::read_dir(bench.path("many/mine/.share"))
            .into_iter()
            .flatten();
        let files = files.filter_map(|file| file.ok().map(|file| file.path()));
        let journals = files.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
        journals
            .filter(|path| fs::metadata(path).is_ok_and(|m| m.len() > 0))
            .count()
    };
    wait_until("records of guests", || parts() >= 2);
    victim.kill().unwrap();
    victim.wait().unwrap();
    end(third).ends(0).says("trained here");
    // Either run may own the folder: both check the seeds first.
    let said = end(first).ends(0).err + &end(second).ends(0).err;
    assert!(said.contains("sharing its cells"), "{said}");
    bench.run("report mine.toml --results many").ends(0);
    assert_eq!(records(&bench, "many"), expected);
    share_is_gone(&bench.path("many/mine"));
    bench.run("fsck many").ends(0);
}

#[test]
fn shares_of_workers_add_up_and_the_report_takes_them_in() {
    let bench = bench(true);
    let expected = alone(&bench, 3);
    let worker = "worker mine.toml --results many --jobs 1";
    // Share 1 of 2 has the failing cell or not; together they have it once.
    let codes = [0, 1].map(|index| {
        let done = bench.run(&format!("{worker} --index {index} --of 2"));
        done.says("cells trained here").code
    });
    assert!(
        codes.contains(&Some(3)) && codes.contains(&Some(0)),
        "{codes:?}"
    );
    let status = bench.run("status mine.toml --results many").ends(0);
    status
        .shows("mine: 19 of 20 cells done, 0 running, 1 failed, 0 missing")
        .shows("failed: arm `b`, seed 3");
    assert!(!bench.path("many/mine/runs.jsonl").exists());
    bench.run("report mine.toml --results many").ends(0);
    assert_eq!(records(&bench, "many"), expected);
    share_is_gone(&bench.path("many/mine"));
    bench.run("report mine.toml --check --results many").ends(0);
}

#[test]
fn number_of_a_task_comes_from_its_queue() {
    let bench = bench(false);
    let worker = "worker mine.toml --results many --jobs 1 --of 4";
    bench.run(worker).ends(2).says("which share?");
    for variables in [
        vec![("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "1")],
        vec![("HQ_TASK_ID", "1")],
        vec![("PBS_ARRAY_INDEX", "2")],
        vec![("JOB_COMPLETION_INDEX", "3")],
    ] {
        // Cells of the check of the seeds count for the first one.
        run_with(&bench, worker, &variables)
            .ends(0)
            .says("cells trained here");
    }
    bench
        .run("status mine.toml --results many")
        .shows("20 of 20 cells done");
    run_with(&bench, worker, &[("HQ_TASK_ID", "4")])
        .ends(2)
        .says("no share 4 of 4");
    run_with(&bench, worker, &[("HQ_TASK_ID", "x")])
        .ends(2)
        .says("`HQ_TASK_ID` is `x`");
    bench.run("worker").ends(2).says("which experiment?");
    bench
        .run("worker mine.toml --index 1")
        .ends(2)
        .says("`--of N`");
}

#[test]
fn unfinished_work_keeps_the_report_waiting() {
    let bench = bench(false);
    bench
        .run("worker mine.toml --results many --jobs 1 --index 0 --of 2")
        .ends(0)
        .says("cells are missing");
    let done = bench.run("report mine.toml --results many");
    done.says("some cells have no record yet");
    let status = bench
        .run("status mine.toml --results many --format json")
        .ends(0);
    let json: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    let count = |key: &str| json[0][key].as_u64().unwrap();
    assert_eq!(count("done") + count("missing"), 20);
    assert!(count("done") >= 10 && count("missing") > 0, "{json}");
    // Nothing that workers recorded is lost.
    bench.run("run mine.toml -q --results many").ends(0);
    let expected = alone(&bench, 0);
    assert_eq!(records(&bench, "many"), expected);
}

#[test]
fn dry_run_of_a_submission_writes_nothing() {
    let bench = bench(false);
    let mut done = bench
        .run("submit slurm mine.toml --results many --dry-run --cells-per-task 3 --time 1:00:00 --gpus 1")
        .ends(0);
    for text in [
        "# mine: 20 cells in 7 tasks",
        "#SBATCH --array=0-6",
        "#SBATCH --time=1:00:00",
        "#SBATCH --gpus-per-task=1",
        "--dependency=afterany:JOB",
    ] {
        done = done.shows(text);
    }
    let done = bench
        .run("submit hyperqueue mine.toml --results many --dry-run --cpus 2")
        .ends(0);
    done.shows("# mine: 20 cells in 20 tasks")
        .shows("submit --from-json");
    assert!(!bench.path("many").exists());
    let net = bench.run("submit slurm tiny --results many --dry-run --gpus 1");
    net.ends(0)
        .says("every task gets 1 GPU, but trains on `flex`, a CPU; add `--device cuda`");
    run_with(
        &bench,
        "submit slurm mine.toml --results many",
        &[("PATH", "/nowhere")],
    )
    .ends(5)
    .says("Slurm must be installed");
}

#[test]
fn worker_names_its_device_and_status_finds_the_variant_of_a_device() {
    let bench = Bench::new();
    let ours = "tiny --device ndarray --results many";
    bench
        .run(&format!("worker {ours}"))
        .ends(0)
        .says("device `ndarray`: ");
    bench
        .run(&format!("status {ours}"))
        .ends(0)
        .shows("tiny@device=ndarray: 6 of 6 cells done");
    bench
        .run("status tiny --results many")
        .ends(0)
        .shows("tiny: 0 of 6 cells done");
}

#[test]
fn lease_must_be_a_number_of_seconds() {
    let bench = bench(false);
    let done = run_with(
        &bench,
        "run mine.toml -q",
        &[("ABLATE_LEASE_SECONDS", "soon")],
    );
    done.ends(2).says("`ABLATE_LEASE_SECONDS` is `soon`");
}
