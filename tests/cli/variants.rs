//! Experiments that the command line changes: their folders, and what their reports say.

use crate::bench::{Bench, TINY};
use serde_json::Value;
use std::fs;

/// The command that a report names to train its cells again.
fn command(report: &str) -> &str {
    let (before, _) = report.split_once("` trains missing cells").unwrap();
    before.rsplit_once('`').unwrap().1
}

fn list(bench: &Bench, arguments: &str) -> Vec<Value> {
    let done = bench
        .run(&format!("list --format json {arguments}"))
        .ends(0);
    serde_json::from_str(&done.out).unwrap()
}

#[test]
fn report_names_the_command_that_reproduces_it() {
    let bench = Bench::new();
    bench.write("mine/own.toml", TINY);
    let arguments = "mine/own.toml --set train.epochs=1 --seeds 2 --device ndarray";
    let done = bench.run(&format!("run {arguments}")).ends(0);
    let folder = "ablate-results/own@epochs=1,device=ndarray,seeds=2";
    done.says(&format!("its folder is `{folder}`"))
        .shows("changed by: `train.epochs=1`, 2 seeds instead of 3, the device `ndarray`");
    let report = bench.text(&format!("{folder}/report.md"));
    let opening = report.lines().nth(2).unwrap();
    assert!(
        opening.starts_with(
            "**Changed by:** `train.epochs=1`, 2 seeds instead of 3, the device `ndarray`."
        ),
        "{opening}"
    );
    assert_eq!(command(&report), format!("ablate run {arguments}"));
    let again = command(&report).strip_prefix("ablate ").unwrap();
    bench.run(again).ends(0).says("trained 0 cells");

    let elsewhere = bench.copy();
    elsewhere.write("mine/own.toml", TINY);
    elsewhere.run(again).ends(0);
    assert_eq!(
        elsewhere.results("ablate-results"),
        bench.results("ablate-results")
    );
}

#[test]
fn resolved_experiment_trains_the_same_cells() {
    let bench = Bench::new();
    bench
        .run("run tiny -q --set train.epochs=1 --seeds 2")
        .ends(0);
    let folder = "ablate-results/tiny@epochs=1,seeds=2";
    let resolved = bench.text(&format!("{folder}/spec.resolved.toml"));
    for line in [
        "resolved.name = \"tiny\"",
        "resolved.file = \"../../experiments/tiny.toml\"",
        "resolved.overrides = [\"train.epochs=1\"]",
        "resolved.seeds_in_file = 3",
        "seeds = 2",
        "epochs = 1",
    ] {
        assert!(
            resolved.lines().any(|found| found == line),
            "{line}: {resolved}"
        );
    }
    let before = bench.files("ablate-results");
    for name in [
        &format!("{folder}/spec.resolved.toml"),
        folder,
        "tiny@epochs=1,seeds=2",
    ] {
        bench
            .run(&format!("run {name}"))
            .ends(0)
            .says("trained 0 cells");
        bench.run(&format!("report {name} --check")).ends(0);
        bench.run(&format!("verify {name} --cells 1")).ends(0);
    }
    assert_eq!(bench.files("ablate-results"), before);

    // In a folder without the experiment it trains the same numbers.
    let elsewhere = Bench::new();
    fs::remove_dir_all(elsewhere.path("experiments")).unwrap();
    elsewhere.write("theirs/spec.resolved.toml", &resolved);
    elsewhere
        .run("run theirs/spec.resolved.toml --results out -q")
        .ends(0);
    assert_eq!(
        elsewhere.text("out/tiny@epochs=1,seeds=2/runs.jsonl"),
        bench.text(&format!("{folder}/runs.jsonl"))
    );
}

#[test]
fn variants_do_not_overwrite_each_other() {
    let bench = Bench::new();
    bench.write("own.toml", TINY);
    bench.run("run own.toml -q").ends(0);
    let before = bench.files("ablate-results/own");
    for arguments in [
        "--seeds 2",
        "--set train.epochs=1",
        "--device ndarray",
        "--set train.epochs=1 --seeds 2",
    ] {
        bench.run(&format!("run own.toml -q {arguments}")).ends(0);
    }
    assert_eq!(bench.files("ablate-results/own"), before);
    let rows = list(&bench, "own.toml --results ablate-results");
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "own",
            "own@device=ndarray",
            "own@epochs=1",
            "own@epochs=1,seeds=2",
            "own@seeds=2"
        ]
    );
    assert_eq!(rows[2]["changed_by"], "`train.epochs=1`");
    bench
        .run("list")
        .ends(0)
        .shows("own@seeds=2")
        .shows("ablate-results/own ");
    bench.run("report --results ablate-results --check").ends(0);
}

#[test]
fn changes_without_effect_make_no_variant() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    let done = bench.run("run tiny --set train.epochs=2 --seeds 3").ends(0);
    done.says("trained 0 cells");
    assert!(!bench.path("ablate-results").exists());
}

#[test]
fn two_files_of_one_name_do_not_share_a_folder() {
    let bench = Bench::new();
    bench.write("a/own.toml", TINY);
    bench.write("b/own.toml", TINY.replace("epochs = 2", "epochs = 1"));
    bench.run("run a/own.toml -q").ends(0);
    let before = bench.files("ablate-results");
    for verb in ["run", "plan --no-time", "report"] {
        let done = bench
            .run(&format!("{verb} b/own.toml --results ablate-results"))
            .ends(2);
        done.with_one_error()
            .says("`ablate-results/own` holds the results of `a/own.toml`, another file");
    }
    assert_eq!(bench.files("ablate-results"), before);
    // A file that was moved is still the same experiment.
    fs::create_dir(bench.path("c")).unwrap();
    fs::rename(bench.path("a/own.toml"), bench.path("c/own.toml")).unwrap();
    bench.run("run c/own.toml").ends(0).says("trained 0 cells");
}

#[test]
fn list_counts_the_cells_of_an_unfinished_run() {
    let bench = Bench::new();
    bench.run("list").ends(0).shows("not run");
    bench.run("run tiny -q").ends(0);
    let journal = bench.text("results/tiny/.cells.jsonl");
    let first: Vec<&str> = journal.lines().take(2).collect();
    fs::remove_dir_all(bench.path("results")).unwrap();
    bench.write("results/tiny/.cells.jsonl", first.join("\n") + "\n");
    bench.run("list").ends(0).shows("partial 2/6");
    assert_eq!(list(&bench, "")[0]["recorded"], 2);
    bench.run("run tiny -q").ends(0);
    assert_eq!(list(&bench, "")[0]["recorded"], 6);
    bench.change_tiny("seeds = 3", "seeds = 5");
    bench.run("list").ends(0).shows(", partial 6/10");
}

#[test]
fn pilot_is_no_look_at_the_number_of_the_file() {
    let bench = Bench::new();
    bench.write("own.toml", TINY.replace("seeds = 3", "seeds = 4"));
    bench.run("run own.toml -q --seeds 2").ends(0);
    bench.run("run own.toml -q").ends(0);
    assert!(!bench.path("ablate-results/own/looks.json").exists());
    // A number that is chosen later is a further look, at the pilot and at the file's number.
    let more = bench.run("run own.toml --seeds 6").ends(0);
    more.shows("look 3 at these results, after 6 of at most 6 seeds");
    let looks: Value = serde_json::from_str(&bench.text("ablate-results/own/looks.json")).unwrap();
    let seeds: Vec<&Value> = looks["looks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| &l["seeds"])
        .collect();
    assert_eq!(seeds, [2, 4, 6]);
}

#[test]
fn pilots_with_growing_numbers_of_seeds_are_looks() {
    let bench = Bench::new();
    bench.change_tiny("seeds = 3", "seeds = 8");
    bench.run("run tiny -q --seeds 2").ends(0);
    let done = bench.run("run tiny --seeds 4").ends(0);
    done.shows("look 2 at these results, after 4 of at most 4 seeds");
    assert!(
        bench
            .path("ablate-results/tiny@seeds=4/looks.json")
            .exists()
    );
    bench.run("report tiny@seeds=4 --check").ends(0);
}

#[test]
fn more_seeds_than_the_file_are_kept_later() {
    let bench = Bench::new();
    bench.write("own.toml", TINY);
    bench.run("run own.toml -q --seeds 5").ends(0);
    assert!(!bench.path("ablate-results/own/looks.json").exists());
    let before = bench.files("ablate-results");
    let again = bench.run("run own.toml").ends(0).says("trained 0 cells");
    again.shows("changed by: 5 seeds instead of 3");
    let fewer = bench.run("run own.toml --seeds 4").ends(2).with_one_error();
    fewer.says("has results of 5 seeds, which were looked at");
    bench.run("report own.toml --check").ends(0);
    assert_eq!(bench.files("ablate-results"), before);
}

#[test]
fn report_and_its_check_give_the_same_advice() {
    let bench = Bench::new();
    bench.run("run tiny -q --set train.epochs=1").ends(0);
    bench.run("run tiny -q").ends(0);
    bench.change_tiny("hidden = [16]", "hidden = [17]");
    let advice =
        "6 cells of the current experiment file have no record; train them with `ablate run tiny`";
    bench.run("report tiny").ends(0).says(advice);
    bench.run("report tiny --check").ends(4).says(advice);
    // By its name the variant is what ran; by its file it has changed, too.
    bench.run("report tiny@epochs=1 --check").ends(0);
    let advice = "train them with `ablate run tiny --set train.epochs=1`";
    let changed = "report tiny --set train.epochs=1";
    bench.run(changed).ends(0).says(advice);
    bench
        .run(&format!("{changed} --check"))
        .ends(4)
        .says(advice);
}

#[test]
fn unknown_variant_is_an_error_with_advice() {
    let bench = Bench::new();
    let done = bench.run("report tiny@epochs=7").ends(2).with_one_error();
    done.says("there is no variant `tiny@epochs=7`")
        .says("`ablate list`");
}
