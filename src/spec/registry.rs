//! The kinds of models and the data sets that a program knows, by their names in specs.

use crate::data::{self, DataSource};
use crate::recipe::{DataName, Recipe};
use crate::spec::parse::checks::is_name;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::Node;
use crate::spec::parse::reader::{kind, read_beside_kind};
use crate::spec::schema::zoo;
use ablate_models::ConfigError;
use ablate_models::zoo::{Architecture, CustomConfig, ModelConfig};
use std::sync::OnceLock;

/// The kinds of models and the data sets that a program knows: those that every program has, and those
/// that it adds.
///
/// ```no_run
/// use ablate::Registry;
/// # use ablate_models::zoo::{Architecture, PerSeed, PlainClassifier};
/// # fn main_of<GatedMlpConfig: Architecture>() -> std::process::ExitCode {
/// ablate::cli::main_with(Registry::zoo().with::<GatedMlpConfig>("gated-mlp"))
/// # }
/// ```
#[derive(Debug)]
pub struct Registry {
    kinds: Vec<Kind>,
    data: Vec<Data>,
}

#[derive(Debug)]
struct Kind {
    name: String,
    /// Reads the keys of a `[model]` table beside `kind`.
    read: fn(&str, &Node) -> Result<ModelConfig, Diagnostic>,
    /// Gives a configuration that was read from JSON its type; `None` for the zoo, whose types are known.
    load: Option<Load>,
}

type Load = fn(&CustomConfig) -> Result<CustomConfig, ConfigError>;

/// A data set to register: its name, and the function that does so.
#[derive(Debug)]
struct Data {
    name: String,
    register: fn(&str) -> bool,
}

/// The registry of this process. It is a static because it is a property of the program, like its list
/// of verbs: every function that reads a spec or a job would otherwise have it as a parameter. Specs
/// can be read with another one ([`Spec::parse_with`](crate::spec::Spec::parse_with)).
static INSTALLED: OnceLock<Registry> = OnceLock::new();

impl Registry {
    /// The kinds of the zoo, `mlp`, `cnn` and `resnet`.
    pub fn zoo() -> Self {
        let of_zoo = |name: &str, read| Kind {
            name: name.to_owned(),
            read,
            load: None,
        };
        Self {
            kinds: vec![
                of_zoo("mlp", |_, node| zoo::model(node, ModelConfig::Mlp)),
                of_zoo("cnn", |_, node| zoo::model(node, ModelConfig::Cnn)),
                of_zoo("resnet", |_, node| zoo::model(node, ModelConfig::Resnet)),
            ],
            data: Vec::new(),
        }
    }

    /// Adds the models of `A` under the name `kind`.
    ///
    /// # Panics
    /// If the name is taken, or is not made of lower-case letters, digits and `-`.
    #[must_use]
    pub fn with<A: Architecture>(mut self, kind: &str) -> Self {
        assert!(
            is_name(kind),
            "the name `{kind}` of a kind of models must be lower-case letters, digits and `-`"
        );
        assert!(
            !self.names().contains(&kind),
            "there is a kind of models called `{kind}` already"
        );
        self.kinds.push(Kind {
            name: kind.to_owned(),
            read: |kind, node| {
                let config: A = read_beside_kind(node)?;
                CustomConfig::new(kind, config)
                    .map(ModelConfig::Custom)
                    .map_err(|error| Diagnostic::said(&error.message).at(&node.origin))
            },
            load: Some(CustomConfig::of_type::<A>),
        });
        self
    }

    /// Adds the data set `D` as `data.name = "name"`. It is known to the whole process once the registry
    /// is installed.
    ///
    /// # Panics
    /// If the name is taken, or is not made of lower-case letters, digits, `-` and `_`.
    #[must_use]
    pub fn with_data<D: DataSource>(mut self, name: &str) -> Self {
        assert!(
            DataName::is_key(name),
            "the name `{name}` of a data set must be lower-case letters, digits, `-` and `_`"
        );
        let taken = data::all().iter().any(|known| known.key() == name)
            || self.data.iter().any(|data| data.name == name);
        assert!(!taken, "there is a data set called `{name}` already");
        self.data.push(Data {
            name: name.to_owned(),
            register: data::register::<D>,
        });
        self
    }

    /// Makes it the registry of this process.
    ///
    /// # Errors
    /// If there is one already: another was installed, or a spec has been read.
    pub fn install(self) -> Result<(), Self> {
        INSTALLED.set(self)?;
        for data in &Self::installed().data {
            (data.register)(&data.name);
        }
        Ok(())
    }

    /// The registry of this process; that of the zoo unless another is installed.
    pub fn installed() -> &'static Self {
        INSTALLED.get_or_init(Self::zoo)
    }

    /// Gives the model of a recipe that was read from JSON its type.
    ///
    /// # Errors
    /// If this program does not know its kind, or has another type or version of it.
    pub fn complete(&self, recipe: &mut Recipe) -> Result<(), ConfigError> {
        match recipe.net_mut() {
            Some(net) => self.complete_model(&mut net.model),
            None => Ok(()),
        }
    }

    /// Gives a model that was read from JSON its type.
    ///
    /// # Errors
    /// As for [`Self::complete`].
    pub fn complete_model(&self, model: &mut ModelConfig) -> Result<(), ConfigError> {
        if let ModelConfig::Custom(config) = model
            && let Some(load) = self.named(config.kind()).and_then(|kind| kind.load)
        {
            *config = load(config)?;
        }
        Ok(())
    }

    /// Reads a `[model]` table.
    pub(in crate::spec) fn read(&self, node: &Node) -> Result<ModelConfig, Diagnostic> {
        let names = self.names();
        let (name, written) = kind(node, &names)?;
        match self.named(name) {
            Some(kind) => (kind.read)(name, node),
            None => Err(Diagnostic::unknown_value(name, &names).at(&written.origin)),
        }
    }

    fn named(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    fn names(&self) -> Vec<&str> {
        self.kinds.iter().map(|kind| kind.name.as_str()).collect()
    }
}
