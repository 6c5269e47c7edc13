//! Sources without comments, literals and tests, and the paths that they name.

use super::fingerprint::test_items;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules that only tests use although they are compiled into the library.
const ONLY_TESTS: [&str; 4] = ["tests", "fixture", "simulation", "broken"];

/// One source file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Path from the root of the project, with `/`.
    pub(crate) name: String,
    /// Code.
    pub(crate) code: String,
}

impl Source {
    /// The source `text` of the file `name`.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            code: code(text),
        }
    }

    /// The top-level module of its crate that holds it: `stats` for `src/stats/holm.rs`.
    pub(crate) fn top(&self) -> &str {
        let first = self.below_src();
        let first = first.split('/').next().unwrap_or(first);
        first.trim_end_matches(".rs")
    }

    /// Its module path in its crate; empty for `lib.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let below = self.below_src();
        let stem = below.strip_suffix(".rs").unwrap_or(below);
        let mut path: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if ["mod", "lib", "main"].contains(&path[path.len() - 1].as_str()) {
            path.pop();
        }
        path
    }

    /// Its path in its crate.
    fn below_src(&self) -> &str {
        self.name
            .rsplit_once("src/")
            .map_or(&*self.name, |(_, below)| below)
    }

    /// Whether it contains the identifier `word`.
    pub(crate) fn names(&self, word: &str) -> bool {
        words(&self.code).any(|w| w == word)
    }

    /// The top-level modules of its crate that it names.
    pub(crate) fn modules(&self) -> BTreeSet<String> {
        let mut found = below(&self.code, "crate");
        let depth = self.module().len();
        if depth > 0 {
            found.extend(below(&self.code, &vec!["super"; depth].join("::")));
        }
        found
    }
}

/// The identifiers and numbers of `code`.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

/// The names that follow `path::` in `code`, alone or as the heads of a group in braces.
pub(crate) fn below(code: &str, path: &str) -> BTreeSet<String> {
    let code = joined(code);
    let mut found = BTreeSet::new();
    for (at, lead) in code.match_indices(&format!("{path}::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + lead.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(
                items(group)
                    .iter()
                    .filter_map(|item| words(item).next())
                    .map(str::to_owned),
            ),
            None => found.extend(words(rest).next().map(str::to_owned)),
        }
    }
    found
}

/// `code` on one line, without spaces around `::`.
pub(crate) fn joined(code: &str) -> String {
    let code: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    code.replace(" ::", "::").replace(":: ", "::")
}

/// The items of a group, up to the brace that closes it.
pub(crate) fn items(group: &str) -> Vec<&str> {
    let (mut depth, mut start) = (1, 0);
    let mut items = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            items.push(group[start..at].trim());
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// `text` without items for tests, comments, and the content of literals.
pub(crate) fn code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut kept = vec![true; lines.len()];
    for (start, end) in test_items(&lines) {
        kept[start..=end].fill(false);
    }
    let kept = lines.iter().zip(kept).filter(|(_, kept)| *kept);
    let text: Vec<&str> = kept.map(|(line, _)| *line).collect();
    let text = text.join("\n");
    let mut rest = text.as_str();
    let mut out = String::new();
    while let Some(c) = rest.chars().next() {
        let length = literal_or_comment(rest, out.chars().next_back());
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
fn literal_or_comment(rest: &str, before: Option<char>) -> usize {
    let bytes = rest.as_bytes();
    let upto = |end: Option<usize>| end.unwrap_or(rest.len());
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix('r').filter(|_| !in_word);
    let raw = raw.map(|r| r.trim_start_matches('#'));
    match (bytes[0], bytes.get(1)) {
        (b'/', Some(b'/')) => upto(rest.find('\n')),
        (b'"', _) => quoted(bytes, b'"'),
        // A lifetime has no closing quote after its first letter.
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

/// Bytes up to and including the closing quote, past escaped ones.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Root of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources below `folder` of the project, except for files that only tests use.
pub(crate) fn sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    let sources = paths.into_iter().map(|path| {
        let name = path.strip_prefix(root()).expect("it lies below the root");
        let name = name.to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).expect("sources are text");
        Source::new(&name, &text)
    });
    let mut sources: Vec<Source> = sources.collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!sources.is_empty(), "`{folder}` holds the sources");
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    for entry in entries {
        let path = entry.expect("it can be read").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let only_tests = ONLY_TESTS.contains(&&*stem);
        let is_crate = path.join("Cargo.toml").exists();
        if path.is_dir() && !only_tests && !is_crate {
            collect(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") && !only_tests {
            paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_literals_and_tests_are_not_code() {
        let text = concat!(
            "//! burn\nuse x; // burn\nlet a = \"burn \\\" burn\"; let b = 'b';\n",
            "let c = '\"'; let d = r#\"burn \" burn\"#; fn f<'a>(x: &'a str) {}\n",
            "#[cfg(test)]\nmod tests {\n    use burn;\n}\nfn g() {}\n",
        );
        let found: Vec<String> = words(&code(text)).map(str::to_owned).collect();
        assert_eq!(
            found.join(" "),
            "use x let a let b let c let d fn f a x a str fn g"
        );
    }

    #[test]
    fn modules_are_found_alone_in_groups_and_by_super() {
        let text = "use crate::{\n    run::{fake, lock},\n    spec,\n};\nfn f() -> crate::data::X {}\n\
                    use super::super::train; use super::tost; use my_crate::zoo;";
        let deep = Source::new("src/stats/holm.rs", text);
        let found: Vec<String> = deep.modules().into_iter().collect();
        assert_eq!(found, ["data", "run", "spec", "train"]);
        assert_eq!((deep.top(), deep.module().len()), ("stats", 2));
        let shallow = Source::new("src/device.rs", "use super::cli::Args;");
        assert!(shallow.modules().contains("cli"));
        assert_eq!((shallow.top(), shallow.module().len()), ("device", 1));
        assert_eq!(Source::new("models/src/ops/mod.rs", "").module(), ["ops"]);
    }
}
