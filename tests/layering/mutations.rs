//! Small sources that break each rule.

use super::rules;
use super::source::Source;

fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    (files.iter())
        .map(|(name, text)| Source::new(name, text))
        .collect()
}

/// Checks that `rule` accepts `good` and reports one violation that contains `part` in `bad`.
fn assert_caught(
    rule: fn(&[Source]) -> Vec<String>,
    good: &[(&str, &str)],
    bad: &[(&str, &str)],
    part: &str,
) {
    assert_eq!(rule(&sources(good)), Vec::<String>::new());
    let found = rule(&sources(bad));
    assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
}

#[test]
fn cycle_between_modules_is_caught() {
    let plan = ("src/plan/mod.rs", "use crate::spec::Spec;");
    assert_caught(
        rules::module_cycles,
        &[plan, ("src/spec/mod.rs", "// use crate::plan::Plan;")],
        &[
            plan,
            (
                "src/spec/a/b.rs",
                "fn f() { super::super::super::plan::g() }",
            ),
        ],
        "plan <-> spec",
    );
}

#[test]
fn cycle_between_files_is_caught() {
    let lib = ("models/src/lib.rs", "mod block; mod norm;");
    let block = (
        "models/src/block.rs",
        "use crate::norm::Norm; pub struct Block(Norm);",
    );
    assert_caught(
        rules::file_cycles,
        &[lib, block, ("models/src/norm.rs", "pub struct Norm;")],
        &[
            lib,
            block,
            ("models/src/norm.rs", "use super::block::{self, Block};"),
        ],
        "models/src/block.rs <-> models/src/norm.rs",
    );
}

#[test]
fn unhashed_import_is_caught() {
    assert_caught(
        rules::unhashed_uses,
        &[(
            "src/training/src/train/mod.rs",
            "use crate::{data, recipe::Probe}; use ablate_models::norm;",
        )],
        &[(
            "src/training/src/train/probes/a.rs",
            "use ablate::stats::gini;",
        )],
        "src/training/src/train/probes/a.rs uses ablate",
    );
    assert_caught(
        rules::unhashed_uses,
        &[(
            "models/src/norm.rs",
            "use ablate_kernels::cpu; use crate::block;",
        )],
        &[("models/src/norm.rs", "use ablate::stats::gini;")],
        "uses ablate",
    );
}

#[test]
fn second_home_of_comparison_is_caught() {
    let home = ("src/compare/parity.rs", "pub struct Parity;");
    let cli = ("src/cli/compare.rs", "use crate::compare::parity;");
    for (bad, part) in [
        (
            ("src/report/devices.rs", "use crate::compare::Parity;"),
            "uses crate::compare",
        ),
        (("src/report/backends.rs", ""), "has backends"),
        (
            ("src/analysis/speed.rs", "struct SpeedOfBackends;"),
            "has speed_of_backends",
        ),
    ] {
        assert_caught(
            rules::second_homes_of_comparison,
            &[home, cli],
            &[home, cli, bad],
            part,
        );
    }
}

#[test]
fn side_effects_of_models_are_caught() {
    for bad in [
        "use std::{fs, fmt};",
        "fn f() { println!() }",
        "fn f() { device.seed(3) }",
    ] {
        let good = &[("models/src/a.rs", "use std::fmt;")];
        assert_caught(
            rules::model_side_effects,
            good,
            &[("models/src/a.rs", bad)],
            "a.rs",
        );
    }
    let good = &[("models/src/a.rs", "use ablate_streams::Stream;")];
    let bad = &[("models/src/a.rs", "use ablate::spec;")];
    assert_caught(rules::suite_in_models, good, bad, "a.rs");
}

#[test]
fn forbidden_uses_in_the_suite_are_caught() {
    type Rule = fn(&[Source]) -> Vec<String>;
    for (rule, allowed, name, text) in [
        (
            rules::burn_elsewhere as Rule,
            "src/training/src/train/a.rs",
            "src/plan/a.rs",
            "use burn::Tensor;",
        ),
        (
            rules::impure_statistics,
            "src/analysis/a.rs",
            "src/stats/a.rs",
            "use crate::record::X;",
        ),
        (
            rules::impure_statistics,
            "src/analysis/a.rs",
            "src/stats/a.rs",
            "use std::fs;",
        ),
        (
            rules::impure_statistics,
            "src/analysis/a.rs",
            "src/stats/a.rs",
            "use ablate_models::X;",
        ),
        (
            rules::reports_that_train,
            "src/cli/a.rs",
            "src/plot/a.rs",
            "use crate::train::X;",
        ),
        (
            rules::command_line_elsewhere,
            "src/bin/a.rs",
            "src/run/a.rs",
            "use crate::cli::X;",
        ),
        (
            rules::printing_elsewhere,
            "src/cli/a.rs",
            "src/run/a.rs",
            "fn f() { eprintln!() }",
        ),
        (
            rules::printing_elsewhere,
            "src/cli/a.rs",
            "src/run/a.rs",
            "use clap::Parser;",
        ),
        (
            rules::plotters_elsewhere,
            "src/plot/a.rs",
            "src/report/a.rs",
            "use plotters::X;",
        ),
        (
            rules::processes_elsewhere,
            "src/worker/a.rs",
            "src/plan/a.rs",
            "use std::process::Command;\nfn f() {\n    Command::new(\"sh\");\n}\n",
        ),
        (
            rules::suite_in_programs,
            "src/cli/a.rs",
            "src/program/a.rs",
            "use crate::spec::Spec;",
        ),
    ] {
        assert_caught(rule, &[(allowed, text)], &[(name, text)], name);
    }
}

#[test]
fn long_file_is_caught() {
    let short = "// A comment.\n\nuse a;\n".repeat(400);
    let long = "use a;\n".repeat(401);
    let (short, long) = ([("src/a.rs", &*short)], [("src/a.rs", &*long)]);
    assert_caught(rules::long_files, &short, &long, "401 lines");
}
