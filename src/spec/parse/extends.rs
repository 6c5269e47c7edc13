//! `extends`: an experiment that repeats another one under other conditions.

use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::merge::merge;
use crate::spec::parse::node::{Location, Node, Origin, Table, Value};

/// The key that names the base.
pub(in crate::spec) const EXTENDS: &str = "extends";

/// Keys about one file alone, which another file cannot take over.
const OWN: [&str; 5] = [
    "title",
    "designed",
    "designed_reason",
    "suites",
    "published",
];

/// Arrays whose tables are merged by their `name`.
const NAMED: [&str; 4] = ["arms", "contrasts", "factors", "levels"];

/// The name of the experiment that `root` extends, and where it says so.
pub(in crate::spec) fn base(root: &Node) -> Result<Option<(String, Origin)>, Diagnostic> {
    let Some(node) = root.get(EXTENDS) else {
        return Ok(None);
    };
    let name = node.as_str().ok_or_else(|| {
        let message = "must be the name of an experiment in the same folder, in quotes";
        Diagnostic::said(message).at(&node.origin)
    })?;
    if !super::checks::is_name(name) {
        let message = "must be the name of an experiment in the same folder, without `.toml`";
        return Err(Diagnostic::said(message).at(&node.origin));
    }
    Ok(Some((name.to_owned(), node.origin.clone())))
}

/// `own` merged onto `inherited`, the experiment `name` that it extends.
///
/// Tables merge key by key, arrays of arms, contrasts, factors and levels by the names of their
/// tables, and other values replace.
pub(in crate::spec) fn onto(
    name: &str,
    mut inherited: Node,
    mut own: Node,
) -> Result<Node, Diagnostic> {
    let origin = own.locate(EXTENDS);
    if inherited.get(EXTENDS).is_some() {
        let message = format!(
            "names `{name}`, which extends another experiment itself; extend that one instead"
        );
        return Err(Diagnostic::said(&message).at(&origin));
    }
    if let (Value::Table(inherited), Value::Table(own)) = (&mut inherited.value, &mut own.value) {
        own.remove(EXTENDS);
        inherited.retain(|key, _| !OWN.contains(&key.as_str()));
        for node in inherited.values_mut() {
            mark(node, name, &origin.place);
        }
        merge_named(inherited, own);
    }
    merge(&mut inherited, own);
    Ok(inherited)
}

/// Says of every node below `node` that it comes from the experiment `name`.
fn mark(node: &mut Node, name: &str, extends: &Location) {
    if let (&Location::Line(line), &Location::Line(extends)) = (&node.origin.place, extends) {
        let name = name.to_owned();
        node.origin.place = Location::Base {
            extends,
            name,
            line,
        };
    }
    match &mut node.value {
        Value::Table(table) => table
            .values_mut()
            .for_each(|node| mark(node, name, extends)),
        Value::Array(items) => items.iter_mut().for_each(|node| mark(node, name, extends)),
        _ => {}
    }
}

/// Replaces the arrays of named tables in `own` by those of `base` with the tables of `own` merged
/// onto their namesakes, and the others after them.
fn merge_named(base: &Table, own: &mut Table) {
    for key in NAMED {
        let (Some(old), Some(new)) = (base.get(key), own.get_mut(key)) else {
            continue;
        };
        let mut items = old.items().to_vec();
        for mut table in new.items().to_vec() {
            let named = |item: &&mut Node| table.get("name").is_some() && same_name(item, &table);
            match items.iter_mut().find(named) {
                None => items.push(table),
                Some(namesake) => {
                    if let (Value::Table(base), Value::Table(own)) =
                        (&namesake.value, &mut table.value)
                    {
                        merge_named(base, own);
                    }
                    merge(namesake, table);
                }
            }
        }
        if matches!(new.value, Value::Array(_)) {
            new.value = Value::Array(items);
        }
    }
}

fn same_name(a: &Node, b: &Node) -> bool {
    let name = |node: &Node| node.get("name").map(|name| name.value.clone());
    name(a) == name(b)
}
