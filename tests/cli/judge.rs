//! Scores that exist already.

use crate::bench::{Bench, Done};
use std::io::Write;
use std::process::Stdio;

/// Eight seeds of two arms; `b` is better by about 1.
fn table(separator: &str) -> String {
    let mut text = ["arm", "seed", "note", "acc"].join(separator) + "\n";
    for seed in 0..8 {
        let luck = f64::from(seed * 37 % 17);
        for (arm, gain) in [("a", 0.0), ("b", 1.0 + 0.01 * luck)] {
            let row = [
                arm,
                &seed.to_string(),
                "x",
                &(90.0 + 0.1 * luck + gain).to_string(),
            ];
            text += &(row.join(separator) + "\n");
        }
    }
    text
}

fn judge(bench: &Bench, more: &[&str]) -> Done {
    let start = [
        "judge",
        "scores.csv",
        "--metric",
        "acc>",
        "--from",
        "percent",
        "--margin",
        "0.5",
    ];
    let arguments = start.into_iter().chain(more.iter().copied());
    bench.command_of(arguments).output().unwrap().into()
}

fn with(text: &str) -> Bench {
    let bench = Bench::new();
    bench.write("scores.csv", text);
    bench
}

#[test]
fn paired_scores_get_a_verdict() {
    for separator in [",", ";", "\t"] {
        let bench = with(&table(separator));
        let done = judge(&bench, &["--expect", "better"]).ends(0);
        let done = done.shows("supported: b against a").shows("8 pairs");
        done.says("Arms are compared seed by seed: 8 pairs of `b` and `a`.");
        assert!(!bench.path("ablate-results").exists());
        judge(&bench, &["--control", "b"])
            .ends(0)
            .shows("a against b");
    }
}

#[test]
fn standard_input_is_read() {
    let bench = Bench::new();
    let mut command = bench.command("judge - --metric acc> --margin 0.5");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(table(",").as_bytes())
        .unwrap();
    let done = Done::from(child.wait_with_output().unwrap()).ends(0);
    done.shows("scores: Does b differ from a in acc?");
}

#[test]
fn summary_is_printed_as_json() {
    let bench = with(&table(","));
    let done = judge(&bench, &["--format", "json"]).ends(0);
    let summary: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(summary["contrasts"][0]["decision"]["n"], 8);
    assert_eq!(summary["scores_given"]["file"], "scores.csv");
}

#[test]
fn report_says_where_the_scores_come_from() {
    let bench = with(&table(","));
    judge(&bench, &["--results", "out"])
        .ends(0)
        .says("out/scores/report.md");
    let report = bench.text("out/scores/report.md");
    assert!(report.contains("Scores from `scores.csv`"), "{report}");
    assert!(
        report.contains("`ablate judge` read the scores from `scores.csv`"),
        "{report}"
    );
    assert!(!report.contains("ablate run"), "{report}");
    assert_eq!(bench.text("out/scores/runs.jsonl").lines().count(), 16);
    assert!(bench.path("out/scores/differences.svg").exists());
    judge(&bench, &["--results", "out"]).ends(0);
    bench.write("out/scores/provenance.json", "{}");
    let done = judge(&bench, &["--results", "out"]).ends(2);
    done.says("has the results of a run");
}

#[test]
fn arms_without_common_seeds_are_independent_samples() {
    let mut text = table(",").replace("b,", "b,1");
    text += "b,99,x,91.7\n";
    let bench = with(&text);
    let done = judge(&bench, &["--results", "out"]).ends(0);
    let done = done.says("(Welch): `b` has 9 seeds and `a` 8, 0 in common");
    done.shows("9 and 8 independent");
    let report = bench.text("out/scores/report.md");
    assert!(
        report.contains("compared as independent samples"),
        "{report}"
    );
    assert!(!report.contains("not run"), "{report}");
    let done = judge(&bench, &["--paired", "true"])
        .ends(2)
        .with_one_error();
    done.says("have 0; use `--paired false`");
    let bench = with(&table(","));
    judge(&bench, &["--paired", "false"])
        .ends(0)
        .shows("8 independent");
}

#[test]
fn seeds_of_one_arm_only_are_left_out() {
    let bench = with(&(table(",") + "a,8,x,90\na,9,x,90\n"));
    let done = judge(&bench, &["--results", "out"])
        .ends(0)
        .shows("8 pairs");
    done.shows("supported");
    let report = bench.text("out/scores/report.md");
    assert!(
        report.contains("leaves out 2 seeds that not all of its arms have"),
        "{report}"
    );
}

#[test]
fn last_epoch_decides_and_all_make_curves() {
    let mut text = "epoch,arm,seed,acc\n".to_owned();
    for (arm, gain) in [("a", 0), ("b", 5)] {
        for seed in 0..6 {
            // The last epoch comes first.
            for epoch in [3, 1, 2] {
                let value = 10 * epoch + gain * (epoch - 2) + seed * 7 % 5;
                text += &format!("{epoch},{arm},{seed},{value}\n");
            }
        }
    }
    let bench = with(&text);
    judge(&bench, &["--results", "out"])
        .ends(0)
        .shows("acc: +5.0");
    assert!(bench.path("out/scores/metrics.svg").exists());
}

#[test]
fn run_and_its_scores_have_the_same_numbers() {
    let bench = Bench::new();
    bench.write(
        "t.sh",
        "echo \"{\\\"score\\\": $(( $1 * 37 % 17 + $2 * ($1 % 3) ))}\"\n",
    );
    let ask = [
        "vs",
        "--arm",
        "a=sh t.sh {seed} 0",
        "--arm",
        "b=sh t.sh {seed} 2",
        "--metric",
        "score>",
        "--margin",
        "1",
        "--seeds",
        "7",
        "--name",
        "same",
        "-q",
    ];
    let done: Done = bench.command_of(ask).output().unwrap().into();
    let of_run = done.ends(0).out;
    let mut text = "arm,seed,score\n".to_owned();
    for line in bench.text("ablate-results/same/runs.jsonl").lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let score = &record["epochs"][0]["metrics"]["score"];
        text += &format!(
            "{},{},{score}\n",
            record["arm"].as_str().unwrap(),
            record["seed"]
        );
    }
    bench.write("s.csv", text);
    let done = bench.run("judge s.csv --metric score> --margin 1 --name same --results out -q");
    assert_eq!(done.ends(0).out, of_run.trim_end().to_owned() + "\n");
    let decision = |file: &str| {
        let summary: serde_json::Value = serde_json::from_str(&bench.text(file)).unwrap();
        summary["contrasts"][0]["decision"].clone()
    };
    assert_eq!(
        decision("out/same/summary.json"),
        decision("ablate-results/same/summary.json")
    );
}

#[test]
fn bad_tables_are_errors_with_file_line_and_advice() {
    for (text, says) in [
        ("", "scores.csv: has no rows"),
        (
            "arm,acc\na,1\n",
            "scores.csv:1: has no column `seed`; it has `arm`, `acc`; name it with `--seed-column`",
        ),
        (
            "arm,seed,accuracy\na,1,2\n",
            "scores.csv:1: has no column `acc`",
        ),
        (
            "arm,seed,acc\na,0,1\na,0,2\n",
            "scores.csv:3: repeats arm `a`, seed 0 of line 2",
        ),
        (
            "arm,seed,acc\na,0,x\n",
            "scores.csv:2: `acc` is `x`; it must be a finite number",
        ),
        (
            "arm,seed,acc\na,0\n",
            "scores.csv:2: has 2 fields, but the header has 3",
        ),
        ("arm,seed,acc\na,0,1\na,1,1\n", "has a single arm, `a`"),
        ("arm,seed,acc\na,0,1\nb,0,1\n", "arm `a` has a single seed"),
    ] {
        judge(&with(text), &[]).ends(2).with_one_error().says(says);
    }
    let bench = with(&table(","));
    judge(&bench, &["--control", "c"])
        .ends(2)
        .says("`--control` names `c`, which is no arm; there is `a`, `b`");
    let done = bench
        .run("judge scores.csv --margin 1")
        .ends(2)
        .with_one_error();
    done.says(
        "`--metric 'acc>'` (higher) or `--metric 'acc<'` (lower); columns with numbers are `acc`",
    );
    bench
        .run("judge none.csv --metric acc> --margin 1")
        .ends(5)
        .with_one_error();
    bench
        .run("judge scores.csv --metric acc>")
        .ends(2)
        .says("`--margin` is missing");
}
