//! The figure of an experiment: the effect of one factor at every level of another.

use crate::recipe::Length;
use crate::spec::design::weights::{Design, level};
use crate::spec::parse::checks::flaw;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::Node;
use crate::spec::parse::scalar::Scalar;
use crate::spec::{Arm, ContrastKind, Held, Metric, Weight, When};
use ablate_models::ConfigError;
use serde::{Deserialize, Serialize};

/// Largest number of subplots.
const MOST_PANELS: usize = 4;

/// The difference between two levels of a factor, drawn against another factor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Heading.
    pub title: String,
    /// The factor whose effect is shown.
    pub effect: String,
    /// Level whose effect it is.
    pub treatment: String,
    /// Level it is compared with.
    pub control: String,
    /// The factor along the horizontal axis.
    pub along: String,
    /// The factor with a line for each level.
    pub lines: Option<String>,
    /// What differs between the panels.
    pub panels: Panels,
    /// What is measured.
    pub metric: Metric,
    /// Differences smaller than this do not matter.
    pub margin: f64,
}

/// What differs between the panels of a figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Panels {
    /// There is one.
    One,
    /// The level of a factor.
    Factor(String),
    /// When it is read.
    Times(Vec<When>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct FigureTable {
    title: String,
    effect: String,
    treatment: Scalar,
    control: Scalar,
    along: String,
    lines: Option<String>,
    panels: Option<String>,
    at: Option<Vec<usize>>,
    metric: Option<String>,
    margin: f64,
}

impl Design<'_> {
    /// Reads the figure that stands at `node`.
    pub(in crate::spec) fn figure(
        &self,
        table: FigureTable,
        node: &Node,
    ) -> Result<Figure, Diagnostic> {
        let place =
            |error: ConfigError| Diagnostic::said(&error.message).at(&node.locate(&error.key));
        let metric = self.metric(table.metric.as_deref(), node)?;
        self.checked(table, metric).map_err(place)
    }

    fn checked(&self, table: FigureTable, metric: Metric) -> Result<Figure, ConfigError> {
        let varied = self.factor("effect", &table.effect)?;
        let (treatment, control) = (table.treatment.name(), table.control.name());
        level("treatment", &treatment, varied)?;
        level("control", &control, varied)?;
        if treatment == control {
            return flaw("control", "is the treatment; compare two levels");
        }
        self.other_factor("along", &table.along, &table.effect)?;
        let mut used = vec![table.along.clone()];
        for (key, name) in [("lines", &table.lines), ("panels", &table.panels)] {
            let Some(name) = name else { continue };
            self.other_factor(key, name, &table.effect)?;
            if used.contains(name) {
                return flaw(key, format!("is `{name}`, which the figure already shows"));
            }
            used.push(name.clone());
        }
        if !(table.margin > 0.0 && table.margin.is_finite()) {
            let message = format!("must be positive and finite, not {}", table.margin);
            return flaw("margin", message);
        }
        if let Metric::Probe(measure) = &metric {
            for arm in self.arms.iter().filter(|arm| !arm.levels.is_empty()) {
                measure.check(arm).map_err(|mut error| {
                    error.key = "metric".to_owned();
                    error
                })?;
            }
        }
        Ok(Figure {
            panels: self.panels(&table)?,
            title: table.title,
            effect: table.effect,
            treatment,
            control,
            along: table.along,
            lines: table.lines,
            metric,
            margin: table.margin,
        })
    }

    fn panels(&self, table: &FigureTable) -> Result<Panels, ConfigError> {
        let Some(times) = &table.at else {
            return match &table.panels {
                None => Ok(Panels::One),
                Some(name) if self.factor("panels", name)?.levels.len() <= MOST_PANELS => {
                    Ok(Panels::Factor(name.clone()))
                }
                Some(_) => flaw("panels", format!("has more than {MOST_PANELS} levels")),
            };
        };
        if table.panels.is_some() {
            return flaw("at", "conflicts with `panels`; remove one of them");
        }
        if times.is_empty() || times.len() > MOST_PANELS {
            return flaw("at", format!("must be 1 to {MOST_PANELS} evaluations"));
        }
        let cells = self.arms.iter().filter(|arm| !arm.levels.is_empty());
        for arm in cells {
            let scored = arm.recipe.evaluations();
            let is_scored = |time| scored.as_ref().is_none_or(|all| all.contains(time));
            if let Some(time) = times.iter().find(|time| !is_scored(time)) {
                let message = format!("has {time}, at which `{}` is not scored", arm.name);
                return flaw("at", message);
            }
        }
        let net = self.arms.first().and_then(Arm::net);
        let in_steps = net.is_some_and(|net| matches!(net.train.length, Length::Steps(_)));
        let when = |&time| match in_steps {
            true => When::Step(time),
            false => When::Epoch(time),
        };
        Ok(Panels::Times(times.iter().map(when).collect()))
    }
}

impl Figure {
    /// The weights of the arms at a point: the effect with the factors of `held` at their levels, in
    /// the mean over the others. `None` where the design leaves a combination out.
    pub fn weights(&self, spec: &crate::spec::Spec, held: &[(&str, &str)]) -> Option<Vec<Weight>> {
        let hold = |&(factor, level): &(&str, &str)| Held {
            factor: factor.to_owned(),
            levels: vec![level.to_owned()],
        };
        let comparison = ContrastKind::Effect {
            factor: self.effect.clone(),
            treatment: self.treatment.clone(),
            control: self.control.clone(),
            at: held.iter().map(hold).collect(),
            between: Vec::new(),
        };
        comparison.weights(&spec.factors, &spec.arms, &[]).ok()
    }
}
