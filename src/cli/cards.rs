//! Trained nets: making a card, and finding a net by name or file.

use super::exit::Failure;
use super::root;
use super::train::TRAINED;
use crate::card::{
    Card, EXTENSION, Images, Licence, Preprocessing, Program, Test, Trained, Training,
    WEIGHTS_EXTENSION, WeightsFile, mean_sd,
};
use crate::data::{self, Dataset, Prepared};
use crate::files::sha256;
use crate::machine::cores;
use crate::provenance::{Build, Revision};
use crate::recipe::{Content, DataConfig};
use crate::record::{Outcome, Scores};
use crate::spec::nearest;
use crate::train::{Fit, Kept, TrainedNet};
use crate::trainer::Job;
use ablate_models::interchange::{Network, Weights};
use ablate_models::pretrained::{PRETRAINED, Pretrained};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Licence of the code, and of the weights so far as the data allow.
const LICENCE: &str = env!("CARGO_PKG_LICENSE");

/// The trained net of `fit`, whose card has the scores of the weights as they are read back.
///
/// # Errors
/// If training diverged for any seed.
pub(crate) fn card_of(
    name: &str,
    job: &Job,
    fit: &Fit<'_>,
    dataset: &Arc<Dataset>,
    patience: Option<NonZeroUsize>,
) -> Result<Trained, Failure> {
    let net = job.net().ok_or_else(|| Failure::internal("not a net"))?;
    let mut accuracies = Vec::new();
    let mut first = None;
    for Kept {
        seed,
        weights,
        evaluation,
        outcome,
    } in fit.kept()
    {
        let (Some(weights), Some(kept), Outcome::Done) = (weights, evaluation, outcome) else {
            return Err(Failure::new(
                super::exit::Code::CellsFailed,
                format!("seed {seed} diverged; lower `train.learning_rate`"),
            ));
        };
        accuracies.push(kept.test.map_or(f64::NAN, |scores| scores.accuracy));
        first.get_or_insert((seed, weights, kept.place()));
    }
    let (seed, weights, kept) = first.ok_or_else(|| Failure::internal("no seed was trained"))?;
    let training = Training {
        seed,
        learning_rate: net.learning_rates()[0],
        kept,
        patience: patience.map_or(0, usize::from),
        device: net.device.to_owned(),
    };
    let draft = Draft {
        name,
        network: fit.network(),
        weights,
        dataset,
        data: net.data,
        train: net.train,
        training,
        scored_on: net.device,
    };
    draft.finish(Some(accuracies))
}

/// What a card needs beside the scores.
pub(crate) struct Draft<'a> {
    pub(crate) name: &'a str,
    pub(crate) network: &'a Network,
    pub(crate) weights: &'a Weights,
    pub(crate) dataset: &'a Arc<Dataset>,
    pub(crate) data: &'a DataConfig,
    pub(crate) train: &'a crate::recipe::TrainConfig,
    pub(crate) training: Training,
    /// Device on which the test images are classified.
    pub(crate) scored_on: &'a str,
}

impl Draft<'_> {
    /// Scores the weights on the test images and completes the card. `seeds` are the accuracies of all
    /// seeds; by default that of these weights alone.
    ///
    /// # Errors
    /// If the weights cannot be written or read back.
    pub(crate) fn finish(self, seeds: Option<Vec<f64>>) -> Result<Trained, Failure> {
        let prepared = data::prepare_from(Arc::clone(self.dataset), self.data, self.training.seed)?;
        let bytes = self.weights.to_safetensors().map_err(internal)?;
        let entry = data::entry_of(self.data);
        let device = self.training.device.clone();
        let revision = Revision::of(Path::new("."));
        let mut card = Card {
            name: self.name.to_owned(),
            weights: WeightsFile {
                file: format!("{}.{WEIGHTS_EXTENSION}", self.name),
                sha256: sha256(&bytes),
                bytes: bytes.len() as u64,
                parameters: self.network.layers().iter().map(|l| l.parameters()).sum(),
            },
            images: Images {
                height: self.dataset.height,
                width: self.dataset.width,
                channels: self.dataset.channels,
                max_pixel: self.dataset.max_pixel as u8,
                classes: self.dataset.classes,
                numbers: self.dataset.train.pixels().is_none(),
            },
            preprocessing: Preprocessing {
                scale: prepared.affine.scale.clone(),
                shift: prepared.affine.shift.clone(),
            },
            test: Test {
                content: self.dataset.hashes().content(),
                images: prepared.split.test.len(),
                accuracy: 0.0,
                nll: 0.0,
                seeds: Vec::new(),
                mean: 0.0,
                sd: 0.0,
            },
            training: self.training,
            licence: Licence {
                code: LICENCE.to_owned(),
                data: entry.source.to_owned(),
            },
            program: Program {
                version: Build::on(&device).version,
                fingerprint: Build::on(&device).fingerprint,
                commit: revision.map_or("unknown".to_owned(), |revision| {
                    let dirty = if revision.dirty { "-dirty" } else { "" };
                    format!("{}{dirty}", revision.commit)
                }),
            },
            data: DataConfig {
                content: Content::default(),
                ..self.data.clone()
            },
            model: self.network.config().clone(),
            train: self.train.clone(),
        };
        let read = Weights::from_safetensors(&bytes).map_err(internal)?;
        let scores = score(&card, &read, prepared, self.scored_on)?;
        card.test.accuracy = scores.accuracy;
        card.test.nll = scores.nll;
        card.test.seeds = seeds.unwrap_or_else(|| vec![scores.accuracy]);
        (card.test.mean, card.test.sd) = mean_sd(&card.test.seeds);
        let text = card.text()?;
        // A card that cannot be read back is a defect.
        Card::parse(&text).map_err(internal)?;
        Ok(Trained {
            card,
            weights: read,
        })
    }
}

/// Scores of `weights` on the test images of `prepared`.
///
/// # Errors
/// If the weights do not fit the network of the card, or its logits are not finite.
pub(crate) fn score(
    card: &Card,
    weights: &Weights,
    prepared: Prepared,
    device: &str,
) -> Result<Scores, Failure> {
    let net = on_device(card, weights, device)?;
    let scores = net.evaluate(prepared, card.training.seed).scores();
    scores.ok_or_else(|| {
        Failure::unavailable(format!("`{}` has logits that are not finite", card.name))
    })
}

/// The net on the device called `device`.
///
/// # Errors
/// If the weights do not fit the network of the card.
pub(crate) fn on_device(
    card: &Card,
    weights: &Weights,
    device: &str,
) -> Result<TrainedNet, Failure> {
    let network = card.network()?;
    Ok(TrainedNet::new(
        network,
        weights,
        card.scaling(),
        device,
        cores(),
    )?)
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::internal(error.to_string())
}

/// The trained net called `name`: the path of a card or of weights, a net in the folder `trained`, or one
/// that comes with the program.
///
/// # Errors
/// If there is none, its card is not valid, or its weights are not those of the card.
pub(crate) fn find(name: &str) -> Result<Trained, Failure> {
    let path = PathBuf::from(name);
    let extension = path.extension().and_then(|extension| extension.to_str());
    if path.is_file() || matches!(extension, Some(EXTENSION | WEIGHTS_EXTENSION)) {
        return Ok(Trained::load(&path)?);
    }
    let own = root::beside(TRAINED).join(format!("{name}.{EXTENSION}"));
    if own.is_file() {
        return Ok(Trained::load(&own)?);
    }
    match PRETRAINED.iter().find(|pretrained| pretrained.name == name) {
        Some(pretrained) => embedded(pretrained),
        None => Err(unknown(name)),
    }
}

/// A net that comes with the program.
pub(crate) fn embedded(pretrained: &Pretrained) -> Result<Trained, Failure> {
    let card = Card::parse(pretrained.card)?;
    let path = PathBuf::from(&card.weights.file);
    Ok(Trained::of(card, pretrained.weights, &path)?)
}

fn unknown(name: &str) -> Failure {
    let names: Vec<&str> = PRETRAINED.iter().map(|p| p.name).collect();
    let advice = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!(
                "nets that come with the program are {}; `ablate train` trains others",
                names.join(", ")
            )
        }
    };
    Failure::usage(format!(
        "there is no trained net `{name}` and no such file; {advice}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_models::zoo::preset;

    #[test]
    fn every_net_that_comes_along_is_its_preset_with_a_valid_card() {
        for pretrained in PRETRAINED {
            let trained = embedded(pretrained).expect("a valid card and its weights");
            let preset = preset(pretrained.name).expect("a preset");
            assert_eq!(trained.card.name, preset.name);
            assert_eq!(trained.card.model, preset.config());
            let network = trained.card.network().expect("a valid model");
            assert_eq!(
                (network.input(), network.classes()),
                (preset.input, preset.classes)
            );
            assert!(trained.card.test.seeds.len() >= 3, "{}", preset.name);
            assert!(
                !trained.card.program.commit.ends_with("-dirty"),
                "{}",
                preset.name
            );
        }
    }

    /// The number with a fraction in `text` that has a digit at byte `at`.
    fn number(text: &str, at: usize) -> Option<f64> {
        let is_of_number = |c: char| c.is_ascii_digit() || "+-.e".contains(c);
        let start = text[..at].rfind(|c| !is_of_number(c)).map_or(0, |i| i + 1);
        let rest = &text[start..];
        let number = &rest[..rest.find(|c| !is_of_number(c)).unwrap_or(rest.len())];
        number.contains('.').then(|| number.parse().ok())?
    }

    #[test]
    fn flipped_bytes_of_a_card_are_refused_or_change_a_value() {
        for pretrained in PRETRAINED {
            let sound = Card::parse(pretrained.card).expect("valid");
            for at in (0..pretrained.card.len()).step_by(7) {
                let mut bytes = pretrained.card.as_bytes().to_vec();
                bytes[at] ^= 1;
                let changed = String::from_utf8(bytes).expect("a card is ASCII");
                // Two decimal forms may round to the same number.
                if number(&changed, at).is_some_and(|n| Some(n) == number(pretrained.card, at)) {
                    continue;
                }
                let card = Card::parse(&changed).ok();
                assert_ne!(
                    card.as_ref(),
                    Some(&sound),
                    "byte {at} of {}",
                    pretrained.name
                );
            }
        }
    }
}
