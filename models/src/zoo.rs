//! Models by configuration and by name.

use crate::block::{BlockConfig, ConvBlock, DenseBlock};
use crate::cnn::{Cnn, CnnConfig};
use crate::dropout::DropoutConfig;
use crate::error::ConfigError;
use crate::init::Start;
use crate::linear::Linear;
use crate::mlp::{Mlp, MlpConfig};
use crate::norm::{BatchNormConfig, NormConfig};
use crate::pass::Pass;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Any model of the zoo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// A multilayer perceptron.
    Mlp(MlpConfig),
    /// A convolutional network.
    Cnn(CnnConfig),
}

impl ModelConfig {
    /// # Errors
    /// If the model cannot be built, whatever the data.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self::Mlp(c) => c.check(),
            Self::Cnn(c) => c.check(),
        }
    }
}

impl ModelConfig {
    /// Every block configuration that is used.
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

    /// Every block configuration that is used, to be changed.
    pub fn blocks_mut(&mut self) -> Vec<&mut BlockConfig> {
        match self {
            Self::Mlp(c) => std::iter::once(&mut c.block)
                .chain(&mut c.last_block)
                .collect(),
            Self::Cnn(c) => vec![&mut c.block],
        }
    }

    /// Builds the model for images of `input` (height, width, channels) and `classes` classes,
    /// one replica a seed.
    ///
    /// # Errors
    /// If the configuration cannot be built, or not for such images.
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

    /// What surrounds the weights of each hidden layer, the last one where it has a block of its own
    /// left aside.
    pub const fn block(&self) -> &BlockConfig {
        match self {
            Self::Mlp(c) => &c.block,
            Self::Cnn(c) => &c.block,
        }
    }

    /// What one replica costs.
    ///
    /// # Errors
    /// If pooling leaves nothing of the image.
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

/// What one replica of a model costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Trained numbers; running statistics are not among them.
    pub parameters: usize,
    /// Multiply-adds of the linear maps and convolutions for one example, forward.
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
    /// # Shapes
    /// - `x`: `[replicas, batch, height * width * channels]`, channels fastest
    /// - output: logits, `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(m) => m.forward(x, pass),
            Self::Cnn(m) => m.forward(x, pass),
        }
    }

    /// What enters the dense blocks, channels fastest.
    ///
    /// # Shapes
    /// As [`Self::forward`]; the output is flat.
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match self {
            Self::Mlp(m) => m.features(x, pass),
            Self::Cnn(m) => m.features(x, pass),
        }
    }

    /// The convolution blocks, from the input on.
    pub fn conv_blocks(&self) -> impl Iterator<Item = &ConvBlock> {
        let stages = match self {
            Self::Mlp(_) => [].as_slice(),
            Self::Cnn(m) => &m.stages,
        };
        stages.iter().flat_map(|stage| &stage.blocks)
    }

    /// The dense blocks, from the input on.
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

    /// Trained numbers of all replicas together.
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

/// A named model.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name, as in `model.preset`.
    pub name: &'static str,
    /// One line on what it is for.
    pub about: &'static str,
    /// Height, width and channels of the images it is meant for.
    pub input: [usize; 3],
    /// Classes it tells apart.
    pub classes: usize,
    build: fn() -> ModelConfig,
}

impl Preset {
    /// The preset's configuration.
    pub fn config(&self) -> ModelConfig {
        (self.build)()
    }
}

const DIGITS: [usize; 3] = [8, 8, 1];
const MNIST: [usize; 3] = [28, 28, 1];

/// Every preset, in the order of listing.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "linear",
        about: "linear classifier, the floor of every comparison",
        input: DIGITS,
        classes: 10,
        build: || mlp(&[], BlockConfig::default()),
    },
    Preset {
        name: "mlp-digits",
        about: "64-128-128-10, ReLU",
        input: DIGITS,
        classes: 10,
        build: || mlp(&[128, 128], BlockConfig::default()),
    },
    Preset {
        name: "mlp-digits-bn",
        about: "64-128-128-10, batch norm before ReLU",
        input: DIGITS,
        classes: 10,
        build: || mlp(&[128, 128], batch_norm(0.0)),
    },
    Preset {
        name: "cnn-digits",
        about: "3x3x16, 3x3x32, dense 64, ReLU, for 8x8 images",
        input: DIGITS,
        classes: 10,
        build: || cnn(&[16, 32], &[64], BlockConfig::default()),
    },
    Preset {
        name: "cnn-digits-bn",
        about: "3x3x16, 3x3x32, dense 64, batch norm before ReLU, for 8x8 images",
        input: DIGITS,
        classes: 10,
        build: || cnn(&[16, 32], &[64], batch_norm(0.0)),
    },
    Preset {
        name: "mlp-mnist-bn",
        about: "784-512-512-10, batch norm before ReLU, dropout 0.3",
        input: MNIST,
        classes: 10,
        build: || mlp(&[512, 512], batch_norm(0.3)),
    },
    Preset {
        name: "cnn-mnist-bn",
        about: "3x3x32, 3x3x64, dense 128, batch norm before ReLU, dropout 0.3",
        input: MNIST,
        classes: 10,
        build: || cnn(&[32, 64], &[128], batch_norm(0.3)),
    },
    Preset {
        name: "resnet-mnist",
        about: "two residual stages of two 3x3 convolutions, 16 and 32 channels, batch norm",
        input: MNIST,
        classes: 10,
        build: || {
            ModelConfig::Cnn(CnnConfig {
                convs: 2,
                residual: true,
                ..cnn_config(&[16, 32], &[], batch_norm(0.0))
            })
        },
    },
];

fn batch_norm(rate: f64) -> BlockConfig {
    BlockConfig {
        norm: NormConfig::Batch(BatchNormConfig::default()),
        dropout: DropoutConfig {
            rate,
            ..DropoutConfig::default()
        },
        ..BlockConfig::default()
    }
}

fn mlp(hidden: &[usize], block: BlockConfig) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig {
        hidden: hidden.to_vec(),
        block,
        last_block: None,
    })
}

fn cnn(channels: &[usize], dense: &[usize], block: BlockConfig) -> ModelConfig {
    ModelConfig::Cnn(cnn_config(channels, dense, block))
}

fn cnn_config(channels: &[usize], dense: &[usize], block: BlockConfig) -> CnnConfig {
    CnnConfig {
        channels: channels.to_vec(),
        convs: 1,
        kernel: 3,
        padding: ablate_kernels::Padding::Same,
        pool: crate::cnn::Pool::Max,
        residual: false,
        dense: dense.to_vec(),
        block,
    }
}

/// The preset called `name`.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name == name)
}
