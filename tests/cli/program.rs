//! Experiments of programs: real processes that train, fail, hang, fork and print too much.
#![cfg(unix)]

use crate::bench::{Bench, Done, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Two arms of a shell script, which gets the seed and the number of its arm.
const SPEC: &str = r#"
title = "Program"
question = "Is the second arm better?"
reading = "It says nothing."
seeds = 8

[program]
command = ["sh", "train.sh", "{seed}", "{args}"]
metrics = { stdout = "jsonl" }
inputs = ["train.sh"]
timeout = "30s"

[metrics.score]
better = "higher"

[[arms]]
name = "low"
args = ["0"]

[[arms]]
name = "high"
args = ["5"]

[[contrasts]]
name = "high-vs-low"
treatment = "high"
control = "low"
expect = "better"
margin = 1.0
"#;

/// A score that depends on the seed and the arm, after each of two epochs.
pub(crate) const SCORES: &str = r#"
seed=$1 arm=$2
for epoch in 1 2; do
  score=$(( (seed * 37 + epoch * 11) % 17 + arm * epoch + (seed + arm) % 3 ))
  echo "{\"epoch\": $epoch, \"score\": $score}"
done
echo "trained $seed"
"#;

/// The part of [`SCORES`] that a script starts with to do `action` for seed 3 of the arm `high`.
pub(crate) fn for_one_cell(action: &str) -> String {
    format!("if [ \"$1 $2\" = '3 5' ]; then {action}; fi\n{SCORES}")
}

fn bench(script: &str) -> Bench {
    let bench = Bench::new();
    bench.write("experiments/program.toml", SPEC);
    bench.write("experiments/train.sh", script);
    bench
}

fn changed(script: &str, from: &str, to: &str) -> Bench {
    assert!(SPEC.contains(from), "{from}");
    let bench = bench(script);
    bench.write("experiments/program.toml", SPEC.replacen(from, to, 1));
    bench
}

/// The only folder of a cell in which a program left the file `name`.
fn left(bench: &Bench, name: &str) -> std::path::PathBuf {
    left_in(bench, "results/program", name)
}

/// [`left`] in the results folder `results`.
pub(crate) fn left_in(bench: &Bench, results: &str, name: &str) -> std::path::PathBuf {
    let cells = fs::read_dir(bench.path(results).join("cells")).unwrap();
    let files = cells.map(|cell| cell.unwrap().path().join(name));
    let mut files = files.filter(|file| file.exists());
    let file = files.next().expect("a file");
    assert_eq!(files.next(), None);
    file
}

pub(crate) fn is_alive(id: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    // A process that nobody has waited for yet is a zombie.
    state.is_ok_and(|state| !state.contains(") Z "))
}

#[test]
fn two_arms_get_a_verdict_and_a_report() {
    let bench = bench(SCORES);
    let done = bench.run("run program").ends(0);
    let done = done.shows("supported: high against low");
    done.says("trained 16 cells");
    let report = bench.text("results/program/report.md");
    assert!(report.contains("| score (units) |"), "{report}");
    assert!(!report.contains("learning rate"), "{report}");
    assert!(report.contains("Program `sh train.sh {seed}`"), "{report}");
    assert!(bench.path("results/program/metrics.svg").exists());
    let records = bench.text("results/program/runs.jsonl");
    let first: serde_json::Value = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!(first["epochs"][1]["metrics"]["score"], 5.0);
    assert_eq!(
        (&first["device"], first.get("learning_rate")),
        (&"cpu".into(), None)
    );
    bench.run("run program").ends(0).says("trained 0 cells");
    bench.run("report --check").ends(0);
    bench
        .run("verify program")
        .ends(0)
        .shows("reproduced 3 of 3 cells bit for bit");
    bench.run("plan program").ends(0).shows("16 recorded");
    let done = bench.run("compare program").ends(2).with_one_error();
    done.says("`ablate compare` compares devices with nets, but this is a program");
}

#[test]
fn changed_input_file_runs_every_cell_again() {
    let bench = bench(SCORES);
    bench.run("run program -q").ends(0);
    bench.write("experiments/train.sh", format!("{SCORES}# A comment.\n"));
    bench.run("run program").ends(0).says("trained 16 cells");
    let moved = SPEC.replace("title = \"Program\"", "title = \"Another title\"");
    bench.write("experiments/program.toml", moved);
    bench.run("run program").ends(0).says("trained 0 cells");
}

#[test]
fn failing_cell_is_recorded_and_retried() {
    let bench = bench(&for_one_cell("echo boom >&2; [ -e fixed ] || exit 7"));
    let done = bench.run("run program").ends(3).says(
        "a cell of arm `high` failed: the program ended with exit status: 7; its last output: boom",
    );
    done.says("1 cell failed");
    assert!(
        bench
            .text("results/program/report.md")
            .contains("leaves out 1 seed")
    );
    bench.write("experiments/fixed", "");
    bench.run("run program").ends(0).says("trained 1 cell");
}

#[test]
fn hanging_cell_is_stopped_with_its_children() {
    let hang = for_one_cell("sleep 600 & echo $! > \"$ABLATE_OUT/child\"; wait");
    let bench = changed(&hang, "30s", "3s");
    let done = bench.run("run program").ends(3);
    done.says("the program was stopped after 3 s, the limit `program.timeout`");
    let child = fs::read_to_string(left(&bench, "child")).unwrap();
    assert!(!is_alive(&child));
}

#[test]
fn process_left_in_the_background_is_ended() {
    let fork = for_one_cell("sleep 600 & echo $! > \"$ABLATE_OUT/child\"");
    let bench = bench(&fork);
    bench.run("run program").ends(0);
    let child = fs::read_to_string(left(&bench, "child")).unwrap();
    assert!(!is_alive(&child));
}

#[cfg(target_os = "linux")]
#[test]
fn process_that_left_its_group_is_ended() {
    let leave = for_one_cell("setsid sleep 600 > /dev/null 2>&1 & echo $! > \"$ABLATE_OUT/child\"");
    let bench = bench(&leave);
    bench.run("run program").ends(0);
    let child = fs::read_to_string(left(&bench, "child")).unwrap();
    wait_until("its end", || !is_alive(&child));
}

#[test]
fn missing_metric_fails_with_what_was_reported() {
    let bench = bench(&SCORES.replace("\\\"score\\\"", "\\\"scroe\\\""));
    bench
        .run("run program")
        .ends(3)
        .says("the program did not report `score`; it reported `scroe`; its last output: trained");
    let nan = SCORES.replace("$score}", "NaN}");
    bench.write("experiments/train.sh", nan);
    let done = bench.run("run program").ends(3);
    done.says("the program reported `score` as `null or NaN` at epoch 1, not as a finite number");
}

#[test]
fn program_that_cannot_start_fails_with_advice() {
    let bench = changed(SCORES, "[\"sh\", ", "[\"./no-such-program\", ");
    let done = bench.run("run program").ends(3);
    done.says("could not be started in `experiments");
}

#[test]
fn much_output_is_cut() {
    let line = "x".repeat(200);
    let print = format!("yes {line} | head -c 100000000; echo; echo the end");
    let bench = changed(
        &format!("{SCORES}\nif [ $1 = 0 ]; then {print}; fi\n"),
        "seeds = 8",
        "seeds = 2",
    );
    bench.run("run program").ends(0);
    let logs = fs::read_dir(bench.path("results/program/cells")).unwrap();
    let logs: Vec<_> = logs
        .map(|cell| cell.unwrap().path().join("ablate-log.gz"))
        .collect();
    let largest = logs
        .iter()
        .max_by_key(|log| fs::metadata(log).unwrap().len())
        .unwrap();
    assert!(fs::metadata(largest).unwrap().len() < 100_000);
    let unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(largest)
        .output()
        .unwrap()
        .stdout;
    let text = String::from_utf8(unpacked).unwrap();
    assert!(text.starts_with("trained 0\nxxx") && text.ends_with("\nthe end\n"));
    assert!(
        text.contains("bytes left out") && text.len() < 1_200_000,
        "{}",
        text.len()
    );
}

#[test]
fn program_that_ignores_its_seed_is_stopped() {
    let bench = bench(&SCORES.replace("seed=$1", "seed=1"));
    let done = bench.run("run program -q").ends(2).with_one_error();
    let done =
        done.says("the seed changes nothing: arm `low` gives the same numbers with seeds 0, 1");
    done.says("pass `{seed}` in `program.command`");
    assert!(!bench.path("results/program/runs.jsonl").exists());
}

#[test]
fn program_that_is_not_deterministic_is_compared_unpaired() {
    let noisy = SCORES.replace(
        "score=$((",
        "noise=$(od -An -N3 -tu4 /dev/urandom); score=$(( noise % 997 +",
    );
    let bench = bench(&noisy);
    let done = bench.run("run program").ends(0);
    done.says("warning: program: The program is not deterministic: arm `low` gave score");
    let summary = bench.text("results/program/summary.json");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let check: serde_json::Value =
        serde_json::from_str(&bench.text("results/program/seeds.json")).unwrap();
    let value = |name: &str| check["values"][0][name].as_f64().unwrap();
    let (noise, spread) = (
        value("first") - value("again"),
        value("first") - value("other"),
    );
    let paired = noise.abs() <= 0.5 * spread.abs();
    // Absent stands for paired.
    assert_eq!(
        summary["contrasts"][0]["paired"].is_null(),
        paired,
        "{check}"
    );
    assert!(
        bench
            .text("results/program/report.md")
            .contains("is not deterministic")
    );
    let always = SPEC.replace("timeout =", "paired = false\ntimeout =");
    bench.write("experiments/program.toml", always);
    bench.run("report program").ends(0);
    assert!(
        bench
            .text("results/program/summary.json")
            .contains("\"paired\": false")
    );
}

/// A script that waits in one cell until the file `go` exists.
fn waiting() -> String {
    for_one_cell("echo $$ > \"$ABLATE_OUT/id\"; while [ ! -e go ]; do sleep 0.05; done")
}

/// Starts a run that finishes all cells but one.
fn start(bench: &Bench) -> std::process::Child {
    let mut run = bench.start("run program -q --jobs 2");
    let journal = bench.path("results/program/.cells.jsonl");
    wait_until("15 records", || {
        assert_eq!(run.try_wait().unwrap(), None, "the run ended too early");
        fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 15)
    });
    run
}

#[test]
fn killed_run_continues_to_the_same_results() {
    let bench = bench(&waiting());
    let mut run = start(&bench);
    run.kill().unwrap();
    run.wait().unwrap();
    let orphan = fs::read_to_string(left(&bench, "id")).unwrap();
    assert!(is_alive(&orphan));
    bench.write("experiments/go", "");
    bench.run("run program").ends(0).says("trained 1 cell");
    wait_until("the end of the orphan", || !is_alive(&orphan));
    let uninterrupted = bench.copy();
    uninterrupted.run("run program").ends(0);
    let of = |bench: &Bench| {
        let mut files = bench.results("results");
        files.retain(|name, _| !name.contains("cells/"));
        files
    };
    assert_eq!(of(&bench), of(&uninterrupted));
}

#[test]
fn ctrl_c_ends_the_programs_too() {
    let bench = bench(&waiting());
    let run = start(&bench);
    let id = fs::read_to_string(left(&bench, "id")).unwrap();
    assert!(is_alive(&id));
    let mut kill = Command::new("kill");
    assert!(
        kill.args(["-INT", &run.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    Done::from(run.wait_with_output().unwrap())
        .ends(75)
        .says("stopped in `program`");
    assert!(!is_alive(&id));
}

#[test]
fn unknown_placeholder_is_reported_with_line_and_nearest_name() {
    let bench = changed(SCORES, "\"{seed}\"", "\"{sed}\"");
    let done = bench.run("check program").ends(2);
    done.says("program.toml:8: `program.command[2]` has `{sed}`, which has no value; did you mean `{seed}`?");
    let bench = changed(SCORES, "\"{seed}\"", "\"{set.size}\"");
    let done = bench.run("check program").ends(2);
    done.says("give it to arm `low` with `set.size`, or to all arms in `[set]`");
    let bench = changed(SCORES, "\"{seed}\"", "\"{learning_rate}\"");
    bench
        .run("check program")
        .ends(2)
        .says("there is no `program.learning_rate`");
}

#[test]
fn learning_rate_is_chosen_by_the_named_metric() {
    // The rate 0.1 is best on validation, 0.2 on the test.
    let script = r#"
rate=$3
case $rate in 0.1) echo "{\"val\": $1, \"score\": $2}";; *) echo "{\"val\": -9, \"score\": 99}";; esac
"#;
    let rates =
        "\"{args}\", \"{learning_rate}\"]\nlearning_rate = [0.1, 0.2]\nvalidation = \"val\"";
    let bench = changed(script, "\"{args}\"]", rates);
    let spec = bench.text("experiments/program.toml");
    let declared = spec.replace(
        "[metrics.score]",
        "[metrics.val]\nbetter = \"higher\"\n\n[metrics.score]",
    );
    let declared = declared.replace("margin = 1.0", "margin = 1.0\nmetric = \"score\"");
    bench.write("experiments/program.toml", declared);
    bench.run("run program").ends(0).says("trained 32 cells");
    let report = bench.text("results/program/report.md");
    assert!(report.contains("## Learning rates"), "{report}");
    let row = report
        .lines()
        .find(|line| line.starts_with("| `high` |"))
        .unwrap();
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    assert!(
        cells.contains(&"0.1") && cells.contains(&"5.0000 ± 0.0000"),
        "{row}"
    );
}

#[test]
fn factors_set_values_and_regular_expressions_find_metrics() {
    let bench = Bench::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/program");
    let spec = examples.join("sampling.toml");
    let arguments = format!("run {} --seeds 6 --results out", spec.display());
    bench.run(&arguments).ends(0).says("trained 24 cells");
    let report = bench.text("out/sampling@seeds=6/report.md");
    assert!(report.contains("| `strata-draws-100` |"), "{report}");
    assert!(report.contains("absolute error (units)"), "{report}");
}

#[test]
fn python_example_gets_a_verdict() {
    let bench = Bench::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/program");
    let spec = examples.join("label-smoothing.toml");
    let arguments = format!("run {} --seeds 3 --results out", spec.display());
    let done = bench.run(&arguments).ends(0).says("trained 6 cells");
    done.shows("smoothing 0.2 against hard labels");
    let report = bench.text("out/label-smoothing@seeds=3/report.md");
    assert!(report.contains("test accuracy (%)") && report.contains("test NLL (nats)"));
}

#[test]
fn rows_of_a_csv_file_are_ordered_by_epoch() {
    let script = r#"
printf 'epoch,eval_top1\n2,%d.5\n0,%d\n1,%d\n' $1 $1 $1 > "$3/summary.csv"
"#;
    let bench = changed(
        script,
        "{ stdout = \"jsonl\" }",
        "{ file = \"{out}/summary.csv\" }",
    );
    let spec = bench.text("experiments/program.toml");
    let spec = spec
        .replace("\"{args}\"]", "\"{args}\", \"{out}\"]")
        .replace("[metrics.score]", "[metrics.eval_top1]\nunit = \"points\"");
    bench.write("experiments/program.toml", spec);
    bench.run("run program -q").ends(0);
    let records = bench.text("results/program/runs.jsonl");
    let second: serde_json::Value = serde_json::from_str(records.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["epochs"][2]["metrics"]["eval_top1"], 1.5);
    bench.write("experiments/train.sh", "echo no file\n");
    bench
        .run("run program")
        .ends(3)
        .says("the program left no metrics in `");
}
