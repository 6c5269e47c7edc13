//! The two files of a trained net: weights, and the card beside them.

use super::{Card, CardError};
use crate::files::{FileError, open, sha256, write_atomic};
use crate::text::utf8;
use ablate_models::interchange::Weights;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Extension of cards.
pub const EXTENSION: &str = "toml";

/// Extension of weights.
pub const WEIGHTS_EXTENSION: &str = "safetensors";

/// Largest card in bytes; one with a scale per pixel of a large image has a few MB.
const MAX_CARD: u64 = 1 << 26;

/// Largest file of weights in bytes.
const MAX_WEIGHTS: u64 = 1 << 32;

/// A trained net: its card and its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The card.
    pub card: Card,
    /// The weights.
    pub weights: Weights,
}

impl Trained {
    /// Reads a card and the weights beside it. `path` is that of either.
    ///
    /// # Errors
    /// If a file cannot be read, the card is not valid, or the weights are not those of the card.
    pub fn load(path: &Path) -> Result<Self, CardError> {
        let path = path.with_extension(EXTENSION);
        let text = utf8::text(read(&path, MAX_CARD)?);
        let text = text.map_err(|why| within(&path, CardError::Toml(why)))?;
        let card = Card::parse(&text).map_err(|error| within(&path, error))?;
        let weights_path = path.with_file_name(&card.weights.file);
        let bytes = read(&weights_path, MAX_WEIGHTS)?;
        Self::of(card, &bytes, &weights_path)
    }

    /// A trained net from the content of its two files. `path`, that of the weights, appears in errors only.
    ///
    /// # Errors
    /// If the weights are not those of the card.
    pub fn of(card: Card, bytes: &[u8], path: &Path) -> Result<Self, CardError> {
        let found = sha256(bytes);
        if found != card.weights.sha256 {
            return Err(CardError::Hash {
                path: path.to_owned(),
                found,
                expected: card.weights.sha256,
            });
        }
        let weights = Weights::from_safetensors(bytes).map_err(|error| CardError::Weights {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        Ok(Self { card, weights })
    }

    /// Writes weights and card into `folder`, the card last. Returns the path of the card.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, CardError> {
        let weights = folder.join(&self.card.weights.file);
        let bytes = self.weights.to_safetensors();
        let bytes = bytes.map_err(|error| CardError::Weights {
            path: weights.clone(),
            message: error.to_string(),
        })?;
        write_atomic(&weights, &bytes)?;
        let path = folder.join(format!("{}.{EXTENSION}", self.card.name));
        write_atomic(&path, self.card.text()?.as_bytes())?;
        Ok(path)
    }
}

fn within(path: &Path, cause: CardError) -> CardError {
    CardError::In {
        path: path.to_owned(),
        cause: Box::new(cause),
    }
}

/// The bytes of a file of at most `most` bytes.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, CardError> {
    let read = || {
        let mut bytes = Vec::new();
        open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        match bytes.len() as u64 > most {
            true => Err(std::io::Error::other(format!(
                "it is larger than {most} bytes"
            ))),
            false => Ok(bytes),
        }
    };
    Ok(read().map_err(FileError::of("read", path))?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::card;
    use super::*;
    use ablate_models::interchange::HostTensor;

    fn trained() -> Trained {
        let tensor = HostTensor {
            shape: vec![2],
            values: vec![1.5, -2.0],
        };
        let weights = Weights([("1.bias".to_owned(), tensor)].into());
        let bytes = weights.to_safetensors().unwrap();
        let mut card = card();
        card.weights.sha256 = sha256(&bytes);
        card.weights.bytes = bytes.len() as u64;
        Trained { card, weights }
    }

    #[test]
    fn both_files_return_from_either_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = trained().write(folder.path()).unwrap();
        assert_eq!(path, folder.path().join("small.toml"));
        for path in [&path, &path.with_extension("safetensors")] {
            assert_eq!(Trained::load(path).unwrap(), trained());
        }
    }

    #[test]
    fn every_flipped_byte_of_the_weights_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = trained().write(folder.path()).unwrap();
        let weights = path.with_extension("safetensors");
        let sound = std::fs::read(&weights).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            std::fs::write(&weights, bytes).unwrap();
            let error = Trained::load(&path).unwrap_err();
            assert!(
                matches!(error, CardError::Hash { .. }),
                "byte {at}: {error}"
            );
        }
    }

    #[test]
    fn missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = trained().write(folder.path()).unwrap();
        std::fs::remove_file(path.with_extension("safetensors")).unwrap();
        let error = Trained::load(&path).unwrap_err().to_string();
        assert!(error.starts_with("cannot read"), "{error}");
        assert!(error.contains("small.safetensors"), "{error}");
    }
}
