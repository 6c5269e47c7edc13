//! `ablate run --until-decided`, and results to which seeds were added.

use crate::bench::Bench;
use serde_json::Value;

fn json(bench: &Bench, name: &str) -> Value {
    serde_json::from_str(&bench.text(name)).unwrap()
}

fn looks(bench: &Bench, folder: &str) -> Vec<u64> {
    let looks = json(bench, &format!("{folder}/tiny/looks.json"));
    let list = looks["looks"].as_array().unwrap().iter();
    list.map(|look| look["seeds"].as_u64().unwrap()).collect()
}

fn confidence(bench: &Bench, folder: &str) -> f64 {
    let summary = json(bench, &format!("{folder}/tiny/summary.json"));
    summary["contrasts"][0]["decision"]["confidence"]
        .as_f64()
        .unwrap()
}

/// No difference in calibration is shown to exist or to be this small with a few seeds.
fn make_hard_to_decide(bench: &Bench) {
    let spec = (bench.text("experiments/tiny.toml"))
        .replace("margin = 1.0", "margin = 0.001")
        .replace("dropout.rate = 0.3", "dropout.rate = 0.05")
        .replace("\"test_accuracy\"", "\"test_ece\"");
    bench.write("experiments/tiny.toml", spec);
}

#[test]
fn seeds_are_added_until_the_most() {
    let bench = Bench::new();
    make_hard_to_decide(&bench);
    let done = bench.run("run tiny --until-decided").ends(0);
    let done = done
        .says("writing results to `ablate-results` because `--until-decided`")
        .says("tiny: going on to 5 seeds")
        .says("tiny: going on to 6 seeds");
    let done =
        done.says("still without a verdict after 6 seeds, the most allowed: `dropout-vs-plain`");
    done.shows("look 3 at these results, after 6 of at most 6 seeds");
    assert_eq!(looks(&bench, "ablate-results"), [3, 5, 6]);
    let report = bench.text("ablate-results/tiny/report.md");
    assert!(report.contains("**Seeds were added after looking at the results**"));
    let last = confidence(&bench, "ablate-results");
    assert!(last > 0.95 && last < 0.97, "{last}");
}

#[test]
fn later_runs_and_reports_keep_the_seeds_and_the_correction() {
    let bench = Bench::new();
    make_hard_to_decide(&bench);
    bench
        .run("run tiny --until-decided --results out -q")
        .ends(0);
    assert_eq!(looks(&bench, "out"), [3, 5, 6]);
    let before = bench.results("out");
    bench.run("report tiny --results out --check").ends(0);
    let again = bench.run("run tiny --results out").ends(0);
    again
        .says("trained 0 cells")
        .shows("look 3 at these results");
    let again = bench.run("run tiny --until-decided --results out").ends(0);
    again.says("trained 0 cells");
    bench.run("verify tiny --results out --cells 1").ends(0);
    assert_eq!(bench.results("out"), before);
    let plan = bench.run("plan tiny --results out --no-time").ends(0);
    plan.shows("12 cells (2 arms, 6 seeds)");

    let fewer = bench.run("run tiny --results out --seeds 4").ends(2);
    fewer
        .with_one_error()
        .says("has results of 6 seeds, which were looked at");
    assert_eq!(bench.results("out"), before);
}

#[test]
fn decided_experiments_get_no_more_seeds() {
    let bench = Bench::new();
    // One arm does not learn, so three seeds decide even at the strict level of the first look.
    bench.change_tiny(
        "set.model.block.dropout.rate = 0.3",
        "set.train.learning_rate = 1e-9",
    );
    let done = bench.run("run tiny --until-decided --max-seeds 4").ends(0);
    done.says("every primary contrast has a verdict after ");
    let looks = looks(&bench, "ablate-results");
    assert!(looks.len() < 3, "{looks:?}");
}

#[test]
fn more_seeds_than_a_reported_result_count_as_a_second_look() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    assert!(!bench.path("results/tiny/looks.json").exists());
    let fixed = confidence(&bench, "results");
    assert!((fixed - 0.95).abs() < 1e-9);

    let more = bench.run("run tiny --seeds 5").ends(0);
    more.shows("look 2 at these results, after 5 of at most 5 seeds");
    assert_eq!(looks(&bench, "ablate-results"), [3, 5]);
    assert!(confidence(&bench, "ablate-results") > 0.96);
    let report = bench.text("ablate-results/tiny/report.md");
    assert!(
        report.contains("**These looks were not all planned**"),
        "{report}"
    );

    // The same in the folder itself, after the file asks for more.
    bench.change_tiny("seeds = 3", "seeds = 4");
    bench.run("run tiny -q").ends(0);
    assert_eq!(looks(&bench, "results"), [3, 4]);
    bench.run("run tiny -q").ends(0);
    assert_eq!(looks(&bench, "results"), [3, 4]);
}

#[test]
fn going_on_from_a_reported_result_is_not_planned() {
    let bench = Bench::new();
    bench.change_tiny("margin = 1.0", "margin = 0.001");
    bench.run("run tiny -q").ends(0);
    bench.run("run tiny --until-decided -q").ends(0);
    assert_eq!(looks(&bench, "ablate-results"), [3, 5, 6]);
    let looks = json(&bench, "ablate-results/tiny/looks.json");
    assert_eq!(looks["spending"], "pocock");
    assert!((looks["looks"][0]["level"].as_f64().unwrap() - 0.05).abs() < 1e-9);
}

#[test]
fn other_recipes_are_no_look_at_the_same_experiment() {
    let bench = Bench::new();
    bench
        .run("run tiny -q --set train.epochs=1 --seeds 2")
        .ends(0);
    bench.run("run tiny -q --seeds 4").ends(0);
    assert!(!bench.path("ablate-results/tiny/looks.json").exists());
}

#[test]
fn impossible_requests_are_errors() {
    let bench = Bench::new();
    bench.run("run tiny --max-seeds 8").ends(2);
    let few = bench.run("run tiny --until-decided --max-seeds 2").ends(2);
    few.with_one_error()
        .says("below the 3 seeds of the first look");
    bench.change_tiny("expect =", "primary = false\nexpect =");
    let none = bench.run("run tiny --until-decided").ends(2);
    none.with_one_error().says("needs a primary contrast");
    bench.write("out/tiny/looks.json", "{}");
    let bad = bench.run("report tiny --results out").ends(5);
    bad.says("looks.json` is not a list of looks");
}
