//! Programs: the tables `[program]`, `[metrics]` and `[set]` of a spec, and the recipes of their arms.

mod metrics;
mod source;
mod template;

use crate::recipe::{MetricSource, ProgramRecipe, Recipe};
use crate::spec::design::crossing::Cell;
use crate::spec::parse::checks::{flaw, known};
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, Value};
use crate::spec::parse::reader::read;
use crate::spec::parse::scalar::Scalar;
use crate::spec::schema::tables::OneOrMany;
use crate::spec::schema::{duration, inputs, validate};
use crate::spec::{Arm, Metric, Pairing, ProgramDesign};
use ablate_models::ConfigError;
use metrics::metrics;
use serde::Deserialize;
use source::SourceTable;
use std::collections::BTreeMap;
use std::path::Path;
use template::Template;

/// Key of the table that makes an experiment one of programs.
pub(in crate::spec) const PROGRAM: &str = "program";
/// Key of the values of arms.
pub(in crate::spec) const SET: &str = "set";
/// Keys of a net that an experiment of programs does not have.
const ONLY_NETS: [&str; 4] = ["data", "model", "train", "probes"];

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
    let metrics = metrics(root, &table.metrics)?;
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
        scores: None,
    })
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
    let source = match table.metrics.source(&declared).map_err(place)? {
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

fn part<'a>(root: &'a Node, key: &str) -> Result<&'a Node, Diagnostic> {
    root.get(key)
        .ok_or_else(|| Diagnostic::missing_key(key, &[]).at(&root.origin))
}
