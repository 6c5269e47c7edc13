//! Conversion of the tables of contrasts to weights of arms.

use crate::spec::design::contrast::{Between, ContrastKind, Gap, Held, Weight};
use crate::spec::design::crossing::{Crossing, level_names};
use crate::spec::parse::checks::{flaw, known};
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, brief};
use crate::spec::parse::scalar::{Scalar, Scalars};
use crate::spec::schema::when::WhenTable;
use crate::spec::{Arm, Contrast, Expect, Factor, Metric, ProgramDesign};
use ablate_models::ConfigError;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use std::collections::BTreeMap;

/// Tolerance of the sum of weights, relative to their absolute sum, for thirds written in decimals.
const SLACK: f64 = 1e-6;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct ContrastTable {
    pub(in crate::spec) name: String,
    claim: Option<String>,
    stratum: Option<String>,
    treatment: Option<Scalar>,
    control: Option<Scalar>,
    effect: Option<String>,
    at: Option<BTreeMap<String, Scalars>>,
    between: Option<BTreeMap<String, Vec<Scalar>>>,
    weights: Option<BTreeMap<String, f64>>,
    metric: Option<String>,
    #[serde(default)]
    when: WhenTable,
    expect: Expect,
    pub(in crate::spec) margin: f64,
    #[serde(default = "on")]
    primary: bool,
    note: Option<String>,
}

const fn on() -> bool {
    true
}

/// What a contrast may refer to.
pub(in crate::spec) struct Design<'a> {
    pub(in crate::spec) crossing: &'a Crossing,
    pub(in crate::spec) arms: &'a [Arm],
    pub(in crate::spec) program: Option<&'a ProgramDesign>,
    /// The claim of the spec.
    pub(in crate::spec) claim: Option<&'a str>,
}

impl Design<'_> {
    /// Reads the contrast that stands at `node`.
    pub(in crate::spec) fn contrast(
        &self,
        table: ContrastTable,
        node: &Node,
    ) -> Result<Contrast, Diagnostic> {
        let place =
            |error: ConfigError| Diagnostic::said(&error.message).at(&node.locate(&error.key));
        let (comparison, sum) = match &table.weights {
            Some(weights) => {
                alone(&table, node)?;
                (ContrastKind::Sum, self.sum(weights).map_err(place)?)
            }
            None => {
                let required = |key: &str, value: &Option<Scalar>| {
                    let missing = || Diagnostic::missing_key(key, &[]).at(&node.origin);
                    value.as_ref().map(Scalar::name).ok_or_else(missing)
                };
                let treatment = required("treatment", &table.treatment)?;
                let control = required("control", &table.control)?;
                let comparison = match &table.effect {
                    Some(effect) => self.effect(&table, effect, treatment, control),
                    None => self.pair(&table, treatment, control),
                };
                (comparison.map_err(place)?, Vec::new())
            }
        };
        let metric = self.metric(table.metric.as_deref(), node)?;
        let note = match (table.note, self.program) {
            (Some(note), _) => note,
            (None, Some(_)) => String::new(),
            (None, None) => return Err(Diagnostic::missing_key("note", &[]).at(&node.origin)),
        };
        let weights = comparison.weights(&self.crossing.factors, self.arms, &sum);
        let weights = weights.map_err(|gap| place(self.explain(&gap)))?;
        Ok(Contrast {
            name: table.name,
            claim: table.claim.or_else(|| self.claim.map(str::to_owned)),
            stratum: table.stratum,
            comparison,
            weights,
            metric,
            when: table.when.0,
            expect: table.expect,
            margin: table.margin,
            primary: table.primary,
            note,
        })
    }

    /// The metric called `name` by the table at `node`. A program with a single metric needs no name.
    pub(in crate::spec) fn metric(
        &self,
        name: Option<&str>,
        node: &Node,
    ) -> Result<Metric, Diagnostic> {
        let missing = || Diagnostic::missing_key("metric", &[]).at(&node.origin);
        let Some(program) = self.program else {
            let reader: StrDeserializer<'_, Diagnostic> =
                name.ok_or_else(missing)?.into_deserializer();
            return Metric::deserialize(reader).map_err(|fault| fault.at(&node.locate("metric")));
        };
        match (name, &program.metrics[..]) {
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(missing()),
            (Some(name), metrics) => {
                let names: Vec<_> = metrics.iter().map(Metric::name).collect();
                let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
                match known("metric", name, &names, "metric") {
                    Ok(found) => Ok(metrics[found].clone()),
                    Err(error) => Err(Diagnostic::said(&error.message).at(&node.locate("metric"))),
                }
            }
        }
    }

    fn pair(
        &self,
        table: &ContrastTable,
        treatment: String,
        control: String,
    ) -> Result<ContrastKind, ConfigError> {
        for (key, there) in [
            ("at", table.at.is_some()),
            ("between", table.between.is_some()),
        ] {
            if there {
                return flaw(
                    key,
                    "needs an `effect`, the factor whose levels are compared",
                );
            }
        }
        self.arm("treatment", &treatment)?;
        self.arm("control", &control)?;
        if treatment == control {
            let message = format!("is the treatment, `{control}`; compare two arms");
            return flaw("control", message);
        }
        Ok(ContrastKind::Arms { treatment, control })
    }

    fn effect(
        &self,
        table: &ContrastTable,
        effect: &str,
        treatment: String,
        control: String,
    ) -> Result<ContrastKind, ConfigError> {
        let varied = self.factor("effect", effect)?;
        level("treatment", &treatment, varied)?;
        level("control", &control, varied)?;
        if treatment == control {
            let message = format!("is the treatment, `{control}`; compare two levels");
            return flaw("control", message);
        }
        let mut at = Vec::new();
        for (name, levels) in table.at.iter().flatten() {
            at.push(self.held(name, levels, effect)?);
        }
        let mut between = Vec::new();
        for (name, levels) in table.between.iter().flatten() {
            if at.iter().any(|held| held.factor == *name) {
                let message = "is also held with `at`; remove one of them";
                return flaw(&format!("between.{name}"), message);
            }
            between.push(self.pair_of_levels(name, levels, effect)?);
        }
        let order = |name: &str| self.crossing.factors.iter().position(|f| f.name == name);
        at.sort_by_key(|held| order(&held.factor));
        between.sort_by_key(|pair| order(&pair.factor));
        Ok(ContrastKind::Effect {
            factor: effect.to_owned(),
            treatment,
            control,
            at,
            between,
        })
    }

    fn held(&self, name: &str, levels: &Scalars, effect: &str) -> Result<Held, ConfigError> {
        let key = format!("at.{name}");
        let factor = self.other_factor(&key, name, effect)?;
        let names: Vec<String> = levels.0.iter().map(Scalar::name).collect();
        if names.is_empty() {
            return flaw(
                &key,
                "is empty; name a level, or leave it out to average over all",
            );
        }
        for (i, level) in names.iter().enumerate() {
            self::level(&key, level, factor)?;
            if names[..i].contains(level) {
                return flaw(&key, format!("names `{}` twice", brief(level)));
            }
        }
        Ok(Held {
            factor: name.to_owned(),
            levels: names,
        })
    }

    fn pair_of_levels(
        &self,
        name: &str,
        levels: &[Scalar],
        effect: &str,
    ) -> Result<Between, ConfigError> {
        let key = format!("between.{name}");
        let factor = self.other_factor(&key, name, effect)?;
        let [first, second] = levels else {
            let message = format!("must be two levels, not {}", levels.len());
            return flaw(&key, message);
        };
        let (first, second) = (first.name(), second.name());
        level(&key, &first, factor)?;
        level(&key, &second, factor)?;
        if first == second {
            return flaw(&key, format!("names `{}` twice", brief(&first)));
        }
        Ok(Between {
            factor: name.to_owned(),
            first,
            second,
        })
    }

    fn sum(&self, weights: &BTreeMap<String, f64>) -> Result<Vec<Weight>, ConfigError> {
        for (name, weight) in weights {
            self.arm(&format!("weights.{name}"), name)?;
            if !(weight.is_finite() && *weight != 0.0) {
                let message = format!("must be finite and not 0, not {weight}");
                return flaw(&format!("weights.{name}"), message);
            }
        }
        let total: f64 = weights.values().sum();
        let size: f64 = weights.values().map(|weight| weight.abs()).sum();
        if weights.is_empty() || total.abs() > SLACK * size {
            let message = format!("must add up to 0, so that equal arms give 0, not to {total}");
            return flaw("weights", message);
        }
        let in_order = self.arms.iter().filter_map(|arm| {
            Some(Weight {
                arm: arm.name.clone(),
                weight: *weights.get(&arm.name)?,
            })
        });
        Ok(in_order.collect())
    }

    fn arm(&self, key: &str, name: &str) -> Result<usize, ConfigError> {
        let names: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        known(key, name, &names, "arm")
    }

    pub(in crate::spec) fn factor(&self, key: &str, name: &str) -> Result<&Factor, ConfigError> {
        let factors = &self.crossing.factors;
        if factors.is_empty() {
            return flaw(key, "names a factor, but there are no `[[factors]]`");
        }
        let names: Vec<&str> = factors.iter().map(|factor| factor.name.as_str()).collect();
        Ok(&factors[known(key, name, &names, "factor")?])
    }

    pub(in crate::spec) fn other_factor(
        &self,
        key: &str,
        name: &str,
        effect: &str,
    ) -> Result<&Factor, ConfigError> {
        let factor = self.factor(key, name)?;
        match name == effect {
            true => flaw(key, "is the factor of the `effect` itself"),
            false => Ok(factor),
        }
    }

    /// Why a comparison has no weights.
    fn explain(&self, gap: &Gap) -> ConfigError {
        let message = match gap {
            Gap::Unknown => "names a level that there is not".to_owned(),
            Gap::Cell(cell) => {
                let levels = cell.iter().zip(&self.crossing.factors);
                let names: Vec<String> = levels
                    .map(|(&level, factor)| {
                        format!("`{}` = `{}`", factor.name, factor.levels[level].name)
                    })
                    .collect();
                format!(
                    "needs the combination {}, which `exclude` leaves out; hold a factor with `at`",
                    names.join(", ")
                )
            }
        };
        ConfigError {
            key: "effect".to_owned(),
            message,
        }
    }
}

/// Nothing else may say what is compared.
fn alone(table: &ContrastTable, node: &Node) -> Result<(), Diagnostic> {
    let others = [
        ("treatment", table.treatment.is_some()),
        ("control", table.control.is_some()),
        ("effect", table.effect.is_some()),
        ("at", table.at.is_some()),
        ("between", table.between.is_some()),
    ];
    match others.iter().find(|(_, there)| *there) {
        None => Ok(()),
        Some((key, _)) => Err(Diagnostic::said(
            "conflicts with `weights`, which define the contrast; remove one of them",
        )
        .at(&node.locate(key))),
    }
}

pub(in crate::spec) fn level(key: &str, name: &str, factor: &Factor) -> Result<usize, ConfigError> {
    let what = format!("level of `{}`", factor.name);
    known(key, name, &level_names(factor), &what)
}
