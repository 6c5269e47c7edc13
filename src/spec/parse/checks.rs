//! Helpers of checks: errors at a key, names, and repeats.

use super::diagnostic::{list, nearest};
use super::node::brief;
use ablate_models::ConfigError;
use std::collections::HashSet;
use std::hash::Hash;

/// An error at `key`; `message` continues the sentence that starts with the key.
pub(in crate::spec) fn flaw<T>(key: &str, message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError {
        key: key.to_owned(),
        message: message.into(),
    })
}

/// The same error with its key below `parent`.
pub(in crate::spec) fn under(parent: &str, mut error: ConfigError) -> ConfigError {
    error.key = format!("{parent}.{}", error.key);
    error
}

/// The first item that equals an earlier one.
pub(in crate::spec) fn first_repeat<T: Copy + Eq + Hash>(items: &[T]) -> Option<T> {
    let mut seen = HashSet::new();
    items.iter().copied().find(|&item| !seen.insert(item))
}

/// Whether `text` may name a spec, an arm or a contrast: `[a-z0-9-]+`.
pub(in crate::spec) fn is_name(text: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(valid)
}

/// Whether `text` may name a claim: `[A-Za-z0-9-]+`.
pub(in crate::spec) fn is_identifier(text: &str) -> bool {
    is_name(&text.to_ascii_lowercase())
}

/// Index of `name` in `names`, which are the names of all `what`s.
pub(in crate::spec) fn known(
    key: &str,
    name: &str,
    names: &[&str],
    what: &str,
) -> Result<usize, ConfigError> {
    if let Some(found) = names.iter().position(|known| *known == name) {
        return Ok(found);
    }
    let advice = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let (kind, of) = what
                .split_once(' ')
                .map_or((what, ""), |(kind, of)| (kind, of));
            let space = if of.is_empty() { "" } else { " " };
            format!("{kind}s{space}{of} are {}", list(names))
        }
    };
    let name = brief(name);
    flaw(key, format!("names `{name}`, which is no {what}; {advice}"))
}
