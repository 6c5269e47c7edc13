//! All mistakes of a tree instead of the first.
//!
//! A reader stops at the first mistake. [`Recovery`] notes it, repairs it in a copy of the tree and reads
//! again. What follows from a repair is not noted: one mistake gives one message.

use crate::spec::parse::diagnostic::{Cure, Diagnostic};
use crate::spec::parse::node::{Node, Origin, Table, Value, child_key};
use std::collections::BTreeSet;

/// Mistakes after which reading ends.
const MOST: usize = 200;

/// Most attempts to read a part of the file, over all parts.
const BUDGET: usize = 1000;

/// How often a value may be repaired before its table is given up.
const TRIES: usize = 4;

/// A whole number in place of a count that is not known: divided by small numbers, and a valid number of
/// seeds.
const COUNT: i64 = 5040;

/// A whole number in place of a length of training that is not known: beyond every evaluation.
const LENGTH: i64 = 1 << 20;

/// Keys that replace each other: one of them is missing if the other cannot be read.
const ALTERNATIVES: [(&str, &str); 2] = [("epochs", "steps"), ("kind", "preset")];

/// The mistakes that were found so far.
#[derive(Default)]
pub(in crate::spec) struct Recovery {
    found: Vec<Diagnostic>,
    /// Where a mistake was noted, or a value put in place of one.
    noted: Vec<Origin>,
    /// Keys with a mistake, whose values are not known.
    doubtful: BTreeSet<String>,
    /// Tables with an unknown key that may be any of those that they lack.
    puzzling: BTreeSet<String>,
    attempts: usize,
}

/// Whether a table needs all of its keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::spec) enum Keys {
    /// A missing key is a mistake.
    Required,
    /// Another table may have the keys that are missing.
    Optional,
}

impl Recovery {
    /// Reads `node` with `f` as often as it takes to find its mistakes. It repairs them in `node`.
    /// The value is what `f` makes of the repaired tree; `None` if there is none.
    pub(in crate::spec) fn read<T>(
        &mut self,
        node: &mut Node,
        keys: Keys,
        f: impl Fn(&Node) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        let mut trial = node.clone();
        let mut tried = Tried::default();
        while self.attempts < BUDGET && !self.is_full() {
            self.attempts += 1;
            let fault = match f(&trial) {
                Ok(value) => {
                    if keys == Keys::Required {
                        *node = trial;
                    }
                    return Some(value);
                }
                Err(fault) => fault,
            };
            let invented = (fault.origin()).is_some_and(|origin| tried.invented.contains(origin));
            let missing = fault.is_missing_key();
            let fine = missing && (keys == Keys::Optional || tried.gone.contains(&fault.key()));
            if !invented && !fine {
                self.note(fault.clone());
            }
            let cure = self.change(&trial, &fault, &mut tried)?;
            if keys == Keys::Optional && !cure.invents() {
                cure.apply(node);
            }
            cure.apply(&mut trial);
        }
        None
    }

    /// Notes a mistake unless it follows from an earlier one. Its key counts as not known.
    pub(in crate::spec) fn note(&mut self, fault: Diagnostic) {
        let key = fault.key();
        let origin = fault.origin().cloned().unwrap_or_default();
        let follows = self.is_doubtful(&key)
            || match fault.is_missing_key() {
                true => self.is_replaced(&key),
                false => self.noted.contains(&origin),
            }
            || self.doubtful.iter().any(|key| fault.mentions(key));
        if !follows {
            if !key.is_empty() {
                self.noted.push(origin);
                self.doubtful.insert(key);
            }
            self.found.push(fault);
        }
    }

    /// The number of mistakes.
    pub(in crate::spec) fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether nothing was found.
    pub(in crate::spec) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether there are as many mistakes as are looked for.
    pub(in crate::spec) fn is_full(&self) -> bool {
        self.found.len() >= MOST
    }

    /// The mistakes in the order in which they were found.
    pub(in crate::spec) fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }

    /// Whether the value of `key` or of a table around it is not known.
    fn is_doubtful(&self, key: &str) -> bool {
        let inside = |known: &String| {
            let rest = key.strip_prefix(known.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.doubtful.iter().any(inside)
    }

    /// Whether the missing `key` is in the file under another name.
    fn is_replaced(&self, key: &str) -> bool {
        let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
        let other = ALTERNATIVES.iter().find_map(|&(a, b)| match name {
            _ if name == a => Some(b),
            _ if name == b => Some(a),
            _ => None,
        });
        let other = other.map(|other| child_key(table, other));
        self.puzzling.contains(table) || other.is_some_and(|key| self.doubtful.contains(&key))
    }

    /// What to change in `tree` so that reading goes on after `fault`; `None` if nothing helps.
    fn change(&mut self, tree: &Node, fault: &Diagnostic, tried: &mut Tried) -> Option<Change> {
        let origin = fault.origin().cloned().unwrap_or_default();
        let path = path_to(tree, &origin)?;
        let (with, meant) = match fault.cure() {
            Cure::Rename { .. } | Cure::Remove if !tried.again(&origin) => return None,
            Cure::Rename { to } => {
                let siblings = at(tree, path.split_last()?.1)?;
                return Some(match siblings.get(&to) {
                    None => Change::Rename(path, to),
                    Some(_) => Change::Remove(path),
                });
            }
            Cure::Remove => {
                let table = at(tree, path.split_last()?.1)?;
                self.puzzling.insert(table.origin.key.clone());
                return Some(Change::Remove(path));
            }
            Cure::Add { name } => {
                let place = origin.place.clone();
                let key = fault.key();
                let origin = Origin { place, key };
                // The other keys of a table depend on its kind.
                if name == "kind" || !tried.again(&origin) {
                    return self.give_up(tree, path, tried);
                }
                tried.invented.push(origin.clone());
                let value = Value::Datetime;
                return Some(Change::Add(path, name, Node { value, origin }));
            }
            Cure::Replace { with, meant } => (with.map(Value::String), meant),
        };
        let invented = tried.invented.contains(&origin);
        if !meant && !invented {
            return self.give_up(tree, path, tried);
        }
        let value = with.or_else(|| stand_in(fault.expected()?, &origin.key));
        match value.filter(|_| tried.again(&origin)) {
            Some(value) => Some(Change::Set(path, value)),
            None => {
                let (_, parent) = path.split_last()?;
                self.give_up(tree, parent.to_vec(), tried)
            }
        }
    }

    /// Leaves out the value at `path`, which then counts as not known.
    fn give_up(&mut self, tree: &Node, path: Vec<String>, tried: &mut Tried) -> Option<Change> {
        let (name, parent) = path.split_last()?;
        self.doubtful.insert(at(tree, &path)?.origin.key.clone());
        let parent = at(tree, parent)?;
        tried.gone.push(child_key(&parent.origin.key, name));
        if matches!(parent.value, Value::Array(_)) {
            self.doubtful.insert(parent.origin.key.clone());
        }
        Some(Change::Remove(path))
    }
}

/// What was tried in one tree.
#[derive(Default)]
struct Tried {
    /// Values that nobody wrote.
    invented: Vec<Origin>,
    /// Keys that were left out. An arm's value has another key than the place where it is read.
    gone: Vec<String>,
    all: Vec<Origin>,
}

impl Tried {
    /// Counts another try at `origin`; `false` if there were too many.
    fn again(&mut self, origin: &Origin) -> bool {
        self.all.push(origin.clone());
        self.all.iter().filter(|tried| *tried == origin).count() <= TRIES
    }
}

/// A change of a tree. Paths have keys of tables and indices of arrays.
enum Change {
    Remove(Vec<String>),
    Rename(Vec<String>, String),
    Add(Vec<String>, String, Node),
    Set(Vec<String>, Value),
}

impl Change {
    /// Whether it puts in a value that nobody wrote.
    const fn invents(&self) -> bool {
        matches!(self, Self::Add(..) | Self::Set(..))
    }

    fn apply(&self, tree: &mut Node) {
        match self {
            Self::Remove(path) => {
                remove(tree, path);
            }
            Self::Rename(path, name) => {
                let node = remove(tree, path);
                let parent = path
                    .split_last()
                    .and_then(|(_, parent)| at_mut(tree, parent));
                if let (Some(node), Some(Value::Table(table))) =
                    (node, parent.map(|parent| &mut parent.value))
                {
                    table.insert(name.clone(), node);
                }
            }
            Self::Add(path, name, node) => {
                if let Some(Value::Table(table)) = at_mut(tree, path).map(|node| &mut node.value) {
                    table.insert(name.clone(), node.clone());
                }
            }
            Self::Set(path, value) => {
                if let Some(node) = at_mut(tree, path) {
                    node.value = value.clone();
                }
            }
        }
    }
}

/// A value of the kind that a message asks for.
fn stand_in(expected: &str, key: &str) -> Option<Value> {
    let length = key.ends_with("epochs") || key.ends_with("steps");
    let asks = |word: &str| expected.contains(word);
    Some(match () {
        () if asks("whole number") && length => Value::Integer(LENGTH),
        () if asks("whole number") => Value::Integer(COUNT),
        () if asks("number") => Value::Float(0.5),
        () if asks("table") => Value::Table(Table::new()),
        () if asks("array") => Value::Array(Vec::new()),
        () if asks("string") => Value::String("unknown".to_owned()),
        () if asks("`true`") => Value::Boolean(false),
        () => return None,
    })
}

/// The path of the node below `tree` with `origin`.
fn path_to(tree: &Node, origin: &Origin) -> Option<Vec<String>> {
    if tree.origin == *origin {
        return Some(Vec::new());
    }
    let below = |name: String, node: &Node| {
        let mut path = path_to(node, origin)?;
        path.insert(0, name);
        Some(path)
    };
    match &tree.value {
        Value::Table(table) => table
            .iter()
            .find_map(|(key, node)| below(key.clone(), node)),
        Value::Array(items) => {
            (items.iter().enumerate()).find_map(|(i, node)| below(i.to_string(), node))
        }
        _ => None,
    }
}

fn at<'a>(tree: &'a Node, path: &[String]) -> Option<&'a Node> {
    path.iter().try_fold(tree, |node, key| node.get(key))
}

fn at_mut<'a>(tree: &'a mut Node, path: &[String]) -> Option<&'a mut Node> {
    path.iter()
        .try_fold(tree, |node, key| match &mut node.value {
            Value::Table(table) => table.get_mut(key),
            Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
            _ => None,
        })
}

fn remove(tree: &mut Node, path: &[String]) -> Option<Node> {
    let (last, parent) = path.split_last()?;
    match &mut at_mut(tree, parent)?.value {
        Value::Table(table) => table.remove(last),
        Value::Array(items) => {
            let index = last.parse::<usize>().ok()?;
            (index < items.len()).then(|| items.remove(index))
        }
        _ => None,
    }
}
