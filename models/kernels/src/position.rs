//! Order of norm and activation in a block.

use serde::{Deserialize, Serialize};

/// Whether the norm of a block comes before or after the activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Between the linear layer and the activation (Ioffe and Szegedy 2015, section 3.2).
    #[default]
    Before,
    /// After the activation.
    After,
}
