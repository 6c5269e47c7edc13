//! A model and data of one's own on the command line, with the example `own_model` as a process.
//!
//! Cargo builds examples only for a run of all tests, and a worker must be the same program as its parent.
//! So this file is both: the example if [`AS_PROGRAM`] is set, otherwise the tests, which start it. The model
//! that `ablate new --from model` writes is compiled and run in the same way.

#[path = "../../examples/own_model/main.rs"]
mod example;

mod new_model {
    include!("../../src/cli/templates/model.rs.in");

    pub(super) fn run() -> ExitCode {
        main()
    }
}

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const AS_PROGRAM: &str = "ABLATE_TEST_OWN_MODEL";

const SPEC: &str = include_str!("../../examples/own_model/gated-mlp.toml");

/// Value of [`AS_PROGRAM`] for the model of `ablate new`.
const NEW_MODEL: &str = "new";

const TESTS: [(&str, fn()); 7] = [
    ("new_model_runs_as_written", new_model_runs_as_written),
    (
        "mistakes_name_line_and_nearest_key",
        mistakes_name_line_and_nearest_key,
    ),
    (
        "probes_need_blocks_of_the_zoo",
        probes_need_blocks_of_the_zoo,
    ),
    (
        "killed_run_continues_to_the_same_bytes",
        killed_run_continues_to_the_same_bytes,
    ),
    (
        "plain_modules_give_the_same_verdict",
        plain_modules_give_the_same_verdict,
    ),
    (
        "changed_keys_are_trained_again",
        changed_keys_are_trained_again,
    ),
    (
        "registered_data_are_trained_on",
        registered_data_are_trained_on,
    ),
];

fn main() -> ExitCode {
    match std::env::var_os(AS_PROGRAM) {
        Some(program) if program == NEW_MODEL => return new_model::run(),
        Some(_) => return example::main(),
        None => {}
    }
    // As in Rust's harness, arguments without a dash select tests by a part of their name.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let mut failed = false;
    for (name, test) in TESTS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed |= !passed;
    }
    ExitCode::from(u8::from(failed))
}

/// A temporary folder, and the program run in it.
struct Bench(TempDir);

impl Bench {
    fn new(specs: &[(&str, &str)]) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        for (name, text) in specs {
            fs::write(bench.path(name), text).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env(AS_PROGRAM, "1")
            .env("HOME", self.0.path())
            .env_remove("ABLATE_DEVICE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program, which must end with `code`, and returns its standard output and error.
    #[track_caller]
    fn run(&self, arguments: &str, code: i32) -> (String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let (out, err) = (
            String::from_utf8(stdout).unwrap(),
            String::from_utf8(stderr).unwrap(),
        );
        assert_eq!(
            status.code(),
            Some(code),
            "`{arguments}` printed {out}{err}"
        );
        (out, err)
    }
}

/// The spec with one text in place of another.
fn changed(from: &str, to: &str) -> String {
    assert!(SPEC.contains(from), "{from}");
    SPEC.replace(from, to)
}

/// `spec` with two seeds and one epoch.
fn short(spec: &str) -> String {
    let spec = spec.replace("seeds = 10", "seeds = 2");
    spec.replace("epochs = 10", "epochs = 1")
}

/// The line of the spec, from 1, that contains `text`.
fn line_of(spec: &str, text: &str) -> usize {
    spec.lines().position(|line| line.contains(text)).unwrap() + 1
}

fn mistakes_name_line_and_nearest_key() {
    let misspelt = changed("hidden = 32, gate", "hiden = 32, gate");
    let unknown = changed("kind = \"gated-mlp\"", "kind = \"gated_mlp\"");
    let wrong = changed("gate = true", "gate = 1");
    let large = changed("hidden = 32", "hidden = 5000");
    let crossed = format!(
        "{}\n[[factors]]\nname = \"gate\"\nkey = \"model.gat\"\nlevels = [true, false]\n",
        changed("kind = \"gated-mlp\"", "kind = \"gated-mlp\"\nhidden = 4")
            .split("# 64 x 32")
            .next()
            .unwrap()
    );
    let bench = Bench::new(&[
        ("good.toml", SPEC),
        ("misspelt.toml", &misspelt),
        ("unknown.toml", &unknown),
        ("wrong.toml", &wrong),
        ("large.toml", &large),
        ("crossed.toml", &crossed),
    ]);
    for (name, spec, at, message) in [
        (
            "misspelt",
            &misspelt,
            "hiden",
            "did you mean `arms[gated].set.model.hidden`?",
        ),
        (
            "unknown",
            &unknown,
            "gated_mlp",
            "did you mean `gated-mlp`?",
        ),
        (
            "wrong",
            &wrong,
            "gate = 1",
            "must be `true` or `false`, not 1",
        ),
        (
            "large",
            &large,
            "5000",
            "is 5000; it must be from 1 to 4096",
        ),
        (
            "crossed",
            &crossed,
            "model.gat",
            "did you mean `model.gate`?",
        ),
    ] {
        let (_, err) = bench.run(&format!("check {name}.toml"), 2);
        let place = format!("{name}.toml:{}", line_of(spec, at));
        assert!(err.contains(&place), "no `{place}` in {err}");
        assert!(err.contains(message), "no `{message}` in {err}");
    }
    bench.run("check good.toml", 0);
    let (_, err) = bench.run("run good.toml --set model.hidde=3", 2);
    assert!(err.contains("`--set model.hidde=3`"), "{err}");
    assert!(err.contains("did you mean `model.hidden`?"), "{err}");
}

fn probes_need_blocks_of_the_zoo() {
    let with = |probe: &str| changed("seeds = 10", &format!("seeds = 10\nprobes = [\"{probe}\"]"));
    let bench = Bench::new(&[
        ("saturation.toml", &with("saturation")),
        ("gap.toml", &short(&with("train_test_gap"))),
        (
            "norm.toml",
            &changed("epochs = 10", "epochs = 10\nmax_norm = 2.0"),
        ),
    ]);
    let (_, err) = bench.run("check saturation.toml", 2);
    let says = "has `saturation`, which needs the blocks of `mlp` or `cnn`; for models of kind `gated-mlp`";
    assert!(err.contains(says), "{err}");
    let (_, err) = bench.run("check norm.toml", 2);
    assert!(
        err.contains("models of kind `gated-mlp` do not have"),
        "{err}"
    );
    bench.run("run gap.toml -q --results out", 0);
    assert!(
        bench
            .text("out/gap/runs.jsonl")
            .contains("\"train_accuracy\"")
    );
}

/// One cell per job, so that a run can be stopped between jobs.
const SLOW: &str = "run gated-mlp.toml -q --replicas 1 --jobs 1";

fn killed_run_continues_to_the_same_bytes() {
    let bench = Bench::new(&[("gated-mlp.toml", SPEC)]);
    let mut run: Child = bench
        .command(&format!("{SLOW} --results out"))
        .spawn()
        .unwrap();
    let journal = bench.path("out/gated-mlp/.cells.jsonl");
    let started = Instant::now();
    while fs::metadata(&journal).map_or(0, |file| file.len()) == 0 {
        assert_eq!(run.try_wait().unwrap(), None, "the run ended too early");
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "no record came"
        );
        std::thread::yield_now();
    }
    run.kill().unwrap();
    assert_eq!(run.wait().unwrap().code(), None);
    let records = bench.text("out/gated-mlp/.cells.jsonl").lines().count();
    assert!((1..20).contains(&records), "{records}");
    let (_, err) = bench.run("run gated-mlp.toml --results out", 0);
    assert!(!err.contains("trained 20 cells"), "{err}");
    // The workers are this program too.
    bench.run("run gated-mlp.toml -q --isolate --results isolated", 0);
    let records = |folder: &str| bench.text(&format!("{folder}/gated-mlp/runs.jsonl"));
    assert!(records("out") == records("isolated"), "other bytes");
    let (out, _) = bench.run("verify gated-mlp.toml --cells 2 --results out", 0);
    assert!(out.contains("reproduced 2 of 2 cells bit for bit"), "{out}");
    bench.run("report --check gated-mlp.toml --results out", 0);
    let (out, _) = bench.run("plan gated-mlp.toml --results out", 0);
    assert!(out.contains("gated-mlp"), "{out}");
    let report = bench.text("out/gated-mlp/report.md");
    assert!(report.contains("Net of kind `gated-mlp`"), "{report}");
}

fn new_model_runs_as_written() {
    let bench = Bench::new(&[]);
    let new = |name: &str| {
        let mut ablate = Command::new(env!("CARGO_BIN_EXE_ablate"));
        let ablate = ablate.current_dir(bench.0.path());
        let done = ablate.args(["new", name, "--from", "model"]).output();
        assert!(done.unwrap().status.success());
    };
    new("my-net");
    let written = bench.text("my-net.rs");
    assert_eq!(
        written,
        include_str!("../../src/cli/templates/model.rs.in"),
        "it is compiled here"
    );
    for (arguments, part) in [
        ("check my-net.toml", "2 arms, 1 contrast"),
        (
            "run my-net.toml --set train.epochs=1 --seeds 2",
            "two against one",
        ),
    ] {
        let mut program = bench.command(arguments);
        let done = program.env(AS_PROGRAM, NEW_MODEL).output().unwrap();
        let out = String::from_utf8(done.stdout).unwrap();
        assert!(
            done.status.success() && out.contains(part),
            "{arguments}: {out}"
        );
    }
    new("other");
    for file in ["other.rs", "other.toml"] {
        let text = bench.text(file);
        assert!(text.contains("other") && !text.contains("my-net"), "{text}");
    }
}

/// Finding and verdict of the contrast, and the mean difference.
fn verdict(bench: &Bench, experiment: &str) -> (String, f64) {
    let summary = bench.text(&format!("out/{experiment}/summary.json"));
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let contrast = &summary["contrasts"][0];
    let decision = &contrast["decision"];
    let words = format!("{}, {}", decision["finding"], decision["verdict"]);
    (words, decision["mean"].as_f64().unwrap())
}

fn plain_modules_give_the_same_verdict() {
    let plain = changed("kind = \"gated-mlp\"", "kind = \"plain-gated-mlp\"");
    let bench = Bench::new(&[("stacked.toml", SPEC), ("plain.toml", &plain)]);
    for name in ["stacked", "plain"] {
        bench.run(&format!("run {name}.toml -q --results out"), 0);
    }
    let [stacked, plain] = ["stacked", "plain"].map(|name| verdict(&bench, name));
    assert!(stacked.0.contains("supported"), "{stacked:?}");
    assert_eq!(stacked.0, plain.0);
    // The nets start with the same weights and see the same batches; only rounding differs.
    assert!((stacked.1 - plain.1).abs() < 0.3, "{stacked:?} {plain:?}");
    // A stack of plain modules trains each seed as it would alone.
    bench.run("run plain.toml -q --replicas 1 --results alone", 0);
    assert_eq!(
        fs::read(bench.path("out/plain/runs.jsonl")).unwrap(),
        fs::read(bench.path("alone/plain/runs.jsonl")).unwrap()
    );
}

fn changed_keys_are_trained_again() {
    let bench = Bench::new(&[("gated-mlp.toml", &short(SPEC))]);
    let run = || bench.run("run gated-mlp.toml --results out", 0).1;
    assert!(run().contains("trained 4 cells"));
    assert!(run().contains("reused 4"));
    let other = short(&changed("hidden = 60", "hidden = 61"));
    fs::write(bench.path("gated-mlp.toml"), other).unwrap();
    let err = run();
    assert!(
        err.contains("trained 2 cells") && err.contains("reused 2"),
        "{err}"
    );
}

fn registered_data_are_trained_on() {
    let rings = changed("name = \"digits\"", "name = \"rings\"").replace("seeds = 10", "seeds = 2");
    let wrong = changed("name = \"digits\"", "name = \"ring\"");
    let bench = Bench::new(&[("rings.toml", &rings), ("wrong.toml", &wrong)]);
    let (_, err) = bench.run("check wrong.toml", 2);
    assert!(err.contains("did you mean `rings`?"), "{err}");
    bench.run("run rings.toml -q --isolate --results out", 0);
    let text = bench.text("out/rings/summary.json");
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let accuracy = summary["arms"][0]["test"]["accuracy"]["mean"].as_f64();
    assert!(accuracy.unwrap() > 90.0, "{text}");
    let (out, _) = bench.run("data list", 0);
    assert!(out.contains("Two rings"), "{out}");
    assert!(bench.text("out/rings/provenance.json").contains("rings"));
}
