//! `--set key=value`: changes to a spec from the command line.

use crate::spec::parse::checks::is_name;
use crate::spec::parse::diagnostic::nearest;
use crate::spec::parse::node::{Location, Node, Origin, Table, Value, brief, child_key};
use std::fmt;
use std::str::FromStr;

/// Top-level keys that may be overridden.
const ROOTS: [&str; 7] = [
    "data", "model", "train", "probes", "seeds", "program", "set",
];

/// Largest number of segments of a key.
const MAX_SEGMENTS: usize = 16;

/// One override, as in `train.epochs=3` or `model.block.bias=off`.
///
/// The value is TOML; a bare word that is not a TOML value is a string. An override is merged onto
/// the base and again onto every arm, so it takes precedence over the arms. The result passes the same
/// checks as a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    text: String,
    node: Node,
}

/// An override that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OverrideError(String);

impl Override {
    /// The override as a tree from the root of a file.
    pub(in crate::spec) fn node(&self) -> &Node {
        &self.node
    }

    /// Whether it sets the seeds.
    pub fn sets_seeds(&self) -> bool {
        self.node.get("seeds").is_some()
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let error = |message: String| Err(OverrideError(message));
        let Some((key, value)) = text.split_once('=') else {
            let text = brief(text);
            return error(format!(
                "`{text}` has no `=`; write `key=value`, as in `train.epochs=3`"
            ));
        };
        let (key, value) = (key.trim(), value.trim());
        let Some(segments) = segments(key) else {
            let key = brief(key);
            return error(format!("`{key}` is not a dotted key, as in `train.epochs`"));
        };
        if !ROOTS.contains(&segments[0]) {
            return error(unknown_root(segments[0]));
        }
        let origin = Origin {
            place: Location::CommandLine(text.to_owned()),
            key: key.to_owned(),
        };
        Ok(Self {
            text: text.to_owned(),
            node: nest(&segments, parse_value(key, value, &origin)?, &origin.place),
        })
    }
}

fn unknown_root(root: &str) -> String {
    let advice = match nearest(root, &ROOTS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "set `seeds`, `probes`, or a key below `data`, `model` or `train`, as in \
                 `train.epochs=3`"
            .to_owned(),
    };
    format!("`{}` cannot be set; {advice}", brief(root))
}

fn parse_value(key: &str, text: &str, origin: &Origin) -> Result<Node, OverrideError> {
    Node::value(text, origin).or_else(|_| {
        let word = text.split('.').all(is_bare);
        if word {
            return Ok(Node {
                value: Value::String(text.to_owned()),
                origin: origin.clone(),
            });
        }
        let text = brief(text);
        Err(OverrideError(format!(
            "`{key}` is set to `{text}`, which is not a TOML value; quote text, as in `\"a b\"`"
        )))
    })
}

/// The segments of a dotted key, at least one; `None` if it is not valid.
pub(in crate::spec) fn segments(key: &str) -> Option<Vec<&str>> {
    let segments: Vec<&str> = key.split('.').collect();
    let sound = segments.len() <= MAX_SEGMENTS && segments.iter().all(|segment| is_bare(segment));
    sound.then_some(segments)
}

/// `leaf` nested in one table per segment.
pub(in crate::spec) fn nest(segments: &[&str], leaf: Node, place: &Location) -> Node {
    let Some((first, rest)) = segments.split_first() else {
        return leaf;
    };
    let mut keys = vec![child_key("", first)];
    for segment in rest {
        keys.push(child_key(&keys[keys.len() - 1], segment));
    }
    let mut node = leaf;
    for depth in (0..segments.len()).rev() {
        let key = match depth {
            0 => String::new(),
            _ => keys[depth - 1].clone(),
        };
        node = Node {
            value: Value::Table(Table::from([(segments[depth].to_owned(), node)])),
            origin: Origin {
                place: place.clone(),
                key,
            },
        };
    }
    node
}

fn is_bare(segment: &str) -> bool {
    is_name(&segment.to_ascii_lowercase().replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Override {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn value(text: &str, path: &str) -> Value {
        let mut node = parse(text).node;
        for segment in path.split('.') {
            node = node.get(segment).unwrap().clone();
        }
        node.value
    }

    #[test]
    fn values_are_toml_and_bare_words_are_strings() {
        assert_eq!(value("train.epochs=3", "train.epochs"), Value::Integer(3));
        assert_eq!(value(" train.x = 1e-3 ", "train.x"), Value::Float(1e-3));
        assert_eq!(
            value("model.residual=true", "model.residual"),
            Value::Boolean(true)
        );
        for text in ["model.block.bias=off", "model.block.bias=\"off\""] {
            assert_eq!(
                value(text, "model.block.bias"),
                Value::String("off".to_owned())
            );
        }
        assert_eq!(
            value(
                "model.block.init.weight=truncated_normal_0.1",
                "model.block.init.weight"
            ),
            Value::String("truncated_normal_0.1".to_owned())
        );
        assert_eq!(
            value("model.block.norm={kind=\"batch\"}", "model.block.norm.kind"),
            Value::String("batch".to_owned())
        );
    }

    #[test]
    fn nodes_of_overrides_are_located_on_the_command_line() {
        let set = parse("model.block.norm={kind=\"batch\"}");
        for path in [
            "model",
            "model.block",
            "model.block.norm",
            "model.block.norm.kind",
        ] {
            let origin = set.node.locate(path);
            assert_eq!(origin.key, path);
            assert_eq!(origin.place, Location::CommandLine(set.text.clone()));
        }
    }

    #[test]
    fn invalid_overrides_are_rejected_with_advice() {
        for (text, advice) in [
            ("train.epochs", "has no `=`"),
            ("epochs=3", "as in `train.epochs=3`"),
            ("trian.epochs=3", "did you mean `train`?"),
            ("arms=[]", "`arms` cannot be set"),
            ("train..epochs=3", "is not a dotted key"),
            ("=3", "is not a dotted key"),
            ("train.epochs=", "is not a TOML value"),
            ("train.epochs=3\ntrain.x=4", "is not a TOML value"),
            ("data.name=two words", "quote text"),
            ("train.learning_rate=[0.1", "is not a TOML value"),
        ] {
            let error = text.parse::<Override>().unwrap_err().to_string();
            assert!(error.contains(advice), "{text:?}: {error}");
        }
    }
}
