//! Weights of the cells of a run.

use crate::bench::Bench;
use serde_json::Value;

const FOLDER: &str = "results/tiny/.weights";

/// Names of the kept files without extension; both files of each cell must be there.
fn kept(bench: &Bench) -> Vec<String> {
    let files = bench.files(FOLDER);
    let stems = |ending: &str| -> Vec<String> {
        let names = files.keys().filter_map(|name| name.strip_suffix(ending));
        names.map(str::to_owned).collect()
    };
    let cards = stems(".toml");
    assert_eq!(cards, stems(".safetensors"));
    assert_eq!(files.len(), 2 * cards.len(), "{:?}", files.keys());
    cards
}

/// Test accuracy at the end of each cell, by id.
fn recorded(bench: &Bench) -> Vec<(String, f64)> {
    let text = bench.text("results/tiny/runs.jsonl");
    let lines = text
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).unwrap() });
    lines
        .filter_map(|line| {
            let last = line["epochs"].as_array()?.last()?.clone();
            let accuracy = last["test"]["accuracy"].as_f64()?;
            Some((line["id"].as_str()?.to_owned(), accuracy))
        })
        .collect()
}

#[test]
fn kept_weights_have_the_scores_of_their_cells() {
    let bench = Bench::new();
    bench
        .run("run tiny --keep-weights")
        .ends(0)
        .says("tiny: weights in `results/tiny/.weights`");
    let names = kept(&bench);
    let cells = recorded(&bench);
    assert_eq!((names.len(), cells.len()), (6, 6));
    for (id, accuracy) in cells {
        let own = |name: &&String| name.ends_with(&format!("-{id}"));
        let name = names.iter().find(own).expect("each cell has weights");
        let place = format!("{FOLDER}/{name}");
        let done = bench.run(&format!("evaluate {place}.safetensors --format json"));
        let found: Value = serde_json::from_str(&done.ends(0).out).unwrap();
        assert_eq!(found["accuracy"].as_f64(), Some(accuracy), "{name}");
    }
    let seeds = |arm: &str| names.iter().filter(|n| n.starts_with(arm)).count();
    assert_eq!((seeds("plain-seed"), seeds("dropout-seed")), (3, 3));
    assert!(names.iter().all(|name| name.contains("-rate0.01-")));

    let place = format!("{FOLDER}/{}.toml", names[0]);
    bench.write("zeros.csv", vec!["0"; 64].join(","));
    let predicted = bench.run(&format!("predict {place} zeros.csv")).ends(0);
    predicted.shows("\"logits\"");
    bench
        .run(&format!("models export {place} --out out"))
        .ends(0);
    let files = bench.files("out");
    let weights = &files[&format!("{}.safetensors", names[0])];
    assert_eq!(
        *weights,
        bench.read(&place.replace(".toml", ".safetensors"))
    );
}

#[test]
fn keeping_weights_changes_no_record() {
    let (bench, other) = (Bench::new(), Bench::new());
    bench.run("run tiny").ends(0);
    other.run("run tiny --keep-weights --isolate").ends(0);
    let runs = "results/tiny/runs.jsonl";
    assert_eq!(bench.read(runs), other.read(runs));
    assert_eq!(kept(&other).len(), 6);
}

#[test]
fn cells_recorded_without_weights_are_named_and_not_trained_again() {
    let bench = Bench::new();
    bench.run("run tiny").ends(0);
    let again = bench.run("run tiny --keep-weights").ends(0);
    again.says("trained 0 cells").says(
        "tiny: 6 cells were recorded before without weights; `--fresh --keep-weights` trains",
    );
    bench.run("run tiny --keep-weights --fresh").ends(0);
    assert_eq!(kept(&bench).len(), 6);
}

#[test]
fn programs_have_no_weights_to_keep() {
    let bench = Bench::new();
    let program = "[program]\ncommand = [\"true\", \"{args}\"]\nmetrics = { stdout = \"jsonl\" }\n\n\
                   [metrics.score]\nbetter = \"higher\"\n\n[[arms]]\nname = \"one\"\nargs = [\"1\"]\n";
    let start = crate::bench::TINY.split("[data]").next().unwrap();
    bench.write("experiments/program.toml", format!("{start}{program}"));
    let refused = bench.run("run program --keep-weights").ends(2);
    refused
        .with_one_error()
        .says("arm `one` of `program` runs a program; leave it out");
}
