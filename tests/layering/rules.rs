//! The rules, as functions from sources to violations.

use super::graph::{cycles, of_files, of_modules};
use super::source::{Source, below, words};
use std::collections::BTreeSet;

/// Most lines of code per file, comments, blank lines and tests aside.
const MAX_LINES: usize = 400;

/// Macros and functions that print.
const PRINTERS: [&str; 7] = [
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
    "stdout()",
    "stderr()",
];

/// Crates that talk to a terminal.
const TERMINAL: [&str; 5] = ["clap", "clap_complete", "ctrlc", "env_logger", "indicatif"];

/// Modules of the standard library that do IO or read a clock.
const SYSTEM: [&str; 6] = ["env", "fs", "io", "net", "process", "time"];

/// The crates whose code is hashed.
const HASHED_CRATES: [&str; 4] = [
    "ablate_kernels",
    "ablate_models",
    "ablate_streams",
    "ablate_training",
];

/// Modules that may name the comparison of devices besides itself.
const MAY_COMPARE: [&str; 2] = ["cli", "worker"];

/// Words of the comparison of devices that name nothing elsewhere.
const COMPARISON: [&str; 5] = [
    "backends",
    "parity",
    "stopwatch",
    "side_by_side",
    "device_comparison",
];

/// Cycles among the top-level modules of `src`.
pub(crate) fn module_cycles(src: &[Source]) -> Vec<String> {
    let cycles = cycles(&of_modules(src));
    cycles
        .into_iter()
        .map(|cycle| cycle.join(" <-> "))
        .collect()
}

/// Cycles among the files of one crate.
pub(crate) fn file_cycles(krate: &[Source]) -> Vec<String> {
    let cycles = cycles(&of_files(krate));
    cycles
        .into_iter()
        .map(|cycle| cycle.join(" <-> "))
        .collect()
}

/// Names from hashed sources that lead to code that is not hashed.
pub(crate) fn unhashed_uses(hashed: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in hashed {
        let own = |word: &str| word == "ablate" || word.starts_with("ablate_");
        let crates: BTreeSet<&str> = words(&source.code).filter(|word| own(word)).collect();
        for name in crates
            .into_iter()
            .filter(|name| !HASHED_CRATES.contains(name))
        {
            found.push(format!("{} uses {name}", source.name));
        }
    }
    found
}

/// Uses of the comparison of devices outside its home, and second homes of it.
pub(crate) fn second_homes_of_comparison(src: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in src.iter().filter(|s| s.top() != "compare") {
        if !MAY_COMPARE.contains(&source.top()) && source.modules().contains("compare") {
            found.push(format!("{} uses crate::compare", source.name));
        }
        let at_home = |word: &String| COMPARISON.iter().any(|name| word.contains(name));
        let path = source.module().into_iter();
        let defined = definitions(&source.code).into_iter().map(snake_case);
        let names: BTreeSet<String> = path.chain(defined).filter(at_home).collect();
        if !MAY_COMPARE.contains(&source.top()) {
            found.extend(
                names
                    .iter()
                    .map(|name| format!("{} has {name}", source.name)),
            );
        }
    }
    found
}

/// Names of the modules and types that `code` defines.
fn definitions(code: &str) -> Vec<&str> {
    const KEYWORDS: [&str; 4] = ["mod", "struct", "enum", "trait"];
    let words: Vec<&str> = words(code).collect();
    let pairs = words.windows(2).filter(|pair| KEYWORDS.contains(&pair[0]));
    pairs.map(|pair| pair[1]).collect()
}

/// `SpeedOfBackends` as `speed_of_backends`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// IO, printing, clocks and global seeds in the crates under `models/`.
pub(crate) fn model_side_effects(models: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in models {
        let std = below(&source.code, "std");
        for module in SYSTEM.iter().filter(|module| std.contains(**module)) {
            found.push(format!("{} uses std::{module}", source.name));
        }
        if prints(source) {
            found.push(format!("{} prints", source.name));
        }
        if source.code.contains(".seed(") || source.code.contains("::seed(") {
            found.push(format!("{} seeds a global generator", source.name));
        }
    }
    found
}

/// Uses of the suite in the crates under `models/`.
pub(crate) fn suite_in_models(models: &[Source]) -> Vec<String> {
    named(models.iter().filter(|source| source.names("ablate")))
}

/// Uses of burn outside `train`, `device`, `data` and `compare`. A comparison of devices looks at
/// gradients and parameters of single steps, as training does.
pub(crate) fn burn_elsewhere(src: &[Source]) -> Vec<String> {
    outside(src, &["train", "device", "data", "compare"], |source| {
        words(&source.code).any(|word| word == "burn" || word.starts_with("burn_"))
    })
}

/// Uses of anything but `stats` itself and the random streams in `stats`.
pub(crate) fn impure_statistics(src: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in src.iter().filter(|s| s.top() == "stats") {
        let others = source.modules().into_iter().filter(|m| m != "stats");
        found.extend(others.map(|m| format!("{} uses crate::{m}", source.name)));
        let zoo = ["ablate_models", "ablate_kernels"].into_iter();
        let zoo = zoo.filter(|krate| source.names(krate));
        found.extend(zoo.map(|krate| format!("{} uses {krate}", source.name)));
        let std = below(&source.code, "std");
        let system = SYSTEM.iter().filter(|module| std.contains(**module));
        found.extend(system.map(|module| format!("{} uses std::{module}", source.name)));
    }
    found
}

/// Uses of training, running, devices, data and the command line in reports and figures.
pub(crate) fn reports_that_train(src: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in src.iter().filter(|s| ["report", "plot"].contains(&s.top())) {
        let modules = source.modules();
        for module in ["train", "run", "device", "data", "cli"] {
            if modules.contains(module) {
                found.push(format!("{} uses crate::{module}", source.name));
            }
        }
    }
    found
}

/// Uses of the command line outside it and the program.
pub(crate) fn command_line_elsewhere(src: &[Source]) -> Vec<String> {
    outside(src, &["cli", "bin", "lib"], |source| {
        source.modules().contains("cli")
    })
}

/// Printing, and crates that talk to a terminal, outside the command line.
pub(crate) fn printing_elsewhere(src: &[Source]) -> Vec<String> {
    outside(src, &["cli"], |source| {
        prints(source) || TERMINAL.iter().any(|name| source.names(name))
    })
}

/// Uses of plotters outside `plot` and the figures of the comparison of devices.
pub(crate) fn plotters_elsewhere(src: &[Source]) -> Vec<String> {
    outside(src, &["plot"], |source| {
        source.names("plotters") && !source.name.starts_with("src/compare/figures/")
    })
}

/// Starting of processes outside `program`, `worker`, `cluster`, which asks queues, `provenance`, which asks git, and
/// `fetch`, which downloads; tests aside.
pub(crate) fn processes_elsewhere(src: &[Source]) -> Vec<String> {
    let may = ["program", "worker", "cluster", "provenance", "fetch"];
    outside(src, &may, |source| {
        source.code.contains("Command::new")
            && source.names("std")
            && below(&source.code, "std").contains("process")
    })
}

/// Uses of the suite around it in the trainer of programs.
pub(crate) fn suite_in_programs(src: &[Source]) -> Vec<String> {
    const MAY_USE: [&str; 5] = ["program", "recipe", "record", "text", "trainer"];
    let mut found = Vec::new();
    for source in src.iter().filter(|s| s.top() == "program") {
        let others = source.modules().into_iter();
        let others = others.filter(|module| !MAY_USE.contains(&module.as_str()));
        found.extend(others.map(|m| format!("{} uses crate::{m}", source.name)));
    }
    found
}

/// Files with more code than fits one idea.
pub(crate) fn long_files(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| {
        let lines = source.code.lines().filter(|line| !line.trim().is_empty());
        lines.count()
    };
    let long = sources.iter().map(|source| (source, lines(source)));
    long.filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(source, lines)| format!("{} has {lines} lines", source.name))
        .collect()
}

fn prints(source: &Source) -> bool {
    PRINTERS.iter().any(|call| source.code.contains(call))
}

/// Names of the sources outside the modules `allowed` for which `breaks` holds.
fn outside(src: &[Source], allowed: &[&str], breaks: impl Fn(&Source) -> bool) -> Vec<String> {
    named(
        src.iter()
            .filter(|source| !allowed.contains(&source.top()) && breaks(source)),
    )
}

fn named<'a>(sources: impl Iterator<Item = &'a Source>) -> Vec<String> {
    sources.map(|source| source.name.clone()).collect()
}
