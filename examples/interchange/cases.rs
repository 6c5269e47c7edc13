//! The nets and images to compare.

use ablate::data::{self, DataError, PixelScaling};
use ablate::recipe::{DataConfig, DataName};
use ablate_models::block::{Bias, BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::interchange::{LayerKind, Network, Weights};
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::{
    AffineConfig, BatchNormConfig, GroupNormConfig, LayerNormConfig, NormConfig,
};
use ablate_models::pretrained::PRETRAINED;
use ablate_models::resnet::ResnetConfig;
use ablate_models::streams::{Purpose, Stream};
use ablate_models::zoo::{ModelConfig, PRESETS};
use ablate_models::{Activation, Padding, Start};
use burn::tensor::Device;
use std::error::Error;
use std::rc::Rc;

/// Images per net.
const IMAGES: usize = 1000;

/// A net with weights, and images for it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) network: Network,
    pub(crate) weights: Weights,
    pub(crate) images: Rc<Images>,
}

/// Real images and their scaling.
pub(crate) struct Images {
    pub(crate) pixels: Vec<u8>,
    pub(crate) scaling: PixelScaling,
}

pub(crate) fn cases() -> Result<Vec<Case>, Box<dyn Error>> {
    let digits = Rc::new(images(DataName::Digits)?);
    let mut by_size = vec![([8, 8, 1], Some(Rc::clone(&digits)))];
    let mut cases = Vec::new();
    for preset in PRESETS {
        let known = by_size.iter().position(|(size, _)| *size == preset.input);
        let known = match known {
            Some(known) => known,
            None => {
                by_size.push((preset.input, of_size(preset.input)?));
                by_size.len() - 1
            }
        };
        let Some(images) = &by_size[known].1 else {
            continue;
        };
        let network = Network::new(preset.config(), preset.input, preset.classes)?;
        let trained = PRETRAINED
            .iter()
            .find(|trained| trained.name == preset.name);
        let weights = match trained {
            Some(trained) => Weights::from_safetensors(trained.weights)?,
            None => random(&network)?,
        };
        let trained = if trained.is_some() { ", trained" } else { "" };
        cases.push(Case {
            name: format!("{}{trained}", preset.name),
            network,
            weights,
            images: Rc::clone(images),
        });
    }
    for (i, (name, block)) in blocks().into_iter().enumerate() {
        let nets = [
            ("mlp", mlp(&block)),
            ("cnn", cnn(&block, i)),
            ("resnet", resnet(&block, i)),
        ];
        for (kind, config) in nets {
            let network = Network::new(config, [8, 8, 1], 10)?;
            cases.push(Case {
                name: format!("{kind}, {name}"),
                weights: random(&network)?,
                network,
                images: Rc::clone(&digits),
            });
        }
    }
    Ok(cases)
}

/// Images of the first data set with images of `size`, unless its files are missing.
fn of_size(size: [usize; 3]) -> Result<Option<Rc<Images>>, DataError> {
    let of_size = |name: &DataName| data::entry(*name).image_shape() == size;
    let Some(name) = DataName::BUILT_IN.into_iter().find(of_size) else {
        eprintln!("skipping the presets for {size:?}: there is no data set");
        return Ok(None);
    };
    match images(name) {
        Ok(images) => Ok(Some(Rc::new(images))),
        Err(DataError::Missing { .. }) => {
            eprintln!(
                "skipping the presets for {}: its files are missing",
                name.key()
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn images(name: DataName) -> Result<Images, DataError> {
    let config = DataConfig::whole(name);
    let prepared = data::prepare(&config, 0)?;
    let features = prepared.dataset.features();
    let pixels = prepared.dataset.train.pixels().expect("they are images");
    Ok(Images {
        pixels: pixels[..IMAGES * features].to_vec(),
        scaling: prepared.affine,
    })
}

/// Every norm with every scale and center, on either side of the activation, with and without a bias. The
/// activations take turns.
fn blocks() -> Vec<(String, BlockConfig)> {
    let mut norms = vec![("no norm".to_owned(), NormConfig::None)];
    for (scale, center) in [(false, false), (false, true), (true, false), (true, true)] {
        let parts = match (scale, center) {
            (false, false) => "",
            (false, true) => " center",
            (true, false) => " scale",
            (true, true) => " scale+center",
        };
        let batch = BatchNormConfig {
            scale,
            center,
            bias_correction: scale,
            ..BatchNormConfig::default()
        };
        let layer = LayerNormConfig {
            scale,
            center,
            ..LayerNormConfig::default()
        };
        let group = GroupNormConfig {
            groups: 4,
            scale,
            center,
            ..GroupNormConfig::default()
        };
        for (kind, norm) in [
            ("batch", NormConfig::Batch(batch)),
            ("layer", NormConfig::Layer(layer)),
            ("group", NormConfig::Group(group)),
            ("affine", NormConfig::Affine(AffineConfig { scale, center })),
        ] {
            norms.push((format!("{kind}{parts}"), norm));
        }
    }
    let mut activations = Activation::ALL.into_iter().cycle();
    let mut blocks = Vec::new();
    for (norm_name, norm) in norms {
        for (position_name, position) in [("before", Position::Before), ("after", Position::After)]
        {
            for (bias_name, bias) in [("bias", Bias::On), ("no bias", Bias::Off)] {
                let activation = activations.next().unwrap_or_default();
                let activation_name = activation.name();
                let block = BlockConfig {
                    activation,
                    norm: norm.clone(),
                    position,
                    bias,
                    ..BlockConfig::default()
                };
                let name = format!("{norm_name}, {position_name} {activation_name}, {bias_name}");
                blocks.push((name, block));
            }
        }
        // Another start, so that every norm meets other activations.
        activations.next();
    }
    blocks
}

fn mlp(block: &BlockConfig) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig {
        hidden: vec![32, 16],
        block: block.clone(),
        last_block: None,
    })
}

fn cnn(block: &BlockConfig, i: usize) -> ModelConfig {
    let [pool, other] = match i % 2 {
        0 => [Pool::Max, Pool::Stride],
        _ => [Pool::Average, Pool::None],
    };
    ModelConfig::Cnn(CnnConfig {
        channels: vec![8, 12],
        convs: 2,
        kernel: 2 + i % 3,
        padding: Padding::Same,
        first_padding: None,
        pool: if i.is_multiple_of(5) { other } else { pool },
        residual: i.is_multiple_of(3),
        dense: vec![16],
        block: block.clone(),
    })
}

fn resnet(block: &BlockConfig, i: usize) -> ModelConfig {
    ModelConfig::Resnet(ResnetConfig {
        units: 1 + i % 2,
        kernel: 2 + i % 3,
        block: block.clone(),
        ..ResnetConfig::new([8, 12])
    })
}

/// Start weights, with random scales, centers, biases and running averages.
fn random(network: &Network) -> Result<Weights, Box<dyn Error>> {
    let start = Start::new([0], &Device::flex());
    let model = (network.config()).init(network.input(), network.classes(), &start)?;
    let mut weights = network.export(&model, 0)?;
    for layer in network.layers().iter().flat_map(|layer| layer.flat()) {
        let (scale, center) = match layer.kind {
            LayerKind::Norm { scale, center, .. } => (scale, center),
            _ => (false, true),
        };
        for (part, learned) in [
            ("weight", scale),
            ("bias", center),
            ("running_mean", true),
            ("running_var", true),
        ] {
            let name = format!("{}.{part}", layer.name);
            let Some(tensor) = weights.0.get_mut(&name).filter(|_| learned) else {
                continue;
            };
            let draws = Stream::new(0, Purpose::Resample, &name);
            for (value, draw) in tensor.values.iter_mut().zip(draws.normals(0)) {
                let draw = draw as f32;
                *value = match part {
                    "running_var" => 0.5 + draw * draw,
                    "weight" => 1.0 + 0.3 * draw,
                    _ => 0.3 * draw,
                };
            }
        }
    }
    Ok(weights)
}
