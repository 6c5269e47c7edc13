//! Errors of weights from elsewhere.

use crate::error::ConfigError;

/// Weights that do not fit a model.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// No model can be built.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The bytes are not a safetensors file.
    #[error("not a safetensors file: {0}")]
    File(String),
    /// A tensor is not in single precision.
    #[error(
        "the tensor `{name}` has the type {found}; save the model in single precision (`model.float()` in \
         PyTorch)"
    )]
    Type {
        /// Name of the tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// Tensors of the model are missing.
    #[error(
        "the model also needs {}; check that the weights belong to this model and data set",
        listed(.0)
    )]
    Missing(Vec<String>),
    /// Tensors belong to no layer of the model.
    #[error(
        "the model has no {}; check that the weights belong to this model and data set, and that layers have the \
         names of a plain `nn.Sequential`",
        listed(.0)
    )]
    Unknown(Vec<String>),
    /// A tensor has another shape.
    #[error("the tensor `{name}` has the shape {found:?}, but the model needs {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape of the model's parameter.
        expected: Vec<usize>,
    },
    /// A value is infinite or not a number.
    #[error("the tensor `{0}` has a value that is not finite")]
    NotFinite(String),
    /// A value is set for a scale or center that the model does not have.
    #[error(
        "the tensor `{name}` must be {constant} everywhere, because the norm has no {part}; switch the {part} on \
         in the model's configuration"
    )]
    NotConstant {
        /// Name of the tensor.
        name: String,
        /// The value that stands for no parameter.
        constant: f32,
        /// `scale` or `center`.
        part: &'static str,
    },
    /// The model was built from another configuration.
    #[error(
        "the model has no parameter for the tensor `{0}`; it was built from another configuration"
    )]
    OtherModel(String),
}

/// At most this many names are listed.
const MOST_NAMES: usize = 6;

/// `` `a`, `b` and 3 more ``.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MOST_NAMES)
        .map(|n| format!("`{n}`"))
        .collect();
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
