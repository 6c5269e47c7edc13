//! From a configuration to its layers.

use super::layers::{Layer, LayerKind, NormKind};
use crate::block::{BlockConfig, Position};
use crate::cnn::{CnnConfig, Pool};
use crate::dropout::Placement;
use crate::error::ConfigError;
use crate::mlp::MlpConfig;
use crate::norm::NormConfig;
use crate::resnet::ResnetConfig;
use crate::zoo::ModelConfig;
use ablate_kernels::{Activation, Geometry, Padding};

/// The layers of `config` for images of size `input` (height, width, channels).
///
/// # Errors
/// If the configuration does not fit the images or is not of the zoo.
pub(super) fn layers(
    config: &ModelConfig,
    input: [usize; 3],
    classes: usize,
) -> Result<Vec<Layer>, ConfigError> {
    match config {
        ModelConfig::Mlp(config) => Ok(mlp(config, input, classes)),
        ModelConfig::Cnn(config) => cnn(config, input, classes),
        ModelConfig::Resnet(config) => Ok(resnet(config, input, classes)),
        ModelConfig::Custom(config) => Err(ConfigError::new(
            "kind",
            format!(
                "is `{}`, whose layers are not those of the zoo",
                config.kind()
            ),
        )),
    }
}

fn mlp(config: &MlpConfig, input: [usize; 3], classes: usize) -> Vec<Layer> {
    let mut list = List::new("", &input);
    list.flatten();
    list.dropout(&config.block, config.block.dropout.input_rate, false);
    for (i, &units) in config.hidden.iter().enumerate() {
        list.dense_block(config.block_of(i), units);
    }
    list.dense(classes, true);
    list.layers
}

fn cnn(config: &CnnConfig, input: [usize; 3], classes: usize) -> Result<Vec<Layer>, ConfigError> {
    // Errors for images that are too small.
    config.sizes(input)?;
    let mut list = List::new("", &input);
    list.dropout(&config.block, config.block.dropout.input_rate, false);
    for (s, &channels) in config.channels.iter().enumerate() {
        list.conv_block(&config.block, channels, config.geometry(s, 0));
        match config.residual {
            false => {
                for i in 1..config.convs {
                    list.conv_block(&config.block, channels, config.geometry(s, i));
                }
            }
            true => list.residual(|inner| {
                for i in 1..config.convs {
                    inner.conv_block(&config.block, channels, config.geometry(s, i));
                }
            }),
        }
        match config.pool {
            Pool::Max => list.pool(LayerKind::MaxPool),
            Pool::Average => list.pool(LayerKind::AveragePool),
            Pool::Stride | Pool::None => {}
        }
    }
    list.flatten();
    for &units in &config.dense {
        list.dense_block(&config.block, units);
    }
    list.dense(classes, true);
    Ok(list.layers)
}

fn resnet(config: &ResnetConfig, input: [usize; 3], classes: usize) -> Vec<Layer> {
    let (block, plain) = (&config.block, config.plain_block());
    let mut list = List::new("", &input);
    list.dropout(block, block.dropout.input_rate, false);
    list.conv_block(&plain, config.channels[0], config.geometry(1));
    for (i, unit) in config.unit_sizes([input[0], input[1]]).iter().enumerate() {
        let convolutions = |inner: &mut List| {
            inner.conv_block(block, unit.outputs, config.geometry(unit.stride));
            inner.conv(unit.outputs, config.geometry(1), plain.has_bias(0.0));
        };
        let ready = |list: &mut List| {
            if i > 0 {
                list.epilogue(&plain, 0.0, false);
            }
        };
        if unit.projects() {
            ready(&mut list);
            list.projected(convolutions, unit.outputs, unit.projection());
        } else {
            list.residual(|inner| {
                ready(inner);
                convolutions(inner);
            });
        }
    }
    list.epilogue(&plain, 0.0, false);
    list.mean();
    list.flatten();
    list.dense(classes, true);
    list.layers
}

/// A list of layers that grows from the input.
struct List {
    /// Name of the list, with a dot; empty for the outermost.
    prefix: String,
    layers: Vec<Layer>,
    /// Shape of the output so far.
    shape: Vec<usize>,
    /// Shape of the images that were flattened into the output so far.
    flattened: Option<[usize; 3]>,
}

impl List {
    fn new(prefix: &str, shape: &[usize]) -> Self {
        Self {
            prefix: prefix.to_owned(),
            layers: Vec::new(),
            shape: shape.to_vec(),
            flattened: None,
        }
    }

    /// Adds a layer with an output of the present shape.
    fn push(&mut self, kind: LayerKind) {
        self.layers.push(Layer {
            name: format!("{}{}", self.prefix, self.layers.len()),
            kind,
            output: self.shape.clone(),
        });
    }

    fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    fn flatten(&mut self) {
        if let [h, w, c] = self.shape[..] {
            self.flattened = Some([h, w, c]);
        }
        self.shape = vec![self.shape.iter().product()];
        self.push(LayerKind::Flatten);
    }

    fn dense(&mut self, outputs: usize, bias: bool) {
        let inputs = self.channels();
        let flattened = self.flattened.take();
        self.shape = vec![outputs];
        self.push(LayerKind::Dense {
            inputs,
            outputs,
            bias,
            flattened,
        });
    }

    fn dense_block(&mut self, block: &BlockConfig, units: usize) {
        let rate = block.dropout.rate;
        self.dense(units, block.has_bias(rate));
        self.epilogue(block, rate, false);
    }

    fn conv_block(&mut self, block: &BlockConfig, outputs: usize, geometry: Geometry) {
        let rate = block.dropout.conv_rate;
        self.conv(outputs, geometry, block.has_bias(rate));
        self.epilogue(block, rate, block.dropout.spatial);
    }

    fn conv(&mut self, outputs: usize, geometry: Geometry, bias: bool) {
        let inputs = self.channels();
        let (before, after) = geometry.around();
        let size = [self.shape[0], self.shape[1]];
        let mut own = geometry;
        if before != after {
            self.shape[..2].copy_from_slice(&size.map(|n| n + before + after));
            self.push(LayerKind::Pad { before, after });
            own.padding = Padding::Valid;
        }
        let [h, w] = size.map(|n| geometry.output(n));
        self.shape = vec![h, w, outputs];
        self.push(LayerKind::Convolution {
            inputs,
            outputs,
            geometry: own,
            bias,
        });
    }

    fn epilogue(&mut self, block: &BlockConfig, rate: f64, spatial: bool) {
        let early = block.dropout.placement == Placement::BeforeNorm;
        let norm = |list: &mut Self| {
            if early {
                list.dropout(block, rate, spatial);
            }
            list.norm(&block.norm);
        };
        if block.position == Position::Before {
            norm(self);
        }
        if block.activation != Activation::Linear {
            self.push(LayerKind::Activation(block.activation));
        }
        if block.position == Position::After {
            norm(self);
        }
        if !early {
            self.dropout(block, rate, spatial);
        }
    }

    fn norm(&mut self, config: &NormConfig) {
        let norm = match config {
            NormConfig::None => return,
            NormConfig::Batch(c) => NormKind::Batch {
                epsilon: c.epsilon,
                momentum: c.momentum,
            },
            NormConfig::Layer(c) => NormKind::Group {
                groups: 1,
                epsilon: c.epsilon,
            },
            NormConfig::Group(c) => NormKind::Group {
                groups: c.groups,
                epsilon: c.epsilon,
            },
            NormConfig::Affine(_) => NormKind::Affine,
        };
        let (scale, center) = (config.has_scale(), config.has_center());
        let on_images = self.shape.len() == 3;
        let channels = self.channels();
        // Without scale and center it is the identity.
        if norm == NormKind::Affine && !scale && !center {
            return;
        }
        let alone = norm == NormKind::Affine && !on_images;
        if alone {
            self.shape.push(1);
            self.push(LayerKind::Unflatten);
        }
        self.push(LayerKind::Norm {
            norm,
            channels,
            scale,
            center,
            on_images,
        });
        if alone {
            self.shape.pop();
            self.push(LayerKind::Flatten);
        }
    }

    /// Dropout that PyTorch has: Gaussian noise is left out.
    fn dropout(&mut self, block: &BlockConfig, rate: f64, spatial: bool) {
        if rate > 0.0 && block.dropout.kind.is_bernoulli() {
            self.push(LayerKind::Dropout { rate, spatial });
        }
    }

    fn pool(&mut self, kind: LayerKind) {
        for size in &mut self.shape[..2] {
            *size /= 2;
        }
        self.push(kind);
    }

    fn residual(&mut self, fill: impl FnOnce(&mut Self)) {
        let prefix = format!("{}{}.", self.prefix, self.layers.len());
        let mut inner = Self::new(&prefix, &self.shape);
        fill(&mut inner);
        self.push(LayerKind::Residual(inner.layers));
    }

    /// The layers that `fill` adds, and a convolution of the same input that is added to their output.
    fn projected(&mut self, fill: impl FnOnce(&mut Self), outputs: usize, geometry: Geometry) {
        let prefix = format!("{}{}.", self.prefix, self.layers.len());
        let mut inner = Self::new(&format!("{prefix}0."), &self.shape);
        fill(&mut inner);
        let mut projection = Self::new(&prefix, &self.shape);
        projection.conv(outputs, geometry, false);
        self.shape = inner.shape;
        let mut layers = inner.layers;
        layers.extend(projection.layers.into_iter().map(|layer| Layer {
            name: format!("{prefix}1"),
            ..layer
        }));
        self.push(LayerKind::Projected(layers));
    }

    /// The mean over all positions of an image.
    fn mean(&mut self) {
        self.shape[..2].fill(1);
        self.push(LayerKind::Mean);
    }
}
