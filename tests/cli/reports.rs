//! `ablate report` and `ablate verify`.

use crate::bench::{Bench, TINY, wait_until};
use std::fs;

fn trained() -> Bench {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    bench
}

#[test]
fn report_rebuilds_derived_files_byte_for_byte() {
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
fn check_finds_changed_files_and_writes_nothing() {
    let bench = trained();
    bench.run("report --check").ends(0).says("up to date");
    for name in [
        "tiny/report.md",
        "tiny/report.html",
        "index.html",
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
        done.says(&format!("`{name}` is out of date"));
        assert_eq!(bench.read(&name), bad);
        bench.write(&name, good);
    }
    fs::remove_file(bench.path("results/tiny/differences.svg")).unwrap();
    bench.run("report --check").ends(4).says("differences.svg");
}

#[test]
fn report_removes_obsolete_figures() {
    let bench = Bench::new();
    bench.run("run tiny -q").ends(0);
    let (without, _) = TINY.split_once("[[contrasts]]").unwrap();
    bench.write("experiments/tiny.toml", without);
    bench
        .run("report --check")
        .ends(4)
        .says("no longer derived");
    bench.run("report").ends(0);
    assert!(!bench.path("results/tiny/differences.svg").exists());
    bench.run("report --check").ends(0);
}

#[test]
fn check_fails_after_a_changed_recipe() {
    let bench = trained();
    bench.change_tiny("hidden = [16]", "hidden = [17]");
    let done = bench.run("report --check").ends(4);
    done.says("6 cells of the current experiment file have no record")
        .says("`ablate run tiny`");
}

/// Lines of records in the older format, without checksums, so that they can be changed.
pub(super) fn without_checksums(lines: &str) -> String {
    let line = |line: &str| match line.split_once(",\"checksum\"") {
        Some((record, _)) => format!("{record}}}\n"),
        None => format!("{line}\n"),
    };
    lines.lines().map(line).collect()
}

/// A `provenance.json` of the older format, without its checksum.
pub(super) fn without_checksum(text: &str) -> String {
    let (body, _) = text.split_once(",\n  \"checksum\"").expect("a checksum");
    format!("{body}\n}}\n")
}

#[test]
fn records_of_other_code_are_verified_and_adopted() {
    let bench = trained();
    let runs = bench.text("results/tiny/runs.jsonl");
    let provenance = bench.text("results/tiny/provenance.json");
    let other = "0".repeat(64);
    let fingerprint = ablate::provenance::fingerprint("flex");
    let spec = ablate::spec::Spec::load(&bench.path("experiments/tiny.toml"), &[]).unwrap();
    let ids = |fingerprint: &str| ablate::plan::Plan::new(&spec, "flex", 1, fingerprint).cells;
    let mut changed = runs.clone();
    for (ours, theirs) in ids(fingerprint).iter().zip(ids(&other)) {
        changed = changed.replace(&ours.id, &theirs.id);
    }
    let changed = without_checksums(&changed);
    bench.write("results/tiny/runs.jsonl", &changed);
    bench.write(
        "results/tiny/provenance.json",
        without_checksum(&provenance.replace(fingerprint, &other)),
    );
    let done = bench.run("report --check").ends(4);
    done.says("SHA256SUMS` is out of date");
    bench.run("report").ends(0);
    let done = bench.run("report --check").ends(0);
    done.says("the records were trained by other code");
    let done = bench.run("verify --cells 6").ends(0);
    done.shows("ok tiny: reproduced 6 of 6 cells bit for bit");
    assert_eq!(bench.text("results/tiny/runs.jsonl"), changed);

    let done = bench.run("verify --cells 2 --until 1 --adopt").ends(0);
    done.shows("ok tiny: reproduced 2 of 2 cells bit for bit up to epoch 1")
        .shows("tiny: adopted 6 records that other code trained");
    assert_eq!(bench.text("results/tiny/runs.jsonl"), runs);
    bench.run("report --check").ends(0);
    let now = ablate::provenance::Provenance::read(&bench.path("results/tiny")).unwrap();
    assert_eq!(now.build.fingerprint, other);
    let code = now.reproduced.unwrap();
    assert_eq!(code.build.fingerprint, fingerprint);
    assert_eq!((code.cells, code.until), (2, Some(1)));
    bench
        .run("verify --adopt")
        .ends(0)
        .shows("tiny: nothing to adopt");
}

#[test]
fn adopt_requires_reproduction() {
    let bench = trained();
    let text = bench.text("results/tiny/runs.jsonl");
    let changed = without_checksums(&text.replace("\"train_loss\":", "\"train_loss\":1"));
    bench.write("results/tiny/runs.jsonl", &changed);
    let before = bench.files("results");
    bench.run("verify --adopt --until 1").ends(4);
    assert_eq!(bench.files("results"), before);
}

#[test]
fn verify_stops_at_the_next_evaluation() {
    let bench = Bench::new();
    bench.change_tiny("epochs = 2", "steps = 12\nevaluate_every = 5");
    bench.run("run tiny -q").ends(0);
    let done = bench.run("verify --cells 2 --until 1").ends(0);
    done.shows("ok tiny: reproduced 2 of 2 cells bit for bit up to step 5\n");
    let done = bench.run("verify --cells 2 --until 11").ends(0);
    done.shows("ok tiny: reproduced 2 of 2 cells bit for bit\n");
    bench.run("verify --until 0").ends(2);
}

#[test]
fn splice_writes_between_the_markers() {
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
fn overview_skips_unreadable_summaries_with_a_warning() {
    let bench = trained();
    bench.write("results/old/summary.json", "{\"name\": \"old\"}");
    let done = bench.run("report").ends(0);
    done.says("warning: leaving `results/old/summary.json` out of the overview");
}

#[test]
fn report_and_verify_need_records() {
    let bench = Bench::new();
    for arguments in ["report", "verify", "report tiny", "verify tiny"] {
        let done = bench.run(arguments).ends(5).with_one_error();
        done.says("ablate run");
    }
}

#[test]
fn verify_fails_on_changed_records() {
    let bench = trained();
    let before = bench.files("results");
    let done = bench.run("verify --cells 4").ends(0);
    let done = done.shows("ok tiny: reproduced 4 of 4 cells bit for bit");
    let set = ablate_kernels::InstructionSet::current();
    done.says(&format!(
        "tiny: records made with `{set}` instructions, verified with `{set}`"
    ));
    assert_eq!(bench.files("results"), before);
    let text = bench.text("results/tiny/runs.jsonl");
    let changed = without_checksums(&text.replace("\"train_loss\":", "\"train_loss\":1"));
    bench.write("results/tiny/runs.jsonl", changed);
    let done = bench.run("verify").ends(4);
    done.says("error: tiny: reproduced 0 of 3 cells bit for bit");
}

pub(super) const CLAIMS: &str = r#"[[claims]]
name = "C1"
short = "It helps"
sentence = "It helps"
kind = "accuracy"
supports = "Gain."
contradicts = "Loss."
limits = ["Much."]
in_practice = { supported = "Do.", contradicted = "Do not.", depends = "Compare.", undecided = "Wait." }

[[claims]]
name = "C2"
short = "It spreads"
sentence = "It spreads"
kind = "mechanism"
supports = "More."
contradicts = "Less."
limits = ["More."]
in_practice = { supported = "Do.", contradicted = "Do not.", depends = "Compare.", undecided = "Wait." }
"#;

#[test]
fn check_covers_the_pages_of_claims() {
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
            .contains("**Answer: not tested yet.**")
    );
    assert!(bench.text("results/README.md").contains("claims/C1.md"));
    bench.run("report --check").ends(0);
    bench.write("results/claims/C1.md", "edited");
    bench.run("report --check").ends(4).says("claims/C1.md");
    bench.run("report").ends(0);
    assert_eq!(bench.text("results/claims/C1.md"), page);
    bench.run("check all").ends(0).shows("tiny.toml");
    let svg = bench.text("results/claims/C1.svg");
    assert!(svg.contains("class=\"interval\""), "{svg}");
    assert!(!bench.path("results/claims/C2.svg").exists());
    // The page and the figure of a claim that is gone go, too; other files stay.
    bench.write(
        "experiments/claims.toml",
        CLAIMS.replace("\"C2\"", "\"C3\""),
    );
    bench.write("results/claims/C4.md", "my notes");
    bench.run("report --check").ends(4).says("claims/C2.md");
    bench.run("report").ends(0);
    assert!(!bench.path("results/claims/C2.md").exists());
    assert_eq!(bench.text("results/claims/C4.md"), "my notes");
    bench.write("experiments/claims.toml", CLAIMS.replace("kind", "kinds"));
    bench.run("report").ends(2).says("claims[0].kinds");
}

/// A stand-in for `xdg-open`, which opens files on Linux. It writes the paths that it is given to a file.
#[cfg(target_os = "linux")]
fn with_opener(bench: &Bench) {
    use std::os::unix::fs::PermissionsExt;
    bench.write(
        "bin/xdg-open",
        "#!/bin/sh\nprintf '%s\\n' \"$1\" > \"$HOME/opened\"\n",
    );
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(bench.path("bin/xdg-open"), executable).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn report_opens_the_page_of_the_named_experiment() {
    let bench = trained();
    with_opener(&bench);
    for (names, page) in [("tiny", "tiny/report.html"), ("", "index.html")] {
        let mut command = bench.command(&format!("report {names} --open"));
        let done: crate::bench::Done =
            (command.env("PATH", bench.path("bin")).output().unwrap()).into();
        let done = done.ends(0).shows(&format!("results/{page}\n"));
        let opened = || fs::read_to_string(bench.path("opened")).unwrap_or_default();
        wait_until("the opener", || opened().ends_with('\n'));
        assert!(done.out.ends_with(&opened()), "{done:?}");
        assert!(bench.path("results").join(page).is_file());
        fs::remove_file(bench.path("opened")).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn page_is_named_where_no_program_opens_it() {
    let bench = trained();
    let mut command = bench.command("report tiny --open");
    let done: crate::bench::Done = command
        .env("PATH", bench.path("bin"))
        .output()
        .unwrap()
        .into();
    done.ends(0)
        .says("no program opens pages here")
        .shows("results/tiny/report.html\n");
    bench.run("report tiny --open --check").ends(2);
}
