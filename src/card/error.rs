//! Errors of cards and of the weights beside them.

use crate::files::FileError;
use std::path::PathBuf;

/// A card that cannot be read or written, or weights that are not those of their card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The card is not TOML, or has missing or unknown fields.
    #[error("not a card of a trained net: {0}")]
    Toml(String),
    /// A field is missing, or is not as the program writes it.
    #[error("not a card of a trained net: `{0}` is missing or not as `ablate train` writes it")]
    Incomplete(String),
    /// A value is out of range or contradicts another.
    #[error("not a card of a trained net: `{key}` {message}")]
    Value {
        /// Dotted key.
        key: &'static str,
        /// What is wrong, as a sentence that continues after the key.
        message: String,
    },
    /// No network can be built.
    #[error("the model of the card is not valid: {0}")]
    Model(String),
    /// The weights are not those of the card.
    #[error(
        "the weights in `{}` are not those of their card: SHA-256 is {found}, not {expected}; restore the file or \
         train again",
        path.display()
    )]
    Hash {
        /// The file.
        path: PathBuf,
        /// SHA-256 of its bytes.
        found: String,
        /// SHA-256 in the card.
        expected: String,
    },
    /// The weights do not fit the model.
    #[error("cannot use `{}`: {message}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Something is wrong with the card in a file.
    #[error("cannot use `{}`: {cause}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: Box<CardError>,
    },
}
