//! What a line of output reports: a JSON object, or matches of regular expressions.

use super::evaluations::{Entry, Reported};
use regex::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Names of the values that order evaluations.
pub(super) const STEP: &str = "step";
pub(super) const EPOCH: &str = "epoch";

/// The entry of a line that is a JSON object; `None` for other lines.
pub(super) fn json_line(line: &[u8]) -> Option<Entry> {
    let line = line.trim_ascii();
    if !(line.starts_with(b"{") && line.ends_with(b"}")) {
        return None;
    }
    let object: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(object) => object,
        Err(_) => serde_json::from_str(&without_nan(std::str::from_utf8(line).ok()?)?).ok()?,
    };
    let count = |name: &str| object.get(name).and_then(Value::as_f64).and_then(whole);
    let value = |value: &Value| match value.as_f64() {
        Some(number) if number.is_finite() => Reported::Number(number),
        _ => Reported::Other(match value {
            Value::Null => "null or NaN".to_owned(),
            Value::String(text) => brief(text),
            other => brief(&other.to_string()),
        }),
    };
    Some(Entry {
        step: count(STEP),
        epoch: count(EPOCH),
        values: (object.iter())
            .filter(|(name, _)| ![STEP, EPOCH].contains(&name.as_str()))
            .map(|(name, v)| (name.clone(), value(v)))
            .collect(),
    })
}

/// The same text with `null` in place of the numbers that Python writes and JSON does not have.
fn without_nan(text: &str) -> Option<String> {
    let tokens = ["-Infinity", "Infinity", "NaN"];
    tokens.iter().any(|token| text.contains(token)).then(|| {
        (tokens.iter()).fold(text.to_owned(), |text, token| {
            let after = [format!(": {token}"), format!(":{token}")];
            after
                .iter()
                .fold(text, |text, value| text.replace(value, ": null"))
        })
    })
}

/// A whole number of steps or epochs.
pub(super) fn whole(number: f64) -> Option<usize> {
    (number >= 0.0 && number.fract() == 0.0 && number < 1e15).then_some(number as usize)
}

/// The value that a text stands for.
pub(super) fn number(text: &str) -> Reported {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Reported::Number(number),
        _ => Reported::Other(brief(text.trim())),
    }
}

fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Regular expressions by name; `step` and `epoch` order evaluations.
#[derive(Debug)]
pub(super) struct Patterns(Vec<(String, Regex)>);

impl Patterns {
    /// # Errors
    /// If a pattern is not valid.
    pub(super) fn new(patterns: &BTreeMap<String, String>) -> Result<Self, regex::Error> {
        let compiled = patterns
            .iter()
            .map(|(name, text)| Ok((name.clone(), Regex::new(text)?)));
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// The entry of a line; `None` where no pattern matches.
    pub(super) fn entry(&self, line: &[u8]) -> Option<Entry> {
        let line = String::from_utf8_lossy(line);
        let mut entry = Entry::default();
        let mut any = false;
        for (name, pattern) in &self.0 {
            let Some(groups) = pattern.captures(&line) else {
                continue;
            };
            any = true;
            let group = |i| groups.get(i).map_or("", |found| found.as_str());
            let value = match groups.len() {
                3 => share(group(1), group(2)),
                _ => number(group(1)),
            };
            match (name.as_str(), &value) {
                (STEP, Reported::Number(n)) => entry.step = whole(*n),
                (EPOCH, Reported::Number(n)) => entry.epoch = whole(*n),
                (STEP | EPOCH, Reported::Other(_)) => {}
                _ => entry.values.push((name.clone(), value)),
            }
        }
        any.then_some(entry)
    }
}

/// Hits over total.
fn share(hits: &str, total: &str) -> Reported {
    match (number(hits), number(total)) {
        (Reported::Number(hits), Reported::Number(total)) if total > 0.0 => {
            Reported::Number(hits / total)
        }
        _ => Reported::Other(brief(&format!("{hits}/{total}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(entry: &Entry, name: &str) -> Reported {
        let found = entry.values.iter().find(|(n, _)| n == name);
        found.expect(name).1.clone()
    }

    #[test]
    fn json_objects_are_entries_and_other_lines_are_not() {
        let entry = json_line(br#" {"epoch": 3, "step": 30.0, "acc": 0.5, "ok": true} "#).unwrap();
        assert_eq!((entry.epoch, entry.step), (Some(3), Some(30)));
        assert_eq!(value(&entry, "acc"), Reported::Number(0.5));
        assert_eq!(value(&entry, "ok"), Reported::Other("true".to_owned()));
        for other in ["epoch 3", "[1, 2]", "{'loss': 1}", "{", "7", ""] {
            assert_eq!(json_line(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn numbers_that_json_lacks_are_reported_as_such() {
        let entry = json_line(br#"{"loss": NaN, "a":Infinity, "b": -Infinity, "c": 1}"#).unwrap();
        for name in ["loss", "a", "b"] {
            assert_eq!(
                value(&entry, name),
                Reported::Other("null or NaN".to_owned())
            );
        }
        assert_eq!(value(&entry, "c"), Reported::Number(1.0));
    }

    #[test]
    fn fractions_of_epochs_do_not_order() {
        assert_eq!(json_line(br#"{"epoch": 0.5, "a": 1}"#).unwrap().epoch, None);
        assert_eq!(json_line(br#"{"epoch": -1, "a": 1}"#).unwrap().epoch, None);
    }

    fn patterns(list: &[(&str, &str)]) -> Patterns {
        let owned = list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        Patterns::new(&owned.collect()).unwrap()
    }

    #[test]
    fn one_group_is_the_value_and_two_are_hits_and_total() {
        let found = patterns(&[
            ("accuracy", r"Accuracy: (\d+)/(\d+)"),
            ("step", r"step (\d+)"),
            ("loss", r"test loss: ([\d.]+)"),
        ]);
        let entry = found
            .entry(b"Test set: Accuracy: 9913/10000 (99%)")
            .unwrap();
        assert_eq!(value(&entry, "accuracy"), Reported::Number(0.9913));
        let entry = found
            .entry(b"step 500 train loss: 2.1 test loss: 2.2")
            .unwrap();
        assert_eq!(entry.step, Some(500));
        assert_eq!(value(&entry, "loss"), Reported::Number(2.2));
        assert_eq!(found.entry(b"something else"), None);
        let none = found.entry(b"Accuracy: 0/0").unwrap();
        assert_eq!(value(&none, "accuracy"), Reported::Other("0/0".to_owned()));
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_panic(line in any::<Vec<u8>>(), text in "\\{.{0,40}\\}") {
            let _ = json_line(&line);
            let _ = json_line(text.as_bytes());
            let _ = patterns(&[("a", "(.)")]).entry(&line);
        }
    }
}
