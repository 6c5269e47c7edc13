//! `ablate` with a model of one's own, a gated MLP: `model.kind = "gated-mlp"` in any experiment.
//!
//! ```sh
//! cargo run --example own_model -- run examples/own_model/gated-mlp.toml
//! ```
//!
//! `plain.rs` has the same net as plain burn modules, which train seed by seed; `rings.rs` has a data set of
//! one's own.

mod plain;
mod rings;

use ablate::Registry;
use ablate_models::linear::{Linear, LinearConfig};
use ablate_models::zoo::{Architecture, Classifier};
use ablate_models::{ConfigError, Pass, Start};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// The keys of the `[model]` table beside `kind`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct GatedMlpConfig {
    /// Hidden units, from 1 to 4,096.
    hidden: usize,
    /// Multiply the hidden units by sigmoid gates, in place of ReLU.
    gate: bool,
}

/// `head(value(x) * sigmoid(gate(x)))`, or `head(relu(value(x)))`. The layers are stacked: every
/// parameter has a leading axis of replicas.
#[derive(Module, Debug)]
struct GatedMlp {
    value: Linear,
    gate: Option<Linear>,
    head: Linear,
}

impl Architecture for GatedMlpConfig {
    type Model = GatedMlp;
    const VERSION: u32 = 1;

    fn check(&self) -> Result<(), ConfigError> {
        let message = format!("is {}; it must be from 1 to 4096", self.hidden);
        let fits = (1..=4096).contains(&self.hidden);
        fits.then_some(())
            .ok_or_else(|| ConfigError::new("hidden", message))
    }

    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<GatedMlp, ConfigError> {
        let layer =
            |path: &str, inputs, outputs| LinearConfig::new(inputs, outputs).init(path, start);
        let inputs = input.iter().product();
        Ok(GatedMlp {
            value: layer("value", inputs, self.hidden),
            gate: self.gate.then(|| layer("gate", inputs, self.hidden)),
            head: layer("head", self.hidden, classes),
        })
    }
}

impl Classifier for GatedMlp {
    fn forward(&self, x: Tensor<3>, _: &Pass) -> Tensor<3> {
        let value = self.value.forward(x.clone());
        self.head.forward(match &self.gate {
            Some(gate) => value * sigmoid(gate.forward(x)),
            None => relu(value),
        })
    }
}

pub(crate) fn main() -> ExitCode {
    ablate::cli::main_with(
        Registry::zoo()
            .with::<GatedMlpConfig>("gated-mlp")
            .with::<plain::GatedMlpConfig>("plain-gated-mlp")
            .with_data::<rings::Rings>("rings"),
    )
}
