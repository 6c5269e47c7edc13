//! Studies: comparisons of commands that are described in a few words, written out as experiment files.
//!
//! A study is what `ablate vs` and `ablate judge` are asked on the command line. It decides nothing by
//! itself: its experiment file passes through the same parser as one that a person wrote.
//!
//! # Files
//!
//! | file | content |
//! |---|---|
//! | `file` | the experiment file of a study |
//! | `names` | names for arms and studies from any text |

mod file;
mod names;

pub use names::{distinct, name};

use crate::spec::{Direction, Expect};
use std::collections::BTreeMap;

/// A comparison of arms with a control.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Name; also that of the results folder.
    pub name: String,
    /// The arm that all others are compared with; an index of `arms`.
    pub control: usize,
    /// Arms, at least two.
    pub arms: Vec<StudyArm>,
    /// Metrics; the first decides.
    pub metrics: Vec<StudyMetric>,
    /// What is predicted of every arm against the control.
    pub expect: Expect,
    /// Seeds.
    pub seeds: StudySeeds,
    /// What holds for the programs of all arms.
    pub program: StudyProgram,
}

/// One arm of a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyArm {
    /// Name, as experiment files allow it.
    pub name: String,
    /// Label in tables and figures, if it is not the name.
    pub label: Option<String>,
    /// The program and its arguments, with placeholders.
    pub command: Vec<String>,
}

/// A metric of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyMetric {
    /// Name in the program's records.
    pub name: String,
    /// Direction of improvement.
    pub better: Direction,
    /// Unit of differences, if given.
    pub unit: Option<String>,
    /// How a percentage is reported, if it is one.
    pub from: Option<StudyScale>,
    /// Smallest difference that matters. A metric without one is listed and not compared.
    pub margin: Option<f64>,
}

/// How a percentage is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StudyScale {
    /// In percent.
    Percent,
    /// From 0 to 1.
    Share,
}

/// The seeds of a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StudySeeds {
    /// Seeds 0 to n - 1.
    Count(u64),
    /// These.
    List(Vec<u64>),
}

/// What holds for the programs of all arms.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyProgram {
    /// Folder that the programs run in, relative to the experiment file.
    pub directory: String,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Where metrics are reported.
    pub source: StudySource,
    /// Patterns of files whose content determines the numbers.
    pub inputs: Vec<String>,
    /// Time after which a cell is stopped, as text.
    pub timeout: Option<String>,
    /// Learning rates to choose from.
    pub learning_rates: Vec<f64>,
    /// The metric that chooses the rate.
    pub validation: Option<String>,
    /// `auto`, `true` or `false`; `auto` if absent.
    pub paired: Option<bool>,
}

/// Where programs report their metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StudySource {
    /// JSON objects on standard output.
    #[default]
    JsonLines,
    /// A CSV file at this path, with placeholders.
    Csv(String),
    /// Regular expressions by name of the metric.
    Regex(BTreeMap<String, String>),
}
