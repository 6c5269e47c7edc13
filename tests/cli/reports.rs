//! `ablate report` and `ablate verify`.

use crate::bench::{Bench, TINY};
use std::fs;

fn trained() -> Bench {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    bench
}

#[test]
fn derived_files_are_rebuilt_from_the_records_byte_for_byte() {
    let bench = trained();
    let before = bench.files("results");
    for name in before
        .keys()
        .filter(|n| !n.ends_with("runs.jsonl") && !n.ends_with("provenance.json"))
    {
        fs::remove_file(bench.path("results").join(name)).unwrap();
    }
    bench
        .run("report")
        .ends(0)
        .shows("wrote results/tiny/report.md");
    assert_eq!(bench.files("results"), before);
    bench.run("report").ends(0).says("up to date");
}

#[test]
fn a_check_finds_every_changed_byte_and_writes_nothing() {
    let bench = trained();
    bench.run("report --check").ends(0).says("up to date");
    for name in [
        "tiny/report.md",
        "tiny/summary.json",
        "tiny/curves.svg",
        "README.md",
    ] {
        let name = format!("results/{name}");
        let good = bench.read(&name);
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        bench.write(&name, &bad);
        let done = bench.run("report tiny --check").ends(4).with_one_error();
        done.says(&format!("`{name}` is not what the records give"));
        assert_eq!(bench.read(&name), bad);
        bench.write(&name, good);
    }
    fs::remove_file(bench.path("results/tiny/differences.svg")).unwrap();
    bench.run("report --check").ends(4).says("differences.svg");
}

#[test]
fn a_figure_that_is_no_longer_derived_is_removed() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    let (without, _) = TINY.split_once("[[contrasts]]").unwrap();
    bench.write("experiments/tiny.toml", without);
    bench
        .run("report --check")
        .ends(4)
        .says("should not be there");
    bench.run("report").ends(0);
    assert!(!bench.path("results/tiny/differences.svg").exists());
    bench.run("report --check").ends(0);
}

#[test]
fn a_check_fails_when_the_spec_asks_for_other_cells_than_were_trained() {
    let bench = trained();
    bench.change_tiny("hidden = [16]", "hidden = [17]");
    let done = bench.run("report --check").ends(4);
    done.says("6 cells of the experiment as it is have no record")
        .says("`ablate run tiny`");
}

#[test]
fn records_of_other_code_are_reported_and_said_to_be_so() {
    let bench = trained();
    let runs = bench.text("results/tiny/runs.jsonl");
    let provenance = bench.text("results/tiny/provenance.json");
    let other = "0".repeat(64);
    let fingerprint = ablate::provenance::FINGERPRINT;
    let spec = ablate::spec::Spec::load(&bench.path("experiments/tiny.toml"), &[]).unwrap();
    let ids = |fingerprint: &str| ablate::plan::Plan::new(&spec, "flex", 1, fingerprint).cells;
    let mut changed = runs.clone();
    for (ours, theirs) in ids(fingerprint).iter().zip(ids(&other)) {
        changed = changed.replace(&ours.id, &theirs.id);
    }
    bench.write("results/tiny/runs.jsonl", &changed);
    bench.write(
        "results/tiny/provenance.json",
        provenance.replace(fingerprint, &other),
    );
    let done = bench.run("report --check").ends(0);
    done.says("the records were trained by other code");
    let done = bench.run("verify --cells 6").ends(0);
    done.shows("ok tiny: reproduced 6 of 6 cells bit for bit");
    assert_eq!(bench.text("results/tiny/runs.jsonl"), changed);

    let done = bench.run("verify --cells 2 --until 1 --adopt").ends(0);
    done.shows("ok tiny: reproduced 2 of 2 cells bit for bit up to epoch 1")
        .shows("tiny: took over 6 records of other code");
    assert_eq!(bench.text("results/tiny/runs.jsonl"), runs);
    bench.run("report --check").ends(0);
    let now: ablate::provenance::Provenance =
        serde_json::from_str(&bench.text("results/tiny/provenance.json")).unwrap();
    assert_eq!(now.build.fingerprint, other);
    let code = now.reproduced.unwrap();
    assert_eq!(code.build.fingerprint, fingerprint);
    assert_eq!((code.cells, code.until), (2, Some(1)));
    bench
        .run("verify --adopt")
        .ends(0)
        .shows("tiny: the records are of this code already");
}

#[test]
fn records_that_are_not_reproduced_are_not_taken_over() {
    let bench = trained();
    let text = bench.text("results/tiny/runs.jsonl");
    let changed = text.replace("\"train_loss\":", "\"train_loss\":1");
    bench.write("results/tiny/runs.jsonl", &changed);
    let before = bench.files("results");
    bench.run("verify --adopt --until 1").ends(4);
    assert_eq!(bench.files("results"), before);
    let done = bench.run("verify --until 0").ends(5);
    done.says("no measurement up to epoch 0");
}

#[test]
fn the_overview_is_put_between_the_markers_of_a_page() {
    let bench = trained();
    let page = "# Mine\n\n<!-- ablate:results -->\n<!-- /ablate:results -->\n\nThe end.\n";
    bench.write("PAGE.md", page);
    bench
        .run("report --check --splice PAGE.md")
        .ends(4)
        .says("`PAGE.md`");
    assert_eq!(bench.text("PAGE.md"), page);
    bench
        .run("report --splice PAGE.md")
        .ends(0)
        .shows("wrote PAGE.md");
    let spliced = bench.text("PAGE.md");
    assert!(
        spliced.contains("[tiny](results/tiny/report.md)"),
        "{spliced}"
    );
    assert!(spliced.ends_with("\n\nThe end.\n"), "{spliced}");
    bench.run("report --check --splice PAGE.md").ends(0);
    bench.write("PAGE.md", "no markers");
    let done = bench.run("report --splice PAGE.md").ends(2);
    done.says("PAGE.md: the page has no marker `<!-- ablate:results -->`");
}

#[test]
fn an_overview_leaves_out_a_summary_that_cannot_be_read_and_says_so() {
    let bench = trained();
    bench.write("results/old/summary.json", "{\"name\": \"old\"}");
    let done = bench.run("report").ends(0);
    done.says("warning: `results/old/summary.json` is left out of the overview");
}

#[test]
fn nothing_recorded_is_nothing_to_report_or_verify() {
    let bench = Bench::new();
    for arguments in ["report", "verify", "report tiny", "verify tiny"] {
        let done = bench.run(arguments).ends(5).with_one_error();
        done.says("ablate run");
    }
}

#[test]
fn a_verification_passes_on_what_was_trained_and_fails_on_what_was_not() {
    let bench = trained();
    let before = bench.files("results");
    let done = bench.run("verify --cells 4").ends(0);
    done.shows("ok tiny: reproduced 4 of 4 cells bit for bit");
    assert_eq!(bench.files("results"), before);
    let text = bench.text("results/tiny/runs.jsonl");
    let changed = text.replace("\"train_loss\":", "\"train_loss\":1");
    bench.write("results/tiny/runs.jsonl", changed);
    let done = bench.run("verify").ends(4);
    done.says("error: tiny: reproduced 0 of 3 cells bit for bit");
}

const CLAIMS: &str = "[[claims]]\nname = \"C1\"\nsentence = \"It helps\"\nkind = \"accuracy\"\n\
                      supports = \"Gain.\"\ncontradicts = \"Loss.\"\n\
                      limits = [\"Much.\"]\n\n[[claims]]\nname = \"C2\"\nsentence = \"It \
                      spreads\"\nkind = \"mechanism\"\nsupports = \"More.\"\n\
                      contradicts = \"Less.\"\nlimits = [\"More.\"]\n";

#[test]
fn claims_have_pages_which_a_check_covers() {
    let bench = Bench::new();
    bench.write("experiments/claims.toml", CLAIMS);
    bench.change_tiny(
        "question = \"Does it run?\"",
        "question = \"Does it run?\"\nclaim = \"C1\"\nsentence = \"It helps\"",
    );
    bench.run("run tiny -q").ends(0);
    let page = bench.text("results/claims/C1.md");
    assert!(page.contains("[tiny](../tiny/report.md)"), "{page}");
    assert!(
        bench
            .text("results/claims/C2.md")
            .contains("Not tested yet")
    );
    assert!(bench.text("results/README.md").contains("claims/C1.md"));
    bench.run("report --check").ends(0);
    bench.write("results/claims/C1.md", "edited");
    bench.run("report --check").ends(4).says("claims/C1.md");
    bench.run("report").ends(0);
    assert_eq!(bench.text("results/claims/C1.md"), page);
    bench.run("check all").ends(0).shows("tiny.toml");
    bench.write("experiments/claims.toml", CLAIMS.replace("kind", "kinds"));
    bench.run("report").ends(2).says("claims[0].kinds");
}
