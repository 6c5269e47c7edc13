//! Configurations of models: those of the zoo, and those of registered kinds.

use super::cost::Cost;
use super::custom::CustomConfig;
use super::model::Model;
use crate::block::BlockConfig;
use crate::cnn::CnnConfig;
use crate::error::ConfigError;
use crate::init::Start;
use crate::mlp::MlpConfig;
use crate::resnet::ResnetConfig;
use serde::{Deserialize, Serialize};

/// Configuration of a model; in files, a table with the key `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// A multilayer perceptron.
    Mlp(MlpConfig),
    /// A convolutional network.
    Cnn(CnnConfig),
    /// A residual network with the norm and activation before each convolution.
    Resnet(ResnetConfig),
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
            Self::Resnet(c) => c.check(),
            Self::Custom(c) => c.check(),
        }
    }

    /// Its kind, as in `model.kind`.
    pub fn kind(&self) -> &str {
        match self {
            Self::Mlp(_) => "mlp",
            Self::Cnn(_) => "cnn",
            Self::Resnet(_) => "resnet",
            Self::Custom(c) => c.kind(),
        }
    }

    /// Whether it is a chain of hidden blocks, which can be measured and changed one by one.
    pub const fn has_blocks(&self) -> bool {
        matches!(self, Self::Mlp(_) | Self::Cnn(_))
    }

    /// What its size is computed from, by the key in the `[model]` table.
    pub fn sizes(&self) -> Vec<(&'static str, Sizes<'_>)> {
        match self {
            Self::Mlp(c) => vec![("hidden", Sizes::Widths(&c.hidden))],
            Self::Cnn(c) => vec![
                ("channels", Sizes::Widths(&c.channels)),
                ("dense", Sizes::Widths(&c.dense)),
                ("convs", Sizes::Number(c.convs)),
                ("kernel", Sizes::Number(c.kernel)),
            ],
            Self::Resnet(c) => vec![
                ("channels", Sizes::Widths(&c.channels)),
                ("units", Sizes::Number(c.units)),
                ("kernel", Sizes::Number(c.kernel)),
            ],
            Self::Custom(_) => Vec::new(),
        }
    }

    /// Units and channels of the hidden layers, to change them.
    pub fn widths_mut(&mut self) -> Vec<&mut usize> {
        match self {
            Self::Mlp(c) => c.hidden.iter_mut().collect(),
            Self::Cnn(c) => c.channels.iter_mut().chain(&mut c.dense).collect(),
            Self::Resnet(c) => c.channels.iter_mut().collect(),
            Self::Custom(_) => Vec::new(),
        }
    }

    /// Channels of each convolution stage, in order from the input.
    pub fn conv_widths(&self) -> &[usize] {
        match self {
            Self::Cnn(c) => &c.channels,
            Self::Resnet(c) => &c.channels,
            Self::Mlp(_) | Self::Custom(_) => &[],
        }
    }

    /// Units of each dense block, in order from the input.
    pub fn dense_widths(&self) -> &[usize] {
        match self {
            Self::Mlp(c) => &c.hidden,
            Self::Cnn(c) => &c.dense,
            Self::Resnet(_) | Self::Custom(_) => &[],
        }
    }

    /// Paths of the hidden blocks of a chain, in order from the input.
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
            Self::Resnet(_) | Self::Custom(_) => Vec::new(),
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
            Self::Resnet(c) => vec![&c.block],
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
            Self::Resnet(c) => vec![&mut c.block],
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
            Self::Resnet(c) => c.init(input, classes, start).map(Model::Resnet),
            Self::Custom(c) => c.init(input, classes, start).map(Model::Custom),
        }
    }

    /// The configuration of the hidden blocks, except a last block with a configuration of its own;
    /// `None` for a model without blocks of the zoo.
    pub const fn block(&self) -> Option<&BlockConfig> {
        match self {
            Self::Mlp(c) => Some(&c.block),
            Self::Cnn(c) => Some(&c.block),
            Self::Resnet(c) => Some(&c.block),
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
            Self::Resnet(c) => return Ok(resnet_cost(c, input, classes)),
            Self::Custom(c) => return c.cost(input, classes),
        };
        for (i, &units) in hidden.iter().enumerate() {
            let block = match self {
                Self::Mlp(c) => c.block_of(i),
                Self::Cnn(c) => &c.block,
                Self::Resnet(_) | Self::Custom(_) => {
                    unreachable!("their own cost is returned above")
                }
            };
            cost.add(width * units, 1, vectors(block, block.dropout.rate) * units);
            width = units;
        }
        cost.add(width * classes, 1, classes);
        Ok(cost)
    }
}

fn resnet_cost(config: &ResnetConfig, [h, w, c]: [usize; 3], classes: usize) -> Cost {
    let (block, plain) = (&config.block, config.plain_block());
    let norm = block.norm.learned_vectors();
    let bias = |block: &BlockConfig| usize::from(block.has_bias(block.dropout.conv_rate));
    let area = config.kernel * config.kernel;
    let mut width = config.channels.first().copied().unwrap_or(0);
    let mut cost = Cost::default();
    cost.add(area * c * width, h * w, (norm + bias(&plain)) * width);
    for unit in config.unit_sizes([h, w]) {
        let (inputs, outputs) = (unit.inputs, unit.outputs);
        let positions = unit.size.iter().product();
        let inner = area * inputs * outputs;
        cost.add(inner, positions, (norm + bias(block)) * outputs);
        let outer = area * outputs * outputs;
        cost.add(outer, positions, bias(&plain) * outputs);
        if unit.projects() {
            cost.add(inputs * outputs, positions, 0);
        }
        // The norm behind its sum, before the next unit or the head.
        cost.add(0, 0, norm * outputs);
        width = outputs;
    }
    cost.add(width * classes, 1, classes);
    cost
}

/// Numbers that the size of a model is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes<'a> {
    /// Units or channels of each layer.
    Widths(&'a [usize]),
    /// One number for all layers: convolutions per stage, or the edge of a kernel in pixels.
    Number(usize),
}
