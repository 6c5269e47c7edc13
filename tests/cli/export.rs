//! `ablate export`.

use crate::bench::Bench;
use serde_json::Value;

/// The columns of the tidy table, and its rows by column.
fn rows(table: &str) -> Vec<Vec<(String, String)>> {
    let mut lines = table.lines().map(|line| line.split(','));
    let header: Vec<&str> = lines.next().unwrap().collect();
    let row = |line: std::str::Split<'_, char>| {
        let cells = header.iter().zip(line);
        cells
            .map(|(name, cell)| ((*name).to_owned(), cell.to_owned()))
            .collect()
    };
    lines.map(row).collect()
}

fn cell<'r>(row: &'r [(String, String)], column: &str) -> &'r str {
    &row.iter().find(|(name, _)| name == column).unwrap().1
}

#[test]
fn tidy_scores_hold_every_recorded_number() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    let table = bench.run("export csv tiny").ends(0);
    let rows = rows(&table.out);
    let recorded = bench.text("results/tiny/runs.jsonl");
    let records: Vec<Value> = (recorded.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Two arms, three seeds, two epochs: loss, and three scores each on validation and test data.
    assert_eq!((records.len(), rows.len()), (6, 6 * 2 * 7), "{}", table.out);
    for record in &records {
        let of_cell = |row: &&Vec<(String, String)>| {
            cell(row, "arm") == record["arm"]
                && cell(row, "seed").parse().ok() == record["seed"].as_u64()
        };
        let last = |row: &&Vec<(String, String)>| {
            cell(row, "epoch") == "2"
                && cell(row, "split") == "test"
                && cell(row, "metric") == "accuracy"
        };
        let found: Vec<_> = rows.iter().filter(of_cell).filter(last).collect();
        assert_eq!(found.len(), 1);
        let value: f64 = cell(found[0], "value").parse().unwrap();
        assert_eq!(
            Some(value),
            record["epochs"][1]["test"]["accuracy"].as_f64()
        );
        assert_eq!(cell(found[0], "chosen"), "true");
    }
    let lines = bench.run("export json tiny").ends(0);
    assert_eq!(lines.out.lines().count(), rows.len());
    let first: Value = serde_json::from_str(lines.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["experiment"], "tiny");
}

#[test]
fn text_for_papers_is_written_to_files() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    bench
        .run("export latex tiny --out tables.tex")
        .ends(0)
        .says("wrote `tables.tex`");
    let table = bench.text("tables.tex");
    assert!(
        table.contains("dropout-vs-plain & test accuracy"),
        "{table}"
    );
    let methods = bench.run("export methods tiny").ends(0);
    methods
        .shows("with 3 seeds each")
        .shows("\\cite{student1908}");
    bench
        .run("export bibtex tiny")
        .ends(0)
        .shows("@article{student1908,");
    bench.run("export csv nothing").ends(2).with_one_error();
}

#[test]
fn event_files_are_one_per_cell() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    let done = bench.run("export tensorboard tiny --out tb").ends(0);
    done.says("wrote 6 runs to `tb`");
    let files = bench.files("tb");
    assert_eq!(files.len(), 6, "{:?}", files.keys());
    for (name, bytes) in files {
        assert!(
            name.starts_with("tiny/") && name.contains("tfevents"),
            "{name}"
        );
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            text.contains("test/accuracy") && text.contains("hparams"),
            "{name}"
        );
    }
}

#[test]
fn figures_come_with_the_means_that_they_show() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    bench
        .run("export figures tiny --theme paper --out out")
        .ends(0)
        .says("as SVG and CSV to `out`");
    let figure = bench.text("out/tiny/differences.svg");
    assert!(figure.starts_with("<svg width=\"480\""), "{figure}");
    assert!(figure.contains("font-family=\"DejaVu Sans, sans-serif\""));
    let summary: Value = serde_json::from_str(&bench.text("results/tiny/summary.json")).unwrap();
    let contrast = &summary["contrasts"][0];
    let table = rows(&bench.text("out/tiny/differences.csv"));
    let shown = |what: &str| -> Vec<Option<f64>> {
        let own = (table.iter()).filter(|row| {
            cell(row, "contrast") == contrast["contrast"]["name"] && cell(row, "shown") == what
        });
        own.map(|row| cell(row, "value").parse().ok()).collect()
    };
    assert_eq!(shown("mean"), [contrast["decision"]["mean"].as_f64()]);
    let seeds = contrast["improvements"].as_array().unwrap();
    let seeds: Vec<Option<f64>> = seeds.iter().map(|seed| seed["value"].as_f64()).collect();
    assert_eq!((shown("seed"), seeds.len()), (seeds, 3));
}

#[test]
fn options_of_figures_are_refused_where_they_do_nothing() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    let refused = bench.run("export csv tiny --theme paper").ends(2);
    refused.with_one_error().says("export figures NAME --theme");
    if !cfg!(feature = "figures") {
        let refused = bench.run("export figures tiny --format pdf").ends(5);
        let command =
            "cargo run --features figures --bin ablate -- export figures tiny --format pdf";
        refused.with_one_error().says(command);
        assert!(!bench.path("figures").exists());
    }
}
