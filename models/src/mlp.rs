//! Multilayer perceptrons.

use crate::block::{BlockConfig, DenseBlock};
use crate::dropout::Dropout;
use crate::error::ConfigError;
use crate::init::{Start, WeightInit};
use crate::linear::{Linear, LinearConfig};
use crate::pass::Pass;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Configuration of a multilayer perceptron: dense blocks and a linear head with a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Units of each hidden layer, in order from the input. Empty for a linear classifier.
    pub hidden: Vec<usize>,
    /// Configuration of the hidden blocks.
    #[serde(default)]
    pub block: BlockConfig,
    /// Configuration of the last hidden block, if it differs. Its activation must be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_block: Option<BlockConfig>,
}

impl MlpConfig {
    /// Checks what does not depend on the data.
    ///
    /// # Errors
    /// If a layer has no units, a block is invalid, or there is a last block without a hidden layer,
    /// with another activation or with another input dropout rate.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.hidden.contains(&0) {
            return Err(ConfigError::new("hidden", "has a layer of 0 units"));
        }
        self.block.check().map_err(|e| e.under("block"))?;
        let Some(last) = &self.last_block else {
            return Ok(());
        };
        last.check().map_err(|e| e.under("last_block"))?;
        if self.hidden.is_empty() {
            return Err(ConfigError::new("last_block", "needs a hidden layer"));
        }
        if last.activation != self.block.activation {
            let message =
                "differs from `block.activation`; all hidden layers have the same activation";
            return Err(ConfigError::new("last_block.activation", message));
        }
        if last.dropout.input_rate != self.block.dropout.input_rate {
            let message = "differs from `block.dropout.input_rate`; set it only there";
            return Err(ConfigError::new("last_block.dropout.input_rate", message));
        }
        Ok(())
    }

    /// Configuration of hidden block `i`, counted from 0.
    pub fn block_of(&self, i: usize) -> &BlockConfig {
        match &self.last_block {
            Some(last) if i + 1 == self.hidden.len() => last,
            _ => &self.block,
        }
    }

    /// Builds the model for `inputs` features and `classes` classes, with one replica per seed.
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn init(&self, inputs: usize, classes: usize, start: &Start) -> Result<Mlp, ConfigError> {
        self.check()?;
        let mut width = inputs;
        let mut blocks = Vec::with_capacity(self.hidden.len());
        for (i, &units) in self.hidden.iter().enumerate() {
            blocks.push(
                self.block_of(i)
                    .dense(&format!("blocks.{i}"), width, units, start)?,
            );
            width = units;
        }
        Ok(Mlp {
            input_dropout: Dropout::of_kind(
                self.block.dropout.kind,
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

/// The linear head of every classifier, with a bias that starts at zero.
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
    /// The input of the first hidden block: `x` after input dropout.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, inputs]`
    /// - output: as `x`
    pub fn features(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        match &self.input_dropout {
            Some(dropout) => dropout.forward(x, 1, pass),
            None => x,
        }
    }

    /// The logits.
    ///
    /// # Shapes
    /// - `x`: `[replicas, batch, inputs]`
    /// - output: `[replicas, batch, classes]`
    pub fn forward(&self, x: Tensor<3>, pass: &Pass) -> Tensor<3> {
        let mut x = self.features(x, pass);
        for block in &self.blocks {
            x = block.forward(x, pass);
        }
        self.head.forward(x)
    }
}
