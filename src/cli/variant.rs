//! Variants of experiments: one results folder for each set of changes, with a readable name.
//!
//! `mine@epochs=1,seeds=2` is `mine` with `--set train.epochs=1` and with fewer seeds than its file. The
//! name consists of what the command line changes: keys, the device, and seeds that leave out some of the
//! file's. Seeds in addition to the file's make no variant: such a run goes on with the same experiment, and
//! counts as a look at its results (`cli::looks`).

use super::arguments::{OTHER_RESULTS, RESULTS};
use super::exit::Failure;
use super::root;
use crate::files::{absolute, relative, sha256};
use crate::spec::{Changes, RESOLVED_FILE, Source, Spec};
use std::path::{Path, PathBuf};

/// Separates the name of an experiment from its changes.
const MARK: char = '@';

/// Tables whose name is left out of the names of their keys. A key of `train` never has the name of one of
/// `model`, and programs have only `set`.
const LEFT_OUT: [&str; 3] = ["train.", "model.", "set."];

/// Longest description of the changes in a name, in characters.
const LONGEST: usize = 80;

/// Hexadecimal digits of the hash that tells apart changes with one description.
const DIGITS: usize = 8;

/// `spec` with the name of its results folder. `device` is the one that the command line names, if it does.
pub(crate) fn named(mut spec: Spec, device: Option<&str>) -> Spec {
    let base = spec.base_name().to_owned();
    if let Some(device) = device {
        let is_default = device == spec.default_device();
        spec.changes.device = (!is_default).then(|| device.to_owned());
    }
    match describe(&spec) {
        Some(changes) => {
            spec.name = format!("{base}{MARK}{changes}");
            spec.changes.variant_of = Some(base);
        }
        None => {
            spec.name = base;
            spec.changes.variant_of = None;
        }
    }
    spec
}

/// `spec` with the name of its experiment. A comparison of devices says itself what it measured, and keeps
/// only what was measured with the same settings.
pub(crate) fn unnamed(spec: Spec) -> Spec {
    Spec {
        name: spec.base_name().to_owned(),
        ..spec
    }
}

/// The changes that make a variant, as part of a file name; `None` if there are none.
fn describe(spec: &Spec) -> Option<String> {
    let mut parts = settings(&spec.changes);
    if let Some(device) = &spec.changes.device {
        parts.push(Part::new("device", device));
    }
    let seeds = &spec.seeds;
    let in_file = spec.changes.seeds_in_file.as_ref();
    if in_file.is_some_and(|file| !file.iter().all(|seed| seeds.contains(seed))) {
        parts.push(match seeds.iter().copied().eq(0..seeds.len() as u64) {
            true => Part::new("seeds", &seeds.len().to_string()),
            false => Part::new("seeds", &format!("{seeds:?}")),
        });
    }
    if parts.is_empty() {
        return None;
    }
    let texts: Vec<&str> = parts.iter().map(|part| part.short.as_str()).collect();
    let mut text = texts.join(",");
    if text.len() <= LONGEST && parts.iter().all(|part| part.is_exact) {
        return Some(text);
    }
    let whole: Vec<&str> = parts.iter().map(|part| part.whole.as_str()).collect();
    let hash = sha256(whole.join("\n").as_bytes());
    text.truncate(LONGEST);
    Some(format!("{text}~{}", &hash[..DIGITS]))
}

/// One change.
struct Part {
    key: String,
    /// Key and value as they were given.
    whole: String,
    /// The same as part of a file name, with lower-case letters, digits and `.`, `_`, `-`, `=`, `+` only.
    short: String,
    /// Whether no other value has this short form.
    is_exact: bool,
}

impl Part {
    fn new(key: &str, value: &str) -> Self {
        let shown = LEFT_OUT.iter().find_map(|table| key.strip_prefix(table));
        let shown = shown.unwrap_or(key);
        let parsed = format!("x = {value}").parse::<toml::Table>();
        let (text, is_exact) = match parsed.as_ref().ok().and_then(|table| table.get("x")) {
            Some(toml::Value::String(text)) => (text.clone(), false),
            Some(value @ (toml::Value::Integer(_) | toml::Value::Float(_))) => {
                (value.to_string(), true)
            }
            Some(toml::Value::Boolean(on)) => (on.to_string(), true),
            Some(value) => (value.to_string(), false),
            None => (value.to_owned(), true),
        };
        let (short_key, short_text) = (safe(shown), safe(&text));
        Self {
            key: key.to_owned(),
            whole: format!("{key}={text}"),
            is_exact: is_exact && short_key == shown && short_text == text,
            short: format!("{short_key}={short_text}"),
        }
    }
}

/// `text` with characters only that every file system tells apart and no shell changes.
fn safe(text: &str) -> String {
    let one = |c: char| match c {
        'a'..='z' | '0'..='9' | '.' | '_' | '-' => Some(c),
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        ',' | '=' => Some('+'),
        _ => None,
    };
    text.chars().filter_map(one).collect()
}

/// The keys that are set, in an order that does not depend on that of the command line, except where one
/// setting is part of another.
fn settings(changes: &Changes) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for set in &changes.set {
        let (key, value) = set.split_once('=').unwrap_or((set, ""));
        let part = Part::new(key.trim(), value.trim());
        if !value.contains('{') {
            parts.retain(|earlier| earlier.key != part.key);
        }
        parts.push(part);
    }
    let is_part = |a: &str, b: &str| {
        a.strip_prefix(b)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let overlap = (parts.iter().enumerate()).any(|(i, a)| {
        let others = parts.iter().enumerate().filter(|(j, _)| i != *j);
        others.into_iter().any(|(_, b)| is_part(&a.key, &b.key))
    });
    if !overlap {
        parts.sort_by(|a, b| a.key.cmp(&b.key));
    }
    parts
}

/// The resolved experiment of the results folder called `name`: a path, or the name of a variant in one of
/// the usual folders. `None` if `name` is something else.
///
/// # Errors
/// If it is the name of a variant without results.
pub(crate) fn find(name: &str) -> Result<Option<PathBuf>, Failure> {
    let is_path = name.contains(['/', '\\']);
    let roots = match is_path {
        true => vec![PathBuf::new()],
        false => [RESULTS, OTHER_RESULTS].map(root::beside).to_vec(),
    };
    if !is_path && !name.contains(MARK) {
        return Ok(None);
    }
    let mut files = roots.iter().map(|root| root.join(name).join(RESOLVED_FILE));
    match files.find(|file| file.is_file()) {
        Some(file) => Ok(Some(file)),
        None if is_path => Ok(None),
        None => Err(Failure::usage(format!(
            "there is no variant `{name}` in `{RESULTS}` or `{OTHER_RESULTS}`; `ablate list` lists them, \
             and the path of a results folder names it anywhere"
        ))),
    }
}

/// The results folders in `results` of the experiment of `spec` and of its variants.
pub(crate) fn relatives(spec: &Spec, results: &Path) -> Vec<PathBuf> {
    let base = spec.base_name();
    let is_relative = |name: &str| {
        let rest = name.strip_prefix(base);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(MARK))
    };
    let entries = results.read_dir().into_iter().flatten().flatten();
    let found = entries.filter(|entry| is_relative(&entry.file_name().to_string_lossy()));
    let mut folders: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

/// The folder of results that holds the folder from which `spec` was read; `None` if it was not read from
/// the folder of its own results.
pub(crate) fn home(spec: &Spec) -> Option<PathBuf> {
    let own = (spec.path.ends_with(RESOLVED_FILE)).then(|| spec.path.parent())??;
    let above = (own.file_name()? == &*spec.name).then(|| own.parent())??;
    Some(match above.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => above.to_owned(),
    })
}

/// `spec` with what its report in `results` says about its file.
pub(crate) fn placed(spec: &Spec, results: &Path) -> Spec {
    let mut spec = spec.clone();
    let results = absolute(results);
    let above = results.parent().unwrap_or(&results);
    let file = relative(above, spec.file());
    let usual_file = file == format!("experiments/{}.toml", spec.base_name());
    // A study without a file of its own is only in its results folder.
    let file = match usual_file || spec.file().exists() {
        true => file,
        false => relative(above, &results.join(&spec.name).join(RESOLVED_FILE)),
    };
    let last = results.file_name().map(|name| name.to_string_lossy());
    let last = last.unwrap_or_default().into_owned();
    let changes = &mut spec.changes;
    let usual = match usual_file && !changes.any() {
        true => RESULTS,
        false => OTHER_RESULTS,
    };
    changes.results = (last != usual).then_some(last);
    changes.file = (!usual_file).then_some(file);
    spec
}

/// Path of the file of `spec` from its folder in `results`.
pub(crate) fn file_of(spec: &Spec, results: &Path) -> String {
    relative(&results.join(&spec.name), spec.file())
}

/// Checks that the results folders of `specs` do not hold the results of other files with their names.
///
/// # Errors
/// If one does. A second folder is not invented, because its name would depend on which file was run first.
pub(crate) fn check_files(specs: &[Spec], results: &Path) -> Result<(), Failure> {
    specs.iter().try_for_each(|spec| check_file(spec, results))
}

fn check_file(spec: &Spec, results: &Path) -> Result<(), Failure> {
    let folder = results.join(&spec.name);
    let Some(other) = Source::file_named_in(&folder.join(RESOLVED_FILE)) else {
        return Ok(());
    };
    // A file that is gone was moved or renamed.
    let (Ok(found), Ok(own)) = (other.canonicalize(), spec.file().canonicalize()) else {
        return Ok(());
    };
    if found == own {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "`{}` holds the results of `{}`, another file with the name of `{}`; rename one of the two, or choose \
         another folder with `--results DIR`",
        folder.display(),
        relative(Path::new("."), &found),
        spec.file().display(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake;

    fn spec(set: &[&str], device: Option<&str>) -> Spec {
        let mut spec = fake::spec(&["a", "b"], 2);
        spec.changes.set = set.iter().map(|&text| text.to_owned()).collect();
        named(spec, device)
    }

    fn name(set: &[&str]) -> String {
        spec(set, None).name
    }

    #[test]
    fn names_say_what_was_changed() {
        assert_eq!(name(&[]), "fake");
        assert_eq!(name(&["train.epochs=1"]), "fake@epochs=1");
        assert_eq!(
            name(&["train.epochs = 1", "model.block.dropout.rate=0.5"]),
            "fake@block.dropout.rate=0.5,epochs=1"
        );
        assert_eq!(name(&["data.name=mnist"]), "fake@data.name=mnist");
        assert_eq!(
            name(&["train.learning_rate=1e-3"]),
            "fake@learning_rate=0.001"
        );
        let on = spec(&["set.lr=3"], Some("ndarray"));
        assert_eq!(on.name, "fake@lr=3,device=ndarray");
        assert_eq!(on.base_name(), "fake");
        assert_eq!(spec(&[], Some("flex")).changes, Changes::default());
    }

    #[test]
    fn naming_again_changes_nothing() {
        let once = spec(&["train.epochs=1"], Some("ndarray"));
        assert_eq!(named(once.clone(), None), once);
        assert_eq!(named(once, Some("flex")).name, "fake@epochs=1");
    }

    #[test]
    fn order_of_independent_settings_does_not_matter() {
        let [a, b] = ["train.epochs=1", "train.batch_size=8"];
        assert_eq!(name(&[a, b]), name(&[b, a]));
        assert_eq!(name(&["train.epochs=5", a]), name(&[a]));
        let [whole, part] = [
            "model.block.norm={kind=\"batch\"}",
            "model.block.norm.momentum=0.5",
        ];
        assert_ne!(name(&[whole, part]), name(&[part, whole]));
    }

    #[test]
    fn unlike_changes_have_unlike_names() {
        let names = [
            name(&["set.x=1"]),
            name(&["set.x=\"1\""]),
            name(&["set.x=A"]),
            name(&["set.x=a"]),
            name(&["set.x=[1, 2]"]),
            name(&["set.x=[12]"]),
            name(&["set.x={a=1}"]),
            name(&[&format!("set.x={}", "a".repeat(300))]),
            name(&[&format!("set.x={}", "a".repeat(301))]),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in &names {
            assert!(name.len() < 120, "{name}");
            let is_safe =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "@=,._+-~".contains(c);
            assert!(name.chars().all(is_safe), "{name}");
        }
    }

    #[test]
    fn fewer_seeds_make_a_variant_and_more_do_not() {
        let of = |file: Vec<u64>, seeds: Vec<u64>| {
            let mut spec = spec(&[], None);
            spec.seeds = seeds;
            spec.changes.seeds_in_file = Some(file);
            named(spec, None).name
        };
        assert_eq!(of(vec![0, 1, 2], vec![0, 1]), "fake@seeds=2");
        assert_eq!(of(vec![0, 1], vec![0, 1, 2]), "fake");
        assert!(of(vec![0, 1], vec![5, 6]).starts_with("fake@seeds=5+6~"));
    }

    #[test]
    fn ordinary_names_are_no_variants() {
        assert!(matches!(find("dropout"), Ok(None)));
        assert!(matches!(find("mine/own.toml"), Ok(None)));
        assert!(find("no-such@epochs=1").is_err());
    }
}
