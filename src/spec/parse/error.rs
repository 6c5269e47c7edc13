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
    mistakes: Vec<Mistake>,
}

/// One of the mistakes of a spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file with the mistake: the spec's, or the one that it extends.
    pub file: PathBuf,
    /// The line in `file`, from 1.
    pub line: Option<usize>,
    /// The full dotted key.
    pub key: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Mistake {
    fn new(file: &Path, fault: &Diagnostic) -> Self {
        let (file, line) = match fault.in_base() {
            Some((name, line)) => (file.with_file_name(format!("{name}.toml")), Some(line)),
            None => (file.to_owned(), fault.line()),
        };
        Self {
            file,
            line,
            key: fault.key(),
            message: fault.message_at_line(),
        }
    }
}

impl SpecError {
    /// An error about the file as a whole.
    pub(in crate::spec) fn file_level(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            key: None,
            message: message.into(),
            mistakes: Vec::new(),
        }
    }

    pub(in crate::spec) fn new(file: &Path, fault: &Diagnostic) -> Self {
        Self {
            file: file.to_owned(),
            line: fault.line(),
            key: Some(fault.key()).filter(|key| !key.is_empty()),
            message: fault.message(),
            mistakes: vec![Mistake::new(file, fault)],
        }
    }

    /// The same error, which knows that the mistakes of `file` are `all`, if there are any.
    pub(in crate::spec) fn with(mut self, file: &Path, all: &[Diagnostic]) -> Self {
        if !all.is_empty() {
            self.mistakes = all.iter().map(|fault| Mistake::new(file, fault)).collect();
            // Those of the file that it extends come first, those without a line last.
            (self.mistakes).sort_by_key(|m| (m.file == file, m.line.is_none(), m.line));
        }
        self
    }

    /// The same error, whose mistakes are those of `other`.
    pub(in crate::spec) fn because_of(mut self, other: Self) -> Self {
        self.mistakes = other.mistakes;
        self
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

    /// All mistakes that were found, in the order of lines; none if the file cannot be read.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
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
