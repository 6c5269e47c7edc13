//! Fingerprints of the code that determines the numbers.
//!
//! A fingerprint is part of every cell's id. A change that could move a number therefore trains the
//! cell again, while a change to a comment, a test or a report does not. CPU devices have a
//! fingerprint without the code for GPUs, so that work on GPU kernels keeps CPU records valid.
//!
//! The build script computes both from the sources. The tests of the library and of the layering
//! share this file.

use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The sources of the crates whose code determines the numbers. `tests/layering` checks that they
/// use nothing of the project outside this list.
pub(crate) const HASHED: [&str; 4] = [
    "models/streams/src",
    "models/kernels/src",
    "models/src",
    "src/training/src",
];

/// Files and folders among them that only GPU devices run.
const ONLY_GPU: [&str; 3] = [
    "models/kernels/src/gpu",
    "src/training/src/device/cuda.rs",
    "src/training/src/device/wgpu.rs",
];

/// Families of crates that compute numbers: each name, alone or continued after a `-`.
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

/// Families among them that only GPU devices run.
const ONLY_GPU_CRATES: [&str; 2] = ["cubecl", "cubek"];

/// Kind of device that a fingerprint covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Devices that run the CPU kernels.
    Cpu,
    /// All other devices.
    Gpu,
}

/// SHA-256, in hexadecimal, of the hashed sources below `root` and of the versions that `lock` (the
/// text of `Cargo.lock`) gives to the crates that compute.
pub(crate) fn fingerprint(root: &Path, lock: &str, target: Target) -> io::Result<String> {
    let mut hash = Sha256::new();
    for name in hashed(root)? {
        if target == Target::Cpu && ONLY_GPU.iter().any(|path| is_below(&name, path)) {
            continue;
        }
        let bytes = fs::read(root.join(&name))?;
        let content = match std::str::from_utf8(&bytes) {
            Ok(text) if name.ends_with(".rs") => essence(text).into_bytes(),
            _ => bytes,
        };
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    }
    hash.update(versions(lock, target));
    Ok(format!("{:x}", hash.finalize()))
}

/// Paths of the hashed files relative to `root`, with `/`, sorted. Markdown and modules that are
/// compiled for tests only are left out.
pub(crate) fn hashed(root: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    for name in HASHED {
        collect(&root.join(name), name, &mut files)?;
    }
    let mut only_tests = BTreeSet::new();
    for (name, path) in files.iter().filter(|(name, _)| name.ends_with(".rs")) {
        only_tests.extend(test_modules(name, &fs::read_to_string(path)?));
    }
    let counts = |name: &String| {
        let is_test = only_tests.iter().any(|module| {
            let rest = name.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        !is_test && !name.ends_with(".md")
    };
    let mut names: Vec<String> = files.into_iter().map(|(name, _)| name).collect();
    names.retain(counts);
    names.sort();
    Ok(names)
}

/// Whether `name` is the file or folder `path`, or lies below it.
fn is_below(name: &str, path: &str) -> bool {
    let rest = name.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Adds the files at and below `path`, each with a name that is the same on every system.
fn collect(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let below = format!("{name}/{}", entry.file_name().to_string_lossy());
            collect(&entry.path(), &below, files)?;
        }
    } else if path.is_file() {
        files.push((name.to_owned(), path.to_owned()));
    }
    Ok(())
}

/// Paths, without `.rs`, of the modules that the source `text` of the file `name` declares for
/// tests only.
fn test_modules(name: &str, text: &str) -> Vec<String> {
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    let (folder, file) = stem.rsplit_once('/').unwrap_or(("", stem));
    let folder = match file {
        "mod" | "lib" => folder,
        _ => stem,
    };
    let lines: Vec<&str> = text.lines().collect();
    let declared = test_items(&lines).into_iter().filter_map(|(start, _)| {
        let head = lines[start..].iter().find(|line| !is_attribute(line))?;
        let (_, module) = head.split_once("mod ")?;
        Some(format!("{folder}/{}", module.strip_suffix(';')?))
    });
    declared.collect()
}

/// `source` without comment lines and items for tests, and with one space wherever there is white
/// space.
///
/// It works line by line, so a line of a string literal that starts with `//` is dropped too.
pub(crate) fn essence(source: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let mut kept = vec![true; lines.len()];
    for (start, end) in test_items(&lines) {
        kept[start..=end].fill(false);
    }
    let words = (lines.iter().zip(kept))
        .filter(|(line, kept)| *kept && !line.trim_start().starts_with("//"))
        .flat_map(|(line, _)| line.split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// First and last line of every item that is compiled for tests only, from its `#[cfg(test)]` on.
///
/// It expects the layout of rustfmt. An item that it cannot delimit is not listed and stays part of
/// the code, which at worst trains a cell again.
pub(crate) fn test_items(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let end = is_test_attribute(lines[at])
            .then(|| test_item_end(lines, at))
            .flatten();
        match end {
            Some(end) => {
                items.push((at, end));
                at = end + 1;
            }
            None => at += 1,
        }
    }
    items
}

fn is_test_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test,")
}

fn is_attribute(line: &str) -> bool {
    line.trim_start().starts_with("#[")
}

/// The last line of the item whose first attribute is line `start`.
fn test_item_end(lines: &[&str], start: usize) -> Option<usize> {
    let head = (start..lines.len()).find(|&at| !is_attribute(lines[at]))?;
    let line = lines[head];
    if line.ends_with(';') || line.ends_with('}') {
        return Some(head);
    }
    if !line.ends_with('{') {
        return None;
    }
    let indent = line.len() - line.trim_start().len();
    let closes = |line: &str| {
        let rest = line
            .get(indent..)
            .filter(|_| line[..indent].trim().is_empty());
        rest.is_some_and(|rest| rest.starts_with('}'))
    };
    (head + 1..lines.len()).find(|&at| closes(lines[at]))
}

/// Name and version of each locked crate that computes on `target`, one per line, in the order of the
/// lock file.
pub(crate) fn versions(lock: &str, target: Target) -> String {
    let value = |line: &str, key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(" = \"")?;
        Some(value.strip_suffix('"')?.to_owned())
    };
    let computes = |name: &str| {
        let families = CRATES.iter();
        let mut families =
            families.filter(|name| target == Target::Gpu || !ONLY_GPU_CRATES.contains(name));
        families.any(|family| {
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
    fn comments_and_white_space_are_not_hashed() {
        let dressed =
            "//! The file.\n\n/// `f`.\r\nfn f() -> u8 {\n\t// Why.\n        1 + 1\n}\n\n";
        assert_eq!(essence(dressed), essence(CODE));
        assert_eq!(essence(CODE), "fn f() -> u8 { 1 + 1 }");
    }

    #[test]
    fn test_items_are_not_hashed() {
        for item in [
            "#[cfg(test)]\nmod tests {\n    fn t() {\n    }\n}\n",
            "#[cfg(test)]\n#[expect(unused)]\nmod tests;\n",
            "#[cfg(all(test, unix))]\nmod tests;\n",
            "#[cfg(test)]\nuse x::{\n    a,\n};\n",
            "#[cfg(test)]\nfn helper() {}\n",
        ] {
            assert_eq!(essence(&format!("{item}{CODE}")), essence(CODE), "{item}");
            assert_eq!(essence(&format!("{CODE}{item}")), essence(CODE), "{item}");
        }
        let method = "impl A {\n    #[cfg(test)]\n    fn t() {\n        1\n    }\n    fn g() {}\n}";
        assert_eq!(essence(method), "impl A { fn g() {} }");
    }

    #[test]
    fn all_other_code_is_hashed() {
        assert_ne!(essence(&CODE.replace('+', "-")), essence(CODE));
        let trailing = CODE.replace("1 + 1", "1 + 1 // two");
        assert_ne!(essence(&trailing), essence(CODE), "only comment lines go");
        let behind = format!("#[cfg(test)]\nmod tests {{\n    fn t() {{}}\n}}\n{CODE}");
        assert_eq!(essence(&behind), essence(CODE));
        let text = "#[cfg(test)]\nconst T: &str = \"\n\";\nfn f() {\n}\n";
        assert!(essence(text).ends_with("fn f() { }"), "{}", essence(text));
    }

    #[test]
    fn modules_declared_for_tests_are_found() {
        let text = "mod a;\n#[cfg(test)]\npub(crate) mod fixture;\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(
            test_modules("src/training/src/train/mod.rs", text),
            ["src/training/src/train/fixture"]
        );
        assert_eq!(test_modules("src/x.rs", text), ["src/x/fixture"]);
    }

    #[test]
    fn versions_are_of_crates_that_compute_on_the_device() {
        let package = |name: &str, version: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n")
        };
        let lock = [
            "version = 4\n\n".to_owned(),
            package("ablate", "0.1.0"),
            package("burn", "0.22.1"),
            package("burn-flex", "0.22.1"),
            package("burner", "1.0.0"),
            package("cubecl-wgpu", "0.1.0"),
            package("serde", "1.0.0"),
        ]
        .concat();
        let cpu = "burn 0.22.1\nburn-flex 0.22.1\n";
        assert_eq!(versions(&lock, Target::Cpu), cpu);
        let gpu = format!("{cpu}cubecl-wgpu 0.1.0\n");
        assert_eq!(versions(&lock, Target::Gpu), gpu);
    }

    /// A small project, and the fingerprints of its state.
    struct Project(tempfile::TempDir);

    impl Project {
        fn write(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn on(&self, target: Target) -> String {
            fingerprint(self.0.path(), "", target).unwrap()
        }
    }

    #[test]
    fn fingerprint_covers_code_and_data_and_nothing_else() {
        let project = Project(tempfile::tempdir().unwrap());
        project.write(
            "models/src/norm.rs",
            &format!("{CODE}#[cfg(test)]\nmod cases;\n"),
        );
        project.write("src/training/src/train/mod.rs", CODE);
        project.write("src/training/src/data/digits.bin", "1 2");
        let before = project.on(Target::Cpu);

        project.write(
            "models/src/norm.rs",
            &format!("// A comment.\n{CODE}#[cfg(test)]\nmod cases;\n"),
        );
        project.write("models/src/norm/cases.rs", CODE);
        project.write(
            "src/training/src/data/README.md",
            "Where the digits come from.",
        );
        project.write("src/report/mod.rs", CODE);
        assert_eq!(project.on(Target::Cpu), before);

        let dir = project.0.path();
        let burn = "name = \"burn\"\nversion = \"0.22.2\"\n";
        assert_ne!(fingerprint(dir, burn, Target::Cpu).unwrap(), before);
        for name in [
            "src/training/src/data/digits.bin",
            "src/training/src/train/sgd.rs",
            "src/training/src/record.rs",
            "models/kernels/src/cpu/dense.rs",
        ] {
            let before = project.on(Target::Cpu);
            project.write(name, "1  2");
            assert_ne!(project.on(Target::Cpu), before, "{name}");
        }
    }

    #[test]
    fn gpu_kernels_change_only_the_fingerprint_for_gpus() {
        let project = Project(tempfile::tempdir().unwrap());
        project.write("models/kernels/src/lib.rs", CODE);
        for name in [
            "models/kernels/src/gpu/mod.rs",
            "src/training/src/device/wgpu.rs",
        ] {
            let before = [Target::Cpu, Target::Gpu].map(|target| project.on(target));
            project.write(name, CODE);
            let after = [Target::Cpu, Target::Gpu].map(|target| project.on(target));
            assert_eq!(before[0], after[0], "{name}");
            assert_ne!(before[1], after[1], "{name}");
        }
    }

    #[test]
    fn program_carries_the_fingerprints_of_its_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
        for (target, built) in [
            (Target::Cpu, env!("ABLATE_CPU_FINGERPRINT")),
            (Target::Gpu, env!("ABLATE_GPU_FINGERPRINT")),
        ] {
            assert_eq!(fingerprint(root, &lock, target).unwrap(), built);
        }
    }
}
