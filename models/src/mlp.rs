//! Multilayer perceptrons.

use crate::block::BlockConfig;
use crate::block::DenseBlock;
use crate::dropout::Dropout;
use crate::error::ConfigError;
use crate::init::{Start, WeightInit};
use crate::linear::{Linear, LinearConfig};
use crate::pass::Pass;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A stack of equal dense blocks and a linear head with a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Units of each hidden layer, from the input on; may be empty (a linear classifier).
    pub hidden: Vec<usize>,
    /// What surrounds the weights of each hidden layer.
    #[serde(default)]
    pub block: BlockConfig,
}

impl MlpConfig {
    /// # Errors
    /// If a layer has no units or the block cannot be built.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.hidden.contains(&0) {
            return Err(ConfigError::new("hidden", "has a layer of 0 units"));
        }
        self.block.check().map_err(|e| e.under("block"))
    }
}

impl MlpConfig {
    /// Builds the model for `inputs` features and `classes` classes, one replica a seed.
    ///
    /// # Errors
    /// If the configuration cannot be built.
    pub fn init(&self, inputs: usize, classes: usize, start: &Start) -> Result<Mlp, ConfigError> {
        self.check()?;
        let mut width = inputs;
        let mut blocks = Vec::with_capacity(self.hidden.len());
        for (i, &units) in self.hidden.iter().enumerate() {
            blocks.push(
                self.block
                    .dense(&format!("blocks.{i}"), width, units, start)?,
            );
            width = units;
        }
        Ok(Mlp {
            input_dropout: Dropout::new(
                self.block.dropout.input_rate,
                false,
                "input_dropout",
                start,
            ),
            blocks,
            head: head(width, classes, self.block.init.weight, start),
        })
    }
}

/// The linear head of every classifier: with a bias, which starts at zero.
pub(crate) fn head(inputs: usize, classes: usize, init: WeightInit, start: &Start) -> Linear {
    let config = LinearConfig {
        inputs,
        outputs: classes,
        bias: Some(0.0),
        init,
    };
    config.init("head", start)
}

/// A multilayer perceptron; see [`MlpConfig`].
#[derive(Module, Debug)]
pub struct Mlp {
    /// Dropout on the input, if any.
    pub input_dropout: Option<Dropout>,
    /// The hidden blocks.
    pub blocks: Vec<DenseBlock>,
    /// The linear head.
    pub head: Linear,
}

impl Mlp {
    /// What enters the hidden blocks.
    ///
    /// # Shapes
    /// `[replicas, batch, inputs]` to the same.
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match &self.input_dropout {
            Some(dropout) => dropout.forward(x, 1, pass),
            None => x,
        }
    }

    /// # Shapes
    /// - `x`: `[replicas, batch, inputs]`
    /// - output: logits, `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let mut x = self.features(x, pass);
        for block in &self.blocks {
            x = block.forward(x, pass);
        }
        self.head.forward(x)
    }
}
