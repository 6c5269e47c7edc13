//! A mistake in a spec, and the sentence that names it and says what to do.

use crate::spec::parse::node::{Location, Origin, brief, child_key};
use crate::spec::parse::overrides::Override;
use std::cmp::Reverse;
use std::fmt;

/// A mistake, and its location once that is known.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::spec) struct Diagnostic {
    what: Box<What>,
    origin: Option<Box<Origin>>,
    /// The cause, unless the location shows it.
    context: String,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    UnknownKey {
        name: String,
        valid: Vec<String>,
    },
    MissingKey {
        name: String,
        valid: Vec<String>,
    },
    UnknownValue {
        value: String,
        valid: Vec<String>,
    },
    WrongType {
        expected: String,
        found: String,
    },
    /// The end of a sentence that starts with the key.
    Said(String),
}

/// What would repair a mistake.
pub(in crate::spec) enum Cure {
    /// Another name for the key.
    Rename { to: String },
    /// To leave the key out.
    Remove,
    /// A key in the table.
    Add { name: String },
    /// Another value: a valid text if one is known, and whether it is most likely meant.
    Replace { with: Option<String>, meant: bool },
}

impl Diagnostic {
    fn new(what: What) -> Self {
        Self {
            what: Box::new(what),
            origin: None,
            context: String::new(),
        }
    }

    pub(in crate::spec) fn said(message: &str) -> Self {
        Self::new(What::Said(message.to_owned()))
    }

    pub(in crate::spec) fn unknown_key(name: &str, valid: &[&str]) -> Self {
        Self::new(What::UnknownKey {
            name: name.to_owned(),
            valid: owned(valid),
        })
    }

    /// The key `name` is missing; `valid` are the values it may have, where they can be listed.
    pub(in crate::spec) fn missing_key(name: &str, valid: &[&str]) -> Self {
        Self::new(What::MissingKey {
            name: name.to_owned(),
            valid: owned(valid),
        })
    }

    pub(in crate::spec) fn unknown_value(value: &str, valid: &[&str]) -> Self {
        Self::new(What::UnknownValue {
            value: value.to_owned(),
            valid: owned(valid),
        })
    }

    pub(in crate::spec) fn wrong_type(
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        Self::new(What::WrongType {
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }

    /// Sets the location, unless a deeper one is set.
    pub(in crate::spec) fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| Box::new(origin.clone()));
        self
    }

    /// Adds that the mistake is in the recipe of `arm`, unless the location shows it.
    pub(in crate::spec) fn in_arm(mut self, arm: &str) -> Self {
        let key = self.origin.as_ref().map_or("", |origin| &origin.key);
        let shows = ["arms[", "factors["]
            .iter()
            .any(|start| key.starts_with(start));
        if self.typed().is_none() && !shows {
            self.context.push_str(&format!(" (arm `{arm}`)"));
        }
        self
    }

    /// Adds that the file is valid without `overrides`, unless the location shows it.
    pub(in crate::spec) fn after(mut self, overrides: &[Override]) -> Self {
        if self.typed().is_none() {
            let typed: Vec<_> = overrides.iter().map(|set| format!("--set {set}")).collect();
            self.context.push_str(&format!(" (after {})", list(&typed)));
        }
        self
    }

    /// The argument of `--set` that contains the mistake.
    fn typed(&self) -> Option<&str> {
        match &self.origin.as_ref()?.place {
            Location::CommandLine(text) => Some(text),
            Location::File | Location::Line(_) | Location::Base { .. } => None,
        }
    }

    /// Whether the mistake is that `key` is unknown.
    pub(in crate::spec) fn is_unknown_key(&self, key: &str) -> bool {
        matches!(*self.what, What::UnknownKey { .. }) && self.key() == key
    }

    /// The same mistake at another location.
    pub(in crate::spec) fn moved(mut self, place: &Location) -> Self {
        if let Some(origin) = &mut self.origin {
            origin.place = place.clone();
        }
        self
    }

    /// Its location, where known.
    pub(in crate::spec) fn origin(&self) -> Option<&Origin> {
        self.origin.as_deref()
    }

    /// What would repair it.
    pub(in crate::spec) fn cure(&self) -> Cure {
        match &*self.what {
            What::UnknownKey { name, valid } => match nearest(name, valid) {
                Some(near) => Cure::Rename {
                    to: near.to_owned(),
                },
                None => Cure::Remove,
            },
            What::MissingKey { name, .. } => Cure::Add { name: name.clone() },
            What::UnknownValue { value, valid } => {
                let near = nearest(value, valid);
                Cure::Replace {
                    with: near
                        .or(valid.first().map(String::as_str))
                        .map(str::to_owned),
                    meant: near.is_some(),
                }
            }
            What::WrongType { .. } | What::Said(_) => Cure::Replace {
                with: None,
                meant: false,
            },
        }
    }

    /// What a value of the wrong type should be.
    pub(in crate::spec) fn expected(&self) -> Option<&str> {
        match &*self.what {
            What::WrongType { expected, .. } => Some(expected),
            _ => None,
        }
    }

    /// Whether it says something about the value of another key, `key`.
    pub(in crate::spec) fn mentions(&self, key: &str) -> bool {
        match &*self.what {
            What::Said(message) => message.contains(&format!("`{key}`")),
            _ => false,
        }
    }

    pub(in crate::spec) fn is_missing_key(&self) -> bool {
        matches!(*self.what, What::MissingKey { .. })
    }

    /// The line, where known.
    pub(in crate::spec) fn line(&self) -> Option<usize> {
        match self.origin.as_ref()?.place {
            Location::Line(line) | Location::Base { extends: line, .. } => Some(line),
            Location::File | Location::CommandLine(_) => None,
        }
    }

    /// Where the mistake was inherited from, in words.
    fn inherited(&self) -> String {
        match self.origin.as_ref().map(|origin| &origin.place) {
            Some(Location::Base { name, line, .. }) => format!(" (line {line} of `{name}.toml`)"),
            _ => String::new(),
        }
    }

    /// The experiment that the file extends and the line there, if the mistake is in that one.
    pub(in crate::spec) fn in_base(&self) -> Option<(&str, usize)> {
        match &self.origin.as_ref()?.place {
            Location::Base { name, line, .. } => Some((name, *line)),
            _ => None,
        }
    }

    /// The full dotted key; empty for the file as a whole.
    pub(in crate::spec) fn key(&self) -> String {
        let key = self.origin.as_ref().map_or("", |origin| &origin.key);
        match &*self.what {
            What::MissingKey { name, .. } => child_key(key, name),
            _ => key.to_owned(),
        }
    }

    /// The message: what is wrong, where, and what to do.
    pub(in crate::spec) fn message(&self) -> String {
        self.message_with(&self.inherited())
    }

    /// The message without the line of a base, for a reader who sees that line.
    pub(in crate::spec) fn message_at_line(&self) -> String {
        self.message_with("")
    }

    fn message_with(&self, inherited: &str) -> String {
        let sentence = self.sentence();
        let context = format!("{}{inherited}", self.context);
        match self.typed() {
            Some(text) => format!("`--set {}`: {sentence}{context}", brief(text)),
            None => format!("{sentence}{context}"),
        }
    }

    fn sentence(&self) -> String {
        let key = self.key();
        match &*self.what {
            What::UnknownKey { name, valid } => {
                let parent = self.parent_key();
                let advice = match nearest(name, valid) {
                    Some(near) => did_you_mean(&child_key(parent, near)),
                    None if valid.is_empty() => "no other key is valid there".to_owned(),
                    None => format!("valid keys there are {}", list(valid)),
                };
                format!("unknown key `{key}`; {advice}")
            }
            What::MissingKey { valid, .. } if valid.is_empty() => format!("`{key}` is missing"),
            What::MissingKey { valid, .. } => {
                format!("`{key}` is missing; valid values are {}", list(valid))
            }
            What::UnknownValue { value, valid } => {
                let advice = match nearest(value, valid) {
                    Some(near) => did_you_mean(near),
                    None if valid.is_empty() => "there are none to choose from".to_owned(),
                    None => format!("valid values are {}", list(valid)),
                };
                format!("`{key}` cannot be `{}`; {advice}", brief(value))
            }
            What::WrongType { expected, found } => {
                format!("`{key}` must be {expected}, not {found}")
            }
            What::Said(message) if key.is_empty() => message.clone(),
            What::Said(message) => format!("`{key}` {message}"),
        }
    }

    /// The key of the table that contains the unknown key.
    fn parent_key(&self) -> &str {
        let key = self.origin.as_ref().map_or("", |origin| &origin.key);
        match &*self.what {
            What::UnknownKey { name, .. } => {
                let own = child_key("", name).len();
                key.get(..key.len().saturating_sub(own + 1)).unwrap_or("")
            }
            _ => key,
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Names in backticks, separated by commas.
pub(in crate::spec) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<_> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    quoted.join(", ")
}

/// The valid name that `name` most likely means: at an edit distance of at most a third of its
/// length, or containing it, or contained in it. Of equally near names, the one with the longer common
/// start.
pub(crate) fn nearest<'a, S: AsRef<str>>(name: &str, valid: &'a [S]) -> Option<&'a str> {
    const LONGEST: usize = 64;
    const SHORTEST_PART: usize = 4;
    if name.len() > LONGEST {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let limit = name.chars().count() / 3;
    let part = |a: &str, b: &str| a.len() >= SHORTEST_PART && b.contains(a);
    valid
        .iter()
        .map(AsRef::as_ref)
        .filter(|known| known.len() <= LONGEST)
        .map(|known| (strsim::damerau_levenshtein(&name, known), known))
        .filter(|&(distance, known)| distance <= limit || part(&name, known) || part(known, &name))
        .min_by_key(|&(distance, known)| (distance, Reverse(common_start(&name, known))))
        .map(|(_, known)| known)
}

fn common_start(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_name_tolerates_typos_parts_and_case() {
        let valid = ["epochs", "batch_size", "test_accuracy", "lr"];
        assert_eq!(nearest("epoch", &valid), Some("epochs"));
        assert_eq!(nearest("bacth-size", &valid), Some("batch_size"));
        assert_eq!(nearest("accuracy", &valid), Some("test_accuracy"));
        assert_eq!(nearest("EPOCHS", &valid), Some("epochs"));
        assert_eq!(nearest("momentum", &valid), None);
        assert_eq!(nearest("onf", &["off", "on"]), Some("on"));
        assert_eq!(nearest("C8", &["C6", "C7"]), None);
        assert_eq!(nearest("", &valid), None);
        assert_eq!(nearest(&"e".repeat(100_000), &valid), None);
    }

    #[test]
    fn deepest_location_is_kept() {
        let deep = Origin {
            place: Location::Line(3),
            key: "a.b".to_owned(),
        };
        let fault = Diagnostic::said("is odd").at(&deep).at(&Origin::default());
        assert_eq!(fault.line(), Some(3));
        assert_eq!(fault.message(), "`a.b` is odd");
    }

    #[test]
    fn arm_is_named_unless_the_location_shows_it() {
        let at = |key: &str| {
            let origin = Origin {
                place: Location::Line(1),
                key: key.to_owned(),
            };
            Diagnostic::said("is odd").at(&origin).in_arm("x").message()
        };
        assert_eq!(at("train.epochs"), "`train.epochs` is odd (arm `x`)");
        assert_eq!(at("arms[x].set.a"), "`arms[x].set.a` is odd");
    }
}
