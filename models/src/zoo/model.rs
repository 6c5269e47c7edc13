//! Models by configuration: those of the zoo, and those of registered kinds.

use super::architecture::ParameterRules;
use super::cost::{Cost, trained};
use super::custom::{CustomConfig, CustomModel};
use crate::block::{BlockConfig, ConvBlock, DenseBlock};
use crate::cnn::{Cnn, CnnConfig};
use crate::error::ConfigError;
use crate::init::Start;
use crate::linear::Linear;
use crate::mlp::{Mlp, MlpConfig};
use crate::pass::Pass;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Configuration of a model; in files, a table with the key `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// A multilayer perceptron.
    Mlp(MlpConfig),
    /// A convolutional network.
    Cnn(CnnConfig),
    /// A model of a registered kind.
    Custom(CustomConfig),
}

impl ModelConfig {
    /// Checks what does not depend on the data.
    ///
    /// # Errors
    /// If no data exist for which the model can be built.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Mlp(c) => c.check(),
            Self::Cnn(c) => c.check(),
            Self::Custom(c) => c.check(),
        }
    }

    /// Its kind, as in `model.kind`.
    pub fn kind(&self) -> &str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Cnn(_) => "cnn",
            Self::Custom(c) => c.kind(),
        }
    }

    /// Whether it consists of the blocks of the zoo.
    pub const fn has_blocks(&self) -> bool {
        !matches!(self, Self::Custom(_))
    }

    /// Units of each dense block, in order from the input.
    pub fn dense_widths(&self) -> &[usize] {
        match self {
            Self::Mlp(c) => &c.hidden,
            Self::Cnn(c) => &c.dense,
            Self::Custom(_) => &[],
        }
    }

    /// Paths of the hidden blocks, in order from the input.
    pub fn block_paths(&self) -> Vec<String> {
        let numbered = |stem: &str, n: usize| -> Vec<String> {
            (0..n).map(|i| format!("{stem}.{i}")).collect()
        };
        match self {
            Self::Mlp(c) => numbered("blocks", c.hidden.len()),
            Self::Cnn(c) => {
                let stages = 0..c.channels.len();
                let convs = stages.flat_map(|s| numbered(&format!("stages.{s}.blocks"), c.convs));
                convs.chain(numbered("dense", c.dense.len())).collect()
            }
            Self::Custom(_) => Vec::new(),
        }
    }

    /// Every block configuration in use.
    pub fn blocks(&self) -> Vec<&BlockConfig> {
        match self {
            Self::Mlp(c) => match &c.last_block {
                Some(last) if c.hidden.len() == 1 => vec![last],
                Some(last) => vec![&c.block, last],
                None => vec![&c.block],
            },
            Self::Cnn(c) => vec![&c.block],
            Self::Custom(_) => Vec::new(),
        }
    }

    /// Every block configuration, mutable.
    pub fn blocks_mut(&mut self) -> Vec<&mut BlockConfig> {
        match self {
            Self::Mlp(c) => std::iter::once(&mut c.block)
                .chain(&mut c.last_block)
                .collect(),
            Self::Cnn(c) => vec![&mut c.block],
            Self::Custom(_) => Vec::new(),
        }
    }

    /// Builds the model for images of size `input` (height, width, channels), with one replica per
    /// seed.
    ///
    /// # Errors
    /// If the configuration is invalid, or does not fit the images.
    pub fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<Model, ConfigError> {
        match self {
            Self::Mlp(c) => c
                .init(input.iter().product(), classes, start)
                .map(Model::Mlp),
            Self::Cnn(c) => c.init(input, classes, start).map(Model::Cnn),
            Self::Custom(c) => c.init(input, classes, start).map(Model::Custom),
        }
    }

    /// The configuration of the hidden blocks, except a last block with a configuration of its own;
    /// `None` for a model without blocks of the zoo.
    pub const fn block(&self) -> Option<&BlockConfig> {
        match self {
            Self::Mlp(c) => Some(&c.block),
            Self::Cnn(c) => Some(&c.block),
            Self::Custom(_) => None,
        }
    }

    /// Parameters and arithmetic of one replica.
    ///
    /// # Errors
    /// If the image is too small for the number of pooling layers.
    pub fn cost(&self, input: [usize; 3], classes: usize) -> Result<Cost, ConfigError> {
        let mut cost = Cost::default();
        let vectors = |block: &BlockConfig, rate| {
            block.norm.learned_vectors() + usize::from(block.has_bias(rate))
        };
        let mut width: usize = input.iter().product();
        let hidden = match self {
            Self::Mlp(c) => &c.hidden,
            Self::Cnn(c) => {
                let vectors = vectors(&c.block, c.block.dropout.conv_rate);
                let mut channels = input[2];
                for sizes in c.sizes(input)? {
                    let (last, convs) = sizes.split_last().expect("a stage has an end");
                    for [h, w, outputs] in convs {
                        let weights = c.kernel * c.kernel * channels * outputs;
                        cost.add(weights, h * w, vectors * outputs);
                        channels = *outputs;
                    }
                    width = last.iter().product();
                }
                &c.dense
            }
            Self::Custom(c) => return c.cost(input, classes),
        };
        for (i, &units) in hidden.iter().enumerate() {
            let block = match self {
                Self::Mlp(c) => c.block_of(i),
                Self::Cnn(c) => &c.block,
                Self::Custom(_) => unreachable!("its own cost is returned above"),
            };
            cost.add(width * units, 1, vectors(block, block.dropout.rate) * units);
            width = units;
        }
        cost.add(width * classes, 1, classes);
        Ok(cost)
    }
}

/// A built model.
#[derive(Module, Debug)]
pub enum Model {
    /// A multilayer perceptron.
    Mlp(Mlp),
    /// A convolutional network.
    Cnn(Cnn),
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
            Self::Custom(m) => m.forward(x, pass),
        }
    }

    /// The input of the first dense block (or of the head, without dense blocks); that of the whole
    /// model if it has no blocks of the zoo.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, features]`, channels fastest
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(m) => m.features(x, pass),
            Self::Cnn(m) => m.features(x, pass),
            Self::Custom(_) => x,
        }
    }

    /// The convolution blocks, in order from the input.
    pub fn conv_blocks(&self) -> impl Iterator<Item = &ConvBlock> {
        let stages = match self {
            Self::Mlp(_) | Self::Custom(_) => [].as_slice(),
            Self::Cnn(m) => &m.stages,
        };
        stages.iter().flat_map(|stage| &stage.blocks)
    }

    /// The dense blocks, in order from the input.
    pub fn dense_blocks(&self) -> &[DenseBlock] {
        match self {
            Self::Mlp(m) => &m.blocks,
            Self::Cnn(m) => &m.dense,
            Self::Custom(_) => &[],
        }
    }

    /// The dense blocks, to change them.
    pub fn dense_blocks_mut(&mut self) -> &mut [DenseBlock] {
        match self {
            Self::Mlp(m) => &mut m.blocks,
            Self::Cnn(m) => &mut m.dense,
            Self::Custom(_) => &mut [],
        }
    }

    /// The linear head; `None` for a model of a registered kind.
    pub const fn head(&self) -> Option<&Linear> {
        match self {
            Self::Mlp(m) => Some(&m.head),
            Self::Cnn(m) => Some(&m.head),
            Self::Custom(_) => None,
        }
    }

    /// What an optimizer must know of its parameters. Paths are those inside the model, without the
    /// name of its variant.
    pub fn rules(&self) -> ParameterRules {
        match self {
            Self::Mlp(_) | Self::Cnn(_) => ParameterRules::STACKED,
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
