//! A level of a factor, as a file writes it: a value or a table.

use crate::spec::parse::scalar::{Scalar, ScalarVisitor};
use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// A value for the factor's key, or a table.
pub(in crate::spec) enum LevelEntry {
    Value(Scalar),
    Table(LevelTable),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct LevelTable {
    pub(in crate::spec) name: Option<String>,
    pub(in crate::spec) label: Option<String>,
    pub(in crate::spec) value: Option<Scalar>,
    /// Arguments of a program.
    pub(in crate::spec) args: Option<Vec<String>>,
    #[serde(rename = "set")]
    _set: Option<IgnoredAny>,
}

impl From<Scalar> for LevelTable {
    fn from(value: Scalar) -> Self {
        Self {
            value: Some(value),
            ..Self::default()
        }
    }
}

impl<'de> Deserialize<'de> for LevelEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelVisitor)
    }
}

struct LevelVisitor;

impl<'de> Visitor<'de> for LevelVisitor {
    type Value = LevelEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, `true` or `false`, or a table such as `{ name = \"a\" }`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LevelEntry, E> {
        ScalarVisitor.visit_str(text).map(LevelEntry::Value)
    }

    fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<LevelEntry, E> {
        ScalarVisitor.visit_bool(on).map(LevelEntry::Value)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<LevelEntry, E> {
        ScalarVisitor.visit_u64(number).map(LevelEntry::Value)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<LevelEntry, E> {
        ScalarVisitor.visit_i64(number).map(LevelEntry::Value)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<LevelEntry, E> {
        ScalarVisitor.visit_f64(number).map(LevelEntry::Value)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LevelEntry, A::Error> {
        LevelTable::deserialize(MapAccessDeserializer::new(map)).map(LevelEntry::Table)
    }
}
