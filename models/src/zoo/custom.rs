//! Models of registered kinds: an [`Architecture`] and its [`Classifier`] behind one type each.

use super::architecture::{Architecture, Classifier, ParameterRules};
use super::cost::{Cost, trained};
use super::erased::{self, Mapped, Visited};
use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::Pass;
use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Debug;
use std::sync::Arc;

/// Configuration of a model of a registered kind.
///
/// In JSON it is its name, type, version and values. What is read from JSON has no type yet; a program
/// that knows the kind gives it one with [`Self::of_type`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomConfig {
    #[serde(rename = "name")]
    kind: String,
    #[serde(rename = "type")]
    type_name: String,
    version: u32,
    config: Value,
    #[serde(skip)]
    typed: Option<Arc<dyn AnyConfig>>,
}

/// Equal kind, type, version and values.
impl PartialEq for CustomConfig {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.type_name == other.type_name
            && self.version == other.version
            && self.config == other.config
    }
}

impl CustomConfig {
    /// `config`, registered as `kind`.
    ///
    /// # Errors
    /// If its values have no form in JSON.
    pub fn new<A: Architecture>(kind: &str, config: A) -> Result<Self, ConfigError> {
        let values = serde_json::to_value(&config)
            .map_err(|error| ConfigError::new("kind", format!("cannot be recorded: {error}")))?;
        Ok(Self {
            kind: kind.to_owned(),
            type_name: std::any::type_name::<A>().to_owned(),
            version: A::VERSION,
            config: values,
            typed: Some(Arc::new(Typed(config))),
        })
    }

    /// The same configuration, read from its values as an `A`.
    ///
    /// # Errors
    /// If it is of another type or version, or if its values do not fit.
    pub fn of_type<A: Architecture>(&self) -> Result<Self, ConfigError> {
        let config = serde_json::from_value(self.config.clone());
        let config: A = config.map_err(|error| ConfigError::new("kind", error.to_string()))?;
        let read = Self::new(&self.kind, config)?;
        match read == *self {
            true => Ok(read),
            false => Err(ConfigError::new(
                "kind",
                format!(
                    "is `{}` of type `{}` and version {}, but this program has type `{}` and version {} \
                     under that name",
                    self.kind, self.type_name, self.version, read.type_name, read.version
                ),
            )),
        }
    }

    /// The kind, as in `model.kind`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Checks what does not depend on the data.
    ///
    /// # Errors
    /// If no model can be built.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.typed()?.check()
    }

    /// Builds the model; see [`Architecture::init`].
    ///
    /// # Errors
    /// If the configuration does not fit the images, or a parameter of a stacked model has no axis of
    /// replicas.
    pub fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<CustomModel, ConfigError> {
        let model = self.typed()?.init(input, classes, start)?;
        match model.wrong_axis(start.replicas()) {
            None => Ok(model),
            Some((path, shape)) => Err(ConfigError::new(
                "kind",
                format!(
                    "is `{}`, whose parameter `{path}` has the shape {shape:?}; its first axis must be the {} \
                     replicas (`PerSeed` trains modules without that axis)",
                    self.kind,
                    start.replicas()
                ),
            )),
        }
    }

    /// Parameters and arithmetic of one replica.
    ///
    /// # Errors
    /// If the configuration does not fit the images.
    pub fn cost(&self, input: [usize; 3], classes: usize) -> Result<Cost, ConfigError> {
        self.typed()?.cost(input, classes)
    }

    fn typed(&self) -> Result<&dyn AnyConfig, ConfigError> {
        self.typed.as_deref().ok_or_else(|| {
            let message = format!("is `{}`, which this program does not register", self.kind);
            ConfigError::new("kind", message)
        })
    }
}

/// [`Architecture`] as a trait object.
trait AnyConfig: Debug + Send + Sync {
    fn check(&self) -> Result<(), ConfigError>;
    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<CustomModel, ConfigError>;
    fn cost(&self, input: [usize; 3], classes: usize) -> Result<Cost, ConfigError>;
}

#[derive(Debug)]
struct Typed<T>(T);

impl<A: Architecture> AnyConfig for Typed<A> {
    fn check(&self) -> Result<(), ConfigError> {
        self.0.check()
    }

    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<CustomModel, ConfigError> {
        self.0.init(input, classes, start).map(CustomModel::new)
    }

    fn cost(&self, input: [usize; 3], classes: usize) -> Result<Cost, ConfigError> {
        self.0.cost(input, classes)
    }
}

/// A built model of a registered kind.
#[derive(Debug)]
pub struct CustomModel(Box<dyn AnyModel>);

impl CustomModel {
    /// A model of any type.
    pub fn new<M: Classifier>(model: M) -> Self {
        Self(Box::new(Typed(model)))
    }

    /// The logits; see [`Classifier::forward`].
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.0.forward(x, pass)
    }

    /// What an optimizer must know of its parameters.
    pub fn rules(&self) -> ParameterRules {
        self.0.rules()
    }

    /// Path and shape of a parameter that should have an axis of `replicas` and has none.
    fn wrong_axis(&self, replicas: usize) -> Option<(String, Vec<usize>)> {
        let rules = self.rules();
        trained(self)
            .into_iter()
            .find(|(path, shape)| (rules.replica)(path).is_none() && shape[0] != replicas)
            .map(|(path, shape)| (path.join("."), shape))
    }
}

/// [`Classifier`] as a trait object.
trait AnyModel: Debug + Send + Sync {
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3>;
    fn rules(&self) -> ParameterRules;
    fn copy(&self) -> CustomModel;
    fn visit(&self, see: &mut dyn FnMut(Visited<'_>));
    fn map(self: Box<Self>, change: &mut dyn FnMut(Mapped<'_>)) -> CustomModel;
    fn collect_devices(&self, devices: Devices) -> Devices;
    fn fork(self: Box<Self>, device: &Device) -> CustomModel;
    fn to_device(self: Box<Self>, device: &Device) -> CustomModel;
    fn train(self: Box<Self>) -> CustomModel;
    fn valid(&self) -> CustomModel;
    fn materialize(self: Box<Self>) -> CustomModel;
}

impl<M: Classifier> AnyModel for Typed<M> {
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        self.0.forward(x, pass)
    }

    fn rules(&self) -> ParameterRules {
        ParameterRules {
            group: M::group,
            replica: M::replica,
        }
    }

    fn copy(&self) -> CustomModel {
        CustomModel::new(self.0.clone())
    }

    fn visit(&self, see: &mut dyn FnMut(Visited<'_>)) {
        erased::visit(&self.0, see);
    }

    fn map(self: Box<Self>, change: &mut dyn FnMut(Mapped<'_>)) -> CustomModel {
        CustomModel::new(erased::map(self.0, change))
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self: Box<Self>, device: &Device) -> CustomModel {
        CustomModel::new(self.0.fork(device))
    }

    fn to_device(self: Box<Self>, device: &Device) -> CustomModel {
        CustomModel::new(self.0.to_device(device))
    }

    fn train(self: Box<Self>) -> CustomModel {
        CustomModel::new(self.0.train())
    }

    fn valid(&self) -> CustomModel {
        CustomModel::new(self.0.valid())
    }

    fn materialize(self: Box<Self>) -> CustomModel {
        CustomModel::new(self.0.materialize())
    }
}

impl Clone for CustomModel {
    fn clone(&self) -> Self {
        self.0.copy()
    }
}

impl Module for CustomModel {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.0.fork(device)
    }

    fn to_device(self, device: &Device) -> Self {
        self.0.to_device(device)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(&mut |visited| erased::show(visitor, &visited));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.0.map(&mut |mapped| erased::change(mapper, mapped))
    }

    fn train(self) -> Self {
        self.0.train()
    }

    fn valid(&self) -> Self {
        self.0.valid()
    }

    fn materialize(self) -> Self {
        self.0.materialize()
    }
}

impl ModuleDisplayDefault for CustomModel {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&format!("{:?}", self.0)).optional()
    }
}

impl ModuleDisplay for CustomModel {}
