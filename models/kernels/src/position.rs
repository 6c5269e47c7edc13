//! The order of norm and activation in a block.

use serde::{Deserialize, Serialize};

/// The side of the activation on which the norm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Between the weights and the activation (Ioffe and Szegedy 2015, section 3.2).
    #[default]
    Before,
    /// After the activation.
    After,
}
