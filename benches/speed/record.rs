//! `speed.json`: every number that was taken, and where.

use super::contest::{Failure, Score};
use super::work::Work;
use ablate::files::{check_writable, write_atomic};
use ablate::machine::Machine;
use ablate::provenance::{Build, Revision};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// File name of the record.
pub(crate) const NAME: &str = "speed.json";
/// File name of the record of other activations beside the peers, a sitting of its own.
pub(crate) const ACTIVATIONS: &str = "activations.json";

/// Everything that was taken in one sitting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// The program.
    pub(crate) build: Build,
    /// The work tree it ran in.
    pub(crate) revision: Option<Revision>,
    /// The machine.
    pub(crate) machine: Machine,
    /// Vector extensions of its cores that matter here.
    pub(crate) vectors: Vec<String>,
    /// Threads of ours at work at a time.
    pub(crate) threads: usize,
    /// Rounds of a contest.
    pub(crate) rounds: usize,
    /// Seconds of a measure, about.
    pub(crate) seconds: f64,
    /// The peers.
    pub(crate) libraries: Vec<Library>,
    /// Works side by side with the peers.
    pub(crate) compared: Vec<Comparison>,
    /// Other activations and places of the norm.
    pub(crate) varied: Vec<Variation>,
    /// Peaks of resident memory.
    pub(crate) memory: Vec<Memory>,
    /// Cost against size.
    pub(crate) curves: Vec<Curve>,
}

/// Who a peer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Library {
    pub(crate) library: String,
    pub(crate) version: String,
    pub(crate) python: String,
    pub(crate) threads: usize,
}

/// Milliseconds a step, round by round, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Times {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) milliseconds: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl From<Score> for Times {
    fn from(score: Score) -> Self {
        let (milliseconds, error) = match score.rounds {
            Ok(times) => (times.into_iter().map(rounded).collect(), None),
            Err(Failure(error)) => (Vec::new(), Some(error)),
        };
        Self {
            name: score.name,
            milliseconds,
            error,
        }
    }
}

/// `x` with five significant digits: no clock here tells more.
pub(crate) fn rounded(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}

/// One work, ours and theirs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comparison {
    pub(crate) work: Work,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
    pub(crate) ours: Vec<Times>,
    pub(crate) peers: Vec<Times>,
    /// The multiply-adds alone, in registers; absent from records older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Times>,
}

/// One work of ours, varied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variation {
    pub(crate) work: Work,
    pub(crate) times: Times,
}

/// Peak of one contestant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Memory {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Costs over one kind of size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    /// What is varied, with its unit.
    pub(crate) axis: String,
    /// The net and the device.
    pub(crate) name: String,
    pub(crate) points: Vec<CurvePoint>,
}

/// A size and its cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurvePoint {
    pub(crate) size: usize,
    pub(crate) work: Work,
    pub(crate) milliseconds: Vec<f64>,
}

impl Record {
    /// A record without any number yet.
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

    /// Reads the record called `name`.
    pub(crate) fn read(folder: &Path, name: &str) -> Result<Self, Failure> {
        let path = folder.join(name);
        let cannot = |e: String| Failure(format!("cannot read `{}`: {e}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| cannot(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| cannot(e.to_string()))
    }

    /// Writes the record under `name`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self).expect("plain data has a JSON form");
        text.push('\n');
        write(folder, name, &text)
    }
}

/// Writes a file of the results whole.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> Result<(), Failure> {
    (check_writable(folder))
        .and_then(|()| write_atomic(&folder.join(name), text.as_bytes()))
        .map_err(|e| Failure(e.to_string()))?;
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> Vec<String> {
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    let found = found.into_iter().filter(|(_, there)| *there);
    found.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> Vec<String> {
    let neon = cfg!(target_feature = "neon").then(|| "neon".to_owned());
    neon.into_iter().collect()
}
