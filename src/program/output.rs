//! Sorting the lines of a program into metrics and log.

use super::evaluations::Evaluations;
use super::log::Log;
use super::process::{Lines, Stream};
use super::report::{Patterns, json_line};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How metrics are found in lines.
#[derive(Debug)]
pub(super) enum Finder {
    /// JSON objects on standard output.
    JsonLines,
    /// Regular expressions in both outputs.
    Regex(Patterns),
    /// Not in lines.
    Nowhere,
}

/// The output of one cell, as far as it is kept.
#[derive(Debug)]
pub(super) struct Output {
    finder: Finder,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) evaluations: Evaluations,
    pub(super) log: Log,
}

impl Output {
    pub(super) const fn new(finder: Finder, evaluations: Evaluations, log: Log) -> Self {
        Self {
            finder,
            kept: Mutex::new(Kept { evaluations, log }),
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines for Output {
    /// A line of JSON is a record and not part of the log; a line that matches a pattern is both.
    fn line(&self, stream: Stream, line: &[u8]) {
        let entry = match &self.finder {
            Finder::JsonLines if stream == Stream::Out => json_line(line),
            Finder::Regex(patterns) => patterns.entry(line),
            Finder::JsonLines | Finder::Nowhere => None,
        };
        let is_record = entry.is_some() && matches!(self.finder, Finder::JsonLines);
        let mut kept = self.kept();
        if let Some(entry) = entry {
            kept.evaluations.add(entry);
        }
        if !is_record {
            kept.log.line(line);
        }
    }
}
