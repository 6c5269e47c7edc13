//! The training steps that are timed.

use ablate::compare::measure::timing::concurrent::spread;
use ablate::data::{self, DataError, Dataset, Examples, PixelScaling};
use ablate::recipe::{DataConfig, DataName, Scale};
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
/// Examples of a data set made for a size that no data set has.
const MADE: usize = 4096;

/// A training step of every replica of a net: batch norm, dropout of 0.3 in dense blocks, mean
/// cross-entropy, Adam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Work {
    /// The net.
    pub(crate) net: Net,
    /// Height and width of the images, which have one channel.
    pub(crate) side: usize,
    /// Examples a step and replica.
    pub(crate) batch: usize,
    /// Nets that train side by side, each on batches of its own.
    pub(crate) replicas: usize,
    /// The activation.
    pub(crate) activation: Activation,
    /// Where the norm stands.
    pub(crate) position: Position,
    /// What pixels become.
    pub(crate) scale: Scale,
}

/// A kind of net with its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Net {
    /// Dense layers of the given widths.
    Mlp { hidden: Vec<usize> },
    /// 3x3 convolutions of the given channels, each with 2x2 max pooling, then dense layers.
    Cnn {
        channels: Vec<usize>,
        dense: Vec<usize>,
    },
}

/// What a peer has to know of a work.
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
    /// Examples in memory that batches are gathered from.
    examples: usize,
    /// A file of them: `[examples, side * side]` inputs as little-endian `f32`, then a byte each for
    /// the labels.
    file: &'a Path,
}

impl Work {
    pub(crate) fn mlp(side: usize, hidden: &[usize], batch: usize, replicas: usize) -> Self {
        let hidden = hidden.to_vec();
        Self::of(Net::Mlp { hidden }, side, batch, replicas)
    }

    /// The convolutional net with 32 and 64 channels and a dense layer of 128.
    pub(crate) fn cnn(side: usize, batch: usize, replicas: usize) -> Self {
        let (channels, dense) = (vec![32, 64], vec![128]);
        Self::of(Net::Cnn { channels, dense }, side, batch, replicas)
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

    /// The same with pixels standardized one by one, which leaves images no background.
    fn without_background(self) -> Self {
        let scale = Scale::StandardizeFeatures;
        Self { scale, ..self }
    }

    /// The same with another activation and another place of the norm.
    pub(crate) fn with(&self, activation: Activation, position: Position) -> Self {
        Self {
            activation,
            position,
            ..self.clone()
        }
    }

    /// A short name without spaces, the same for the same work.
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
            Scale::Standardize | Scale::Unit => "",
        };
        format!(
            "{net}-batch{}-replicas{}{inputs}",
            self.batch, self.replicas
        )
    }

    /// The work in words.
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
            Scale::Standardize | Scale::Unit => "",
        };
        let tail = match (self.activation, self.position) {
            (Activation::Relu, Position::Before) => String::new(),
            (activation, position) => {
                format!(", {}, norm {}", activation.name(), place_of(position))
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
                pool: Pool::Max,
                residual: false,
                dense,
                block,
            }),
        }
    }

    /// Trained numbers and forward multiply-adds an example, of one replica.
    pub(crate) fn cost(&self) -> ablate_models::zoo::Cost {
        let image = [self.side, self.side, 1];
        (self.model().cost(image, CLASSES)).expect("the images are large enough for the net")
    }

    /// Trained numbers of all replicas.
    pub(crate) fn parameters(&self) -> usize {
        self.replicas * self.cost().parameters
    }

    /// Multiply-adds of all replicas' linear maps and convolutions in a step: forward, and twice as
    /// many backward.
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

    /// Real images of the work's size: the embedded digits, MNIST, or MNIST tiled or cut.
    pub(crate) fn dataset(&self) -> Result<Arc<Dataset>, DataError> {
        let found = data::load(self.data().name)?;
        if found.height == self.side && found.width == self.side {
            return Ok(found);
        }
        let mut pixels = Vec::with_capacity(MADE * self.side * self.side);
        for example in 0..MADE {
            let image = found.train.image(example, found.features());
            for y in 0..self.side {
                let row = &image[y % found.height * found.width..][..found.width];
                pixels.extend((0..self.side).map(|x| row[x % found.width]));
            }
        }
        let labels = found.train.labels[..MADE].to_vec();
        Ok(Arc::new(Dataset {
            name: DataName::Mnist,
            height: self.side,
            width: self.side,
            train: Examples { pixels, labels },
            test: None,
            ..*found
        }))
    }

    /// The examples of `dataset` as the nets see them, in a file for the peers ([`Task::file`]).
    pub(crate) fn examples(&self, dataset: &Dataset) -> io::Result<NamedTempFile> {
        let all: Vec<u32> = (0u32..).take(dataset.train.len()).collect();
        let affine = PixelScaling::new(self.scale, dataset, &all);
        let mut file = NamedTempFile::new()?;
        for pixels in dataset.train.pixels.chunks(dataset.features()) {
            let inputs = affine.apply(pixels);
            let bytes: Vec<u8> = inputs.iter().flat_map(|x| x.to_le_bytes()).collect();
            file.write_all(&bytes)?;
        }
        file.write_all(&dataset.train.labels)?;
        Ok(file)
    }

    /// What a peer has to do to do the same, with the [`Work::examples`] in `file`.
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

    /// The work as the planner cuts it for `workers` workers.
    pub(crate) fn jobs(&self, device: &str, workers: usize) -> Vec<Job> {
        let train = serde_json::json!({ "length": { "epochs": 1 }, "batch_size": self.batch });
        let cell = |seed: usize| JobCell {
            id: String::new(),
            seed: seed as u64,
            learning_rate: LEARNING_RATE,
        };
        let job = Job {
            arm: self.name(),
            device: device.to_owned(),
            data: self.data(),
            model: self.model(),
            train: serde_json::from_value(train).expect("a training"),
            probes: Vec::new(),
            cells: (0..self.replicas).map(cell).collect(),
            until: None,
        };
        spread(&job, self.cost(), workers)
    }
}

/// A place of the norm in a word.
pub(crate) const fn place_of(position: Position) -> &'static str {
    match position {
        Position::Before => "before",
        Position::After => "after",
    }
}

/// A work that is compared with the peers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    /// The work.
    pub(crate) work: Work,
    /// The ratio of times that we want to reach.
    pub(crate) goal: Option<f64>,
}

/// Everything that is compared with the peers.
pub(crate) fn compared() -> Vec<Compared> {
    let row = |work, goal| Compared { work, goal };
    vec![
        row(Work::mlp(8, &[128, 128], 32, 10), Some(3.0)),
        row(Work::mlp(28, &[256, 256], 128, 10), Some(1.7)),
        row(Work::mlp(28, &[512, 512], 128, 1), Some(2.0)),
        row(
            Work::mlp(28, &[512, 512], 128, 1).without_background(),
            None,
        ),
        row(Work::mlp(28, &[128, 128], 64, 1), None),
        row(Work::cnn(28, 128, 1), Some(2.5)),
        row(Work::cnn(28, 32, 4), Some(2.5)),
    ]
}

/// The works whose activation and norm are varied.
pub(crate) fn varied() -> [Work; 2] {
    [Work::mlp(8, &[128, 128], 32, 10), Work::cnn(28, 128, 1)]
}

/// The activations and places of the norm to vary over; the first is what the others are held
/// against.
pub(crate) fn variations() -> Vec<(Activation, Position)> {
    let activations = [
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Gelu,
        Activation::Silu,
    ];
    let places = [Position::Before, Position::After];
    let pairs = |position| activations.map(|activation| (activation, position));
    places.into_iter().flat_map(pairs).collect()
}
