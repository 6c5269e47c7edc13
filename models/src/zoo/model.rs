//! Built models: those of the zoo, and those of registered kinds.

use super::architecture::ParameterRules;
use super::cost::trained;
use super::custom::CustomModel;
use crate::block::{ConvBlock, DenseBlock};
use crate::cnn::{Cnn, Stage};
use crate::linear::Linear;
use crate::mlp::Mlp;
use crate::pass::Pass;
use crate::resnet::Resnet;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// A built model.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program holds few models, and each holds its layers on the heap"
)]
pub enum Model {
    /// A multilayer perceptron.
    Mlp(Mlp),
    /// A convolutional network.
    Cnn(Cnn),
    /// A residual network with the norm and activation before each convolution.
    Resnet(Resnet),
    /// A model of a registered kind.
    Custom(CustomModel),
}

impl Model {
    /// The logits.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(m) => m.forward(x, pass),
            Self::Cnn(m) => m.forward(x, pass),
            Self::Resnet(m) => m.forward(x, pass),
            Self::Custom(m) => m.forward(x, pass),
        }
    }

    /// The input of the first dense block (or of the head, without dense blocks); that of the whole
    /// model if it is of a registered kind.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, features]`, channels fastest
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(m) => m.features(x, pass),
            Self::Cnn(m) => m.features(x, pass),
            Self::Resnet(m) => m.features(x, pass),
            Self::Custom(_) => x,
        }
    }

    /// Its blocks and head; `None` if it is not a chain of blocks.
    pub fn parts(&self) -> Option<Parts<&[Stage], &[DenseBlock], &Linear>> {
        match self {
            Self::Mlp(m) => Some(Parts {
                stages: &[],
                dense: &m.blocks,
                head: &m.head,
            }),
            Self::Cnn(m) => Some(Parts {
                stages: &m.stages,
                dense: &m.dense,
                head: &m.head,
            }),
            Self::Resnet(_) | Self::Custom(_) => None,
        }
    }

    /// Its blocks and head, to change them.
    pub fn parts_mut(&mut self) -> Option<Parts<&mut [Stage], &mut [DenseBlock], &mut Linear>> {
        match self {
            Self::Mlp(m) => Some(Parts {
                stages: &mut [],
                dense: &mut m.blocks,
                head: &mut m.head,
            }),
            Self::Cnn(m) => Some(Parts {
                stages: &mut m.stages,
                dense: &mut m.dense,
                head: &mut m.head,
            }),
            Self::Resnet(_) | Self::Custom(_) => None,
        }
    }

    /// The convolution blocks, in order from the input.
    pub fn conv_blocks(&self) -> impl Iterator<Item = &ConvBlock> {
        let stages = self.parts().map_or(&[][..], |parts| parts.stages);
        stages.iter().flat_map(|stage| &stage.blocks)
    }

    /// The dense blocks, in order from the input.
    pub fn dense_blocks(&self) -> &[DenseBlock] {
        self.parts().map_or(&[], |parts| parts.dense)
    }

    /// The dense blocks, to change them.
    pub fn dense_blocks_mut(&mut self) -> &mut [DenseBlock] {
        self.parts_mut().map_or(&mut [], |parts| parts.dense)
    }

    /// The linear head; `None` if the model is not a chain of blocks.
    pub fn head(&self) -> Option<&Linear> {
        self.parts().map(|parts| parts.head)
    }

    /// What an optimizer must know of its parameters. Paths are those inside the model, without the
    /// name of its variant.
    pub fn rules(&self) -> ParameterRules {
        match self {
            Self::Mlp(_) | Self::Cnn(_) | Self::Resnet(_) => ParameterRules::STACKED,
            Self::Custom(m) => m.rules(),
        }
    }

    /// True if its parameters are on a device that records gradients.
    pub fn is_autodiff(&self) -> bool {
        struct First(Option<bool>);
        impl ModuleVisitor for First {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0
                    .get_or_insert_with(|| param.val().device().is_autodiff());
            }
        }
        let mut first = First(None);
        self.visit(&mut first);
        first.0 == Some(true)
    }

    /// Number of trained parameters of all replicas together.
    pub fn trained_parameters(&self) -> usize {
        let shapes = trained(self).into_iter();
        shapes
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }
}

/// The parts of a model that is a chain of blocks, in order from the input. An MLP has no stages.
#[derive(Debug)]
pub struct Parts<S, D, H> {
    /// The convolution stages.
    pub stages: S,
    /// The dense blocks.
    pub dense: D,
    /// The linear head.
    pub head: H,
}
