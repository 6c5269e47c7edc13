//! The error of reading specs.

use crate::spec::parse::diagnostic::Diagnostic;
use std::path::{Path, PathBuf};

/// A spec that cannot be found, read or used: file, line and key if known, and a message that says
/// what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", place(.file, *.line))]
pub struct SpecError {
    file: PathBuf,
    line: Option<usize>,
    key: Option<String>,
    message: String,
}

impl SpecError {
    /// An error about the file as a whole.
    pub(in crate::spec) fn file_level(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: None,
            message: message.into(),
        }
    }

    pub(in crate::spec) fn new(file: &Path, fault: &Diagnostic) -> Self {
        Self {
            file: file.to_owned(),
            line: fault.line(),
            key: Some(fault.key()).filter(|key| !key.is_empty()),
            message: fault.message(),
        }
    }

    /// The spec file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The full dotted key; items of arrays of tables by name, as in `arms[no-bias].set.train.epochs`.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is wrong and what to do, without the file and line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

fn place(file: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    }
}
