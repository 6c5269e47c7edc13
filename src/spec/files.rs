//! Finding and loading spec files.

use crate::files::open;
use crate::spec::design::claims::Claims;
use crate::spec::parse::diagnostic::{Diagnostic, list, nearest};
use crate::spec::parse::node::Node;
use crate::spec::parse::{checks, extends};
use crate::spec::{CLAIMS_FILE, Override, Registry, Spec, SpecError};
use crate::text::utf8;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest size of a spec file, in bytes; real files have a few thousand.
const MAX_BYTES: u64 = 1 << 20;

const EXTENSION: &str = "toml";

impl Spec {
    /// Reads and checks the spec in `path`, with `overrides` applied in order. Its name is the
    /// file's stem.
    ///
    /// # Errors
    /// If the file or the one that it extends cannot be read, is larger than 1 MiB, or is not a valid
    /// spec with and without the overrides, or refers to a claim or an identity that the file of claims
    /// beside it does not declare.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Self, SpecError> {
        let own = document(path)?;
        let claims = Claims::load(path.parent().unwrap_or(path))?;
        let claims = claims.as_ref();
        let registry = Registry::installed();
        let root = match extends::base(&own).map_err(|fault| SpecError::new(path, &fault))? {
            None => own,
            Some((base, origin)) => {
                let within = |error: SpecError| {
                    let message = format!("names an experiment that is not valid: {error}");
                    let fault = Diagnostic::said(&message).at(&origin);
                    SpecError::new(path, &fault).because_of(error)
                };
                let base_path = find(&base, path.parent().unwrap_or(path)).map_err(within)?;
                let inherited = document(&base_path)?;
                let merged = extends::onto(&base, inherited.clone(), own)
                    .map_err(|fault| SpecError::new(path, &fault))?;
                Self::of_document(registry, claims, &base, &base_path, &inherited, &[])
                    .map_err(within)?;
                merged
            }
        };
        let name = path.file_stem().and_then(|stem| stem.to_str());
        Self::of_document(
            registry,
            claims,
            name.unwrap_or_default(),
            path,
            &root,
            overrides,
        )
    }
}

/// The spec file in `path` as a tree.
pub(in crate::spec) fn document(path: &Path) -> Result<Node, SpecError> {
    let text = read_text(path)?;
    Node::document(&text).map_err(|fault| SpecError::new(path, &fault))
}

pub(in crate::spec) fn read_text(path: &Path) -> Result<String, SpecError> {
    let unreadable =
        |error: io::Error| SpecError::file_level(path, format!("the spec cannot be read: {error}"));
    let mut bytes = Vec::new();
    open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SpecError::file_level(
            path,
            "is larger than 1 MiB, the limit for specs; check the path",
        ));
    }
    utf8::text(bytes).map_err(|why| SpecError::file_level(path, format!("cannot be read: {why}")))
}

/// The file of a spec that is given by its name in `experiments_dir` or by its path.
///
/// # Errors
/// If there is no such file. The message lists the experiments.
pub fn find(name_or_path: &str, experiments_dir: &Path) -> Result<PathBuf, SpecError> {
    let path = if checks::is_name(name_or_path) {
        experiments_dir.join(name_or_path).with_extension(EXTENSION)
    } else {
        PathBuf::from(name_or_path)
    };
    if path.is_file() {
        return Ok(path);
    }
    let known = names(experiments_dir).unwrap_or_default();
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let advice = match nearest(stem.unwrap_or_default(), &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!(
            "`{}` holds no experiments; give the path of a TOML file",
            experiments_dir.display()
        ),
        None => format!("experiments are {}", list(&known)),
    };
    let message = format!("there is no such experiment; {advice}");
    Err(SpecError::file_level(&path, message))
}

/// The names of the spec files in `experiments_dir`, sorted, without the file of claims.
///
/// # Errors
/// If the folder cannot be read.
pub fn names(experiments_dir: &Path) -> Result<Vec<String>, SpecError> {
    let unreadable = |error: io::Error| {
        let message = format!("the folder of experiments cannot be read: {error}");
        SpecError::file_level(experiments_dir, message)
    };
    let mut names = Vec::new();
    for entry in experiments_dir.read_dir().map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_spec = path
            .extension()
            .is_some_and(|extension| extension == EXTENSION);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy());
        let is_spec = is_spec && !path.ends_with(CLAIMS_FILE);
        if let Some(stem) = stem.filter(|stem| is_spec && !stem.starts_with('.')) {
            names.push(stem.into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Every spec in `experiments_dir`, sorted by name.
///
/// # Errors
/// If the folder cannot be read or one of its specs is not valid.
pub fn all(experiments_dir: &Path) -> Result<Vec<Spec>, SpecError> {
    names(experiments_dir)?
        .iter()
        .map(|name| {
            let path = experiments_dir.join(format!("{name}.{EXTENSION}"));
            Spec::load(&path, &[])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = include_str!("../../experiments/smoke.toml");

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn all_specs_are_loaded_by_name() {
        let spec = SPEC.as_bytes();
        let folder = folder(&[
            ("b.toml", spec),
            ("a.toml", spec),
            ("README.md", b"#"),
            (".c.toml", b"["),
            (CLAIMS_FILE, b"claims = []"),
        ]);
        let specs = all(folder.path()).unwrap();
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(specs[0].path, folder.path().join("a.toml"));
    }

    #[test]
    fn bad_spec_is_named() {
        let folder = folder(&[("a.toml", SPEC.as_bytes()), ("b.toml", b"title = 3")]);
        let error = all(folder.path()).unwrap_err();
        assert_eq!(error.file(), folder.path().join("b.toml"));
    }

    #[test]
    fn experiments_are_found_by_name_and_by_path() {
        let folder = folder(&[("dropout.toml", b""), ("other.toml", b"")]);
        let path = folder.path().join("dropout.toml");
        assert_eq!(find("dropout", folder.path()).unwrap(), path);
        let elsewhere = Path::new("no-such-folder");
        assert_eq!(find(path.to_str().unwrap(), elsewhere).unwrap(), path);
    }

    #[test]
    fn unknown_name_suggests_the_nearest_or_all() {
        let folder = folder(&[("dropout.toml", b""), ("bn-bias.toml", b"")]);
        let said = |name: &str| find(name, folder.path()).unwrap_err().message().to_owned();
        assert_eq!(
            said("dropuot"),
            "there is no such experiment; did you mean `dropout`?"
        );
        assert!(said("missing/dropuot.toml").ends_with("did you mean `dropout`?"));
        assert!(said("qqq").ends_with("experiments are `bn-bias`, `dropout`"));
        let error = find("dropout", &folder.path().join("none")).unwrap_err();
        assert!(error.message().contains("holds no experiments"), "{error}");
    }

    #[test]
    fn files_that_are_not_specs_are_rejected() {
        let large = vec![b'#'; MAX_BYTES as usize + 1];
        let folder = folder(&[
            ("large.toml", &large),
            ("bytes.toml", b"title = \"\xff\""),
            ("wide.toml", b"\xff\xfet\0"),
            ("Odd Name.toml", SPEC.as_bytes()),
        ]);
        for (name, part) in [
            ("large.toml", "larger than 1 MiB"),
            ("bytes.toml", "byte 0xff at offset 9 (line 1)"),
            ("wide.toml", "UTF-16"),
            ("Odd Name.toml", "lower-case letters, digits and `-`"),
            ("absent.toml", "cannot be read"),
            (".", "cannot be read"),
        ] {
            let path = folder.path().join(name);
            let error = Spec::load(&path, &[]).unwrap_err();
            assert!(error.message().contains(part), "{name}: {error}");
            assert_eq!((error.file(), error.line()), (path.as_path(), None));
        }
    }

    #[test]
    fn file_of_the_largest_size_is_read() {
        let mut text = SPEC.as_bytes().to_vec();
        text.resize(MAX_BYTES as usize, b'\n');
        let folder = folder(&[("a.toml", &text)]);
        let spec = Spec::load(&folder.path().join("a.toml"), &[]).unwrap();
        assert_eq!(spec.name, "a");
    }
}
