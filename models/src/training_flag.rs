//! Whether a layer takes part in training.

use burn::module::{
    Content, Devices, Flag, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper,
    ModuleVisitor, Param,
};
use burn::tensor::Device;

/// A flag that burn's `freeze` clears and `unfreeze` sets. A frozen norm uses its running averages and
/// leaves them alone; frozen dropout is the identity.
///
/// Unlike burn's own flag it does not change in `valid()`: passes say whether they train.
#[derive(Clone, Debug)]
pub(crate) struct TrainingFlag(Param<Flag>);

impl TrainingFlag {
    pub(crate) fn enabled() -> Self {
        Self(Param::<Flag>::from_bool(true))
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.0.is_enabled()
    }
}

impl Module for TrainingFlag {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_flag(&self.0);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Self(mapper.map_flag(self.0))
    }

    fn to_device(self, _device: &Device) -> Self {
        self
    }

    fn fork(self, _device: &Device) -> Self {
        self
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn materialize(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        self.clone()
    }

    fn train(self) -> Self {
        self
    }
}

impl ModuleDisplayDefault for TrainingFlag {
    fn content(&self, content: Content) -> Option<Content> {
        let state = if self.is_enabled() { "on" } else { "frozen" };
        content.add_formatted(&state.to_owned()).optional()
    }
}

impl ModuleDisplay for TrainingFlag {}
