//! Studies from the command line: real programs, as in `program`, without an experiment file.
#![cfg(unix)]

use crate::bench::{Bench, Done, wait_until};
use crate::program::{SCORES, for_one_cell, is_alive, left_in};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Two arms of the shell script `train.sh`.
const ASK: [&str; 11] = [
    "vs",
    "--arm",
    "low=sh train.sh {seed} 0",
    "--arm",
    "high=sh train.sh {seed} 5",
    "--metric",
    "score>",
    "--margin",
    "1.0",
    "--expect",
    "better",
];

/// Its results folder.
const RESULTS: &str = "ablate-results/high-vs-low";

fn bench(script: &str) -> Bench {
    let bench = Bench::new();
    bench.write("train.sh", script);
    bench
}

fn command(bench: &Bench, more: &[&str]) -> Command {
    bench.command_of(
        ASK.into_iter()
            .chain(["--seeds", "8"])
            .chain(more.iter().copied()),
    )
}

fn ask(bench: &Bench, more: &[&str]) -> Done {
    command(bench, more).output().unwrap().into()
}

fn run(bench: &Bench, arguments: &[&str]) -> Done {
    bench
        .command_of(arguments.iter().copied())
        .output()
        .unwrap()
        .into()
}

#[test]
fn shell_script_gets_a_verdict_and_a_report() {
    let bench = bench(SCORES);
    let done = ask(&bench, &[])
        .ends(0)
        .shows("supported: high against low");
    let done = done.shows("high-vs-low: Is high better than low in score?");
    done.shows("8 pairs").says("trained 16 cells");
    let report = bench.text(&format!("{RESULTS}/report.md"));
    let command = format!("`ablate run {RESULTS}/spec.resolved.toml`");
    assert!(report.contains(&command), "{report}");
    let again = format!("run {RESULTS}/spec.resolved.toml");
    bench.run(&again).ends(0).says("trained 0 cells");
    bench
        .run(&format!("show {RESULTS}"))
        .ends(0)
        .shows("supported");
    assert!(report.contains("# high against low"), "{report}");
    assert!(report.contains("Program `sh train.sh {seed}`"), "{report}");
    ask(&bench, &[]).ends(0).says("trained 0 cells");
    bench.write("train.sh", format!("{SCORES}# A comment.\n"));
    ask(&bench, &[]).ends(0).says("trained 16 cells");
}

#[test]
fn saved_study_has_the_same_cells() {
    let bench = bench(SCORES);
    ask(&bench, &[]).ends(0).says("trained 16 cells");
    for folder in ["", "studies/deep/", "experiments/"] {
        fs::create_dir_all(bench.path(&format!("./{folder}"))).unwrap();
        let file = format!("{folder}high-vs-low.toml");
        ask(&bench, &["--save", &file])
            .ends(0)
            .says("trained 0 cells");
        run(&bench, &["check", &format!("./{file}")]).ends(0);
        let results = ["run", &format!("./{file}"), "--results", "ablate-results"];
        run(&bench, &results).ends(0).says("trained 0 cells");
        ask(&bench, &["--save", &file]).ends(0);
        // Two files of one name do not share a results folder.
        fs::rename(bench.path(&file), bench.path("moved.toml")).unwrap();
    }
    fs::rename(bench.path("moved.toml"), bench.path("high-vs-low.toml")).unwrap();
    let done = ask(&bench, &["--save", "high-vs-low.toml", "--timeout", "9s"]).ends(2);
    done.with_one_error()
        .says("`high-vs-low.toml` exists and describes something else");
}

#[test]
fn dry_run_shows_the_plan_and_runs_nothing() {
    let bench = bench(SCORES);
    let done = ask(&bench, &["--dry-run"])
        .ends(0)
        .shows("16 cells (2 arms, 8 seeds)");
    done.shows("total: 16 cells to train");
    assert!(!bench.path("ablate-results").exists());
    ask(&bench, &["-q"]).ends(0);
    ask(&bench, &["--dry-run"]).ends(0).shows("16 recorded");
}

#[test]
fn python_script_is_compared_in_two_metrics() {
    let bench = Bench::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/program/train.py");
    let plain = format!("python3 '{}' --seed {{seed}} --epochs 10", script.display());
    let smoothing = format!("{plain} --smoothing 0.2");
    let done = run(
        &bench,
        &[
            "vs",
            "--arm",
            &format!("hard={plain}"),
            "--arm",
            &format!("smooth={smoothing}"),
            "--metric",
            "test_nll<",
            "--unit",
            "nats",
            "--margin",
            "0.05",
            "--metric",
            "test_accuracy>",
            "--from",
            "test_accuracy=share",
            "--margin",
            "test_accuracy=1",
            "--seeds",
            "3-5",
            "--results",
            "out",
        ],
    );
    done.ends(0)
        .shows("smooth against hard")
        .says("trained 6 cells");
    let report = bench.text("out/smooth-vs-hard/report.md");
    assert!(report.contains("test accuracy (%)") && report.contains("test nll (nats)"));
    assert!(
        report.contains("`smooth-vs-hard-1-test-accuracy`"),
        "{report}"
    );
}

#[test]
fn compiled_program_is_compared() {
    let bench = Bench::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/program/walk.rs");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "-o"])
        .arg(bench.path("walk"))
        .arg(source)
        .status();
    assert!(compiled.unwrap().success());
    let ask = [
        "vs",
        "--arm",
        "./walk {seed} 0",
        "--arm",
        "./walk {seed} 0.3",
        "--metric",
        "distance>",
        "--margin",
        "1",
    ];
    let saved = [&ask[..], &["--save", "walk.toml"]].concat();
    let done = run(&bench, &saved)
        .ends(0)
        .shows("0.3 against 0")
        .says("trained 20 cells");
    done.shows("10 pairs");
    run(&bench, &["run", "./walk.toml"])
        .ends(0)
        .says("trained 0 cells");
    run(&bench, &["verify", "./walk.toml"])
        .ends(0)
        .shows("reproduced 3 of 3 cells");
    let named = [&ask[..], &["--name", "walk"]].concat();
    run(&bench, &named).ends(0).says("trained 0 cells");
}

#[test]
fn killed_study_continues_to_the_same_results() {
    let wait = "echo $$ > \"$ABLATE_OUT/id\"; while [ ! -e go ]; do sleep 0.05; done";
    let bench = bench(&for_one_cell(wait));
    let mut started = command(&bench, &["-q", "--jobs", "2"]).spawn().unwrap();
    let journal = bench.path(RESULTS).join(".cells.jsonl");
    wait_until("15 records", || {
        assert_eq!(started.try_wait().unwrap(), None, "the run ended too early");
        fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() == 15)
    });
    started.kill().unwrap();
    started.wait().unwrap();
    let orphan = fs::read_to_string(left_in(&bench, RESULTS, "id")).unwrap();
    bench.write("go", "");
    ask(&bench, &[]).ends(0).says("trained 1 cell");
    wait_until("the end of the orphan", || !is_alive(&orphan));
    // Reports name the results folder, and resolved files the way from it.
    let other = "uninterrupted/ablate-results";
    ask(&bench, &["--results", other])
        .ends(0)
        .says("trained 16 cells");
    let of = |folder: &str| {
        let mut files = bench.results(folder);
        let differs = ["spec.resolved.toml", "SHA256SUMS"];
        files.retain(|name, _| {
            !name.contains("cells/") && !differs.iter().any(|end| name.ends_with(end))
        });
        files
    };
    assert!(of("ablate-results") == of(other));
}

#[test]
fn failing_seed_withholds_the_verdict_and_is_retried() {
    let bench = bench(&for_one_cell("echo boom >&2; [ -e fixed ] || exit 7"));
    let done = ask(&bench, &[]).ends(3);
    let done = done.says("failed: the program ended with exit status: 7; its last output: boom");
    done.shows("withheld: 1 of 16 cells failed; run again");
    bench.write("fixed", "");
    ask(&bench, &[])
        .ends(0)
        .says("trained 1 cell")
        .shows("supported");
}

#[test]
fn hanging_seed_is_stopped_with_its_children() {
    let bench = bench(&for_one_cell(
        "sleep 600 & echo $! > \"$ABLATE_OUT/child\"; wait",
    ));
    let done = ask(&bench, &["--timeout", "2s"]).ends(3);
    done.says("the program was stopped after 2 s, the limit `program.timeout`");
    let child = fs::read_to_string(left_in(&bench, RESULTS, "child")).unwrap();
    assert!(!is_alive(&child));
}

#[test]
fn fork_in_the_background_is_ended() {
    let bench = bench(&for_one_cell("sleep 600 & echo $! > \"$ABLATE_OUT/child\""));
    ask(&bench, &["-q"]).ends(0);
    let child = fs::read_to_string(left_in(&bench, RESULTS, "child")).unwrap();
    assert!(!is_alive(&child));
}

#[test]
fn missing_metric_fails_with_what_was_reported() {
    let bench = bench(&SCORES.replace("\\\"score\\\"", "\\\"scroe\\\""));
    let done = ask(&bench, &[]).ends(3);
    done.says("the program did not report `score`; it reported `scroe`");
}

#[test]
fn output_of_100_mb_is_cut() {
    let print = "yes 'a line of text that says nothing' | head -c 100000000; echo; echo the end";
    let bench = bench(&format!("{SCORES}\nif [ $1 = 1 ]; then {print}; fi\n"));
    let done = run(&bench, &[&ASK[..], &["--seeds", "2", "-q"]].concat());
    done.ends(0);
    for cell in fs::read_dir(bench.path(RESULTS).join("cells")).unwrap() {
        let log = cell.unwrap().path().join("ablate-log.gz");
        assert!(fs::metadata(log).unwrap().len() < 100_000);
    }
}

#[test]
fn program_that_ignores_its_seed_is_stopped() {
    let bench = bench(&SCORES.replace("seed=$1", "seed=1"));
    let done = ask(&bench, &["-q"]).ends(2).with_one_error();
    done.says(
        "the seed changes nothing: arm `low` gives the same numbers with seeds 0, 1, 2, 3, 4,",
    );
}

#[test]
fn scores_that_agree_by_chance_are_not_taken_for_an_ignored_seed() {
    let bench = bench(&SCORES.replace("seed=$1", "seed=$(( $1 < 3 ? 1 : $1 ))"));
    ask(&bench, &["-q"]).ends(0);
}

#[test]
fn text_without_a_pattern_stops_at_once_and_names_the_pattern() {
    let bench = bench("echo \"Score: 0.$1$2\"");
    let done = ask(&bench, &[]).ends(3).with_one_error();
    done.says("seeds 0 and 1, so nothing else was run: the program did not report `score`")
        .says(r"`ablate vs --regex 'score=Score\s*:\s*([-+.\deE]+)'`");
    let pattern = r"score=Score\s*:\s*([-+.\deE]+)";
    ask(&bench, &["--regex", pattern]).ends(0);
}

#[test]
fn program_that_is_not_deterministic_is_named() {
    let noise = "noise=$(od -An -N3 -tu4 /dev/urandom); score=$(( noise % 997 +";
    let bench = bench(&SCORES.replace("score=$((", noise));
    let done = ask(&bench, &[]).ends(0);
    done.says("The program is not deterministic: arm `low` gave score");
    let done = ask(&bench, &["--paired", "false"])
        .ends(0)
        .says("trained 0 cells");
    done.shows("8 independent seeds");
}

#[test]
fn hits_and_total_in_text_are_a_percentage() {
    let script = r#"
hits=$(( 9000 + $1 * 37 % 101 + $2 * 10 ))
echo "Test set: Average loss: 0.0272, Accuracy: $hits/10000 (99%)"
"#;
    let bench = bench(script);
    let text = [
        "--regex",
        r"accuracy=Accuracy: (\d+)/(\d+)",
        "--metric",
        "accuracy>",
        "--margin",
        "0.1",
        "--seeds",
        "8",
    ];
    run(&bench, &[&ASK[..5], &text].concat())
        .ends(0)
        .shows("accuracy: +0.5");
}

#[test]
fn losses_in_text_are_ordered_by_step() {
    // The lines of later steps come first.
    let script = r#"
for step in 500 250 0; do
  echo "step $step train loss: 2.1 test loss: $(( 9 - step / 100 - $2 / 5 )).$(( $1 * 3 % 10 ))"
done
"#;
    let bench = bench(script);
    let text = [
        "--regex",
        r"loss=test loss: ([\d.]+)",
        "--regex",
        r"step=step (\d+)",
        "--metric",
        "loss<",
        "--unit",
        "nats",
        "--margin",
        "0.1",
        "--seeds",
        "8",
    ];
    run(&bench, &[&ASK[..5], &text].concat())
        .ends(0)
        .shows("loss: +1.0");
    let records = bench.text(&format!("{RESULTS}/runs.jsonl"));
    let second: serde_json::Value = serde_json::from_str(records.lines().nth(1).unwrap()).unwrap();
    assert_eq!(second["epochs"][2]["metrics"]["loss"], 4.3);
    assert_eq!(second["epochs"][2]["step"], 500);
}

#[test]
fn last_epoch_decides_in_a_table_sorted_by_metric() {
    let script = r#"
printf 'epoch,train_loss,eval_top1\n1,0.3,9%d.5\n2,0.1,%d\n0,0.9,1.0\n' $1 $(( $1 + $2 )) > "$3/summary.csv"
"#;
    let bench = bench(script);
    let done = run(
        &bench,
        &[
            "vs",
            "--arm",
            "low=sh train.sh {seed} 0 {out}",
            "--arm",
            "high=sh train.sh {seed} 5 {out}",
            "--csv",
            "{out}/summary.csv",
            "--metric",
            "eval_top1>",
            "--from",
            "percent",
            "--margin",
            "1",
        ],
    );
    done.ends(0).shows("eval top1: +5.0");
}

#[test]
fn mistakes_are_told_in_terms_of_the_options() {
    let bench = bench(SCORES);
    for (arguments, says) in [
        (&ASK[..3], "`--arm` must be given at least twice"),
        (&ASK[..5], "`--metric` is missing"),
        (
            &ASK[..7],
            "`--margin` is missing: the smallest difference in `score`",
        ),
    ] {
        run(&bench, arguments).ends(2).with_one_error().says(says);
    }
    for (more, says) in [
        (
            &["--arm", "x=sh train.sh {sed} 5"][..],
            "`--arm` has `{sed}`, which has no value; did you mean `{seed}`?",
        ),
        (
            &["--arm", "x=sh train.sh {learning_rate}"],
            "`--arm` has `{learning_rate}`",
        ),
        (
            &["--arm", "low=sh other.sh {seed}"],
            "another arm has this name",
        ),
        (&["--arm", "x=sh train.sh {seed} 0"], "the same recipe"),
        (
            &["--timeout", "soon"],
            "`--timeout` must be a positive duration",
        ),
        (
            &["--inputs", "none.py"],
            "`--inputs` is `none.py`, which matches no file",
        ),
        (&["--dir", "nowhere"], "`--dir` is no folder"),
        (&["--margin", "0"], "`--margin` must be positive"),
        (
            &["--margin", "scroe=1"],
            "`--margin` names `scroe`, which no `--metric` names; did you mean `score`?",
        ),
        (&["--metric", "score<"], "`--metric` names `score` twice"),
        (
            &["--regex", "score=("],
            "`--regex` is not a regular expression",
        ),
        (&["--lr", "0.1,0.2"], "`--lr` has 2 rates"),
        (&["--env", "ABLATE_X=1"], "`--env` starts with `ABLATE_`"),
    ] {
        ask(&bench, more).ends(2).with_one_error().says(says);
    }
    for (more, says) in [
        (&["--metric", "loss"][..], "--metric 'loss>'"),
        (&["--arm", "x=sh train.sh | tee log"], "needs a shell"),
        (
            &["--csv", "x.csv", "--regex", "score=(.)"],
            "cannot be used with",
        ),
    ] {
        ask(&bench, more).ends(2).says(says);
    }
    let seeds = [&ASK[..], &["--seeds", "x"]].concat();
    run(&bench, &seeds).ends(2).says("a range `10-17`");
    assert!(!bench.path("ablate-results").exists());
}

#[test]
fn learning_rates_are_chosen_by_the_named_metric() {
    let script = r#"
case $3 in 0.1) echo "{\"val\": $1, \"score\": $2}";; *) echo "{\"val\": -9, \"score\": 99}";; esac
"#;
    let bench = bench(script);
    let done = run(
        &bench,
        &[
            "vs",
            "--arm",
            "low=sh train.sh {seed} 0 {learning_rate}",
            "--arm",
            "high=sh train.sh {seed} 5 {learning_rate}",
            "--metric",
            "score>",
            "--margin",
            "1",
            "--lr",
            "0.1,0.2",
            "--validation",
            "val>",
            "--seeds",
            "8",
        ],
    );
    done.ends(0).says("trained 32 cells").shows("score: +5.0");
}
