//! The recipe of a program: a command that trains something and reports metrics.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A command, and how its metrics are read.
///
/// In `command`, `env` and the path of a file of metrics, placeholders in braces stand for values that
/// are known only when a cell runs: its seed, learning rate, folder, device and threads. The other
/// placeholders are filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramRecipe {
    /// The program and its arguments, without a shell.
    pub command: Vec<String>,
    /// Environment variables that it gets in addition to those of this process.
    pub env: BTreeMap<String, String>,
    /// Folder that it runs in. Not part of a cell's id.
    pub directory: PathBuf,
    /// Values of the arm by key; the program gets them as JSON.
    pub set: BTreeMap<String, serde_json::Value>,
    /// SHA-256 of the content of each input file, by path relative to `directory`.
    pub inputs: BTreeMap<String, String>,
    /// Where metrics are reported.
    pub source: MetricSource,
    /// Names of the metrics that every cell must report.
    pub metrics: Vec<String>,
    /// Seconds after which a cell is stopped and fails. Not part of a cell's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
}

/// Where a program reports its metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricSource {
    /// JSON objects on standard output, one per line.
    JsonLines,
    /// A CSV file with a header, at this path.
    Csv(String),
    /// A regular expression per metric, searched in each line of the output. One group is the value; two
    /// are hits and total.
    Regex(BTreeMap<String, String>),
}
