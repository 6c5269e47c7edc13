//! All mistakes of a file that is not a valid spec.
//!
//! It goes through the steps of [`build`](super::convert::build), but on after each mistake. A check that needs
//! several parts of the file is left out if one of them has a mistake.

use crate::spec::design::claims::Claims;
use crate::spec::design::crossing::{Cell, Crossing};
use crate::spec::design::weights::{ContrastTable, Design};
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::{Node, Value};
use crate::spec::parse::reader::read;
use crate::spec::parse::recovery::{Keys, Recovery};
use crate::spec::registry::Registry;
use crate::spec::schema::assemble::Parts;
use crate::spec::schema::convert::{
    BASE_TABLES, Base, OF_PROGRAMS, Prepared, check_probes, check_table, locate, not_of_programs,
    only_nets, published, written_out,
};
use crate::spec::schema::program;
use crate::spec::schema::tables::{Document, PublishedTable};
use crate::spec::schema::validate;
use crate::spec::{Arm, ProgramDesign};
use std::mem::take;
use std::path::Path;

/// The mistakes of the file `root`, in the order in which they are found; none if it cannot be read at all.
pub(in crate::spec) fn all(
    registry: &Registry,
    claims: Option<&Claims>,
    name: &str,
    path: &Path,
    root: &Node,
) -> Vec<Diagnostic> {
    let Ok(prepared) = Prepared::new(name, path, root, &[]) else {
        return Vec::new();
    };
    let mut search = Search {
        registry,
        path,
        root: prepared.root.clone(),
        found: Recovery::default(),
    };
    // Whatever could not be read ends the search.
    let _ = search.file(&prepared, claims);
    search.found.into_found()
}

struct Search<'a> {
    registry: &'a Registry,
    path: &'a Path,
    /// The file, with its mistakes repaired as far as they were found.
    root: Node,
    found: Recovery,
}

impl Search<'_> {
    /// Goes through the file; `None` if a part that others need cannot be read.
    fn file(&mut self, prepared: &Prepared, claims: Option<&Claims>) -> Option<()> {
        let document = self
            .found
            .read(&mut self.root, Keys::Required, read::<Document>);
        let program = match program::is_program(&self.root) {
            true => {
                let design = (self.found).read(&mut self.root, Keys::Required, program::design);
                Some(design?)
            }
            false => {
                self.base_tables();
                None
            }
        };
        let mut document = document?;
        let seeds = document.seeds();
        let seeds = seeds.map_err(|error| self.found.note(locate(&self.root, &error)));
        let before = self.found.len();
        let crossing = self.found.read(&mut self.root, Keys::Required, |root| {
            let document = read::<Document>(root)?;
            Crossing::new(root, document.factors, &document.exclude)
        })?;
        let arms = self.arms(prepared, program.as_ref(), &crossing, &mut document);
        if self.found.is_full() {
            return None;
        }
        let arms_are_known = before == self.found.len();
        let design = Design {
            crossing: &crossing,
            arms: &arms?,
            program: program.as_ref(),
            claim: document.claim.as_deref(),
        };
        let names = document.contrasts.iter().map(|table| table.name.as_str());
        if let Err(error) = validate::contrast_names(names) {
            self.found.note(locate(&self.root, &error));
        }
        let contrasts = self.items("contrasts", |found, node| {
            found.read(node, Keys::Optional, |node| {
                let name = node.get("metric").and_then(Node::as_str);
                design.metric(name, node)
            });
            found.read(node, Keys::Optional, |node| {
                let margin = read::<ContrastTable>(node)?.margin;
                validate::margin(margin).map_err(|error| locate(node, &error))
            });
            found.read(node, Keys::Required, |node| {
                design.contrast(read::<ContrastTable>(node)?, node)
            })
        });
        let published = self.items("published", |found, node| {
            found.read(node, Keys::Required, |node| {
                published(&design, read::<PublishedTable>(node)?, node)
            })
        });
        let figure = match (document.figure.take(), self.root.get("figure")) {
            (Some(table), Some(node)) => match design.figure(table, node) {
                Ok(figure) => Some(figure),
                Err(fault) => {
                    self.found.note(fault);
                    None
                }
            },
            _ => None,
        };
        let parts = Parts {
            name: prepared.name.clone(),
            path: self.path.to_owned(),
            seeds: seeds.ok()?,
            factors: crossing.factors.clone(),
            arms: design.arms.to_vec(),
            contrasts: contrasts?,
            published: published?,
            figure,
            program: program.clone(),
        };
        let spec = document.into_spec(parts);
        for error in validate::mistakes(&spec, arms_are_known) {
            self.found.note(locate(&self.root, &error));
        }
        if !self.found.is_empty() {
            return None;
        }
        if let Some(Err(error)) = claims.map(|claims| claims.check(&spec)) {
            self.found.note(locate(&self.root, &error));
        }
        if let Err(fault) = check_probes(&self.root, &spec.arms) {
            self.found.note(fault);
        }
        Some(())
    }

    /// The tables that all arms share. Arms may set the keys that are missing.
    fn base_tables(&mut self) {
        for key in OF_PROGRAMS {
            if let Err(fault) = not_of_programs(&self.root, key) {
                self.found.note(fault);
                self.root.take(&[key]);
            }
        }
        let registry = self.registry;
        for name in BASE_TABLES {
            let Some(mut node) = self.root.take(&[name]) else {
                continue;
            };
            (self.found).read(&mut node, Keys::Optional, |node| {
                check_table(registry, name, node)
            });
            if let Value::Table(table) = &mut self.root.value {
                table.insert(name.to_owned(), node);
            }
        }
    }

    /// The arms; `None` if one cannot be read at all or has no valid name.
    fn arms(
        &mut self,
        prepared: &Prepared,
        program: Option<&ProgramDesign>,
        crossing: &Crossing,
        document: &mut Document,
    ) -> Option<Vec<Arm>> {
        let count = crossing.cells().count() + document.arms.len();
        if let Err(error) = validate::arm_count(count) {
            self.found.note(locate(&self.root, &error));
            return None;
        }
        let base = Base {
            registry: self.registry,
            root: &self.root,
            folder: prepared.folder(self.path),
            overrides: &prepared.overrides,
            program,
        };
        let mut arms = Vec::new();
        let mut arm = |found: &mut Recovery, cell: &Cell<'_>| {
            let mut merged = base.merged(cell);
            let arm = found.read(&mut merged, Keys::Required, |merged| {
                let arm = base.read(merged, cell);
                arm.map_err(|fault| crossing.blame(fault).in_arm(&cell.name))
            });
            let is_read = arm.is_some();
            arms.push(arm);
            is_read
        };
        for cell in crossing.cells() {
            // What one combination lacks, most others lack, too.
            if !arm(&mut self.found, &cell) {
                break;
            }
        }
        let written = self.root.get("arms").map_or(&[][..], Node::items);
        for (table, node) in take(&mut document.arms).into_iter().zip(written) {
            let mut node = node.clone();
            if program.is_none() {
                self.found.read(&mut node, Keys::Required, |node| {
                    only_nets(node, node.get("args").is_some())
                });
            }
            let own = base.own(&node);
            arm(&mut self.found, &written_out(table, &own));
        }
        let arms: Vec<Arm> = arms.into_iter().collect::<Option<_>>()?;
        if let Err(error) = validate::arm_names(&arms) {
            self.found.note(locate(&self.root, &error));
            return None;
        }
        Some(arms)
    }

    /// What `read` makes of the tables of the array `key`; `None` if it cannot read one.
    fn items<T>(
        &mut self,
        key: &str,
        read: impl Fn(&mut Recovery, &mut Node) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.root.get(key).map_or(&[][..], Node::items).to_vec();
        let read: Vec<Option<T>> = (items.into_iter())
            .map(|mut node| read(&mut self.found, &mut node))
            .collect();
        read.into_iter().collect()
    }
}
