//! Origin of results: `provenance.json`.
//!
//! It is the only file of a results folder that differs between equal runs. It is written when a run
//! trains something and describes the last such run; older records come from earlier runs.

#[cfg(test)]
mod fingerprint;
mod git;

pub use git::Revision;

use crate::device::{self, DeviceInfo, DeviceKind};
use crate::files::{FileError, write_atomic};
use crate::machine::{Machine, cores};
use crate::run::RunReport;
use ablate_kernels::InstructionSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
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

/// File name in a results folder.
pub const NAME: &str = "provenance.json";

/// Origin of the results of a run.
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
    /// Start in UTC, e.g. `2026-01-31T12:00:00Z`.
    pub started: String,
    /// Start in seconds since 1970.
    pub started_unix: u64,
    /// Duration in seconds.
    pub seconds: f64,
    /// Total seconds of the jobs of each arm.
    pub arm_seconds: BTreeMap<String, f64>,
    /// Number of cells trained.
    pub trained: usize,
    /// Number of cells whose records existed.
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

impl Provenance {
    /// The provenance of a run; `None` if it trained nothing.
    pub fn of_run(setting: &Setting, report: &RunReport) -> Option<Self> {
        let started_unix = unix_seconds(report.started);
        (report.trained > 0).then(|| Self {
            build: Build::on(&setting.device),
            revision: setting.revision.clone(),
            machine: Machine::this(),
            data: setting.data.clone(),
            run: RunDetails {
                device: setting.device.clone(),
                adapter: setting.adapter.clone(),
                threads: setting.threads,
                instructions: instructions(&setting.device),
                started: iso_8601(started_unix),
                started_unix,
                seconds: report.seconds,
                arm_seconds: report.arm_seconds.clone(),
                trained: report.trained,
                reused: report.reused,
            },
            reproduced: None,
        })
    }

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
        }
    }

    /// Reads `provenance.json` in `folder`, where there is one that can be read.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join(NAME)).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes `provenance.json` into `folder`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), FileError> {
        let mut text = serde_json::to_string_pretty(self).expect("plain data has a JSON form");
        text.push('\n');
        write_atomic(&folder.join(NAME), text.as_bytes())?;
        Ok(())
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
    use std::time::Duration;

    fn report(trained: usize) -> RunReport {
        RunReport {
            trained,
            reused: 2,
            diverged: 0,
            failed: 0,
            stopped: false,
            reproduction: None,
            started: UNIX_EPOCH + Duration::from_secs(1_000_000_000),
            seconds: 1.5,
            arm_seconds: [("a".to_owned(), 1.25)].into(),
        }
    }

    fn setting() -> Setting {
        Setting {
            revision: None,
            device: "wgpu".into(),
            adapter: Some("Some GPU (Vulkan)".into()),
            threads: 2,
            data: [("digits".to_owned(), "2c67".to_owned())].into(),
        }
    }

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

    #[test]
    fn run_without_training_has_no_provenance() {
        assert_eq!(Provenance::of_run(&setting(), &report(0)), None);
        assert!(Provenance::of_run(&setting(), &report(1)).is_some());
    }

    #[test]
    fn file_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let provenance = Provenance::of_run(&setting(), &report(3)).unwrap();
        provenance.write(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(text.ends_with("}\n"));
        assert_eq!(
            serde_json::from_str::<Provenance>(&text).unwrap(),
            provenance
        );
        assert_eq!(Provenance::read(dir.path()).as_ref(), Some(&provenance));
        assert_eq!(provenance.run.started, "2001-09-09T01:46:40Z");
        assert_eq!((provenance.run.trained, provenance.run.reused), (3, 2));
        assert!(provenance.build.rustc.starts_with("rustc 1."));
        assert_eq!(provenance.build.lock_sha256.len(), 64);
        assert!(provenance.machine.cores > 0);
        assert_eq!(provenance.data["digits"], "2c67");
    }

    #[test]
    fn cpu_run_has_its_instruction_set() {
        let on = |device: &str| {
            let setting = Setting {
                device: device.to_owned(),
                ..setting()
            };
            Provenance::of_run(&setting, &report(1)).unwrap()
        };
        assert_eq!(on("wgpu").instructions(), None);
        let current = InstructionSet::current().name();
        let made = on("flex");
        assert_eq!(made.instructions(), Some(current));
        let mut older = made;
        older.run.instructions = None;
        assert_eq!(older.instructions(), None);
        let reproduced = older.reproduced(None, 3, None, BTreeMap::new());
        assert_eq!(reproduced.instructions(), Some(current));
    }
}
