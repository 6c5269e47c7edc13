//! The metrics that a program declares.

use super::source::SourceTable;
use crate::spec::ProgramMetric;
use crate::spec::design::quantities::Direction;
use crate::spec::parse::checks::flaw;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, brief};
use crate::spec::parse::reader::read;
use ablate_models::ConfigError;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricTable {
    better: Direction,
    label: Option<String>,
    unit: Option<String>,
    from: Option<Scale>,
}

/// How a program writes a percentage.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scale {
    Share,
    Percent,
}

/// The declared metrics, sorted by name.
pub(super) fn metrics(root: &Node, source: &SourceTable) -> Result<Vec<ProgramMetric>, Diagnostic> {
    let node = super::part(root, "metrics")?;
    let tables: BTreeMap<String, MetricTable> = read(node)?;
    if tables.is_empty() {
        let message = "is empty; declare what the program reports, as in `[metrics.test_accuracy]`";
        return Err(Diagnostic::said(message).at(&node.origin));
    }
    (tables.into_iter())
        .map(|(name, metric)| {
            let two_groups = source.regex.as_ref().is_some_and(|patterns| {
                let pattern = patterns.get(&name).and_then(|p| Regex::new(p).ok());
                pattern.is_some_and(|pattern| pattern.captures_len() == 3)
            });
            let metric = metric.checked(&name, two_groups);
            metric.map_err(|error| {
                Diagnostic::said(&error.message).at(&root.locate(&format!("metrics.{}", error.key)))
            })
        })
        .collect()
}

impl MetricTable {
    /// `two_groups`: whether a regular expression gives hits and total.
    fn checked(self, name: &str, two_groups: bool) -> Result<ProgramMetric, ConfigError> {
        let key = |field: &str| format!("{name}.{field}");
        let percentage = self.from.is_some() || two_groups;
        let unit = match (self.unit, percentage) {
            (None, true) => ProgramMetric::POINTS.to_owned(),
            (None, false) => "units".to_owned(),
            (Some(unit), true) if unit != ProgramMetric::POINTS && self.from.is_some() => {
                let message = format!(
                    "needs `unit = \"{}\"`, not `{}`; remove one of them",
                    ProgramMetric::POINTS,
                    brief(&unit)
                );
                return flaw(&key("from"), message);
            }
            (Some(unit), _) => unit,
        };
        if unit.trim().is_empty() {
            return flaw(&key("unit"), "is empty");
        }
        if two_groups && self.from == Some(Scale::Percent) {
            let message = "is `percent`, but the two groups of its regular expression give a share; \
                           remove it";
            return flaw(&key("from"), message);
        }
        let label = self.label.unwrap_or_else(|| name.replace('_', " "));
        if label.trim().is_empty() {
            return flaw(&key("label"), "is empty");
        }
        let from_share =
            self.from == Some(Scale::Share) || two_groups && unit == ProgramMetric::POINTS;
        Ok(ProgramMetric {
            program: name.to_owned(),
            label,
            better: self.better,
            unit,
            from_share,
        })
    }
}
