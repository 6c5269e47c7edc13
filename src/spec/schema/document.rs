//! Reading a spec from its text or its tree.

use crate::spec::design::claims::Claims;
use crate::spec::parse::node::Node;
use crate::spec::parse::overrides::Override;
use crate::spec::registry::Registry;
use crate::spec::schema::convert::build;
use crate::spec::schema::mistakes;
use crate::spec::{Spec, SpecError};
use std::path::Path;

impl Spec {
    /// Reads and checks the spec `name` from `text`. `path` appears in errors only. The file must also
    /// be valid without the overrides.
    ///
    /// # Errors
    /// If there is a mistake. The error is the first that is found, with its line, its key and advice, and it
    /// knows the others.
    pub fn parse(
        name: &str,
        path: &Path,
        text: &str,
        overrides: &[Override],
    ) -> Result<Self, SpecError> {
        Self::parse_with(Registry::installed(), name, path, text, overrides)
    }

    /// [`Self::parse`] with the kinds of models of `registry`.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn parse_with(
        registry: &Registry,
        name: &str,
        path: &Path,
        text: &str,
        overrides: &[Override],
    ) -> Result<Self, SpecError> {
        Self::parse_beside(registry, None, name, path, text, overrides)
    }

    /// [`Self::parse_with`] that also checks that the claims and identities are declared in `claims`.
    pub(in crate::spec) fn parse_beside(
        registry: &Registry,
        claims: Option<&Claims>,
        name: &str,
        path: &Path,
        text: &str,
        overrides: &[Override],
    ) -> Result<Self, SpecError> {
        let root = Node::document(text).map_err(|fault| SpecError::new(path, &fault))?;
        Self::of_document(registry, claims, name, path, &root, overrides)
    }

    /// [`Self::parse_beside`] of a parsed file, merged onto the one that it extends.
    pub(in crate::spec) fn of_document(
        registry: &Registry,
        claims: Option<&Claims>,
        name: &str,
        path: &Path,
        root: &Node,
        overrides: &[Override],
    ) -> Result<Self, SpecError> {
        let build = |overrides: &[Override]| build(registry, claims, name, path, root, overrides);
        let plain = build(&[]).map_err(|fault| {
            let all = mistakes::all(registry, claims, name, path, root);
            SpecError::new(path, &fault).with(path, &all)
        })?;
        let with = |overrides: &[Override]| {
            build(overrides).map_err(|fault| SpecError::new(path, &fault.after(overrides)))
        };
        if overrides.is_empty() {
            return Ok(plain);
        }
        let changed = with(overrides)?;
        let (seeds, keys): (Vec<_>, Vec<_>) =
            (overrides.iter().cloned()).partition(Override::sets_seeds);
        // Overrides that change nothing are no changes, so they make no variant.
        Ok(
            match keys.is_empty() || !with(&keys)?.asks_the_same(&plain) {
                true => changed.noting_seeds_of(&plain),
                false => with(&seeds)?.noting_seeds_of(&plain),
            },
        )
    }

    /// Whether it has the arms, contrasts and program of `other`.
    fn asks_the_same(&self, other: &Self) -> bool {
        (&self.arms, &self.contrasts, &self.program)
            == (&other.arms, &other.contrasts, &other.program)
    }

    /// The same spec with the seeds of its file `plain` among its changes, if it has others.
    fn noting_seeds_of(mut self, plain: &Self) -> Self {
        let in_file = plain.changes.seeds_in_file.as_ref();
        let in_file = in_file.unwrap_or(&plain.seeds).clone();
        self.changes.seeds_in_file = (self.seeds != in_file).then_some(in_file);
        self
    }
}
