//! `ablate run`.

use crate::bench::Bench;
use crate::reports::without_checksums;
use std::process::Stdio;

const FILES: [&str; 13] = [
    "README.md",
    "SHA256SUMS",
    "index.html",
    "tiny/SHA256SUMS",
    "tiny/curves.svg",
    "tiny/differences.svg",
    "tiny/provenance.json",
    "tiny/report.html",
    "tiny/report.md",
    "tiny/runs.jsonl",
    "tiny/settling.svg",
    "tiny/spec.resolved.toml",
    "tiny/summary.json",
];

/// A spec with batch norm, a convolution, probes and a grid, all of which could depend on stacking.
pub(crate) const RICH: &str = r#"
title = "Rich"
question = "Do stacks and threads change numbers?"
reading = "They must not."
seeds = 3
probes = ["train_test_gap", "saturation"]

[data]
name = "digits"
subset = 256

[model]
kind = "mlp"
hidden = [48, 24]
block.norm.kind = "batch"
block.dropout.rate = 0.2

[train]
epochs = 2
batch_size = 32
learning_rate = [0.003, 0.03]

[[arms]]
name = "mlp"

[[arms]]
name = "sgd"
set.train.optimizer = { kind = "sgd", momentum = 0.9 }

[[arms]]
name = "cnn"
set.model = { kind = "cnn", channels = [6, 8], dense = [12], block.norm.kind = "batch" }
"#;

#[test]
fn no_verb_runs_the_standard_suite() {
    let bench = Bench::new();
    let done = bench.run("").ends(0);
    let done = done
        .shows("tiny: Does it run?")
        .shows("undecided: dropout against plain");
    done.shows("95 % interval").says("trained 6 cells");
    let files: Vec<String> = bench.files("results").into_keys().collect();
    assert_eq!(files, FILES);
}

#[test]
fn second_run_trains_nothing_and_changes_no_file() {
    let bench = Bench::new();
    bench.run("run tiny").ends(0);
    let before = bench.files("results");
    let second = bench.run("run tiny").ends(0);
    second.says("trained 0 cells").shows("tiny: Does it run?");
    assert_eq!(bench.files("results"), before);
}

#[test]
fn fresh_run_and_fresh_clone_reproduce_the_bytes() {
    let bench = Bench::new();
    bench.run("run tiny").ends(0);
    let before = bench.results("results");
    let fresh = bench.run("run tiny --fresh").ends(0);
    fresh.says("reproduced 6 of 6 cells bit for bit");
    assert_eq!(bench.results("results"), before);

    std::fs::remove_file(bench.path("results/tiny/.cells.jsonl")).unwrap();
    let cloned = bench.run("run tiny").ends(0);
    let cloned = cloned.says("reproduced 6 of 6 cells bit for bit");
    cloned.says("`--adopt` reuses them instead");
    assert_eq!(bench.results("results"), before);

    std::fs::remove_file(bench.path("results/tiny/.cells.jsonl")).unwrap();
    let adopted = bench.run("run tiny --adopt").ends(0);
    adopted.says("trained 0 cells in").says("reused 6");
    assert_eq!(bench.results("results"), before);
}

#[test]
fn difference_from_committed_records_is_printed() {
    let bench = Bench::new();
    bench.run("run tiny").ends(0);
    std::fs::remove_file(bench.path("results/tiny/.cells.jsonl")).unwrap();
    let text = bench.text("results/tiny/runs.jsonl");
    let (_, accuracy) = text.split_once("\"accuracy\":").unwrap();
    let (accuracy, _) = accuracy.split_once(',').unwrap();
    let changed = text.replacen(&format!("\"accuracy\":{accuracy}"), "\"accuracy\":1.5", 1);
    assert_ne!(changed, text);
    bench.write("results/tiny/runs.jsonl", without_checksums(&changed));
    let done = bench.run("run tiny").ends(0);
    done.says("reproduced 5 of 6 cells bit for bit; the largest difference");
    assert_eq!(bench.text("results/tiny/runs.jsonl"), text);
}

#[test]
fn jobs_stacks_and_threads_do_not_change_the_bytes() {
    let bench = Bench::new();
    bench.write("experiments/rich.toml", RICH);
    bench
        .run("run rich --results one/out --jobs 1 --replicas 1")
        .ends(0);
    bench
        .run("run rich --results two/out --jobs 2 --replicas 32")
        .ends(0);
    let mut alone = bench.command("run rich --results three/out --jobs 1 --replicas 4");
    let alone = alone.env("RAYON_NUM_THREADS", "1").output().unwrap();
    assert!(alone.status.success());
    let one = bench.results("one/out");
    assert!(!one["rich/runs.jsonl"].is_empty());
    assert_eq!(one, bench.results("two/out"));
    assert_eq!(one, bench.results("three/out"));
}

#[test]
fn changed_experiments_do_not_write_to_results() {
    let bench = Bench::new();
    let done = bench.run("run tiny --set train.epochs=1 --seeds 2").ends(0);
    done.says("writing results to `ablate-results`")
        .says("trained 4 cells");
    bench.run("run tiny --device ndarray").ends(0);
    bench.write("mine/own.toml", crate::bench::TINY);
    bench.run("run mine/own.toml").ends(0);
    assert!(!bench.path("results").exists());
    assert!(bench.path("ablate-results/own/runs.jsonl").exists());
    bench.run("run tiny --seeds 2 --results chosen").ends(0);
    assert!(bench.path("chosen/tiny@seeds=2/report.md").exists());
}

#[test]
fn changed_spec_reuses_unchanged_cells() {
    let bench = Bench::new();
    bench.run("run tiny").ends(0);
    bench.change_tiny("rate = 0.3", "rate = 0.4");
    let done = bench.run("run tiny").ends(0);
    done.says("trained 3 cells").says("reused 3");
    bench.change_tiny("rate = 0.3", "rate = 0.3");
    bench.run("run tiny").ends(0).says("trained 0 cells");
}

#[test]
fn experiments_are_selected_by_suite_path_and_all() {
    let bench = Bench::new();
    bench.write(
        "experiments/other.toml",
        crate::bench::TINY.replace("\"quick\"", "\"slow\""),
    );
    let names = |arguments: &str| {
        let done = bench
            .run(&format!("list --format json {arguments}"))
            .ends(0);
        let rows: serde_json::Value = serde_json::from_str(&done.out).unwrap();
        let rows = rows.as_array().unwrap().iter();
        let names: Vec<&str> = rows
            .clone()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        names.join(" ")
    };
    assert_eq!(names(""), "other tiny");
    assert_eq!(names("all"), "other tiny");
    assert_eq!(names("quick"), "tiny");
    assert_eq!(names("tiny standard"), "tiny other");
    assert_eq!(names("experiments/tiny.toml slow"), "tiny other");
}

#[test]
fn run_ends_with_the_answers_to_its_claims() {
    let bench = Bench::new();
    bench.write("experiments/other.toml", crate::bench::TINY);
    bench.write("experiments/claims.toml", crate::reports::CLAIMS);
    bench.change_tiny(
        "question = \"Does it run?\"",
        "question = \"Does it run?\"\nclaim = \"C1\"\nsentence = \"It helps\"",
    );
    let done = bench.run("run all -q").ends(0);
    let warns = |line: &str| line.starts_with("warning: ") && line.contains("may stay undecided");
    assert!(done.err.lines().all(warns), "{done:#?}");
    let done = done.shows("tiny: ").shows("other: ");
    let (_, table) = done.out.split_once("\nclaim ").expect("a table of claims");
    assert!(table.contains("C1 It helps"), "{table}");
    assert!(!table.contains("C2"), "{table}");
    assert!(
        bench
            .text("results/README.md")
            .contains("(other/report.md)")
    );
}

#[test]
fn all_skips_the_smoke_test() {
    let bench = Bench::new();
    let smoke = crate::bench::TINY.replace("[\"standard\", \"quick\"]", "[\"smoke\"]");
    bench.write("experiments/other.toml", &smoke);
    let planned = |arguments: &str| {
        let done = bench.run(&format!("plan --no-time --format json {arguments}"));
        let rows: serde_json::Value = serde_json::from_str(&done.ends(0).out).unwrap();
        rows.as_array().unwrap().len()
    };
    assert_eq!(planned("all"), 1);
    assert_eq!(planned("all smoke"), 2);
    assert_eq!(planned("all other"), 2);
    assert_eq!(planned("smoke"), 1);
}

#[test]
fn closed_standard_output_is_not_an_error() {
    let bench = Bench::new();
    for arguments in ["run tiny", "list", "completions bash", "--help"] {
        let mut child = bench
            .command(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let done = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(!err.contains("panicked"), "{arguments}: {err}");
        assert_eq!(done.status.code(), Some(0), "{arguments}: {err}");
    }
    assert!(bench.path("results/tiny/report.md").exists());
}

#[test]
fn environment_selects_the_device() {
    let bench = Bench::new();
    let run = |device: &str, name: &str| {
        let mut command = bench.command("run tiny --results out");
        let done = command.env("ABLATE_DEVICE", device).output().unwrap();
        assert!(done.status.success());
        bench.text(&format!("out/{name}/runs.jsonl"))
    };
    assert!(run("ndarray", "tiny@device=ndarray").contains("\"device\":\"ndarray\""));
    assert!(run("", "tiny").contains("\"device\":\"flex\""));
}
