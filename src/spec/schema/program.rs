//! Programs: the tables `[program]`, `[metrics]` and `[set]` of a spec, and the recipes of their arms.

use crate::recipe::{MetricSource, ProgramRecipe, Recipe};
use crate::spec::design::crossing::Cell;
use crate::spec::design::quantities::Direction;
use crate::spec::parse::checks::{flaw, known};
use crate::spec::parse::diagnostic::{Diagnostic, list, nearest};
use crate::spec::parse::node::{Node, Value, brief};
use crate::spec::parse::reader::read;
use crate::spec::parse::scalar::Scalar;
use crate::spec::schema::tables::OneOrMany;
use crate::spec::schema::{duration, inputs, validate};
use crate::spec::{Arm, Metric, Pairing, ProgramDesign, ProgramMetric};
use crate::text::placeholder;
use ablate_models::ConfigError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Key of the table that makes an experiment one of programs.
pub(in crate::spec) const PROGRAM: &str = "program";
/// Key of the values of arms.
pub(in crate::spec) const SET: &str = "set";
/// Names of the values that order evaluations.
const ORDER: [&str; 2] = ["step", "epoch"];
/// Keys of a net that an experiment of programs does not have.
const ONLY_NETS: [&str; 4] = ["data", "model", "train", "probes"];

/// Placeholder that stands for the arguments of an arm.
const ARGS: &str = "args";
/// Placeholder for the name of an arm.
const ARM: &str = "arm";
/// Placeholders that are filled in when a cell runs.
const OF_CELLS: [&str; 5] = ["seed", "learning_rate", "out", "threads", "device"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct ProgramTable {
    command: Vec<String>,
    directory: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, Scalar>,
    metrics: SourceTable,
    timeout: Option<Scalar>,
    #[serde(default)]
    inputs: Vec<String>,
    learning_rate: Option<OneOrMany<f64>>,
    validation: Option<String>,
    paired: Option<Scalar>,
}

/// Where metrics are reported: one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    stdout: Option<StdoutFormat>,
    file: Option<String>,
    regex: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StdoutFormat {
    Jsonl,
}

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

/// Whether `root` is an experiment of programs.
pub(in crate::spec) fn is_program(root: &Node) -> bool {
    root.get(PROGRAM).is_some()
}

/// Reads `[program]` and `[metrics]`.
pub(in crate::spec) fn design(root: &Node) -> Result<ProgramDesign, Diagnostic> {
    let at_root =
        |error: ConfigError| Diagnostic::said(&error.message).at(&root.locate(&error.key));
    if let Some(key) = ONLY_NETS.iter().find(|key| root.get(key).is_some()) {
        let message = "belongs to nets, but the file has a `[program]`; remove one of them";
        return Err(Diagnostic::said(message).at(&root.locate(key)));
    }
    let table: ProgramTable = read(part(root, PROGRAM)?)?;
    let metrics = metrics(root, &table)?;
    let names: Vec<&str> = metrics
        .iter()
        .map(|metric| metric.program.as_str())
        .collect();
    let validation = match &table.validation {
        None => None,
        Some(name) => {
            let found = known("program.validation", name, &names, "metric").map_err(at_root)?;
            Some(Metric::Program(metrics[found].clone()))
        }
    };
    let rates = table.rates();
    if rates.len() > 1 && validation.is_none() {
        let message = format!(
            "has {} rates to choose from; name the metric on validation data that chooses one, as in \
             `validation = \"{}\"`, or give one rate",
            rates.len(),
            names[0]
        );
        return Err(Diagnostic::said(&message).at(&root.locate("program.learning_rate")));
    }
    Ok(ProgramDesign {
        paired: table.paired().map_err(at_root)?,
        metrics: metrics.into_iter().map(Metric::Program).collect(),
        validation,
    })
}

/// The declared metrics, sorted by name.
fn metrics(root: &Node, table: &ProgramTable) -> Result<Vec<ProgramMetric>, Diagnostic> {
    let node = part(root, "metrics")?;
    let tables: BTreeMap<String, MetricTable> = read(node)?;
    if tables.is_empty() {
        let message = "is empty; declare what the program reports, as in `[metrics.test_accuracy]`";
        return Err(Diagnostic::said(message).at(&node.origin));
    }
    (tables.into_iter())
        .map(|(name, metric)| {
            let two_groups = table.metrics.regex.as_ref().is_some_and(|patterns| {
                let pattern = patterns.get(&name).and_then(|p| regex::Regex::new(p).ok());
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

impl ProgramTable {
    fn rates(&self) -> Vec<f64> {
        match &self.learning_rate {
            None => Vec::new(),
            Some(OneOrMany::One(rate)) => vec![*rate],
            Some(OneOrMany::Many(rates)) => rates.clone(),
        }
    }

    fn paired(&self) -> Result<Pairing, ConfigError> {
        match &self.paired {
            None => Ok(Pairing::Auto),
            Some(Scalar::Text(word)) if word == "auto" => Ok(Pairing::Auto),
            Some(Scalar::Switch(true)) => Ok(Pairing::Paired),
            Some(Scalar::Switch(false)) => Ok(Pairing::Unpaired),
            Some(other) => {
                let message = format!(
                    "must be `\"auto\"`, `true` or `false`, not `{}`",
                    other.name()
                );
                flaw("program.paired", message)
            }
        }
    }

    /// Where metrics are reported; `declared` are their names.
    fn source(&self, declared: &[&str]) -> Result<MetricSource, ConfigError> {
        const KEY: &str = "program.metrics";
        let SourceTable {
            stdout,
            file,
            regex,
        } = &self.metrics;
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
        let regex = regex::Regex::new(pattern);
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

/// The arm of `cell`, whose values are in `merged`.
pub(in crate::spec) fn arm(
    base: &Path,
    merged: &Node,
    cell: &Cell<'_>,
    design: &ProgramDesign,
) -> Result<Arm, Diagnostic> {
    let place =
        |error: ConfigError| Diagnostic::said(&error.message).at(&merged.locate(&error.key));
    let table: ProgramTable = read(part(merged, PROGRAM)?)?;
    let set = values(merged)?;
    let rates = table.rates();
    if table.learning_rate.is_some() {
        validate::learning_rates("program.learning_rate", &rates).map_err(place)?;
    }
    let names: Vec<String> = design
        .metrics
        .iter()
        .map(|m| m.name().into_owned())
        .collect();
    let declared: Vec<&str> = names.iter().map(String::as_str).collect();
    let template = Template {
        cell,
        set: &set,
        has_rate: !rates.is_empty(),
    };
    let source = match table.source(&declared).map_err(place)? {
        MetricSource::Csv(path) => {
            let path = template
                .filled("program.metrics.file", &path)
                .map_err(place)?;
            MetricSource::Csv(path)
        }
        other => other,
    };
    let env = (table.env.iter())
        .map(|(name, value)| {
            check_variable(name)?;
            let key = format!("program.env.{name}");
            Ok((name.clone(), template.filled(&key, &value.name())?))
        })
        .collect::<Result<_, _>>()
        .map_err(place)?;
    let directory = base.join(table.directory.as_deref().unwrap_or("."));
    if !directory.is_dir() {
        let message = format!("is no folder: `{}`", directory.display());
        return Err(Diagnostic::said(&message).at(&merged.locate("program.directory")));
    }
    Ok(Arm {
        name: cell.name.clone(),
        label: cell.label.clone(),
        levels: cell.levels.clone(),
        recipe: Recipe::Program(ProgramRecipe {
            command: template.command(&table.command).map_err(place)?,
            env,
            inputs: inputs::hashes(&directory, &table.inputs).map_err(place)?,
            directory,
            set,
            source,
            metrics: names,
            timeout: duration::seconds("program.timeout", table.timeout.as_ref()).map_err(place)?,
        }),
        learning_rates: rates,
    })
}

fn check_variable(name: &str) -> Result<(), ConfigError> {
    let key = format!("program.env.{name}");
    if name.is_empty() || name.contains(['=', '\0']) {
        return flaw(&key, "is not the name of an environment variable");
    }
    match name.starts_with("ABLATE_") {
        true => flaw(
            &key,
            "starts with `ABLATE_`, which is reserved; choose another name",
        ),
        false => Ok(()),
    }
}

/// The values of `[set]`: strings, numbers and switches by key.
fn values(merged: &Node) -> Result<BTreeMap<String, serde_json::Value>, Diagnostic> {
    let Some(node) = merged.get(SET) else {
        return Ok(BTreeMap::new());
    };
    let Value::Table(table) = &node.value else {
        return Err(Diagnostic::wrong_type("a table", "another value").at(&node.origin));
    };
    let value = |(key, node): (&String, &Node)| {
        let value = match &node.value {
            Value::String(text) => text.clone().into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) if number.is_finite() => (*number).into(),
            Value::Boolean(on) => (*on).into(),
            _ => {
                let message = "must be a string, a finite number, `true` or `false`";
                return Err(Diagnostic::said(message).at(&node.origin));
            }
        };
        Ok((key.clone(), value))
    };
    table.iter().map(value).collect()
}

/// The values that are known of an arm before a cell runs.
struct Template<'a> {
    cell: &'a Cell<'a>,
    set: &'a BTreeMap<String, serde_json::Value>,
    has_rate: bool,
}

impl Template<'_> {
    /// The command with the arguments of the arm spliced in.
    fn command(&self, written: &[String]) -> Result<Vec<String>, ConfigError> {
        const KEY: &str = "program.command";
        if written
            .first()
            .is_none_or(|program| program.trim().is_empty())
        {
            return flaw(KEY, "is empty; give the program and its arguments");
        }
        let mut spliced = false;
        let mut command = Vec::new();
        for (i, word) in written.iter().enumerate() {
            let key = format!("{KEY}.{i}");
            if *word == format!("{{{ARGS}}}") && i > 0 {
                spliced = true;
                for arg in &self.cell.args {
                    command.push(self.filled(&key, arg)?);
                }
            } else if placeholder::names(word).any(|name| name == ARGS) {
                let message = "has `{args}` inside other text; it must be an argument of its own";
                return flaw(&key, message);
            } else {
                command.push(self.filled(&key, word)?);
            }
        }
        if !spliced && !self.cell.args.is_empty() {
            let message = format!(
                "has no `{{args}}`, which would pass the `args` of arm `{}`; add it, as in \
                 `[\"python\", \"train.py\", \"{{args}}\"]`",
                self.cell.name
            );
            return flaw(KEY, message);
        }
        Ok(command)
    }

    /// `template` with what is known of the arm.
    fn filled(&self, key: &str, template: &str) -> Result<String, ConfigError> {
        for name in placeholder::names(template) {
            self.check(key, name)?;
        }
        Ok(placeholder::fill(template, |name| {
            match name.strip_prefix("set.") {
                Some(key) => self.set.get(key).map(shown),
                None => (name == ARM).then(|| self.cell.name.clone()),
            }
        }))
    }

    fn check(&self, key: &str, name: &str) -> Result<(), ConfigError> {
        if name == "learning_rate" && !self.has_rate {
            let message = "has `{learning_rate}`, but there is no `program.learning_rate`; add it";
            return flaw(key, message);
        }
        if OF_CELLS.contains(&name) || name == ARM {
            return Ok(());
        }
        if name
            .strip_prefix("set.")
            .is_some_and(|key| self.set.contains_key(key))
        {
            return Ok(());
        }
        let mut valid: Vec<String> = OF_CELLS.iter().map(|&name| name.to_owned()).collect();
        valid.push(ARM.to_owned());
        valid.extend(self.set.keys().map(|key| format!("set.{key}")));
        let advice = match (nearest(name, &valid), name.strip_prefix("set.")) {
            (Some(near), _) => format!("did you mean `{{{near}}}`?"),
            (None, Some(key)) => format!(
                "give it to arm `{}` with `set.{key}`, or to all arms in `[set]`",
                self.cell.name
            ),
            (None, None) => {
                let braced: Vec<String> = valid.iter().map(|name| format!("{{{name}}}")).collect();
                format!(
                    "placeholders are {}; for braces themselves write `{{{{{}}}}}`",
                    list(&braced),
                    brief(name)
                )
            }
        };
        flaw(
            key,
            format!("has `{{{}}}`, which has no value; {advice}", brief(name)),
        )
    }
}

/// A value as an argument.
fn shown(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

fn part<'a>(root: &'a Node, key: &str) -> Result<&'a Node, Diagnostic> {
    root.get(key)
        .ok_or_else(|| Diagnostic::missing_key(key, &[]).at(&root.origin))
}
