//! Which file uses which, and cycles among them.

use super::source::{Source, items, joined, words};
use std::collections::{BTreeMap, BTreeSet};

/// Names of nodes, and of the nodes that each uses.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// Groups of two or more nodes that all use each other, directly or not.
pub(crate) fn cycles(graph: &Graph) -> Vec<Vec<String>> {
    let reachable = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(node) = next.pop() {
            for used in graph.get(node).into_iter().flatten() {
                if seen.insert(used.clone()) {
                    next.push(used);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> =
        graph.keys().map(|node| (node, reachable(node))).collect();
    let mut groups = BTreeSet::new();
    for (node, used) in &reach {
        let both = used.iter().filter(|other| {
            other != node && reach.get(other).is_some_and(|back| back.contains(*node))
        });
        let mut group: Vec<String> = both.cloned().collect();
        if !group.is_empty() {
            group.push((*node).clone());
            group.sort();
            groups.insert(group);
        }
    }
    groups.into_iter().collect()
}

/// Which top-level module of a crate names which.
pub(crate) fn of_modules(sources: &[Source]) -> Graph {
    let mut graph = Graph::new();
    for source in sources
        .iter()
        .filter(|s| !["lib", "bin"].contains(&s.top()))
    {
        let used = graph.entry(source.top().to_owned()).or_default();
        used.extend(source.modules().into_iter().filter(|m| m != source.top()));
    }
    graph
}

/// Which file of a crate uses an item of which other.
///
/// A path is followed through re-exports to the file that defines its item, so a file that only
/// declares and re-exports modules is used by nobody.
pub(crate) fn of_files(sources: &[Source]) -> Graph {
    let files: BTreeMap<Vec<String>, File> = (sources.iter())
        .map(|source| (source.module(), File::new(source)))
        .collect();
    let krate = Crate { files };
    let edges = krate.files.iter().map(|(module, file)| {
        let mut used = BTreeSet::new();
        for path in &file.paths {
            if let Some(target) = krate.resolve(module, path, 0)
                && target != *module
            {
                used.insert(krate.files[&target].name.clone());
            }
        }
        (file.name.clone(), used)
    });
    edges.collect()
}

/// A file with its imports and the paths that its code uses.
struct File {
    name: String,
    /// Names that `use` statements bind, and their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// Paths of glob imports.
    globs: Vec<Vec<String>>,
    /// Paths that the code uses, re-exports aside.
    paths: Vec<Vec<String>>,
    /// Names of the items that it defines.
    defines: BTreeSet<String>,
}

/// Keywords before the name of an item.
const DEFINES: [&str; 7] = ["struct", "enum", "fn", "trait", "type", "const", "static"];

impl File {
    fn new(source: &Source) -> Self {
        let code = joined(&source.code);
        let mut file = Self {
            name: source.name.clone(),
            imports: BTreeMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
            defines: BTreeSet::new(),
        };
        let (mut rest, mut body) = (code.as_str(), String::new());
        let mut public = Vec::new();
        while let Some((before, tail)) = next_use(rest) {
            body.push_str(before);
            let (tree, after) = tail.split_once(';').unwrap_or((tail, ""));
            let is_public = before.trim_end().ends_with("pub")
                || before.trim_end().ends_with(')') && ends_with_visibility(before);
            for (path, name) in expand(tree) {
                if name == "*" {
                    file.globs.push(path.clone());
                    if !is_public {
                        file.paths.push(path);
                    }
                    continue;
                }
                match is_public {
                    true => public.push(name.clone()),
                    false => file.paths.push(path.clone()),
                }
                file.imports.insert(name, path);
            }
            rest = after;
        }
        body.push_str(rest);
        let used: BTreeSet<&str> = words(&body).collect();
        for name in public.iter().filter(|name| used.contains(name.as_str())) {
            file.paths.push(file.imports[name].clone());
        }
        file.paths.extend(paths(&body));
        let words: Vec<&str> = words(&body).collect();
        let pairs = words.windows(2).filter(|pair| DEFINES.contains(&pair[0]));
        file.defines.extend(pairs.map(|pair| pair[1].to_owned()));
        file
    }
}

/// Splits `code` at its next `use` statement, without the word.
fn next_use(code: &str) -> Option<(&str, &str)> {
    for (at, word) in code.match_indices("use ") {
        let before = code[..at].chars().next_back();
        if before.is_none_or(|c| c.is_whitespace() || c == ';' || c == '}') {
            return Some((&code[..at], &code[at + word.len()..]));
        }
    }
    None
}

/// Whether `before` ends with `pub(...)`.
fn ends_with_visibility(before: &str) -> bool {
    let open = before.rfind('(');
    open.is_some_and(|at| before[..at].ends_with("pub"))
}

/// The paths of a `use` tree and the names that they bind.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let head: Vec<String> = words(head).map(str::to_owned).collect();
        let items = items(group).into_iter().flat_map(expand);
        let below = items.map(|(path, name)| {
            let mut whole = head.clone();
            if path != ["self"] {
                whole.extend(path);
            }
            let name = match name.as_str() {
                "self" => whole.last().cloned().unwrap_or_default(),
                _ => name,
            };
            (whole, name)
        });
        return below.collect();
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let is_glob = path.ends_with('*');
    let path: Vec<String> = words(path).map(str::to_owned).collect();
    let last = path.last().cloned().unwrap_or_default();
    let name = if is_glob {
        "*".to_owned()
    } else {
        alias.unwrap_or(last)
    };
    vec![(path, name)]
}

/// The paths of two and more segments in `code`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let candidates = code
        .split(|c: char| !is_path(c))
        .filter(|p| p.contains("::"));
    let paths = candidates.map(|path| words(path).map(str::to_owned).collect());
    paths.filter(|path: &Vec<String>| path.len() > 1).collect()
}

struct Crate {
    files: BTreeMap<Vec<String>, File>,
}

impl Crate {
    /// The module whose file defines what `path` names in `module`; `None` outside the crate, and
    /// for a path that names a module itself.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        if depth > 16 {
            return None;
        }
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, depth),
            "self" => self.descend(module.to_vec(), rest, depth),
            "super" => {
                let (_, parent) = module.split_last()?;
                let mut parent = parent.to_vec();
                let mut rest = rest;
                while rest.first().is_some_and(|segment| segment == "super") {
                    parent.pop();
                    rest = &rest[1..];
                }
                self.descend(parent, rest, depth)
            }
            _ => {
                let mut child = module.to_vec();
                child.push(first.clone());
                if self.files.contains_key(&child) {
                    return self.descend(child, rest, depth);
                }
                let import = self.files.get(module)?.imports.get(first)?;
                if import.first() == Some(first) {
                    return None;
                }
                let whole = [import.as_slice(), rest].concat();
                self.resolve(module, &whole, depth + 1)
            }
        }
    }

    fn descend(&self, mut at: Vec<String>, path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut path = path;
        while let Some((first, rest)) = path.split_first() {
            let mut child = at.clone();
            child.push(first.clone());
            if !self.files.contains_key(&child) {
                break;
            }
            (at, path) = (child, rest);
        }
        let file = self.files.get(&at)?;
        let item = path.first()?;
        if let Some(import) = file.imports.get(item) {
            let found = self.resolve(&at, import, depth + 1);
            return found.or(Some(at));
        }
        for glob in &file.globs {
            let whole = [glob.as_slice(), std::slice::from_ref(item)].concat();
            let found = self.resolve(&at, &whole, depth + 1);
            if let Some(found) = found.filter(|f| self.files[f].defines.contains(item)) {
                return Some(found);
            }
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> Graph {
        let sources: Vec<Source> = (files.iter())
            .map(|(name, text)| Source::new(&format!("src/{name}"), text))
            .collect();
        of_files(&sources)
    }

    #[test]
    fn re_exporting_files_are_used_by_nobody() {
        let files = graph(&[
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a/mod.rs", "mod x; mod y; pub use x::A;"),
            ("a/x.rs", "use super::y::Y; pub struct A(Y);"),
            ("a/y.rs", "pub struct Y;"),
            ("b.rs", "use crate::{A, a::{self}}; fn f() { a::x::g() }"),
        ]);
        assert_eq!(files["src/b.rs"], ["src/a/x.rs".to_owned()].into());
        assert_eq!(files["src/a/x.rs"], ["src/a/y.rs".to_owned()].into());
        assert!(files["src/lib.rs"].is_empty() && files["src/a/mod.rs"].is_empty());
        assert_eq!(cycles(&files), Vec::<Vec<String>>::new());
    }

    #[test]
    fn two_files_that_use_each_other_are_a_cycle() {
        let files = graph(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use super::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() -> crate::a::A {}"),
        ]);
        assert_eq!(cycles(&files), [["src/a.rs", "src/b.rs"]]);
    }

    #[test]
    fn child_and_parent_that_use_each_other_are_a_cycle() {
        let parent = "mod x; pub use x::X; pub struct P; fn f() -> X {}";
        let child = ("a/x.rs", "use super::P; pub struct X(P);");
        let files = graph(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), child]);
        assert_eq!(cycles(&files), [["src/a/mod.rs", "src/a/x.rs"]]);
        let parent = "mod x; pub use x::X; pub struct P;";
        let files = graph(&[("lib.rs", "mod a;"), ("a/mod.rs", parent), child]);
        assert!(cycles(&files).is_empty(), "the parent only re-exports");
    }

    #[test]
    fn longer_cycles_are_found_once() {
        let edge = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
        let graph = Graph::from([
            edge("a", "b"),
            edge("b", "c"),
            edge("c", "a"),
            edge("d", "a"),
        ]);
        assert_eq!(cycles(&graph), [["a", "b", "c"]]);
    }
}
