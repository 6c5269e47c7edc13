//! Files that hold only the recipe of one net: `[data]`, `[model]` and `[train]`.

use crate::spec::files::document;
use crate::spec::parse::extends::EXTENDS;
use crate::spec::parse::merge::merge;
use crate::spec::parse::node::Node;
use crate::spec::{Override, Registry, Spec, SpecError};
use std::path::Path;

/// What such a file leaves out of an experiment.
const HEAD: &str = "\
title = \"One net\"
question = \"How accurate is it?\"
reading = \"Nothing is compared.\"
seeds = 1

[[arms]]
name = \"net\"
";

impl Spec {
    /// Reads an experiment as [`Self::load`] does, or a file that holds only the recipe of one net: its
    /// single arm is called `net`.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn load_recipe(path: &Path, overrides: &[Override]) -> Result<Self, SpecError> {
        let root = document(path)?;
        if root.get("question").is_some() || root.get(EXTENDS).is_some() {
            return Self::load(path, overrides);
        }
        let name = path.file_stem().and_then(|stem| stem.to_str());
        Self::of_recipe(name.unwrap_or_default(), path, root, overrides)
    }

    /// Reads the recipe of one net from `text`; see [`Self::load_recipe`]. `path` appears in errors only.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn parse_recipe(
        name: &str,
        path: &Path,
        text: &str,
        overrides: &[Override],
    ) -> Result<Self, SpecError> {
        let root = Node::document(text).map_err(|fault| SpecError::new(path, &fault))?;
        Self::of_recipe(name, path, root, overrides)
    }

    fn of_recipe(
        name: &str,
        path: &Path,
        root: Node,
        overrides: &[Override],
    ) -> Result<Self, SpecError> {
        let mut whole = Node::document(HEAD).map_err(|fault| SpecError::new(path, &fault))?;
        merge(&mut whole, root);
        Self::of_document(Registry::installed(), None, name, path, &whole, overrides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "\
[data]
name = \"digits\"

[model]
preset = \"mlp-digits\"

[train]
epochs = 3
batch_size = 64
learning_rate = 0.01
";

    fn parse(text: &str, set: &[&str]) -> Result<Spec, SpecError> {
        let overrides: Vec<Override> = set.iter().map(|set| set.parse().unwrap()).collect();
        Spec::parse_recipe("mine", Path::new("mine.toml"), text, &overrides)
    }

    #[test]
    fn a_recipe_is_an_experiment_of_one_arm() {
        let spec = parse(RECIPE, &["train.epochs=5"]).unwrap();
        assert_eq!((spec.arms.len(), &*spec.arms[0].name), (1, "net"));
        assert_eq!(spec.arms[0].net().unwrap().train.length.count(), 5);
    }

    #[test]
    fn mistakes_have_the_line_of_the_file() {
        let error = parse(&RECIPE.replace("batch_size", "batchsize"), &[]).unwrap_err();
        assert_eq!(error.line(), Some(9), "{error}");
    }
}
