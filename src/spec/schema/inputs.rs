//! Content hashes of the files that determine what a program does.

use crate::spec::parse::checks::flaw;
use crate::spec::parse::node::brief;
use ablate_models::ConfigError;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Largest number of input files.
const MOST: usize = 10_000;

/// SHA-256 of every file that one of `patterns` matches, by path relative to `folder`.
///
/// # Errors
/// If a pattern is not valid or matches no file, or a file cannot be read.
pub(in crate::spec) fn hashes(
    folder: &Path,
    patterns: &[String],
) -> Result<BTreeMap<String, String>, ConfigError> {
    let (shown, folder) = (folder.display(), &without_dots(folder));
    let mut hashes = BTreeMap::new();
    for (i, pattern) in patterns.iter().enumerate() {
        let key = format!("program.inputs.{i}");
        let files = matches(folder, pattern, &key)?;
        if files.is_empty() {
            let message = format!(
                "is `{}`, which matches no file in `{shown}`",
                brief(pattern)
            );
            return flaw(&key, message);
        }
        for path in files {
            let relative = path.strip_prefix(folder).unwrap_or(&path);
            let name = relative.to_string_lossy().replace('\\', "/");
            let hash = hash(&path).or_else(|error| {
                flaw(&key, format!("cannot read `{}`: {error}", path.display()))
            })?;
            hashes.insert(name, hash);
            if hashes.len() > MOST {
                return flaw("program.inputs", format!("match more than {MOST} files"));
            }
        }
    }
    Ok(hashes)
}

/// `path` without the components `.`, which matches of patterns do not have.
fn without_dots(path: &Path) -> PathBuf {
    let components = path.components();
    components
        .filter(|part| *part != Component::CurDir)
        .collect()
}

/// The files below `folder` that match. `src/**` matches all files below `src`.
fn matches(folder: &Path, pattern: &str, key: &str) -> Result<Vec<PathBuf>, ConfigError> {
    let pattern = match pattern.ends_with("**") {
        true => format!("{pattern}/*"),
        false => pattern.to_owned(),
    };
    let start = glob::Pattern::escape(&folder.to_string_lossy());
    let whole = Path::new(&start).join(without_dots(Path::new(&pattern)));
    let found = glob::glob(&whole.to_string_lossy());
    let found = found.or_else(|error| flaw(key, format!("is not a valid pattern: {error}")))?;
    let mut files = Vec::new();
    for path in found {
        let path = path.or_else(|error| flaw(key, format!("cannot be read: {error}")))?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("src/deep")).unwrap();
        for (name, text) in [("train.py", "1"), ("src/a.py", "2"), ("src/deep/b.py", "3")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn names(patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        hashes(folder().path(), &patterns)
            .unwrap()
            .into_keys()
            .collect()
    }

    #[test]
    fn patterns_match_files_at_any_depth() {
        assert_eq!(names(&["train.py"]), ["train.py"]);
        assert_eq!(names(&["src/**"]), ["src/a.py", "src/deep/b.py"]);
        assert_eq!(names(&["*.py", "train.py"]), ["train.py"]);
        assert_eq!(names(&["**/*.py"]).len(), 3);
    }

    #[test]
    fn folder_may_be_written_with_dots() {
        // Tests run in the root of the package.
        for folder in ["", ".", "./", "src/..", "./src/../."] {
            let found = hashes(Path::new(folder), &["./Cargo.toml".to_owned()]).unwrap();
            let names: Vec<&String> = found.keys().collect();
            assert_eq!(names, ["Cargo.toml"], "{folder}");
        }
    }

    #[test]
    fn hash_is_sha_256_of_the_content() {
        let folder = folder();
        let one = |_| hashes(folder.path(), &["train.py".to_owned()]).unwrap()["train.py"].clone();
        // printf 1 | sha256sum
        assert!(one(()).starts_with("6b86b273ff34fce1"));
        fs::write(folder.path().join("train.py"), "4").unwrap();
        assert!(!one(()).starts_with("6b86b273ff34fce1"));
    }

    #[test]
    fn pattern_without_files_is_an_error() {
        let error = hashes(folder().path(), &["*.rs".to_owned()]).unwrap_err();
        assert_eq!(error.key, "program.inputs.0");
        assert!(
            error.message.contains("matches no file"),
            "{}",
            error.message
        );
        assert!(hashes(folder().path(), &["a***".to_owned()]).is_err());
    }
}
