//! Where a program reports its metrics.

use crate::recipe::MetricSource;
use crate::spec::parse::checks::{flaw, known};
use ablate_models::ConfigError;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Names of the values that order evaluations.
const ORDER: [&str; 2] = ["step", "epoch"];

/// Where metrics are reported: one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceTable {
    stdout: Option<StdoutFormat>,
    file: Option<String>,
    pub(super) regex: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StdoutFormat {
    Jsonl,
}

impl SourceTable {
    /// Where metrics are reported; `declared` are their names.
    pub(super) fn source(&self, declared: &[&str]) -> Result<MetricSource, ConfigError> {
        const KEY: &str = "program.metrics";
        let SourceTable {
            stdout,
            file,
            regex,
        } = self;
        match (stdout, file, regex) {
            (Some(StdoutFormat::Jsonl), None, None) => Ok(MetricSource::JsonLines),
            (None, Some(path), None) => Ok(MetricSource::Csv(path.clone())),
            (None, None, Some(patterns)) => {
                check_patterns(patterns, declared)?;
                Ok(MetricSource::Regex(patterns.clone()))
            }
            (None, None, None) => flaw(
                KEY,
                "is empty; give `stdout = \"jsonl\"`, `file = \"{out}/log.csv\"` or a table `regex`",
            ),
            _ => flaw(
                KEY,
                "names several sources; keep one of `stdout`, `file` and `regex`",
            ),
        }
    }
}

/// Checks that every declared metric has a valid regular expression with one group or two.
fn check_patterns(
    patterns: &BTreeMap<String, String>,
    declared: &[&str],
) -> Result<(), ConfigError> {
    const KEY: &str = "program.metrics.regex";
    for (name, pattern) in patterns {
        let key = format!("{KEY}.{name}");
        if !ORDER.contains(&name.as_str()) {
            known(&key, name, declared, "metric")?;
        }
        let regex = Regex::new(pattern);
        let groups = match regex {
            Ok(regex) => regex.captures_len() - 1,
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default();
                let message = format!("is not a regular expression: {reason}");
                return flaw(&key, message);
            }
        };
        if !(1..=2).contains(&groups) {
            let message = format!(
                "has {groups} groups in parentheses; it needs one (the value) or two (hits and total)"
            );
            return flaw(&key, message);
        }
    }
    match declared.iter().find(|name| !patterns.contains_key(**name)) {
        None => Ok(()),
        Some(name) => flaw(
            KEY,
            format!("has no pattern for the metric `{name}`; add one"),
        ),
    }
}
