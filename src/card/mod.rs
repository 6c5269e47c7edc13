//! Cards of trained nets. A card is a TOML file beside the weights with the model, the data, the recipe, the
//! test accuracy and the hash of the weights.

mod cells;
mod checkpoint;
mod error;
mod files;
pub mod images;
pub mod pixels;

pub use cells::{cell_name, keep_in};
pub use checkpoint::CheckpointFolder;
pub use error::CardError;
pub use files::{EXTENSION, Trained, WEIGHTS_EXTENSION};

use crate::data::PixelScaling;
use crate::recipe::{DataConfig, TrainConfig};
use ablate_models::interchange::Network;
use ablate_models::zoo::ModelConfig;
use serde::{Deserialize, Serialize};

/// A card. A file must have all of its fields and no others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Name of the net, which is that of its files.
    pub name: String,
    /// The file of the weights.
    pub weights: WeightsFile,
    /// The images that it classifies.
    pub images: Images,
    /// From pixels to inputs: `input = pixel * scale + shift`.
    pub preprocessing: Preprocessing,
    /// How accurate it is on the test images.
    pub test: Test,
    /// The training that gave the weights.
    pub training: Training,
    /// Licences.
    pub licence: Licence,
    /// The program that wrote the card.
    pub program: Program,
    /// The data set, with its splits.
    pub data: DataConfig,
    /// The model.
    pub model: ModelConfig,
    /// The recipe of the training.
    pub train: TrainConfig,
}

/// The file of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsFile {
    /// Its name, in the folder of the card.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Number of trained parameters of the net.
    pub parameters: usize,
}

/// Size of images, and number of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// Largest value of a pixel; 1 for numbers.
    pub max_pixel: u8,
    /// Number of classes.
    pub classes: usize,
    /// Whether the values are numbers of a table, not pixels.
    #[serde(default, skip_serializing_if = "is_false")]
    pub numbers: bool,
}

const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Scale and shift of pixels: one of each, or one per value of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Factors.
    pub scale: Vec<f32>,
    /// Shifts.
    pub shift: Vec<f32>,
}

/// Scores on the test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// SHA-256 of the decoded data set.
    pub content: String,
    /// Number of test images.
    pub images: usize,
    /// Accuracy of these weights in percent.
    pub accuracy: f64,
    /// Mean negative log-likelihood of these weights in nats.
    pub nll: f64,
    /// Accuracy in percent of each seed that was trained by this recipe, these weights' seed first.
    pub seeds: Vec<f64>,
    /// Mean of `seeds`.
    pub mean: f64,
    /// Standard deviation of `seeds`; 0 for a single one.
    pub sd: f64,
}

/// The training that gave the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Seed of start weights, splits, orders and masks.
    pub seed: u64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Epoch or step whose weights these are, in the unit of the recipe's length; 0 for weights that were
    /// imported.
    pub kept: usize,
    /// Evaluations without a lower validation NLL after which training stops; 0 for no early stopping.
    pub patience: usize,
    /// Device.
    pub device: String,
}

/// Licences of the code and of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Of the code, and of the weights so far as the data allow.
    pub code: String,
    /// Source and licence of the data.
    pub data: String,
}

/// The program that wrote a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// Fingerprint of its code on the device.
    pub fingerprint: String,
    /// Commit of its work tree, with `-dirty` if files differ from it; `unknown` outside of one.
    pub commit: String,
}

impl Card {
    /// Reads a card.
    ///
    /// # Errors
    /// If a field is missing, unknown, repeated in another form, or contradicts another.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let card: Self =
            toml::from_str(text).map_err(|error| CardError::Toml(error.to_string()))?;
        card.check()?;
        // Recipes have defaults. A card says them all, so that it stays the same if a default changes.
        let given: toml::Value =
            toml::from_str(text).map_err(|error| CardError::Toml(error.to_string()))?;
        let whole: toml::Value =
            toml::from_str(&card.text()?).map_err(|error| CardError::Toml(error.to_string()))?;
        match difference("", &given, &whole) {
            None => Ok(card),
            Some(key) => Err(CardError::Incomplete(key)),
        }
    }

    /// The card as TOML.
    ///
    /// # Errors
    /// If a value has no form in TOML, such as a seed above 2^63.
    pub fn text(&self) -> Result<String, CardError> {
        toml::to_string(self).map_err(|error| CardError::Toml(error.to_string()))
    }

    /// The network that it describes.
    ///
    /// # Errors
    /// If the model is invalid.
    pub fn network(&self) -> Result<Network, CardError> {
        let Images {
            height,
            width,
            channels,
            classes,
            ..
        } = self.images;
        let network = Network::new(self.model.clone(), [height, width, channels], classes);
        network.map_err(|error| CardError::Model(error.to_string()))
    }

    /// The scaling of pixels.
    pub fn scaling(&self) -> PixelScaling {
        PixelScaling {
            scale: self.preprocessing.scale.clone(),
            shift: self.preprocessing.shift.clone(),
        }
    }

    fn check(&self) -> Result<(), CardError> {
        let Images {
            height,
            width,
            channels,
            classes,
            ..
        } = self.images;
        let wrong = |key: &'static str, message: &str| {
            let message = message.to_owned();
            Err(CardError::Value { key, message })
        };
        let values = [height, width, channels, classes];
        if values.iter().any(|&n| n == 0 || n > LARGEST) {
            return wrong("images", "has a size of 0 or above 65,536");
        }
        let pixels = height.saturating_mul(width).saturating_mul(channels);
        let lengths = [&self.preprocessing.scale, &self.preprocessing.shift].map(Vec::len);
        if lengths != [1, 1] && lengths != [pixels, pixels] {
            return wrong(
                "preprocessing",
                "must have one pair of values, or one per value of an image",
            );
        }
        let file = &self.weights.file;
        if file.contains(['/', '\\']) || file.is_empty() {
            return wrong(
                "weights.file",
                "must be the name of a file in the folder of the card",
            );
        }
        if self.test.seeds.first() != Some(&self.test.accuracy) {
            return wrong("test.seeds", "must begin with `test.accuracy`");
        }
        let (mean, sd) = mean_sd(&self.test.seeds);
        if (self.test.mean, self.test.sd) != (mean, sd) {
            return wrong("test.mean", "and `test.sd` are not those of `test.seeds`");
        }
        Ok(())
    }
}

/// Largest height, width, number of channels and number of classes.
const LARGEST: usize = 1 << 16;

/// Mean and standard deviation; the latter is 0 for a single value.
pub fn mean_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = match values.len() {
        0 | 1 => 0.0,
        _ => (squares / (n - 1.0)).sqrt(),
    };
    (mean, sd)
}

/// Dotted key at which `given` and `whole` differ.
fn difference(key: &str, given: &toml::Value, whole: &toml::Value) -> Option<String> {
    let (toml::Value::Table(a), toml::Value::Table(b)) = (given, whole) else {
        return (given != whole).then(|| key.to_owned());
    };
    let keys = a.keys().chain(b.keys());
    let mut differences = keys.filter_map(|name| {
        let path = match key {
            "" => name.clone(),
            _ => format!("{key}.{name}"),
        };
        match (a.get(name), b.get(name)) {
            (Some(a), Some(b)) => difference(&path, a, b),
            _ => Some(path),
        }
    });
    differences.next()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A card of a small net on the digits.
    pub(crate) fn card() -> Card {
        let (mean, sd) = mean_sd(&[97.5, 98.0]);
        Card {
            name: "small".to_owned(),
            weights: WeightsFile {
                file: "small.safetensors".to_owned(),
                sha256: "0".repeat(64),
                bytes: 10,
                parameters: 650,
            },
            images: Images {
                height: 8,
                width: 8,
                channels: 1,
                max_pixel: 16,
                classes: 10,
                numbers: false,
            },
            preprocessing: Preprocessing {
                scale: vec![0.166_249],
                shift: vec![-0.812_3],
            },
            test: Test {
                content: "1".repeat(64),
                images: 359,
                accuracy: 97.5,
                nll: 0.1,
                seeds: vec![97.5, 98.0],
                mean,
                sd,
            },
            training: Training {
                seed: 0,
                learning_rate: 0.003,
                kept: 12,
                patience: 0,
                device: "flex".to_owned(),
            },
            licence: Licence {
                code: "MIT".to_owned(),
                data: "CC BY 4.0".to_owned(),
            },
            program: Program {
                version: "0.1.0".to_owned(),
                fingerprint: "2".repeat(64),
                commit: "unknown".to_owned(),
            },
            data: serde_json::from_str(r#"{"name": "digits"}"#).unwrap(),
            model: serde_json::from_str(r#"{"kind": "mlp", "hidden": []}"#).unwrap(),
            train: serde_json::from_str(r#"{"length": {"epochs": 20}, "batch_size": 64}"#).unwrap(),
        }
    }

    #[test]
    fn cards_return_unchanged() {
        let text = card().text().unwrap();
        assert_eq!(Card::parse(&text).unwrap(), card());
    }

    /// The lines of the card that have a value, by index.
    fn lines(text: &str) -> Vec<usize> {
        let all = text.lines().enumerate();
        all.filter(|(_, line)| line.contains(" = "))
            .map(|(i, _)| i)
            .collect()
    }

    #[test]
    fn every_missing_field_is_refused() {
        let text = card().text().unwrap();
        for missing in lines(&text) {
            let rest = text.lines().enumerate().filter(|(i, _)| *i != missing);
            let rest: Vec<&str> = rest.map(|(_, line)| line).collect();
            let line = text.lines().nth(missing).unwrap();
            assert!(Card::parse(&rest.join("\n")).is_err(), "without `{line}`");
        }
    }

    #[test]
    fn every_unknown_field_is_refused() {
        let text = card().text().unwrap();
        for at in lines(&text) {
            let mut changed: Vec<&str> = text.lines().collect();
            changed.insert(at, "extra = 1");
            let changed = changed.join("\n");
            assert!(Card::parse(&changed).is_err(), "{changed}");
        }
    }

    #[test]
    fn a_missing_default_is_named() {
        let text = card().text().unwrap();
        let without = text.replace("label_noise = 0.0\n", "");
        assert_ne!(without, text);
        let error = Card::parse(&without).unwrap_err().to_string();
        assert!(error.contains("`data.label_noise`"), "{error}");
    }

    #[test]
    fn contradictions_are_refused() {
        type Change = fn(&mut Card);
        let cases: [(&str, Change); 5] = [
            ("weights.file", |card| card.weights.file = "../x".to_owned()),
            ("preprocessing", |card| card.preprocessing.shift.push(0.0)),
            ("test.seeds", |card| card.test.accuracy = 98.0),
            ("test.mean", |card| card.test.mean += 0.1),
            ("images", |card| card.images.classes = 0),
        ];
        for (key, change) in cases {
            let mut wrong = card();
            change(&mut wrong);
            let error = Card::parse(&wrong.text().unwrap()).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
