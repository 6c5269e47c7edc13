//! TOML as a tree of nodes that know where they were written.
//!
//! Arms and overrides are merged as trees, so that an error found after the merge still names the
//! line to change.

use crate::spec::parse::depth;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::text::visible::steering;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Deepest nesting of a spec; real specs need about 8. It keeps recursion from overflowing the stack.
const MAX_DEPTH: usize = 32;

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::spec) struct Node {
    pub(in crate::spec) value: Value,
    pub(in crate::spec) origin: Origin,
}

/// A TOML value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::spec) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

pub(in crate::spec) type Table = BTreeMap<String, Node>;

/// Location and key of a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::spec) struct Origin {
    pub(in crate::spec) place: Location,
    /// Full dotted key as written, e.g. `train.epochs` or `arms[no-bias].set.train.epochs`.
    pub(in crate::spec) key: String,
}

/// A location in the file or on the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::spec) enum Location {
    /// The file as a whole.
    #[default]
    File,
    /// A line of the file, from 1.
    Line(usize),
    /// The argument of `--set`.
    CommandLine(String),
    /// A line of the experiment that the file extends.
    Base {
        /// Line of `extends` in the file.
        extends: usize,
        /// Name of the experiment.
        name: String,
        /// Line in its file.
        line: usize,
    },
}

impl Node {
    /// Parses a document.
    pub(in crate::spec) fn document(text: &str) -> Result<Self, Diagnostic> {
        let lines = Lines::new(text);
        if let Some(offset) = depth::exceeds(text, MAX_DEPTH) {
            let origin = Origin {
                place: Location::Line(lines.of(offset)),
                key: String::new(),
            };
            let message = format!("a value is nested deeper than {MAX_DEPTH} levels");
            return Err(Diagnostic::said(&message).at(&origin));
        }
        let document = DeTable::parse(text).map_err(|error| syntax(&error, &lines))?;
        let place = |offset| Location::Line(lines.of(offset));
        let table = table(document.get_ref(), "", &place, 0)?;
        Ok(Self::root(table))
    }

    /// Parses one value, found at `origin`.
    pub(in crate::spec) fn value(text: &str, origin: &Origin) -> Result<Self, Diagnostic> {
        if depth::exceeds(text, MAX_DEPTH).is_some() {
            return Err(nested_too_deep().at(origin));
        }
        let value = DeValue::parse(text)
            .map_err(|error| Diagnostic::said(&brief(error.message())).at(origin))?;
        let place = |_| origin.place.clone();
        convert(&value, origin.clone(), &place, 0)
    }

    /// Converts a value; all its nodes get the same `origin`.
    pub(in crate::spec) fn from_toml(value: toml::Value, origin: &Origin) -> Self {
        let value = match value {
            toml::Value::String(text) => Value::String(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Float(number) => Value::Float(number),
            toml::Value::Boolean(on) => Value::Boolean(on),
            toml::Value::Datetime(_) => Value::Datetime,
            toml::Value::Array(items) => {
                let items = items.into_iter();
                Value::Array(items.map(|item| Self::from_toml(item, origin)).collect())
            }
            toml::Value::Table(entries) => {
                let entries = entries.into_iter();
                Value::Table(
                    entries
                        .map(|(key, value)| (key, Self::from_toml(value, origin)))
                        .collect(),
                )
            }
        };
        let origin = origin.clone();
        Self { value, origin }
    }

    /// A table for the whole file.
    pub(in crate::spec) fn root(table: Table) -> Self {
        Self {
            value: Value::Table(table),
            origin: Origin::default(),
        }
    }

    pub(in crate::spec) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(table) => table.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// Removes and returns the node at `path`.
    pub(in crate::spec) fn take(&mut self, path: &[&str]) -> Option<Self> {
        let (last, parents) = path.split_last()?;
        let mut node = self;
        for &key in parents {
            let Value::Table(table) = &mut node.value else {
                return None;
            };
            node = table.get_mut(key)?;
        }
        match &mut node.value {
            Value::Table(table) => table.remove(*last),
            _ => None,
        }
    }

    /// The items of an array; empty for other values.
    pub(in crate::spec) fn items(&self) -> &[Self] {
        match &self.value {
            Value::Array(items) => items,
            _ => &[],
        }
    }

    pub(in crate::spec) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Origin of `path` (dotted, array items by index). If it was not written, the location of its
    /// deepest parent.
    pub(in crate::spec) fn locate(&self, path: &str) -> Origin {
        let mut node = self;
        let mut key = self.origin.key.clone();
        let mut found = true;
        for segment in path.split('.') {
            match node.get(segment).filter(|_| found) {
                Some(child) => {
                    node = child;
                    key.clone_from(&child.origin.key);
                }
                None => {
                    found = false;
                    key = child_key(&key, segment);
                }
            }
        }
        Origin {
            place: node.origin.place.clone(),
            key,
        }
    }
}

/// The key `name` below `parent`, quoted as in TOML.
pub(in crate::spec) fn child_key(parent: &str, name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = if !name.is_empty() && name.chars().all(bare) {
        brief(name)
    } else {
        format!("{:?}", brief(name))
    };
    if parent.is_empty() {
        return name;
    }
    format!("{parent}.{name}")
}

/// User text, truncated to 80 characters for messages.
pub(in crate::spec) fn brief(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONGEST - 3).collect();
    format!("{start}...")
}

fn nested_too_deep() -> Diagnostic {
    Diagnostic::said(&format!("is nested deeper than {MAX_DEPTH} levels"))
}

fn table(
    entries: &DeTable<'_>,
    parent: &str,
    place: &dyn Fn(usize) -> Location,
    depth: usize,
) -> Result<Table, Diagnostic> {
    let mut table = Table::new();
    for (name, value) in entries {
        let origin = Origin {
            place: place(name.span().start),
            key: child_key(parent, name.get_ref()),
        };
        shown(name.get_ref()).map_err(|fault| fault.at(&origin))?;
        table.insert(
            name.get_ref().to_string(),
            convert(value, origin, place, depth + 1)?,
        );
    }
    Ok(table)
}

fn convert(
    value: &Spanned<DeValue<'_>>,
    origin: Origin,
    place: &dyn Fn(usize) -> Location,
    depth: usize,
) -> Result<Node, Diagnostic> {
    if depth > MAX_DEPTH {
        return Err(nested_too_deep().at(&origin));
    }
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(shown(text).map_err(|fault| fault.at(&origin))?),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map(Value::Integer)
            .map_err(|_| Diagnostic::said("is a whole number beyond 64 bits").at(&origin))?,
        DeValue::Float(digits) => digits
            .as_str()
            .parse()
            .map(Value::Float)
            .map_err(|_| Diagnostic::said("is not a number").at(&origin))?,
        DeValue::Boolean(on) => Value::Boolean(*on),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let origin = Origin {
                        place: place(item.span().start),
                        key: format!("{}[{}]", origin.key, label(item.get_ref(), index)),
                    };
                    convert(item, origin, place, depth + 1)
                })
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(entries) => Value::Table(table(entries, &origin.key, place, depth)?),
    };
    Ok(Node { value, origin })
}

/// `text`, unless it could steer a terminal: every text of a spec may be printed.
///
/// # Errors
/// If it has such a character.
pub(in crate::spec) fn shown(text: &str) -> Result<String, Diagnostic> {
    match steering(text) {
        None => Ok(text.to_owned()),
        Some(c) => Err(Diagnostic::said(&format!(
            "has the control character U+{:04X}, which may not stand in text; remove it",
            u32::from(c)
        ))),
    }
}

/// Label of an array item in keys: its `name` if it has a valid one, else its index.
fn label(item: &DeValue<'_>, index: usize) -> String {
    let name = item.get("name").and_then(|name| name.get_ref().as_str());
    match name {
        Some(name) if crate::spec::parse::checks::is_name(name) => brief(name),
        _ => index.to_string(),
    }
}

fn syntax(error: &toml::de::Error, lines: &Lines) -> Diagnostic {
    let place = match error.span() {
        Some(span) => Location::Line(lines.of(span.start)),
        None => Location::File,
    };
    let origin = Origin {
        place,
        key: String::new(),
    };
    Diagnostic::said(&format!("not valid TOML: {}", brief(error.message()))).at(&origin)
}

/// Byte offsets of the lines of a text.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    /// The line, from 1, of byte `offset`.
    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "title = \"x\"\n\n[train]\nepochs = 3\n\n[[arms]]\nname = \"a\"\n\
        set.model.block.bias = \"on\"\n[[arms]]\n[arms.set.train]\nepochs = [1,\n 2]\n";

    fn origin(path: &str) -> (Location, String) {
        let origin = Node::document(TEXT).unwrap().locate(path);
        (origin.place, origin.key)
    }

    #[test]
    fn nodes_know_their_line_and_key() {
        for (path, line, key) in [
            ("title", 1, "title"),
            ("train", 3, "train"),
            ("train.epochs", 4, "train.epochs"),
            ("arms.0.name", 7, "arms[a].name"),
            (
                "arms.0.set.model.block.bias",
                8,
                "arms[a].set.model.block.bias",
            ),
            ("arms.1", 9, "arms[1]"),
            (
                "arms.1.set.train.epochs.1",
                12,
                "arms[1].set.train.epochs[1]",
            ),
        ] {
            assert_eq!(
                origin(path),
                (Location::Line(line), key.to_owned()),
                "{path}"
            );
        }
    }

    #[test]
    fn missing_path_has_its_parents_location() {
        let (place, key) = origin("train.optimizer.beta1");
        assert_eq!(place, Location::Line(3));
        assert_eq!(key, "train.optimizer.beta1");
        assert_eq!(origin("nowhere").0, Location::File);
    }

    #[test]
    fn odd_keys_are_quoted_and_long_keys_truncated() {
        assert_eq!(child_key("a", "b c"), "a.\"b c\"");
        assert_eq!(child_key("", ""), "\"\"");
        assert_eq!(child_key("", &"x".repeat(1000)).len(), 80);
    }

    #[test]
    fn deep_nesting_is_rejected() {
        let dotted = format!("{} = 1", vec!["a"; 70].join("."));
        let arrays = format!("a = {}{}", "[".repeat(70), "]".repeat(70));
        let mixed = format!(
            "{}1{}",
            format!("{} = {{", vec!["a"; 70].join(".")).repeat(60),
            "}".repeat(60)
        );
        for text in [dotted, arrays, mixed] {
            assert!(Node::document(&text).is_err(), "{}", brief(&text));
        }
    }
}
