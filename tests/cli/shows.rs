//! `ablate show`, `ablate explain`, `ablate diff`, and running from other folders.

use crate::bench::{Bench, TINY};
use crate::reports::CLAIMS;
use serde_json::Value;
use std::fs;

fn trained() -> Bench {
    let bench = Bench::new();
    bench.write("experiments/claims.toml", CLAIMS);
    bench.change_tiny(
        "question = \"Does it run?\"",
        "question = \"Does it run?\"\nclaim = \"C1\"\nsentence = \"It helps\"",
    );
    bench.run("run tiny -q").ends(0);
    bench
}

/// Header and rows of a CSV table without quoted cells.
fn csv(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split(',').collect()).collect()
}

#[test]
fn results_are_shown_without_training_or_writing() {
    let bench = trained();
    let before = bench.files(".");
    let done = bench.run("show tiny").ends(0);
    let done = done
        .shows("tiny: Does it run?")
        .shows("undecided: dropout against plain")
        .shows("95 % interval")
        .shows("Arms of tiny, mean ± SD over seeds")
        .shows("Contrasts of tiny; positive is better")
        .shows("report: results/tiny/report.md");
    assert!(
        done.out.lines().all(|line| line.chars().count() <= 80),
        "{}",
        done.out
    );
    assert_eq!(done.err, "");
    assert_eq!(bench.files("."), before);
    let figure = bench.run("show tiny --figure").ends(0);
    assert_eq!(figure.out, "results/tiny/differences.svg\n");
}

#[test]
fn copied_folder_is_shown_without_its_experiment() {
    let bench = trained();
    let elsewhere = Bench::new();
    fs::remove_dir_all(elsewhere.path("experiments")).unwrap();
    for (name, content) in bench.files("results/tiny") {
        elsewhere.write(&format!("theirs/{name}"), content);
    }
    for name in ["theirs", "./theirs", "theirs/summary.json"] {
        elsewhere
            .run(&format!("show {name}"))
            .ends(0)
            .shows("tiny: Does it run?");
    }
    let json: Value =
        serde_json::from_str(&elsewhere.run("show theirs --format json").ends(0).out).unwrap();
    assert_eq!(json[0]["verdict"], "undecided");
    assert_eq!(json[0]["results"][0]["kind"], "arm");
}

#[test]
fn tables_come_in_formats_for_programs_and_papers() {
    let bench = trained();
    let text = bench.run("show tiny --format csv").ends(0).out;
    let rows = csv(&text);
    assert_eq!(rows.len(), 1 + 2 * 3 + 1, "{text}");
    let column = |name: &str| rows[0].iter().position(|column| *column == name).unwrap();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    let contrast = rows.last().unwrap();
    assert_eq!(
        (contrast[column("kind")], contrast[column("n")]),
        ("contrast", "3")
    );
    let summary: Value = serde_json::from_str(&bench.text("results/tiny/summary.json")).unwrap();
    let mean = &summary["contrasts"][0]["decision"]["mean"];
    assert_eq!(contrast[column("mean")].parse::<f64>().ok(), mean.as_f64());
    let latex = bench.run("show tiny --format latex").ends(0);
    latex
        .shows("\\begin{tabular}{lrrrrr}")
        .shows("\\toprule")
        .shows("$\\pm$");
    bench
        .run("show tiny --format markdown")
        .ends(0)
        .shows("| plain   |");
}

#[test]
fn claims_are_shown_and_explained() {
    let bench = trained();
    let shown = bench.run("show C1").ends(0);
    shown
        .shows("C1 It helps")
        .shows("page: results/claims/C1.md")
        .shows("tiny");
    let figure = bench.run("show c1 --figure").ends(0);
    assert_eq!(figure.out, "results/claims/C1.svg\n");
    let explained = bench.run("explain C1").ends(0);
    for heading in ["\nQuestion\n", "\nDesign\n", "\nAnswer\n", "\nWhat to do\n"] {
        assert!(explained.out.contains(heading), "{}", explained.out);
    }
    explained
        .shows("Does it run? (tiny)")
        .shows("Support would be: Gain.")
        .shows("  Wait.");
    bench
        .run("explain C2")
        .ends(0)
        .shows("No experiment with results tests it yet");
}

#[test]
fn unknown_names_suggest_the_nearest() {
    let bench = trained();
    let done = bench.run("show tinny").ends(2).with_one_error();
    done.says("there is no results or claim called `tinny`")
        .says("did you mean `tiny`?");
    bench
        .run("explain C9")
        .ends(2)
        .with_one_error()
        .says("there is no claim `C9`");
    bench
        .run("explain tiny")
        .ends(2)
        .says("`ablate show tiny` shows its results");
    bench.run("diff tiny nothing").ends(2).with_one_error();
    bench
        .run("run --dry-run")
        .ends(2)
        .says("tip: `ablate plan` shows what a run would train");
    bench.run("ls").ends(2).says("tip: `ablate list`");
    bench.run("lisst").ends(2).says("list");
    bench
        .run("run tiny --device cpu")
        .ends(2)
        .with_one_error()
        .says("`flex`");
}

#[test]
fn two_results_are_compared_arm_by_arm() {
    let bench = trained();
    bench.run("run tiny -q --set train.epochs=1").ends(0);
    let done = bench.run("diff tiny tiny@epochs=1").ends(0);
    let done = done
        .shows("A: results/tiny (3 seeds)")
        .shows("B: ablate-results/tiny@epochs=1 (3 seeds)")
        .shows("Differences are taken seed by seed")
        .shows("1 setting differs")
        .shows("train.epochs");
    assert!(
        done.out.lines().all(|line| line.chars().count() <= 80),
        "{}",
        done.out
    );

    let text = bench
        .run("diff tiny tiny@epochs=1 --format csv")
        .ends(0)
        .out;
    let rows = csv(&text);
    let column = |name: &str| rows[0].iter().position(|column| *column == name).unwrap();
    let first = &rows[1];
    assert_eq!(
        (first[column("name")], first[column("metric")]),
        ("plain", "test_accuracy")
    );
    assert_eq!(
        (first[column("method")], first[column("n")]),
        ("paired", "3")
    );
    let number = |name: &str| first[column(name)].parse::<f64>().unwrap();
    assert!((number("difference") - (number("b") - number("a"))).abs() < 1e-9);
    assert!(number("low") < number("difference") && number("difference") < number("high"));
    let setting = rows
        .iter()
        .find(|row| row[column("kind")] == "setting")
        .unwrap();
    assert_eq!(
        [column("name"), column("a"), column("b")].map(|at| setting[at]),
        ["train.epochs", "2", "1"]
    );
    let same = bench.run("diff tiny tiny").ends(0);
    same.shows("All settings are the same").shows("equal");
}

#[test]
fn results_of_other_data_are_independent_samples() {
    let bench = trained();
    bench
        .run("run tiny -q --set data.subset=200 --seeds 2")
        .ends(0);
    let other = "tiny@data.subset=200,seeds=2";
    let done = bench.run(&format!("diff tiny {other}")).ends(0);
    done.shows("compared as independent samples (Welch)")
        .shows("3, 2")
        .shows("data.subset");
    // Without the resolved experiment the data are not known.
    fs::remove_file(bench.path(&format!("ablate-results/{other}/spec.resolved.toml"))).unwrap();
    let done = bench.run(&format!("diff tiny {other}")).ends(0);
    done.shows("Settings are not compared, because")
        .shows("independent samples (Welch)");
}

#[test]
fn folders_below_the_experiments_work_too() {
    let bench = trained();
    bench.write("deep/er/own.toml", TINY.replace("epochs = 2", "epochs = 1"));
    let below = |arguments: &str| {
        let mut command = bench.command(arguments);
        command.current_dir(bench.path("deep/er"));
        crate::bench::Done::from(command.output().unwrap())
    };
    below("show tiny")
        .ends(0)
        .shows("report: ../../results/tiny/report.md");
    below("run tiny").ends(0).says("trained 0 cells");
    below("report --check").ends(0);
    below("run own.toml -q").ends(0);
    let report = bench.text("ablate-results/own/report.md");
    assert!(
        report.contains("`ablate run deep/er/own.toml` trains"),
        "{report}"
    );
    let before = bench.files("ablate-results");
    bench.run("report deep/er/own.toml --check").ends(0);
    assert_eq!(bench.files("ablate-results"), before);
    assert!(!bench.path("deep/er/ablate-results").exists());
}
