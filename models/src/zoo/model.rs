//! Either family of models by configuration.

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
        }
    }

    /// Every block configuration, mutable.
    pub fn blocks_mut(&mut self) -> Vec<&mut BlockConfig> {
        match self {
            Self::Mlp(c) => std::iter::once(&mut c.block)
                .chain(&mut c.last_block)
                .collect(),
            Self::Cnn(c) => vec![&mut c.block],
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
        }
    }

    /// The configuration of the hidden blocks, except a last block with a configuration of its own.
    pub const fn block(&self) -> &BlockConfig {
        match self {
            Self::Mlp(c) => &c.block,
            Self::Cnn(c) => &c.block,
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
        };
        for (i, &units) in hidden.iter().enumerate() {
            let block = match self {
                Self::Mlp(c) => c.block_of(i),
                Self::Cnn(c) => &c.block,
            };
            cost.add(width * units, 1, vectors(block, block.dropout.rate) * units);
            width = units;
        }
        cost.add(width * classes, 1, classes);
        Ok(cost)
    }
}

/// Parameters and arithmetic of one replica of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Trained parameters. Running averages do not count.
    pub parameters: usize,
    /// Multiply-adds of dense layers and convolutions in the forward pass of one example.
    pub multiply_adds: usize,
}

impl Cost {
    fn add(&mut self, weights: usize, positions: usize, vectors: usize) {
        self.parameters += weights + vectors;
        self.multiply_adds += weights * positions;
    }
}

/// A built model.
#[derive(Module, Debug)]
pub enum Model {
    /// A multilayer perceptron.
    Mlp(Mlp),
    /// A convolutional network.
    Cnn(Cnn),
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
        }
    }

    /// The input of the first dense block (or of the head, without dense blocks).
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: `[replicas, batch, features]`, channels fastest
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(m) => m.features(x, pass),
            Self::Cnn(m) => m.features(x, pass),
        }
    }

    /// The convolution blocks, in order from the input.
    pub fn conv_blocks(&self) -> impl Iterator<Item = &ConvBlock> {
        let stages = match self {
            Self::Mlp(_) => [].as_slice(),
            Self::Cnn(m) => &m.stages,
        };
        stages.iter().flat_map(|stage| &stage.blocks)
    }

    /// The dense blocks, in order from the input.
    pub fn dense_blocks(&self) -> &[DenseBlock] {
        match self {
            Self::Mlp(m) => &m.blocks,
            Self::Cnn(m) => &m.dense,
        }
    }

    /// The linear head.
    pub const fn head(&self) -> &Linear {
        match self {
            Self::Mlp(m) => &m.head,
            Self::Cnn(m) => &m.head,
        }
    }

    /// Number of trained parameters of all replicas together.
    pub fn trained_parameters(&self) -> usize {
        struct Count(usize);
        impl ModuleVisitor for Count {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if param.is_require_grad() {
                    self.0 += param.val().shape().num_elements();
                }
            }
        }
        let mut count = Count(0);
        self.visit(&mut count);
        count.0
    }
}
