//! Arguments that several verbs share.

use super::select::Selection;
use super::trainer::default_jobs;
use crate::spec::Spec;
use clap::{Args, ValueEnum};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The device of committed results.
pub(crate) const DEFAULT_DEVICE: &str = "flex";

/// Where results of `experiments/` as they are belong.
const RESULTS: &str = "results";

/// Where results of anything else belong.
const OTHER_RESULTS: &str = "ablate-results";

/// How data are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `--format`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct FormatArg {
    /// How to write it.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// `--results`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResultsArg {
    /// Folder of results [default: results, or ablate-results, see `ablate --help`].
    #[arg(long = "results", value_name = "DIR")]
    given: Option<PathBuf>,
}

/// A folder of results, and why it is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) folder: PathBuf,
    pub(crate) reason: Option<&'static str>,
}

impl ResultsArg {
    /// The folder for `specs` as selected, on `device` where it matters. Committed results are not
    /// overwritten by those of another question, unless `--results` says so.
    pub(crate) fn folder(
        &self,
        selection: &Selection,
        specs: &[Spec],
        device: Option<&str>,
    ) -> Results {
        let reason = if selection.has_overrides() {
            Some("`--set` and `--seeds` change the experiment")
        } else if device.is_some_and(|device| device != DEFAULT_DEVICE) {
            Some("the device is not the default one")
        } else if specs.iter().any(|spec| !selection.is_among(spec)) {
            Some("an experiment is not among those of `--experiments`")
        } else {
            None
        };
        match (&self.given, reason) {
            (Some(given), _) => Results {
                folder: given.clone(),
                reason: None,
            },
            (None, None) => Results {
                folder: RESULTS.into(),
                reason,
            },
            (None, Some(_)) => Results {
                folder: OTHER_RESULTS.into(),
                reason,
            },
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder.display())
    }
}

/// How a run is made.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunSettings {
    /// Device that trains (see `ablate devices`).
    #[arg(long, value_name = "NAME", env = "ABLATE_DEVICE", default_value = DEFAULT_DEVICE)]
    device: String,
    /// Jobs that train at the same time [default: one a core, on GPUs one].
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Most cells of one arm that train in lockstep; it changes no number.
    #[arg(long, value_name = "N", default_value = "10")]
    pub(crate) replicas: NonZeroUsize,
    /// Set the journal aside and train every cell again.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Train in worker processes, so that a crash of a device or its driver fails a cell and not the
    /// run; jobs on GPUs always are.
    #[arg(long)]
    pub(crate) isolate: bool,
    /// Count the records of a `runs.jsonl` that came with the repository as done.
    #[arg(long, conflicts_with = "fresh")]
    pub(crate) adopt: bool,
}

impl RunSettings {
    /// The device's name; an empty `ABLATE_DEVICE` counts as unset.
    pub(crate) fn device(&self) -> &str {
        match self.device.as_str() {
            "" => DEFAULT_DEVICE,
            name => name,
        }
    }

    /// Jobs at the same time.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
            .map_or_else(|| default_jobs(self.device()), usize::from)
    }
}
