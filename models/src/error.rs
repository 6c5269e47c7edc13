//! The error of all configurations.

/// A configuration from which no model can be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {message}")]
pub struct ConfigError {
    /// Dotted path of the faulty key, relative to the model's table.
    pub key: String,
    /// What is wrong, as a sentence that continues after the key.
    pub message: String,
}

impl ConfigError {
    /// An error at `key`, relative to the model's table; `message` continues the sentence after the key.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }

    /// The same error with the key under `parent`.
    pub(crate) fn under(mut self, parent: &str) -> Self {
        self.key = format!("{parent}.{}", self.key);
        self
    }
}

pub(crate) fn check_positive(key: &'static str, value: f64) -> Result<(), ConfigError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    let message = format!("must be positive and finite, not {value}");
    Err(ConfigError::new(key, message))
}
