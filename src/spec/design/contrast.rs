//! Contrasts: what they compare, and the weights of the arms.
//!
//! Every contrast is a weighted sum of arms per seed. A comparison of two arms has weights +1 and -1,
//! a main effect averages over the levels of the other factors, and an interaction is a difference of
//! differences. [`ContrastKind::weights`] computes them.

use crate::spec::design::factors::{Factor, combinations};
use crate::spec::{Arm, Contrast};
use serde::{Deserialize, Serialize};

/// What a contrast compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ContrastKind {
    /// One arm with another.
    Arms {
        /// Treatment arm.
        treatment: String,
        /// Control arm.
        control: String,
    },
    /// One level of a factor with another, in the cells of the other factors.
    Effect {
        /// The factor.
        factor: String,
        /// Level whose effect it is.
        treatment: String,
        /// Level it is compared with.
        control: String,
        /// Factors that are held: only cells at these levels count. The mean is taken over several
        /// levels of one factor, and over all levels of factors that are not named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        at: Vec<Held>,
        /// Factors between whose levels the effect is compared: the effect at the first level minus
        /// that at the second. One makes an interaction of two factors, two one of three.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        between: Vec<Between>,
    },
    /// A weighted sum of arms, written out.
    Sum,
}

/// A factor held at some of its levels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The factor.
    pub factor: String,
    /// Its levels, each with the same weight.
    pub levels: Vec<String>,
}

/// Two levels of a factor between which an effect is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// The factor.
    pub factor: String,
    /// Level at which the effect counts as it is.
    pub first: String,
    /// Level at which it is subtracted.
    pub second: String,
}

/// An arm and its weight in a contrast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// The arm.
    pub arm: String,
    /// Its weight, not 0; the weights of a contrast add up to 0.
    pub weight: f64,
}

/// Why a comparison has no weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// A factor or a level that the spec does not have.
    Unknown,
    /// A cell, by its levels, that has no arm.
    Cell(Vec<usize>),
}

impl ContrastKind {
    /// `treatment` with `control`.
    pub fn arms(treatment: &str, control: &str) -> Self {
        Self::Arms {
            treatment: treatment.to_owned(),
            control: control.to_owned(),
        }
    }

    /// Whether it compares effects with each other rather than arms.
    pub fn is_interaction(&self) -> bool {
        matches!(self, Self::Effect { between, .. } if !between.is_empty())
    }

    /// What a seed gives it: `pair` where two arms are compared, else `seed`.
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Arms { .. } => "pair",
            Self::Effect { .. } | Self::Sum => "seed",
        }
    }

    /// The weights of the arms, in the order of the arms; `sum` are those that are written out.
    pub(crate) fn weights(
        &self,
        factors: &[Factor],
        arms: &[Arm],
        sum: &[Weight],
    ) -> Result<Vec<Weight>, Gap> {
        match self {
            Self::Arms { treatment, control } => Ok(pair(treatment, control)),
            Self::Sum => Ok(sum.to_vec()),
            Self::Effect { .. } => self.cell_weights(factors, arms),
        }
    }

    /// The weight of a cell is the product over the factors of the weight of its level.
    fn cell_weights(&self, factors: &[Factor], arms: &[Arm]) -> Result<Vec<Weight>, Gap> {
        let parts = factors
            .iter()
            .map(|factor| self.level_weights(factor).ok_or(Gap::Unknown))
            .collect::<Result<Vec<_>, _>>()?;
        let mut of_arms = vec![0.0; arms.len()];
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        for combination in combinations(&sizes) {
            let chosen = || combination.iter().zip(&parts).map(|(&i, part)| part[i]);
            let cell: Vec<usize> = chosen().map(|(level, _)| level).collect();
            let arm = arms.iter().position(|arm| arm.levels == cell);
            let Some(arm) = arm else {
                return Err(Gap::Cell(cell));
            };
            of_arms[arm] = chosen().map(|(_, weight)| weight).product();
        }
        Ok(arms
            .iter()
            .zip(of_arms)
            .filter(|(_, weight)| *weight != 0.0)
            .map(|(arm, weight)| Weight {
                arm: arm.name.clone(),
                weight,
            })
            .collect())
    }

    /// Levels of `factor` that take part, with their weights; `None` where a level is unknown.
    fn level_weights(&self, factor: &Factor) -> Option<Vec<(usize, f64)>> {
        let Self::Effect {
            factor: varied,
            treatment,
            control,
            at,
            between,
        } = self
        else {
            return None;
        };
        let difference = |plus: &str, minus: &str| {
            Some(vec![
                (factor.level(plus)?, 1.0),
                (factor.level(minus)?, -1.0),
            ])
        };
        if *varied == factor.name {
            return difference(treatment, control);
        }
        if let Some(pair) = between.iter().find(|pair| pair.factor == factor.name) {
            return difference(&pair.first, &pair.second);
        }
        let levels: Vec<usize> = match at.iter().find(|held| held.factor == factor.name) {
            Some(held) => (held.levels.iter())
                .map(|name| factor.level(name))
                .collect::<Option<_>>()?,
            None => (0..factor.levels.len()).collect(),
        };
        let share = 1.0 / levels.len() as f64;
        Some(levels.into_iter().map(|level| (level, share)).collect())
    }
}

/// The weights of two arms, one against the other.
pub(crate) fn pair(treatment: &str, control: &str) -> Vec<Weight> {
    let of = |arm: &str, weight| Weight {
        arm: arm.to_owned(),
        weight,
    };
    vec![of(treatment, 1.0), of(control, -1.0)]
}

impl Contrast {
    /// The arms with a weight, in the order of `arms`; those that `arms` lacks are left out.
    pub(crate) fn arms<'a>(&'a self, arms: &'a [Arm]) -> impl Iterator<Item = (&'a Arm, f64)> {
        self.weights.iter().filter_map(|term| {
            let arm = arms.iter().find(|arm| arm.name == term.arm)?;
            Some((arm, term.weight))
        })
    }
}
