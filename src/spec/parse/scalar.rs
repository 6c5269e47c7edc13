//! A single TOML value that names a level: a string, a number or a boolean.

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A string, a number or a boolean.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::spec) enum Scalar {
    Text(String),
    Number(f64),
    Switch(bool),
}

impl Scalar {
    /// As contrasts refer to it: 0.50 and 0.5 are one name.
    pub(in crate::spec) fn name(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Switch(on) => on.to_string(),
        }
    }

    pub(in crate::spec) const fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Switch(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Shared with visitors that also take a scalar.
pub(in crate::spec) struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or `true` or `false`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<Scalar, E> {
        Ok(Scalar::Switch(on))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number as f64))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
        match number.is_finite() {
            true => Ok(Scalar::Number(number)),
            false => Err(E::custom("must be finite")),
        }
    }
}

/// A scalar or an array of them.
pub(in crate::spec) struct Scalars(pub(in crate::spec) Vec<Scalar>);

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarsVisitor)
    }
}

struct ScalarsVisitor;

impl<'de> Visitor<'de> for ScalarsVisitor {
    type Value = Scalars;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a level or an array of levels")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalars, E> {
        ScalarVisitor.visit_str(text).map(|one| Scalars(vec![one]))
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<Scalars, E> {
        ScalarVisitor.visit_bool(on).map(|one| Scalars(vec![one]))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalars, E> {
        let one = ScalarVisitor.visit_u64(number)?;
        Ok(Scalars(vec![one]))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalars, E> {
        let one = ScalarVisitor.visit_i64(number)?;
        Ok(Scalars(vec![one]))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalars, E> {
        let one = ScalarVisitor.visit_f64(number)?;
        Ok(Scalars(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalars, A::Error> {
        Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Scalars)
    }
}
