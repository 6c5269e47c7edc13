//! Crossing of factors: from their tables to combinations, each of which is an arm.

use crate::spec::design::factors::{Factor, Level, combinations};
use crate::spec::design::level_entry::{LevelEntry, LevelTable};
use crate::spec::parse::checks::{flaw, is_name, known};
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, Origin, Value, brief};
use crate::spec::parse::overrides::{nest, segments};
use crate::spec::parse::scalar::Scalar;
use crate::spec::schema::convert::{below_set, only_nets};
use crate::spec::schema::program::{SET, is_program};
use ablate_models::ConfigError;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// Largest number of combinations, the same as of arms. It keeps a short file from asking for memory
/// in proportion to the product of its levels.
const MAX_CELLS: usize = 256;

/// Top-level keys that a factor may set.
const ROOTS: [&str; 4] = ["data", "model", "train", "probes"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct FactorTable {
    name: String,
    label: Option<String>,
    key: Option<String>,
    levels: Vec<LevelEntry>,
}

/// A row of `exclude`: a level for each of some factors.
pub(in crate::spec) type ExcludeTable = BTreeMap<String, Scalar>;

/// Crossed factors with what each level sets.
#[derive(Default)]
pub(in crate::spec) struct Crossing {
    of_programs: bool,
    pub(in crate::spec) factors: Vec<Factor>,
    /// By factor and level.
    settings: Vec<Vec<Setting>>,
    /// By factor: where its `key` stands, and what it is.
    keys: Vec<Option<(Origin, String)>>,
    /// Level indices of the combinations that are not excluded.
    cells: Vec<Vec<usize>>,
}

/// What one level contributes to an arm.
struct Setting {
    /// Its part of the arm's name.
    name: String,
    nodes: Vec<Node>,
    args: Vec<String>,
}

/// One combination of levels.
pub(in crate::spec) struct Cell<'a> {
    pub(in crate::spec) name: String,
    pub(in crate::spec) label: String,
    pub(in crate::spec) levels: Vec<usize>,
    /// To be merged onto the base in this order.
    pub(in crate::spec) nodes: Vec<&'a Node>,
    /// Arguments of a program.
    pub(in crate::spec) args: Vec<String>,
}

impl Crossing {
    /// Crosses the factors of `root`, whose tables have been read.
    pub(in crate::spec) fn new(
        root: &Node,
        tables: Vec<FactorTable>,
        exclude: &[ExcludeTable],
    ) -> Result<Self, Diagnostic> {
        let mut crossing = Self {
            of_programs: is_program(root),
            ..Self::default()
        };
        let written = root.get("factors").map_or(&[][..], Node::items);
        let mut names = HashSet::new();
        for (table, node) in tables.into_iter().zip(written) {
            if !is_name(&table.name) {
                let message = format!(
                    "must be lower-case letters, digits and `-`, not `{}`",
                    brief(&table.name)
                );
                return Err(Diagnostic::said(&message).at(&node.locate("name")));
            }
            if !names.insert(table.name.clone()) {
                let message = format!("repeats `{}`", table.name);
                return Err(Diagnostic::said(&message).at(&node.locate("name")));
            }
            crossing.add(table, node)?;
        }
        crossing.check_overlap()?;
        let at_root =
            |error: ConfigError| Diagnostic::said(&error.message).at(&root.locate(&error.key));
        crossing.combine(exclude).map_err(at_root)?;
        Ok(crossing)
    }

    fn add(&mut self, table: FactorTable, node: &Node) -> Result<(), Diagnostic> {
        let place = |key: &str| node.locate(key);
        let label = table.label.as_ref().unwrap_or(&table.name);
        if label.trim().is_empty() {
            return Err(Diagnostic::said("is empty").at(&place("label")));
        }
        let key = table.key.as_ref().map(|key| (place("key"), key.clone()));
        if let Some((origin, key)) = &key {
            let checked = check_key(key, self.of_programs);
            checked.map_err(|message| Diagnostic::said(&message).at(origin))?;
        }
        if table.levels.len() < 2 {
            let message = "needs two levels or more; what does not vary belongs to the base";
            return Err(Diagnostic::said(message).at(&place("levels")));
        }
        let written = node.get("levels").map_or(&[][..], Node::items);
        let (mut levels, mut settings) = (Vec::<Level>::new(), Vec::<Setting>::new());
        for (entry, node) in table.levels.iter().zip(written) {
            let entry = match entry {
                LevelEntry::Value(value) => &LevelTable::from(value.clone()),
                LevelEntry::Table(table) => table,
            };
            let (level, part) = level(entry, node, &table.name, label, key.is_some())?;
            if levels.iter().any(|other| other.name == level.name)
                || settings.iter().any(|other| other.name == part)
            {
                let message = format!("repeats the level `{}`", brief(&level.name));
                return Err(Diagnostic::said(&message).at(&node.origin));
            }
            let mut nodes = Vec::new();
            nodes.extend(key.as_ref().map(|key| at_key(key, node)));
            nodes.extend(node.get(SET).map(|set| match self.of_programs {
                true => below_set(set),
                false => set.clone(),
            }));
            if !self.of_programs {
                only_nets(node, entry.args.is_some())?;
            }
            levels.push(level);
            settings.push(Setting {
                name: part,
                nodes,
                args: entry.args.clone().unwrap_or_default(),
            });
        }
        self.factors.push(Factor {
            label: label.clone(),
            name: table.name,
            levels,
        });
        self.settings.push(settings);
        self.keys.push(key);
        Ok(())
    }

    /// One setting belongs to one factor: of two, the later would win and the earlier do nothing.
    fn check_overlap(&self) -> Result<(), Diagnostic> {
        let mut taken: Vec<(usize, String)> = Vec::new();
        for (f, settings) in self.settings.iter().enumerate() {
            let mut own = Vec::new();
            for node in settings.iter().flat_map(|setting| &setting.nodes) {
                leaves(node, "", &mut own);
            }
            for (path, origin) in &own {
                let overlaps = |other: &str| {
                    let (short, long) = if path.len() < other.len() {
                        (path.as_str(), other)
                    } else {
                        (other, path.as_str())
                    };
                    let rest = long.strip_prefix(short);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                if let Some((other, _)) = taken.iter().find(|(_, other)| overlaps(other)) {
                    let message = format!(
                        "is set by the factor `{}`, too; one setting belongs to one factor",
                        self.factors[*other].name
                    );
                    return Err(Diagnostic::said(&message).at(origin));
                }
            }
            taken.extend(own.into_iter().map(|(path, _)| (f, path)));
        }
        Ok(())
    }

    fn combine(&mut self, exclude: &[ExcludeTable]) -> Result<(), ConfigError> {
        if self.factors.is_empty() {
            return match exclude {
                [] => Ok(()),
                _ => flaw(
                    "exclude",
                    "has nothing to leave out; there are no `[[factors]]`",
                ),
            };
        }
        let sizes: Vec<usize> = self.factors.iter().map(|f| f.levels.len()).collect();
        let count = sizes
            .iter()
            .try_fold(1usize, |n, &size| n.checked_mul(size));
        if count.is_none_or(|count| count > MAX_CELLS) {
            return flaw(
                "factors",
                format!("make more than {MAX_CELLS} combinations, which is the most"),
            );
        }
        self.cells = combinations(&sizes);
        for (row, table) in exclude.iter().enumerate() {
            let held = self.held(row, table)?;
            let before = self.cells.len();
            (self.cells).retain(|cell| !held.iter().all(|&(f, level)| cell[f] == level));
            if self.cells.len() == before {
                return flaw(
                    &format!("exclude.{row}"),
                    "leaves out nothing that an earlier row has not left out",
                );
            }
        }
        if self.cells.is_empty() {
            return flaw("exclude", "leaves out every combination of the factors");
        }
        self.check_names()
    }

    /// The factors and levels that a row of `exclude` names.
    fn held(&self, row: usize, table: &ExcludeTable) -> Result<Vec<(usize, usize)>, ConfigError> {
        if table.is_empty() {
            let message = "is empty; give a level of one factor or more";
            return flaw(&format!("exclude.{row}"), message);
        }
        let names: Vec<&str> = self.factors.iter().map(|f| f.name.as_str()).collect();
        (table.iter())
            .map(|(factor, level)| {
                let key = format!("exclude.{row}.{factor}");
                let f = known(&key, factor, &names, "factor")?;
                let levels: Vec<&str> = level_names(&self.factors[f]);
                let what = format!("level of `{factor}`");
                Ok((f, known(&key, &level.name(), &levels, &what)?))
            })
            .collect()
    }

    fn check_names(&self) -> Result<(), ConfigError> {
        let mut seen = HashSet::new();
        for cell in self.cells() {
            if !seen.insert(cell.name.clone()) {
                return flaw(
                    "factors",
                    format!(
                        "make two combinations called `{}`; give a level another `name`",
                        cell.name
                    ),
                );
            }
        }
        Ok(())
    }

    /// The cells in order.
    pub(in crate::spec) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        self.cells.iter().map(|levels| {
            let settings = || levels.iter().zip(&self.settings).map(|(&l, s)| &s[l]);
            let names: Vec<&str> = settings().map(|s| s.name.as_str()).collect();
            let labels: Vec<&str> = (levels.iter().zip(&self.factors))
                .map(|(&level, factor)| factor.levels[level].label.as_str())
                .collect();
            Cell {
                name: names.join("-"),
                label: labels.join(", "),
                levels: levels.clone(),
                nodes: settings().flat_map(|s| &s.nodes).collect(),
                args: settings().flat_map(|s| s.args.clone()).collect(),
            }
        })
    }

    /// The same fault; one about a factor's `key` as a whole is placed where that stands.
    pub(in crate::spec) fn blame(&self, fault: Diagnostic) -> Diagnostic {
        let key = self
            .keys
            .iter()
            .flatten()
            .find(|(_, key)| fault.is_unknown_key(key));
        match key {
            Some((origin, _)) => fault.moved(&origin.place),
            None => fault,
        }
    }
}

/// Names of the levels of `factor`.
pub(in crate::spec) fn level_names(factor: &Factor) -> Vec<&str> {
    factor
        .levels
        .iter()
        .map(|level| level.name.as_str())
        .collect()
}

/// A level, and its part of the names of arms.
fn level(
    table: &LevelTable,
    node: &Node,
    factor: &str,
    factor_label: &str,
    has_key: bool,
) -> Result<(Level, String), Diagnostic> {
    let fault = |key: &str, message: &str| Err(Diagnostic::said(message).at(&node.locate(key)));
    let value = table.value.as_ref();
    match value {
        None if has_key => return fault("value", "is missing; it is what `key` is set to"),
        Some(value) if !has_key && value.number().is_none() => {
            return fault("value", "must be a number where the factor has no `key`");
        }
        _ => {}
    }
    let own = match (&table.name, value) {
        (Some(name), _) if is_name(name) => (name.clone(), name.clone()),
        (Some(name), _) => {
            let message = format!(
                "must be lower-case letters, digits and `-`, not `{}`",
                brief(name)
            );
            return fault("name", &message);
        }
        (None, Some(value)) => (value.name(), part(value, factor)),
        (None, None) => return fault("name", "is missing"),
    };
    let (name, part) = own;
    if !is_part(&part) {
        let message = format!(
            "cannot name an arm with `{}`; write the level as a table with a `name`",
            brief(&name)
        );
        return Err(Diagnostic::said(&message).at(&node.origin));
    }
    let label = match (&table.label, &table.name, value) {
        (Some(label), ..) if label.trim().is_empty() => return fault("label", "is empty"),
        (Some(label), ..) => label.clone(),
        (None, None, Some(Scalar::Number(_) | Scalar::Switch(_))) => {
            format!("{factor_label} {name}")
        }
        _ => name.clone(),
    };
    let level = Level {
        name,
        label,
        value: value.and_then(Scalar::number),
    };
    Ok((level, part))
}

/// The part of an arm's name that a value makes: `leaky-relu`, `rate-0.5`, `scale-true`.
fn part(value: &Scalar, factor: &str) -> String {
    match value {
        Scalar::Text(text) => text.replace('_', "-"),
        Scalar::Number(_) | Scalar::Switch(_) => format!("{factor}-{}", value.name()),
    }
}

/// Numbers bring a point.
fn is_part(text: &str) -> bool {
    is_name(&text.replace('.', "-"))
}

/// Why `key` cannot be what a factor varies.
fn check_key(key: &str, of_programs: bool) -> Result<(), String> {
    let Some(path) = segments(key) else {
        return Err(format!(
            "must be a dotted key, as in `model.block.position`, not `{}`",
            brief(key)
        ));
    };
    if of_programs {
        return match path[0] == SET && path.len() == 2 {
            true => Ok(()),
            false => Err(format!(
                "must be `set.` and the name of a value, as in `set.smoothing`, not `{}`",
                brief(key)
            )),
        };
    }
    match ROOTS.contains(&path[0]) && (path.len() > 1 || path[0] == "probes") {
        true => Ok(()),
        false => Err(format!(
            "must be a key below `data`, `model` or `train`, as in `model.block.position`, not `{}`",
            brief(key)
        )),
    }
}

/// The node of a level's value, below the tables that its factor's `key` names.
fn at_key((origin, key): &(Origin, String), level: &Node) -> Node {
    let value = level.get("value").unwrap_or(level);
    let leaf = Node {
        value: value.value.clone(),
        origin: Origin {
            place: value.origin.place.clone(),
            key: key.clone(),
        },
    };
    let path = segments(key).unwrap_or_default();
    nest(&path, leaf, &origin.place)
}

/// Paths and origins of everything below `node` that is not a table.
fn leaves(node: &Node, path: &str, out: &mut Vec<(String, Origin)>) {
    match &node.value {
        Value::Table(table) => {
            for (key, child) in table {
                let separator = if path.is_empty() { "" } else { "." };
                leaves(child, &format!("{path}{separator}{key}"), out);
            }
        }
        _ => out.push((path.to_owned(), node.origin.clone())),
    }
}
