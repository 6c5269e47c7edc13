//! The training steps that are timed.

use ablate::compare::measure::timing::concurrent::split_jobs;
use ablate::data::{self, DataError, Dataset, Examples, PixelScaling};
use ablate::recipe::{DataConfig, DataName, Scale};
use ablate::recipe::{NetRecipe, Recipe};
use ablate::trainer::{Job, JobCell};
use ablate_models::Activation;
use ablate_models::block::{BlockConfig, Position};
use ablate_models::cnn::{CnnConfig, Pool};
use ablate_models::dropout::DropoutConfig;
use ablate_models::mlp::MlpConfig;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Classes of every data set here.
const CLASSES: usize = 10;
/// Share of dropped units in dense blocks.
const DROPOUT: f64 = 0.3;
/// Adam's learning rate.
const LEARNING_RATE: f64 = 1e-3;
/// Examples of a data set that is resized from MNIST.
const RESIZED: usize = 4096;

/// A training step of every replica of a net, with batch norm, dropout of 0.3 in dense blocks, mean
/// cross-entropy and Adam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workload {
    /// The net.
    pub(crate) net: Net,
    /// Height and width of the images, which have one channel.
    pub(crate) side: usize,
    /// Examples per step and replica.
    pub(crate) batch: usize,
    /// Nets that train at the same time, each on its own batches.
    pub(crate) replicas: usize,
    /// The activation.
    pub(crate) activation: Activation,
    /// Position of the norm.
    pub(crate) position: Position,
    /// Scaling of the pixels.
    pub(crate) scale: Scale,
}

/// A kind of net with its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Net {
    /// Dense layers of the given widths.
    Mlp { hidden: Vec<usize> },
    /// 3x3 convolutions with the given channels, each followed by 2x2 max pooling, then dense layers.
    Cnn {
        channels: Vec<usize>,
        dense: Vec<usize>,
    },
}

/// The description of a workload for a peer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Task<'a> {
    net: &'a Net,
    side: usize,
    batch: usize,
    replicas: usize,
    classes: usize,
    activation: Activation,
    position: Position,
    dropout: f64,
    learning_rate: f64,
    /// Number of examples in memory.
    examples: usize,
    /// File of the examples: `[examples, side * side]` inputs as little-endian `f32`, then one byte per
    /// label.
    file: &'a Path,
}

impl Task<'_> {
    /// Fewest steps per measurement: `shared` if several replicas take turns, else one.
    pub(crate) fn min_steps(&self, shared: usize) -> usize {
        if self.replicas > 1 { shared } else { 1 }
    }
}

impl Workload {
    pub(crate) fn mlp(side: usize, hidden: &[usize], batch: usize, replicas: usize) -> Self {
        let hidden = hidden.to_vec();
        Self::of(Net::Mlp { hidden }, side, batch, replicas)
    }

    /// The convolutional net with 32 and 64 channels and a dense layer of 128.
    pub(crate) fn cnn(side: usize, batch: usize, replicas: usize) -> Self {
        let (channels, dense) = (vec![32, 64], vec![128]);
        Self::of(Net::Cnn { channels, dense }, side, batch, replicas)
    }

    /// A convolutional net with 32, 64 and 128 channels and a dense layer of 256.
    fn large_cnn(side: usize, batch: usize) -> Self {
        let (channels, dense) = (vec![32, 64, 128], vec![256]);
        Self::of(Net::Cnn { channels, dense }, side, batch, 1)
    }

    fn of(net: Net, side: usize, batch: usize, replicas: usize) -> Self {
        Self {
            net,
            side,
            batch,
            replicas,
            activation: Activation::Relu,
            position: Position::Before,
            scale: Scale::default(),
        }
    }

    /// The workload with each pixel standardized separately, so that images have no constant background.
    fn without_background(self) -> Self {
        let scale = Scale::StandardizeFeatures;
        Self { scale, ..self }
    }

    /// The workload with another activation and another norm position.
    pub(crate) fn with(&self, activation: Activation, position: Position) -> Self {
        Self {
            activation,
            position,
            ..self.clone()
        }
    }

    /// A unique name without spaces.
    pub(crate) fn name(&self) -> String {
        let join = |sizes: &[usize]| {
            let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
            sizes.join("x")
        };
        let net = match &self.net {
            Net::Mlp { hidden } => format!("mlp-{}x{}", self.side * self.side, join(hidden)),
            Net::Cnn { channels, dense } => {
                let image = format!("{0}x{0}", self.side);
                format!("cnn-{image}-{}-{}", join(channels), join(dense))
            }
        };
        let inputs = match self.scale {
            Scale::StandardizeFeatures => "-without-background",
            Scale::Standardize | Scale::StandardizeChannels | Scale::Unit => "",
        };
        format!(
            "{net}-batch{}-replicas{}{inputs}",
            self.batch, self.replicas
        )
    }

    /// A description for tables.
    pub(crate) fn title(&self) -> String {
        let join = |sizes: &[usize]| {
            let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
            sizes.join("-")
        };
        let net = match &self.net {
            Net::Mlp { hidden } => {
                format!("MLP {}-{}-{CLASSES}", self.side * self.side, join(hidden))
            }
            Net::Cnn { channels, dense } => format!(
                "CNN {} on {side}x{side}, dense {}",
                join(channels),
                join(dense),
                side = self.side
            ),
        };
        let replicas = match self.replicas {
            1 => "one replica".to_owned(),
            n => format!("{n} replicas"),
        };
        let inputs = match self.scale {
            Scale::StandardizeFeatures => ", images without a background",
            Scale::Standardize | Scale::StandardizeChannels | Scale::Unit => "",
        };
        let tail = match (self.activation, self.position) {
            (Activation::Relu, Position::Before) => String::new(),
            (activation, position) => {
                format!(", {}, norm {}", activation.name(), position_word(position))
            }
        };
        format!("{net}, batch {}, {replicas}{inputs}{tail}", self.batch)
    }

    /// The model of each replica.
    pub(crate) fn model(&self) -> ModelConfig {
        let block = BlockConfig {
            norm: NormConfig::Batch(BatchNormConfig::default()),
            activation: self.activation,
            position: self.position,
            dropout: DropoutConfig {
                rate: DROPOUT,
                ..DropoutConfig::default()
            },
            ..BlockConfig::default()
        };
        match self.net.clone() {
            Net::Mlp { hidden } => ModelConfig::Mlp(MlpConfig {
                hidden,
                block,
                last_block: None,
            }),
            Net::Cnn { channels, dense } => ModelConfig::Cnn(CnnConfig {
                channels,
                convs: 1,
                kernel: 3,
                padding: ablate_kernels::Padding::Same,
                first_padding: None,
                pool: Pool::Max,
                residual: false,
                dense,
                block,
            }),
        }
    }

    /// Trained parameters and forward multiply-adds per example, of one replica.
    pub(crate) fn cost(&self) -> ablate_models::zoo::Cost {
        let image = [self.side, self.side, 1];
        (self.model().cost(image, CLASSES)).expect("the images are large enough for the net")
    }

    /// Trained parameters of all replicas.
    pub(crate) fn parameters(&self) -> usize {
        self.replicas * self.cost().parameters
    }

    /// Multiply-adds of the linear maps and convolutions of all replicas in a step: once forward, twice
    /// backward.
    pub(crate) fn multiply_adds(&self) -> f64 {
        3.0 * (self.cost().multiply_adds * self.batch * self.replicas) as f64
    }

    fn data(&self) -> DataConfig {
        let name = match self.side {
            8 => "digits",
            _ => "mnist",
        };
        let data = serde_json::json!({ "name": name, "scale": self.scale });
        serde_json::from_value(data).expect("a data set")
    }

    /// Images of the workload's size: the embedded digits, MNIST, or MNIST tiled or cropped.
    pub(crate) fn dataset(&self) -> Result<Arc<Dataset>, DataError> {
        let found = data::load(&self.data())?;
        if found.height == self.side && found.width == self.side {
            return Ok(found);
        }
        let mut pixels = Vec::with_capacity(RESIZED * self.side * self.side);
        for example in 0..RESIZED {
            let image = found.train.image(example, found.features());
            for y in 0..self.side {
                let row = &image[y % found.height * found.width..][..found.width];
                pixels.extend((0..self.side).map(|x| row[x % found.width]));
            }
        }
        let labels = found.train.labels[..RESIZED].to_vec();
        Ok(Arc::new(Dataset {
            name: DataName::Mnist,
            height: self.side,
            width: self.side,
            train: Examples::images(pixels, labels),
            test: None,
            ..*found
        }))
    }

    /// The scaled examples of `dataset` in a file for the peers ([`Task::file`]).
    pub(crate) fn examples(&self, dataset: &Dataset) -> io::Result<NamedTempFile> {
        let all: Vec<u32> = (0u32..).take(dataset.train.len()).collect();
        let affine = PixelScaling::new(self.scale, dataset, &all);
        let mut file = NamedTempFile::new()?;
        for example in 0..dataset.train.len() {
            let inputs = affine.apply(dataset.train.row(example, dataset.features()));
            let bytes: Vec<u8> = inputs.iter().flat_map(|x| x.to_le_bytes()).collect();
            file.write_all(&bytes)?;
        }
        file.write_all(&dataset.train.labels)?;
        Ok(file)
    }

    /// The description for a peer, with the [`Workload::examples`] in `file`.
    pub(crate) fn task<'a>(&'a self, dataset: &Dataset, file: &'a Path) -> Task<'a> {
        Task {
            net: &self.net,
            side: self.side,
            batch: self.batch,
            replicas: self.replicas,
            classes: CLASSES,
            activation: self.activation,
            position: self.position,
            dropout: DROPOUT,
            learning_rate: LEARNING_RATE,
            examples: dataset.train.len(),
            file,
        }
    }

    /// The jobs of the workload for `workers` workers, split as the planner splits them.
    pub(crate) fn jobs(&self, device: &str, workers: usize) -> Vec<Job> {
        let train = serde_json::json!({ "length": { "epochs": 1 }, "batch_size": self.batch });
        let cell = |seed: usize| JobCell {
            id: String::new(),
            seed: seed as u64,
            learning_rate: Some(LEARNING_RATE),
        };
        let job = Job {
            arm: self.name(),
            device: device.to_owned(),
            recipe: Recipe::Net(NetRecipe {
                data: self.data(),
                model: self.model(),
                train: serde_json::from_value(train).expect("a training"),
                probes: Vec::new(),
            }),
            cells: (0..self.replicas).map(cell).collect(),
            until: None,
        };
        split_jobs(&job, self.cost(), workers)
    }
}

/// The norm position in a word.
pub(crate) const fn position_word(position: Position) -> &'static str {
    match position {
        Position::Before => "before",
        Position::After => "after",
    }
}

/// A workload that is compared with the peers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ComparedWorkload {
    /// The workload.
    pub(crate) workload: Workload,
    /// The ratio of times to reach.
    pub(crate) goal: Option<f64>,
}

/// The workloads that are compared with the peers.
pub(crate) fn compared() -> Vec<ComparedWorkload> {
    let row = |workload, goal| ComparedWorkload { workload, goal };
    vec![
        row(Workload::mlp(8, &[128, 128], 32, 10), Some(3.0)),
        row(Workload::mlp(28, &[64, 64], 32, 20), Some(2.0)),
        row(Workload::mlp(28, &[256, 256], 128, 10), Some(1.7)),
        row(Workload::mlp(28, &[512, 512], 128, 1), Some(2.0)),
        row(Workload::mlp(28, &[1024; 3], 128, 1), Some(1.5)),
        row(Workload::mlp(28, &[128, 128], 64, 1), Some(1.5)),
        row(
            Workload::mlp(28, &[512, 512], 128, 1).without_background(),
            Some(1.2),
        ),
        row(
            Workload::mlp(28, &[512, 512], 128, 5).without_background(),
            Some(1.2),
        ),
        row(
            Workload::mlp(28, &[1024; 3], 128, 1).without_background(),
            Some(1.2),
        ),
        row(Workload::cnn(28, 128, 1), Some(2.5)),
        row(Workload::cnn(28, 32, 4), Some(2.5)),
        row(Workload::large_cnn(32, 128), Some(2.0)),
    ]
}

/// The workloads whose activation and norm position are varied.
pub(crate) fn varied() -> [Workload; 2] {
    [
        Workload::mlp(8, &[128, 128], 32, 10),
        Workload::cnn(28, 128, 1),
    ]
}

/// Activations and norm positions; the first is the reference for the others.
pub(crate) fn variations() -> Vec<(Activation, Position)> {
    let activations = [
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Gelu,
        Activation::Silu,
    ];
    let positions = [Position::Before, Position::After];
    let pairs = |position| activations.map(|activation| (activation, position));
    positions.into_iter().flat_map(pairs).collect()
}
