//! The net of `main.rs` as plain burn modules, without an axis of replicas.

use ablate_models::init::WeightInit;
use ablate_models::zoo::{Architecture, PerSeed, PlainClassifier};
use ablate_models::{ConfigError, Pass, Start};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::{relu, sigmoid};
use serde::{Deserialize, Serialize};

/// The keys of the `[model]` table beside `kind`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GatedMlpConfig {
    hidden: usize,
    gate: bool,
}

#[derive(Module, Debug)]
pub(crate) struct GatedMlp {
    value: Linear,
    gate: Option<Linear>,
    head: Linear,
}

impl Architecture for GatedMlpConfig {
    type Model = PerSeed<GatedMlp>;
    const VERSION: u32 = 1;

    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<PerSeed<GatedMlp>, ConfigError> {
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&start.device);
        let inputs = input.iter().product();
        PerSeed::new(start, |start| {
            let net = GatedMlp {
                value: layer(inputs, self.hidden),
                gate: self.gate.then(|| layer(inputs, self.hidden)),
                head: layer(self.hidden, classes),
            };
            Ok(start.redraw(net, WeightInit::HeNormal))
        })
    }
}

impl PlainClassifier for GatedMlp {
    fn forward(&self, x: Tensor<2>, _: &Pass) -> Tensor<2> {
        let value = self.value.forward(x.clone());
        self.head.forward(match &self.gate {
            Some(gate) => value * sigmoid(gate.forward(x)),
            None => relu(value),
        })
    }
}
