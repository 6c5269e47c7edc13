//! When a contrast is read, as a file writes it: a word, or a table with one number.

use crate::spec::parse::checks::flaw;
use crate::spec::{Arm, When};
use ablate_models::ConfigError;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

const WORDS: [&str; 3] = ["last", "equal_accuracy", "equal_nll"];

/// `"last"`, `"equal_accuracy"`, `"equal_nll"`, `{ epoch = 5 }` or `{ step = 100 }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::spec) struct WhenTable(pub(in crate::spec) When);

impl<'de> Deserialize<'de> for WhenTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WhenVisitor)
    }
}

/// Whether `arm` has the scores that `when` needs. The evaluations of a program are not known.
pub(in crate::spec) fn scored(when: When, arm: &Arm) -> Result<(), ConfigError> {
    let (wanted, unit) = match when {
        When::Last => return Ok(()),
        When::EqualAccuracy | When::EqualNll => {
            if arm.net().is_some_and(|net| net.data.validation > 0.0) {
                return Ok(());
            }
            let message = format!(
                "matches arms by their validation scores, and `{}` has no validation split; set \
                 `data.validation` above 0",
                arm.name
            );
            return flaw("when", message);
        }
        When::Epoch(n) => (n, "epoch"),
        When::Step(n) => (n, "step"),
    };
    let Some(train) = arm.net().map(|net| &net.train) else {
        return Ok(());
    };
    if train.length.unit() == unit && train.evaluations().contains(&wanted) {
        return Ok(());
    }
    flaw(
        "when",
        format!(
            "is {unit} {wanted}, at which `{}` is not scored; see `train.evaluate_at`",
            arm.name
        ),
    )
}

struct WhenVisitor;

impl<'de> Visitor<'de> for WhenVisitor {
    type Value = WhenTable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`last`, `equal_accuracy`, `equal_nll`, or a table such as `{ epoch = 5 }`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WhenTable, E> {
        match text {
            "last" => Ok(WhenTable(When::Last)),
            "equal_accuracy" => Ok(WhenTable(When::EqualAccuracy)),
            "equal_nll" => Ok(WhenTable(When::EqualNll)),
            other => Err(E::unknown_variant(other, &WORDS)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WhenTable, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let read = match key.as_str() {
                "epoch" => When::Epoch(map.next_value()?),
                "step" => When::Step(map.next_value()?),
                other => {
                    let message = format!("has the key `{other}`; give an `epoch` or a `step`");
                    return Err(de::Error::custom(message));
                }
            };
            if found.replace(read).is_some() {
                return Err(de::Error::custom(
                    "must be an `epoch` or a `step`, not both",
                ));
            }
        }
        found
            .map(WhenTable)
            .ok_or_else(|| de::Error::custom("is empty; give an `epoch` or a `step`"))
    }
}
