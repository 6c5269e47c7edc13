//! `speed.json`: all measured numbers, with the machine and the program.

use super::rounds::Failure;
use super::workload::Workload;
use ablate::compare::measure::timing::stopwatch::{StopwatchError, StopwatchTimes};
use ablate::files::{check_writable, write_atomic};
use ablate::machine::Machine;
use ablate::provenance::{Build, Revision};
use ablate_kernels::InstructionSet;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// File name of the record.
pub(crate) const NAME: &str = "speed.json";
/// File name of the record of the other activations, which are measured in a session of their own.
pub(crate) const ACTIVATIONS: &str = "activations.json";
/// File name of the record with AVX2 on a machine with AVX-512, measured in a session of its own.
pub(crate) const AVX2: &str = "speed-avx2.json";

/// All measurements of one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpeedRecord {
    /// The program.
    pub(crate) build: Build,
    /// The revision of the working tree it ran in.
    pub(crate) revision: Option<Revision>,
    /// The machine.
    pub(crate) machine: Machine,
    /// Vector extensions of the CPU that our kernels use.
    pub(crate) vectors: Vec<String>,
    /// Number of our threads.
    pub(crate) threads: usize,
    /// Number of rounds.
    pub(crate) rounds: usize,
    /// Approximate seconds per measurement.
    pub(crate) seconds: f64,
    /// The peers.
    pub(crate) libraries: Vec<Library>,
    /// Workloads timed together with the peers.
    pub(crate) compared: Vec<PeerComparison>,
    /// Other activations and norm positions.
    pub(crate) varied: Vec<Variation>,
    /// Peak resident memory.
    pub(crate) memory: Vec<Memory>,
    /// Cost against size.
    pub(crate) curves: Vec<Curve>,
}

/// Name and version of a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Library {
    pub(crate) library: String,
    pub(crate) version: String,
    pub(crate) python: String,
    pub(crate) threads: usize,
}

/// Milliseconds per step, one value per round, or an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoundTimes {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) milliseconds: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl RoundTimes {
    /// What the stopwatch measured for `name`.
    pub(crate) fn new(name: String, times: Result<StopwatchTimes, StopwatchError>) -> Self {
        let milliseconds = |step: f64| rounded(1e3 * step);
        let (milliseconds, error) = match times {
            Ok(times) => (times.step.into_iter().map(milliseconds).collect(), None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        Self {
            name,
            milliseconds,
            error,
        }
    }
}

/// `x` with five significant digits, the most that these clocks resolve.
pub(crate) fn rounded(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}

/// Times of this project and the peers on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeerComparison {
    #[serde(rename = "work")]
    pub(crate) workload: Workload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
    pub(crate) ours: Vec<RoundTimes>,
    pub(crate) peers: Vec<RoundTimes>,
    /// The multiply-adds alone, in registers; missing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<RoundTimes>,
    /// A product of square matrices of side [`PRODUCT_SIDE`](super::peer::PRODUCT_SIDE) in PyTorch;
    /// missing in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) product: Option<RoundTimes>,
}

/// Times of this project on one variation of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variation {
    #[serde(rename = "work")]
    pub(crate) workload: Workload,
    pub(crate) times: RoundTimes,
}

/// Peak memory of one library variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Memory {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Step times along one dimension of size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    /// The dimension that is varied, with its unit.
    pub(crate) axis: String,
    /// The net and the device.
    pub(crate) name: String,
    pub(crate) points: Vec<CurvePoint>,
}

/// Step times at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurvePoint {
    pub(crate) size: usize,
    #[serde(rename = "work")]
    pub(crate) workload: Workload,
    pub(crate) milliseconds: Vec<f64>,
}

impl SpeedRecord {
    /// A record without measurements.
    pub(crate) fn new(rounds: usize, seconds: f64) -> Self {
        Self {
            build: Build::on(""),
            revision: Revision::of(Path::new(".")),
            machine: Machine::this(),
            vectors: vectors(),
            threads: ablate::machine::cores(),
            rounds,
            seconds,
            libraries: Vec::new(),
            compared: Vec::new(),
            varied: Vec::new(),
            memory: Vec::new(),
            curves: Vec::new(),
        }
    }

    /// Reads the record in the file `name`.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Self, Failure> {
        let path = folder.join(name);
        let cannot = |e: String| Failure(format!("cannot read `{}`: {e}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| cannot(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| cannot(e.to_string()))
    }

    /// Writes the record to the file `name`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).expect("plain data has a JSON form");
        text.push('\n');
        write(folder, name, &text)
    }
}

/// Writes a file of the results atomically.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    (check_writable(folder))
        .and_then(|()| write_atomic(&folder.join(name), text.as_bytes()))
        .map_err(|e| Failure(e.to_string()))?;
    Ok(())
}

/// The vector extensions that our kernels use.
fn vectors() -> Vec<String> {
    let names: &[&str] = match InstructionSet::current() {
        InstructionSet::Scalar => &[],
        InstructionSet::Avx2 => &["avx2", "fma"],
        InstructionSet::Avx512 => &["avx2", "fma", "avx512f"],
        InstructionSet::Native => &[std::env::consts::ARCH],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}
