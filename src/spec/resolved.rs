//! `spec.resolved.toml`: an experiment as it ran, in one file.
//!
//! It holds what the experiment's file says, with everything that the file extends and with the changes
//! of the command line. Its own table `resolved` says where it comes from. Reading it gives the same cells.

use crate::spec::changes::is_counted;
use crate::spec::files::read_text;
use crate::spec::parse::checks::is_name;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, Table, Value};
use crate::spec::parse::overrides::Override;
use crate::spec::parse::reader::read;
use crate::spec::schema::tables::OneOrMany;
use crate::spec::schema::validate;
use crate::spec::{Spec, SpecError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file in a results folder.
pub const RESOLVED_FILE: &str = "spec.resolved.toml";

/// Key of the table that says where the file comes from.
pub(in crate::spec) const RESOLVED: &str = "resolved";

const HEAD: &str = "\
# The experiment as it ran: its file, everything that the file extends, and all changes of the command line.
# Written by `ablate`. `ablate run` accepts it and gives the same cells.
";

/// Keys without a table, in the order in which they are written.
const FIRST: [&str; 11] = [
    "title",
    "question",
    "claim",
    "bears_on",
    "sentence",
    "reading",
    "designed",
    "designed_reason",
    "suites",
    "seeds",
    "probes",
];

/// Tables and arrays of tables, in the order in which they are written, after all others.
const LAST: [&str; 13] = [
    "data",
    "model",
    "train",
    "program",
    "metrics",
    "set",
    "factors",
    "exclude",
    "arms",
    "contrasts",
    "identities",
    "published",
    "figure",
];

/// Keys that come first in each table of an array.
const FIRST_OF_ITEM: [&str; 2] = ["name", "label"];

/// What a file says, with everything that it extends and with all changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    root: Arc<Node>,
    /// The file of the experiment, if this was read from a [`RESOLVED_FILE`] that names it.
    file: Option<PathBuf>,
}

impl Default for Source {
    fn default() -> Self {
        Self::new(Node::root(Table::new()), None)
    }
}

impl Source {
    pub(in crate::spec) fn new(root: Node, file: Option<PathBuf>) -> Self {
        Self {
            root: Arc::new(root),
            file,
        }
    }

    /// Reads the file `path` without checking that it is a valid experiment.
    ///
    /// # Errors
    /// If it cannot be read or is not TOML.
    pub fn read(path: &Path) -> Result<Self, SpecError> {
        let mut root =
            Node::document(&read_text(path)?).map_err(|fault| SpecError::new(path, &fault))?;
        if let Value::Table(table) = &mut root.value {
            table.remove(RESOLVED);
        }
        Ok(Self::new(root, None))
    }

    /// The experiment's file that the [`RESOLVED_FILE`] `path` names; `None` if it cannot be read or names
    /// none.
    pub fn file_named_in(path: &Path) -> Option<PathBuf> {
        let mut root = Node::document(&read_text(path).ok()?).ok()?;
        Resolved::take(&mut root, path).ok()?.file
    }

    /// Every value as TOML, by its key; items of arrays of tables by name or number, as in
    /// `arms[no-bias].set.train.epochs`.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect("", &self.root, &mut found);
        found
    }
}

fn collect(path: &str, node: &Node, found: &mut BTreeMap<String, String>) {
    match &node.value {
        Value::Table(table) if !table.is_empty() => {
            for (name, child) in table {
                collect(&below(path, name), child, found);
            }
        }
        Value::Array(items) if is_tables(node) => {
            for (index, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Node::as_str);
                let label = name.map_or_else(|| index.to_string(), str::to_owned);
                collect(&format!("{path}[{label}]"), item, found);
            }
        }
        _ => {
            found.insert(path.to_owned(), written(node));
        }
    }
}

/// The table `resolved`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolvedTable {
    name: String,
    file: Option<String>,
    #[serde(default)]
    overrides: Vec<String>,
    seeds_in_file: Option<OneOrMany<u64>>,
    device: Option<String>,
}

/// What the table `resolved` of a file says.
#[derive(Debug, Default)]
pub(in crate::spec) struct Resolved {
    /// Name of the experiment; `None` for a file that its author wrote.
    pub(in crate::spec) name: Option<String>,
    /// The file of the experiment.
    pub(in crate::spec) file: Option<PathBuf>,
    /// Changes that the file holds already, except in its arms.
    pub(in crate::spec) overrides: Vec<Override>,
    pub(in crate::spec) seeds_in_file: Option<Vec<u64>>,
    pub(in crate::spec) device: Option<String>,
}

impl Resolved {
    /// Takes the table out of the tree of the file `path`.
    pub(in crate::spec) fn take(root: &mut Node, path: &Path) -> Result<Self, Diagnostic> {
        let Value::Table(table) = &mut root.value else {
            return Ok(Self::default());
        };
        let Some(node) = table.remove(RESOLVED) else {
            return Ok(Self::default());
        };
        let said = |text: &str, key: &str| Diagnostic::said(text).at(&node.locate(key));
        let table: ResolvedTable = read(&node)?;
        if !is_name(&table.name) {
            return Err(said("must be lower-case letters, digits and `-`", "name"));
        }
        let parse = |(i, text): (usize, &String)| {
            let parsed = text.parse::<Override>();
            parsed.map_err(|error| {
                said(
                    &format!("cannot be read: {error}"),
                    &format!("overrides.{i}"),
                )
            })
        };
        let overrides = table.overrides.iter().enumerate().map(parse);
        let seeds_in_file = table.seeds_in_file.map(|seeds| match seeds {
            OneOrMany::One(count) => validate::counted_seeds(count),
            OneOrMany::Many(list) => validate::listed_seeds(list),
        });
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            overrides: overrides.collect::<Result<_, _>>()?,
            seeds_in_file: (seeds_in_file.transpose())
                .map_err(|error| said(&error.message, "seeds_in_file"))?,
            name: Some(table.name),
            file: table.file.map(|file| folder.join(file)),
            device: table.device,
        })
    }
}

impl Spec {
    /// The experiment's file: [`Spec::path`], or the file that a [`RESOLVED_FILE`] was made from.
    pub fn file(&self) -> &Path {
        self.source.file.as_deref().unwrap_or(&self.path)
    }

    /// Content of its [`RESOLVED_FILE`]. `file` is the path of [`Spec::file`] from the results folder.
    pub fn resolved(&self, file: &str) -> String {
        let changes = &self.changes;
        let mut own = vec![("name", quoted(self.base_name())), ("file", quoted(file))];
        if !changes.set.is_empty() {
            let texts: Vec<String> = changes.set.iter().map(|text| quoted(text)).collect();
            own.push(("overrides", format!("[{}]", texts.join(", "))));
        }
        if let Some(seeds) = &changes.seeds_in_file {
            own.push(("seeds_in_file", seeds_text(seeds)));
        }
        if let Some(device) = &changes.device {
            own.push(("device", quoted(device)));
        }
        let mut out = HEAD.to_owned();
        for (key, value) in own {
            out.push_str(&format!("{RESOLVED}.{key} = {value}\n"));
        }
        out.push('\n');
        let Value::Table(root) = &self.source.root.value else {
            return out;
        };
        for key in ordered(root, &FIRST, &LAST) {
            let node = &root[key];
            match &node.value {
                _ if key == "seeds" => {
                    out.push_str(&format!("seeds = {}\n", seeds_text(&self.seeds)));
                }
                Value::Table(table) => {
                    out.push_str(&format!("\n[{}]\n", name_text(key)));
                    write_table(&mut out, &name_text(key), table);
                }
                Value::Array(items) if is_tables(node) => {
                    write_items(&mut out, &name_text(key), items);
                }
                _ => out.push_str(&format!("{} = {}\n", name_text(key), written(node))),
            }
        }
        out
    }
}

/// The keys of `table`: those of `first` in their order, all others, those of `last` in their order.
/// Values come before tables, as TOML asks.
fn ordered<'t>(table: &'t Table, first: &[&str], last: &[&str]) -> Vec<&'t str> {
    let place = |key: &str| {
        let is_section = matches!(table[key].value, Value::Table(_)) || is_tables(&table[key]);
        let in_first = first.iter().position(|k| *k == key);
        let in_last = last.iter().position(|k| *k == key);
        (
            is_section && !first.is_empty() && !last.is_empty(),
            in_first.unwrap_or(first.len()),
            in_last.map_or(0, |at| at + 1),
        )
    };
    let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
    keys.sort_by_key(|key| place(key));
    keys
}

/// Writes the content of a table whose header stands above. Arrays of tables get headers of their own
/// below `path`.
fn write_table(out: &mut String, path: &str, table: &Table) {
    let keys = ordered(table, &FIRST_OF_ITEM, &[]);
    let (own, sections): (Vec<&str>, Vec<&str>) =
        keys.into_iter().partition(|key| !is_tables(&table[*key]));
    for key in own {
        write_values(out, &name_text(key), &table[key]);
    }
    for key in sections {
        let path = format!("{path}.{}", name_text(key));
        write_items(out, &path, table[key].items());
    }
}

fn write_items(out: &mut String, path: &str, items: &[Node]) {
    for item in items {
        out.push_str(&format!("\n[[{path}]]\n"));
        if let Value::Table(table) = &item.value {
            write_table(out, path, table);
        }
    }
}

/// One line per value, with a dotted key.
fn write_values(out: &mut String, key: &str, node: &Node) {
    match &node.value {
        Value::Table(table) if !table.is_empty() => {
            for (name, child) in table {
                write_values(out, &below(key, name), child);
            }
        }
        _ => out.push_str(&format!("{key} = {}\n", written(node))),
    }
}

/// Whether it is an array of tables with at least one item.
fn is_tables(node: &Node) -> bool {
    let items = node.items();
    !items.is_empty() && (items.iter()).all(|item| matches!(item.value, Value::Table(_)))
}

/// A value in one line of TOML.
fn written(node: &Node) -> String {
    match &node.value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => toml::Value::Float(*number).to_string(),
        Value::Boolean(on) => on.to_string(),
        // A date is a mistake at every key, so no checked experiment has one.
        Value::Datetime => quoted("date"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(table) => {
            let entries = table.iter();
            let entries: Vec<String> = entries
                .map(|(key, node)| format!("{} = {}", name_text(key), written(node)))
                .collect();
            match entries.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{ {} }}", entries.join(", ")),
            }
        }
    }
}

/// `text` as a basic string of TOML, on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn seeds_text(seeds: &[u64]) -> String {
    match is_counted(seeds) {
        true => seeds.len().to_string(),
        false => format!("{seeds:?}"),
    }
}

/// The key `name` below `path`.
fn below(path: &str, name: &str) -> String {
    match path {
        "" => name_text(name),
        path => format!("{path}.{}", name_text(name)),
    }
}

/// One segment of a key, quoted where TOML asks for it.
fn name_text(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}
