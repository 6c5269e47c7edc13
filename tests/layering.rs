//! The rules between the parts of the project, held by reading their sources.
//!
//! Sources are read without comments, without what stands in strings, and without tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Most lines of code in a file, comments, blank lines and tests aside.
const MOST_LINES: usize = 400;

/// What prints, as it is called.
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

/// One source file.
struct Source {
    /// Its path from the root of the project, with `/`.
    name: String,
    /// Its code.
    code: String,
}

impl Source {
    /// The part of `src` that it belongs to: `stats` for `src/stats/holm.rs`, `device` for
    /// `src/device.rs`.
    fn part(&self) -> &str {
        let below = self.name.trim_start_matches("src/");
        let first = below.split('/').next().unwrap_or(below);
        first.trim_end_matches(".rs")
    }

    /// How many modules lie between the root of its crate and it, itself included.
    fn depth(&self) -> usize {
        let below = self.name.split("src/").last().unwrap_or_default();
        let folders = below.matches('/').count();
        let is_folder = below.ends_with("mod.rs") || below.ends_with("lib.rs");
        folders + usize::from(!is_folder)
    }

    fn names(&self, word: &str) -> bool {
        words(&self.code).any(|w| w == word)
    }

    fn prints(&self) -> bool {
        PRINTERS.iter().any(|call| self.code.contains(call))
    }

    /// The modules at the root of its crate that it names.
    fn modules(&self) -> BTreeSet<String> {
        let mut found = below(&self.code, "crate");
        if self.depth() > 0 {
            found.extend(below(&self.code, &vec!["super"; self.depth()].join("::")));
        }
        found
    }
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// The names that follow `path::` in `code`, alone or as the heads of a group in braces.
fn below(code: &str, path: &str) -> BTreeSet<String> {
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = code.replace(" ::", "::").replace(":: ", "::");
    let mut found = BTreeSet::new();
    for (at, lead) in code.match_indices(&format!("{path}::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + lead.len()..];
        let heads = match rest.strip_prefix('{') {
            Some(group) => heads(group),
            None => words(rest).next().into_iter().collect(),
        };
        found.extend(heads.into_iter().map(str::to_owned));
    }
    found
}

/// The first names of the items of a group, up to the brace that closes it.
fn heads(group: &str) -> Vec<&str> {
    let (mut depth, mut start) = (1, 0);
    let mut items = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            items.extend(words(&group[start..at]).next());
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    items
}

/// `text` without its tests, comments, and the content of its literals.
fn code(text: &str) -> String {
    let end = [
        "#[cfg(test)]\nmod tests",
        "#[cfg(test)]\npub(crate) mod tests",
    ]
    .iter()
    .filter_map(|start| text.find(start))
    .min();
    let mut rest = &text[..end.unwrap_or(text.len())];
    let mut out = String::new();
    while let Some(c) = rest.chars().next() {
        let length = literal_or_comment(rest);
        match length {
            0 => out.push(c),
            _ if rest.starts_with("//") => {}
            _ => out.push_str("\"\""),
        }
        rest = &rest[length.max(c.len_utf8())..];
    }
    out
}

/// Bytes of the comment, string or character that `rest` starts with; 0 for anything else.
fn literal_or_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let upto = |end: Option<usize>| end.unwrap_or(rest.len());
    let raw = rest.strip_prefix('r').map(|r| r.trim_start_matches('#'));
    match (bytes[0], bytes.get(1)) {
        (b'/', Some(b'/')) => upto(rest.find('\n')),
        (b'"', _) => quoted(bytes, b'"'),
        // A lifetime has no closing quote behind its first letter.
        (b'\'', Some(b'\\')) => quoted(bytes, b'\''),
        (b'\'', Some(_)) => {
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            if bytes.get(length) == Some(&b'\'') {
                length + 1
            } else {
                0
            }
        }
        (b'r', _) if raw.is_some_and(|r| r.starts_with('"')) => {
            let hashes = rest.len() - 1 - raw.map_or(0, str::len);
            let close = format!("\"{}", "#".repeat(hashes));
            let body = hashes + 2;
            upto(rest[body..].find(&close).map(|at| body + at + close.len()))
        }
        _ => 0,
    }
}

/// Bytes up to and with the closing quote, past escaped ones.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// The sources below `folder` of the project, but for files that only tests use.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    let sources = paths.into_iter().map(|path| {
        let name = path.strip_prefix(root).expect("it lies below the root");
        let text = std::fs::read_to_string(&path).expect("sources are text");
        Source {
            name: name.to_string_lossy().replace('\\', "/"),
            code: code(&text),
        }
    });
    let sources: Vec<Source> = sources.collect();
    assert!(sources.len() > 5, "`{folder}` holds the sources");
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    for entry in entries {
        let path = entry.expect("it can be read").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let only_tests = ["tests", "fixture", "simulation", "broken"].contains(&&*stem);
        if path.is_dir() && !only_tests {
            collect(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") && !only_tests {
            paths.push(path);
        }
    }
}

/// Names of those sources of `src` outside `parts` for which `breaks` holds.
fn outside(parts: &[&str], breaks: impl Fn(&Source) -> bool) -> Vec<String> {
    sources("src")
        .into_iter()
        .filter(|source| !parts.contains(&source.part()) && breaks(source))
        .map(|source| source.name)
        .collect()
}

const NONE: [String; 0] = [];

#[test]
fn the_zoo_does_no_io_prints_nothing_reads_no_clock_and_sets_no_global_seed() {
    for source in sources("models") {
        let std = below(&source.code, "std");
        for module in ["env", "fs", "io", "net", "process", "time"] {
            assert!(!std.contains(module), "{} names std::{module}", source.name);
        }
        assert!(!source.prints(), "{} prints", source.name);
        let seeds = source.code.contains(".seed(") || source.code.contains("::seed(");
        assert!(!seeds, "{} seeds a generator", source.name);
    }
}

#[test]
fn the_zoo_knows_nothing_of_the_suite() {
    let names = |source: &Source| source.names("ablate");
    assert!(!sources("models").iter().any(names));
}

#[test]
fn only_training_devices_data_and_their_comparison_name_burn() {
    // A comparison looks into single steps, at gradients and parameters, as training itself does.
    let named = outside(&["train", "device", "data", "compare"], |source| {
        words(&source.code).any(|word| word == "burn" || word.starts_with("burn_"))
    });
    assert_eq!(named, NONE);
}

#[test]
fn statistics_name_nothing_of_the_project_but_themselves_and_the_streams() {
    for source in sources("src/stats") {
        let allowed = BTreeSet::from(["stats".to_owned()]);
        assert!(source.modules().is_subset(&allowed), "{}", source.name);
        let zoo = below(&source.code, "ablate_models");
        let allowed = BTreeSet::from(["streams".to_owned()]);
        assert!(zoo.is_subset(&allowed), "{}: {zoo:?}", source.name);
        let std = below(&source.code, "std");
        for module in ["env", "fs", "io", "net", "process", "time"] {
            assert!(!std.contains(module), "{} names std::{module}", source.name);
        }
    }
}

#[test]
fn reports_and_figures_read_records_and_never_train() {
    for folder in [
        "src/report",
        "src/plot",
        "src/compare/report",
        "src/compare/figures",
    ] {
        for source in sources(folder) {
            let modules = source.modules();
            for module in ["train", "run", "device", "data", "cli"] {
                assert!(!modules.contains(module), "{} names {module}", source.name);
            }
        }
    }
}

#[test]
fn nothing_names_the_command_line_but_the_program() {
    let named = outside(&["cli", "bin", "lib"], |source| {
        source.modules().contains("cli")
    });
    assert_eq!(named, NONE);
}

#[test]
fn only_the_command_line_prints_and_talks_to_a_terminal() {
    let named = outside(&["cli"], |source| {
        source.prints() || TERMINAL.iter().any(|name| source.names(name))
    });
    assert_eq!(named, NONE);
}

#[test]
fn only_figures_name_plotters() {
    assert_eq!(outside(&["plot"], |source| source.names("plotters")), NONE);
}

#[test]
fn no_file_is_long_before_its_tests() {
    for source in sources("src").iter().chain(&sources("models")) {
        let lines = source.code.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", source.name);
    }
}

#[test]
fn what_stands_in_comments_literals_and_tests_is_not_code() {
    let text = concat!(
        "//! burn\nuse x; // burn\nlet a = \"burn \\\" burn\"; let b = 'b';\n",
        "let c = '\"'; let d = r#\"burn \" burn\"#; fn f<'a>(x: &'a str) {}\n",
        "#[cfg(test)]\nmod tests {\n    use burn;\n}\n",
    );
    let found: Vec<String> = words(&code(text)).map(str::to_owned).collect();
    assert_eq!(
        found.join(" "),
        "use x let a let b let c let d fn f a x a str"
    );
}

#[test]
fn modules_are_found_alone_in_groups_and_from_below() {
    let source = |name: &str, code: &str| Source {
        name: name.into(),
        code: code.into(),
    };
    let text = "use crate::{\n    run::{fake, lock},\n    spec,\n};\nfn f() -> crate::data::X {}\n\
                use super::super::train; use super::tost; use my_crate::zoo;";
    let deep = source("src/stats/holm.rs", text);
    let found: Vec<String> = deep.modules().into_iter().collect();
    assert_eq!(found, ["data", "run", "spec", "train"]);
    assert_eq!((deep.part(), deep.depth()), ("stats", 2));
    let shallow = source("src/device.rs", "use super::cli::Args;");
    assert!(shallow.modules().contains("cli"));
    assert_eq!((shallow.part(), shallow.depth()), ("device", 1));
    assert_eq!(source("models/src/ops/mod.rs", "").depth(), 1);
}
