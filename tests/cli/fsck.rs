//! `ablate fsck`, and results that are damaged.

use crate::bench::{Bench, Done};
use crate::reports::without_checksums;
use ablate_streams::{Purpose, Stream};
use std::fs;
use std::path::{Path, PathBuf};

/// Number of bit flips, and of those that are repaired, unless this variable names the first.
const FLIPS: &str = "ABLATE_TEST_FLIPS";

fn trained() -> Bench {
    let bench = Bench::new();
    bench.run("run tiny").ends(0);
    bench
}

#[test]
fn intact_results_pass() {
    let bench = trained();
    let done = bench.run("fsck").ends(0);
    done.shows("ok results/tiny: 6 records, 8 files checked by hash\n")
        .shows("ok results: 0 records, 2 files checked by hash\n");
    bench
        .run("fsck results/tiny")
        .ends(0)
        .shows("ok results/tiny");
    bench
        .run("fsck elsewhere")
        .ends(5)
        .says("there are no results in `elsewhere`");
    let sums = bench.path("results/tiny");
    let mut command = std::process::Command::new("sha256sum");
    let standard = command
        .args(["-c", "--quiet", "SHA256SUMS"])
        .current_dir(sums);
    assert!(standard.status().is_ok_and(|status| status.success()));
}

#[test]
fn every_damage_is_named_and_repaired() {
    type Damage = fn(&Bench);
    fn edit(bench: &Bench, name: &str, from: &str, to: &str) {
        let name = format!("results/tiny/{name}");
        let text = bench.text(&name);
        assert!(text.contains(from), "{from}");
        bench.write(&name, text.replacen(from, to, 1));
    }
    let cases: [(&str, Damage, &str); 8] = [
        (
            "report.md",
            |b| edit(b, "report.md", "Tiny", "Tinny"),
            "content is not the one",
        ),
        (
            "curves.svg",
            |b| fs::remove_file(b.path("results/tiny/curves.svg")).unwrap(),
            "it is missing",
        ),
        (
            "runs.jsonl",
            |b| edit(b, "runs.jsonl", "\"seed\":1", "\"seed\":7"),
            "line 2 is damaged",
        ),
        (
            ".cells.jsonl",
            |b| edit(b, ".cells.jsonl", "\"seed\":1", "\"seed\":7"),
            "line 2 is damaged",
        ),
        (
            "provenance.json",
            |b| edit(b, "provenance.json", "\"threads\"", "\"thread\""),
            "checksum",
        ),
        (
            "provenance.json",
            |b| fs::remove_file(b.path("results/tiny/provenance.json")).unwrap(),
            "it is missing",
        ),
        (
            ".provenance.json",
            |b| edit(b, ".provenance.json", "flex", "flix"),
            "checksum",
        ),
        (
            "SHA256SUMS",
            |b| edit(b, "SHA256SUMS", "  report.md", " report.md"),
            "line",
        ),
    ];
    let bench = trained();
    let whole = bench.files("results");
    for (file, damage, what) in cases {
        damage(&bench);
        let done = bench.run("fsck").ends(4);
        done.says(&format!("results/tiny/{file}`: ")).says(what);
        let repaired = bench.run("fsck --repair");
        if file == ".cells.jsonl" {
            // The record is still in `runs.jsonl`.
            bench
                .run("run tiny --adopt")
                .ends(0)
                .says("trained 0 cells");
        }
        assert_eq!(
            bench.files_but_damaged("results"),
            whole,
            "{file}: {repaired:#?}"
        );
        bench.run("fsck -q").ends(0);
    }
}

#[test]
fn record_in_neither_file_is_trained_again() {
    let bench = trained();
    let whole = bench.results("results");
    let id = bench.text("results/tiny/runs.jsonl")[7..27].to_owned();
    for name in ["runs.jsonl", ".cells.jsonl"] {
        let name = format!("results/tiny/{name}");
        let text = bench.text(&name);
        assert_eq!(text.matches(&id).count(), 1);
        bench.write(&name, text.replace(&id, "0123456789abcdef0123"));
    }
    let done = bench.run("fsck --repair").ends(4);
    done.says("1 planned cell without an intact record; `ablate run --adopt` trains them");
    bench.run("run tiny --adopt").ends(0).says("trained 1 cell");
    let mut left = bench.results("results");
    left.retain(|name, _| !name.ends_with(".damaged"));
    assert_eq!(left, whole);
}

#[test]
fn damage_in_the_journal_of_a_worker_is_named_and_trained_again() {
    let bench = trained();
    bench.run("worker tiny --results apart").ends(0);
    let left = fs::read_dir(bench.path("apart/tiny/.share")).unwrap();
    let mut names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let name = names.find(|name| name.ends_with(".jsonl")).unwrap();
    let path = format!("apart/tiny/.share/{name}");
    bench.write(
        &path,
        bench.text(&path).replacen("\"seed\":1", "\"seed\":7", 1),
    );
    let done = bench.run("fsck apart/tiny").ends(4);
    done.says(&format!("apart/tiny/.share/{name}`: line 2 is damaged"));
    bench
        .run("run tiny --results apart")
        .ends(0)
        .says("is damaged")
        .says("trained 1 cell");
    assert_eq!(
        bench.read("apart/tiny/runs.jsonl"),
        bench.read("results/tiny/runs.jsonl")
    );
}

#[test]
fn leftovers_are_named_and_removed() {
    let bench = trained();
    let leftover = bench.path("results/tiny/.ablate-00");
    fs::write(&leftover, "x").unwrap();
    let done = bench.run("fsck").ends(0);
    done.says("warning: `results/tiny/.ablate-00`: a temporary file that a killed program left");
    bench
        .run("fsck --repair")
        .ends(0)
        .says("removed 1 temporary file");
    assert!(!leftover.exists());
    fs::write(&leftover, "x").unwrap();
    bench
        .run("run tiny")
        .ends(0)
        .says("removed 1 temporary file");
    assert!(!leftover.exists());
}

#[test]
fn swapped_ids_are_blamed_on_their_file() {
    let bench = trained();
    let whole = bench.results("results");
    for name in ["runs.jsonl", ".cells.jsonl"] {
        let path = format!("results/tiny/{name}");
        for other in [1, 3] {
            let text = without_checksums(&bench.text(&path));
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let id = |line: &str| line[7..27].to_owned();
            let ids = [id(&lines[0]), id(&lines[other])];
            lines[0] = lines[0].replacen(&ids[0], &ids[1], 1);
            lines[other] = lines[other].replacen(&ids[1], &ids[0], 1);
            bench.write(&path, lines.join("\n") + "\n");
            let done = bench.run("fsck").ends(4);
            let done = done.says(&format!("`results/tiny/{name}`: line 1 is damaged"));
            assert!(
                done.err.contains(&format!("line {} is damaged", other + 1)),
                "{done:#?}"
            );
            let intact = match name {
                "runs.jsonl" => ".cells.jsonl`: line",
                _ => "runs.jsonl`: line",
            };
            assert!(!done.err.contains(intact), "{done:#?}");
            bench
                .run("run tiny")
                .ends(0)
                .says(&format!("`results/tiny/{name}` line 1"));
            let mut left = bench.results("results");
            left.retain(|name, _| !name.ends_with(".damaged"));
            assert_eq!(left, whole);
        }
    }
}

#[test]
fn verify_compares_the_journal_too() {
    let bench = trained();
    let path = "results/tiny/.cells.jsonl";
    let text = bench.text(path);
    let (_, nll) = text.split_once("\"nll\":").unwrap();
    let (nll, _) = nll.split_once(',').unwrap();
    let changed = text.replacen(&format!("\"nll\":{nll}"), "\"nll\":1.5", 1);
    bench.write(path, without_checksums(&changed));
    let done = bench.run("verify tiny --cells 1 --draw-seed 3").ends(4);
    done.says("the journal and `runs.jsonl` have different numbers for arm ")
        .says("so the journal is wrong");
    bench.run("run tiny").ends(0).says("training it again");
    bench
        .run("verify tiny --all")
        .ends(0)
        .shows("reproduced 6 of 6 cells");
}

#[test]
fn verify_draws_cells_that_can_be_drawn_again() {
    let bench = trained();
    let drawn = |arguments: &str| {
        let done = bench
            .run(&format!("verify tiny -v --cells 1 {arguments}"))
            .ends(0);
        let seed = done.err.split_once("`--draw-seed ").expect("a seed").1;
        let seed: u64 = seed.split_once('`').unwrap().0.parse().unwrap();
        let arm = done.err.contains("`plain`: epoch");
        (seed, arm)
    };
    let (seed, arm) = drawn("");
    assert_eq!(drawn(&format!("--draw-seed {seed}")), (seed, arm));
    let arms: Vec<bool> = (0..6)
        .map(|seed| drawn(&format!("--draw-seed {seed}")).1)
        .collect();
    assert!(arms.contains(&true) && arms.contains(&false), "{arms:?}");
    bench.run("verify tiny --all --cells 3").ends(2);
}

#[test]
fn verify_names_the_field_that_differs() {
    let bench = trained();
    fs::remove_file(bench.path("results/tiny/.cells.jsonl")).unwrap();
    let path = "results/tiny/runs.jsonl";
    let text = bench.text(path);
    let (_, loss) = text.split_once("\"train_loss\":").unwrap();
    let (loss, _) = loss.split_once(',').unwrap();
    let changed = text.replacen(&format!("\"train_loss\":{loss}"), "\"train_loss\":1.5", 1);
    bench.write(path, without_checksums(&changed));
    let done = bench.run("verify tiny --all").ends(4);
    done.says("reproduced 5 of 6 cells")
        .says("epochs.1.train_loss was 1.5, is ");
}

/// Copies a folder, without locks.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn no_bit_flip_in_any_file_is_silent() {
    let flips: usize = std::env::var(FLIPS)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(200);
    let bench = Bench::new();
    bench.run("run tiny --results base/out").ends(0);
    let whole = bench.results("base/out/tiny");
    let names = fs::read_dir(bench.path("base/out/tiny")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != ".lock").collect();
    names.sort();
    let mut draws = Stream::new(1, Purpose::Resample, "flips").uniforms(0);
    let mut draw = |n: usize| (draws.next().unwrap() * n as f64) as usize % n;
    let mut folders = Vec::new();
    for flip in 0..flips {
        let folder = format!("flips-{flip}/out/tiny");
        copy(&bench.path("base/out/tiny"), &bench.path(&folder));
        let name = format!("{folder}/{}", names[flip % names.len()]);
        let mut bytes = bench.read(&name);
        let at = draw(bytes.len());
        bytes[at] ^= 1 << draw(8);
        bench.write(&name, bytes);
        folders.push(folder);
    }
    let check = |folders: &[String], option: &str| -> Vec<serde_json::Value> {
        let arguments = folders.iter().map(String::as_str);
        let done: Done = bench
            .command_of(
                ["fsck", option, "--format", "json"]
                    .into_iter()
                    .chain(arguments),
            )
            .output()
            .unwrap()
            .into();
        serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:#?}"))
    };
    let found = check(&folders, "-q");
    for (folder, found) in folders.iter().zip(&found) {
        let problems = found["problems"].as_array().unwrap();
        assert!(!problems.is_empty(), "the flip in {folder} is silent");
    }
    // Some are repaired, and a run trains what is lost.
    let some: Vec<String> = folders
        .iter()
        .step_by(flips.div_ceil(22))
        .cloned()
        .collect();
    let repaired = check(&some, "--repair");
    let (mut repairs, mut trained) = (0, 0);
    for (folder, found) in some.iter().zip(&repaired) {
        let problems = found["problems"].as_array().unwrap().iter();
        let damaged = problems
            .filter(|problem| problem["kind"] == "damage")
            .count();
        repairs += usize::from(damaged == 0);
        let home = PathBuf::from(folder)
            .parent()
            .unwrap()
            .display()
            .to_string();
        let done = bench
            .run(&format!("run tiny --adopt --results {home}"))
            .ends(0);
        trained += usize::from(!done.err.contains("trained 0 cells"));
        let mut left = bench.results(folder);
        left.retain(|name, _| !name.ends_with(".damaged"));
        assert_eq!(left, whole, "{folder}");
    }
    println!(
        "{} flips detected, {repairs} of {} repaired, {trained} cells trained again",
        folders.len(),
        some.len()
    );
}
