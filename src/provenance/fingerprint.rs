//! A fingerprint of the code that determines the numbers.
//!
//! It is part of every cell's id, so a change that could move a number retrains, while one to a
//! comment, a test or a report does not. The build script computes it from the sources; the tests
//! of the library share this file.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where the code is that determines the numbers; a file or a folder, missing ones are left out.
const ROOTS: [&str; 7] = [
    "models/streams/src",
    "models/kernels/src",
    "models/src",
    "src/data",
    "src/data.rs",
    "src/train",
    "src/train.rs",
];

/// Crates that compute numbers, with all whose names continue theirs after a `-`.
const CRATES: [&str; 9] = [
    "burn",
    "cubecl",
    "cubek",
    "gemm",
    "libm",
    "macerator",
    "matrixmultiply",
    "ndarray",
    "pulp",
];

/// SHA-256, in hexadecimal digits, over the sources below `root` and the versions that `lock` (the
/// text of `Cargo.lock`) gives to the crates they compute with.
pub(crate) fn fingerprint(root: &Path, lock: &str) -> io::Result<String> {
    let mut files = Vec::new();
    for name in ROOTS {
        collect(&root.join(name), name, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for (name, path) in files {
        let bytes = fs::read(path)?;
        let content = match std::str::from_utf8(&bytes) {
            Ok(text) if name.ends_with(".rs") => essence(text).into_bytes(),
            _ => bytes,
        };
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    }
    hash.update(versions(lock));
    Ok(format!("{:x}", hash.finalize()))
}

/// Adds the files at and below `path` as pairs of a name that is the same on every system and a
/// path. Notes in Markdown and files of tests determine nothing.
fn collect(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            collect(&entry.path(), &below, files)?;
        }
    } else if path.is_file() && !name.ends_with(".md") && !name.ends_with("/tests.rs") {
        files.push((name.to_owned(), path.to_owned()));
    }
    Ok(())
}

/// `source` without lines that are comments, without a test module at its end, and with one space
/// wherever there is white space.
///
/// Lines are looked at one by one, so a line of a string literal that starts with `//` is dropped
/// too.
pub(crate) fn essence(source: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let end = tests_at_the_end(&lines).unwrap_or(lines.len());
    let words = (lines[..end].iter())
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// The line of the `#[cfg(test)]` of a `mod tests` with nothing behind it.
fn tests_at_the_end(lines: &[&str]) -> Option<usize> {
    let start = lines.iter().rposition(|line| *line == "#[cfg(test)]")?;
    let mut rest = lines[start + 1..]
        .iter()
        .skip_while(|line| line.starts_with("#["));
    let head = *rest.next()?;
    if head.starts_with("mod tests {") {
        // A `}` in the first column is the module's own, or one within a literal: then the tests
        // stay in, which costs a training at worst.
        rest.find(|line| **line == "}")?;
    } else if head != "mod tests;" {
        return None;
    }
    rest.all(|line| line.trim().is_empty()).then_some(start)
}

/// Names and versions of the locked [`CRATES`], one a line, in the order of the lock file.
pub(crate) fn versions(lock: &str) -> String {
    let value = |line: &str, key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(value.strip_suffix('"')?.to_owned())
    };
    let computes = |name: &str| {
        CRATES.iter().any(|family| {
            let rest = name.strip_prefix(family);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let mut name = String::new();
    let mut found = String::new();
    for line in lock.lines() {
        if let Some(next) = value(line, "name") {
            name = next;
        } else if let Some(version) = value(line, "version")
            && computes(&name)
        {
            found += &format!("{name} {version}\n");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "fn f() -> u8 {\n    1 + 1\n}\n";

    #[test]
    fn comments_tests_and_white_space_do_not_count() {
        let dressed = concat!(
            "//! About the file.\n\n/// About `f`.\r\n#[cfg(test)]\nuse x;\n",
            "fn f() -> u8 {\n\t// Why.\n        1 + 1\n}\n\n",
            "#[cfg(test)]\n#[expect(unused)]\nmod tests {\n    fn t() {}\n}\n\n",
        );
        assert_eq!(
            essence(dressed),
            format!("#[cfg(test)] use x; {}", essence(CODE))
        );
        assert_eq!(essence(CODE), "fn f() -> u8 { 1 + 1 }");
        assert_eq!(
            essence(&format!("{CODE}#[cfg(test)]\nmod tests;\n")),
            essence(CODE)
        );
    }

    #[test]
    fn code_counts_wherever_it_stands() {
        assert_ne!(essence(&CODE.replace('+', "-")), essence(CODE));
        for behind in ["fn g() {}\n", "    mod inner;\n"] {
            let text = format!("{CODE}#[cfg(test)]\nmod tests {{\n    fn t() {{}}\n}}\n{behind}");
            assert!(essence(&text).ends_with(behind.trim()), "{text}");
        }
        let helper = format!("{CODE}#[cfg(test)]\nfn only_in_tests() {{}}\n");
        assert!(essence(&helper).contains("only_in_tests"));
        let trailing = CODE.replace("1 + 1", "1 + 1 // two");
        assert_ne!(
            essence(&trailing),
            essence(CODE),
            "only whole lines are comments"
        );
    }

    #[test]
    fn versions_are_those_of_crates_that_compute() {
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        let lock = [
            "version = 4\n\n".to_owned(),
            package("ablate", "0.1.0"),
            package("burn", "0.22.1"),
            package("burn-flex", "0.22.1"),
            package("burner", "1.0.0"),
            package("serde", "1.0.0"),
        ]
        .concat();
        assert_eq!(versions(&lock), "burn 0.22.1\nburn-flex 0.22.1\n");
    }

    #[test]
    fn a_fingerprint_changes_with_code_data_and_versions_and_with_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let now = |lock: &str| fingerprint(dir.path(), lock).unwrap();
        write("models/src/norm.rs", CODE);
        write("src/train/mod.rs", CODE);
        write("src/data/digits.bin", "1 2");
        let before = now("");

        write("models/src/norm.rs", &format!("// A comment.\n{CODE}"));
        write("models/src/norm/tests.rs", CODE);
        write("src/data/README.md", "Where the digits come from.");
        write("src/report/mod.rs", CODE);
        assert_eq!(now(""), before);

        assert_ne!(now("name = \"burn\"\nversion = \"0.22.2\"\n"), before);
        write("src/data/digits.bin", "1  2");
        let data = now("");
        assert_ne!(data, before);
        write("src/train/sgd.rs", CODE);
        assert_ne!(now(""), data);
    }

    #[test]
    fn the_program_carries_the_fingerprint_of_its_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
        assert_eq!(
            fingerprint(root, &lock).unwrap(),
            env!("ABLATE_FINGERPRINT")
        );
    }
}
