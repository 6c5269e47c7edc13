//! Origin of results: `provenance.json`.
//!
//! It is the only file of a results folder that differs between equal runs. It says under which conditions
//! each cell was trained, and is written before `runs.jsonl`. `.provenance.json` says the same of the journal
//! and is written before the first cell is trained, so a run that is killed leaves no record without origin.

mod file;
#[cfg(test)]
mod fingerprint;
mod git;
mod origins;

pub use file::{NAME, ProvenanceError, RUNNING_NAME};
pub use git::Revision;
pub use origins::{gather, republish, run_recorded};

use crate::device::{self, DeviceInfo, DeviceKind};
use crate::machine::{Machine, cores};
use ablate_kernels::InstructionSet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

/// Fingerprint of the code that determines the numbers on `device`: SHA-256 of its sources (without
/// comments and tests) and of the versions of the crates that compute. Part of every cell's id.
///
/// CPU devices have a fingerprint without the code for GPUs. Any other text, such as a list of
/// devices, gets the one of all code.
pub fn fingerprint(device: &str) -> &'static str {
    match device::is_cpu(device) {
        true => env!("ABLATE_CPU_FINGERPRINT"),
        false => env!("ABLATE_GPU_FINGERPRINT"),
    }
}

/// Origin of the records of a results folder. Its own fields are about the last run that trained something,
/// and `earlier` about cells that were trained before, under other conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program.
    pub build: Build,
    /// The work tree it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The machine.
    pub machine: Machine,
    /// Content hash of each data set ([`crate::data::FileHashes::content`]), by its name; empty in files of
    /// older versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// The run.
    pub run: RunDetails,
    /// Code that reproduced the records and adopted them under its own cell ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduced: Option<Reproduced>,
    /// Cells that were trained under other conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Block>,
    /// Ids of cells of which nothing is known, because their provenance was lost.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
}

/// Cells that were trained under the same conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The program.
    pub build: Build,
    /// The work tree it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The machine.
    pub machine: Machine,
    /// Content hash of each data set, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// The run, or several together.
    pub run: RunDetails,
    /// Code that reproduced and adopted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduced: Option<Reproduced>,
    /// Ids of the cells.
    pub cells: BTreeSet<String>,
}

/// Code that adopted the records of other code after it reproduced some of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reproduced {
    /// The program.
    pub build: Build,
    /// The work tree it ran in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Number of cells that it reproduced bit for bit.
    pub cells: usize,
    /// Epoch or step up to which it trained them; absent if to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
    /// Content hash of each data set, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// Instruction set of the CPU kernels; absent for GPUs and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// Build of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Version of this package.
    pub version: String,
    /// Fingerprint of its code on the device ([`fingerprint`]).
    pub fingerprint: String,
    /// SHA-256 of `Cargo.lock`.
    pub lock_sha256: String,
    /// Output of `rustc --version`.
    pub rustc: String,
    /// Enabled features, sorted.
    pub features: Vec<String>,
}

impl Build {
    /// This program, with the code that determines the numbers on `device`.
    pub fn on(device: &str) -> Self {
        let features = env!("ABLATE_FEATURES").split(',').filter(|f| !f.is_empty());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fingerprint: fingerprint(device).to_owned(),
            lock_sha256: env!("ABLATE_LOCK_SHA256").to_owned(),
            rustc: env!("ABLATE_RUSTC").to_owned(),
            features: features.map(str::to_owned).collect(),
        }
    }
}

/// Conditions of a run, known before it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The work tree's revision, taken before the run ([`Revision::of`]).
    pub revision: Option<Revision>,
    /// Device name, as asked for.
    pub device: String,
    /// Adapter and driver, for a GPU.
    pub adapter: Option<String>,
    /// Threads of the CPU backends.
    pub threads: usize,
    /// Content hash of each data set, by its name.
    pub data: BTreeMap<String, String>,
}

impl Setting {
    /// The kind of machine that trains: the adapter of a GPU, or else the CPU with its instruction set.
    pub fn kind(&self) -> String {
        let cpu = Machine::this().cpu;
        let instructions = instructions(&self.device);
        kind(
            self.adapter.as_deref(),
            cpu.as_deref(),
            instructions.as_deref(),
        )
    }
}

impl Block {
    /// The kind of machine that trained its cells.
    pub fn kind(&self) -> String {
        kind(
            self.run.adapter.as_deref(),
            self.machine.cpu.as_deref(),
            self.run.instructions.as_deref(),
        )
    }
}

fn kind(adapter: Option<&str>, cpu: Option<&str>, instructions: Option<&str>) -> String {
    match (adapter, instructions) {
        (Some(adapter), _) => adapter.to_owned(),
        (None, Some(instructions)) => format!("{} ({instructions})", cpu.unwrap_or("CPU")),
        (None, None) => cpu.unwrap_or("CPU").to_owned(),
    }
}

/// What ran, and its duration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDetails {
    /// Device name, as asked for.
    pub device: String,
    /// Adapter and driver, for a GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Threads of the CPU backends.
    pub threads: usize,
    /// Instruction set of the CPU kernels; absent if only GPUs trained, and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Start in UTC, e.g. `2026-01-31T12:00:00Z`; of the first run, if several are taken together.
    pub started: String,
    /// Start in seconds since 1970.
    pub started_unix: u64,
    /// Duration in seconds, without runs that were killed.
    pub seconds: f64,
    /// Total seconds of the jobs of each arm.
    pub arm_seconds: BTreeMap<String, f64>,
    /// Number of cells trained under these conditions.
    pub trained: usize,
    /// Number of other cells in use.
    pub reused: usize,
}

/// Conditions of a comparison of devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The work tree's revision, taken before it began.
    pub revision: Option<Revision>,
    /// Start.
    pub started: SystemTime,
    /// Duration in seconds.
    pub seconds: f64,
    /// Number of cells trained.
    pub trained: usize,
    /// Content hash of each data set, by its name.
    pub data: BTreeMap<String, String>,
}

/// The instruction set of the CPU kernels in this process and its workers; `None` for a GPU.
pub fn instructions(device: &str) -> Option<String> {
    device::is_cpu(device).then(|| InstructionSet::current().name().to_owned())
}

/// Whole seconds from 1970 on; 0 before.
fn unix_seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl From<Provenance> for Block {
    /// The conditions of the last run, without any cell.
    fn from(of: Provenance) -> Self {
        Self {
            build: of.build,
            revision: of.revision,
            machine: of.machine,
            data: of.data,
            run: of.run,
            reproduced: of.reproduced,
            cells: BTreeSet::new(),
        }
    }
}

impl Provenance {
    /// The same records after this program, in the work tree of `revision`, reproduced `cells` of them from
    /// `data`.
    #[must_use]
    pub fn reproduced(
        self,
        revision: Option<Revision>,
        cells: usize,
        until: Option<usize>,
        data: BTreeMap<String, String>,
    ) -> Self {
        let reproduced = Reproduced {
            build: Build::on(&self.run.device),
            revision,
            cells,
            until,
            data,
            instructions: instructions(&self.run.device),
        };
        Self {
            reproduced: Some(reproduced),
            ..self
        }
    }

    /// The same with other ids of cells: the value of each id that is a key.
    #[must_use]
    pub fn with_ids(mut self, ids: &BTreeMap<&str, &str>) -> Self {
        let lists = self.earlier.iter_mut().map(|block| &mut block.cells);
        for cells in lists.chain([&mut self.unknown]) {
            let renamed = cells.iter().map(|id| {
                let new = ids.get(id.as_str()).copied();
                new.unwrap_or(id).to_owned()
            });
            *cells = renamed.collect();
        }
        self
    }

    /// The fingerprint of the code that names the cells.
    pub fn fingerprint(&self) -> &str {
        let build = self.reproduced.as_ref().map(|code| &code.build);
        &build.unwrap_or(&self.build).fingerprint
    }

    /// The instruction set with which the records were made, or else reproduced; `None` if neither is
    /// recorded.
    pub fn instructions(&self) -> Option<&str> {
        let reproduced = self.reproduced.as_ref();
        let reproduced = reproduced.and_then(|code| code.instructions.as_deref());
        self.run.instructions.as_deref().or(reproduced)
    }

    /// The kind of machine that trained each of `cells`, by its id, where that is known.
    pub fn kinds<'i>(&self, cells: impl Iterator<Item = &'i str>) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for block in &self.earlier {
            let kind = block.kind();
            found.extend(block.cells.iter().map(|id| (id.clone(), kind.clone())));
        }
        // The last run trained all cells that are not listed.
        let adapter = self.run.adapter.as_deref();
        let instructions = self.run.instructions.as_deref();
        let last = kind(adapter, self.machine.cpu.as_deref(), instructions);
        for id in cells.filter(|id| !self.unknown.contains(*id)) {
            found.entry(id.to_owned()).or_insert_with(|| last.clone());
        }
        found
    }

    /// The provenance of a comparison of `devices` for which `cells` cells were trained, now or before.
    pub fn of_comparison(devices: &[DeviceInfo], cells: usize, made: &Compared) -> Self {
        let started_unix = unix_seconds(made.started);
        let adapters: Vec<String> = (devices.iter().filter(|d| d.kind != DeviceKind::Cpu))
            .map(|device| format!("{}: {device}", device.name))
            .collect();
        Self {
            build: Build::on(""),
            revision: made.revision.clone(),
            machine: Machine::this(),
            data: made.data.clone(),
            run: RunDetails {
                device: devices
                    .iter()
                    .map(|d| d.name.as_str())
                    .collect::<Vec<_>>()
                    .join(","),
                adapter: (!adapters.is_empty()).then(|| adapters.join("; ")),
                threads: cores(),
                instructions: devices.iter().find_map(|device| instructions(&device.name)),
                started: iso_8601(started_unix),
                started_unix,
                seconds: made.seconds,
                arm_seconds: BTreeMap::new(),
                trained: made.trained,
                reused: cells.saturating_sub(made.trained),
            },
            reproduced: None,
            earlier: Vec::new(),
            unknown: BTreeSet::new(),
        }
    }
}

/// Seconds since 1970 as date and time in UTC, in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is a year's last and the days before a month
/// are `(153 m + 2) / 5`.
fn iso_8601(unix: u64) -> String {
    const DAYS_TO_1970: u64 = 719_468; // from 0000-03-01
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = unix / 86_400 + DAYS_TO_1970;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = 400 * era + year + u64::from(month >= 10);
    let month = (month + 2) % 12 + 1;
    let (hour, minute, second) = (unix / 3_600 % 24, unix / 60 % 60, unix % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dates() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(iso_8601(unix), text);
        }
    }
}
