//! Experiments of programs.

use super::*;
use crate::recipe::{MetricSource, ProgramRecipe};
use std::path::PathBuf;

const PROGRAM: &str = r#"title = "T"
question = "Q?"
reading = "R."
seeds = 4

[program]
command = ["python3", "train.py", "--seed={seed}", "{args}", "{set.size}", "{arm}"]
env = { N = "{threads}", SIZE = "{set.size}" }
learning_rate = 0.1
metrics = { stdout = "jsonl" }
timeout = "1.5min"

[set]
size = 8

[metrics.accuracy]
better = "higher"
from = "share"

[metrics.loss]
better = "lower"
unit = "nats"

[[arms]]
name = "small"

[[arms]]
name = "large"
args = ["--wide", "{seed}"]
set.size = 64

[[contrasts]]
name = "c"
treatment = "large"
control = "small"
metric = "accuracy"
expect = "better"
margin = 0.5
"#;

fn recipe(arm: &Arm) -> &ProgramRecipe {
    arm.recipe.program().unwrap()
}

#[test]
fn what_is_known_of_an_arm_is_filled_in() {
    let spec = parse(PROGRAM).unwrap();
    let [small, large] = &spec.arms[..] else {
        panic!("two arms")
    };
    let words = ["python3", "train.py", "--seed={seed}", "8", "small"];
    assert_eq!(recipe(small).command, words);
    let words = [
        "python3",
        "train.py",
        "--seed={seed}",
        "--wide",
        "{seed}",
        "64",
        "large",
    ];
    assert_eq!(recipe(large).command, words);
    assert_eq!(recipe(large).env["SIZE"], "64");
    assert_eq!(recipe(large).env["N"], "{threads}");
    assert_eq!(recipe(large).set["size"], 64);
    assert_eq!(recipe(large).timeout, Some(90.0));
    assert_eq!(recipe(large).metrics, ["accuracy", "loss"]);
    assert_eq!(recipe(large).directory, PathBuf::from("experiments/."));
    assert_eq!(large.learning_rates, [0.1]);
    let Metric::Program(metric) = &spec.contrasts[0].metric else {
        panic!("a metric of a program")
    };
    assert_eq!((metric.unit.as_str(), metric.shown(0.5)), ("points", 50.0));
    assert_eq!(spec.contrasts[0].metric.scale(), "%");
}

#[test]
fn metrics_survive_json() {
    let spec = parse(PROGRAM).unwrap();
    let text = serde_json::to_string(&spec.contrasts[0]).unwrap();
    let read: Contrast = serde_json::from_str(&text).unwrap();
    assert_eq!(read, spec.contrasts[0]);
}

#[test]
fn factors_set_values_and_arguments() {
    let start = PROGRAM.find("[[arms]]").unwrap();
    let text = format!(
        "{}{}",
        &PROGRAM[..start],
        r#"[[factors]]
name = "size"
key = "set.size"
levels = [8, 16]

[[factors]]
name = "wide"
levels = [{ name = "no" }, { name = "yes", args = ["--wide"], set.size2 = 1 }]

[[contrasts]]
name = "c"
effect = "wide"
treatment = "yes"
control = "no"
metric = "loss"
expect = "better"
margin = 0.5
"#
    );
    let spec = parse(&text).unwrap();
    let names: Vec<&str> = spec.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(
        names,
        ["size-8-no", "size-8-yes", "size-16-no", "size-16-yes"]
    );
    assert_eq!(
        recipe(&spec.arms[3]).command[3..],
        ["--wide", "16", "size-16-yes"]
    );
    assert_eq!(recipe(&spec.arms[3]).set["size2"], 1);
}

#[test]
fn values_may_be_set_from_the_command_line() {
    let spec = parse_with(PROGRAM, &["set.size=7", "program.timeout=3"]).unwrap();
    for arm in &spec.arms {
        assert_eq!(
            (&recipe(arm).set["size"], recipe(arm).timeout),
            (&7.into(), Some(3.0))
        );
    }
}

#[test]
fn single_metric_needs_no_name() {
    let text = PROGRAM.replace("metric = \"accuracy\"\n", "");
    let error = parse(&text).unwrap_err();
    assert_eq!(error.key(), Some("contrasts[c].metric"), "{error}");
    let one = text.replace("[metrics.loss]\nbetter = \"lower\"\nunit = \"nats\"\n", "");
    assert_eq!(parse(&one).unwrap().contrasts[0].metric.name(), "accuracy");
}

#[test]
fn two_groups_of_an_expression_give_a_share() {
    let regex = r"metrics = { regex = { accuracy = '(\d+)/(\d+)', loss = 'loss (\S+)', step = 'step (\d+)' } }";
    let text = PROGRAM.replace("metrics = { stdout = \"jsonl\" }", regex);
    let text = text.replace("from = \"share\"\n", "");
    let spec = parse(&text).unwrap();
    let Metric::Program(metric) = &spec.contrasts[0].metric else {
        panic!("a metric of a program")
    };
    assert_eq!((metric.unit.as_str(), metric.from_share), ("points", true));
    let MetricSource::Regex(patterns) = &recipe(&spec.arms[0]).source else {
        panic!("expressions")
    };
    assert_eq!(patterns.len(), 3);
}

#[test]
fn mistakes_are_reported_with_key_and_advice() {
    for (old, new, key, message) in [
        (
            "{seed}\"",
            "{sed}\"",
            "program.command[2]",
            "did you mean `{seed}`?",
        ),
        (
            "{set.size}\", \"{arm}",
            "{set.sise}\", \"{arm}",
            "program.command[4]",
            "`{set.size}`",
        ),
        (
            "\"{arm}\"",
            "\"{set.depth}\"",
            "program.command[5]",
            "`[set]`",
        ),
        (
            "\"{arm}\"",
            "\"${HOME}\"",
            "program.command[5]",
            "write `{{HOME}}`",
        ),
        (
            "\"{args}\"",
            "\"x{args}\"",
            "program.command[3]",
            "an argument of its own",
        ),
        ("\"{args}\", ", "", "program.command", "has no `{args}`"),
        ("[\"python3\", ", "[\"\", ", "program.command", "is empty"),
        (
            "learning_rate = 0.1",
            "learning_rate = [0.1, 0.2]",
            "program.learning_rate",
            "validation =",
        ),
        (
            "learning_rate = 0.1",
            "validation = \"acuracy\"",
            "program.validation",
            "`accuracy`?",
        ),
        ("\"1.5min\"", "\"soon\"", "program.timeout", "`2h`"),
        (
            "\"1.5min\"",
            "3\npaired = \"yes\"",
            "program.paired",
            "`\"auto\"`",
        ),
        (
            "\"1.5min\"",
            "3\ninputs = [\"no-such-file\"]",
            "program.inputs[0]",
            "matches no file",
        ),
        (
            "\"1.5min\"",
            "3\ndirectory = \"no-such-folder\"",
            "program.directory",
            "is no folder",
        ),
        (
            "{ stdout = \"jsonl\" }",
            "{}",
            "program.metrics",
            "give `stdout",
        ),
        (
            "{ stdout = \"jsonl\" }",
            "{ stdout = \"jsonl\", file = \"x\" }",
            "program.metrics",
            "several",
        ),
        (
            "{ stdout = \"jsonl\" }",
            "{ stdout = \"json\" }",
            "program.metrics.stdout",
            "`jsonl`",
        ),
        (
            "{ stdout = \"jsonl\" }",
            "{ regex = { loss = '(' } }",
            "program.metrics.regex.loss",
            "not a regular",
        ),
        (
            "{ stdout = \"jsonl\" }",
            "{ regex = { loss = 'a' } }",
            "program.metrics.regex.loss",
            "0 groups",
        ),
        (
            "{ stdout = \"jsonl\" }",
            "{ regex = { loss = '(a)' } }",
            "program.metrics.regex",
            "`accuracy`",
        ),
        (
            "better = \"higher\"",
            "better = \"high\"",
            "metrics.accuracy.better",
            "`higher`",
        ),
        (
            "from = \"share\"",
            "from = \"share\"\nunit = \"nats\"",
            "metrics.accuracy.from",
            "points",
        ),
        (
            "metric = \"accuracy\"",
            "metric = \"acuracy\"",
            "contrasts[c].metric",
            "`accuracy`?",
        ),
        (
            "metric = \"accuracy\"",
            "metric = \"loss\"\nwhen = \"equal_nll\"",
            "contrasts[c].when",
            "`last`",
        ),
        (
            "set.size = 64",
            "set.size = [64]",
            "arms[large].set.size",
            "must be a string",
        ),
        (
            "[set]",
            "[data]\nname = \"digits\"\n[set]",
            "data",
            "belongs to nets",
        ),
        (
            "N = ",
            "ABLATE_SEED = ",
            "program.env.ABLATE_SEED",
            "reserved",
        ),
        (
            "timeout",
            "timeuot",
            "program.timeuot",
            "did you mean `program.timeout`?",
        ),
    ] {
        assert!(PROGRAM.contains(old), "{old}");
        let Err(error) = parse(&PROGRAM.replacen(old, new, 1)) else {
            panic!("{new} is accepted");
        };
        assert_eq!(error.key(), Some(key), "{new}: {error}");
        assert!(error.message().contains(message), "{new}: {error}");
    }
}

#[test]
fn tables_of_programs_need_a_program() {
    for (text, key) in [
        ("[set]\na = 1", "set"),
        ("[metrics.a]\nbetter = \"lower\"", "metrics"),
    ] {
        let error = parse(&format!("{BASE}\n{text}\n")).unwrap_err();
        assert_eq!(error.key(), Some(key), "{error}");
        assert!(error.message().contains("has no `[program]`"), "{error}");
    }
    let args = BASE.replacen(
        "name = \"no-bias\"",
        "name = \"no-bias\"\nargs = [\"x\"]",
        1,
    );
    let error = parse(&args).unwrap_err();
    assert_eq!(error.key(), Some("arms[no-bias].args"), "{error}");
}
