//! Merging tables: arms onto the base, overrides onto both, a model onto its preset.

use crate::spec::parse::node::{Node, Table, Value};
use std::collections::btree_map::Entry;

/// Keys that decide which other keys a table may have.
const SELECTORS: [&str; 2] = ["kind", "preset"];

/// Merges `over` onto `base`.
///
/// Tables merge key by key; other values replace. A table with another `kind` or `preset` than the
/// base replaces it, because the other keys of the base belong to its own kind. A base without a kind
/// keeps its keys.
pub(in crate::spec) fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Table(old), Value::Table(new)) if !chooses_anew(old, &new) => {
            for (key, node) in new {
                match old.entry(key) {
                    Entry::Occupied(mut entry) => merge(entry.get_mut(), node),
                    Entry::Vacant(entry) => {
                        entry.insert(node);
                    }
                }
            }
        }
        (_, value) => {
            *base = Node {
                value,
                origin: over.origin,
            };
        }
    }
}

fn chooses_anew(old: &Table, new: &Table) -> bool {
    let chosen = |table: &Table| SELECTORS.map(|key| table.get(key).map(|node| node.value.clone()));
    let (old, new) = (chosen(old), chosen(new));
    let none = [None, None];
    old != none && new != none && old != new
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values without their origins, as text.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Table(table) => {
                let entries: Vec<_> = table
                    .iter()
                    .map(|(key, node)| format!("{key}={}", plain(node)))
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
            Value::Array(items) => {
                format!(
                    "[{}]",
                    items.iter().map(plain).collect::<Vec<_>>().join(" ")
                )
            }
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            other => format!("{other:?}"),
        }
    }

    fn merged(base: &str, over: &str) -> String {
        let mut base = Node::document(base).unwrap();
        merge(&mut base, Node::document(over).unwrap());
        plain(&base)
    }

    #[test]
    fn tables_merge_key_by_key_and_everything_else_replaces() {
        assert_eq!(
            merged("a.b = 1\na.c = 2", "a.b = 3\na.d = 4"),
            "{a={b=3 c=2 d=4}}"
        );
        assert_eq!(merged("a = [1, 2, 3]", "a = [4]"), "{a=[4]}");
        assert_eq!(merged("a.b = 1", "a = 2"), "{a=2}");
        assert_eq!(merged("a = 1", "a.b = 2"), "{a={b=2}}");
    }

    #[test]
    fn a_table_of_another_kind_starts_over() {
        let base = "n.kind = 'batch'\nn.momentum = 1";
        assert_eq!(merged(base, "n.kind = 'none'"), "{n={kind=none}}");
        assert_eq!(
            merged(base, "n.kind = 'batch'\nn.x = 1"),
            "{n={kind=batch momentum=1 x=1}}"
        );
        assert_eq!(merged(base, "n.x = 1"), "{n={kind=batch momentum=1 x=1}}");
    }

    #[test]
    fn a_base_that_chose_no_kind_keeps_its_keys() {
        assert_eq!(
            merged("m.block = 1", "m.kind = 'cnn'"),
            "{m={block=1 kind=cnn}}"
        );
    }

    #[test]
    fn another_preset_or_a_kind_in_its_place_starts_over() {
        let base = "m.preset = 'a'\nm.x = 1";
        assert_eq!(merged(base, "m.preset = 'b'"), "{m={preset=b}}");
        assert_eq!(
            merged(base, "m.preset = 'a'\nm.y = 1"),
            "{m={preset=a x=1 y=1}}"
        );
        assert_eq!(merged(base, "m.kind = 'mlp'"), "{m={kind=mlp}}");
        assert_eq!(
            merged("m.kind = 'mlp'\nm.x = 1", "m.preset = 'b'"),
            "{m={preset=b}}"
        );
    }

    #[test]
    fn a_merged_value_keeps_the_origin_of_its_writer() {
        let mut base = Node::document("a.b = 1\na.c = 2").unwrap();
        let arm = Node::document("x = 1\n\n\na.b = 3").unwrap();
        merge(&mut base, arm);
        assert_eq!(
            base.locate("a.b").place,
            crate::spec::parse::node::Location::Line(4)
        );
        assert_eq!(
            base.locate("a.c").place,
            crate::spec::parse::node::Location::Line(2)
        );
    }
}
