//! Plain burn modules, one per seed.

use super::architecture::{Classifier, ParameterGroup};
use crate::error::ConfigError;
use crate::init::Start;
use crate::pass::Pass;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// A plain burn module that classifies images, without an axis of replicas.
pub trait PlainClassifier: Module + ModuleDisplay + Sync + 'static {
    /// The logits.
    ///
    /// # Shapes
    /// - `x`: `[batch, height * width * channels]`, channels fastest
    /// - output: `[batch, classes]`
    fn forward(&self, x: Tensor<2>, pass: &Pass) -> Tensor<2>;

    /// Group of the parameter at `path`; see [`Classifier::group`].
    fn group(path: &[String]) -> Option<ParameterGroup> {
        ParameterGroup::of_name(path)
    }
}

/// A module per seed, as one model. Each module computes on its own, so that a stack costs as much as
/// its seeds one by one.
#[derive(Module, Debug)]
pub struct PerSeed<M: Module> {
    seeds: Vec<M>,
}

impl<M: PlainClassifier> PerSeed<M> {
    /// Builds a module per seed of `start`; `build` gets each seed alone.
    ///
    /// Layers of burn draw their start values from one generator for the whole process, so that they
    /// would differ from run to run: [`Start::redraw`] replaces them.
    ///
    /// # Errors
    /// If `build` fails.
    pub fn new(
        start: &Start,
        build: impl Fn(&Start) -> Result<M, ConfigError>,
    ) -> Result<Self, ConfigError> {
        let seeds = start.seeds.iter().map(|&seed| {
            build(&Start {
                seeds: vec![seed],
                ..start.clone()
            })
        });
        Ok(Self {
            seeds: seeds.collect::<Result<_, _>>()?,
        })
    }
}

impl<M: PlainClassifier> Classifier for PerSeed<M> {
    fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let [_, batch, features] = x.dims();
        let images = x.chunk(self.seeds.len(), 0).into_iter();
        let logits = images.zip(&self.seeds).map(|(images, module)| {
            let logits = module.forward(images.reshape([batch, features]), pass);
            logits.unsqueeze::<3>()
        });
        Tensor::cat(logits.collect(), 0)
    }

    fn group(path: &[String]) -> Option<ParameterGroup> {
        M::group(path.get(2..).unwrap_or_default())
    }

    /// Paths start with `seeds` and the index of the module.
    fn replica(path: &[String]) -> Option<usize> {
        path.get(1)?.parse().ok()
    }
}
