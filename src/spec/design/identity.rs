//! Identities under test: what must hold exactly, and in which arms.

use crate::spec::design::quantities::Timing;
use crate::spec::parse::checks::{flaw, known};
use crate::spec::{Arm, Measure};
use ablate_models::ConfigError;
use serde::{Deserialize, Serialize};

/// An identity under test: a measured value that is at most `bound` where the identity holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Number of the identity, as declared in the file of claims.
    pub number: usize,
    /// Statement of the identity.
    pub statement: String,
    /// Measured quantity; without a part, all its parts.
    pub value: String,
    /// Largest value that counts as zero.
    pub bound: f64,
    /// Arms in which it must hold.
    #[serde(default)]
    pub holds: Vec<String>,
    /// Arms in which it must fail.
    #[serde(default)]
    pub fails: Vec<String>,
    /// Method of measurement, and reason for the bound.
    pub note: String,
}

impl Identity {
    /// # Errors
    /// If it says nothing about the arms, or what it says cannot be measured there. The error's key
    /// is relative to the identity.
    pub(in crate::spec) fn check(&self, arms: &[Arm]) -> Result<(), ConfigError> {
        if !(self.bound > 0.0 && self.bound.is_finite()) {
            let message = format!("must be positive and finite, not {}", self.bound);
            return flaw("bound", message);
        }
        if self.holds.is_empty() && self.fails.is_empty() {
            return flaw(
                "holds",
                "is empty, and so is `fails`; name an arm in either",
            );
        }
        let Some(measure) = Measure::named(&self.value) else {
            let message = format!("is `{}`, which no probe measures", self.value);
            return flaw("value", message);
        };
        if measure.quantity.timing != Timing::AtEnd {
            let message = format!(
                "is `{}`, a trace or series; use a quantity with a single value",
                self.value
            );
            return flaw("value", message);
        }
        let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
        for (key, list) in [("holds", &self.holds), ("fails", &self.fails)] {
            for (i, name) in list.iter().enumerate() {
                let key = format!("{key}.{i}");
                let arm = &arms[known(&key, name, &names, "arm")?];
                let probe = measure.quantity.probe;
                let Some(net) = arm.net().filter(|net| net.probes.contains(&probe)) else {
                    let probe = probe.name();
                    let message =
                        format!("names `{name}`, which does not have the probe `{probe}`");
                    return flaw(&key, message);
                };
                let names = measure.quantity.names(&net.model);
                if measure.part.is_some() && !names.contains(&self.value) {
                    let message = format!("names `{name}`, which has no `{}`", self.value);
                    return flaw(&key, message);
                }
                let twice = list[..i].contains(name)
                    || (key.starts_with("fails") && self.holds.contains(name));
                if twice {
                    return flaw(&key, format!("names `{name}` for the second time"));
                }
            }
        }
        Ok(())
    }
}
