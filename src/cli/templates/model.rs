// `ablate` with a model of your own: `model.kind = "my-net"` works in any experiment file.
//
// Put this file into `examples/` of a crate with these dependencies (the paths lead to ablate's repository):
//
//     ablate = { path = "..." }
//     ablate-models = { path = ".../models" }
//     burn = { version = "=0.22.1", default-features = false, features = ["std", "autodiff", "flex"] }
//     serde = { version = "1", features = ["derive"] }
//
// Then: cargo run --example my-net -- run my-net.toml

use ablate::Registry;
use ablate_models::init::WeightInit;
use ablate_models::zoo::{Architecture, PerSeed, PlainClassifier};
use ablate_models::{ConfigError, Pass, Start};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

// The keys of the `[model]` table beside `kind`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Config {
    hidden: usize,
    layers: usize,
}

// A plain burn module.
#[derive(Module, Debug)]
struct Net {
    layers: Vec<Linear>,
    head: Linear,
}

impl Architecture for Config {
    type Model = PerSeed<Net>;
    // Part of every cell's id. Raise it when the model computes something else, and cells train again.
    const VERSION: u32 = 1;

    // `input` is the height, width and number of channels of the images.
    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<PerSeed<Net>, ConfigError> {
        let layer = |inputs, outputs| LinearConfig::new(inputs, outputs).init(&start.device);
        PerSeed::new(start, |start| {
            let mut inputs = input.iter().product();
            let mut layers = Vec::new();
            for _ in 0..self.layers {
                layers.push(layer(inputs, self.hidden));
                inputs = self.hidden;
            }
            let head = layer(inputs, classes);
            let net = Net { layers, head };
            // burn draws start values from one global generator. This draws them from the streams of the
            // seed, so that arms share them and a run can be repeated.
            Ok(start.redraw(net, WeightInit::HeNormal))
        })
    }
}

impl PlainClassifier for Net {
    // From images, one per row, to logits.
    fn forward(&self, x: Tensor<2>, _: &Pass) -> Tensor<2> {
        let layers = self.layers.iter();
        let x = layers.fold(x, |x, layer| relu(layer.forward(x)));
        self.head.forward(x)
    }
}

fn main() -> ExitCode {
    ablate::cli::main_with(Registry::zoo().with::<Config>("my-net"))
}
