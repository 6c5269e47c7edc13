//! Nodes as a strict serde format whose errors keep the location of the mistake.
//!
//! Enums have two forms. A plain enum is a string. An enum renamed to [`BY_KIND`] is a table: its
//! `kind` names the variant, and its other keys belong to the variant. Unlike serde's internal tags
//! this buffers nothing, so every mistake inside keeps its location.
//!
//! A struct has no other keys than its fields, with or without serde's `deny_unknown_fields`.

use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, Table, Value, brief};
use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::collections::btree_map;
use std::fmt;

/// Serde name of enums that are tables with a `kind`.
pub(in crate::spec) const BY_KIND: &str = "by kind";

/// Reads a node as a `T`.
pub(in crate::spec) fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(Reader::new(node))
}

/// Reads the keys of a table beside its `kind` as a `T`.
pub(in crate::spec) fn read_beside_kind<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostic> {
    T::deserialize(Content(node).reader()).map_err(|fault| fault.at(&node.origin))
}

/// The `kind` of a table, one of `kinds`, and the node that names it.
pub(in crate::spec) fn kind<'a>(
    node: &'a Node,
    kinds: &[&str],
) -> Result<(&'a str, &'a Node), Diagnostic> {
    let Value::Table(table) = &node.value else {
        let example = kinds.first().copied().unwrap_or_default();
        let expected = format!("a table such as `{{ kind = \"{example}\" }}`");
        return Err(Reader::new(node).wrong_type(&expected));
    };
    let chosen = table
        .get("kind")
        .ok_or_else(|| Diagnostic::missing_key("kind", kinds).at(&node.origin))?;
    let kind = chosen
        .as_str()
        .ok_or_else(|| Reader::new(chosen).wrong_type("a string"))?;
    Ok((kind, chosen))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    /// The node is a table whose `kind` has been read.
    kind_read: bool,
    /// The keys that a table may have; `None` for any.
    fields: Option<&'static [&'static str]>,
}

impl<'a> Reader<'a> {
    fn new(node: &'a Node) -> Self {
        Self {
            node,
            kind_read: false,
            fields: None,
        }
    }

    fn wrong_type(&self, expected: &str) -> Diagnostic {
        Diagnostic::wrong_type(expected, found(&self.node.value)).at(&self.node.origin)
    }

    fn entries(&self, table: &'a Table) -> Entries<'a> {
        Entries {
            entries: table.iter(),
            kind_read: self.kind_read,
            fields: self.fields,
            value: None,
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Diagnostic;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Diagnostic> {
        match &self.node.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(on) => visitor.visit_bool(*on),
            Value::Datetime => Err(de::Error::invalid_type(
                Unexpected::Other("a date"),
                &visitor,
            )),
            Value::Array(items) => visitor.visit_seq(Items(items.iter())),
            Value::Table(table) => visitor.visit_map(self.entries(table)),
        }
        .map_err(|fault: Diagnostic| fault.at(&self.node.origin))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Diagnostic> {
        visitor.visit_some(self)
    }

    /// Only from a table: serde would take an array for the fields in order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Diagnostic> {
        match &self.node.value {
            Value::Table(_) => Self {
                fields: Some(fields),
                ..self
            }
            .deserialize_any(visitor),
            _ => Err(self.wrong_type("a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Diagnostic> {
        let (variant, chosen) = match (&self.node.value, name == BY_KIND) {
            (Value::String(text), false) => (text.as_str(), self.node),
            (_, false) => return Err(self.wrong_type("a string")),
            (_, true) => kind(self.node, variants)?,
        };
        visitor
            .visit_enum(Choice {
                variant,
                chosen,
                content: self.node,
            })
            .map_err(|fault| fault.at(&self.node.origin))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Diagnostic;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Diagnostic> {
        self.0
            .next()
            .map(|node| seed.deserialize(Reader::new(node)))
            .transpose()
    }
}

struct Entries<'a> {
    entries: btree_map::Iter<'a, String, Node>,
    kind_read: bool,
    fields: Option<&'static [&'static str]>,
    value: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Diagnostic;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Diagnostic> {
        let kind_read = self.kind_read;
        let Some((key, node)) = self
            .entries
            .find(|(key, _)| !(kind_read && key.as_str() == "kind"))
        else {
            return Ok(None);
        };
        if let Some(fields) = self.fields
            && !fields.contains(&key.as_str())
        {
            return Err(Diagnostic::unknown_key(key, fields).at(&node.origin));
        }
        self.value = Some(node);
        let key: StrDeserializer<'_, Diagnostic> = key.as_str().into_deserializer();
        seed.deserialize(key)
            .map(Some)
            .map_err(|fault| fault.at(&node.origin))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Diagnostic> {
        match self.value.take() {
            Some(node) => seed.deserialize(Reader::new(node)),
            None => Err(Diagnostic::said("has a value without a key")),
        }
    }
}

/// A variant's name, the node that names it, and the node that holds its content.
struct Choice<'a> {
    variant: &'a str,
    chosen: &'a Node,
    content: &'a Node,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Diagnostic;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de>), Diagnostic> {
        let name: StringDeserializer<Diagnostic> = self.variant.to_owned().into_deserializer();
        let variant = seed
            .deserialize(name)
            .map_err(|fault| fault.at(&self.chosen.origin))?;
        Ok((variant, Content(self.content)))
    }
}

struct Content<'a>(&'a Node);

impl<'a> Content<'a> {
    fn reader(&self) -> Reader<'a> {
        Reader {
            node: self.0,
            kind_read: true,
            fields: None,
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Diagnostic;

    fn unit_variant(self) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Diagnostic> {
        seed.deserialize(self.reader())
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Diagnostic> {
        self.reader().deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Diagnostic> {
        self.reader().deserialize_struct("", fields, visitor)
    }
}

impl de::Error for Diagnostic {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::said(&message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Bool(on) => format!("`{on}`"),
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Float(number) => format!("{number:?}"),
            Unexpected::Str(text) => format!("the string `{}`", brief(text)),
            Unexpected::Seq => "an array".to_owned(),
            Unexpected::Map => "a table".to_owned(),
            other => other.to_string(),
        };
        Self::wrong_type(in_words(&expected.to_string()), found)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown_value(variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown_key(field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::missing_key(field, &[])
    }
}

impl std::error::Error for Diagnostic {}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

/// What serde's visitors expect, in words that TOML's users know.
fn in_words(expected: &str) -> &str {
    match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, at least 0",
        "isize" | "i64" | "i32" | "i16" | "i8" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "`true` or `false`",
        "a sequence" => "an array",
        other => other,
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string `{}`", brief(text)),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(on) => format!("`{on}`"),
        Value::Datetime => "a date".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}
