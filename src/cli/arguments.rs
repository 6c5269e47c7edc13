//! Arguments that several verbs share.

use super::exit::Failure;
use super::select::Selection;
use super::trainer::default_jobs;
use super::{root, variant};
use crate::machine::cores;
use crate::provenance::Setting;
use crate::run::share::Sharing;
use crate::spec::Spec;
use clap::{Args, ValueEnum};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Parses a count of at least 1.
pub(crate) fn positive(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| "it must be a whole number of at least 1".to_owned())
}

/// The device on which committed results were made.
pub(crate) const DEFAULT_DEVICE: &str = "flex";

/// Folder for results of unchanged experiments from `experiments/`.
pub(crate) const RESULTS: &str = "results";

/// Folder for all other results.
pub(crate) const OTHER_RESULTS: &str = "ablate-results";

/// Variable with the time without a sign of life after which another process counts as dead.
pub(crate) const LEASE: &str = "ABLATE_LEASE_SECONDS";

/// The lease that the environment gives, or the usual one.
///
/// # Errors
/// If it is no number of at least 1.
pub(crate) fn lease() -> Result<Duration, Failure> {
    let Some(text) = std::env::var(LEASE).ok().filter(|text| !text.is_empty()) else {
        return Ok(Sharing::LEASE);
    };
    let seconds = text.parse().ok().filter(|seconds| *seconds >= 1);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        Failure::usage(format!(
            "`{LEASE}` is `{text}`; it must be a whole number of seconds, at least 1"
        ))
    })
}

/// Format of output on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// The option `--format`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct FormatArg {
    /// Output format
    #[arg(
        long,
        value_enum,
        value_name = "text|json",
        default_value = "text",
        hide_possible_values = true
    )]
    pub(crate) format: Format,
}

/// The option `--results`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ResultsArg {
    /// Folder of results [default: results or ablate-results;
    /// see `ablate --help`]
    #[arg(long = "results", value_name = "DIR", verbatim_doc_comment)]
    given: Option<PathBuf>,
}

/// A folder of results, and the reason if it is not [`RESULTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) folder: PathBuf,
    pub(crate) reason: Option<&'static str>,
}

impl ResultsArg {
    /// As if the command line named `folder`.
    pub(crate) fn at(folder: &Path) -> Self {
        Self {
            given: Some(folder.to_owned()),
        }
    }

    /// Whether the command line names the folder.
    pub(crate) const fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// The folder that the command line names.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.given.as_deref()
    }

    /// Chooses the folder for the results of `specs`. Changed experiments, and a `device` other than
    /// the default, do not overwrite committed results unless `--results` names their folder. Experiments
    /// that were read from a results folder stay in it.
    pub(crate) fn folder(
        &self,
        selection: &Selection,
        specs: &[Spec],
        device: Option<&str>,
    ) -> Results {
        let mut homes = specs.iter().map(variant::home);
        if let (None, Some(Some(home))) = (&self.given, homes.next())
            && homes.all(|other| other.as_ref() == Some(&home))
        {
            return Results {
                folder: home,
                reason: None,
            };
        }
        let changed =
            |spec: &Spec| !spec.changes.set.is_empty() || spec.changes.seeds_in_file.is_some();
        let reason = if specs.iter().any(changed) {
            Some("`--set` or `--seeds` changes the experiment")
        } else if device.is_some_and(|device| device != DEFAULT_DEVICE)
            || specs.iter().any(|spec| spec.changes.device.is_some())
        {
            Some("the device is not the default device")
        } else if specs.iter().any(|spec| !selection.is_among(spec)) {
            Some("an experiment is outside the experiments folder")
        } else {
            None
        };
        match (&self.given, reason) {
            (Some(given), _) => Results {
                folder: given.clone(),
                reason: None,
            },
            (None, None) => Results {
                folder: root::beside(RESULTS),
                reason,
            },
            (None, Some(_)) => Results {
                folder: root::beside(OTHER_RESULTS),
                reason,
            },
        }
    }
}

impl Results {
    /// The folder that was named.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            reason: None,
        }
    }

    /// The folder for results that `reason` keeps out of the committed ones, unless `given` names one.
    pub(crate) fn changed(self, given: &ResultsArg, reason: &'static str) -> Self {
        match given.is_given() || self.reason.is_some() {
            true => self,
            false => Self {
                folder: root::beside(OTHER_RESULTS),
                reason: Some(reason),
            },
        }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder.display())
    }
}

/// Options of training runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunSettings {
    /// Device to train on; see `ablate devices`. Also set by
    /// the variable `ABLATE_DEVICE`. A program gets the name
    /// as `{device}` [default: flex; cpu for programs; that
    /// of its results for a variant]
    #[arg(
        long,
        value_name = "NAME",
        env = "ABLATE_DEVICE",
        hide_env = true,
        verbatim_doc_comment
    )]
    device: Option<String>,
    /// Jobs to train at the same time [default: one per
    /// core; one on GPUs]
    #[arg(long, value_name = "N", value_parser = positive, verbatim_doc_comment)]
    jobs: Option<NonZeroUsize>,
    /// Most cells of an arm to train as one stacked model;
    /// results do not depend on it
    #[arg(
        long,
        value_name = "N",
        default_value = "10",
        value_parser = positive,
        verbatim_doc_comment
    )]
    pub(crate) replicas: NonZeroUsize,
    /// Train every cell again; the old journal is kept as
    /// `.cells.N.jsonl`
    #[arg(long, verbatim_doc_comment)]
    pub(crate) fresh: bool,
    /// Train in worker processes: a crash then fails one
    /// job, not the run (always on for GPUs)
    #[arg(long, verbatim_doc_comment)]
    pub(crate) isolate: bool,
    /// Reuse the records of a committed `runs.jsonl`
    /// instead of training its cells again
    #[arg(long, conflicts_with = "fresh", verbatim_doc_comment)]
    pub(crate) adopt: bool,
    /// Where machines share the run: train all cells of a
    /// seed on one kind of CPU or GPU
    #[arg(long, verbatim_doc_comment)]
    pub(crate) pin_kind: bool,
}

impl RunSettings {
    /// The settings of a run of programs alone.
    pub(crate) fn of_programs(device: &str, jobs: Option<NonZeroUsize>, fresh: bool) -> Self {
        Self {
            device: Some(device.to_owned()),
            jobs,
            replicas: NonZeroUsize::MIN,
            fresh,
            isolate: false,
            adopt: false,
            pin_kind: false,
        }
    }

    /// How a run under the conditions of `setting` shares its results folder.
    ///
    /// # Errors
    /// If `ABLATE_LEASE_SECONDS` is no number of seconds.
    pub(crate) fn sharing(&self, setting: &Setting) -> Result<Sharing, Failure> {
        Ok(Sharing {
            lease: lease()?,
            kind: self.pin_kind.then(|| setting.kind()),
            ..Sharing::default()
        })
    }

    /// The device that the command line or the environment names; an empty `ABLATE_DEVICE` counts as unset.
    pub(crate) fn given_device(&self) -> Option<&str> {
        self.device.as_deref().filter(|name| !name.is_empty())
    }

    /// The same settings for going on with a run that these started.
    pub(crate) fn going_on(&self) -> Self {
        Self {
            fresh: false,
            ..self.clone()
        }
    }

    /// Name of the device for `spec`: the given one, or that of its earlier results, or its default.
    /// Programs get the name as it is given, except that the default device of nets is a CPU to them.
    pub(crate) fn device_of<'a>(&'a self, spec: &'a Spec) -> &'a str {
        match (&spec.program, self.given_device()) {
            (Some(_), Some(DEFAULT_DEVICE)) => spec.default_device(),
            (_, Some(device)) => device,
            (_, None) => (spec.changes.device.as_deref()).unwrap_or_else(|| spec.default_device()),
        }
    }

    /// Number of jobs of `spec` to train at the same time.
    pub(crate) fn jobs(&self, spec: &Spec) -> usize {
        let usual = || match (&spec.program, self.device_of(spec)) {
            (Some(_), device) if device == spec.default_device() => cores(),
            (_, device) => default_jobs(device),
        };
        self.jobs.map_or_else(usual, usize::from)
    }
}
